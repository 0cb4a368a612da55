//! Cofferdam's own folders and files: 0700 and 0600 whatever the umask, written whole or not at all.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use camino::Utf8Path;
use zeroize::Zeroizing;

use crate::disk::{Disk, open_folder};
use crate::read::{self, Unread};
use crate::replace::{ReplaceError, replace};

/// Makes a folder and its missing parents, each closed to others.
pub(crate) fn folder(path: &Utf8Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        folder(parent)?;
    }
    match new_folder(path) {
        // Somebody was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// Makes a folder that must not be there yet.
pub(crate) fn new_folder(path: &Utf8Path) -> io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)?;
    // The umask may have taken bits away.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// Replaces a file of a folder that is there.
pub(crate) fn write(folder: &Utf8Path, name: &str, content: &[u8]) -> Result<(), ReplaceError> {
    let failed = |source| ReplaceError { action: "open the folder of", path: folder.join(name), source };
    let opened = open_folder(folder).map_err(failed)?;
    replace(Disk::real(), opened.as_fd(), name, content).map_err(|error| ReplaceError {
        action: error.action,
        path: folder.join(name),
        source: error.source,
    })
}

/// Reads a file of a folder; `None` when either is not there.
pub(crate) fn read(
    folder: &Utf8Path,
    name: &str,
    limit: usize,
) -> Result<Option<Zeroizing<Vec<u8>>>, Unread> {
    let opened = match open_folder(folder) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Unread::Os(error)),
    };
    match read::file(opened.as_fd(), name, limit) {
        Ok(found) => Ok(Some(found.content)),
        Err(Unread::Missing) => Ok(None),
        Err(unread) => Err(unread),
    }
}

/// Syncs a folder, so that a rename in it outlives a power failure.
pub(crate) fn sync(folder: &Utf8Path) -> io::Result<()> {
    Ok(rustix::fs::fsync(open_folder(folder)?)?)
}
