//! The one way in which files are opened here: never blocking, regular files only, bounded, and into a
//! buffer that is wiped when it goes.

use std::io;

use camino::Utf8Path;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat2};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// Largest settings, config or manifest file that is read, in bytes.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// How often a file that changes under our hands is begun anew.
const ATTEMPTS: usize = 4;

/// What a file held; wiped on drop, since settings and logins hold secrets.
pub(crate) type Content = Zeroizing<Vec<u8>>;

/// Why a file could not be read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// There is nothing.
    Missing,
    /// A link stands where none is followed.
    Link,
    /// It is something else than a file: `a folder`, `a named pipe` …
    NotFile(&'static str),
    /// It is larger than the cap (in bytes).
    TooLarge(usize),
    /// The operating system refused.
    Os(io::Error),
}

impl std::fmt::Display for Unread {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => out.write_str("missing"),
            Self::Link => out.write_str("a symbolic link"),
            Self::NotFile(what) => out.write_str(what),
            Self::TooLarge(limit) => write!(out, "larger than {limit} bytes"),
            Self::Os(error) => write!(out, "{error}"),
        }
    }
}

/// A file and what `fstat` said about it.
pub(crate) struct Found {
    /// What it held.
    pub(crate) content: Content,
    /// Its owner, mode and so on.
    pub(crate) stat: Stat,
}

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Reads a file of the user's own; links are followed.
pub(crate) fn read_file(path: &Utf8Path, limit: usize) -> Result<Found, Unread> {
    let file = open(path.as_str(), FLAGS, Mode::empty()).map_err(failed)?;
    bounded(&file, limit)
}

/// Reads a file in a tree that an agent may have written: nothing leads out of `root`, and no link on
/// the way is followed.
pub(crate) fn read_beneath(root: &Utf8Path, relative: &str, limit: usize) -> Result<Found, Unread> {
    let folder = open(root.as_str(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed)?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let mut attempts = 1;
    let file = loop {
        match openat2(&folder, relative, FLAGS, Mode::empty(), resolve) {
            // A rename somewhere on the machine made the kernel unsure.
            Err(Errno::AGAIN) if attempts < ATTEMPTS => attempts += 1,
            other => break other.map_err(failed)?,
        }
    };
    bounded(&file, limit)
}

/// Reads a file of the kernel's (`/proc`, `/sys`), whose size says nothing; `None` when it is not there.
pub(crate) fn read_kernel(path: &Utf8Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Whether the effective user may do this with the path.
pub(crate) fn may(path: &Utf8Path, access: rustix::fs::Access) -> bool {
    rustix::fs::accessat(CWD, path.as_str(), access, rustix::fs::AtFlags::EACCESS).is_ok()
}

/// What a file type is called in messages.
pub(crate) fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "of an unknown kind",
    }
}

fn failed(errno: Errno) -> Unread {
    match errno {
        Errno::NOENT | Errno::NOTDIR => Unread::Missing,
        Errno::LOOP => Unread::Link,
        // Opening a socket, or a pipe's other end that is not there.
        Errno::NXIO | Errno::NODEV => Unread::NotFile("a socket or a device"),
        other => Unread::Os(other.into()),
    }
}

/// Reads what is open already.
pub(crate) fn read_open(file: &OwnedFd, limit: usize) -> Result<Found, Unread> {
    bounded(file, limit)
}

fn bounded(file: &OwnedFd, limit: usize) -> Result<Found, Unread> {
    for _ in 0..ATTEMPTS {
        let stat = fstat(file.as_fd()).map_err(failed)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            other => return Err(Unread::NotFile(kind_name(other))),
        }
        let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
        if size > limit {
            return Err(Unread::TooLarge(limit));
        }
        if let Some(content) = whole(file, size)? {
            return Ok(Found { content, stat });
        }
    }
    Err(Unread::Os(io::Error::other("it grows while it is read")))
}

/// The file from its start; `None` when it is longer than `size`. The buffer never moves, so that no
/// copy of a secret stays behind in freed memory.
fn whole(file: &OwnedFd, size: usize) -> Result<Option<Content>, Unread> {
    let mut content = Zeroizing::new(vec![0; size + 1]);
    let mut filled = 0;
    while filled <= size {
        match rustix::io::pread(file, &mut content[filled..], filled as u64) {
            Ok(0) => {
                content.truncate(filled);
                return Ok(Some(content));
            }
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(other) => return Err(failed(other)),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
