//! Looks at files in a folder that an agent can write: by the folder's descriptor, without following a link or
//! waiting for anybody, and plain files only.

use std::os::fd::BorrowedFd;

use coffer_plan::sign_in::shape::MAX_LOGIN_BYTES;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::{Errno, read};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The path below the folder leads nowhere else.
pub(crate) const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);
/// First size of the buffer; a login has about 500 bytes.
const USUAL_BYTES: usize = 4096;

/// What stands under a name.
#[derive(Debug)]
pub enum Seen {
    /// Nothing.
    Missing,
    /// Something that is no login file, in words: a link, a folder, a pipe, a file with a second name, one that is
    /// too large, or one that cannot be opened.
    Strange(&'static str),
    /// A plain file.
    File {
        /// Device and inode.
        identity: (u64, u64),
        /// What it holds.
        content: Secret,
    },
}

impl Seen {
    /// What a plain file holds.
    pub fn content(&self) -> Option<&[u8]> {
        match self {
            Self::File { content, .. } => Some(content.expose()),
            Self::Missing | Self::Strange(_) => None,
        }
    }
}

/// Looks at what stands under `name` in `folder`.
pub fn look(folder: BorrowedFd<'_>, name: &str) -> Seen {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = loop {
        match openat2(folder, name, flags, Mode::empty(), INSIDE) {
            Ok(file) => break file,
            // A rename somewhere on the machine made the kernel unsure, or a signal came.
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::NOENT) => return Seen::Missing,
            Err(Errno::LOOP | Errno::XDEV) => return Seen::Strange("a link"),
            Err(_) => return Seen::Strange("something that cannot be opened"),
        }
    };
    let Ok(found) = fstat(&file) else { return Seen::Strange("something that cannot be looked at") };
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Seen::Strange("no plain file");
    }
    if found.st_nlink > 1 {
        return Seen::Strange("a file with a second name");
    }
    // No copy of a secret may stay in freed memory, so the buffer never grows in place.
    let mut content = Zeroizing::new(Vec::with_capacity(USUAL_BYTES));
    loop {
        if content.len() == content.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(content.capacity() * 4));
            larger.extend_from_slice(&content);
            content = larger;
        }
        match read(&file, rustix::buffer::spare_capacity(&mut content)) {
            Ok(0) => break,
            Ok(_) if content.len() > MAX_LOGIN_BYTES => return Seen::Strange("larger than any login"),
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return Seen::Strange("something that cannot be read"),
        }
    }
    let content = Secret::new(std::mem::take(&mut content));
    Seen::File { identity: (found.st_dev, found.st_ino), content }
}
