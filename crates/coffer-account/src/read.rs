//! Reads a file in a folder that somebody else may write: by descriptor, without following a link, never
//! blocking, regular files only, bounded, into a buffer that is wiped.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// How often a file that changes under our hands is begun anew.
const ATTEMPTS: usize = 4;

/// Why a file was not read.
#[derive(Debug)]
pub enum Unread {
    /// There is nothing.
    Missing,
    /// It is a link, or a link leads to it.
    Link,
    /// It is no regular file with one name.
    NotPlain,
    /// It is larger than this many bytes.
    TooLarge(usize),
    /// The operating system refused.
    Os(io::Error),
}

impl std::fmt::Display for Unread {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => out.write_str("it is not there"),
            Self::Link => out.write_str("it is a symbolic link"),
            Self::NotPlain => out.write_str("it is no plain file"),
            Self::TooLarge(limit) => write!(out, "it is larger than {limit} bytes"),
            Self::Os(error) => write!(out, "{error}"),
        }
    }
}

/// A file that was read.
pub struct Found {
    /// What it holds; wiped when dropped.
    pub content: Zeroizing<Vec<u8>>,
    /// Its owner.
    pub uid: u32,
    /// Its permission bits (the lower twelve).
    pub mode: u32,
}

/// Reads `name` in `folder`, at most `limit` bytes of it.
///
/// # Errors
/// [`Unread`].
pub fn file(folder: BorrowedFd<'_>, name: &str, limit: usize) -> Result<Found, Unread> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let file = loop {
        match openat2(folder, name, flags, Mode::empty(), inside) {
            // A rename somewhere on the machine made the kernel unsure.
            Err(Errno::AGAIN) => {}
            Err(Errno::NOENT) => return Err(Unread::Missing),
            Err(Errno::LOOP | Errno::XDEV) => return Err(Unread::Link),
            Err(Errno::NXIO) => return Err(Unread::NotPlain),
            Err(error) => return Err(Unread::Os(error.into())),
            Ok(file) => break file,
        }
    };
    for _ in 0..ATTEMPTS {
        let found = fstat(&file).map_err(|error| Unread::Os(error.into()))?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile || found.st_nlink > 1 {
            return Err(Unread::NotPlain);
        }
        let size = usize::try_from(found.st_size).unwrap_or(usize::MAX);
        if size > limit {
            return Err(Unread::TooLarge(limit));
        }
        if let Some(content) = whole(&file, size)? {
            return Ok(Found { content, uid: found.st_uid, mode: found.st_mode & 0o7777 });
        }
    }
    Err(Unread::Os(io::Error::other("it grows while it is read")))
}

/// The file from its start; `None` when it is longer than `size`. The buffer never moves, so that no copy of
/// a secret stays in freed memory.
fn whole(file: &OwnedFd, size: usize) -> Result<Option<Zeroizing<Vec<u8>>>, Unread> {
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
            Err(error) => return Err(Unread::Os(error.into())),
        }
    }
    Ok(None)
}
