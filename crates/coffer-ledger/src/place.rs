//! Where the journal lies, opened so that nothing else can stand for it: the folder and the file are our own,
//! no link is followed, and neither a pipe nor a folder can hold anybody up.

use std::fs::File;
use std::io;

use camino::Utf8Path;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, fchmod, fstat, fsync, mkdir, open, openat};
use rustix::io::Errno;

use crate::error::LedgerError;

/// Permissions of the folder and of the file.
const FOLDER_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// The permission bits of a mode.
const MODE_BITS: u32 = 0o7777;

/// The folder, opened; it is made where it is missing.
///
/// # Errors
/// When it cannot be made or opened, is a link, or is somebody else's.
pub(crate) fn own_folder(path: &Utf8Path) -> Result<OwnedFd, LedgerError> {
    make(path).map_err(|errno| LedgerError::io("make", path, errno.into()))?;
    let folder = open_folder(path)?;
    tighten(&folder, FOLDER_MODE).map_err(|errno| LedgerError::io("close to others", path, errno.into()))?;
    Ok(folder)
}

/// The folder, opened as it is.
///
/// # Errors
/// As [`own_folder`]; also when it is missing.
pub(crate) fn open_folder(path: &Utf8Path) -> Result<OwnedFd, LedgerError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = open(path.as_str(), flags, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP | Errno::NOTDIR => LedgerError::Foreign { path: path.to_owned(), what: "no folder" },
        other => LedgerError::io("open", path, other.into()),
    })?;
    let found = fstat(&folder).map_err(|errno| LedgerError::io("look at", path, errno.into()))?;
    if found.st_uid != rustix::process::geteuid().as_raw() {
        return Err(LedgerError::Foreign { path: path.to_owned(), what: "somebody else's" });
    }
    Ok(folder)
}

/// The file in the folder, for reading and appending; made where it is missing.
///
/// # Errors
/// When it cannot be opened or is no regular file of ours with one name.
pub(crate) fn writable(folder: &OwnedFd, name: &str, path: &Utf8Path) -> Result<File, LedgerError> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE;
    let file = regular(folder, name, flags, path)?;
    tighten(&file, FILE_MODE).map_err(|errno| LedgerError::io("close to others", path, errno.into()))?;
    Ok(file)
}

/// The file in the folder, for reading only.
///
/// # Errors
/// As [`writable`]; also when it is missing.
pub(crate) fn readable(folder: &OwnedFd, name: &str, path: &Utf8Path) -> Result<File, LedgerError> {
    regular(folder, name, OFlags::RDONLY, path)
}

/// Makes a new name in the folder last.
pub(crate) fn keep_name(folder: &OwnedFd) -> io::Result<()> {
    Ok(fsync(folder)?)
}

fn regular(folder: &OwnedFd, name: &str, flags: OFlags, path: &Utf8Path) -> Result<File, LedgerError> {
    let foreign = |what| LedgerError::Foreign { path: path.to_owned(), what };
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, FILE_MODE).map_err(|errno| match errno {
        Errno::LOOP => foreign("a link"),
        Errno::ISDIR => foreign("a folder"),
        Errno::NXIO | Errno::NODEV => foreign("no file"),
        other => LedgerError::io("open", path, other.into()),
    })?;
    let found = fstat(&file).map_err(|errno| LedgerError::io("look at", path, errno.into()))?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(foreign("a folder")),
        _ => return Err(foreign("no file")),
    }
    if found.st_uid != rustix::process::geteuid().as_raw() {
        return Err(foreign("somebody else's"));
    }
    if found.st_nlink > 1 {
        return Err(foreign("a file with a second name"));
    }
    Ok(File::from(file))
}

/// Makes the folder and the folders above it, 0700 whatever the umask; those that are there stay as they are.
fn make(path: &Utf8Path) -> Result<(), Errno> {
    match mkdir(path.as_str(), FOLDER_MODE) {
        Ok(()) => rustix::fs::chmod(path.as_str(), FOLDER_MODE),
        Err(Errno::EXIST) => Ok(()),
        Err(Errno::NOENT) => {
            let above = path.parent().filter(|above| !above.as_str().is_empty()).ok_or(Errno::NOENT)?;
            make(above)?;
            match mkdir(path.as_str(), FOLDER_MODE) {
                Ok(()) => rustix::fs::chmod(path.as_str(), FOLDER_MODE),
                Err(Errno::EXIST) => Ok(()),
                Err(other) => Err(other),
            }
        }
        Err(other) => Err(other),
    }
}

/// Takes away what others may do, and gives what a umask had taken from us at its making. An owner who took the
/// right to write from the ledger meant it, so only bits of group and others are taken, and only on those.
fn tighten(file: impl AsFd, wanted: Mode) -> Result<(), Errno> {
    let mode = fstat(&file)?.st_mode & MODE_BITS;
    // Opened for writing with no bits at all: a umask made it so, just now.
    let open_to_others = mode & !wanted.bits() != 0;
    if open_to_others || mode == 0 { fchmod(file, wanted) } else { Ok(()) }
}
