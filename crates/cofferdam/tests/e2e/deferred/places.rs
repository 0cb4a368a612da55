//! Listed paths: read-only where they are, held where they are not, and nothing left behind.

use rustix::process::{Pid, Signal, kill_process};

use super::Ground;

#[test]
fn what_is_there_cannot_be_changed_moved_or_linked_away() {
    let Some(ground) = Ground::new() else { return };
    for file in [".claude/settings.json", ".mcp.json", ".vscode/tasks.json", ".envrc", "deep/er/.envrc"] {
        ground.stage.project_file(file, "{}");
    }
    for script in [
        "echo x > .claude/settings.json",
        "echo x > .claude/new",
        "mv .claude x",
        "echo x > .mcp.json",
        "rm .mcp.json",
        "mv .vscode x",
        "ln -sf x .envrc",
        "echo x > deep/er/.envrc",
        "rm -rf .vscode/tasks.json",
    ] {
        let ran = ground.inside(&[], script);
        assert_ne!(ran.code, Some(0), "{script}: {ran}");
    }
    for file in [".claude/settings.json", ".mcp.json", ".vscode/tasks.json", ".envrc", "deep/er/.envrc"] {
        assert_eq!(super::text(ground.project().join(file)).as_deref(), Some("{}"), "{file}");
    }
    ground.inside(&["--allow-write", ".vscode"], "echo x > .vscode/tasks.json").ends_with(0);
}

#[test]
fn places_are_held_and_leave_no_trace() {
    let Some(ground) = Ground::new() else { return };
    let before = ground.names();
    for script in [
        "mkdir .vscode/x",
        "rmdir .vscode && mkdir .vscode && touch .vscode/tasks.json",
        "mv .mcp.json x",
        "echo x > .envrc",
        "ln -s x .claude/settings.json",
    ] {
        let ran = ground.inside(&[], script);
        assert_ne!(ran.code, Some(0), "{script}: {ran}");
        assert_eq!(ground.names(), before, "{script}");
    }
    // Neither is any of them something that git would take along.
    ground.inside(&[], "git add -A; git status -s").prints("");
    assert!(!ground.project().join(".git/commondir").exists());
}

#[test]
fn places_are_counted_over_runs_and_swept_after_a_kill() {
    let Some(ground) = Ground::new() else { return };
    let before = ground.names();
    let (mut first, mut second) = (ground.waiting(), ground.waiting());
    let held = ground.names();
    assert!(held.contains(&".vscode".to_owned()), "{held:?}");
    kill_process(Pid::from_child(&first), Signal::KILL).unwrap();
    first.wait().unwrap();
    // A third one sweeps what the killed one left, and takes nothing from the second.
    ground.inside(&[], "test -d .vscode").ends_with(0);
    assert_eq!(ground.names(), held);
    drop(second.stdin.take());
    assert!(second.wait().unwrap().success());
    assert_eq!(ground.names(), before);
    let mut killed = ground.waiting();
    kill_process(Pid::from_child(&killed), Signal::KILL).unwrap();
    killed.wait().unwrap();
    assert_eq!(ground.names(), held);
    ground.inside(&[], "true").ends_with(0);
    assert_eq!(ground.names(), before);
}
