//! Leases and sign-ins in runs without any genuine CLI: what the host does with what was left inside.

use coffer_testkit::{FakeApi, LoginSpec};

use crate::support::tree::files_with;
use crate::support::{Stage, run, sandboxes};

/// A stage that is signed in, and the refresh token of another sign-in with its file's text.
fn stage() -> Option<(Stage, String, String)> {
    let api = FakeApi::builder().start().unwrap();
    let stage = sandboxes().then(Stage::new)?;
    stage
        .scratch
        .write_home(".claude/.credentials.json", &api.issue_login(&LoginSpec::default()).credentials_json())
        .unwrap();
    let inside = api.issue_login(&LoginSpec::default());
    Some((stage, inside.refresh_token.clone().unwrap(), inside.credentials_json()))
}

#[test]
fn what_is_left_in_place_of_the_lease_is_neither_followed_nor_waited_for() {
    let Some((stage, _, login)) = stage() else { return };
    let victim = stage.scratch.write_home("victim.json", &login).unwrap();
    let lease = "cd /run/coffer/lease; rm .credentials.json;";
    for swap in [
        format!("ln -s {} .credentials.json", victim.display()),
        "mkfifo .credentials.json".to_owned(),
        "mkdir .credentials.json".to_owned(),
        "true".to_owned(),
    ] {
        let ran = run(stage.run(["--", "sh", "-c", &format!("{lease} {swap}")]));
        ran.ends_with(0);
        assert!(!ran.stderr.contains("sign-in") && !ran.stderr.contains("error["), "{swap}: {ran}");
        assert!(!stage.data().join("accounts/host/pending").exists(), "{swap}");
    }
}

#[test]
fn a_sign_in_in_the_state_stays_there_and_is_told_once() {
    let Some((stage, refresh, login)) = stage() else { return };
    let script = format!("umask 077; echo '{login}' > ~/.claude/.credentials.json");
    let ran = run(stage.run(["--auth", "none", "--", "sh", "-c", &script]));
    ran.ends_with(0).keeps_secret(&[&refresh]);
    assert!(ran.stderr.contains("It stays in this state"), "{ran}");
    assert_eq!(files_with(&stage.data(), &refresh).len(), 1);
    let ran = run(stage.run(["--auth", "none", "--", "true"]));
    assert!(!ran.stderr.contains("sign-in"), "{ran}");
}

#[test]
fn a_ledger_that_cannot_be_written_is_told_once_and_stops_nothing() {
    let Some((stage, ..)) = stage() else { return };
    std::fs::create_dir_all(stage.data().join("ledger/ledger.jsonl")).unwrap();
    let ran = run(stage.run(["--", "echo", "works"]));
    ran.prints("works\n");
    assert_eq!(ran.stderr.matches("error[ledger]").count(), 1, "{ran}");
}
