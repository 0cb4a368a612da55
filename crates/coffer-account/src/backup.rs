//! Backups: an account in one sealed file that a person puts where they like.
//!
//! Sealed with `age`, to recipients or to a passphrase; inside is a tar, written and read as a stream:
//!
//! ```text
//! backup.json   what it is (no secret); always the first
//! login         the login file
//! secret        the API key or token
//! state/…       what new states begin with
//! shared/…      the state that the account's runs share
//! ```
//!
//! What an agent wrote is read by [`crate::tree`]. What is read back is distrusted as well: whoever knows the
//! recipient could have made the file. Only plain files and folders below these names are taken, bounded in
//! size, number, depth and length of their names; anything else refuses the whole backup.

mod error;
mod pack;
mod sealing;
#[cfg(test)]
mod tests;
mod unpack;

use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::record::AccountRecord;
use crate::secret::Secret;
use crate::tree::{Progress, SkippedList};

pub use error::BackupError;
pub use pack::create;
pub use sealing::{Identities, Recipients};
pub use unpack::read;

/// Format number of a backup.
const SCHEMA: u32 = 1;
const MANIFEST: &str = "backup.json";
const LOGIN: &str = "login";
const SECRET: &str = "secret";

/// A folder that a backup may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What new states begin with.
    State,
    /// The state that the account's runs share.
    Shared,
}

impl Part {
    /// Its name inside a backup.
    pub fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Shared => "shared",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::State, Self::Shared].into_iter().find(|part| part.word() == word)
    }
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always 1.
    pub schema: u32,
    /// When it was made, Unix ms.
    pub made_at_ms: i64,
    /// The account.
    pub record: AccountRecord,
    /// Of the login's refresh token.
    pub fingerprint: Option<String>,
    /// Whether the whole account is in it, or its login alone.
    pub whole: bool,
}

impl Manifest {
    /// Of an account as it is now.
    pub fn new(record: AccountRecord, fingerprint: Option<String>, whole: bool, made_at_ms: i64) -> Self {
        Self { schema: SCHEMA, made_at_ms, record, fingerprint, whole }
    }
}

/// What is put into a backup.
pub struct Content<'a> {
    /// What it is.
    pub manifest: Manifest,
    /// The login file.
    pub login: Option<&'a [u8]>,
    /// The long-lived secret.
    pub secret: Option<&'a Secret>,
    /// Opened folders.
    pub folders: Vec<(Part, OwnedFd)>,
    /// Told while folders are read.
    pub progress: Option<&'a dyn Fn(Progress)>,
}

/// What went into a backup.
#[derive(Debug, Default)]
pub struct Packed {
    /// How much.
    pub progress: Progress,
    /// What did not fit, by folder.
    pub skipped: Vec<(Part, SkippedList)>,
}

/// What was in a backup.
#[derive(Debug)]
pub struct Unpacked {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The login file.
    pub login: Option<Secret>,
    /// The long-lived secret.
    pub secret: Option<Secret>,
    /// How much was in its folders.
    pub progress: Progress,
}
