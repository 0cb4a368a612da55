//! What the keeper has begun and not ended, so that the next one can bring it to its end.
//!
//! Two small files of an account, each replaced whole: `journal.json` is there only while a refresh is under
//! way; `keeper.json` is what all keepers of the account remember together.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::sign_in::verify::RefusedBecause;
use rustix::fs::AtFlags;
use serde::{Deserialize, Serialize};

use crate::client_locks::Held;
use crate::disk::{Disk, open_folder};
use crate::lock::AccountLock;
use crate::process::Process;
use crate::read::{self, Unread};
use crate::record::Refused;
use crate::replace::{ReplaceError, replace, sweep};

const JOURNAL: &str = "journal.json";
const MEMORY: &str = "keeper.json";
/// Largest of these files that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// First wait after a failed refresh; it doubles with each further one.
const FIRST_WAIT_MS: i64 = 5_000;
/// A clock that was right is not set back by more than this.
const CLOCK_SLACK_MS: i64 = 5 * 60_000;
/// Longest wait after a failed refresh.
const LONGEST_WAIT_MS: i64 = 15 * 60_000;

/// A refresh that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// The refresh token that is to be spent.
    pub before: String,
    /// The access token's end as it was, to be put back if nothing comes of it; `None` when the file is
    /// not touched.
    pub end_before: Option<String>,
    /// The access token's end as it was set to make the refresh due.
    pub end_set: Option<i64>,
    /// The client's locks that are held meanwhile, or were when the keeper was killed.
    #[serde(default)]
    pub held: Vec<Held>,
    /// The genuine client, once it runs.
    pub child: Option<Process>,
    /// When it began, Unix ms.
    pub begun_at_ms: i64,
}

/// How the last attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastRefresh {
    /// When, Unix ms.
    pub at_ms: i64,
    /// `ok`, `adopted`, `transient` or `permanent`.
    pub outcome: coffer_ledger::Outcome,
    /// Why it did not work, in words.
    pub error: Option<String>,
}

/// What all keepers of an account remember together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// A refusal for good, of one refresh token.
    pub refused: Option<Refused>,
    /// Attempts in a row that failed and may work later.
    pub failures: u32,
    /// Nobody tries again before this, Unix ms.
    pub not_before_ms: Option<i64>,
    /// How the last attempt ended.
    pub last: Option<LastRefresh>,
    /// When the present access token was got, Unix ms.
    pub refreshed_at_ms: Option<i64>,
}

impl Memory {
    /// How long nobody tries again, in ms. A clock that was set back does not make that longer than the
    /// longest wait.
    pub fn wait_ms(&self, now_ms: i64) -> Option<i64> {
        let left = self.not_before_ms?.saturating_sub(now_ms);
        (left > 0 && left <= LONGEST_WAIT_MS).then_some(left)
    }

    /// Whether the present access token was got in the future: the clock was ahead then, and so the token's end,
    /// which the client reckons from the clock, is later than it really is.
    pub fn dates_ahead(&self, now_ms: i64) -> bool {
        self.refreshed_at_ms.is_some_and(|at| at > now_ms.saturating_add(CLOCK_SLACK_MS))
    }

    /// Remembers a failure that may pass: the wait doubles, and no two accounts wait equally long.
    pub(crate) fn failed(&mut self, now_ms: i64, error: String, random: u64) -> i64 {
        let doubled = FIRST_WAIT_MS.saturating_mul(1 << self.failures.min(10)).min(LONGEST_WAIT_MS * 4 / 5);
        let jitter = i64::try_from(random % 100).unwrap_or_default() * doubled / 400;
        self.failures = self.failures.saturating_add(1);
        self.not_before_ms = Some(now_ms.saturating_add(doubled + jitter));
        self.last = Some(LastRefresh {
            at_ms: now_ms,
            outcome: coffer_ledger::Outcome::Transient,
            error: Some(error),
        });
        doubled + jitter
    }

    /// Remembers that the account has a token that works.
    pub(crate) fn works(&mut self, now_ms: i64, outcome: coffer_ledger::Outcome) {
        *self = Self {
            last: Some(LastRefresh { at_ms: now_ms, outcome, error: None }),
            refreshed_at_ms: Some(now_ms),
            ..Self::default()
        };
    }

    /// Remembers that a refresh token will never work again.
    pub(crate) fn refuse(&mut self, fingerprint: String, because: RefusedBecause, now_ms: i64) {
        let error = Some(format!("the refresh token was refused for good ({because})"));
        *self = Self {
            refused: Some(Refused { fingerprint, because, at_ms: now_ms }),
            last: Some(LastRefresh { at_ms: now_ms, outcome: coffer_ledger::Outcome::Permanent, error }),
            ..Self::default()
        };
    }
}

/// Why the account's own files could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder cannot be opened.
    #[error("cannot open `{path}`")]
    Open {
        /// The folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}`: {unread}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        unread: Unread,
    },
    /// A file is none of ours.
    #[error("`{path}` is no file of Cofferdam's")]
    Broken {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] ReplaceError),
    /// The journal's end cannot be written down.
    #[error("cannot remove `{path}`")]
    Remove {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The two files of an account. Who writes shows the account's lock.
#[derive(Debug)]
pub struct Journal<'a> {
    disk: Disk<'a>,
    folder: OwnedFd,
    path: Utf8PathBuf,
}

impl<'a> Journal<'a> {
    /// Opens the account's folder.
    ///
    /// # Errors
    /// When it is not there or is no folder.
    pub fn open(disk: Disk<'a>, path: &Utf8Path) -> Result<Self, JournalError> {
        let folder =
            open_folder(path).map_err(|source| JournalError::Open { path: path.to_owned(), source })?;
        Ok(Self { disk, folder, path: path.to_owned() })
    }

    /// The refresh that is under way, or was left so.
    ///
    /// # Errors
    /// When the file cannot be read, or is none of ours.
    pub fn pending(&self) -> Result<Option<Pending>, JournalError> {
        self.read(JOURNAL)
    }

    /// Writes down that a refresh is under way.
    ///
    /// # Errors
    /// When it cannot be brought to the disc: nothing may be begun then.
    pub fn begin(&self, _lock: &AccountLock, pending: &Pending) -> Result<(), JournalError> {
        self.write(JOURNAL, pending)
    }

    /// Writes down that it has ended.
    ///
    /// # Errors
    /// When it cannot be brought to the disc; the next keeper then brings it to its end once more.
    pub fn end(&self, _lock: &AccountLock) -> Result<(), JournalError> {
        let removed = self
            .disk
            .remove(self.folder.as_fd(), JOURNAL, AtFlags::empty())
            .and_then(|()| self.disk.sync(&self.folder));
        removed.map_err(|source| JournalError::Remove { path: self.path.join(JOURNAL), source })
    }

    /// What is remembered. What does not read counts as nothing: it only saves attempts.
    pub fn memory(&self) -> Memory {
        self.read(MEMORY).ok().flatten().unwrap_or_default()
    }

    /// Remembers it.
    ///
    /// # Errors
    /// When it cannot be brought to the disc.
    pub fn remember(&self, _lock: &AccountLock, memory: &Memory) -> Result<(), JournalError> {
        self.write(MEMORY, memory)
    }

    /// Removes temporary files that killed keepers left.
    pub fn sweep(&self, _lock: &AccountLock) {
        sweep(self.disk, self.folder.as_fd(), JOURNAL);
        sweep(self.disk, self.folder.as_fd(), MEMORY);
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>, JournalError> {
        let path = self.path.join(name);
        match read::file(self.folder.as_fd(), name, MAX_BYTES) {
            Ok(found) => {
                serde_json::from_slice(&found.content).map(Some).map_err(|_| JournalError::Broken { path })
            }
            Err(Unread::Missing) => Ok(None),
            Err(unread) => Err(JournalError::Read { path, unread }),
        }
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), JournalError> {
        let broken = |_| JournalError::Broken { path: self.path.join(name) };
        let text = serde_json::to_vec(value).map_err(broken)?;
        Ok(replace(self.disk, self.folder.as_fd(), name, &text)?)
    }
}
