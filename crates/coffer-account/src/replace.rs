//! Replaces a file so that at any instant, and after any crash, the old content or the new one is there,
//! whole: a temporary file in the same folder, synced, renamed, the folder synced.

use std::io;
use std::os::fd::BorrowedFd;

use camino::Utf8PathBuf;
use rustix::fs::AtFlags;

use crate::disk::Disk;

#[cfg(test)]
mod tests;

/// What our temporary files have in their names, so that those of a killed process are known.
const MARK: &str = ".coffer-";

/// Why a file was not replaced; the old content is still there.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{path}`")]
pub struct ReplaceError {
    /// What was tried.
    pub action: &'static str,
    /// The file.
    pub path: Utf8PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Puts `content` in place under `name` (0600).
///
/// # Errors
/// When something fails before the rename, the old content is there and the temporary file is removed where
/// that is possible. When only the folder cannot be synced, the new content is there, and may not outlive a
/// power failure: that is an error, too.
pub fn replace(
    disk: Disk<'_>,
    folder: BorrowedFd<'_>,
    name: &str,
    content: &[u8],
) -> Result<(), ReplaceError> {
    let failed = |action| move |source| ReplaceError { action, path: name.into(), source };
    let temporary = temporary(name)?;
    let file = disk.create(folder, &temporary).map_err(failed("write beside"))?;
    let written = disk
        .write(file, content)
        .and_then(|file| disk.sync(file))
        .map_err(failed("write beside"))
        .and_then(|()| disk.rename(folder, &temporary, name).map_err(failed("replace")));
    if let Err(error) = written {
        // What is left of the new one is worth nothing; a later sweep gets what stays.
        let _ = disk.remove(folder, &temporary, AtFlags::empty());
        return Err(error);
    }
    disk.sync(folder).map_err(failed("sync the folder of"))
}

/// Proves that the folder takes a file of this size, without touching anything that is there.
///
/// # Errors
/// When it does not: nobody else may be let to write there what cannot be had again.
pub fn prove_room(
    disk: Disk<'_>,
    folder: BorrowedFd<'_>,
    name: &str,
    size: usize,
) -> Result<(), ReplaceError> {
    let failed = |source| ReplaceError { action: "write beside", path: name.into(), source };
    let temporary = temporary(name)?;
    let file = disk.create(folder, &temporary).map_err(failed)?;
    let written = disk.write(file, &vec![b' '; size]).and_then(|file| disk.sync(file));
    let removed = disk.remove(folder, &temporary, AtFlags::empty());
    written.and(removed).map_err(failed)
}

fn temporary(name: &str) -> Result<String, ReplaceError> {
    let failed = |source| ReplaceError { action: "name", path: name.into(), source };
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| failed(io::Error::other(error)))?;
    Ok(format!(".{name}{MARK}{:016x}", u64::from_le_bytes(random)))
}

/// Removes temporary files for `name` that killed processes left. To be called under the lock that every
/// writer of `name` holds. What cannot be removed stays: it hinders nobody.
pub fn sweep(disk: Disk<'_>, folder: BorrowedFd<'_>, name: &str) {
    let prefix = format!(".{name}{MARK}");
    let Ok(entries) = rustix::fs::Dir::read_from(folder) else { return };
    for entry in entries.flatten() {
        if let Ok(left) = entry.file_name().to_str()
            && left.starts_with(&prefix)
        {
            let _ = disk.remove(folder, left, AtFlags::empty());
        }
    }
}
