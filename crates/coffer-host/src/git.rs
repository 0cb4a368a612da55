//! A git work tree and its real git dir, by the files alone (gitrepository-layout(5)); git is not run,
//! because its own configuration can name programs to run.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{PathFact, PathKind};
use coffer_plan::path::{clean, is_within};

use crate::git_config;
use crate::paths::{look, real};
use crate::read::read_file;

/// Largest `.git`, `gitdir` or `commondir` file that is read, in bytes: a path and a few words.
const MAX_LINK_BYTES: usize = 64 * 1024;

/// A work tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WorkTree {
    /// Its top folder.
    pub(crate) top: Utf8PathBuf,
    /// Its repository; `None` when its `.git` leads to none.
    pub(crate) repository: Option<Repository>,
}

/// Where a work tree's repository lies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    /// The work tree's git dir, links followed.
    pub(crate) git_dir: Utf8PathBuf,
    /// The dir that holds objects, refs and config, links followed.
    pub(crate) common_dir: Utf8PathBuf,
    /// Whether the git dir lies in the work tree or names it.
    pub(crate) verified: bool,
}

/// The work tree around `start` (a real path): upwards to the first `.git`, within one file system.
///
/// A `.git` of somebody else (neither `uid`'s nor of `start`'s owner) counts as none: anybody can make one
/// in `/tmp`, and git refuses it too. A broken one ends the search, else whoever breaks it would widen
/// the project to a work tree further up.
pub(crate) fn work_tree(start: &Utf8Path, uid: u32) -> Option<WorkTree> {
    let here = look(start);
    for top in start.ancestors() {
        if top != start && look(top).dev != here.dev {
            return None;
        }
        let entry = top.join(".git");
        let fact = look(&entry);
        let repository = match fact.kind {
            PathKind::Missing if fact.link.is_none() => continue,
            PathKind::File | PathKind::Folder if foreign(&fact, uid, here.uid) => continue,
            PathKind::Folder => repository(top, &fact, fact.resolved.clone()),
            PathKind::File => named_in(&entry).and_then(|git_dir| repository(top, &fact, git_dir)),
            PathKind::Missing
            | PathKind::Socket
            | PathKind::Device
            | PathKind::Fifo
            | PathKind::LinkLoop
            | PathKind::Unreadable => None,
        };
        return Some(WorkTree { top: top.to_owned(), repository });
    }
    None
}

/// Whether somebody else made it: neither the user nor the owner of the folder that was started in.
fn foreign(entry: &PathFact, user: u32, start_owner: u32) -> bool {
    entry.uid != user && entry.uid != start_owner
}

fn repository(top: &Utf8Path, entry: &PathFact, git_dir: Utf8PathBuf) -> Option<Repository> {
    let common_dir = common_dir(&git_dir)?;
    Some(Repository { verified: verified(top, entry, &git_dir, &common_dir), git_dir, common_dir })
}

/// What a `.git` file names (`gitdir: PATH`).
fn named_in(file: &Utf8Path) -> Option<Utf8PathBuf> {
    let text = line(file)?;
    let named = text.strip_prefix("gitdir: ")?;
    real(&clean(&file.parent()?.join(named)))
}

/// The common dir of a git dir; `None` when the folder is no git dir.
fn common_dir(git_dir: &Utf8Path) -> Option<Utf8PathBuf> {
    let common = match line(&git_dir.join("commondir")) {
        Some(named) => real(&git_dir.join(named))?,
        None => git_dir.to_owned(),
    };
    let is_folder = |name: &str| look(&common.join(name)).kind == PathKind::Folder;
    let head = look(&git_dir.join("HEAD"));
    // HEAD may be a link to a branch that is not born yet.
    let has_head = head.kind == PathKind::File || head.link.is_some();
    (has_head && is_folder("objects") && is_folder("refs")).then_some(common)
}

/// Whether the repository itself names this work tree. What lies in the work tree an agent may have
/// written, so a `.git` file alone could point to any repository of the user's.
fn verified(top: &Utf8Path, entry: &PathFact, git_dir: &Utf8Path, common_dir: &Utf8Path) -> bool {
    if is_within(git_dir, top) && is_within(common_dir, top) {
        return true;
    }
    if entry.link.is_some() || is_within(git_dir, top) {
        return false;
    }
    let named_back = |path: Utf8PathBuf, expected: &Utf8Path| real(&path).as_deref() == Some(expected);
    if git_dir.parent() == Some(&common_dir.join("worktrees")) {
        return line(&git_dir.join("gitdir"))
            .is_some_and(|back| named_back(git_dir.join(back), &top.join(".git")));
    }
    git_dir == common_dir
        && ["config.worktree", "config"].iter().any(|file| {
            git_config::value(&git_dir.join(file), "core", "worktree")
                .is_some_and(|back| named_back(git_dir.join(back), top))
        })
}

/// The text of a one-line file.
fn line(file: &Utf8Path) -> Option<String> {
    let found = read_file(file, MAX_LINK_BYTES).ok()?;
    let text = std::str::from_utf8(&found.content).ok()?;
    let text = text.trim_end_matches(['\n', '\r']);
    (!text.is_empty() && !text.contains('\0')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
