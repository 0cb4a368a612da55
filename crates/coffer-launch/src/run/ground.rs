//! Who uses a state of ours, and how: runs that write in it, and working copies that are laid over it and need it
//! to keep still.
//!
//! Writers hold a shared lock on a file beside the state, readers one on the state's folder itself, and whoever
//! comes or merges first takes the gate. Nobody writes in a state over which something is laid: a writer that finds
//! readers makes a copy for itself, puts it in the state's place, and leaves them the old folder, which goes with
//! the last of them. So a working copy still has exactly what it began with when it is merged.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{CWD, RenameFlags, fstat, renameat_with, syncfs};

use super::RunError;
use super::claim::random_id;
use super::copy_tree::{Tell, copy_tree};
use super::folder::{make_own, remove};

#[cfg(test)]
mod tests;

/// Where locks and left folders lie, beside the state.
const LOCKS: &str = ".locks";
const LEFT: &str = ".left";

/// Held by a run that writes in a state.
#[derive(Debug)]
pub(super) struct Writer {
    _lock: File,
}

/// Held by a run whose working copy is laid over a state. The folder stays what it is.
#[derive(Debug)]
pub(super) struct Reader {
    folder: File,
}

/// Held while a working copy is merged: nobody comes or goes meanwhile.
#[derive(Debug)]
pub(super) struct Merging {
    /// The state as it is now.
    pub(super) folder: File,
    /// Whether it is still the folder that the working copy began with.
    pub(super) is_same: bool,
    /// Whether a live run writes in it.
    pub(super) is_live: bool,
    _gate: File,
}

impl Reader {
    pub(super) fn folder(&self) -> &File {
        &self.folder
    }
}

/// Says that this run writes in the state.
pub(super) fn write(path: &Utf8Path, tell: Tell<'_>) -> Result<Writer, RunError> {
    make_own(path)?;
    let _gate = gate(path)?;
    let lock = lock_file(path, "writers")?;
    if is_free(&lock, path)? && !is_free(&open(path)?, path)? {
        leave_to_readers(path, tell)?;
    }
    lock.try_lock_shared().map_err(|error| locked(path, error))?;
    sweep_left(path);
    Ok(Writer { _lock: lock })
}

/// Says that a working copy is laid over the state; `None` when somebody writes in it.
pub(super) fn read(path: &Utf8Path) -> Result<Option<Reader>, RunError> {
    make_own(path)?;
    let _gate = gate(path)?;
    sweep_left(path);
    if !is_free(&lock_file(path, "writers")?, path)? {
        return Ok(None);
    }
    let folder = open(path)?;
    match folder.try_lock_shared() {
        Ok(()) => Ok(Some(Reader { folder })),
        // Nobody of ours locks it alone: what was in it once may have.
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(error) => Err(locked(path, error)),
    }
}

/// Whether somebody writes in the state this moment; a state that is not there is nobody's.
pub(super) fn is_written(path: &Utf8Path) -> bool {
    let Ok(gate) = File::open(lock_path(path, "gate")) else { return false };
    let Ok(writers) = File::open(lock_path(path, "writers")) else { return false };
    // What cannot be asked counts as in use: a copy is always right.
    gate.lock().is_err() || !is_free(&writers, path).unwrap_or(false)
}

/// Makes the state ready to be merged into; `began` is the folder that the working copy was laid over.
pub(super) fn merge(path: &Utf8Path, began: Option<&Reader>, tell: Tell<'_>) -> Result<Merging, RunError> {
    make_own(path)?;
    let gate = gate(path)?;
    let is_live = !is_free(&lock_file(path, "writers")?, path)?;
    let mut folder = open(path)?;
    let is_same = |folder: &File| match began {
        Some(began) => identity(path, folder).and_then(|now| Ok(now == identity(path, &began.folder)?)),
        None => Ok(false),
    };
    let began_here = is_same(&folder)?;
    // Our own lock is made one that is for us alone, if nobody else has one.
    let own = began.filter(|_| began_here).map_or(&folder, |began| &began.folder);
    if !is_live && !is_free(own, path)? {
        leave_to_readers(path, tell)?;
        folder = open(path)?;
    }
    // What was put in its place a moment ago is the same in all but its number.
    Ok(Merging { folder, is_same: began_here, is_live, _gate: gate })
}

/// A reader is gone: what was left to readers goes with the last of them.
pub(super) fn ended(path: &Utf8Path, reader: Reader) -> Result<(), RunError> {
    let _gate = gate(path)?;
    drop(reader);
    sweep_left(path);
    Ok(())
}

/// A copy takes the state's place, and the readers keep the folder that they have.
fn leave_to_readers(path: &Utf8Path, tell: Tell<'_>) -> Result<(), RunError> {
    let left = beside(path, LEFT);
    make_own(&left)?;
    let new = left.join(format!("{}.{}", name(path), random_id()?));
    make_own(&new)?;
    let (from, to) = (open(path)?, open(&new)?);
    let copied = copy_tree(from.as_fd(), to.as_fd(), tell).and_then(|_| Ok(syncfs(&to)?));
    copied.map_err(|source| RunError::CopyState { path: path.to_owned(), source })?;
    let exchanged = renameat_with(CWD, path.as_std_path(), CWD, new.as_std_path(), RenameFlags::EXCHANGE);
    exchanged.map_err(|errno| RunError::CopyState { path: path.to_owned(), source: errno.into() })
}

/// Removes the folders of this state that were left to readers who are gone. The gate is ours.
fn sweep_left(path: &Utf8Path) {
    let entries = beside(path, LEFT).read_dir_utf8().into_iter().flatten().flatten();
    for entry in entries {
        let is_ours = entry.file_name().strip_prefix(name(path)).is_some_and(|rest| rest.starts_with('.'));
        if is_ours && open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok()) {
            // What cannot be removed stays for the next time.
            let _ = remove(entry.path());
        }
    }
}

fn gate(path: &Utf8Path) -> Result<File, RunError> {
    make_own(&beside(path, LOCKS))?;
    let gate = lock_file(path, "gate")?;
    gate.lock().map_err(|source| RunError::Lock { path: path.to_owned(), source })?;
    Ok(gate)
}

/// Whether nobody else holds a lock on it; ours is given back.
fn is_free(lock: &File, path: &Utf8Path) -> Result<bool, RunError> {
    match lock.try_lock() {
        Ok(()) => lock.unlock().map(|()| true).map_err(|error| locked(path, TryLockError::Error(error))),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(error) => Err(locked(path, error)),
    }
}

fn lock_file(path: &Utf8Path, what: &str) -> Result<File, RunError> {
    let path = lock_path(path, what);
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    opened.map_err(|source| RunError::Lock { path, source })
}

fn lock_path(path: &Utf8Path, what: &str) -> Utf8PathBuf {
    beside(path, LOCKS).join(format!("{}.{what}", name(path)))
}

fn open(path: &Utf8Path) -> Result<File, RunError> {
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::NOFOLLOW;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    opened.map_err(|source| RunError::State { action: "open", path: path.to_owned(), source })
}

fn identity(path: &Utf8Path, folder: &File) -> Result<(u64, u64), RunError> {
    let found = fstat(folder).map_err(|errno| RunError::State {
        action: "look at",
        path: path.to_owned(),
        source: errno.into(),
    })?;
    Ok((found.st_dev, found.st_ino))
}

fn locked(path: &Utf8Path, error: TryLockError) -> RunError {
    RunError::Lock { path: path.to_owned(), source: error.into() }
}

fn name(path: &Utf8Path) -> &str {
    path.file_name().unwrap_or_default()
}

/// A folder beside the state: no state's own name begins with a dot.
pub(super) fn beside(path: &Utf8Path, what: &str) -> Utf8PathBuf {
    path.with_file_name(what)
}
