//! Why something was not sealed or opened.

use std::io;

use camino::Utf8PathBuf;

use super::Place;
use crate::replace::ReplaceError;

/// Why something was not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The folder cannot be made or locked.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the identity cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// A file of the identity cannot be written.
    #[error(transparent)]
    Write(#[from] ReplaceError),
    /// A file of the identity is not what it should be.
    #[error("`{path}` is damaged: {reason}")]
    Broken {
        /// The file.
        path: Utf8PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// Nothing was ever sealed here.
    #[error("nothing was sealed here yet: there is no `{path}`")]
    NothingSealed {
        /// Where it would be recorded.
        path: Utf8PathBuf,
    },
    /// The identity is in the keyring, and that does not answer.
    #[error("the keyring that holds the sealing identity does not answer: {reason}")]
    KeyringSilent {
        /// Why, in words.
        reason: String,
    },
    /// The keyring answers, and does not have the identity.
    #[error("the keyring does not hold the sealing identity any more")]
    NotInKeyring,
    /// The key file is gone.
    #[error("the key file `{path}` is gone")]
    IdentityMissing {
        /// The file.
        path: Utf8PathBuf,
    },
    /// What is in its place is no identity.
    #[error("what is in {} is no sealing identity", .place.words())]
    NoIdentity {
        /// Which place.
        place: Place,
    },
    /// Identity and recipient do not belong together.
    #[error("the sealing identity does not belong to the recipient in `{path}`")]
    Mismatch {
        /// The folder of both.
        path: Utf8PathBuf,
    },
    /// It could not be sealed.
    #[error("cannot seal")]
    Seal {
        /// Why.
        source: io::Error,
    },
    /// It was sealed to somebody else, or is no sealed file.
    #[error("it was not sealed to this identity, or is no sealed file")]
    NotOurs,
    /// It ends early or was changed.
    #[error("it is damaged")]
    Damaged,
}

impl SealError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::KeyringSilent { .. } => Some(
                "unlock the keyring and type it again inside your desktop session (`echo $DBUS_SESSION_BUS_ADDRESS`)"
                    .to_owned(),
            ),
            Self::NotInKeyring => Some(
                "put the keyring back from its backup; the entry is called `Cofferdam sealing identity`".to_owned(),
            ),
            Self::IdentityMissing { path } => Some(format!("put `{path}` back from a backup")),
            Self::NoIdentity { .. } | Self::Mismatch { .. } => {
                Some("put the identity and the folder `seal` back from one and the same backup".to_owned())
            }
            Self::Broken { path, .. } => Some(format!("put `{path}` back from a backup, or use the coffer that wrote it")),
            Self::Io { path, .. } | Self::Read { path, .. } => Some(format!("see who may do that: `ls -ld {path}`")),
            Self::Write(error) => Some(format!("see who may do that: `ls -ld {}`", error.path)),
            Self::NotOurs | Self::Damaged => Some("`coffer backup verify` says which copies are whole".to_owned()),
            Self::NothingSealed { .. } | Self::Seal { .. } => None,
        }
    }
}
