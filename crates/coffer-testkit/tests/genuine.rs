//! The genuine CLI against the fake server: the proof that the fake is good enough.
//!
//! Each test runs inside a network namespace with loopback only and with a home of its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{Answer, FakeApi, LoginSpec, RequestRecord, Scratch, netns, require};
use serde_json::{Value, json};

const HOSTS: [&str; 3] = ["api.anthropic.com", "platform.claude.com", "console.anthropic.com"];
const LOGIN: &str = ".claude/.credentials.json";

/// `claude -p hi` in the scratch project.
fn claude(scratch: &Scratch, program: &Path) -> Command {
    let mut command = scratch.command(program);
    command.args(["-p", "hi"]).stdin(std::process::Stdio::null());
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
    native_runs_a_tool: runs_a_tool_that_the_answer_asks_for, claude_native;
    js_answers_to_an_api_key: answers_to_an_api_key, claude_js;
    js_answers_to_a_refreshless_file: answers_to_a_refreshless_file, claude_js;
    js_refreshes_through_tls: refreshes_through_tls, claude_js;
    js_runs_a_tool: runs_a_tool_that_the_answer_asks_for, claude_js;
}
