//! Mounts over paths of the host that only a child sees: it parts from the host's mounts between `fork` and `execve`,
//! mounts each thing in its place, and what it binds afterwards takes them along.
//!
//! All goes by descriptors, without following a link on the way: an agent of another run may exchange what lies in a
//! project, and then the child does not begin.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{getegid, geteuid};

use crate::overlay::{Maps, part};

/// One mount.
#[derive(Debug)]
pub struct Guard {
    /// What is mounted; the place itself without.
    source: Option<CString>,
    place: CString,
    /// Device and inode that the place must have.
    object: Option<(u64, u64)>,
    read_only: bool,
}

/// Says what failed before the child could begin.
#[derive(Debug)]
pub struct Report(OwnedFd);

/// What failed before the child could begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It got no namespaces of its own.
    Parting,
    /// A guard could not be mounted; counted from 0.
    Guard(usize),
}

/// The report's number for what is no guard.
const PARTING: usize = usize::MAX;

impl Guard {
    /// The place is mounted onto itself: it cannot be moved away then, and with `read_only` not be written.
    ///
    /// # Errors
    /// When the path holds a zero byte.
    pub fn itself(place: &Path, object: Option<(u64, u64)>, read_only: bool) -> io::Result<Self> {
        Ok(Self { source: None, place: word(place)?, object, read_only })
    }

    /// A link is mounted over a file: whoever opens the file is led to where the link leads.
    ///
    /// # Errors
    /// When a path holds a zero byte.
    pub fn link(link: &Path, place: &Path, object: (u64, u64)) -> io::Result<Self> {
        Ok(Self { source: Some(word(link)?), place: word(place)?, object: Some(object), read_only: true })
    }

    fn mount(&self) -> Result<(), Errno> {
        let place = open(&self.place)?;
        if let Some(object) = self.object {
            let found = fstat(&place)?;
            if (found.st_dev, found.st_ino) != object {
                return Err(Errno::STALE);
            }
        }
        let source = self.source.as_ref().map(open).transpose()?;
        let clone =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let tree = match &source {
            Some(link) => open_tree(link, c"", clone)?,
            None => open_tree(&place, c"", clone | OpenTreeFlags::AT_RECURSIVE)?,
        };
        // What bubblewrap would set anyway; by the path, and a link has none that leads to itself.
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let read_only =
            if self.read_only { MountAttrFlags::MOUNT_ATTR_RDONLY } else { MountAttrFlags::empty() };
        set_attributes(tree.as_fd(), attributes | read_only)?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&tree, c"", &place, c"", flags)
    }
}

impl Report {
    /// What failed; `None` when it was the program itself.
    pub fn failed(&self) -> Option<Failed> {
        let mut bytes = [0; size_of::<usize>()];
        match rustix::io::read(&self.0, &mut bytes) {
            Ok(count) if count == bytes.len() => Some(match usize::from_ne_bytes(bytes) {
                PARTING => Failed::Parting,
                at => Failed::Guard(at),
            }),
            Ok(_) | Err(_) => None,
        }
    }
}

/// Lets the child of `command` begin with these mounts, in their order, in namespaces of its own; with `parted` it is in
/// such already.
///
/// # Errors
/// When there is no pipe for the report.
pub fn enter(command: &mut Command, guards: Vec<Guard>, parted: bool) -> io::Result<Report> {
    let (heard, told) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let maps = Maps::of(geteuid(), getegid());
    let mount_all = move || {
        let say = |what: usize| {
            let _ = rustix::io::write(&told, &what.to_ne_bytes());
        };
        if !parted && let Err((_, errno)) = part(maps.as_ref()) {
            say(PARTING);
            return Err(errno.into());
        }
        for (at, guard) in guards.iter().enumerate() {
            if let Err(errno) = guard.mount() {
                say(at);
                return Err(errno.into());
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls only, on values made before it, and allocates
    // nothing.
    unsafe { command.pre_exec(mount_all) };
    Ok(Report(heard))
}

fn word(path: &Path) -> io::Result<CString> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn open(path: &CString) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat2(CWD, path.as_c_str(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)
}

/// `mount_setattr(2)` for a tree with all that is mounted in it.
fn set_attributes(tree: BorrowedFd<'_>, set: MountAttrFlags) -> Result<(), Errno> {
    let attributes =
        libc::mount_attr { attr_set: set.bits().into(), attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    // SAFETY: the path is a string that ends, the structure lives until the call returns and its size is given; the
    // descriptor is borrowed and so open.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
    }
}

#[cfg(test)]
mod tests;
