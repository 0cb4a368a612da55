//! Why a gateway cannot stand alone.

use std::io;
use std::net::SocketAddr;

use camino::Utf8PathBuf;
use coffer_account::tokens::TokensError;

/// Why a gateway cannot stand alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AloneError {
    /// Others than this machine would reach the gateway's address.
    #[error("`{address}` can be reached from elsewhere; a gateway listens on loopback addresses only")]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The folder of a socket is open to others.
    #[error("others could enter `{path}`, where the gateway's socket is to be ({what})")]
    Folder {
        /// The folder.
        path: Utf8PathBuf,
        /// Its owner or its mode.
        what: String,
    },
    /// Somebody listens there already.
    #[error("somebody listens on `{path}` already")]
    Live {
        /// The socket.
        path: Utf8PathBuf,
        /// Who holds its lock, if it is a gateway.
        source: Option<coffer_account::lock::LockError>,
    },
    /// Something else stands where the socket is to be.
    #[error("`{path}` is there already and is no socket")]
    InTheWay {
        /// The path.
        path: Utf8PathBuf,
    },
    /// It cannot listen.
    #[error("cannot listen on `{place}`")]
    Listen {
        /// Where.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// What systemd handed over is no socket to listen on.
    #[error("descriptor {number}, which was handed over, cannot be listened on: {reason}")]
    HandedOver {
        /// Its number.
        number: i32,
        /// Why.
        reason: String,
    },
    /// It cannot serve.
    #[error("cannot {action}")]
    Serve {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The tokens cannot be read or changed.
    #[error(transparent)]
    Tokens(#[from] TokensError),
}

impl AloneError {
    /// Whether it is something that was typed.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::NotLoopback { .. } | Self::Tokens(TokensError::Unknown { .. }))
    }

    /// The code of the failure.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotLoopback { .. } => "gateway-address",
            Self::Folder { .. } => "gateway-folder",
            Self::Live { .. } => "gateway-live",
            Self::InTheWay { .. } => "gateway-in-the-way",
            Self::Listen { .. } => "gateway-listen",
            Self::HandedOver { .. } => "gateway-handed-over",
            Self::Serve { .. } => "gateway-serve",
            Self::Tokens(error) => error.code(),
        }
    }

    /// The command that helps.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoopback { .. } => Some(
                "mount the socket into the container instead: `coffer gateway --listen unix:PATH`".to_owned(),
            ),
            Self::Folder { path, .. } => {
                Some(format!("`chown $(id -u) {path} && chmod 700 {path}`, or a folder of the gateway's own"))
            }
            Self::Live { .. } => {
                Some("one is enough for all tokens; or another one: `--listen unix:PATH`".to_owned())
            }
            Self::InTheWay { path } => Some(format!("`ls -l {path}`, and take it away if nobody needs it")),
            Self::Listen { .. } => {
                Some("another place: `--listen unix:PATH`, `--listen 127.0.0.1:0`".to_owned())
            }
            Self::HandedOver { .. } => {
                Some("`coffer gateway --unit socket` prints a unit that fits".to_owned())
            }
            Self::Serve { .. } => None,
            Self::Tokens(error) => error.hint(),
        }
    }
}
