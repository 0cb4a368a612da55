//! Many containers on one account whose token is about to end: one refresh, by the genuine client outside, and nobody
//! loses anything.

use std::process::{Child, Stdio};
use std::time::Duration;

use coffer_testkit::{Fault, LoginSpec, Rule};
use serde_json::Value;

use super::genuine::{Guest, on_every_engine_native};
use crate::renewals::due::an_accounts_token_at_slow_starts;
use crate::support::Ran;

on_every_engine_native!(
    "containers::race": twenty_at_once_refresh_once,
    a_token_falls_due_while_two_work,
);

/// How many containers start at once.
const CONTAINERS: usize = 20;
/// How long the token server takes, so that whoever does not wait for the others meets them.
const ANSWER: Duration = Duration::from_millis(200);

mod scenarios {
    use super::*;

    pub(super) fn twenty_at_once_refresh_once(guest: &Guest) {
        let practice = &guest.practice;
        // Less is left than a run needs to begin with.
        let login = practice.sign_in_account("work", &LoginSpec { expires_in: 30, ..LoginSpec::default() });
        practice.api.script(Rule::times("/v1/oauth/token", Fault::Slow(ANSWER), u32::MAX));
        let script = "cat \"$CLAUDE_SECURESTORAGE_CONFIG_DIR/.credentials.json\"";
        let flags = ["--account", "work", "--auth", "lease", "--network", "none", "--", "sh", "-c", script];
        let mut commands: Vec<_> = (0..CONTAINERS).map(|_| guest.run(&flags)).collect();
        let spawn = |command: &mut std::process::Command| {
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children: Vec<Child> = commands.iter_mut().map(spawn).collect();
        let ended: Vec<Ran> =
            children.into_iter().map(|child| Ran::from(child.wait_with_output().unwrap())).collect();
        let file = practice.stage.home().join(practice.login_of("work"));
        let file: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let [access, refresh] =
            ["accessToken", "refreshToken"].map(|name| file["claudeAiOauth"][name].as_str().unwrap());
        assert_ne!(access, login.access_token);
        for ran in &ended {
            ran.ends_with(0).keeps_secret(&[refresh, login.refresh_token.as_ref().unwrap()]);
            assert!(ran.text().contains(access), "it has the new token: {ran}");
        }
        assert_eq!(practice.token_requests().len(), 1, "one of them asked");
        assert!(practice.api.is_spendable(refresh), "and the login is good");
    }

    /// Two sessions of the genuine CLI, each in a container of its own.
    pub(super) fn a_token_falls_due_while_two_work(guest: &Guest) {
        an_accounts_token_at_slow_starts(&guest.practice, &guest.flags());
    }
}
