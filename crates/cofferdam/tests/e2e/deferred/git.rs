//! Git in a sandbox: everything of every day works, and nothing of it makes the host run something.

use std::process::Stdio;

use super::{Ground, host_was_run, status, text};
use crate::support::run;

/// What agents and people do every day, each command's end told.
const EVERYDAY: &str = "\
    git checkout -q -b topic; echo x > file; git add file; git commit -q -m inside; \
    git push -q -u origin topic; git fetch -q; \
    git checkout -q main; git branch -q -D topic; git checkout -q --track origin/topic; \
    git checkout -q main; git branch -q -d topic; git checkout -q --track origin/topic; \
    git worktree add -q ../project/.worktrees/tree -b tree; git -C .worktrees/tree commit -q --allow-empty -m tree; \
    git worktree remove .worktrees/tree; git stash list; git gc -q; git config --get branch.topic.merge";

fn everyday(ground: &Ground) {
    ground.inside(&[], EVERYDAY).prints("refs/heads/topic\n");
    let config = |key: &str| ground.on_host(&format!("git config --get {key} || true")).text();
    assert_eq!(
        (config("branch.topic.remote"), config("branch.topic.merge")),
        ("origin\n".into(), "refs/heads/topic\n".into())
    );
    ground.on_host("git fsck --strict >/dev/null && git log --format=%s -1 topic").prints("inside\n");
    assert!(ground.on_host("git status -s").text().is_empty());
    // And what it takes away, it takes away on the host.
    ground.inside(&[], "git checkout -q main; git branch -q -D topic").ends_with(0);
    assert_eq!(config("branch.topic.remote"), "");
}

#[test]
fn everyday_git_works() {
    if let Some(ground) = Ground::new() {
        everyday(&ground);
    }
}

#[test]
fn everyday_git_works_for_an_ordinary_user() {
    if let Some(ground) = Ground::of_ordinary_user() {
        everyday(&ground);
    }
}

#[test]
fn submodules_are_made_ready_and_worked_in() {
    let Some(ground) = Ground::new() else { return };
    let library = ground.stage.scratch.root().join("library");
    ground.on_host(&format!(
        "git init -q {library} && git -C {library} commit -q --allow-empty -m first && \
         git submodule --quiet add {library} lib && git commit -q -m lib",
        library = library.display()
    ));
    ground
        .inside(
            &["--mount", library.to_str().unwrap()],
            "git submodule init; git submodule update; git -C lib commit -q --allow-empty -m inside; \
             git -C lib log --format=%s -1; git -C lib config branch.main.description text",
        )
        .prints("inside\n");
    ground.on_host("git -C lib log --format=%s -1").prints("inside\n");
    ground.on_host("git -C lib config --get branch.main.description").prints("text\n");
    let ran = ground.inside(&[], "echo x > .git/modules/lib/hooks/pre-commit");
    assert_ne!(ran.code, Some(0), "{ran}");
}

/// Ways to make the host's git run something, each of which does so where nobody keeps it from it.
#[test]
fn nothing_that_is_planted_in_git_runs_on_the_host() {
    let Some(ground) = Ground::new() else { return };
    let mark = ground.stage.home().join("mark");
    let evil =
        ground.stage.scratch.write_home("evil", &format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    let evil = evil.display();
    let plants = [
        format!("git config core.fsmonitor 'sh {evil}'"),
        format!("printf '[core]\\n\\tfsmonitor = sh {evil}\\n' >> .git/config"),
        format!("cp .git/config x; printf '[core]\\n\\tfsmonitor = sh {evil}\\n' >> x; mv x .git/config"),
        format!(
            "cp -r .git evil; printf '[core]\\n\\tfsmonitor = sh {evil}\\n' >> evil/config; mv .git old; mv evil .git"
        ),
        format!(
            "mkdir -p evil/objects evil/refs; printf '[core]\\n\\tfsmonitor = sh {evil}\\n' > evil/config; \
             printf ../evil > .git/commondir; cp .git/HEAD evil"
        ),
        format!("printf '[core]\\n\\tfsmonitor = sh {evil}\\n' > inc; git config include.path ../inc"),
    ];
    for plant in &plants {
        let control = ground.stage.scratch.root().join("control");
        ground.on_host(&format!("rm -rf {c}; cp -r . {c}", c = control.display()));
        run(ground.stage.command("sh").args(["-c", plant]).current_dir(&control)).ends_with(0);
        status(&ground, &control);
        assert!(host_was_run(&mark), "no positive control for `{plant}`");
        std::fs::remove_file(&mark).unwrap();
        drop(ground.inside(&[], &format!("{plant} || true")));
        let ran = status(&ground, &ground.project());
        assert!(!host_was_run(&mark), "`{plant}` ran on the host");
        assert_eq!(ran.code, Some(0), "`{plant}`: {ran}");
        ground.on_host("git fsck --strict && rm -rf evil x inc old .git/evil");
    }
}

#[test]
fn hooks_are_kept_from_the_agent() {
    let Some(ground) = Ground::new() else { return };
    let hooks = ["pre-commit", "post-checkout"];
    for hook in hooks {
        let ran = ground.inside(&[], &format!("echo x > .git/hooks/{hook}"));
        assert_ne!(ran.code, Some(0), "{ran}");
        assert!(!ground.project().join(".git/hooks").join(hook).exists());
    }
    for script in ["mv .git/hooks x", "rm -rf .git/hooks; test ! -e .git/hooks", "mv .git x"] {
        assert_ne!(ground.inside(&[], script).code, Some(0), "{script}");
    }
    // One flag opens them.
    ground.inside(&["--allow-write", ".git/hooks"], "echo x > .git/hooks/pre-commit").ends_with(0);
    assert_eq!(text(ground.project().join(".git/hooks/pre-commit")).as_deref(), Some("x\n"));
}

#[test]
fn what_is_not_harmless_waits_and_is_accepted_after_it_was_seen() {
    let Some(ground) = Ground::new() else { return };
    let before = text(ground.project().join(".git/config")).unwrap();
    let ran = ground.inside(&[], "git config core.pager evil; git config user.name Else");
    ran.ends_with(0);
    for words in ["+ core.pager = evil", "git runs what it says: a shell command", "+ user.name = Else"] {
        assert!(ran.stderr.contains(words), "{words}: {ran}");
    }
    assert_eq!(text(ground.project().join(".git/config")).unwrap(), before);
    let hint = ran.stderr.split('`').find(|word| word.starts_with("coffer quarantine restore")).unwrap();
    // The user's own change meanwhile stays.
    ground.on_host("git config core.abbrev 12");
    let words: Vec<&str> = hint.split(' ').skip(1).collect();
    let shown = run(ground.stage.coffer(&words[..3]));
    assert!(shown.stderr.contains("+ core.pager = evil"), "{shown}");
    assert_eq!(ground.on_host("git config --get core.pager || true").text(), "");
    run(ground.stage.coffer(&words)).ends_with(0);
    ground.on_host("git config --get core.pager; git config --get core.abbrev").prints("evil\n12\n");
    // Or beforehand, by a flag.
    let ran = ground.inside(&["--accept-config"], "git config --unset core.pager");
    assert!(ran.stderr.contains("- core.pager = evil"), "{ran}");
    assert_eq!(ground.on_host("git config --get core.pager || true").text(), "");
}

#[test]
fn a_linked_work_tree_is_protected_with_its_repository() {
    let Some(ground) = Ground::new() else { return };
    let tree = ground.stage.home().join("work/tree");
    ground.on_host(&format!("git worktree add -q -b tree {}", tree.display()));
    let script = "git commit -q --allow-empty -m inside; git log --format=%s -1; \
                  for place in \"$(git rev-parse --git-common-dir)/hooks/pre-commit\" .git \
                  \"$(git rev-parse --git-dir)/commondir\"; do echo x 2>/dev/null > \"$place\" && echo $place; done; true";
    let ran = run(ground.stage.run(["--auth", "none", "--", "sh", "-c", script]).current_dir(&tree));
    ran.prints("inside\n");
    ground.on_host("git fsck --strict");
}

/// A lock that the agent leaves keeps the changes from the host, and loses none of them.
#[test]
fn a_lock_that_is_left_loses_no_change() {
    let Some(ground) = Ground::new() else { return };
    let ran = ground.inside(
        &[],
        "git config branch.new.remote origin; git config core.pager evil; touch .git/config.lock",
    );
    for words in ["config.lock", "+ branch.new.remote = origin", "+ core.pager = evil"] {
        assert!(ran.stderr.contains(words), "{words}: {ran}");
    }
    let hint = ran.stderr.split('`').find(|word| word.starts_with("coffer quarantine restore")).unwrap();
    ground.on_host("rm .git/config.lock");
    run(ground.stage.coffer(hint.split(' ').skip(1))).ends_with(0);
    ground
        .on_host("git config --get branch.new.remote; git config --get core.pager")
        .prints("origin\nevil\n");
}

/// What renames over the configuration on the host takes the mount away; what stands there then is told.
#[test]
fn a_configuration_that_the_host_exchanged_is_looked_at() {
    let Some(ground) = Ground::new() else { return };
    let mut command = ground.stage.run(["--auth", "none", "--network", "none"]);
    let script = "echo up; cat; git config core.pager evil";
    let mut child = command
        .args(["--", "sh", "-c", script])
        .current_dir(ground.project())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0; 3]).unwrap();
    // Another run's change leaves the file where it is, and so the mount over it.
    ground.inside(&[], "git config branch.other.remote origin").ends_with(0);
    ground.on_host("git config --get branch.other.remote").prints("origin\n");
    ground.on_host("git config user.name Mine");
    drop(child.stdin.take());
    let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    for words in ["cannot be known", "+ core.pager = evil", "+ user.name = Mine", "hint: look at it"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
