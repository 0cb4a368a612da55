//! A token falls due while the agent works: the run's own keeper has it renewed, once, and the agent goes on.

use std::path::PathBuf;

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{Fault, Gate, LoginSpec, Rule, netns, require};
use serde_json::Value;

use super::scenarios::{answers, last_used};
use super::session::Session;
use crate::support::practice::{HOSTS, Practice};
use crate::support::record::Record;
use crate::support::{Stage, run, sandboxes};

/// The client whose version was measured to refresh is on the PATH in any case; `claude` runs in the sandbox.
fn with(test: &str, claude: Option<PathBuf>, scenario: impl Fn(&Practice)) {
    let (Some(claude), Some(native)) = (claude, require::claude_native()) else { return };
    if sandboxes() && netns::inside(test, &HOSTS) {
        let mut practice = Practice::with_token_server(Stage::new(), &claude);
        practice.also_on_the_path(&native);
        scenario(&practice);
    }
}

#[test]
fn of_an_account_genuine_native() {
    with("renewals::due::of_an_account_genuine_native", require::claude_native(), |practice| {
        an_accounts_token(practice, &[]);
    });
}

#[test]
fn of_an_account_genuine_js() {
    with("renewals::due::of_an_account_genuine_js", require::claude_js(), |practice| {
        an_accounts_token(practice, &[]);
    });
}

#[test]
fn of_the_users_own_login_genuine_native() {
    with("renewals::due::of_the_users_own_login_genuine_native", require::claude_native(), |practice| {
        // A run may start until 300 s before the end; its keeper refreshes from 290 s on.
        let login = practice.sign_in(&LoginSpec { expires_in: 312, ..LoginSpec::default() });
        let mut record = Record::of(&practice.stage);
        let mut session = Session::starts(practice, &[]);
        answers(&mut session, "first");
        assert_eq!(last_used(practice), fingerprint(&login.access_token));
        assert!(practice.token_requests().is_empty(), "not before the client's own window");
        record.waits_for("lease_published", 1);
        goes_on_with_the_new_token(practice, "host", &login.access_token, [session]);
    });
}

/// Two runs in one project; long enough for a run to start with, and due for an account already.
fn an_accounts_token(practice: &Practice, flags: &[&str]) {
    let login = practice.sign_in_account("dev", &LoginSpec { expires_in: 600, ..LoginSpec::default() });
    let gate = Gate::new();
    practice.api.script(Rule::times("/v1/oauth/token", Fault::HoldAfterWork(gate.clone()), 1));
    let mut record = Record::of(&practice.stage);
    let flags = [&["--account", "dev"], flags].concat();
    // The user's tools have been asked before: whoever starts while a refresh is under way waits for it.
    run(practice.run(&[&flags[..], &["--dry-run", "--", "true"]].concat())).ends_with(0);
    let mut sessions = [Session::starts(practice, &flags), Session::starts(practice, &flags)];
    // The answer does not come yet: both work with the token that they have.
    for session in &mut sessions {
        answers(session, "first");
        assert_eq!(last_used(practice), fingerprint(&login.access_token));
    }
    assert!(record.events("lease_published").is_empty());
    gate.open();
    let published = record.waits_for("lease_published", 2);
    assert_ne!(published[0]["run"], published[1]["run"], "each run publishes for itself");
    goes_on_with_the_new_token(practice, "dev", &login.access_token, sessions);
}

/// The same where a start takes so long that the first run's refresh may come before the second one: who starts while it is
/// under way waits for it, and begins with the new token.
pub(crate) fn an_accounts_token_at_slow_starts(practice: &Practice, flags: &[&str]) {
    let login = practice.sign_in_account("dev", &LoginSpec { expires_in: 600, ..LoginSpec::default() });
    let mut record = Record::of(&practice.stage);
    let flags = [&["--account", "dev"], flags].concat();
    let mut sessions = [Session::starts(practice, &flags), Session::starts(practice, &flags)];
    for session in &mut sessions {
        answers(session, "first");
    }
    let refreshed = record.waits_for("refresh_ended", 1);
    assert_eq!(refreshed[0]["outcome"], "ok", "{refreshed:?}");
    let is_before =
        |run: &&Value| run["account"] == "dev" && run["seq"].as_u64() < refreshed[0]["seq"].as_u64();
    let before = record.events("run_started").iter().filter(is_before).count();
    assert!(before > 0, "a run's own keeper has it renewed");
    record.waits_for("lease_published", before);
    goes_on_with_the_new_token(practice, "dev", &login.access_token, sessions);
}

fn goes_on_with_the_new_token<const N: usize>(
    practice: &Practice,
    account: &str,
    old: &str,
    sessions: [Session; N],
) {
    assert!(practice.api.expire(old));
    let text = std::fs::read_to_string(practice.stage.home().join(practice.login_of(account))).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let new = file["claudeAiOauth"]["accessToken"].as_str().unwrap();
    assert_ne!(new, old);
    for mut session in sessions {
        answers(&mut session, "second");
        assert_eq!(last_used(practice), fingerprint(new));
        let (code, errors) = session.ends();
        assert_eq!(code, Some(0), "{errors}");
        assert!(!errors.contains("error["), "{errors}");
    }
    assert_eq!(practice.token_requests().len(), 1, "one of them asked");
    let token = file["claudeAiOauth"]["refreshToken"].as_str().unwrap();
    assert!(practice.api.is_spendable(token), "and the login is good");
}
