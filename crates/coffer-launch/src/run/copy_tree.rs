//! Copies a state as it is, by descriptors: files share their blocks with the original where the file system can.
//! Links are copied as links; pipes, sockets and devices are left out. Another run may write in it meanwhile.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, fstat, futimens, ioctl_ficlone,
    mkdirat, openat, readlinkat, statat, symlinkat,
};
use rustix::io::Errno;

#[cfg(test)]
mod tests;

/// Folders in folders; each level holds two descriptors open.
const DEPTH: usize = 200;

/// Told how many files there are so far.
pub(super) type Tell<'a> = &'a dyn Fn(u64);

/// What tells one content of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    ino: u64,
    size: i64,
    modified: (i64, u64),
}

impl Stamp {
    pub(super) fn of(found: &Stat) -> Self {
        Self { ino: found.st_ino, size: found.st_size, modified: (found.st_mtime, found.st_mtime_nsec) }
    }

    /// Whether a copy with this stamp still has the content of the original with the other.
    pub(super) fn is_copy_of(&self, original: &Self) -> bool {
        (self.size, self.modified) == (original.size, original.modified)
    }
}

/// The files of the original, as they were when they were copied.
pub(super) type Originals = BTreeMap<Utf8PathBuf, Stamp>;

struct Level {
    from: OwnedFd,
    to: OwnedFd,
    path: Utf8PathBuf,
    names: Vec<String>,
}

/// Copies what lies below `from` into the empty folder `to`.
pub(super) fn copy_tree(from: BorrowedFd<'_>, to: BorrowedFd<'_>, tell: Tell<'_>) -> io::Result<Originals> {
    let mut originals = Originals::new();
    let (from, to) = (from.try_clone_to_owned()?, to.try_clone_to_owned()?);
    let mut stack = vec![Level { names: names(from.as_fd())?, from, to, path: Utf8PathBuf::new() }];
    loop {
        let depth = stack.len();
        let Some(level) = stack.last_mut() else { break };
        let Some(name) = level.names.pop() else {
            stack.pop();
            continue;
        };
        let path = level.path.join(&name);
        let found = match statat(&level.from, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            // It went meanwhile.
            Err(Errno::NOENT) => continue,
            found => found?,
        };
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory if depth >= DEPTH => return Err(Errno::NAMETOOLONG.into()),
            FileType::Directory => {
                if let Some((from, to)) = folder(level, &name)? {
                    stack.push(Level { names: names(from.as_fd())?, from, to, path });
                }
            }
            FileType::RegularFile => {
                if let Some(stamp) = file(level, &name)? {
                    originals.insert(path, stamp);
                    tell(originals.len() as u64);
                }
            }
            FileType::Symlink => match readlinkat(&level.from, name.as_str(), Vec::new()) {
                Ok(text) => symlinkat(text.as_c_str(), &level.to, name.as_str())?,
                Err(Errno::NOENT | Errno::INVAL) => {}
                Err(errno) => return Err(errno.into()),
            },
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => {}
        }
    }
    Ok(originals)
}

/// The names in a folder; such as are no text are left out.
pub(super) fn names(folder: BorrowedFd<'_>) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        match entry?.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) => names.push(name.to_owned()),
        }
    }
    Ok(names)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn folder(level: &Level, name: &str) -> io::Result<Option<(OwnedFd, OwnedFd)>> {
    let from = match openat(&level.from, name, FOLDER, Mode::empty()) {
        // It went, or became something else.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        from => from?,
    };
    mkdirat(&level.to, name, Mode::RWXU)?;
    Ok(Some((from, openat(&level.to, name, FOLDER, Mode::empty())?)))
}

fn file(level: &Level, name: &str) -> io::Result<Option<Stamp>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let from = match openat(&level.from, name, flags, Mode::empty()) {
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
        from => from?,
    };
    let found = fstat(&from)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let mode = Mode::RUSR | Mode::WUSR | (Mode::from_raw_mode(found.st_mode) & Mode::XUSR);
    let to = create(level.to.as_fd(), Utf8Path::new(name), mode)?;
    if ioctl_ficlone(&to, &from).is_err() {
        let size = found.st_size.unsigned_abs();
        let mut bounded = io::Read::take(File::from(from.try_clone()?), size);
        io::copy(&mut bounded, &mut File::from(to.try_clone()?))?;
    }
    keep_time(to.as_fd(), &found)?;
    Ok(Some(Stamp::of(&found)))
}

/// A new file of ours.
pub(super) fn create(folder: BorrowedFd<'_>, name: &Utf8Path, mode: Mode) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(folder, name.as_std_path(), flags, mode)?)
}

/// Agents show their sessions by time.
pub(super) fn keep_time(to: BorrowedFd<'_>, found: &Stat) -> io::Result<()> {
    let time = Timespec { tv_sec: found.st_mtime, tv_nsec: found.st_mtime_nsec as _ };
    Ok(futimens(to, &Timestamps { last_access: time, last_modification: time })?)
}
