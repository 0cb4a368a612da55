//! What happens in each of these runs; the same for both pinned CLIs.

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{IssuedLogin, LoginSpec};

use super::session::Session;
use crate::support::practice::{LOGIN, Practice};
use crate::support::record::Record;
use crate::support::run;
use crate::support::tree::files_with;

/// Somebody on the host refreshes: the old access token is dead from now on.
fn refreshes(practice: &Practice, login: &IssuedLogin) -> IssuedLogin {
    let next = practice.api.rotate(login.refresh_token.as_deref().unwrap()).unwrap();
    assert!(practice.api.expire(&login.access_token));
    let file = practice.stage.home().join(LOGIN);
    let new = file.with_extension("new");
    std::fs::write(&new, next.credentials_json()).unwrap();
    std::fs::rename(new, file).unwrap();
    next
}

pub(super) fn answers(session: &mut Session, prompt: &str) {
    let result = session.asks(prompt);
    assert_eq!(result["is_error"], false, "{result}");
    assert!(result["result"].as_str().unwrap().contains(&format!("practice answer: {prompt}")), "{result}");
}

/// By whose token the model was last asked.
pub(super) fn last_used(practice: &Practice) -> String {
    practice.messages().last().unwrap().credential("authorization").unwrap().to_owned()
}

pub(super) fn a_session_goes_on_when_somebody_else_refreshed(practice: &Practice) {
    let mut record = Record::of(&practice.stage);
    let mut login = practice.sign_in(&LoginSpec::default());
    let mut session = Session::starts(practice, &[]);
    answers(&mut session, "first");
    assert_eq!(last_used(practice), fingerprint(&login.access_token));
    for turn in 1..=2 {
        let refresh = login.refresh_token.clone().unwrap();
        login = refreshes(practice, &login);
        let published = record.waits_for("lease_published", turn);
        assert_eq!(published[turn - 1]["expires_at_ms"], login.expires_at_ms);
        answers(&mut session, &format!("again {turn}"));
        assert_eq!(last_used(practice), fingerprint(&login.access_token));
        // Neither refresh token was ever inside, or in any file of ours.
        for secret in [&refresh, login.refresh_token.as_ref().unwrap()] {
            for place in [practice.stage.data(), practice.stage.scratch.runtime()] {
                assert!(files_with(&place, secret).is_empty(), "{}", place.display());
            }
        }
    }
    let (code, errors) = session.ends();
    assert_eq!(code, Some(0), "{errors}");
    assert!(!errors.contains("error["), "{errors}");
    assert!(practice.token_requests().is_empty(), "only the host refreshed");
    let (started, ended) = (record.events("run_started"), record.events("run_ended"));
    assert_eq!((started.len(), ended.len()), (1, 1));
    assert_eq!(started[0]["run"], ended[0]["run"]);
    assert_eq!((&started[0]["account"], &ended[0]["code"]), (&"host".into(), &0.into()));
}

pub(super) fn two_runs_in_one_project_go_on(practice: &Practice) {
    let mut record = Record::of(&practice.stage);
    let login = practice.sign_in(&LoginSpec::default());
    let mut sessions = [Session::starts(practice, &[]), Session::starts(practice, &[])];
    for session in &mut sessions {
        answers(session, "first");
    }
    let login = refreshes(practice, &login);
    record.waits_for("lease_published", 2);
    for session in &mut sessions {
        answers(session, "second");
        assert_eq!(last_used(practice), fingerprint(&login.access_token));
    }
    for session in sessions {
        let (code, errors) = session.ends();
        assert_eq!(code, Some(0), "{errors}");
    }
    let mut runs: Vec<_> =
        record.events("lease_published").iter().map(|one| one["run"].to_string()).collect();
    runs.sort();
    runs.dedup();
    assert_eq!(runs.len(), 2, "each published for itself, once");
}

pub(super) fn a_run_that_outlives_its_login_ends(practice: &Practice) {
    // A plan would be refused that late, so the line is printed beforehand.
    practice.sign_in(&LoginSpec::default());
    let line = Session::line(practice);
    // Nobody can renew it, and it ends in a moment.
    let login = practice.sign_in(&LoginSpec { expires_in: 8, refreshable: false, ..LoginSpec::default() });
    let mut session = Session::pasted(practice, &line);
    answers(&mut session, "first");
    assert!(practice.api.expire(&login.access_token));
    session.types("second");
    // Its input stays open, so it would not end by itself.
    let (code, errors) = session.waits();
    assert!(errors.contains("error[login-ended]: the access token of the account `host` ended"), "{errors}");
    assert!(errors.contains("hint: `claude auth login`"), "{errors}");
    // Ended by us, or by itself before.
    assert!(code == Some(143) || code == Some(1), "{code:?} {errors}");
    assert!(!errors.contains(&login.access_token), "{errors}");
}

pub(super) fn a_sign_in_made_inside_is_noticed(practice: &Practice) {
    practice.sign_in(&LoginSpec::default());
    let before = std::fs::read(practice.stage.home().join(LOGIN)).unwrap();
    let inside = practice.api.issue_login(&LoginSpec::default());
    let refresh = inside.refresh_token.clone().unwrap();
    // As the CLI does it, to the file that it has.
    let script = format!(
        r#"f=${{CLAUDE_SECURESTORAGE_CONFIG_DIR:-$CLAUDE_CONFIG_DIR}}/.credentials.json; umask 077
        cat > $f <<'END'
{}
END
        echo '{{"oauthAccount": {{"emailAddress": "ada@example.invalid\u001b[2J"}}}}' > $CLAUDE_CONFIG_DIR/.claude.json"#,
        inside.credentials_json()
    );
    let ran = run(practice.run(&["--", "sh", "-c", &script]));
    ran.ends_with(0).keeps_secret(&[&inside.access_token, &refresh]);
    assert!(ran.stderr.contains("A sign-in was made inside this run"), "{ran}");
    assert!(ran.stderr.contains("ada@example.invalid") && !ran.stderr.contains('\u{1b}'), "{ran}");
    assert!(ran.stderr.contains("subscription max"), "{ran}");
    // It was not adopted, and waits in private.
    assert_eq!(std::fs::read(practice.stage.home().join(LOGIN)).unwrap(), before);
    let folder = practice.stage.data().join("accounts/host/pending");
    let waiting: Vec<_> = std::fs::read_dir(folder).unwrap().map(|one| one.unwrap().path()).collect();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert!(ran.stderr.contains(&format!("`coffer account import NAME {}`", waiting[0].display())), "{ran}");
    // No token of it lies in the open; a word by which the host opens it brings it back as it was.
    for token in [&inside.access_token, &refresh] {
        let open = files_with(practice.stage.scratch.root(), token);
        assert!(open.is_empty(), "{open:?}");
    }
    run(practice.stage.coffer(["account", "import", "adopted"]).arg(&waiting[0]))
        .ends_with(0)
        .keeps_secret(&[&inside.access_token, &refresh]);
    let found = files_with(&practice.stage.data(), &refresh);
    assert_eq!(found, [practice.stage.data().join("accounts/adopted/login/store/.credentials.json")]);
    // The next run has the lease again, and nothing to tell.
    let ran = practice.says_hi(&[]);
    ran.prints("practice answer: hi\n");
    assert!(!ran.stderr.contains("sign-in"), "{ran}");
}
