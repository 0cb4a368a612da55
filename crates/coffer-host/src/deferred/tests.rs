use camino::Utf8Path;
use coffer_plan::deferred::{DeferredPath, DeferredRule, ScanBounds};
use coffer_plan::facts::{DeferredFacts, DeferredQuestion, HostFacts, ScanStopped};
use coffer_plan::origin::Origin;

use super::look;
use crate::scratch::Scratch;

fn question(change: impl FnOnce(&mut ScanBounds)) -> DeferredQuestion {
    let rule = |path: &str, hold| DeferredRule {
        path: DeferredPath { path: path.to_owned(), reason: "x".to_owned(), hold, warn: false },
        origin: Origin::built_in("x"),
    };
    let mut scan = coffer_plan::built_in::deferred().unwrap().scan;
    // A busy machine is no slow one.
    scan.most_ms = 60_000;
    change(&mut scan);
    DeferredQuestion {
        rules: vec![rule(".envrc", true), rule(".vscode", true), rule(".config/mise", false)],
        scan,
    }
}

fn facts(scratch: &Scratch) -> HostFacts {
    let mut facts = scratch.machine().base().unwrap();
    facts.project.path = scratch.path("project");
    facts
}

fn looked(scratch: &Scratch, question: &DeferredQuestion) -> DeferredFacts {
    let mut facts = facts(scratch);
    look(&mut facts, question);
    facts.deferred.unwrap()
}

fn found(scratch: &Scratch, facts: &DeferredFacts) -> Vec<String> {
    let root = scratch.path("project");
    facts.found.iter().map(|found| found.path.strip_prefix(&root).unwrap().to_string()).collect()
}

#[test]
fn listed_paths_are_found_at_any_depth_and_not_in_what_is_ignored() {
    let scratch = Scratch::new();
    for file in ["project/.envrc", "project/a/b/.envrc", "project/a/.config/mise/x", "project/.vscode/x"] {
        scratch.file(file, "");
    }
    for file in ["project/node_modules/x/.envrc", "project/target/.vscode/x", "project/.vscode/.envrc"] {
        scratch.file(file, "");
    }
    let facts = looked(&scratch, &question(|_| {}));
    let mut names = found(&scratch, &facts);
    names.sort();
    assert_eq!(names, [".envrc", ".vscode", "a/.config/mise", "a/b/.envrc"]);
    assert_eq!((facts.skipped, facts.stopped, facts.writable), (2, None, true));
}

#[test]
fn no_link_is_followed_and_one_is_told() {
    let scratch = Scratch::new();
    scratch.file("home/elsewhere/.envrc", "");
    scratch.link("project/out", scratch.path("home/elsewhere"));
    scratch.link("project/.vscode", scratch.path("home/elsewhere"));
    scratch.link("project/loop", scratch.path("project"));
    let facts = looked(&scratch, &question(|_| {}));
    assert_eq!(found(&scratch, &facts), [".vscode"]);
    assert!(facts.found[0].link);
}

#[test]
fn every_bound_ends_the_scan_and_is_told() {
    let scratch = Scratch::new();
    for at in 0..40 {
        scratch.file(&format!("project/many/{at}"), "");
    }
    scratch.file("project/a/b/c/.envrc", "");
    let entries = looked(&scratch, &question(|scan| scan.most_entries = 10));
    assert_eq!((entries.stopped, entries.entries), (Some(ScanStopped::Entries), 11));
    let depth = looked(&scratch, &question(|scan| scan.most_depth = 2));
    assert_eq!((depth.stopped, depth.found.len()), (Some(ScanStopped::Depth), 0));
    let all = looked(&scratch, &question(|_| {}));
    assert_eq!((all.stopped, all.found.len()), (None, 1));
}

#[test]
fn an_empty_folder_in_the_root_is_a_place_that_is_held() {
    let scratch = Scratch::new();
    scratch.folder("project/.vscode");
    scratch.folder("project/a/.vscode");
    assert_eq!(found(&scratch, &looked(&scratch, &question(|_| {}))), ["a/.vscode"]);
    scratch.file("project/.vscode/tasks.json", "");
    assert_eq!(looked(&scratch, &question(|_| {})).found.len(), 2);
}

#[test]
fn repositories_are_found_with_what_their_configuration_names() {
    let scratch = Scratch::new();
    let config =
        "[core]\nhooksPath = .husky/_\n[include]\npath = ../shared.inc\n[include]\npath = /etc/elsewhere\n";
    for git in ["project/sub/.git", "project/sub/.git/modules/lib", "project/sub/.git/modules/libs/deep"] {
        scratch.file(&format!("{git}/HEAD"), "ref: refs/heads/main\n");
        scratch.file(&format!("{git}/config"), "");
        scratch.file(&format!("{git}/hooks/pre-commit"), "");
    }
    scratch.file("project/sub/.git/config", config);
    scratch.file("project/sub/.git/commondir", "./\n");
    scratch.file("project/sub/.git/worktrees/tree/commondir", "../..\n");
    scratch.file("project/sub/.git/worktrees/tree/gitdir", "../../../../tree/.git\n");
    scratch.file("project/tree/.git", "gitdir: ../sub/.git/worktrees/tree\n");
    scratch.link("project/linked/.git", scratch.path("project/sub/.git"));
    let facts = looked(&scratch, &question(|_| {}));
    let root = scratch.path("project");
    let names: Vec<&Utf8Path> =
        facts.repositories.iter().map(|one| one.git_dir.strip_prefix(&root).unwrap()).collect();
    assert_eq!(
        names,
        [
            "linked/.git",
            "sub/.git",
            "sub/.git/modules/lib",
            "sub/.git/modules/libs/deep",
            "sub/.git/worktrees/tree",
        ]
    );
    let main = &facts.repositories[1];
    let named: Vec<(&str, &Utf8Path)> = main
        .named
        .iter()
        .map(|named| (named.key.as_str(), named.path.strip_prefix(&root).unwrap()))
        .collect();
    let expected = [
        ("core.hookspath", "sub/.husky/_"),
        ("core.hookspath", "tree/.husky/_"),
        ("include.path", "sub/shared.inc"),
    ];
    assert_eq!(named, expected.map(|(key, path)| (key, Utf8Path::new(path))));
    assert!(main.leads.is_empty() && main.hooks.is_some(), "{main:?}");
    assert!(facts.repositories[0].link.is_some());
    assert!(facts.repositories[4].linked && facts.repositories[4].leads.len() == 2);
    assert_eq!(facts.dot_git_files, [root.join("tree/.git")]);
}

/// What git has to have of a repository without a work tree.
fn bare(scratch: &Scratch, path: &str) {
    scratch.file(&format!("{path}/HEAD"), "ref: refs/heads/main\n");
    scratch.folder(&format!("{path}/objects"));
    scratch.folder(&format!("{path}/refs"));
}

fn git_dirs(scratch: &Scratch, facts: &DeferredFacts) -> Vec<String> {
    let root = scratch.path("project");
    let below = |one: &coffer_plan::facts::RepositoryFact| {
        one.git_dir.strip_prefix(&root).map_or("elsewhere".to_owned(), |path| path.to_string())
    };
    facts.repositories.iter().map(below).collect()
}

#[test]
fn a_link_leads_no_look_at_a_repository_out_of_it() {
    let scratch = Scratch::new();
    bare(&scratch, "home/modules/lib");
    bare(&scratch, "project/.git");
    scratch.link("project/.git/modules", scratch.path("home/modules"));
    scratch.link("project/.git/worktrees", "/");
    scratch.link("project/.git/hooks", "../hooks");
    let facts = looked(&scratch, &question(|_| {}));
    assert_eq!(git_dirs(&scratch, &facts), [".git"]);
    let names: Vec<_> = facts.repositories[0].links.iter().map(|link| link.file_name().unwrap()).collect();
    assert_eq!(names, ["hooks", "modules", "worktrees"]);
}

#[test]
fn what_lies_in_a_repository_is_paid_for() {
    let scratch = Scratch::new();
    bare(&scratch, "project/.git");
    for at in 0..40 {
        scratch.folder(&format!("project/.git/modules/{at}"));
    }
    let facts = looked(&scratch, &question(|scan| scan.most_entries = 10));
    assert_eq!(facts.stopped, Some(ScanStopped::Entries));
    assert!(facts.entries <= 22, "{}", facts.entries);
}

#[test]
fn a_repository_without_a_work_tree_is_found_wherever_it_is() {
    let scratch = Scratch::new();
    bare(&scratch, "project/src");
    // A work tree's place is none of a linked one.
    bare(&scratch, "project/s");
    bare(&scratch, "project/s/worktrees/.git");
    bare(&scratch, "project/build/.git");
    scratch.file("project/other/HEAD", "");
    scratch.file("project/.github/HEAD", "");
    let mut question = question(|_| {});
    question.rules.push(DeferredRule {
        path: DeferredPath { path: ".ci".to_owned(), reason: "x".to_owned(), hold: false, warn: true },
        origin: Origin::built_in("x"),
    });
    bare(&scratch, "project/.ci/x/.git");
    let facts = looked(&scratch, &question);
    let names = git_dirs(&scratch, &facts);
    assert_eq!(names, ["s", "src", "build/.git", ".ci/x/.git", "s/worktrees/.git"]);
    assert!(facts.repositories.iter().all(|one| !one.linked), "{facts:?}");
}

#[test]
fn a_folder_whose_name_is_no_text_is_told() {
    use std::os::unix::ffi::OsStrExt as _;
    let scratch = Scratch::new();
    let project = scratch.folder("project");
    std::fs::create_dir(project.as_std_path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"))).unwrap();
    assert_eq!(looked(&scratch, &question(|_| {})).stopped, Some(ScanStopped::Names));
}

#[test]
fn hooks_are_found_by_includes_by_the_users_own_configuration_and_in_every_work_tree() {
    let scratch = Scratch::new();
    bare(&scratch, "project/.git");
    bare(&scratch, "project/.git/modules/lib");
    scratch.file("project/.git/config", "[include]\npath = ../cfg/one\n");
    scratch.file("project/cfg/one", "[include]\npath = two\n[include]\npath = link\n");
    scratch.file("project/cfg/two", "[core]\nhooksPath = tools/hooks\n");
    scratch.file("project/elsewhere", "[core]\nhooksPath = not-followed\n");
    scratch.link("project/cfg/link", "../elsewhere");
    scratch.file("project/.git/worktrees/tree/gitdir", format!("{}\n", scratch.path("project/tree/.git")));
    scratch.file("project/.git/modules/lib/config", "[core]\nworktree = ../../../lib\n");
    scratch.file("home/.gitconfig", "[core]\nhooksPath = .myhooks\n");
    let facts = looked(&scratch, &question(|_| {}));
    let root = scratch.path("project");
    let named = |at: usize| -> Vec<&str> {
        let named = facts.repositories[at].named.iter();
        named.map(|named| named.path.strip_prefix(&root).unwrap().as_str()).collect()
    };
    assert_eq!(git_dirs(&scratch, &facts), [".git", ".git/modules/lib", ".git/worktrees/tree"]);
    assert_eq!(
        named(0),
        ["cfg/one", "cfg/two", "tools/hooks", "tree/tools/hooks", "cfg/link", ".myhooks", "tree/.myhooks"]
    );
    assert_eq!(named(1), ["lib/.myhooks"]);
}
