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
    scratch.file("project/sub/.git/worktrees/tree/gitdir", "x");
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
    let expected = [("core.hookspath", "sub/.husky/_"), ("include.path", "sub/shared.inc")];
    assert_eq!(named, expected.map(|(key, path)| (key, Utf8Path::new(path))));
    assert!(main.leads.is_empty() && main.hooks.is_some(), "{main:?}");
    assert!(facts.repositories[0].link.is_some());
    assert!(facts.repositories[4].linked && facts.repositories[4].leads.len() == 2);
    assert_eq!(facts.dot_git_files, [root.join("tree/.git")]);
}
