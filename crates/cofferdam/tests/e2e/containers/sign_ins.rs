//! `coffer login --backend`: the genuine sign-in in a container; the account then runs on every backend.

use std::os::unix::fs::MetadataExt as _;

use coffer_testkit::LoginSpec;
use rustix::process::Signal;

use super::genuine::{Guest, on_every_engine_native};
use crate::support::run;
use crate::support::screen::Person;
use crate::support::tree::files_with;

on_every_engine_native!("containers::sign_ins": a_code_signs_in_and_a_sign_in_that_ends_early_changes_nothing);

mod scenarios {
    use super::*;

    pub(super) fn a_code_signs_in_and_a_sign_in_that_ends_early_changes_nothing(guest: &Guest) {
        let stage = &guest.practice.stage;
        let login = stage.data().join("accounts/work/login/store/.credentials.json");
        let [backend @ .., _, mount] = guest.flags();
        let (source, target) = mount.trim_end_matches(":ro").split_once(':').unwrap();
        configured(guest, &format!("[[mount]]\nsource = '{source}'\ntarget = '{target}'\n"));
        let (person, _) = begins(guest);
        person.signals(Signal::TERM);
        person.waits();
        assert!(!login.exists());
        let (person, code) = begins(guest);
        person.types(&code);
        let (status, seen) = person.waits();
        assert!(status.success() && seen.contains("Account`work`issignedin"), "{seen}");
        let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&login).unwrap()).unwrap();
        let token = |key: &str| kept["claudeAiOauth"][key].as_str().unwrap().to_owned();
        for token in ["accessToken", "refreshToken"].map(token) {
            assert!(token.contains("FAKE") && !seen.contains(&token), "{token}");
            assert_eq!(files_with(&stage.home(), &token), std::slice::from_ref(&login));
        }
        let found = login.metadata().unwrap();
        assert_eq!((found.mode() & 0o777, found.uid()), (0o600, stage.home().metadata().unwrap().uid()));
        assert_eq!(files_with(&guest.runs(), &token("refreshToken")), Vec::<std::path::PathBuf>::new());
        // In a container and without one.
        let hi =
            ["--account", "work", "--network", "agent", "--env", "NODE_EXTRA_CA_CERTS", "--", "-p", "hi"];
        let answers = |flags: &[&str]| {
            let mut command = guest.practice.run(&[flags, &hi].concat());
            command.env_remove("ANTHROPIC_BASE_URL");
            run(&mut command).prints("practice answer: hi\n");
        };
        answers(&backend);
        // There the host's own is shown.
        configured(guest, "");
        answers(&[]);
    }
}

/// What a person has in their config: where the API is, and this.
fn configured(guest: &Guest, more: &str) {
    let stage = &guest.practice.stage;
    let ca = stage.scratch.root().join("ca.pem").display().to_string();
    stage.config(&format!(
        "[env]\npass = ['NODE_EXTRA_CA_CERTS']\n[[mount]]\nsource = '{ca}'\n\
         {more}[upstream]\nca_file = '{ca}'\n[upstream.hosts]\n\
         'api.anthropic.com' = '127.0.0.1:443'\n'platform.claude.com' = '127.0.0.1:443'\n"
    ));
}

/// `coffer login` at a terminal, up to the question for the code; and the code.
fn begins(guest: &Guest) -> (Person, String) {
    let [backend @ .., _, _] = guest.flags();
    let mut login = guest.practice.stage.coffer(["login", "--account", "work"].iter().chain(&backend));
    guest.practice.equip(&mut login);
    let mut person = Person::starts(login);
    person.sees(&["Paste code here if prompted"]);
    let seen = person.squeezed();
    let (_, rest) = seen.split_once("/oauth/authorize?z-").unwrap();
    // Base64url of a SHA-256.
    let code = guest.practice.api.issue_code(LoginSpec::default(), Some(&rest[..43]));
    (person, format!("{code}#practice\r"))
}
