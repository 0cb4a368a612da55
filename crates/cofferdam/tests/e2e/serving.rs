//! `coffer serve` with the genuine client: all accounts are kept, new ones too, and an end waits for a refresh.

use std::io::Read as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};

use coffer_account::watch::LoginWatch;
use coffer_testkit::{Fault, Gate, LoginSpec, Rule, netns, require};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::practice::{HOSTS, Practice};
use crate::support::record::Record;
use crate::support::{Stage, run};

fn with(test: &str, scenario: impl Fn(&Practice)) {
    let Some(native) = require::claude_native() else { return };
    if netns::inside(test, &HOSTS) {
        scenario(&Practice::with_token_server(Stage::new(), &native));
    }
}

fn serve(practice: &Practice) -> (Command, UnixDatagram) {
    let socket = practice.stage.scratch.root().join("notify");
    let listener = UnixDatagram::bind(&socket).unwrap();
    let mut command = practice.stage.coffer(["serve"]);
    practice.equip(&mut command);
    command.env("NOTIFY_SOCKET", &socket).stdin(Stdio::null()).stdout(Stdio::null());
    (command, listener)
}

/// Reads until systemd would have read this word.
fn hears(listener: &UnixDatagram, word: &str) -> String {
    let mut heard = String::new();
    let mut buffer = [0; 4096];
    while !heard.contains(word) {
        let length = listener.recv(&mut buffer).unwrap();
        heard.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        heard.push('\n');
    }
    heard
}

fn end(server: &Child) {
    let pid = Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
}

#[track_caller]
fn is_good(practice: &Practice, account: &str) {
    let text = std::fs::read_to_string(practice.stage.home().join(practice.login_of(account))).unwrap();
    let login: serde_json::Value = serde_json::from_str(&text).unwrap();
    let token = login["claudeAiOauth"]["refreshToken"].as_str().unwrap();
    assert!(practice.api.rotate(token).is_some(), "{account}");
}

#[test]
fn all_accounts_are_kept_and_new_ones_too_genuine_native() {
    with("serving::all_accounts_are_kept_and_new_ones_too_genuine_native", |practice| {
        practice.sign_in(&LoginSpec { expires_in: 100, ..LoginSpec::default() });
        practice.sign_in_account("dev", &LoginSpec { expires_in: 600, ..LoginSpec::default() });
        practice.sign_in_account("fresh", &LoginSpec::default());
        let (mut command, listener) = serve(practice);
        let mut server = command.stderr(Stdio::null()).spawn().unwrap();
        let heard = hears(&listener, "READY=1");
        assert!(heard.contains("STATUS=keeps 3 of 3 accounts; next: "), "{heard}");
        assert_eq!(practice.token_requests().len(), 2, "what is fresh is left alone");
        let mut record = Record::of(&practice.stage);
        practice.sign_in_account("later", &LoginSpec::expired());
        let ended = record.waits_for("refresh_ended", 3);
        assert_eq!(ended[2]["account"], "later");
        let mut other = practice.stage.coffer(["serve"]);
        practice.equip(&mut other);
        run(other).refuses(1, "served-already", "kept already", "one is enough");
        end(&server);
        assert!(server.wait().unwrap().success());
        hears(&listener, "STOPPING=1");
        assert_eq!(practice.token_requests().len(), 3);
        for account in ["host", "dev", "fresh", "later"] {
            is_good(practice, account);
        }
    });
}

#[test]
fn what_cannot_be_renewed_any_more_is_said_once_genuine_native() {
    with("serving::what_cannot_be_renewed_any_more_is_said_once_genuine_native", |practice| {
        let ended = LoginSpec { expires_in: -60, login_ends_in: Some(-10), ..LoginSpec::default() };
        practice.sign_in_account("ended", &ended);
        let revoked = practice.sign_in_account("revoked", &LoginSpec::expired());
        practice.api.revoke(&revoked.access_token);
        let (mut command, listener) = serve(practice);
        let mut server = command.stderr(Stdio::piped()).spawn().unwrap();
        hears(&listener, "READY=1");
        let mut record = Record::of(&practice.stage);
        // Each new account is a reason to look at all of them again.
        for (count, account) in ["one", "two"].into_iter().enumerate() {
            let before = record.events("refresh_ended").len();
            practice.sign_in_account(account, &LoginSpec::expired());
            record.waits_for("refresh_ended", before + 1);
            is_good(practice, account);
            assert_eq!(practice.token_requests().len(), count + 2, "what is over is not asked for again");
        }
        end(&server);
        let heard = hears(&listener, "STOPPING=1");
        assert!(heard.matches("STATUS=").count() < 20, "{heard}");
        let mut said = String::new();
        server.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(server.wait().unwrap().success());
        for account in ["ended", "revoked"] {
            let line = format!("`{account}` will not be refreshed any more");
            assert_eq!(said.matches(&line).count(), 1, "{said}");
        }
    });
}

#[test]
fn an_end_waits_for_a_refresh_genuine_native() {
    with("serving::an_end_waits_for_a_refresh_genuine_native", |practice| {
        practice.sign_in_account("dev", &LoginSpec::expired());
        let gate = Gate::new();
        practice.api.script(Rule::times("/v1/oauth/token", Fault::HoldAfterWork(gate.clone()), 1));
        let (mut command, _listener) = serve(practice);
        let own = practice.stage.data().join("accounts/dev");
        let journal = camino::Utf8PathBuf::from_path_buf(own.join("journal.json")).unwrap();
        let mut watch = LoginWatch::new(&journal).unwrap();
        let mut server = command.stderr(Stdio::null()).spawn().unwrap();
        // Until the client runs.
        while !std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"pid\"")) {
            let patience = Timespec { tv_sec: 30, tv_nsec: 0 };
            assert!(poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&patience)).unwrap() > 0);
            watch.changed().unwrap();
        }
        end(&server);
        assert!(server.try_wait().unwrap().is_none());
        gate.open();
        assert!(server.wait().unwrap().success());
        assert!(!journal.exists(), "nothing was left to others");
        assert_eq!(practice.token_requests().len(), 1);
        is_good(practice, "dev");
    });
}

#[test]
fn the_unit_names_this_program_and_waits_long_enough() {
    let stage = Stage::new();
    let ran = run(stage.coffer(["serve", "--unit"]));
    ran.ends_with(0);
    let unit = ran.text();
    let start = format!("ExecStart=\"{}\" serve\n", stage.program().canonicalize().unwrap().display());
    assert!(unit.contains(&start), "{unit}");
    for line in ["Type=notify\n", "KillMode=mixed\n", "TimeoutStopSec=240\n", "WantedBy=default.target\n"] {
        assert!(unit.contains(line), "{unit}");
    }
}
