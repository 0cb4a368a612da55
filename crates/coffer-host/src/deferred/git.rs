//! Repositories of a project: where their configuration, hooks and the files are that lead git elsewhere. Git is not
//! run; what is read lies where an agent may have written, so no link is followed and sizes are bounded.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{DeferredFacts, HostFacts, NamedByGit, PathKind, RepositoryFact};
use coffer_plan::path::{clean, is_within};
use rustix::fs::Access;

use crate::git_config::entries;
use crate::paths::{self, look};
use crate::read::{MAX_BYTES, may, read_file};

/// How deep submodules lie in each other, and the folders of their names.
const MOST_MODULE_DEPTH: usize = 8;
/// Git dirs in one repository that are looked at.
const MOST_INNER: usize = 1000;

/// Looks at what is in the repositories: the project's own, those that were found, their submodules and linked work
/// trees.
pub(super) fn repositories(facts: &mut HostFacts, found: &mut DeferredFacts, most: usize) {
    let mut all = std::mem::take(&mut found.repositories);
    all.sort_by(|one, other| {
        let depth = |one: &RepositoryFact| one.git_dir.components().count();
        (depth(one), &one.git_dir).cmp(&(depth(other), &other.git_dir))
    });
    let mut out: Vec<RepositoryFact> = Vec::new();
    let mut known: BTreeSet<Utf8PathBuf> = BTreeSet::new();
    if let Some(git) = facts.project.git.clone().filter(|git| git.verified) {
        for folder in [git.common_dir, git.git_dir] {
            let linked = all.iter().any(|one| one.link.as_deref() == Some(&folder));
            if !linked && known.insert(folder.clone()) {
                out.push(RepositoryFact { git_dir: folder, ..RepositoryFact::default() });
            }
        }
    }
    out.extend(all.into_iter().filter(|one| one.link.is_some() || known.insert(one.git_dir.clone())));
    let mut at = 0;
    while at < out.len() {
        if out[at].link.is_none() {
            let inner = inner_git_dirs(&out[at].git_dir);
            let inner = inner.into_iter().filter(|folder| known.insert(folder.clone()));
            let facts = inner.map(|git_dir| RepositoryFact { git_dir, ..RepositoryFact::default() });
            out.extend(facts.collect::<Vec<_>>());
        }
        at += 1;
    }
    for (at, repository) in out.iter_mut().enumerate() {
        if repository.link.is_none() && at < most {
            describe(facts, repository);
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

/// Git dirs of submodules and the own parts of linked work trees.
fn inner_git_dirs(git_dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut out = Vec::new();
    for entry in folders_in(&git_dir.join("worktrees")) {
        out.push(entry);
    }
    let mut waiting = vec![(git_dir.join("modules"), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        for entry in folders_in(&folder) {
            if look(&entry.join("HEAD")).kind == PathKind::File {
                out.push(entry);
            } else if depth < MOST_MODULE_DEPTH {
                waiting.push((entry, depth + 1));
            }
            if out.len() > MOST_INNER {
                return out;
            }
        }
    }
    out.sort();
    out
}

fn folders_in(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = folder.read_dir_utf8().into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path().to_owned()).take(MOST_INNER).collect()
}

fn describe(facts: &mut HostFacts, repository: &mut RepositoryFact) {
    let git_dir = repository.git_dir.clone();
    paths::note(facts, &git_dir);
    for folder in git_dir.ancestors().skip(1).take_while(|folder| folder.as_str().contains("/.git")) {
        paths::note(facts, folder);
    }
    repository.read_only = !may(&git_dir, Access::WRITE_OK | Access::EXEC_OK);
    repository.linked = git_dir.parent().is_some_and(|parent| parent.file_name() == Some("worktrees"));
    for name in ["config", "config.worktree"] {
        let file = git_dir.join(name);
        // An empty one of a work tree holds the place, for another run or since an earlier one.
        let is_held = name == "config.worktree" && reads(&file, "");
        if is(facts, &file, PathKind::File) && !is_held {
            repository.named.extend(named(facts, &file, &git_dir));
            repository.configs.push(file);
        }
    }
    for name in ["commondir", "gitdir"] {
        let file = git_dir.join(name);
        // One that leads to its own folder holds a place.
        let is_own = !repository.linked && reads(&file, ".\n");
        if is(facts, &file, PathKind::File) && !is_own {
            repository.leads.push(file);
        }
    }
    let info = git_dir.join("info");
    let attributes = info.join("attributes");
    if is(facts, &info, PathKind::Folder) && !reads(&attributes, "") {
        paths::note(facts, &attributes);
    }
    let hooks = git_dir.join("hooks");
    let is_empty = hooks.read_dir_utf8().is_ok_and(|mut entries| entries.next().is_none());
    if is(facts, &hooks, PathKind::Folder) && !is_empty {
        repository.hooks = Some(hooks);
    }
    for named in &repository.named {
        paths::note(facts, &named.path);
        if let Some(parent) = named.path.parent() {
            paths::note(facts, parent);
        }
    }
}

fn reads(file: &Utf8Path, text: &str) -> bool {
    read_file(file, MAX_BYTES).is_ok_and(|found| *found.content == text.as_bytes())
}

fn is(facts: &mut HostFacts, path: &Utf8Path, kind: PathKind) -> bool {
    paths::note(facts, path);
    facts.path(path).is_some_and(|fact| fact.kind == kind && fact.link.is_none())
}

/// What a configuration names that git would run or obey, where it lies in what an agent can write: in the work tree or
/// in the repository.
fn named(facts: &HostFacts, config: &Utf8Path, git_dir: &Utf8Path) -> Vec<NamedByGit> {
    let Some(text) = read_file(config, MAX_BYTES).ok() else { return Vec::new() };
    let Some(entries) = std::str::from_utf8(&text.content).ok().and_then(entries) else { return Vec::new() };
    // A git dir in the work tree stands for its own; any other one for the project.
    let work_tree = match git_dir.parent() {
        Some(parent) if git_dir.file_name() == Some(".git") => parent,
        Some(_) | None => &facts.project.path,
    };
    let home = facts.user.home.as_deref();
    let mut out = Vec::new();
    for entry in entries {
        let base = match (entry.section.as_str(), entry.key.as_str()) {
            ("core", "hookspath") => work_tree,
            ("include" | "includeif", "path") => git_dir,
            _ => continue,
        };
        let value = entry.value.as_deref().unwrap_or_default();
        let path = match (value.strip_prefix("~/"), home) {
            (Some(below), Some(home)) => home.join(below),
            (Some(_), None) => continue,
            (None, _) => base.join(value),
        };
        let path = clean(&path);
        let writable = is_within(&path, &facts.project.path) || is_within(&path, git_dir);
        if writable && path != facts.project.path && path != git_dir {
            out.push(NamedByGit { key: entry.dotted(), path });
        }
    }
    out
}
