//! Removes a folder with all that is in it, however deep an agent has nested it.
//!
//! A removal that goes down as deep as the tree needs a descriptor and a piece of the stack for each level: a tree
//! that is deep enough could not be removed, or would end `coffer` at this and every later start. So nothing goes
//! down: a folder below the second level is lifted to the top, and each is emptied there.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

use camino::Utf8Path;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, chmodat, fchmod, fstat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

/// What may be done in a folder that is to be emptied.
const OURS: Mode = Mode::RWXU;

/// Removes what stands at `path`, a link itself and not what it leads to. Nobody may write there any more.
///
/// # Errors
/// When something in it cannot be removed, or nothing stands there.
pub(super) fn clear(path: &Utf8Path) -> io::Result<()> {
    match unlinkat(CWD, path.as_str(), AtFlags::empty()) {
        // Linux says the one, POSIX the other.
        Err(Errno::ISDIR | Errno::PERM) => {}
        done => return Ok(done?),
    }
    let name = CString::new(path.as_str())?;
    let root = open(CWD, &name)?;
    let mut lifted = 0_u64;
    loop {
        let folders = empty(&root)?;
        if folders.is_empty() {
            break;
        }
        for name in folders {
            let folder = open(&root, &name)?;
            for below in empty(&folder)? {
                lift(&folder, &below, &root, &mut lifted)?;
            }
            unlinkat(&root, &name, AtFlags::REMOVEDIR)?;
        }
    }
    Ok(unlinkat(CWD, path.as_str(), AtFlags::REMOVEDIR)?)
}

/// Opens a folder, which an agent may have closed to hinder that.
fn open(at: impl AsFd, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match openat(&at, name, flags | OFlags::RDONLY, Mode::empty()) {
        Err(Errno::ACCESS) => {
            let place = openat(&at, name, flags | OFlags::PATH, Mode::empty())?;
            // By its descriptor, so that no link is followed.
            chmodat(CWD, format!("/proc/self/fd/{}", place.as_raw_fd()), OURS, AtFlags::empty())?;
            openat(&at, name, flags | OFlags::RDONLY, Mode::empty())?
        }
        opened => opened?,
    };
    if fstat(&opened)?.st_mode & OURS.as_raw_mode() != OURS.as_raw_mode() {
        fchmod(&opened, OURS)?;
    }
    Ok(opened)
}

/// Removes everything in a folder that is no folder, and names those.
fn empty(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut folders = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                FileType::from_raw_mode(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
            }
            known => known,
        };
        if kind == FileType::Directory {
            folders.push(name.to_owned());
        } else {
            unlinkat(folder, name, AtFlags::empty())?;
        }
    }
    Ok(folders)
}

/// Puts a folder beside the one that it is in.
fn lift(from: &OwnedFd, name: &CStr, root: &OwnedFd, lifted: &mut u64) -> io::Result<()> {
    let place = loop {
        *lifted += 1;
        let place = format!(".lifted-{lifted}");
        // What the agent may have called so itself stays where it is until its turn comes.
        if matches!(statat(root, place.as_str(), AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT)) {
            break place;
        }
    };
    match renameat(from, name, root, place.as_str()) {
        // A folder that moves has to be writable itself: the way back up is in it.
        Err(Errno::ACCESS) => {
            drop(open(from, name)?);
            Ok(renameat(from, name, root, place.as_str())?)
        }
        moved => Ok(moved?),
    }
}
