//! `kill -9` at random instants of a refresh by the genuine client: the keeper, the client, or both. Afterwards the
//! login is good at the server; or the client died with the server's answer on its way, and the account says so.
//! It is never wiped, never half, and the next refresh is not kept waiting.
//!
//! `COFFER_TEST_KILLS` (rounds) and `COFFER_TEST_SEED` make it longer, and repeat it.
#![expect(clippy::disallowed_macros, reason = "the seed and what was measured, for who repeats it")]

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::Duration;

use coffer_testkit::{LoginSpec, netns, require};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::support::practice::{HOSTS, Practice};
use crate::support::{Ran, Stage, run};

/// A refresh takes less.
const SPAN_MS: u64 = 1_600;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Keeper,
    Client,
    Both,
}

#[test]
fn at_random_instants_no_login_is_lost_but_with_the_client_genuine_native() {
    let test = "killings::at_random_instants_no_login_is_lost_but_with_the_client_genuine_native";
    let Some(native) = require::claude_native() else { return };
    if !netns::inside(test, &HOSTS) {
        return;
    }
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let rounds = number("COFFER_TEST_KILLS").unwrap_or(9);
    let seed = number("COFFER_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 2 + 1);
    println!("{rounds} rounds, COFFER_TEST_SEED={seed}");
    let practice = Practice::with_token_server(Stage::new(), &native);
    let mut random = seed;
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for round in 0..rounds {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let victim = [Victim::Keeper, Victim::Client, Victim::Both][usize::try_from(round % 3).unwrap()];
        let what = one(&practice, &format!("k{round}"), victim, random % SPAN_MS);
        *seen.entry(format!("{victim:?}: {what}")).or_default() += 1;
    }
    println!("{seen:#?}");
    assert!(seen.keys().any(|what| what.contains("killed")), "no round was in time: {seen:#?}");
}

/// One round; what was seen, in words.
fn one(practice: &Practice, account: &str, victim: Victim, after_ms: u64) -> &'static str {
    practice.sign_in_account(account, &LoginSpec::expired());
    let mark = practice.token_requests().len();
    let own = practice.stage.data().join("accounts").join(account);
    let mut command = practice.stage.coffer(["refresh", "--account", account]);
    practice.equip(&mut command);
    let mut keeper =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let over = ended_within(&keeper, Duration::from_millis(after_ms));
    let client = client(&own);
    let mut client_died = false;
    if let Some(pid) = client.filter(|_| !over && victim != Victim::Keeper) {
        client_died = kill_process(pid, Signal::KILL).is_ok();
    }
    if !over && victim != Victim::Client {
        keeper.kill().unwrap();
    }
    keeper.wait().unwrap();
    let rotated = practice.token_requests().iter().skip(mark).any(|request| request.worked);
    let context = format!("{victim:?} of {account} after {after_ms} ms, client {client:?}");
    is_whole(practice, account, &context);
    let last = refresh(practice, account);
    let token = is_whole(practice, account, &context);
    match last.code {
        Some(0) => {
            assert!(practice.api.rotate(&token).is_some(), "{context}: the refresh token is dead\n{last}");
            assert!(!own.join("journal.json").exists(), "{context}");
            match (over, client.is_some()) {
                (true, _) => "was over before",
                (false, true) => "killed with the client running, good",
                (false, false) => "killed before or after the client, good",
            }
        }
        Some(3) => {
            assert!(client_died, "{context}: lost\n{last}");
            // The server had done its work when the client died, and the client had not saved it: nobody can help.
            assert!(rotated, "{context}: lost before the server was asked\n{last}");
            assert!(practice.api.rotate(&token).is_none(), "{context}: said to be lost, and is not");
            "killed with the answer on its way, lost, and the account says so"
        }
        code => panic!("{context}: {code:?}\n{last}"),
    }
}

fn refresh(practice: &Practice, account: &str) -> Ran {
    let mut command = practice.stage.coffer(["refresh", "--json", "--now", "--account", account]);
    practice.equip(&mut command);
    run(command)
}

/// The login in the file reads, and has a refresh token, which is returned.
fn is_whole(practice: &Practice, account: &str, context: &str) -> String {
    let text = std::fs::read_to_string(practice.stage.home().join(practice.login_of(account))).unwrap();
    let login: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{context}: {error}"));
    let token = login["claudeAiOauth"]["refreshToken"].as_str().unwrap().to_owned();
    assert!(!token.is_empty(), "{context}: wiped");
    token
}

/// The client that the journal names.
fn client(own: &std::path::Path) -> Option<Pid> {
    let text = std::fs::read_to_string(own.join("journal.json")).ok()?;
    let journal: serde_json::Value = serde_json::from_str(&text).unwrap();
    Pid::from_raw(i32::try_from(journal["child"]["pid"].as_i64()?).unwrap())
}

fn ended_within(child: &Child, limit: Duration) -> bool {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let end = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    let limit = Timespec::try_from(limit).unwrap();
    poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&limit)).unwrap() > 0
}
