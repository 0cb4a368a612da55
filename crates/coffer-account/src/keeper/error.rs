//! Why the keeper did not even begin.

use std::io;

use camino::Utf8PathBuf;

use crate::capture::CaptureError;
use crate::client_locks::ClientLockError;
use crate::journal::JournalError;
use crate::layout::AccountName;
use crate::lock::LockError;
use crate::replace::ReplaceError;

use super::RefresherError;

/// Why a login could not be kept. Nothing was spent, unless the error says so.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The login folder cannot be opened.
    #[error("cannot open the login folder `{path}`")]
    LoginFolder {
        /// The folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Folder or file are somebody else's.
    #[error("the login `{path}` belongs to uid {uid}")]
    ForeignOwner {
        /// The file.
        path: Utf8PathBuf,
        /// Whose.
        uid: u32,
    },
    /// Our lock cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The login cannot be replaced; the one before is still there.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    /// The client's own locks could not be given back.
    #[error(transparent)]
    ClientLock(#[from] ClientLockError),
    /// There is no client that could refresh.
    #[error("no client can refresh the login")]
    NoClient(#[source] RefresherError),
    /// An adoption that was cut off cannot be brought to its end.
    #[error("an adoption of a login was cut off, and cannot be brought to its end")]
    Adoption(#[from] Box<CaptureError>),
    /// No sealed copy could be made, so nothing was begun.
    #[error("cannot seal a copy of the login of `{account}`: {reason}")]
    Seal {
        /// Whose.
        account: AccountName,
        /// Why.
        reason: String,
    },
    /// A refresh was cut off, the file holds no login, and the sealed copy cannot be opened.
    #[error(
        "the login of `{account}` was lost in a refresh that was cut off, and its sealed copy cannot be opened: {reason}"
    )]
    Unrecovered {
        /// Whose.
        account: AccountName,
        /// Why.
        reason: String,
    },
}

impl KeeperError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unrecovered { account, .. } => Some(format!("coffer backup restore --account {account}")),
            Self::Seal { .. } | Self::Replace(_) => {
                Some("make room on the disc, or look at the folder's owner".to_owned())
            }
            Self::NoClient(error) => error.hint.clone(),
            Self::ForeignOwner { path, .. } => {
                Some(format!("`ls -ln {path}` shows whose it is; run it as that user"))
            }
            Self::LoginFolder { .. }
            | Self::Lock(_)
            | Self::Journal(_)
            | Self::ClientLock(_)
            | Self::Adoption(_) => None,
        }
    }
}
