//! The genuine CLI's own sandbox inside ours: with `--allow-nesting` each command of the agent runs in it, and without
//! the flag none runs at all, which the agent is told.

use std::path::PathBuf;

use coffer_testkit::{Answer, LoginSpec, netns, require};
use serde_json::{Value, json};

use crate::support::practice::{HOSTS, Practice};
use crate::support::{Ran, Stage, run, sandboxes};

/// The namespaces of whoever asks, one a line.
const NAMESPACES: &str = "readlink /proc/self/ns/mnt /proc/self/ns/pid /proc/self/ns/net /proc/self/ns/user";

/// What one version of the CLI takes besides `--allow-nesting`.
#[derive(Clone, Copy)]
struct Takes {
    flags: &'static [&'static str],
    all_unix_sockets: bool,
}

const NOTHING: Takes = Takes { flags: &[], all_unix_sockets: false };

/// 2.1.112 makes a file in `.claude` where there is none, to cover it, and cannot where we hold the folder; and in its
/// package the program that closes unix sockets may not be executed.
const OF_THE_OLDER: Takes = Takes { flags: &["--allow-write", ".claude"], all_unix_sockets: true };

fn with(test: &str, claude: Option<PathBuf>, takes: Takes, stage: impl Fn() -> Option<Stage>) {
    let Some(claude) = claude else { return };
    // What the CLI's sandbox starts, besides bubblewrap.
    if require::program("socat").is_none() || require::program("rg").is_none() {
        return;
    }
    if !sandboxes() || !netns::inside(test, &HOSTS) {
        return;
    }
    let Some(stage) = stage() else { return };
    let practice = Practice::new(stage, &claude);
    practice.sign_in(&LoginSpec::default());
    practice.api.keep_bodies();
    settings(&practice, takes, false);
    runs_commands_in_its_own_sandbox(&practice, takes);
    runs_none_where_it_may_make_no_sandbox(&practice);
}

macro_rules! with_all {
    ($($name:ident: $claude:ident, $takes:expr, $stage:expr;)+) => {
        $(#[test]
        fn $name() {
            with(concat!("nestings::", stringify!($name)), require::$claude(), $takes, $stage);
        })+
    };
}

with_all!(
    genuine_native: claude_native, NOTHING, || Some(Stage::new());
    genuine_js: claude_js, OF_THE_OLDER, || Some(Stage::new());
    genuine_native_of_an_ordinary_user: claude_native, NOTHING, Stage::of_ordinary_user;
    genuine_js_of_an_ordinary_user: claude_js, OF_THE_OLDER, Stage::of_ordinary_user;
);

/// The user has switched the CLI's sandbox on.
fn settings(practice: &Practice, takes: Takes, weaker: bool) {
    let network = json!({"allowAllUnixSockets": takes.all_unix_sockets});
    let sandbox = json!({"enabled": true, "enableWeakerNestedSandbox": weaker, "network": network});
    let text = json!({ "sandbox": sandbox }).to_string();
    practice.stage.scratch.write_home(".claude/settings.json", &text).unwrap();
}

/// The agent is asked for a command that says where it runs, and writes where only ours lets it. Before the agent the
/// same is tried outside of its sandbox, as the control.
fn asks(practice: &Practice, flags: &[&str]) -> Ran {
    let project = practice.stage.project();
    for name in ["around", "within"] {
        let _ = std::fs::remove_file(project.join(name));
    }
    let say = format!("{{ {NAMESPACES}; touch ~/written && echo written; true; }}");
    let input = json!({"command": format!("{say} > within 2>&1"), "description": "say where"});
    practice.api.queue_answer(Answer::ToolUse { name: "Bash".to_owned(), input });
    let script = format!("{say} > around && exec claude -p hi --allowedTools Bash");
    let mut command = practice.stage.coffer(["run", "--audit", "always", "--yes"]);
    practice.equip(&mut command);
    let ran = run(command.args(flags).args(["--", "sh", "-c", &script]));
    ran.ends_with(0);
    ran
}

/// What the agent was told of its last command, and whether it was told that it failed.
fn told(practice: &Practice) -> (String, bool) {
    let bodies = practice.api.bodies();
    let bodies = bodies.iter().filter_map(|body| serde_json::from_slice::<Value>(body).ok());
    let messages = bodies.flat_map(|body| body["messages"].as_array().cloned().unwrap_or_default());
    let parts = messages.flat_map(|message| message["content"].as_array().cloned().unwrap_or_default());
    let result = parts.filter(|part| part["type"] == "tool_result").last().unwrap();
    (result["content"].to_string(), result["is_error"] == json!(true))
}

fn lines(practice: &Practice, name: &str) -> Vec<String> {
    let file = practice.stage.project().join(name);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
    text.lines().map(str::to_owned).collect()
}

fn runs_commands_in_its_own_sandbox(practice: &Practice, takes: Takes) {
    let flags = [&["--allow-nesting"], takes.flags].concat();
    let is_root = run(practice.stage.command("id").arg("-u")).text() == "0\n";
    if is_root {
        // Our `/proc` stays covered for root, so that there is no other inside.
        let ran = asks(practice, &flags);
        assert!(ran.stderr.contains("root's sandboxes inside get no `/proc` of their own"), "{ran}");
        let (said, failed) = told(practice);
        assert!(failed && said.contains("Can't mount proc"), "{said}");
        settings(practice, takes, true);
    }
    let ran = asks(practice, &flags);
    let (said, failed) = told(practice);
    assert!(!failed, "{said}: {ran}");
    let (around, within) = (lines(practice, "around"), lines(practice, "within"));
    assert_eq!((around.len(), around[4].as_str()), (5, "written"), "no positive control: {around:?}");
    for (outer, inner) in around.iter().zip(&within).take(4) {
        let kind = outer.split_once(':').unwrap().0;
        assert!(inner.starts_with(kind) && inner != outer, "{kind}: {around:?} {within:?}");
    }
    assert!(within[4].contains("Read-only file system"), "{within:?}");
    // The agent's sandbox holds places of the project, too, and takes them back.
    let mut left = practice.stage.project().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.all(|name| name == "around" || name == "within"), "{ran}");
    // What it costs, said before.
    let cost = "whoever makes one has every capability in it, more of the kernel is in reach, and the mounts are the \
                only wall around files";
    let unfolded = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in
        ["sandboxes may be made inside", cost, "system calls not refused: namespaces", "--allow-nesting"]
    {
        assert!(unfolded.contains(words), "{words:?} is missing: {ran}");
    }
}

fn runs_none_where_it_may_make_no_sandbox(practice: &Practice) {
    let ran = asks(practice, &[]);
    let (said, failed) = told(practice);
    assert!(failed && said.contains("bwrap: ") && said.contains("namespace"), "{said}: {ran}");
    assert_eq!(lines(practice, "around").len(), 5);
    assert!(!practice.stage.project().join("within").exists(), "it ran: {ran}");
    assert!(!ran.stderr.contains("sandboxes may be made inside"), "{ran}");
}
