//! `coffer status`: what it says of each state of a login, to people and to programs.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use camino::Utf8PathBuf;
use coffer_ledger::{Event, Ledger, Outcome};
use coffer_testkit::{LoginSpec, netns, require};
use serde_json::{Value, json};

use crate::support::practice::{HOSTS, LOGIN, Practice};
use crate::support::tree::tree;
use crate::support::{Ran, Stage, run, sandboxes};

const SCHEMA: &str = include_str!("../../../../docs/reference/status.schema.json");

fn status(stage: &Stage, words: &[&str]) -> Ran {
    run(stage.coffer(["status"]).args(words))
}

/// The JSON, which fits the published schema whatever the exit code.
#[track_caller]
fn document(ran: &Ran) -> Value {
    let document: Value =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}: {ran}");
    document
}

fn login(expires_in_ms: i64, more: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let end = i64::try_from(now).unwrap() + expires_in_ms;
    format!(
        r#"{{"claudeAiOauth":{{"accessToken":"sk-ant-oat01-FAKE-CANARY","expiresAt":{end},
        "scopes":["user:inference"],"subscriptionType":"max"{more}}}}}"#
    )
}

const REFRESH: &str = r#","refreshToken":"sk-ant-ort01-FAKE-CANARY""#;

#[test]
fn each_state_of_a_login_has_its_verdict_and_exit_code() {
    let hour = 3_600_000;
    for (content, verdict, trigger, exit) in [
        (None, "login_needed", json!("missing_credentials"), 1),
        (Some(login(hour, REFRESH)), "ready", json!(null), 0),
        (Some(login(60_000, REFRESH)), "expiring", json!(null), 0),
        (Some(login(-hour, REFRESH)), "expiring", json!(null), 0),
        (Some(login(-hour, "")), "login_needed", json!("token_expired"), 3),
        (Some(String::new()), "login_needed", json!("token_corrupted"), 3),
        (
            Some("{\"claudeAiOauth\":{\"accessToken\":\"\"}}".to_owned()),
            "login_needed",
            json!("token_corrupted"),
            3,
        ),
        (
            Some(login(hour, REFRESH).replace("user:inference", "user:profile")),
            "login_needed",
            json!("scope_mismatch"),
            3,
        ),
    ] {
        let stage = Stage::new();
        if let Some(content) = &content {
            stage.scratch.write_home(LOGIN, content).unwrap();
        }
        let ran = status(&stage, &["--json"]);
        ran.ends_with(exit).keeps_secret(&["CANARY"]);
        let host = &document(&ran)["accounts"][0];
        assert_eq!((&host["verdict"], &host["trigger"]), (&json!(verdict), &trigger), "{content:?}");
        assert_eq!(host["name"], "host");
        let ran = status(&stage, &[]);
        ran.ends_with(exit).keeps_secret(&["CANARY"]);
        let text = ran.text();
        assert!(text.starts_with("ACCOUNT") && text.contains(verdict), "{ran}");
        let word = trigger.as_str().unwrap_or("Sign-in");
        assert!(text.contains(word) && !text.contains('\u{1b}'), "{ran}");
    }
}

#[test]
fn wide_modes_are_a_finding_and_no_end_of_the_login() {
    let stage = Stage::new();
    let file = stage.scratch.write_home(LOGIN, &login(3_600_000, REFRESH)).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let ran = status(&stage, &["--json"]);
    ran.ends_with(0);
    let host = document(&ran)["accounts"][0].clone();
    assert_eq!((&host["verdict"], &host["trigger"]), (&json!("ready"), &json!("security_violation")));
    let ran = status(&stage, &[]);
    assert!(ran.text().contains("! host: security_violation: the login file has the mode 0644"), "{ran}");
}

#[test]
fn a_key_that_overrides_the_subscription_is_told() {
    let stage = Stage::new();
    stage.scratch.write_home(LOGIN, &login(3_600_000, REFRESH)).unwrap();
    let ran = run(stage.coffer(["status", "--json"]).env("ANTHROPIC_API_KEY", "sk-ant-api03-FAKE-CANARY"));
    ran.ends_with(0).keeps_secret(&["CANARY"]);
    let winner = document(&ran)["winner"].clone();
    assert_eq!((&winner["source"], &winner["account"]), (&json!("ANTHROPIC_API_KEY"), &json!("host")));
    assert!(winner["warning"].as_str().unwrap().contains("overrides the subscription"), "{ran}");
    // The control: without the key the login wins, and nothing is warned of.
    let winner = document(&status(&stage, &["--json"]))["winner"].clone();
    assert_eq!((&winner["source"], &winner["warning"]), (&json!("login"), &json!(null)));
    // A key alone is signed in.
    let stage = Stage::new();
    let ran = run(stage.coffer(["status", "--json"]).env("ANTHROPIC_API_KEY", "sk-ant-api03-FAKE-CANARY"));
    ran.ends_with(0);
    assert_eq!(document(&ran)["accounts"][0]["kind"], "api_key");
}

#[test]
fn the_last_refresh_comes_from_the_ledger_and_accounts_from_their_records() {
    let stage = Stage::new();
    let data = Utf8PathBuf::from_path_buf(stage.data()).unwrap();
    let event = Event::RefreshEnded {
        account: "dev".to_owned(),
        outcome: Outcome::Transient,
        before: None,
        after: None,
        error: Some("the token server said 503".to_owned()),
    };
    Ledger::new(&data.join("ledger"))
        .append(jiff::Timestamp::from_second(1_700_000_000).unwrap(), event)
        .unwrap();
    let record = r#"{"schema":1,"name":"dev","agent":"claude","kind":"subscription","created_at_ms":0}"#;
    stage.scratch.write_home(".local/share/cofferdam/accounts/dev/account.json", record).unwrap();
    stage
        .scratch
        .write_home(
            ".local/share/cofferdam/accounts/dev/login/store/.credentials.json",
            &login(3_600_000, REFRESH),
        )
        .unwrap();
    stage.scratch.write_home(".local/share/cofferdam/accounts/bad/account.json", "half").unwrap();
    let ran = status(&stage, &["--account", "dev", "--json"]);
    ran.ends_with(0);
    let accounts = document(&ran)["accounts"].clone();
    assert_eq!(accounts.as_array().map(Vec::len), Some(1));
    let dev = accounts[0].clone();
    assert_eq!(
        (&dev["name"], &dev["verdict"], &dev["subscription"]),
        (&json!("dev"), &json!("ready"), &json!("max"))
    );
    assert!(dev["fingerprint"].as_str().unwrap().starts_with("sha256:"));
    let refresh =
        json!({"at": "2023-11-14T22:13:20Z", "outcome": "transient", "error": "the token server said 503"});
    assert_eq!(dev["last_refresh"], refresh);
    // What the keepers remember counts where it is newer: a refusal of this very token.
    let print = dev["fingerprint"].as_str().unwrap();
    let memory = format!(
        r#"{{"refused":{{"fingerprint":"{print}","because":"revoked","at_ms":1700000001000}},
        "last":{{"at_ms":1700000001000,"outcome":"permanent","error":"revoked"}}}}"#
    );
    stage.scratch.write_home(".local/share/cofferdam/accounts/dev/keeper.json", &memory).unwrap();
    let ran = status(&stage, &["--account", "dev", "--json"]);
    ran.ends_with(3);
    let dev = &document(&ran)["accounts"][0];
    assert_eq!((&dev["verdict"], &dev["trigger"]), (&json!("login_needed"), &json!("security_violation")));
    assert_eq!(dev["last_refresh"]["outcome"], "permanent");
    let ran = status(&stage, &[]);
    assert!(ran.text().contains("! the account `bad` cannot be read"), "{ran}");
    status(&stage, &["--account", "nobody"]).refuses(
        2,
        "unknown-account",
        "no account `nobody`",
        "coffer status",
    );
    status(&stage, &["--account", "No Body"]).refuses(
        2,
        "usage",
        "is no name of an account",
        "coffer status",
    );
}

#[test]
fn a_refusal_of_the_users_own_login_is_remembered_without_a_record() {
    let stage = Stage::new();
    stage.scratch.write_home(LOGIN, &login(3_600_000, REFRESH)).unwrap();
    let ran = status(&stage, &["--json"]);
    let print = document(&ran)["accounts"][0]["fingerprint"].as_str().unwrap().to_owned();
    let remember = |print: &str| {
        let text = format!(r#"{{"refused":{{"fingerprint":"{print}","because":"reused","at_ms":0}}}}"#);
        stage.scratch.write_home(".local/share/cofferdam/accounts/host/keeper.json", &text).unwrap();
        let ran = status(&stage, &["--json"]);
        (ran.code, document(&ran)["accounts"][0]["trigger"].clone())
    };
    assert_eq!(remember(&print), (Some(3), json!("token_expired")));
    // Of another token: a newer login is another chance.
    assert_eq!(remember("sha256:000000000000"), (Some(0), json!(null)));
}

#[test]
fn live_runs_are_counted_while_they_live() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    stage.scratch.write_home(LOGIN, &login(3_600_000, REFRESH)).unwrap();
    let runs = || document(&status(&stage, &["--json"]))["accounts"][0]["runs"].clone();
    assert_eq!(runs(), json!(0));
    let mut command = stage.run(["--", "sh", "-c", "echo in; read end"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!((line.as_str(), runs()), ("in\n", json!(1)));
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(runs(), json!(0));
}

#[test]
fn a_watch_prints_what_changes_and_ends_well_on_ctrl_c() {
    let stage = Stage::new();
    let mut command = stage.coffer(["status", "--watch", "--json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut verdict = || {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["accounts"][0]["trigger"].clone()
    };
    assert_eq!(verdict(), json!("missing_credentials"));
    // The login folder itself is not there yet.
    stage.scratch.write_home(LOGIN, &login(3_600_000, REFRESH)).unwrap();
    assert_eq!(verdict(), json!(null));
    // As the CLI writes: a new file, renamed.
    let new = stage.scratch.write_home(".claude/new", "").unwrap();
    std::fs::rename(new, stage.home().join(LOGIN)).unwrap();
    assert_eq!(verdict(), json!("token_corrupted"));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(lines.next().is_none(), "nothing is printed twice");
}

/// What the API says of each credential, asked by the genuine CLI; the login folder stays as it was.
fn probes(practice: &Practice) {
    let probe = |practice: &Practice, more: &[(&str, &str)], exit: i32| {
        let mut command = practice.stage.coffer(["status", "--probe", "--json"]);
        practice.equip(&mut command);
        let ran = run(command.envs(more.iter().copied()));
        ran.ends_with(exit).keeps_secret(&["FAKE"]);
        let probe = document(&ran)["probe"].clone();
        assert_eq!(probe["account"], "host");
        (probe["result"].as_str().unwrap().to_owned(), probe["status"].clone())
    };
    let said = |result: &str, status: Value| (result.to_owned(), status);
    assert_eq!(probe(practice, &[], 1), said("not_probed", json!(null)));
    // It would refresh if it could: it ends in a minute, and there is a refresh token.
    let login = practice.sign_in(&LoginSpec { expires_in: 60, ..LoginSpec::default() });
    let before = tree(&practice.stage.home().join(".claude"), &[]);
    assert_eq!(probe(practice, &[], 0), said("signed_in", json!(null)));
    assert!(practice.messages().len() == 1 && practice.token_requests().is_empty());
    // Locks of a refresh that is under way hinder nobody, and are left alone.
    std::fs::create_dir(practice.stage.home().join(".claude/.oauth_refresh.lock")).unwrap();
    assert_eq!(probe(practice, &[], 0), said("signed_in", json!(null)));
    std::fs::remove_dir(practice.stage.home().join(".claude/.oauth_refresh.lock")).unwrap();
    assert!(practice.api.revoke(&login.access_token));
    assert_eq!(probe(practice, &[], 1), said("refused", json!(401)));
    assert_eq!(tree(&practice.stage.home().join(".claude"), &[]), before);
    let key = practice.api.add_api_key();
    assert_eq!(probe(practice, &[("ANTHROPIC_API_KEY", &key)], 0), said("signed_in", json!(null)));
    assert_eq!(
        probe(practice, &[("ANTHROPIC_API_KEY", "sk-ant-api03-FAKE-wrong")], 1),
        said("refused", json!(401))
    );
    let token = practice.api.add_auth_token();
    assert_eq!(probe(practice, &[("ANTHROPIC_AUTH_TOKEN", &token)], 0), said("signed_in", json!(null)));
    let gone = [("ANTHROPIC_BASE_URL", "http://127.0.0.1:1"), ("ANTHROPIC_API_KEY", key.as_str())];
    assert_eq!(probe(practice, &gone, 1), said("unreachable", json!(null)));
    named_accounts(practice, &key);
    assert!(practice.token_requests().is_empty());
    let left = std::fs::read_dir(practice.stage.scratch.runtime().join("cofferdam")).into_iter().flatten();
    let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).filter(|name| name != "runs").collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The same for a named account with a login of its own, and for one whose helper prints the key.
fn named_accounts(practice: &Practice, key: &str) {
    let scratch = &practice.stage.scratch;
    let folder = ".local/share/cofferdam/accounts";
    let record = |name: &str, more: &str| {
        let text = format!(r#"{{"schema":1,"name":"{name}","agent":"claude","created_at_ms":0,{more}}}"#);
        scratch.write_home(&format!("{folder}/{name}/account.json"), &text).unwrap();
    };
    let probe = |name: &str, exit: i32| {
        let mut command = practice.stage.coffer(["status", "--probe", "--json", "--account", name]);
        practice.equip(&mut command);
        let ran = run(&mut command);
        ran.ends_with(exit).keeps_secret(&["FAKE"]);
        document(&ran)["probe"]["result"].as_str().unwrap().to_owned()
    };
    let login = practice.api.issue_login(&LoginSpec::default());
    record("dev", r#""kind":"subscription""#);
    assert_eq!(probe("dev", 1), "not_probed");
    scratch
        .write_home(&format!("{folder}/dev/login/store/.credentials.json"), &login.credentials_json())
        .unwrap();
    assert_eq!(probe("dev", 0), "signed_in");
    let helper = scratch.write_home("bin/key-helper", &format!("#!/bin/sh\necho {key}\n")).unwrap();
    std::fs::set_permissions(&helper, PermissionsExt::from_mode(0o700)).unwrap();
    record("aided", &format!(r#""kind":"helper","helper":["{}"]"#, helper.display()));
    assert_eq!(probe("aided", 0), "signed_in");
    // A sealed key is opened for the call, and a wrong one is told.
    let data = Utf8PathBuf::from_path_buf(practice.stage.data()).unwrap();
    let seal = coffer_account::seal::Seal::open_or_make_with(&data, None).unwrap();
    for (name, key, result, exit) in
        [("keyed", key, "signed_in", 0), ("wrong", "sk-ant-api03-FAKE-wrong", "refused", 1)]
    {
        record(name, r#""kind":"api_key""#);
        let sealed = seal.seal(key.as_bytes()).unwrap();
        std::fs::write(practice.stage.home().join(folder).join(name).join("secret.age"), sealed).unwrap();
        assert_eq!(probe(name, exit), result);
    }
}

#[test]
fn a_probe_tells_by_one_real_call_genuine_native() {
    let Some(claude) = require::claude_native() else { return };
    if netns::inside("statuses::a_probe_tells_by_one_real_call_genuine_native", &HOSTS) {
        probes(&Practice::new(Stage::new(), &claude));
    }
}

#[test]
fn a_probe_tells_by_one_real_call_genuine_js() {
    let Some(claude) = require::claude_js() else { return };
    if netns::inside("statuses::a_probe_tells_by_one_real_call_genuine_js", &HOSTS) {
        probes(&Practice::new(Stage::new(), &claude));
    }
}
