//! `coffer keeper` and `coffer enter` without an engine: who ends with whom, and what outlives a restart.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Stdio};
use std::time::Duration;

use coffer_testkit::{FakeApi, netns};
use rustix::process::{Pid, Signal, kill_process};

use crate::alone::{account_with_key, post};
use crate::support::{Stage, run};

/// Only a test that hangs ever gets there.
const PATIENCE: Duration = Duration::from_secs(60);

/// A keeper at work, and what it says.
struct Keeper {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Keeper {
    fn starts(stage: &Stage, services: &[&str]) -> Self {
        let mut command = stage.coffer(["keeper", "--doors"]);
        command.arg(doors(stage)).args(services.iter().map(|service| format!("--service={service}")));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// The next line with these words.
    fn says(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.said.read_line(&mut line).unwrap(), 0, "it ended without {words:?}");
            if line.contains(words) {
                return line;
            }
        }
    }

    /// One of its two.
    fn member(&self, name: &str) -> Pid {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let is_it = |pid: &&str| {
            let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
            words.split('\0').nth(1) == Some(name)
        };
        let pid = children.split_whitespace().find(is_it).unwrap();
        Pid::from_raw(pid.parse().unwrap()).unwrap()
    }

    fn signals(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap(), signal).unwrap();
    }

    /// Its end: the code, and the rest of what it said.
    fn ends(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

fn doors(stage: &Stage) -> PathBuf {
    stage.scratch.root().join("doors")
}

/// The door of a service, made as an engine makes it.
fn door(stage: &Stage, service: &str) -> PathBuf {
    let door = doors(stage).join(service);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&door).unwrap();
    door
}

/// The word behind a door.
fn word(door: &Path) -> String {
    let text = std::fs::read_to_string(door.join("environment")).unwrap();
    let at = text.find("coffer-token-").unwrap();
    text[at..at + "coffer-token-".len() + 64].to_owned()
}

/// The answer to a request with this word by the port of the loopback.
fn asks(word: &str) -> String {
    let mut stream = TcpStream::connect("127.0.0.1:8377").unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(post(word).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_service_goes_on_when_its_keeper_is_started_again() {
    let test = "stacks::keeper::a_service_goes_on_when_its_keeper_is_started_again";
    if !netns::inside(test, &[]) {
        return;
    }
    let stage = Stage::new();
    let (api, one) = (FakeApi::builder().start().unwrap(), door(&stage, "one"));
    let key = api.add_api_key();
    let mut keeper = Keeper::starts(&stage, &["one=work"]);
    let waits = keeper.says("`one` waits for the account `work`");
    assert!(!one.join("environment").exists(), "{waits}");
    // A command waits for the account, and starts when it is there.
    let mut enter = stage.coffer(["enter", "--door"]);
    enter.arg(&one).args(["--", "sh", "-c", "echo $ANTHROPIC_BASE_URL; cat; exit 5"]);
    let mut service =
        enter.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(service.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert!(line.contains("waits for the keeper"), "{line}");
    account_with_key(&stage, "work", &key, &api.base_url());
    keeper.says("`one` uses the account `work` as `tk-");
    let mut heard = BufReader::new(service.stdout.take().unwrap());
    line.clear();
    heard.read_line(&mut line).unwrap();
    assert_eq!(line, "http://127.0.0.1:8377\n");
    let word = word(&one);
    assert!(asks(&word).starts_with("HTTP/1.1 200 "), "{}", asks(&word));
    let check = |words: &[&str]| {
        run(stage.coffer(["keeper", "--check", "--doors"].iter().chain(words)).arg(doors(&stage)))
    };
    check(&[]).ends_with(0);
    // It ends with the first of its two, and the other one with it.
    kill_process(keeper.member("gateway"), Signal::KILL).unwrap();
    let (code, said) = keeper.ends();
    assert!(
        code == Some(1) && said.contains("error[keeper-lost]: `coffer gateway` ended"),
        "{code:?}: {said}"
    );
    check(&[]).refuses(1, "gateway-silent", "does not answer", "docker-compose logs keeper");
    // Who asks meanwhile waits for the next one, and what lies behind the door stays good.
    let answer = std::thread::scope(|scope| {
        let asking = scope.spawn(|| asks(&word));
        let mut keeper = Keeper::starts(&stage, &["one=work"]);
        keeper.says("`one` uses the account");
        let answer = asking.join().unwrap();
        keeper.signals(Signal::TERM);
        let (code, said) = keeper.ends();
        assert_eq!(code, Some(0), "{said}");
        answer
    });
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(service.stdin.take());
    assert_eq!(service.wait().unwrap().code(), Some(5));
}

#[test]
fn what_stands_for_an_account_is_behind_its_own_door_alone_and_follows_the_name() {
    let test = "stacks::keeper::what_stands_for_an_account_is_behind_its_own_door_alone_and_follows_the_name";
    if !netns::inside(test, &[]) {
        return;
    }
    let stage = Stage::new();
    let api = FakeApi::builder().start().unwrap();
    let (one, two) = (door(&stage, "one"), door(&stage, "two"));
    let key = api.add_api_key();
    account_with_key(&stage, "work", &key, &api.base_url());
    let mut keeper = Keeper::starts(&stage, &["one=work", "two=other"]);
    let first = keeper.says("`one` uses the account `work` as `tk-");
    keeper.says("`two` waits for the account `other`");
    assert!(!two.join("environment").exists());
    let word = word(&one);
    for folder in [stage.home(), stage.project()] {
        let found = run(std::process::Command::new("grep").args(["-rlF", "--", &word]).arg(folder));
        assert_eq!(found.text(), "", "it lies behind the door, and nowhere else");
    }
    // Another account has got the name: whoever made these files trusted the service with that name.
    run(stage.coffer(["account", "remove", "work", "--yes"])).ends_with(0);
    let other_key = api.add_api_key();
    account_with_key(&stage, "work", &other_key, &api.base_url());
    let second = loop {
        let line = keeper.says("`one` uses the account `work` as `tk-");
        if line != first {
            break line;
        }
    };
    assert_ne!(first, second);
    assert_eq!(self::word(&one), word, "a command that is at work goes on with what it has");
    // A second keeper of the same logins is refused, and takes nothing with it.
    let beside = run(stage.coffer(["keeper", "--service=one=work", "--doors"]).arg(doors(&stage)));
    assert!(beside.code == Some(1) && beside.stderr.contains("error["), "{beside}");
    let mut enter = stage.coffer(["enter", "--check", "--door"]);
    run(enter.arg(&one)).ends_with(0);
    keeper.signals(Signal::TERM);
    assert_eq!(keeper.ends().0, Some(0));
    run(enter.arg(&one)).refuses(1, "gateway-silent", "does not answer", "docker-compose ps");
}
