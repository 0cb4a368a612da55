//! `--state copy`: a working copy for one run, over a state that keeps still, gone or merged back at the end.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ran, Stage, run, sandboxes};

/// A run that has said `up`; it goes on until its stdin ends.
struct Up {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Up {
    fn starts(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut up = Self { lines: BufReader::new(child.stdout.take().unwrap()), child };
        let mut line = String::new();
        up.lines.read_line(&mut line).unwrap();
        if line != "up\n" {
            panic!("{line:?} {}", up.ends());
        }
        up
    }

    fn ends(mut self) -> Ran {
        drop(self.child.stdin.take());
        let mut stdout = Vec::new();
        self.lines.read_to_end(&mut stdout).unwrap();
        Ran { stdout, ..Ran::from(self.child.wait_with_output().unwrap()) }
    }
}

fn waiting(stage: &Stage, flags: &[&str], script: &str) -> Up {
    let mut command = stage.run(["--state"]);
    command.args(flags).args([
        "--",
        "sh",
        "-c",
        &format!("cd ~/.claude; {script}; echo up; read line; exit 0"),
    ]);
    Up::starts(command)
}

fn inside(stage: &Stage, flags: &[&str], script: &str) -> Ran {
    let mut command = stage.run(["--state"]);
    run(command.args(flags).args(["--", "sh", "-c", &format!("cd ~/.claude; {script}")]))
}

/// The state of the stage's project.
fn state(stage: &Stage) -> PathBuf {
    let projects = stage.data().join("state/claude/projects");
    let mut found = std::fs::read_dir(projects).unwrap().map(|entry| entry.unwrap().path());
    found.find(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.')).unwrap()
}

/// Every file with its content, and every other thing with its kind.
fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            out.extend(tree(&path));
        }
        let text = if kind.is_file() { std::fs::read_to_string(&path).unwrap() } else { format!("{kind:?}") };
        out.insert(path, text);
    }
    out
}

/// What lies beside the state: working copies, and folders left to readers.
fn leftovers(stage: &Stage) -> Vec<PathBuf> {
    let beside = |name: &str| state(stage).with_file_name(name);
    let all = [beside(".copies"), beside(".left"), beside(".kept")];
    let entries = all.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// A stage with a state that holds a few things.
fn with_state(stage: Stage) -> Stage {
    let script =
        "mkdir -p projects/a; echo one > projects/a/one; echo two > two; echo three > three; echo go > gone";
    inside(&stage, &["project"], script).ends_with(0);
    stage
}

fn stages() -> Vec<Stage> {
    std::iter::once(Stage::new()).chain(Stage::of_ordinary_user()).map(with_state).collect()
}

#[test]
fn a_copy_shows_the_state_takes_everything_and_leaves_nothing() {
    if !sandboxes() {
        return;
    }
    for stage in stages() {
        let before = tree(&state(&stage));
        let script = "cat projects/a/one two; echo more >> two; rm -r gone projects; mkdir projects; \
                      echo new > projects/new; mkfifo pipe; ln -s / link; mkdir shut; touch shut/in; chmod 0 shut; \
                      cat two projects/new; id -u; test -O two && echo mine";
        let ran = inside(&stage, &["copy"], script);
        let lines: Vec<String> = ran.ends_with(0).text().lines().map(str::to_owned).collect();
        assert_eq!(lines[..5], ["one", "two", "two", "more", "new"], "{ran}");
        assert_eq!(lines[6], "mine", "{ran}");
        assert_eq!(tree(&state(&stage)), before);
        assert!(leftovers(&stage).is_empty(), "{:?}", leftovers(&stage));
        inside(&stage, &["project"], "cat two; ls projects").prints("two\na\n");
    }
}

#[test]
fn the_plan_says_how_the_copy_comes_about() {
    if !sandboxes() {
        return;
    }
    for stage in stages() {
        let plan = run(stage.coffer(["run", "--state", "copy", "--dry-run=json", "--", "true"])).json();
        let target = stage.home().join(".claude");
        let mounts = plan["mounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["target"] == target.to_str().unwrap()).unwrap();
        assert_eq!((&mount["op"], &mount["access"]), (&"overlay".into(), &"rw".into()), "{mount}");
        assert_eq!(mount["source"]["path"], state(&stage).to_str().unwrap());
        assert_eq!(plan["state"]["copy"]["way"], "overlay");
        let up = waiting(&stage, &["project"], "true");
        let plan = run(stage.coffer(["run", "--state", "copy", "--dry-run=json", "--", "true"])).json();
        assert_ne!(plan["state"]["copy"]["way"], "overlay");
        assert_eq!(plan["state"]["copy"]["reason"], "another run writes in the state");
        up.ends().ends_with(0);
        let text = run(stage.coffer(["run", "--state", "copy", "--dry-run", "--", "true"]));
        assert!(text.text().contains("working copy laid over"), "{text}");
        run(stage.coffer(["run", "--keep", "--dry-run", "--", "true"])).refuses(
            125,
            "nothing-to-keep",
            "--keep",
            "--state copy",
        );
        assert!(leftovers(&stage).is_empty(), "{:?}", leftovers(&stage));
    }
}

#[test]
fn copies_beside_each_other_and_beside_a_writer_see_what_they_began_with() {
    if !sandboxes() {
        return;
    }
    for stage in stages() {
        let one = waiting(&stage, &["copy"], "echo mine > two");
        let other = waiting(&stage, &["copy"], "echo other > two; test -e three");
        // It writes in the state while two copies lie over it: they keep what they have.
        inside(&stage, &["project"], "cat two; echo written > two; rm three").prints("two\n");
        let mut command = stage.run(["--state", "copy", "--", "sh", "-c", "cat ~/.claude/two"]);
        run(&mut command).prints("written\n");
        let still = waiting(&stage, &["project"], "true");
        inside(&stage, &["copy"], "cat two; echo x > two").prints("written\n");
        still.ends().ends_with(0);
        one.ends().ends_with(0);
        other.ends().ends_with(0);
        assert_eq!(std::fs::read_to_string(state(&stage).join("two")).unwrap(), "written\n");
        assert!(leftovers(&stage).is_empty(), "{:?}", leftovers(&stage));
    }
}

#[test]
fn a_reader_of_a_state_that_is_written_meanwhile_still_reads_the_old_one() {
    if !sandboxes() {
        return;
    }
    let stage = with_state(Stage::new());
    let mut command = stage.run(["--state", "copy", "--", "sh", "-c"]);
    command.arg("cd ~/.claude; echo up; read line; cat two three; exit 0");
    let reader = Up::starts(command);
    inside(&stage, &["project"], "echo written > two; rm three").ends_with(0);
    reader.ends().prints("two\nthree\n");
}

#[test]
fn what_is_kept_is_merged_by_three_sides() {
    if !sandboxes() {
        return;
    }
    for stage in stages() {
        let script = "echo mine > two; echo mine > three; rm gone projects/a/one; mkdir -p new/deep; echo new > new/deep/file; \
                      mkfifo pipe; ln -s /etc/passwd link; echo '{}' > settings.local.json; echo evil > CLAUDE.md; \
                      mkdir -p commands hooks; echo evil > commands/evil.md; echo evil > hooks/evil; \
                      echo '{}' > .mcp.json; rm -f .credentials.json; echo '{}' > .credentials.json; ln two twin; \
                      echo '{\"mcpServers\": {\"evil\": {}}}' > .claude.json; cp .claude.json .claude.json.backup; \
                      mkdir -p backups; cp .claude.json backups/.claude.json.backup.1";
        let copy = waiting(&stage, &["copy", "--keep"], script);
        inside(&stage, &["project"], "echo theirs > three; echo theirs > gone").ends_with(0);
        let ran = copy.ends();
        ran.ends_with(0);
        let read = |name: &str| std::fs::read_to_string(state(&stage).join(name)).ok();
        assert_eq!(read("three").as_deref(), Some("theirs\n"), "{ran}");
        assert_eq!(read("gone").as_deref(), Some("theirs\n"), "changed there, removed here: it stays");
        assert_eq!(read("new/deep/file").as_deref(), Some("new\n"), "{ran}");
        assert_eq!(read("projects/a/one"), None, "removed here, unchanged there");
        let conflicts: Vec<_> = tree(&state(&stage))
            .into_iter()
            .filter(|(path, _)| path.to_str().unwrap().contains(".coffer-"))
            .collect();
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        assert!(conflicts[0].0.to_str().unwrap().contains("/three.coffer-") && conflicts[0].1 == "mine\n");
        for name in [
            "settings.local.json",
            ".mcp.json",
            ".claude.json.backup",
            "backups",
            "commands/evil.md",
            "hooks/evil",
            "link",
            "pipe",
        ] {
            assert!(state(&stage).join(name).symlink_metadata().is_err(), "{name}");
        }
        assert_ne!(read("CLAUDE.md").as_deref(), Some("evil\n"));
        assert!(!read(".claude.json").is_some_and(|text| text.contains("evil")), "{ran}");
        assert_ne!(read(".credentials.json").as_deref(), Some("{}\n"));
        for words in [
            "three.coffer-",
            "gone",
            "link (a link)",
            "pipe (a named pipe)",
            "several names",
            ".claude.json (conf",
        ] {
            assert!(ran.stderr.contains(words), "{words}: {ran}");
        }
        assert!(leftovers(&stage).is_empty(), "{:?}", leftovers(&stage));
        let ledger = run(stage.coffer(["ledger", "show", "--json"]));
        assert!(ledger.text().contains("state_kept"), "{ledger}");
    }
}

/// With the kernel's own marks: of a folder that went, and of one that was made anew.
#[test]
fn folders_that_went_are_gone_after_the_merge_whichever_way_the_copy_came_about() {
    if !sandboxes() {
        return;
    }
    for stage in stages() {
        for is_overlay in [true, false] {
            let make =
                "mkdir -p anew/deep went; echo 1 > anew/deep/old; echo 1 > anew/old; echo 1 > went/old";
            inside(&stage, &["project"], make).ends_with(0);
            let script = "rm -r anew went; mkdir anew; echo 2 > anew/new";
            // A copy is made while somebody writes; it is merged when nobody does any more.
            let ran = if is_overlay {
                inside(&stage, &["copy", "--keep"], script)
            } else {
                let writer = waiting(&stage, &["project"], "true");
                let copy = waiting(&stage, &["copy", "--keep"], script);
                writer.ends().ends_with(0);
                copy.ends()
            };
            ran.ends_with(0);
            let files: Vec<_> = tree(&state(&stage)).into_keys().collect();
            let files: Vec<_> = files.iter().filter(|path| path.is_file()).collect();
            assert!(files.iter().any(|path| path.ends_with("anew/new")), "{is_overlay} {ran}");
            assert!(!files.iter().any(|path| path.ends_with("old")), "{is_overlay} {files:?} {ran}");
            assert!(ran.stderr.contains("removed: 3"), "{is_overlay} {ran}");
            inside(&stage, &["project"], "rm -r anew").ends_with(0);
        }
    }
}

#[test]
fn what_is_kept_beside_a_live_writer_replaces_nothing() {
    if !sandboxes() {
        return;
    }
    let stage = with_state(Stage::new());
    let writer = waiting(&stage, &["project"], "true");
    let script = "echo mine > two; rm three; echo new > new";
    let ran = inside(&stage, &["copy", "--keep"], script);
    ran.ends_with(0);
    let read = |name: &str| std::fs::read_to_string(state(&stage).join(name)).unwrap();
    assert_eq!((read("two"), read("three"), read("new")), ("two\n".into(), "three\n".into(), "new\n".into()));
    assert!(ran.stderr.contains("two.coffer-"), "{ran}");
    writer.ends().ends_with(0);
    // With nobody there, the same copy is taken.
    inside(&stage, &["copy", "--keep"], script).ends_with(0);
    assert_eq!(read("two"), "mine\n");
    assert!(!state(&stage).join("three").exists());
}

#[test]
fn a_killed_run_leaves_nothing_after_the_next_start() {
    if !sandboxes() {
        return;
    }
    for stage in stages() {
        for round in 0..10_u32 {
            let mut command = stage.run(["--state", "copy", "--keep", "--", "sh", "-c"]);
            command.arg("cd ~/.claude; echo x > two; mkdir shut; touch shut/in; chmod 0 shut; echo up; while :; do echo >> two; done");
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap());
            // At once, or after so many lines of a second process: the instants differ.
            if round % 3 != 0 {
                lines.read_line(&mut String::new()).unwrap();
            }
            let mut spin = std::hint::black_box(u64::from(round) * 400_000);
            while spin > 0 {
                spin = std::hint::black_box(spin - 1);
            }
            kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
            child.wait().unwrap();
            // The end of its stdout is the end of what ran inside.
            std::io::copy(&mut lines, &mut std::io::sink()).unwrap();
        }
        inside(&stage, &["project"], "cat two").prints("two\n");
        inside(&stage, &["copy"], "cat two").prints("two\n");
        assert!(leftovers(&stage).is_empty(), "{:?}", leftovers(&stage));
    }
}

#[test]
fn the_printed_command_keeps_too() {
    if !sandboxes() {
        return;
    }
    for stage in stages() {
        let line = run(stage.coffer([
            "run",
            "--state",
            "copy",
            "--keep",
            "--dry-run=command",
            "--",
            "sh",
            "-c",
            "echo pasted > ~/.claude/two; exit 7",
        ]));
        line.ends_with(0);
        run(stage.command("sh").args(["-c", line.text().trim_end()])).ends_with(7);
        assert_eq!(std::fs::read_to_string(state(&stage).join("two")).unwrap(), "pasted\n");
    }
}
