//! Why the ledger could not be used, and what to do about it.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

/// Why the ledger could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The operating system refused.
    #[error("cannot {action} the ledger `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else stands where the ledger should be.
    #[error("the ledger `{path}` is {what}")]
    Foreign {
        /// The file or folder.
        path: Utf8PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// An event cannot be said in JSON.
    #[error("cannot write the event as JSON")]
    Json(#[source] serde_json::Error),
    /// An event that is too long for a line.
    #[error("an event of {bytes} bytes is too long for the ledger")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The last line is none of ours, so nothing can be chained to it.
    #[error("the ledger `{path}` ends with a line that is no entry")]
    Broken {
        /// The file.
        path: Utf8PathBuf,
    },
}

impl LedgerError {
    pub(crate) fn io(action: &'static str, path: &Utf8Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("make room on the disk".to_owned())
            }
            Self::Io { path, .. } => Some(format!("see who may do that: `ls -ld {path}`")),
            Self::Foreign { path, .. } => {
                Some(format!("see what it is, and move it away: `ls -ld {path}`; `mv {path} {path}.odd`"))
            }
            Self::Broken { path } => {
                Some(format!("`coffer ledger verify` says where; `mv {path} {path}.broken` begins a new one"))
            }
            Self::Json(_) | Self::TooLong { .. } => None,
        }
    }
}
