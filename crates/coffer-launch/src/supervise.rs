//! From a started backend to the agent's end: terminal, signals, job control, exit.
//!
//! The host holds the master side of the private terminal that `coffer-init` made inside, and relays between it
//! and the user's own terminal, and between files among 0–2 and the agent's pipes; pipes and sockets were handed to
//! init and need no relay. Everything
//! happens in one thread around one `poll`. No buffer grows: whoever is slow slows the other side down.

mod backend;
mod files;
mod relay;
mod session;
mod stdio;
mod terminal;
mod verified;

pub use stdio::{Stdio, Unfit};

use coffer_sys::control::{Channel, Listener, Step};
use coffer_sys::signals::{Held, heed_children};
use session::Session;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};

/// The host's end of a run's control socket, or the place where it will be.
#[derive(Debug)]
pub struct HostEnd(Meeting);

/// How host and init come together.
#[derive(Debug)]
pub(crate) enum Meeting {
    /// Init inherits the other end.
    Connected(Channel),
    /// Init comes to a socket that it is shown.
    Awaited(Awaited),
}

/// Where init comes to, and what it is given then, because nobody lets it inherit anything.
#[derive(Debug)]
pub(crate) struct Awaited {
    pub(crate) listener: Listener,
    /// A file with the agent's whole environment.
    pub(crate) environment: OwnedFd,
    /// Init's end of the socket that leads to the gateway.
    pub(crate) gateway: Option<OwnedFd>,
}

/// The two ends of a run's control socket. The second one goes to init by inheritance
/// (`coffer_sys::descriptors::inherit`) under its own number, which `--control-fd` names.
///
/// To be called before the backend is started: from here on its end can be waited for, even if our parent left
/// `SIGCHLD` ignored.
///
/// # Errors
/// As `socketpair(2)`.
pub fn control_pair() -> io::Result<(HostEnd, OwnedFd)> {
    heed_children();
    let (host, init) = Channel::pair()?;
    Ok((HostEnd(Meeting::Connected(host)), init.into_descriptor()))
}

/// The control socket of a run whose init inherits nothing: it comes to a socket in the folder, once, and is given the
/// agent's environment and its end of the socket that leads to the gateway.
///
/// To be called before the backend is started, as [`control_pair`].
///
/// # Errors
/// As `bind(2)`.
pub(crate) fn control_listener(
    folder: OwnedFd,
    name: &str,
    environment: OwnedFd,
    gateway: Option<OwnedFd>,
) -> io::Result<HostEnd> {
    heed_children();
    let listener = Listener::new(folder, name)?;
    Ok(HostEnd(Meeting::Awaited(Awaited { listener, environment, gateway })))
}

/// A run that was supervised to its end.
#[derive(Debug)]
pub(crate) struct Supervised {
    pub(crate) ended: Ended,
    /// How the backend's process ended.
    pub(crate) status: ExitStatus,
    /// What init says about limits: processes that were ended for want of memory, and starts that were refused.
    pub(crate) hits: Option<(u32, u32)>,
}

/// Holds back the signals that would end or stop us, until the value is dropped: around everything that makes and
/// removes something for a run. What comes in meanwhile is found by [`supervise`], and else takes effect at the end.
///
/// # Errors
/// [`SuperviseError::Signals`].
pub fn hold_signals() -> Result<Held, SuperviseError> {
    Held::block(&session::FORWARDED).map_err(SuperviseError::Signals)
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// The agent ended by itself, with this code.
    Exited(i32),
    /// A signal ended the agent; or one that came before it ran ended the start.
    Signaled(i32),
    /// The agent's program was not found or cannot be executed.
    ExecFailed {
        /// The error number of `execve`.
        errno: i32,
    },
    /// Init runs but could not prepare the agent.
    SetupFailed {
        /// Where.
        step: Step,
        /// Why.
        errno: i32,
    },
    /// The sandbox did not show what it should, so the agent was not started.
    Exchanged {
        /// Which of init's options to verify is not met; [`Launch::verified`](crate::launch::Launch::verified) names
        /// its path.
        index: u32,
        /// Why the path could not be looked at; `None` if something else is there.
        errno: Option<i32>,
    },
    /// More is mounted in the sandbox than the plan has, so the agent was not started.
    Unforeseen {
        /// What init found.
        found: String,
    },
    /// The backend ended before init said anything.
    BackendFailed {
        /// How the backend ended.
        status: ExitStatus,
        /// What it wrote on its standard error, at most 64 KiB.
        diagnostics: String,
    },
    /// The backend or init ended without a word about the agent, which no longer runs: somebody killed them.
    Lost {
        /// How the backend ended.
        status: ExitStatus,
        /// What it wrote on its standard error, at most 64 KiB.
        diagnostics: String,
    },
}

/// Why a run could not be supervised. The backend has been killed and everything inside with it.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// One of 0–2 must not get into a sandbox.
    #[error("descriptor {number} is {why}")]
    Unfit {
        /// Which of 0–2.
        number: u8,
        /// What is wrong with it.
        why: Unfit,
    },
    /// One of 0–2 cannot be looked at.
    #[error("cannot look at descriptor {number}")]
    Look {
        /// Which of 0–2.
        number: u8,
        /// Why.
        source: io::Error,
    },
    /// The pipes between the agent and files among 0–2 cannot be made.
    #[error("cannot make a pipe to a file among the standard descriptors")]
    Pipe(#[source] io::Error),
    /// A file among 0–2 could not be read to the agent; the agent has ended by itself since.
    #[error("cannot read descriptor {number} for the agent, which saw an early end")]
    Input {
        /// 0.
        number: u8,
        /// Why.
        source: io::Error,
    },
    /// A file among 0–2 could not take what the agent wrote; the agent has ended by itself since.
    #[error("cannot write to descriptor {number} what the agent wrote")]
    Output {
        /// Which of 0–2.
        number: u8,
        /// Why.
        source: io::Error,
    },
    /// Signals cannot be taken as events.
    #[error("cannot take signals as events")]
    Signals(#[source] io::Error),
    /// The start message cannot be sent.
    #[error("cannot tell the sandbox's init what to start")]
    Start(#[source] io::Error),
    /// Init cannot be waited for, or somebody else came to its door.
    #[error("cannot let the sandbox's init in")]
    Meet(#[source] io::Error),
    /// Init's messages cannot be read.
    #[error("cannot hear the sandbox's init")]
    Hear(#[source] io::Error),
    /// Init is of another version than we are.
    #[error("the sandbox's init speaks version {theirs} of the control protocol, not {ours}")]
    Version {
        /// Ours.
        ours: u16,
        /// What init said.
        theirs: u16,
    },
    /// The private terminal cannot be used.
    #[error("cannot use the private terminal")]
    PrivateTerminal(#[source] io::Error),
    /// The user's terminal cannot be used.
    #[error("cannot use the terminal on the standard descriptors")]
    UserTerminal(#[source] io::Error),
    /// Events cannot be waited for.
    #[error("cannot wait for events of the run")]
    Wait(#[source] io::Error),
    /// The backend's end cannot be learned.
    #[error("cannot wait for the sandbox backend")]
    Backend(#[source] io::Error),
}

impl SuperviseError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unfit { number: 0, .. } => Some(
                "give it a file or a pipe as standard input, or nothing: `coffer run … < /dev/null`"
                    .to_owned(),
            ),
            Self::Unfit { .. } => {
                Some("send the output to a file or a pipe: `coffer run … | cat`".to_owned())
            }
            Self::Output { source, .. }
                if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                Some("make room on the disk".to_owned())
            }
            Self::Look { .. }
            | Self::Pipe(_)
            | Self::Input { .. }
            | Self::Output { .. }
            | Self::Signals(_)
            | Self::Start(_)
            | Self::Meet(_)
            | Self::Hear(_)
            | Self::Version { .. }
            | Self::PrivateTerminal(_)
            | Self::UserTerminal(_)
            | Self::Wait(_)
            | Self::Backend(_) => None,
        }
    }
}

/// Relays terminal, files and signals until the agent has ended and the backend with it. The user's terminal is as before
/// on every way out.
///
/// `child` is the backend, just started from this thread in a process group of its own; `diagnostics` is the
/// reading end of its standard error. Call it without other threads that let signals through.
///
/// # Errors
/// [`SuperviseError`]; nothing of the run is left then.
pub fn supervise(
    child: Child,
    host: HostEnd,
    diagnostics: OwnedFd,
    stdio: &Stdio,
) -> Result<Ended, SuperviseError> {
    supervise_to_end(child, host, diagnostics, stdio).map(|supervised| supervised.ended)
}

/// The same, with what is to be known of the backend.
pub(crate) fn supervise_to_end(
    child: Child,
    host: HostEnd,
    diagnostics: OwnedFd,
    stdio: &Stdio,
) -> Result<Supervised, SuperviseError> {
    Session::new(child, host.0, diagnostics, stdio)?.run()
}
