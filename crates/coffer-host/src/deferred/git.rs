//! Repositories of a project: where their configuration, hooks and the files are that lead git elsewhere. Git is not
//! run; what is read lies where an agent may have written, so no link is followed and sizes are bounded.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{DeferredFacts, HostFacts, PathKind, RepositoryFact};
use coffer_plan::path::{clean, is_within};
use rustix::fd::OwnedFd;
use rustix::fs::{Access, CWD, Dir, FileType, Mode, ResolveFlags, openat2};

use super::budget::{Budget, Spent};
use super::named::{Reader, hooks_of_user};
use super::{FOLDER, INSIDE, deeper};
use crate::git_config;
use crate::paths;
use crate::read::{MAX_BYTES, may, read_beneath, read_file};

/// How deep submodules lie in each other, and the folders of their names.
const MOST_MODULE_DEPTH: usize = 8;
/// Largest `gitdir` file that is read, in bytes.
const MAX_LINK_BYTES: usize = 64 * 1024;
/// What of a repository git follows, if it is a link.
const PARTS: [&str; 8] =
    ["config", "config.worktree", "commondir", "hooks", "info", "info/attributes", "modules", "worktrees"];

/// Looks at what is in the repositories: the project's own, those that were found, their submodules and linked work
/// trees. The first ones, in which everyday git works, are looked at in any case.
pub(super) fn repositories(
    facts: &mut HostFacts,
    found: &mut DeferredFacts,
    most: usize,
    budget: &mut Budget,
) {
    let mut out = known(facts, std::mem::take(&mut found.repositories));
    let mut seen: BTreeSet<Utf8PathBuf> = out.iter().map(|one| one.git_dir.clone()).collect();
    let mut at = 0;
    while at < out.len() {
        if out[at].link.is_none() {
            let mut inner = Vec::new();
            let whole = inner_git_dirs(&out[at].git_dir, budget, &mut inner);
            inner.sort_by(|one, other| one.git_dir.cmp(&other.git_dir));
            out.extend(inner.into_iter().filter(|one| seen.insert(one.git_dir.clone())));
            if whole.is_err() {
                break;
            }
        }
        at += 1;
    }
    let hooks = hooks_of_user(facts);
    let linked: Vec<Utf8PathBuf> =
        out.iter().filter(|one| one.linked).map(|one| one.git_dir.clone()).collect();
    for (at, repository) in out.iter_mut().enumerate() {
        if repository.link.is_none() && (at < most || budget.repository().is_ok()) {
            describe(facts, repository, &linked, &hooks);
        } else {
            paths::note(facts, &repository.git_dir);
        }
    }
    // What such a file leads to is found where it lies, if that can be written.
    for file in &found.dot_git_files {
        paths::note(facts, file);
    }
    found.repositories = out;
}

/// The project's own repository, then those that were found, outermost first.
fn known(facts: &HostFacts, mut all: Vec<RepositoryFact>) -> Vec<RepositoryFact> {
    all.sort_by(|one, other| {
        let depth = |one: &RepositoryFact| one.git_dir.components().count();
        (depth(one), &one.git_dir).cmp(&(depth(other), &other.git_dir))
    });
    let mut out: Vec<RepositoryFact> = Vec::new();
    let mut seen: BTreeSet<Utf8PathBuf> = BTreeSet::new();
    if let Some(git) = facts.project.git.clone().filter(|git| git.verified) {
        let own = git.common_dir.join("worktrees");
        for git_dir in [git.common_dir, git.git_dir] {
            let is_link = all.iter().any(|one| one.link.as_deref() == Some(&git_dir));
            let linked = git_dir.parent() == Some(&own);
            if !is_link && seen.insert(git_dir.clone()) {
                out.push(RepositoryFact { git_dir, linked, ..RepositoryFact::default() });
            }
        }
    }
    out.extend(all.into_iter().filter(|one| one.link.is_some() || seen.insert(one.git_dir.clone())));
    out
}

/// Git dirs of submodules and the own parts of linked work trees. No link is followed, and every name is paid for: an
/// agent may have made what lies there.
fn inner_git_dirs(
    git_dir: &Utf8Path,
    budget: &mut Budget,
    out: &mut Vec<RepositoryFact>,
) -> Result<(), Spent> {
    let opened = openat2(CWD, git_dir.as_str(), FOLDER, Mode::empty(), ResolveFlags::NO_SYMLINKS);
    let Ok(opened) = opened else { return Ok(()) };
    let fact = |below: &Utf8Path, linked| RepositoryFact {
        git_dir: git_dir.join(below),
        linked,
        ..RepositoryFact::default()
    };
    for below in folders_in(&opened, Utf8Path::new("worktrees"), budget)? {
        out.push(fact(&below, true));
    }
    let mut waiting = vec![(Utf8PathBuf::from("modules"), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        for below in folders_in(&opened, &folder, budget)? {
            let head = deeper(&opened, &below.join("HEAD"));
            if matches!(head, Some(FileType::RegularFile | FileType::Symlink)) {
                out.push(fact(&below, false));
            } else if depth < MOST_MODULE_DEPTH {
                waiting.push((below, depth + 1));
            }
        }
    }
    Ok(())
}

/// The folders in a folder of a git dir, as paths in the git dir.
fn folders_in(git_dir: &OwnedFd, folder: &Utf8Path, budget: &mut Budget) -> Result<Vec<Utf8PathBuf>, Spent> {
    let opened = openat2(git_dir, folder.as_str(), FOLDER, Mode::empty(), INSIDE);
    let Some(entries) = opened.ok().and_then(|opened| Dir::read_from(opened).ok()) else {
        return Ok(Vec::new());
    };
    let mut out = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        budget.entry()?;
        let Ok(name) = name.to_str() else { continue };
        let path = folder.join(name);
        let is_folder = match entry.file_type() {
            FileType::Unknown => deeper(git_dir, &path) == Some(FileType::Directory),
            known => known == FileType::Directory,
        };
        if is_folder {
            out.push(path);
        }
    }
    Ok(out)
}

fn describe(
    facts: &mut HostFacts,
    repository: &mut RepositoryFact,
    linked: &[Utf8PathBuf],
    hooks_of_user: &[String],
) {
    let git_dir = repository.git_dir.clone();
    paths::note(facts, &git_dir);
    note_around(facts, &git_dir, &git_dir);
    repository.read_only = !may(&git_dir, Access::WRITE_OK | Access::EXEC_OK);
    for part in PARTS.map(|part| git_dir.join(part)) {
        paths::note(facts, &part);
        // One that leads nowhere yet is one, too.
        let fact = facts.paths.get(&part);
        if fact.is_some_and(|fact| fact.link.is_some()) {
            repository.links.push(part);
        }
    }
    for name in ["config", "config.worktree"] {
        let file = git_dir.join(name);
        // An empty one of a work tree holds the place, for another run or since an earlier one.
        let is_held = name == "config.worktree" && reads(&file, "");
        if is(facts, &file, PathKind::File) && !is_held {
            repository.configs.push(file);
        }
    }
    for name in ["commondir", "gitdir"] {
        let file = git_dir.join(name);
        // One that leads to its own folder holds a place.
        let is_own = !repository.linked && (reads(&file, "./\n") || reads(&file, ".\n"));
        if is(facts, &file, PathKind::File) && !is_own {
            repository.leads.push(file);
        }
    }
    let hooks = git_dir.join("hooks");
    let is_empty = hooks.read_dir_utf8().is_ok_and(|mut entries| entries.next().is_none());
    if is(facts, &hooks, PathKind::Folder) && !is_empty {
        repository.hooks = Some(hooks);
    }
    let attributes = git_dir.join("info/attributes");
    if reads(&attributes, "") && facts.path(&attributes).is_some_and(|fact| fact.link.is_none()) {
        // It holds a place.
        facts.paths.remove(&attributes);
    }
    let work_trees = work_trees(facts, repository, linked);
    let mut reader = Reader::new(facts, &git_dir, &work_trees);
    repository.configs.iter().for_each(|config| reader.config(config));
    if !repository.linked {
        reader.hooks(hooks_of_user);
    }
    repository.named = reader.finish();
    for named in &repository.named {
        paths::note(facts, &named.path);
        note_around(facts, &named.path, &git_dir);
    }
}

/// What is there of the way to a path, from the project or the git dir on.
fn note_around(facts: &mut HostFacts, path: &Utf8Path, git_dir: &Utf8Path) {
    let project = facts.project.path.clone();
    let is_around = |folder: &&Utf8Path| {
        is_within(folder, git_dir)
            || (**folder != *project && is_within(folder, &project))
            || folder.components().any(|part| part.as_str() == ".git")
    };
    for folder in path.ancestors().skip(1).take_while(is_around) {
        paths::note(facts, folder);
    }
}

/// Where git looks for what a relative `core.hooksPath` names: in every work tree of the repository.
fn work_trees(facts: &HostFacts, repository: &RepositoryFact, linked: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
    let git_dir = &repository.git_dir;
    let named = |admin: &Utf8Path| {
        let found = read_beneath(admin, "gitdir", MAX_LINK_BYTES).ok()?;
        let text = std::str::from_utf8(&found.content).ok()?.trim_end_matches(['\n', '\r']).to_owned();
        clean(&admin.join(text)).parent().map(Utf8Path::to_owned)
    };
    if repository.linked {
        return named(git_dir).into_iter().collect();
    }
    let configs = repository.configs.iter().rev();
    let said = configs.filter_map(|config| git_config::value(config, "core", "worktree")).next();
    let own = match (said, git_dir.parent()) {
        (Some(said), _) => clean(&git_dir.join(said)),
        (None, Some(parent)) if git_dir.file_name() == Some(".git") => parent.to_owned(),
        (None, _) => git_dir.clone(),
    };
    let mut out = vec![own];
    let of_this = linked.iter().filter(|admin| admin.parent() == Some(&git_dir.join("worktrees")));
    out.extend(of_this.filter_map(|admin| named(admin)));
    if facts.project.git.as_ref().is_some_and(|git| git.common_dir == *git_dir) {
        out.push(facts.project.path.clone());
    }
    out.dedup();
    out
}

fn reads(file: &Utf8Path, text: &str) -> bool {
    read_file(file, MAX_BYTES).is_ok_and(|found| *found.content == text.as_bytes())
}

fn is(facts: &mut HostFacts, path: &Utf8Path, kind: PathKind) -> bool {
    paths::note(facts, path);
    facts.path(path).is_some_and(|fact| fact.kind == kind && fact.link.is_none())
}
