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

mod assembly;

pub use assembly::{Assembly, Part};

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
    /// A folder could not be put together.
    Assembly,
    /// A part could not be put into it; counted from 0.
    Part(usize),
    /// A guard could not be mounted; counted from 0.
    Guard(usize),
}

/// What is mounted for a child before it begins.
#[derive(Debug, Default)]
pub struct Mounts {
    /// A folder that is put together.
    pub assembly: Option<Assembly>,
    /// What is mounted in its own place, in this order.
    pub guards: Vec<Guard>,
}

impl Mounts {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.assembly.is_none() && self.guards.is_empty()
    }

    fn make(&self) -> Result<(), (Failed, Errno)> {
        if let Some(assembly) = &self.assembly {
            let failed = |(at, errno): (Option<usize>, _)| (at.map_or(Failed::Assembly, Failed::Part), errno);
            assembly.mount().map_err(failed)?;
        }
        for (at, guard) in self.guards.iter().enumerate() {
            guard.mount().map_err(|errno| (Failed::Guard(at), errno))?;
        }
        Ok(())
    }
}

impl Failed {
    fn to_bytes(self) -> [u8; 8] {
        let (kind, at): (u32, usize) = match self {
            Self::Parting => (0, 0),
            Self::Assembly => (1, 0),
            Self::Part(at) => (2, at),
            Self::Guard(at) => (3, at),
        };
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let mut out = [0; 8];
        out[..4].copy_from_slice(&kind.to_ne_bytes());
        out[4..].copy_from_slice(&at.to_ne_bytes());
        out
    }

    fn of_bytes(bytes: [u8; 8]) -> Option<Self> {
        let [a, b, c, d, rest @ ..] = bytes;
        let at = u32::from_ne_bytes(rest) as usize;
        match u32::from_ne_bytes([a, b, c, d]) {
            0 => Some(Self::Parting),
            1 => Some(Self::Assembly),
            2 => Some(Self::Part(at)),
            3 => Some(Self::Guard(at)),
            _ => None,
        }
    }
}

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
        let mut bytes = [0; 8];
        match rustix::io::read(&self.0, &mut bytes) {
            Ok(8) => Failed::of_bytes(bytes),
            Ok(_) | Err(_) => None,
        }
    }
}

/// Whether this kernel can make such mounts (`mount_setattr`, Linux 5.12).
pub fn available() -> bool {
    // SAFETY: there is no such descriptor, and nothing is read from the null pointer before that is noticed.
    let done =
        unsafe { libc::syscall(libc::SYS_mount_setattr, -1, c"".as_ptr(), 0, std::ptr::null::<u8>(), 0) };
    done == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS)
}

/// Lets the child of `command` begin with these mounts, in their order, in namespaces of its own; with `parted` it is in
/// such already.
///
/// # Errors
/// When there is no pipe for the report.
pub fn enter(command: &mut Command, mounts: Mounts, parted: bool) -> io::Result<Report> {
    let (heard, told) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let maps = Maps::of(geteuid(), getegid());
    let mount_all = move || {
        let parted =
            if parted { Ok(()) } else { part(maps.as_ref()).map_err(|(_, errno)| (Failed::Parting, errno)) };
        parted.and_then(|()| mounts.make()).map_err(|(failed, errno)| {
            let _ = rustix::io::write(&told, &failed.to_bytes());
            errno.into()
        })
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
