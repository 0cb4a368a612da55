//! The signed-in container: the genuine CLI answers in a container, on a lease and through the gateway, reached by the
//! API's own name; what signs it in is nowhere else, and the login is good afterwards.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use coffer_testkit::engine::Engine;
use coffer_testkit::fake::fingerprint;
use coffer_testkit::{Fault, Gate, LoginSpec, Rule};

use super::genuine::{Guest, on_every_engine};
use crate::support::tree::files_with;
use crate::support::{Ran, run, run_with_input};

on_every_engine!("containers::signed_in": it_answers_and_the_login_is_good_afterwards);

/// How long a container with the CLI may take to ask.
const PATIENCE: Duration = Duration::from_secs(90);

mod scenarios {
    use super::*;

    pub(super) fn it_answers_and_the_login_is_good_afterwards(guest: &Guest) {
        let practice = &guest.practice;
        let login = practice.sign_in_account("work", &LoginSpec::default());
        by_its_name(guest);
        let refresh = login.refresh_token.clone().unwrap();
        for auth in ["lease", "gateway"] {
            let ran = caught_asking(guest, auth, || {
                is_nowhere_else(guest, &[&refresh, &login.access_token]);
            });
            ran.prints("practice answer: hi\n").keeps_secret(&[&refresh, &login.access_token]);
            let seen = practice.messages().pop().unwrap();
            let expected = fingerprint(&login.access_token);
            assert_eq!(seen.credential("authorization"), Some(expected.as_str()), "{auth}: {seen:?}");
            assert!(seen.tls && seen.host.contains("api.anthropic.com"), "{auth}: {seen:?}");
            assert!(practice.token_requests().is_empty(), "nobody had to refresh");
            // Nothing of it outlives the run.
            is_nowhere_else(guest, &[&refresh, &login.access_token]);
            assert_eq!(files_with(&guest.runs(), &login.access_token), Vec::<PathBuf>::new(), "{auth}");
        }
        is_good(guest, &refresh);
    }
}

/// The account's API is the real one, by name; that name leads to the practice API.
fn by_its_name(guest: &Guest) {
    let stage = &guest.practice.stage;
    let record = stage.data().join("accounts/work/account.json");
    let mut account: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    account.as_object_mut().unwrap().remove("base_url");
    std::fs::write(&record, account.to_string()).unwrap();
    let ca = stage.scratch.root().join("ca.pem");
    stage.config(&format!(
        "[upstream]\nca_file = '{}'\n[upstream.hosts]\n'api.anthropic.com' = '127.0.0.1:443'\n",
        ca.display()
    ));
}

/// A run of the account in a container that asks `hi`.
fn asks(guest: &Guest, auth: &str) -> Command {
    let ca = guest.practice.stage.scratch.root().join("ca.pem").display().to_string();
    let flags = ["--account", "work", "--auth", auth, "--network", "agent", "--mount", &ca];
    let words = ["--env", "NODE_EXTRA_CA_CERTS", "--", "-p", "hi"];
    let mut command = guest.run(&[&flags[..], &words].concat());
    command.env_remove("ANTHROPIC_BASE_URL").env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    command
}

/// Looks while the CLI waits for its answer.
fn caught_asking(guest: &Guest, auth: &str, look: impl FnOnce()) -> Ran {
    let (gate, api) = (Gate::new(), &guest.practice.api);
    api.script(Rule::times("/v1/messages", Fault::Hold(gate.clone()), 1));
    let before = guest.practice.messages().len();
    let child = asks(guest, auth).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let asked = api.wait_for(PATIENCE, |all| {
        all.iter().filter(|request| request.path == "/v1/messages").count() > before
    });
    if asked {
        look();
    }
    gate.open();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(asked, "{auth}: it did not ask: {ran}");
    ran
}

/// Neither in what the engine says of its containers and keeps, nor in the environment or on the command line of any
/// process.
fn is_nowhere_else(guest: &Guest, secrets: &[&str]) {
    let engine = &guest.engine;
    let ours = format!("label=cofferdam.runtime={}", guest.runs().parent().unwrap().display());
    let ids = run(engine.command().args(["ps", "--quiet", "--filter", &ours])).text();
    let ids: Vec<&str> = ids.split_whitespace().collect();
    if !ids.is_empty() {
        let inspected = run(engine.command().arg("inspect").args(&ids));
        inspected.ends_with(0).keeps_secret(secrets);
        assert!(inspected.text().contains("/run/coffer/coffer-init"), "{inspected}");
    }
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        for part in ["environ", "cmdline"] {
            let bytes = std::fs::read(process.path().join(part)).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "{part} of {process:?}");
        }
    }
    for secret in secrets {
        assert_eq!(kept_with(engine, secret), "", "{:?}", engine.kind());
    }
    // The same search finds what is there.
    assert_ne!(kept_with(engine, "cofferdam.agent-version"), "", "{:?}", engine.kind());
}

/// Files of the engine's with this text: layers, containers, and what is known of them.
fn kept_with(engine: &Engine, text: &str) -> String {
    let mut search = Command::new("grep");
    search.args(["-rlF", "--devices=skip", "--file=-"]).args(engine.keeps());
    // What goes while it is looked at is no failure, and nothing found is its code 1.
    run_with_input(&mut search, text.as_bytes()).text()
}

/// The server would take the refresh token; a genuine client is given a new one for it, and a container answers with
/// that.
fn is_good(guest: &Guest, refresh: &str) {
    let practice = &guest.practice;
    assert!(practice.api.is_spendable(refresh));
    let mut command = practice.stage.coffer(["refresh", "--account", "work", "--now", "--json"]);
    practice.equip(&mut command);
    assert_eq!(run(&mut command).json()["outcome"], "ok");
    assert_eq!(practice.token_requests().len(), 1);
    run(&mut asks(guest, "lease")).prints("practice answer: hi\n").keeps_secret(&[refresh]);
}
