//! Why an account was not read or changed.

use std::io;

use camino::Utf8PathBuf;

use crate::copies::CopiesError;
use crate::layout::AccountName;
use crate::lock::LockError;
use crate::replace::ReplaceError;
use crate::seal::SealError;

/// Why an account was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// There is one of this name.
    #[error("there is an account `{name}` already")]
    Exists {
        /// Its name.
        name: AccountName,
    },
    /// There is none of this name.
    #[error("there is no account `{name}`")]
    Unknown {
        /// As it was said.
        name: AccountName,
    },
    /// The user's own login is no account that Cofferdam made.
    #[error("`host` is your own login, and cannot be {action}")]
    Host {
        /// What was tried.
        action: &'static str,
    },
    /// Something else has the name.
    #[error("`{path}` is in the way")]
    InTheWay {
        /// What it is.
        path: Utf8PathBuf,
    },
    /// Runs use it.
    #[error("the account `{name}` is in use by {}", .runs.join(", "))]
    InUse {
        /// Its name.
        name: AccountName,
        /// The runs, by id.
        runs: Vec<String>,
    },
    /// A newer coffer wrote the record; it is not written over.
    #[error("`{path}` was written by a newer coffer, and is left as it is")]
    Newer {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The record does not read.
    #[error("`{path}` is no record of an account: {reason}")]
    Broken {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        reason: String,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// A folder cannot be made, renamed or removed.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The folder or file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] ReplaceError),
    /// The account is locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The secret cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The last copy cannot be sealed.
    #[error(transparent)]
    Copies(#[from] CopiesError),
    /// The account has no long-lived secret.
    #[error("the account `{name}` has no sealed key or token")]
    NoSecret {
        /// Its name.
        name: AccountName,
    },
    /// The machine gives no random bytes.
    #[error("the machine gives no random bytes")]
    NoRandom,
}

impl AccountsError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } | Self::InTheWay { .. } => "account-exists",
            Self::Unknown { .. } => "unknown-account",
            Self::Host { .. } => "account-host",
            Self::InUse { .. } => "account-in-use",
            Self::Newer { .. } => "account-newer",
            Self::Broken { .. } => "account-broken",
            Self::Lock(_) => "account-locked",
            Self::Seal(_) => "seal",
            Self::Copies(_) => "copies",
            Self::NoSecret { .. } => "account-no-secret",
            Self::Read { .. } | Self::Io { .. } | Self::Write(_) | Self::NoRandom => "account-store",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { name } => Some(format!("`coffer account show {name}`")),
            Self::Unknown { .. } => Some("`coffer account list`".to_owned()),
            Self::Host { .. } => Some("take another name".to_owned()),
            Self::InTheWay { path } => Some(format!("look at it, and take it away: `ls -la {path}`")),
            Self::InUse { .. } => Some("end these runs first".to_owned()),
            Self::Newer { .. } => Some("use the coffer that wrote it".to_owned()),
            Self::Broken { path, .. } => Some(format!("mend `{path}`")),
            Self::Lock(_) => Some("it is being refreshed or changed: try again in a minute".to_owned()),
            Self::Seal(error) => error.hint(),
            Self::Copies(error) => error.hint(),
            Self::NoSecret { name } => {
                Some(format!("remove it and add it again: `coffer account remove {name}`"))
            }
            Self::Read { path, .. } | Self::Io { path, .. } => {
                Some(format!("see who may do that: `ls -ld {path}`"))
            }
            Self::Write(error) => Some(format!("see who may do that: `ls -ld {}`", error.path)),
            Self::NoRandom => None,
        }
    }
}
