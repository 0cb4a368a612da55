//! What can go wrong in an adoption.

use std::io;

use camino::Utf8PathBuf;

use crate::client_locks::ClientLockError;
use crate::read::Unread;
use crate::replace::ReplaceError;
use crate::tree::CopyError;

/// Why nothing was adopted.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// There is no login.
    #[error("there is no login: {found}")]
    NoLogin {
        /// What there is instead.
        found: String,
    },
    /// There is a login that is of no use.
    #[error("the login is of no use: {found}")]
    Unfit {
        /// What is wrong with it.
        found: String,
    },
    /// A login without refresh token ends within hours.
    #[error("the login has no refresh token, so it could not be kept")]
    NoRefreshToken,
    /// A file of the state is no JSON object.
    #[error("`{file}` of the captured state {found}")]
    StateBroken {
        /// The file.
        file: String,
        /// What is wrong with it.
        found: String,
    },
    /// The state cannot be copied.
    #[error("cannot copy the state")]
    Copy(#[source] CopyError),
    /// A file of the account's folder cannot be written.
    #[error("cannot {action} `{path}`")]
    Store {
        /// What was tried.
        action: &'static str,
        /// From the account's folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The login file cannot be replaced.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    /// The former login could not be sealed.
    #[error("cannot seal a copy of the former login: {reason}")]
    Seal {
        /// Why.
        reason: String,
    },
    /// A client works on the present login.
    #[error(transparent)]
    ClientLocks(#[from] ClientLockError),
    /// It was decided, and its end could not be brought about; the next command on the account does.
    #[error("the adoption was begun and could not be brought to its end")]
    Unfinished {
        /// Why.
        source: Box<CaptureError>,
    },
}

impl CaptureError {
    pub(super) fn no_login(unread: Unread, file: &str) -> Self {
        match unread {
            Unread::Missing => Self::NoLogin { found: format!("`{file}` was not made") },
            unread => Self::NoLogin { found: format!("`{file}` cannot be used: {unread}") },
        }
    }

    pub(super) fn nothing() -> Self {
        Self::NoLogin { found: "nothing was captured".to_owned() }
    }

    /// Whether nobody signed in: no failure of what was captured.
    pub fn is_no_login(&self) -> bool {
        matches!(self, Self::NoLogin { .. })
    }

    /// Whether something is wrong with what was captured, and not with the account or the disc.
    pub fn is_about_login(&self) -> bool {
        match self {
            Self::NoLogin { .. } | Self::Unfit { .. } | Self::NoRefreshToken => true,
            Self::StateBroken { .. }
            | Self::Copy(_)
            | Self::Store { .. }
            | Self::Replace(_)
            | Self::Seal { .. }
            | Self::ClientLocks(_)
            | Self::Unfinished { .. } => false,
        }
    }

    /// The stable code of `error[CODE]`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoLogin { .. } => "no-sign-in",
            Self::Unfit { .. } | Self::NoRefreshToken | Self::StateBroken { .. } => "capture-unfit",
            Self::Copy(_) | Self::Store { .. } | Self::Replace(_) => "capture-store",
            Self::Seal { .. } => "capture-seal",
            Self::ClientLocks(_) => "login-in-use",
            Self::Unfinished { .. } => "capture-unfinished",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let full = |source: &io::Error| {
            use io::ErrorKind::{QuotaExceeded, StorageFull};
            matches!(source.kind(), StorageFull | QuotaExceeded).then(|| "make room on the disk".to_owned())
        };
        match self {
            Self::NoLogin { .. } => Some("sign in before you leave: `coffer login`".to_owned()),
            Self::Unfit { .. } => Some("sign in anew: `coffer login`".to_owned()),
            Self::NoRefreshToken => Some(
                "sign in with `coffer login`; a token of `claude setup-token` goes to `coffer account add NAME --kind setup-token`"
                    .to_owned(),
            ),
            Self::StateBroken { file, .. } => {
                Some(format!("mend or remove `{file}`, or import the login file alone"))
            }
            Self::Copy(CopyError::Write { source, .. }) | Self::Store { source, .. } => full(source),
            Self::Replace(error) => full(&error.source),
            Self::Copy(CopyError::Read(_)) => None,
            Self::Seal { .. } => Some("`coffer doctor`; nothing is replaced that is not sealed".to_owned()),
            Self::ClientLocks(_) => Some("end the runs that share this login, and try again".to_owned()),
            Self::Unfinished { source } => source.hint().or_else(|| Some("repeat the command".to_owned())),
        }
    }
}
