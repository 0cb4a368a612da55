//! What ends with a run, what outlives it, and runs beside each other.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

use coffer_testkit::{FakeApi, LoginSpec};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::practice::LOGIN;
use crate::support::tree::files_with;
use crate::support::{Stage, run, sandboxes};

/// A run that has said `up`; it goes on until its stdin ends.
struct Up {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Up {
    fn starts(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut up = Self { lines: BufReader::new(child.stdout.take().unwrap()), child };
        assert_eq!(up.says(), "up\n");
        up
    }

    fn says(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    fn gets(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn ends(&mut self) -> std::process::ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().unwrap()
    }
}

fn waiting(stage: &Stage, script: &str) -> Command {
    stage.run(["--", "sh", "-c", &format!("echo up; {script}")])
}

#[test]
fn signals_are_the_agents() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let mut up = Up::starts(waiting(&stage, "exec cat"));
        up.gets(signal);
        // Before its stdin ends, its stdout does.
        assert_eq!(up.says(), "");
        assert_eq!(up.ends().code(), Some(code), "{signal:?}");
    }
    let script = "trap 'echo got it; exit 5' TERM; echo up; while read line; do :; done";
    let mut up = Up::starts(stage.run(["--", "sh", "-c", script]));
    up.gets(Signal::TERM);
    assert_eq!(up.says(), "got it\n");
    assert_eq!(up.ends().code(), Some(5));
}

#[test]
fn a_killed_coffer_takes_the_agent_with_it_and_the_next_run_its_lease() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let api = FakeApi::builder().start().unwrap();
    let login = api.issue_login(&LoginSpec::default());
    stage.scratch.write_home(LOGIN, &login.credentials_json()).unwrap();
    let mut up = Up::starts(waiting(&stage, "exec cat"));
    let leases = || files_with(&stage.scratch.runtime(), &login.access_token);
    assert_eq!(leases().len(), 1);
    // Beside a run that lives, another one sweeps nothing.
    run(stage.run(["--", "true"])).ends_with(0);
    assert_eq!(leases().len(), 1);
    up.gets(Signal::KILL);
    // The agent holds the other end of this pipe: its end is the agent's.
    assert_eq!(up.says(), "");
    assert_eq!(up.child.wait().unwrap().signal(), Some(9));
    run(stage.run(["--auth", "none", "--", "true"])).ends_with(0);
    assert!(leases().is_empty(), "{:?}", leases());
}

#[test]
fn what_the_agent_left_running_ends_with_the_run() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let script = "(trap '' HUP TERM; echo child; exec cat /dev/zero > /dev/null) & read line; exit 3";
    let mut up = Up::starts(waiting(&stage, script));
    assert_eq!(up.says(), "child\n");
    let status = up.ends();
    assert_eq!(status.code(), Some(3));
    // It held this pipe, too.
    assert_eq!(up.says(), "");
}

#[test]
fn runs_beside_each_other_share_project_and_state_and_nothing_else() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let script = "echo mine > /tmp/mine; echo shared > ~/.claude/shared; echo up; read line; exit 0";
    let mut first = Up::starts(stage.run(["--", "sh", "-c", script]));
    let mut command =
        stage.run(["--", "sh", "-c", "cat /tmp/mine 2>&1 > /dev/null | wc -l; cat ~/.claude/shared -"]);
    let mut other = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    other.stdin.take().unwrap().write_all(b"beside\n").unwrap();
    assert_eq!(other.wait_with_output().unwrap().stdout, b"1\nshared\nbeside\n");
    assert!(first.ends().success());
    stage.inside(&[], "cat ~/.claude/shared; test ! -e /tmp/mine").prints("shared\n");
}

#[test]
fn each_mode_of_state_lasts_as_long_as_it_says() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let second = stage.home().join("work/second");
    std::fs::create_dir(&second).unwrap();
    let look = |mode: &str, elsewhere: bool, script: &str| {
        let mut command = stage.run(["--state", mode, "--", "sh", "-c", script]);
        if elsewhere {
            command.current_dir(&second);
        }
        run(command).ends_with(0).text()
    };
    let (write, read) = ("echo $PWD > ~/.claude/mark", "cat ~/.claude/mark 2>/dev/null || echo none");
    look("project", false, write);
    assert!(look("project", false, read).ends_with("/project\n"));
    assert_eq!(look("project", true, read), "none\n");
    assert_eq!(look("shared", false, read), "none\n");
    look("shared", false, write);
    assert!(look("shared", true, read).ends_with("/project\n"));
    look("fresh", false, write);
    assert_eq!(look("fresh", false, read), "none\n");
    assert!(look("project", false, read).ends_with("/project\n"));
    // Nothing of any of them is the host's own.
    assert!(!stage.home().join(".claude/mark").exists());
}

#[test]
fn the_users_configuration_is_there_and_stays_theirs() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let claude = stage.home().join(".claude");
    std::fs::create_dir_all(claude.join("commands")).unwrap();
    std::fs::create_dir_all(claude.join("projects/old")).unwrap();
    for (file, text) in [
        ("CLAUDE.md", "be brief"),
        ("commands/own.md", "own"),
        ("history.jsonl", "CANARY"),
        ("projects/old/a.jsonl", "CANARY"),
    ] {
        std::fs::write(claude.join(file), text).unwrap();
    }
    let settings = r#"{"model":"mine","env":{"MY_TOKEN":"CANARY"},"apiKeyHelper":"CANARY"}"#;
    std::fs::write(claude.join("settings.json"), settings).unwrap();
    stage.scratch.write_home(
        ".claude.json",
        r#"{"mcpServers":{"one":{"command":"x","env":{"API_TOKEN":"CANARY"}}},"oauthAccount":{"accountUuid":"CANARY"},"projects":{"/x":{"history":["CANARY"]}}}"#,
    ).unwrap();
    let ran = stage.inside(
        &[],
        "cd ~/.claude; cat CLAUDE.md commands/own.md settings.json; for file in CLAUDE.md commands/own.md settings.json; do \
         echo x 2>/dev/null >> $file; rm -f $file 2>/dev/null; done; echo new 2>/dev/null > commands/new.md; \
         grep -rl CANARY \"$HOME\" /run; cat .claude.json",
    );
    ran.keeps_secret(&["CANARY"]);
    assert!(ran.text().starts_with("be briefown{") && ran.text().contains("\"mine\""), "{ran}");
    assert!(ran.text().contains("\"one\""), "the server's name crosses: {ran}");
    assert_eq!(std::fs::read_to_string(claude.join("settings.json")).unwrap(), settings);
    assert_eq!(std::fs::read_to_string(claude.join("CLAUDE.md")).unwrap(), "be brief");
    assert!(claude.join("commands/own.md").exists() && !claude.join("commands/new.md").exists());
}

#[test]
fn a_home_and_a_project_behind_links_work() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let link = stage.scratch.root().join("link");
    std::os::unix::fs::symlink(stage.home(), &link).unwrap();
    let mut command = stage.run(["--", "sh", "-c", "pwd; echo x > made; cd ~ && pwd -P"]);
    let ran = run(command.env("HOME", &link).current_dir(link.join("work/project")));
    ran.ends_with(0);
    assert!(stage.project().join("made").exists(), "{ran}");
    stage.scratch.write_home(".ssh/id", "CANARY").unwrap();
    let mount = format!("{}:/x", link.join(".ssh").display());
    let mut command = stage.run(["--mount", &mount, "--", "true"]);
    run(command.env("HOME", &link)).refuses(125, "secret-path", ".ssh", "");
}

#[test]
fn a_wait_for_somebody_elses_refresh_can_be_ended() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let api = FakeApi::builder().start().unwrap();
    let login = api.issue_login(&LoginSpec { expires_in: 60, ..LoginSpec::default() });
    stage.scratch.write_home(LOGIN, &login.credentials_json()).unwrap();
    let path = stage.data().join("accounts/host/lock");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lock = std::fs::File::create(&path).unwrap();
    lock.lock().unwrap();
    let inode = std::os::unix::fs::MetadataExt::ino(&lock.metadata().unwrap());
    let mut child = stage.run(["--", "true"]).stdin(Stdio::null()).spawn().unwrap();
    let waits = |line: &str| line.contains("->") && line.contains(&format!(":{inode} "));
    while !std::fs::read_to_string("/proc/locks").unwrap().lines().any(waits) {
        assert!(child.try_wait().unwrap().is_none(), "it waits for the account's lock");
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    // The positive control: once the other one is done, the run goes on.
    drop(lock);
    run(stage.run(["--", "true"])).ends_with(0);
}
