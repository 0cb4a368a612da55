//! The genuine CLI against the fake server: the proof that the fake is good enough.
//!
//! Each test runs inside a network namespace with loopback only and with a home of its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{Answer, FakeApi, LoginSpec, RequestRecord, Scratch, netns, require};
use serde_json::{Value, json};

const HOSTS: [&str; 5] =
    ["api.anthropic.com", "platform.claude.com", "console.anthropic.com", "claude.com", "claude.ai"];
const LOGIN: &str = ".claude/.credentials.json";

/// `claude -p hi` in the scratch project.
fn claude(scratch: &Scratch, program: &Path) -> Command {
    let mut command = scratch.command(program);
    command.args(["-p", "hi"]).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{stdout}\n{stderr}", output.status)
}

fn messages(seen: &[RequestRecord]) -> Vec<&RequestRecord> {
    seen.iter().filter(|one| one.path == "/v1/messages").collect()
}

fn answers_to_an_api_key(program: &Path) {
    let (scratch, api) = (Scratch::new().unwrap(), FakeApi::builder().start().unwrap());
    let key = api.add_api_key();
    let output = claude(&scratch, program)
        .env("ANTHROPIC_BASE_URL", api.base_url())
        .env("ANTHROPIC_API_KEY", &key)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "practice answer: hi", "{}", said(&output));
    let seen = api.requests();
    assert!(!messages(&seen).is_empty());
    for one in messages(&seen) {
        assert_eq!(one.credential("x-api-key"), Some(fingerprint(&key).as_str()), "{one:?}");
        assert_eq!(one.credential("authorization"), None, "{one:?}");
    }
}

fn answers_to_a_refreshless_file(program: &Path) {
    let (scratch, api) = (Scratch::new().unwrap(), FakeApi::builder().start().unwrap());
    let login =
        api.issue_login(&LoginSpec { scopes: vec!["user:inference".to_owned()], ..LoginSpec::refreshless() });
    let file = scratch.write_home(LOGIN, &login.credentials_json()).unwrap();
    let output = claude(&scratch, program).env("ANTHROPIC_BASE_URL", api.base_url()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "practice answer: hi", "{}", said(&output));
    for one in messages(&api.requests()) {
        assert_eq!(
            one.credential("authorization"),
            Some(fingerprint(&login.access_token).as_str()),
            "{one:?}"
        );
        assert!(one.beta.as_deref().is_some_and(|beta| beta.contains("oauth-2025-04-20")), "{one:?}");
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), login.credentials_json());
}

fn refreshes_through_tls(program: &Path) {
    let scratch = Scratch::new().unwrap();
    let ca = scratch.root().join("ca.pem");
    let api = FakeApi::builder().tls(SocketAddr::from(([127, 0, 0, 1], 443))).ca_out(&ca).start().unwrap();
    let login = api.issue_login(&LoginSpec::expired());
    let file = scratch.write_home(LOGIN, &login.credentials_json()).unwrap();
    let run = || claude(&scratch, program).env("NODE_EXTRA_CA_CERTS", &ca).output().unwrap();
    let first = run();
    assert_eq!(String::from_utf8_lossy(&first.stdout).trim(), "practice answer: hi", "{}", said(&first));
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let access = stored["claudeAiOauth"]["accessToken"].as_str().unwrap();
    assert_ne!(access, login.access_token);
    let second = run();
    assert_eq!(String::from_utf8_lossy(&second.stdout).trim(), "practice answer: hi", "{}", said(&second));

    let seen = api.requests();
    let refreshes: Vec<_> = seen.iter().filter(|one| one.path == "/v1/oauth/token").collect();
    let [refresh] = refreshes.as_slice() else { panic!("one refresh and no more: {refreshes:?}") };
    assert_eq!(refresh.host, "platform.claude.com");
    assert_eq!(
        refresh.credential("body:refresh_token"),
        login.refresh_token.as_deref().map(fingerprint).as_deref()
    );
    for one in messages(&seen) {
        assert!(one.tls && one.host == "api.anthropic.com", "{one:?}");
        assert_eq!(one.credential("authorization"), Some(fingerprint(access).as_str()), "{one:?}");
    }
    // Old versions ask for other things with the expired token first; that is theirs.
    let refused = |one: &&RequestRecord| one.status != Some(200);
    let refused: Vec<_> = messages(&seen).into_iter().chain(refreshes).filter(refused).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

fn runs_a_tool_that_the_answer_asks_for(program: &Path) {
    let (scratch, api) = (Scratch::new().unwrap(), FakeApi::builder().start().unwrap());
    let key = api.add_api_key();
    let mark = scratch.project().join("made-by-the-agent");
    let input = json!({"command": format!("touch {}", mark.display()), "description": "make a file"});
    api.queue_answer(Answer::ToolUse { name: "Bash".to_owned(), input });
    let output = claude(&scratch, program)
        .args(["--allowedTools", "Bash"])
        .env("ANTHROPIC_BASE_URL", api.base_url())
        .env("ANTHROPIC_API_KEY", key)
        .output()
        .unwrap();
    assert!(mark.exists(), "{}", said(&output));
}

/// What both ways to sign in must end with: a login of our making in the file, good for an answer.
fn signed_in(scratch: &Scratch, api: &FakeApi, program: &Path, ca: &Path) {
    let stored: Value =
        serde_json::from_str(&std::fs::read_to_string(scratch.home().join(LOGIN)).unwrap()).unwrap();
    let access = stored["claudeAiOauth"]["accessToken"].as_str().unwrap();
    assert!(access.starts_with("sk-ant-oat01-FAKE-"), "{access}");
    let granted = api.requests().into_iter().find(|one| one.path == "/v1/oauth/token").unwrap();
    assert_eq!(granted.grant_type.as_deref(), Some("authorization_code"));
    let output = claude(scratch, program).env("NODE_EXTRA_CA_CERTS", ca).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "practice answer: hi", "{}", said(&output));
}

/// `claude auth login` with `browser` as the browser; ends on its own when nobody signs in.
fn sign_in(scratch: &Scratch, program: &Path, ca: &Path, browser: &Path) -> Child {
    scratch
        .command("timeout")
        .arg("60")
        .arg(program)
        .args(["auth", "login"])
        .env("NODE_EXTRA_CA_CERTS", ca)
        .env("BROWSER", browser)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signs_in_with_a_browser(program: &Path) {
    let Some(curl) = require::program("curl") else { return };
    let scratch = Scratch::new().unwrap();
    let ca = scratch.root().join("ca.pem");
    let api = FakeApi::builder().tls(SocketAddr::from(([127, 0, 0, 1], 443))).ca_out(&ca).start().unwrap();
    let visit = format!("#!/bin/sh\nexec {} -sL --cacert {} \"$1\"\n", curl.display(), ca.display());
    let browser = scratch.write_home("browser", &visit).unwrap();
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o700)).unwrap();
    let output = sign_in(&scratch, program, &ca, &browser).wait_with_output().unwrap();
    assert!(output.status.success(), "{} {:?}", said(&output), api.requests());
    signed_in(&scratch, &api, program, &ca);
}

fn signs_in_with_a_pasted_code(program: &Path) {
    let scratch = Scratch::new().unwrap();
    let ca = scratch.root().join("ca.pem");
    let api = FakeApi::builder().tls(SocketAddr::from(([127, 0, 0, 1], 443))).ca_out(&ca).start().unwrap();
    let mut child = sign_in(&scratch, program, &ca, Path::new("true"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let challenge =
        lines.find_map(|line| line.split_once("/oauth/authorize?z-").map(|(_, rest)| rest.to_owned()));
    let code = api.issue_code(LoginSpec::default(), Some(challenge.unwrap().trim()));
    child.stdin.take().unwrap().write_all(format!("{code}#practice\n").as_bytes()).unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{rest:?} {:?}", api.requests());
    signed_in(&scratch, &api, program, &ca);
}

macro_rules! genuine {
    ($($test:ident: $check:ident, $cli:ident;)+) => {$(
        #[test]
        fn $test() {
            let Some(program) = require::$cli() else { return };
            if netns::inside(stringify!($test), &HOSTS) {
                $check(&program);
            }
        }
    )+};
}

genuine! {
    native_answers_to_an_api_key: answers_to_an_api_key, claude_native;
    native_answers_to_a_refreshless_file: answers_to_a_refreshless_file, claude_native;
    native_refreshes_through_tls: refreshes_through_tls, claude_native;
    native_signs_in_with_a_browser: signs_in_with_a_browser, claude_native;
    native_signs_in_with_a_pasted_code: signs_in_with_a_pasted_code, claude_native;
    native_runs_a_tool: runs_a_tool_that_the_answer_asks_for, claude_native;
    js_answers_to_an_api_key: answers_to_an_api_key, claude_js;
    js_answers_to_a_refreshless_file: answers_to_a_refreshless_file, claude_js;
    js_refreshes_through_tls: refreshes_through_tls, claude_js;
    js_signs_in_with_a_browser: signs_in_with_a_browser, claude_js;
    js_runs_a_tool: runs_a_tool_that_the_answer_asks_for, claude_js;
}
