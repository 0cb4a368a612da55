//! Why the sandbox could not be made ready.

use crate::agent::SetupFailed;
use crate::foreseen::Unforeseen;
use crate::verify::Exchanged;
use coffer_sys::control::ToInit;
use std::fmt;
use std::io;

/// One variant per thing that init does.
#[derive(Debug)]
pub(crate) enum Failure {
    Usage,
    HostGone,
    Unexpected(Box<ToInit>),
    Harden(io::Error),
    Signals(io::Error),
    Control(io::Error),
    Environment(io::Error),
    Exchanged(Exchanged),
    Unforeseen(Unforeseen),
    Setup(SetupFailed),
    Wait(io::Error),
}

impl Failure {
    pub(crate) fn harden(error: impl Into<io::Error>) -> Self {
        Self::Harden(error.into())
    }

    pub(crate) fn signals(error: io::Error) -> Self {
        Self::Signals(error)
    }

    pub(crate) fn control(error: io::Error) -> Self {
        Self::Control(error)
    }

    pub(crate) fn environment(error: io::Error) -> Self {
        Self::Environment(error)
    }

    pub(crate) fn setup(error: SetupFailed) -> Self {
        Self::Setup(error)
    }

    pub(crate) fn wait(error: io::Error) -> Self {
        Self::Wait(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage => f.write_str(
                "usage: coffer-init [--control-fd N | --control-socket PATH] [--gateway-fd N] [--listen ADDRESS:PORT]… \
                 [--verify DEV:INO:PATH | --verify-ro DEV:INO:PATH | --verify-mount PATH]… \
                 [--may-mount PATH | --may-mount-below PATH]… [--system-calls strict|nesting] \
                 [--landlock ABI [--landlock-list|-read|-write|-devices PATH]…] -- COMMAND [ARG…]",
            ),
            Self::HostGone => f.write_str("the host is gone before the start"),
            Self::Unexpected(message) => write!(f, "the host's first message is not a start: {message:?}"),
            Self::Harden(cause) => write!(f, "cannot harden itself: {cause}"),
            Self::Signals(cause) => write!(f, "cannot take signals as events: {cause}"),
            Self::Control(cause) => write!(f, "cannot use the control socket: {cause}"),
            Self::Environment(cause) => write!(f, "cannot read the agent's environment: {cause}"),
            Self::Exchanged(exchanged) => exchanged.fmt(f),
            Self::Unforeseen(unforeseen) => unforeseen.fmt(f),
            Self::Setup(failed) => write!(f, "cannot prepare the agent: {:?}: {}", failed.step, failed.cause),
            Self::Wait(cause) => write!(f, "cannot wait for the agent: {cause}"),
        }
    }
}
