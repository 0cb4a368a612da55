//! What stands at a path, links followed: an `O_PATH` descriptor names the thing and its real path
//! together, and opens neither pipe nor device.

use std::os::unix::ffi::OsStrExt;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{HostFacts, PathFact, PathKind};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, open, readlinkat};
use rustix::io::Errno;

/// The permission bits, with set-id and sticky bits.
const MODE_BITS: u32 = 0o7777;

/// Looks at one path. Most of those that are asked about do not exist, so the cheapest call comes first.
pub fn look(path: &Utf8Path) -> PathFact {
    let link = match readlinkat(CWD, path.as_str(), Vec::new()) {
        // Bytes that are not UTF-8 are replaced: the text is for people.
        Ok(text) => Some(text.to_string_lossy().into_owned()),
        // There, and no link.
        Err(Errno::INVAL) => None,
        Err(errno) => return nothing(path, None, kind_of_failure(errno)),
    };
    let handle = match open(path.as_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(handle) => handle,
        Err(errno) => return nothing(path, link, kind_of_failure(errno)),
    };
    match fstat(&handle) {
        Ok(stat) => seen(path, link, &handle, &stat),
        Err(_) => nothing(path, link, PathKind::Unreadable),
    }
}

fn kind_of_failure(errno: Errno) -> PathKind {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => PathKind::Missing,
        Errno::LOOP => PathKind::LinkLoop,
        _ => PathKind::Unreadable,
    }
}

/// Puts the fact of a path among the facts, and that of its real path when that is another one.
pub(crate) fn note(facts: &mut HostFacts, path: &Utf8Path) {
    if facts.paths.contains_key(path) {
        return;
    }
    let fact = look(path);
    if fact.resolved != path && !facts.paths.contains_key(&fact.resolved) {
        let real = PathFact { link: None, ..fact.clone() };
        facts.paths.insert(fact.resolved.clone(), real);
    }
    facts.paths.insert(path.to_owned(), fact);
}

/// The path with every link followed; `None` when nothing can be reached there, or when the real path
/// is not UTF-8.
pub(crate) fn real(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let fact = look(path);
    match fact.kind {
        PathKind::Missing | PathKind::LinkLoop | PathKind::Unreadable => None,
        PathKind::File | PathKind::Folder | PathKind::Socket | PathKind::Device | PathKind::Fifo => {
            Some(fact.resolved)
        }
    }
}

fn seen(path: &Utf8Path, link: Option<String>, handle: &OwnedFd, stat: &Stat) -> PathFact {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => PathKind::File,
        FileType::Directory => PathKind::Folder,
        FileType::Socket => PathKind::Socket,
        FileType::CharacterDevice | FileType::BlockDevice => PathKind::Device,
        FileType::Fifo => PathKind::Fifo,
        FileType::Symlink | FileType::Unknown => PathKind::Unreadable,
    };
    let Some(resolved) = real_path(path, handle) else {
        return nothing(path, link, PathKind::Unreadable);
    };
    // Removed between the two calls. Some file systems count no links, so that alone says nothing.
    if stat.st_nlink == 0 && resolved.as_str().ends_with(" (deleted)") {
        return nothing(path, link, PathKind::Missing);
    }
    PathFact {
        kind,
        resolved,
        link,
        dev: stat.st_dev,
        ino: stat.st_ino,
        uid: stat.st_uid,
        mode: stat.st_mode & MODE_BITS,
    }
}

/// The absolute real path; `None` when it is not UTF-8, or when there is none (a pipe, another root).
fn real_path(path: &Utf8Path, handle: &OwnedFd) -> Option<Utf8PathBuf> {
    let link = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let real = match readlinkat(CWD, link, Vec::new()) {
        Ok(real) => std::path::PathBuf::from(std::ffi::OsStr::from_bytes(real.as_bytes())),
        // Without /proc the slower way.
        Err(_) => std::fs::canonicalize(path).ok()?,
    };
    Utf8PathBuf::from_path_buf(real).ok().filter(|real| real.is_absolute())
}

fn nothing(path: &Utf8Path, link: Option<String>, kind: PathKind) -> PathFact {
    PathFact { kind, resolved: path.to_owned(), link, dev: 0, ino: 0, uid: 0, mode: 0 }
}

#[cfg(test)]
mod tests;
