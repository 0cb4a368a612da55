//! The race over `--auth shared`: several genuine CLIs at once on one login that has ended. With its locks
//! shared no refresh token is spent twice, and nobody is logged out. (Measured: a CLI that waited too long for
//! the lock is answered 401 and refreshes a second time, with the new token; with the keeper's leases there is
//! one refresh.)

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{FakeApi, IssuedLogin, LoginSpec, netns, require};

use crate::support::practice::{HOSTS, LOGIN, Practice};
use crate::support::{Ran, Stage, run, sandboxes};

/// How many sandboxes start at once.
const SANDBOXES: usize = 4;
/// How often.
const ROUNDS: usize = 2;

/// A stage whose token server is the practice API, too.
fn practice(claude: &Path) -> (Practice, PathBuf) {
    let stage = Stage::new();
    let ca = stage.home().join("ca.pem");
    let api = FakeApi::builder().tls(SocketAddr::from(([127, 0, 0, 1], 443))).ca_out(&ca);
    (Practice::with(stage, claude, api.start().unwrap()), ca)
}

fn sandbox(practice: &Practice, ca: &Path, flags: &[&str]) -> Command {
    let mount = ca.display().to_string();
    // The names of this network lead to loopback, where a gateway lets nobody.
    let passed = [
        "--network",
        "full",
        "--mount",
        &mount,
        "--env",
        "NODE_EXTRA_CA_CERTS",
        "--env",
        "ANTHROPIC_BASE_URL",
        "--auth",
        "shared",
    ];
    let words: Vec<&str> =
        passed.into_iter().chain(flags.iter().copied()).chain(["--", "-p", "hi"]).collect();
    let mut command = practice.run(&words);
    command.env("NODE_EXTRA_CA_CERTS", ca);
    command
}

/// All of them answer, the login is good afterwards, and no token was spent twice or refused.
fn race(practice: &Practice, commands: Vec<Command>, file: &Path, login: &IssuedLogin) {
    let before = practice.token_requests().len();
    let answers: Vec<Ran> = std::thread::scope(|scope| {
        let running: Vec<_> =
            commands.into_iter().map(|mut one| scope.spawn(move || run(&mut one))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for answer in &answers {
        answer.prints("practice answer: hi\n");
    }
    let requests = practice.token_requests().split_off(before);
    let spent: BTreeSet<_> = requests.iter().map(|one| one.credential("body:refresh_token")).collect();
    let first = fingerprint(login.refresh_token.as_deref().unwrap());
    assert!(spent.contains(&Some(first.as_str())) && spent.len() == requests.len(), "{requests:#?}");
    assert!(requests.iter().all(|one| one.status == Some(200)), "{requests:#?}");
    let stored = fs::read_to_string(file).unwrap();
    let old = login.refresh_token.as_deref().unwrap();
    assert!(stored.contains("sk-ant-ort01-") && !stored.contains(old), "the new login is stored");
}

fn write(file: &Path, login: &IssuedLogin) {
    fs::write(file, login.credentials_json()).unwrap();
    fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
}

#[test]
fn genuine_sandboxes_on_one_account_lose_nothing() {
    let Some(claude) = require::claude_native() else { return };
    let test = "signed_in::shared::genuine_sandboxes_on_one_account_lose_nothing";
    if !sandboxes() || !netns::inside(test, &HOSTS) {
        return;
    }
    let (practice, ca) = practice(&claude);
    let account = practice.stage.data().join("accounts/work");
    let store = account.join("login/store");
    fs::create_dir_all(&store).unwrap();
    let record = r#"{"schema":1,"name":"work","agent":"claude","kind":"subscription","created_at_ms":0}"#;
    fs::write(account.join("account.json"), record).unwrap();
    for private in [store.parent().unwrap(), &store] {
        fs::set_permissions(private, PermissionsExt::from_mode(0o700)).unwrap();
    }
    for _ in 0..ROUNDS {
        let login = practice.api.issue_login(&LoginSpec::expired());
        let file = store.join(".credentials.json");
        write(&file, &login);
        let one = || sandbox(&practice, &ca, &["--account", "work"]);
        race(&practice, (0..SANDBOXES).map(|_| one()).collect(), &file, &login);
    }
}

#[test]
fn genuine_sandboxes_and_the_host_itself_lose_nothing() {
    let Some(claude) = require::claude_native() else { return };
    let test = "signed_in::shared::genuine_sandboxes_and_the_host_itself_lose_nothing";
    if !sandboxes() || !netns::inside(test, &HOSTS) {
        return;
    }
    let (practice, ca) = practice(&claude);
    let file = practice.stage.home().join(LOGIN);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    for _ in 0..ROUNDS {
        let login = practice.api.issue_login(&LoginSpec::expired());
        write(&file, &login);
        let mut commands: Vec<Command> =
            (1..SANDBOXES).map(|_| sandbox(&practice, &ca, &["--allow-host-login"])).collect();
        let mut outside = practice.stage.command(&claude);
        practice.equip(&mut outside);
        outside.args(["-p", "hi"]).env("NODE_EXTRA_CA_CERTS", &ca);
        commands.push(outside);
        race(&practice, commands, &file, &login);
    }
}
