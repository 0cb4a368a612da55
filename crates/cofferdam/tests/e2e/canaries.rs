//! A canary in every account: no command says it, nothing that is written holds it, and no core dump does.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use coffer_testkit::require;
use rustix::process::{Pid, Signal, kill_process};

use crate::accounts::{agent, path};
use crate::support::tree::files_with;
use crate::support::{Ran, Stage, run, run_with_input, sandboxes};

/// What no output and no file of ours may hold; each canary goes on with a word of its own.
const CANARY: &str = "FAKE-canary-of";

/// A login file, good for years.
fn login(word: &str) -> String {
    format!(
        r#"{{"claudeAiOauth":{{"accessToken":"sk-ant-oat01-{CANARY}-{word}","refreshToken":"sk-ant-ort01-{CANARY}-{word}",
        "expiresAt":9999999999999,"scopes":["user:inference"],"subscriptionType":"max"}},
        "mcpOAuth":{{"x":{{"refreshToken":"{CANARY}-mcp"}}}}}}"#
    )
}

/// A stage with an account of each kind, each with a canary, and a key in the settings and in the environment.
struct Cages {
    stage: Stage,
    /// Where canaries are by the user's own doing, or in the open because the agent has to read them.
    expected: Vec<PathBuf>,
}

impl Cages {
    fn new() -> Self {
        let stage = Stage::new();
        agent(&stage);
        let home = stage.home();
        let settings = format!(r#"{{"env":{{"ANTHROPIC_AUTH_TOKEN":"sk-ant-{CANARY}-settings"}}}}"#);
        let helper = format!("#!/bin/sh\necho sk-ant-api03-{CANARY}-helper\n");
        let own = [
            stage.scratch.write_home(".claude/.credentials.json", &login("host")).unwrap(),
            stage.scratch.write_home(".claude/settings.json", &settings).unwrap(),
            stage.scratch.write_home("elsewhere/login.json", &login("work")).unwrap(),
            stage.scratch.write_home("bin/get-key", &helper).unwrap(),
        ];
        fs::set_permissions(&own[3], std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let from = own[2].to_str().unwrap();
        run(stage.coffer(["account", "import", "work", from])).ends_with(0).keeps_secret(&[CANARY]);
        for kind in ["setup-token", "api-key", "auth-token"] {
            let secret = format!("sk-ant-{CANARY}-{kind}\n");
            let added = run_with_input(
                &mut stage.coffer(["account", "add", kind, "--kind", kind]),
                secret.as_bytes(),
            );
            added.ends_with(0).keeps_secret(&[CANARY]);
        }
        let helper = home.join("bin/get-key");
        let words = ["account", "add", "helper", "--kind", "helper", "--helper", helper.to_str().unwrap()];
        run(stage.coffer(words)).ends_with(0).keeps_secret(&[CANARY]);
        let in_place = stage.data().join("accounts/work/login/store/.credentials.json");
        let mut expected: Vec<PathBuf> = own.into_iter().chain([in_place]).collect();
        expected.sort();
        Self { stage, expected }
    }

    fn coffer(&self, words: &[&str]) -> Command {
        let mut command = self.stage.coffer(words);
        command.env("PATH", path(&self.stage)).env("ANTHROPIC_API_KEY", format!("sk-ant-{CANARY}-env"));
        command
    }

    /// Whatever came of it: no canary was said.
    fn says_nothing(&self, words: &[&str]) -> Ran {
        let ran = run(self.coffer(words));
        ran.keeps_secret(&[CANARY, "panicked"]);
        assert!(ran.code.is_some(), "{words:?}: {ran}");
        ran
    }

    /// The canaries are where they have to be, and nowhere else.
    #[track_caller]
    fn nothing_got_out(&self, after: &str) {
        let mut found = files_with(self.stage.scratch.root(), CANARY);
        found.sort();
        assert_eq!(found, self.expected, "{after}");
    }
}

/// What a person types about accounts; `NAME` stands for each of them.
const EACH: &[&str] = &[
    "account show NAME",
    "status --account NAME",
    "refresh --account NAME",
    "refresh --account NAME --if-expiring 30m",
    "backup create --account NAME",
    "backup list --account NAME",
    "backup verify --account NAME",
    "backup restore 0 --account NAME",
    "backup prune --account NAME --keep 1",
    "plan --account NAME",
    "plan --account NAME --auth shared",
    "why env ANTHROPIC_API_KEY --account NAME",
    "account use NAME --here",
    "ledger show --account NAME",
];

/// And about all of them.
const ALL: &[&str] =
    &["account list", "status", "doctor", "ledger show", "ledger verify", "plan", "trust --yes"];

#[test]
fn no_command_says_or_writes_a_byte_of_what_an_account_holds() {
    let cages = Cages::new();
    cages.nothing_got_out("adding and importing");
    for name in ["host", "work", "setup-token", "api-key", "auth-token", "helper", "nobody"] {
        for line in EACH {
            let words: Vec<&str> =
                line.split(' ').map(|word| if word == "NAME" { name } else { word }).collect();
            cages.says_nothing(&words);
            cages.says_nothing(&[&words[..], &["--json"]].concat());
            cages.says_nothing(&[&["-v"], &words[..]].concat());
        }
        for form in ["text", "json", "command"] {
            let form = format!("--dry-run={form}");
            cages.says_nothing(&["run", "--account", name, &form, "-v"]);
        }
        if sandboxes() {
            cages.says_nothing(&["run", "--account", name, "--yes", "-v", "--", "true"]);
        }
    }
    for line in ALL {
        let words: Vec<&str> = line.split(' ').collect();
        cages.says_nothing(&words);
        cages.says_nothing(&[&words[..], &["--json"]].concat());
    }
    let sealed = cages.stage.home().join("all.age");
    let words = ["backup", "create", "--account", "work", "--state", "--to", sealed.to_str().unwrap()];
    cages.says_nothing(&words).ends_with(0);
    cages.says_nothing(&["backup", "verify", sealed.to_str().unwrap()]).ends_with(0);
    cages.says_nothing(&["account", "rename", "api-key", "key"]).ends_with(0);
    cages.says_nothing(&["account", "remove", "key", "--yes"]).ends_with(0);
    cages.nothing_got_out("every command");
    if sandboxes() {
        // The positive control: what is sealed is there, and reaches the one run that it is for.
        let script = "printenv ANTHROPIC_AUTH_TOKEN";
        let words = ["run", "--account", "auth-token", "--audit", "never", "--yes", "--", "sh", "-c", script];
        let inside = run(&mut cages.coffer(&words));
        assert_eq!(inside.ends_with(0).text().trim(), format!("sk-ant-{CANARY}-auth-token"));
        cages.nothing_got_out("a run");
    }
}

#[test]
fn a_damaged_login_is_told_of_without_a_byte_of_it() {
    let cages = Cages::new();
    let file = cages.stage.data().join("accounts/work/login/store/.credentials.json");
    let whole = login("work");
    let half = whole[..whole.len() / 2].to_owned();
    let odd = whole.replace("9999999999999", &format!("\"{CANARY}-odd\""));
    let large = format!("{whole}{}", " ".repeat(10 * 1024 * 1024));
    for content in [half, odd, large, format!("[\"{CANARY}\"]"), format!("{CANARY}\u{0}\u{1b}[31m")] {
        fs::write(&file, &content).unwrap();
        for line in [
            "status --account work",
            "doctor",
            "run --account work --dry-run",
            "run --account work --yes -- true",
            "refresh --account work",
            "backup create --account work",
        ] {
            cages.says_nothing(&line.split(' ').collect::<Vec<_>>());
        }
        assert_eq!(fs::read(&file).unwrap(), content.as_bytes(), "nobody writes over it");
    }
}

/// A program that reads its stdin, with the canary in its memory, and no limit of core dumps; in a folder of its own.
fn holding(mut command: Command, folder: &Path) -> Child {
    fs::create_dir_all(folder).unwrap();
    let mut child = command
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdin = child.stdin.as_mut().unwrap();
    // More than a pipe holds: when all of it is written, the reader has the beginning.
    let text = format!("{CANARY}-core ").repeat(10_000);
    stdin.write_all(text.as_bytes()).unwrap();
    child
}

fn without_limit(stage: &Stage, program: &Path, words: &[&str]) -> Command {
    let mut command = stage.command("sh");
    command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""]).arg(program).args(words);
    command
}

/// The dumps in a folder, and whether the kernel says that there was one.
fn killed(mut child: Child, signal: Signal, folder: &Path) -> (bool, Vec<Vec<u8>>) {
    kill_process(Pid::from_child(&child), signal).unwrap();
    let status = child.wait().unwrap();
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let mut bytes = Vec::new();
        fs::File::open(entry.unwrap().path()).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    (status.core_dumped(), fs::read_dir(folder).unwrap().map(read).collect())
}

#[test]
fn a_coffer_that_is_killed_with_a_secret_in_its_memory_leaves_no_core_dump() {
    let stage = Stage::new();
    let has_canary = |dump: &Vec<u8>| dump.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
    for (number, signal) in [Signal::ABORT, Signal::SEGV, Signal::QUIT].into_iter().enumerate() {
        // The positive control: another program with the same bytes leaves them on the disc.
        let folder = stage.scratch.root().join(format!("control-{number}"));
        let control = holding(without_limit(&stage, Path::new("/bin/cat"), &[]), &folder);
        let (dumped, dumps) = killed(control, signal, &folder);
        if !require::capability("coredump", dumped && dumps.iter().any(has_canary)) {
            return;
        }
        let folder = stage.scratch.root().join(format!("coffer-{number}"));
        let coffer = without_limit(&stage, stage.program(), &["account", "import", "work", "-"]);
        let (dumped, dumps) = killed(holding(coffer, &folder), signal, &folder);
        assert!(!dumped && dumps.is_empty(), "{signal:?}");
    }
    assert!(files_with(&stage.home(), CANARY).is_empty());
}
