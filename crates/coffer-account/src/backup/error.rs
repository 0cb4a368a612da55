//! Why a backup was not made or read.

use std::io;

use camino::Utf8PathBuf;

/// Why a backup was not made or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder cannot be read or written.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which one.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The sealed stream cannot be written.
    #[error("cannot write the backup")]
    Write(#[from] io::Error),
    /// The sealed stream cannot be read to its end.
    #[error("the backup is damaged or cut")]
    Damaged(#[source] io::Error),
    /// It was sealed to somebody else, or the passphrase is another.
    #[error("the backup cannot be opened with this identity or passphrase, or is no backup")]
    NotOurs,
    /// It was sealed to a passphrase, and none was given.
    #[error("the backup was sealed with a passphrase")]
    NeedsPassphrase,
    /// A text is no recipient that is taken.
    #[error("`{text}` is no recipient: {reason}")]
    Recipient {
        /// As it was said.
        text: String,
        /// Why.
        reason: &'static str,
    },
    /// A file holds no identity that is taken.
    #[error("`{path}` holds no identity: {reason}")]
    Identity {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// It holds something that no backup of ours holds.
    #[error("the backup is refused: `{entry}` {reason}")]
    Hostile {
        /// Which entry, as far as it can be shown.
        entry: String,
        /// Why.
        reason: &'static str,
    },
    /// A newer coffer made it.
    #[error("a newer coffer made this backup")]
    Newer,
}

impl BackupError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } | Self::Write(_) => "backup-store",
            Self::Damaged(_) => "backup-damaged",
            Self::NotOurs | Self::NeedsPassphrase => "backup-sealed",
            Self::Recipient { .. } => "backup-recipient",
            Self::Identity { .. } => "backup-identity",
            Self::Hostile { .. } => "backup-refused",
            Self::Newer => "backup-newer",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { path, .. } => Some(format!("see who may do that: `ls -ld {path}`")),
            Self::Write(_) => Some("see whether there is room: `df -h`".to_owned()),
            Self::Damaged(_) | Self::Hostile { .. } => Some("take another backup".to_owned()),
            Self::NotOurs => Some("name what opens it: `--identity FILE`, or `--passphrase`".to_owned()),
            Self::NeedsPassphrase => Some("say `--passphrase`".to_owned()),
            Self::Recipient { .. } => {
                Some("`--recipient age1…`, `--recipient 'ssh-ed25519 …'`, or a file of such lines".to_owned())
            }
            Self::Identity { .. } => Some(
                "an `age` identity file, or an SSH key of the kind `ssh-ed25519` without passphrase"
                    .to_owned(),
            ),
            Self::Newer => Some("use the coffer that made it".to_owned()),
        }
    }
}
