//! A folder that is put together for a child out of single files and folders of the host, so that whatever makes its
//! sandbox binds one folder instead of all of them: each bind costs it a look at the whole table of mounts.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, chmodat, fchmod, fstat, mkdirat, openat, symlinkat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsmount,
    fsopen, move_mount, open_tree,
};

use super::{open, set_attributes, word};

/// What is in it can be read, and by nobody be changed.
const CLOSED: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NODEV);
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o755);
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);

/// A folder in memory that lies over one of the host's, for the child alone. It is read-only.
#[derive(Debug)]
pub struct Assembly {
    at: CString,
    parts: Vec<Part>,
}

/// An entry of an assembly.
#[derive(Debug)]
pub struct Part {
    /// Folders around it, from the outside in.
    around: Vec<CString>,
    below: CString,
    what: What,
}

#[derive(Debug)]
enum What {
    Bind { source: CString, object: (u64, u64), folder: bool },
    Text(String),
    Link(CString),
}

impl Part {
    /// A file or folder of the host, if it has this device and inode by then.
    ///
    /// # Errors
    /// When a path holds a zero byte.
    pub fn bind(below: &Path, source: &Path, object: (u64, u64), folder: bool) -> io::Result<Self> {
        Self::new(below, What::Bind { source: word(source)?, object, folder })
    }

    /// A file with this text.
    ///
    /// # Errors
    /// When the path holds a zero byte.
    pub fn text(below: &Path, text: String) -> io::Result<Self> {
        Self::new(below, What::Text(text))
    }

    /// A link with this text.
    ///
    /// # Errors
    /// When a path holds a zero byte.
    pub fn link(below: &Path, text: &str) -> io::Result<Self> {
        Self::new(below, What::Link(CString::new(text)?))
    }

    fn new(below: &Path, what: What) -> io::Result<Self> {
        let around = below.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
        let mut around = around.map(word).collect::<io::Result<Vec<_>>>()?;
        around.reverse();
        Ok(Self { around, below: word(below)?, what })
    }

    fn put(&self, into: &OwnedFd) -> Result<(), Errno> {
        for folder in &self.around {
            make_folder(into, folder)?;
        }
        match &self.what {
            What::Link(text) => symlinkat(text.as_c_str(), into, self.below.as_c_str()),
            What::Text(text) => {
                let file = make_file(into, &self.below)?;
                let mut rest = text.as_bytes();
                while !rest.is_empty() {
                    rest = &rest[rustix::io::write(&file, rest)?..];
                }
                Ok(())
            }
            What::Bind { source, object, folder } => {
                let source = open(source)?;
                let found = fstat(&source)?;
                if (found.st_dev, found.st_ino) != *object {
                    return Err(Errno::STALE);
                }
                if *folder {
                    make_folder(into, &self.below)?;
                } else {
                    make_file(into, &self.below)?;
                }
                let clone = OpenTreeFlags::OPEN_TREE_CLONE
                    | OpenTreeFlags::OPEN_TREE_CLOEXEC
                    | OpenTreeFlags::AT_EMPTY_PATH
                    | OpenTreeFlags::AT_RECURSIVE;
                let tree = open_tree(&source, c"", clone)?;
                set_attributes(tree.as_fd(), CLOSED)?;
                let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
                move_mount(&tree, c"", into, self.below.as_c_str(), flags)
            }
        }
    }
}

impl Assembly {
    /// Over the folder `at`.
    ///
    /// # Errors
    /// When the path holds a zero byte.
    pub fn new(at: &Path, parts: Vec<Part>) -> io::Result<Self> {
        Ok(Self { at: word(at)?, parts })
    }

    /// Mounts it; on failure with the number of the part that could not be put in.
    pub(super) fn mount(&self) -> Result<(), (Option<usize>, Errno)> {
        let whole = |errno| (None, errno);
        let inside = self.ground().map_err(whole)?;
        for (at, part) in self.parts.iter().enumerate() {
            part.put(&inside).map_err(|errno| (Some(at), errno))?;
        }
        // With all that is in it; those are closed already.
        set_attributes(inside.as_fd(), CLOSED).map_err(whole)
    }

    /// The empty folder, in its place.
    fn ground(&self) -> Result<OwnedFd, Errno> {
        let place = open(&self.at)?;
        let kind = fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(&kind)?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let mounted = fsmount(&kind, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&mounted, c"", &place, c"", flags)?;
        chmodat(&mounted, c".", FOLDER_MODE, AtFlags::empty())?;
        Ok(mounted)
    }
}

fn make_folder(into: &OwnedFd, below: &CString) -> Result<(), Errno> {
    match mkdirat(into, below.as_c_str(), FOLDER_MODE) {
        // Whatever the umask says.
        Ok(()) => chmodat(into, below.as_c_str(), FOLDER_MODE, AtFlags::empty()),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn make_file(into: &OwnedFd, below: &CString) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(into, below.as_c_str(), flags, FILE_MODE)?;
    fchmod(&file, FILE_MODE)?;
    Ok(file)
}
