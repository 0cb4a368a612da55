//! Logins that wait for a person's word: made inside a run whose folders are gone now.
//!
//! Each is sealed, as a copy is, in the private folder `pending` of the account for which it was made, and is
//! named by its refresh token's fingerprint: sealing needs the public half alone, so that nothing is asked at the
//! end of a run, and no token lies in the open until somebody decides.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::layout::AccountFolder;
use crate::private;
use crate::read::Unread;
use crate::replace::ReplaceError;
use crate::seal::{Opener, Seal, SealError};
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// What the name of each ends in.
const END: &str = ".age";
/// Largest sealed login, in bytes.
const MAX_SEALED: usize = 2 * 1024 * 1024;

/// Why a login does not wait, or cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PendingError {
    /// The folder of those that wait.
    #[error("cannot {action} `{path}`")]
    Folder {
        /// What was tried.
        action: &'static str,
        /// The folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] ReplaceError),
    /// It cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// It cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl PendingError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Seal(error) => error.hint(),
            Self::Folder { path, .. } | Self::Read { path, .. } => {
                Some(format!("see who may do that: `ls -ld {path}`"))
            }
            Self::Write(error) => Some(format!("see who may do that: `ls -ld {}`", error.path)),
        }
    }
}

/// Keeps a login until a person decides; on return it is on the disc. The same login is kept once.
///
/// # Errors
/// When it cannot be sealed, or the folder or the file cannot be made; nothing of it is there then.
pub fn keep(
    account: &AccountFolder,
    seal: &Seal,
    login: &Secret,
    fingerprint: &str,
) -> Result<Utf8PathBuf, PendingError> {
    let folder = account.pending();
    let sealed = seal.seal(login.expose())?;
    private::folder(&folder).map_err(|source| PendingError::Folder {
        action: "make",
        path: folder.clone(),
        source,
    })?;
    let name = format!("{}{END}", fingerprint.strip_prefix("sha256:").unwrap_or(fingerprint));
    private::write(&folder, &name, &sealed)?;
    Ok(folder.join(name))
}

/// The newest that waits for this account.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn newest(account: &AccountFolder) -> Result<Option<Utf8PathBuf>, PendingError> {
    let folder = account.pending();
    let failed = |source| PendingError::Folder { action: "read", path: folder.clone(), source };
    let entries = match folder.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut newest = None;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if is_one(entry.path()) {
            let at = entry.metadata().and_then(|found| found.modified()).map_err(failed)?;
            newest = newest.max(Some((at, entry.path().to_owned())));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

/// Whether a path has the name of one that waits.
pub fn is_one(path: &Utf8Path) -> bool {
    path.file_name().is_some_and(|name| name.ends_with(END) && !name.starts_with('.'))
}

/// Opens one that waits.
///
/// # Errors
/// When it is not there or no plain file, was sealed to another identity, or is damaged.
pub fn open(path: &Utf8Path, opener: &Opener) -> Result<Secret, PendingError> {
    let unread = |reason: String| PendingError::Read { path: path.to_owned(), reason };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(unread("it is no file".to_owned()));
    };
    let found = private::read(folder, name, MAX_SEALED).map_err(|error: Unread| unread(error.to_string()))?;
    let sealed = found.ok_or_else(|| unread("it is not there".to_owned()))?;
    Ok(opener.open(&sealed)?)
}
