//! Git inside: work trees and submodules bring their repository, a forged `.git` brings nothing.

use std::path::Path;
use std::process::Command;

use coffer_testkit::require;

use crate::support::{Ran, Stage, run, sandboxes};

/// Git on the host, with a made-up person and no configuration of the machine's.
fn git(stage: &Stage, folder: &Path, words: &[&str]) -> Ran {
    let mut command = stage.command("git");
    command.args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]);
    let ran = run(command.args(words).current_dir(folder));
    ran.ends_with(0);
    ran
}

fn repository(stage: &Stage, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    git(stage, folder, &["init", "-q"]);
    git(stage, folder, &["commit", "-q", "--allow-empty", "-m", "first"]);
}

fn stage() -> Option<Stage> {
    if !sandboxes() || require::program("git").is_none() {
        return None;
    }
    let stage = Stage::new();
    let config = "[user]\n\tname = A \\\"quoted\\\" Person\n\temail = person@example.invalid\n\
                  [credential]\n\thelper = CANARY\n[http]\n\textraHeader = CANARY\n";
    stage.scratch.write_home(".gitconfig", config).unwrap();
    Some(stage)
}

const COMMIT: &str =
    "echo x > file && git add file && git commit -q -m inside && git log --format='%s by %an <%ae>' -1";
const COMMITTED: &str = "inside by A \"quoted\" Person <person@example.invalid>\n";

/// The commit inside is one outside.
fn commits(stage: &Stage, folder: &Path) {
    let ran = run(stage.run(["--", "sh", "-c", COMMIT]).current_dir(folder));
    ran.prints(COMMITTED);
    assert_eq!(git(stage, folder, &["log", "--format=%s", "-1"]).text(), "inside\n");
    git(stage, folder, &["fsck", "--strict"]);
}

#[test]
fn a_plain_repository_with_the_users_name_and_nothing_else_of_their_config() {
    let Some(stage) = stage() else { return };
    repository(&stage, &stage.project());
    commits(&stage, &stage.project());
    let ran = stage.inside(&[], "git config --list --show-origin; cat ~/.gitconfig");
    ran.ends_with(0).keeps_secret(&["CANARY"]);
    // From a folder below it is the same project.
    std::fs::create_dir(stage.project().join("below")).unwrap();
    let ran =
        run(stage.run(["--", "sh", "-c", "pwd; git status -s"]).current_dir(stage.project().join("below")));
    ran.ends_with(0);
    assert!(ran.text().contains("project/below\n"), "{ran}");
}

#[test]
fn a_work_tree_brings_its_repository() {
    let Some(stage) = stage() else { return };
    let main = stage.home().join("work/main");
    repository(&stage, &main);
    std::fs::write(main.join("CANARY"), "x").unwrap();
    let tree = stage.home().join("work/tree");
    git(&stage, &main, &["worktree", "add", "-q", "-b", "branch", tree.to_str().unwrap()]);
    commits(&stage, &tree);
    // The repository comes along; the other work tree's files do not.
    let ran = run(stage.run(["--", "sh", "-c", "ls -A ../main"]).current_dir(&tree));
    ran.prints(".git\n");
}

#[test]
fn a_submodule_brings_its_repository() {
    let Some(stage) = stage() else { return };
    let (main, library) = (stage.home().join("work/main"), stage.home().join("work/library"));
    repository(&stage, &main);
    repository(&stage, &library);
    git(&stage, &main, &["submodule", "--quiet", "add", library.to_str().unwrap(), "lib"]);
    commits(&stage, &main.join("lib"));
    let ran = run(stage.run(["--", "sh", "-c", "git status -s"]).current_dir(&main));
    ran.ends_with(0);
}

#[test]
fn a_forged_git_file_brings_nothing() {
    let Some(stage) = stage() else { return };
    let other = stage.home().join("work/other");
    repository(&stage, &other);
    std::fs::write(other.join(".git/CANARY"), "x").unwrap();
    let place = other.join(".git").display().to_string();
    let look = format!("ls -A {place}");
    run(Command::new("sh").args(["-c", &look])).ends_with(0);
    let forge = |text: &str| std::fs::write(stage.project().join(".git"), text).unwrap();
    for text in [
        format!("gitdir: {place}\n"),
        "gitdir: ../other/.git\n".to_owned(),
        format!("gitdir: {place}/worktrees/none\n"),
        format!("gitdir: {}\n", stage.home().display()),
        format!("gitdir: {}/.ssh\n", stage.home().display()),
        "gitdir: /etc\n".to_owned(),
        "gitdir: \n".to_owned(),
        "gitdir: /proc/self\n".to_owned(),
    ] {
        forge(&text);
        let ran = stage.inside(&[], &format!("{look}; ls -A {}; true", stage.home().display()));
        ran.ends_with(0);
        assert!(!ran.text().contains("CANARY"), "{text}: {ran}");
        let listed: Vec<String> = ran.text().lines().map(str::to_owned).collect();
        assert!(
            listed.iter().all(|name| [".claude", "work", ".gitconfig", ".npmrc"].contains(&name.as_str())),
            "{text}: {ran}"
        );
    }
    // A work tree's folder in the other repository that names another tree.
    let admin = other.join(".git/worktrees/forged");
    std::fs::create_dir_all(&admin).unwrap();
    std::fs::write(admin.join("commondir"), "../..\n").unwrap();
    std::fs::write(admin.join("gitdir"), format!("{}/.git\n", stage.home().join("work/elsewhere").display()))
        .unwrap();
    std::fs::write(admin.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    forge(&format!("gitdir: {}\n", admin.display()));
    let ran = stage.inside(&[], &format!("{look}; true"));
    ran.prints("");
    // The same folder, once it names this tree, is believed: the repository's owner said so.
    std::fs::write(admin.join("gitdir"), format!("{}/.git\n", stage.project().display())).unwrap();
    let ran = stage.inside(&[], &look);
    assert!(ran.text().contains("CANARY"), "{ran}");
}
