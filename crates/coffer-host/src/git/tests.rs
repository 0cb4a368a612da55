use camino::Utf8Path;

use super::{Repository, WorkTree, work_tree};
use crate::scratch::Scratch;

fn found(start: &Utf8Path) -> WorkTree {
    work_tree(start, rustix::process::geteuid().as_raw()).unwrap()
}

fn tree(top: &Utf8Path, git_dir: &Utf8Path, common_dir: &Utf8Path, verified: bool) -> WorkTree {
    WorkTree {
        top: top.to_owned(),
        repository: Some(Repository {
            git_dir: git_dir.to_owned(),
            common_dir: common_dir.to_owned(),
            verified,
        }),
    }
}

fn bare(top: &Utf8Path) -> WorkTree {
    WorkTree { top: top.to_owned(), repository: None }
}

#[test]
fn a_plain_repository_from_any_folder_in_it() {
    let scratch = Scratch::new();
    let top = scratch.repository("project/repo");
    let deep = scratch.folder("project/repo/a/b");
    let git = top.join(".git");
    for start in [&top, &deep, &git] {
        assert_eq!(found(start), tree(&top, &git, &git, true), "{start}");
    }
    assert_eq!(work_tree(&scratch.path("project"), 0), None);
}

#[test]
fn a_linked_worktree_brings_its_common_dir() {
    let scratch = Scratch::new();
    let main = scratch.repository("main");
    scratch.git(&main, &["worktree", "add", "-q", "../linked"]);
    let linked = scratch.path("linked");
    let common = main.join(".git");
    let own = common.join("worktrees/linked");
    assert_eq!(found(&linked), tree(&linked, &own, &common, true));
    // A copy of its `.git` file elsewhere is not named by the repository.
    let copy = scratch.folder("copy");
    std::fs::copy(linked.join(".git"), copy.join(".git")).unwrap();
    assert_eq!(found(&copy), tree(&copy, &own, &common, false));
}

#[test]
fn a_worktree_that_was_moved_is_not_verified_until_repaired() {
    let scratch = Scratch::new();
    let main = scratch.repository("main");
    scratch.git(&main, &["worktree", "add", "-q", "../linked"]);
    std::fs::rename(scratch.path("linked"), scratch.path("moved")).unwrap();
    let moved = scratch.path("moved");
    let verified = || found(&moved).repository.unwrap().verified;
    assert!(!verified());
    scratch.git(&moved, &["worktree", "repair"]);
    assert!(verified());
}

#[test]
fn a_submodule_brings_its_git_dir() {
    let scratch = Scratch::new();
    let library = scratch.repository("library");
    let main = scratch.repository("main");
    scratch.git(&main, &["submodule", "--quiet", "add", library.as_str(), "lib"]);
    let lib = main.join("lib");
    let git = main.join(".git/modules/lib");
    assert_eq!(found(&lib), tree(&lib, &git, &git, true));
    assert_eq!(found(&scratch.folder("main/lib/deep")).top, lib);
    // And a worktree of the submodule.
    scratch.git(&lib, &["worktree", "add", "-q", scratch.path("far").as_str()]);
    let far = scratch.path("far");
    assert_eq!(found(&far), tree(&far, &git.join("worktrees/far"), &git, true));
}

#[test]
fn a_submodule_of_a_worktree() {
    let scratch = Scratch::new();
    let library = scratch.repository("library");
    let main = scratch.repository("main");
    scratch.git(&main, &["submodule", "--quiet", "add", library.as_str(), "lib"]);
    scratch.git(&main, &["commit", "-q", "-m", "lib"]);
    scratch.git(&main, &["worktree", "add", "-q", "../linked"]);
    let linked = scratch.path("linked");
    scratch.git(&linked, &["submodule", "--quiet", "update", "--init"]);
    let git = main.join(".git/worktrees/linked/modules/lib");
    assert_eq!(found(&linked.join("lib")), tree(&linked.join("lib"), &git, &git, true));
}

#[test]
fn an_agent_cannot_point_to_another_repository() {
    let scratch = Scratch::new();
    let victim = scratch.repository("home/victim");
    let git = victim.join(".git");
    let project = scratch.path("project");
    scratch.file("project/.git", format!("gitdir: {git}\n"));
    assert_eq!(found(&project), tree(&project, &git, &git, false));
    std::fs::remove_file(project.join(".git")).unwrap();
    // A relative path, a link, and a real git dir whose common dir is somebody else's.
    scratch.file("project/.git", "gitdir: ../home/victim/.git");
    assert_eq!(found(&project), tree(&project, &git, &git, false));
    std::fs::remove_file(project.join(".git")).unwrap();
    scratch.link("project/.git", &git);
    assert_eq!(found(&project), tree(&project, &git, &git, false));
    std::fs::remove_file(project.join(".git")).unwrap();
    scratch.repository("project");
    assert!(found(&project).repository.unwrap().verified);
    let own = scratch.file("project/.git/commondir", git.as_str());
    assert_eq!(found(&project), tree(&project, own.parent().unwrap(), &git, false));
}

#[test]
fn a_separate_git_dir_is_not_verified() {
    let scratch = Scratch::new();
    let separate = scratch.path("separate");
    scratch.git(&scratch.path("project"), &["init", "-q", "--separate-git-dir", separate.as_str()]);
    let project = scratch.path("project");
    assert_eq!(found(&project), tree(&project, &separate, &separate, false));
    // `core.worktree` says that it belongs here.
    scratch.git(&project, &["config", "core.worktree", project.as_str()]);
    assert_eq!(found(&project), tree(&project, &separate, &separate, true));
}

#[test]
fn a_broken_repository_ends_the_search() {
    let scratch = Scratch::new();
    scratch.repository("outer");
    let inner = scratch.folder("outer/inner");
    for content in ["", "nonsense", "gitdir: ", "gitdir: /nowhere", "gitdir: .", "gitdir: a\0b"] {
        scratch.file("outer/inner/.git", content);
        assert_eq!(found(&inner), bare(&inner), "{content:?}");
    }
    let file = scratch.file("outer/inner/.git", vec![b'x'; 100_000]);
    assert_eq!(found(&inner), bare(&inner));
    std::fs::remove_file(&file).unwrap();
    scratch.fifo("outer/inner/.git");
    assert_eq!(found(&inner), bare(&inner));
    std::fs::remove_file(&file).unwrap();
    scratch.link("outer/inner/.git", ".git");
    assert_eq!(found(&inner), bare(&inner));
    std::fs::remove_file(&file).unwrap();
    scratch.link("outer/inner/.git", "/nowhere");
    assert_eq!(found(&inner), bare(&inner));
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(found(&inner), bare(&inner));
    std::fs::remove_dir(&file).unwrap();
    assert_eq!(found(&inner).top, scratch.path("outer"));
}

#[test]
fn a_git_dir_of_somebody_else_counts_as_none() {
    let scratch = Scratch::new();
    let top = scratch.repository("repo");
    let fact = crate::paths::look(&top.join(".git"));
    let own = fact.uid;
    // Ours, the start folder's owner's, nobody's here.
    assert!(!super::foreign(&fact, own, own + 1));
    assert!(!super::foreign(&fact, own + 1, own));
    assert!(super::foreign(&fact, own + 1, own + 2));
}

#[test]
fn the_search_stays_on_one_file_system() {
    assert_eq!(work_tree(Utf8Path::new("/proc/self"), 0), None);
    assert_eq!(work_tree(Utf8Path::new("/nowhere"), 0), None);
}
