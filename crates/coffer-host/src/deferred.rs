//! What of the project programs of the host would run later: a bounded scan for the paths of the list and for
//! repositories. Nothing in the project is trusted: no link is followed, and no folder of it is reached by a path that
//! an agent could exchange meanwhile.

mod budget;
mod git;
mod named;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::deferred::ScanBounds;
use coffer_plan::facts::{
    DeferredFacts, DeferredFound, DeferredQuestion, HostFacts, RepositoryFact, ScanStopped,
};
use rustix::fd::OwnedFd;
use rustix::fs::{Access, AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2, statat};

use crate::paths;
use crate::read::may;
use budget::{Budget, Spent};

/// Looks through the project, and notes what stands at the paths that it finds.
pub(crate) fn look(facts: &mut HostFacts, question: &DeferredQuestion) {
    let mut budget = Budget::new(&question.scan);
    let mut found = scan(&facts.project.path, question, &mut budget);
    found.writable = may(&facts.project.path, Access::WRITE_OK | Access::EXEC_OK);
    budget.renew(&question.scan);
    git::repositories(facts, &mut found, question.scan.most_repositories, &mut budget);
    (found.entries, found.stopped) = (budget.entries, budget.stopped);
    for path in found.found.iter().map(|found| &found.path) {
        paths::note(facts, path);
    }
    // What is there of the way to a place that is held.
    for rule in question.rules.iter().filter(|rule| rule.path.hold) {
        let path = facts.project.path.join(&rule.path.path);
        let root = facts.project.path.clone();
        for folder in path.ancestors().skip(1).take_while(|folder| **folder != *root) {
            paths::note(facts, folder);
        }
    }
    facts.deferred = Some(found);
}

/// The same look at the end of a run, without what the facts need.
pub fn look_again(facts: &HostFacts, question: &DeferredQuestion) -> HostFacts {
    let mut facts = facts.clone();
    facts.paths.clear();
    look(&mut facts, question);
    facts
}

/// A folder that is still to be looked into.
struct Waiting {
    path: Utf8PathBuf,
    depth: usize,
}

/// Whatever the list names, in the order of its depth; repositories are found by their `.git`.
fn scan(root: &Utf8Path, question: &DeferredQuestion, budget: &mut Budget) -> DeferredFacts {
    let mut scan = Scan {
        by_name: HashMap::new(),
        skip: question.scan.skip.iter().map(String::as_str).collect(),
        bounds: &question.scan,
        budget,
        out: DeferredFacts::default(),
        waiting: VecDeque::from([Waiting { path: Utf8PathBuf::new(), depth: 0 }]),
    };
    for rule in &question.rules {
        let path = Utf8Path::new(&rule.path.path);
        let first = path.components().next().map_or("", |part| part.as_str());
        scan.by_name.entry(first.to_owned()).or_default().push((path, rule.path.warn));
    }
    let Ok(top) = openat(CWD, root.as_str(), FOLDER, Mode::empty()) else { return scan.out };
    while let Some(folder) = scan.waiting.pop_front() {
        let opened = if folder.depth == 0 {
            openat(&top, ".", FOLDER, Mode::empty())
        } else {
            openat2(&top, folder.path.as_str(), FOLDER, Mode::empty(), INSIDE)
        };
        // What cannot be entered by us is not entered by our programs either.
        let Ok(opened) = opened else { continue };
        if scan.folder(root, &folder, &opened).is_err() {
            break;
        }
    }
    scan.out
}

/// A folder, and no link to one.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

struct Scan<'a> {
    /// Rules by the first part of their path, and whether they only warn.
    by_name: HashMap<String, Vec<(&'a Utf8Path, bool)>>,
    skip: HashSet<&'a str>,
    bounds: &'a ScanBounds,
    budget: &'a mut Budget,
    out: DeferredFacts,
    waiting: VecDeque<Waiting>,
}

impl Scan<'_> {
    /// Looks at what is in a folder; an error ends the scan.
    fn folder(&mut self, root: &Utf8Path, folder: &Waiting, opened: &OwnedFd) -> Result<(), Spent> {
        let Ok(entries) = Dir::read_from(opened) else { return Ok(()) };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.budget.entry()?;
            // A name that is no text is none of the list's.
            let Ok(name) = name.to_str() else {
                if matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
                    self.budget.left_out(ScanStopped::Names);
                }
                continue;
            };
            let kind = match entry.file_type() {
                FileType::Unknown => match statat(opened, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(found) => FileType::from_raw_mode(found.st_mode),
                    Err(_) => continue,
                },
                known => known,
            };
            self.entry(root, folder, opened, name, kind);
        }
        Ok(())
    }

    /// What stands at a `.git`.
    fn git(&mut self, path: Utf8PathBuf, kind: FileType) {
        match kind {
            FileType::Directory => self.repository(path),
            FileType::Symlink => {
                let link = Some(path.clone());
                self.out.repositories.push(RepositoryFact {
                    git_dir: path,
                    link,
                    ..RepositoryFact::default()
                });
            }
            _ => self.out.dot_git_files.push(path),
        }
    }

    fn repository(&mut self, path: Utf8PathBuf) {
        // The root's own path has no end that joining an empty one would add.
        let git_dir = path.components().collect();
        self.out.repositories.push(RepositoryFact { git_dir, ..RepositoryFact::default() });
    }

    /// A folder that is not looked into can be a work tree, and git is used in it.
    fn skipped(&mut self, root: &Utf8Path, below: &Utf8Path, opened: &OwnedFd, name: &str) {
        let Ok(folder) = openat2(opened, name, FOLDER, Mode::empty(), INSIDE) else { return };
        if let Ok(found) = statat(&folder, ".git", AtFlags::SYMLINK_NOFOLLOW) {
            self.git(root.join(below).join(".git"), FileType::from_raw_mode(found.st_mode));
        }
        if statat(&folder, "HEAD", AtFlags::SYMLINK_NOFOLLOW).is_ok() && is_git_dir(&folder) {
            self.repository(root.join(below));
        }
    }

    fn entry(&mut self, root: &Utf8Path, folder: &Waiting, opened: &OwnedFd, name: &str, kind: FileType) {
        let below = folder.path.join(name);
        match name {
            ".git" => return self.git(root.join(&below), kind),
            "HEAD" if is_git_dir(opened) => self.repository(root.join(&folder.path)),
            _ => {}
        }
        let mut whole = false;
        for (rule, warn) in self.by_name.get(name).into_iter().flatten() {
            let rest = rule.strip_prefix(name).unwrap_or(rule);
            let kind = if rest == "" { Some(kind) } else { deeper(opened, rule) };
            // An empty folder in the root is what holds a place, of another run or of an earlier one.
            if folder.depth == 0 && kind == Some(FileType::Directory) && is_empty(opened, rule) {
                continue;
            }
            if let Some(kind) = kind {
                let (path, rule) = (root.join(&folder.path).join(rule), rule.to_string());
                let link = kind == FileType::Symlink;
                self.out.found.push(DeferredFound { path, rule, link });
            }
            // What only warns stays writable, so there may be more in it.
            whole |= rest == "" && !warn;
        }
        if kind != FileType::Directory || whole {
            return;
        }
        if self.skip.contains(name) {
            self.out.skipped += 1;
            self.skipped(root, &below, opened, name);
        } else if folder.depth < self.bounds.most_depth {
            self.waiting.push_back(Waiting { path: below, depth: folder.depth + 1 });
        } else {
            self.budget.left_out(ScanStopped::Depth);
        }
    }
}

/// Whether git would take the folder around a `HEAD` for a repository: one without a work tree, or one that leads to
/// another.
fn is_git_dir(opened: &OwnedFd) -> bool {
    let is = |name: &str, kind: FileType| {
        // Git follows links here; nothing is opened.
        let found = statat(opened, name, AtFlags::empty());
        found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == kind)
    };
    (is("objects", FileType::Directory) && is("refs", FileType::Directory))
        || is("commondir", FileType::RegularFile)
}

fn is_empty(opened: &OwnedFd, path: &Utf8Path) -> bool {
    let Ok(folder) = openat2(opened, path.as_str(), FOLDER, Mode::empty(), INSIDE) else { return false };
    let Ok(entries) = Dir::read_from(&folder) else { return false };
    entries.flatten().all(|entry| matches!(entry.file_name().to_bytes(), b"." | b".."))
}

/// What stands at a path of several parts; no link is followed on the way.
fn deeper(opened: &OwnedFd, path: &Utf8Path) -> Option<FileType> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = openat2(opened, path.as_str(), flags, Mode::empty(), INSIDE).ok()?;
    Some(FileType::from_raw_mode(rustix::fs::fstat(found).ok()?.st_mode))
}
