//! The attacks, as data.

mod files;
mod kernel;
mod own;
mod reach;

use std::path::PathBuf;

use coffer_sys::attempts::Call;

use super::scene::LED;
use super::{Brief, Outcome};

/// One attack. It changes nothing that the test does not own.
pub struct Attack {
    /// Stable word.
    pub name: &'static str,
    /// What it is about.
    pub class: Class,
    /// What it tries.
    pub tries: &'static str,
    /// What of a plan explains its success; for most nothing does, and they must be blocked.
    pub grant: Grant,
    /// How.
    pub(crate) deed: Deed,
}

/// What an attack is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Reading what was not granted.
    Reading,
    /// Writing outside the project and the run's own state.
    Writing,
    /// Files of the project that programs of the host run later.
    Deferred,
    /// Symbolic, hard and magic links.
    Links,
    /// Other processes, signals, tracing.
    Processes,
    /// Variables.
    Environment,
    /// Descriptors that were left open.
    Descriptors,
    /// The user's terminal.
    Terminals,
    /// Namespaces of one's own.
    Namespaces,
    /// Mounts.
    Mounts,
    /// Keys that the kernel keeps.
    Keyrings,
    /// System calls that agents do not need.
    Kernel,
    /// Switches of the kernel, and devices.
    Devices,
    /// Memory, queues and semaphores that are shared.
    Ipc,
    /// Sockets that have a path or an abstract name.
    Sockets,
    /// The network.
    Network,
    /// The gateway of the run.
    Gateway,
    /// Cofferdam's own parts.
    Own,
    /// Using up what all share.
    Exhaustion,
}

impl Class {
    /// Whether it is about parts that only Cofferdam has.
    #[must_use]
    pub fn is_of_own_parts(self) -> bool {
        matches!(self, Self::Gateway | Self::Own)
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Writing => "writing",
            Self::Deferred => "deferred",
            Self::Links => "links",
            Self::Processes => "processes",
            Self::Environment => "environment",
            Self::Descriptors => "descriptors",
            Self::Terminals => "terminals",
            Self::Namespaces => "namespaces",
            Self::Mounts => "mounts",
            Self::Keyrings => "keyrings",
            Self::Kernel => "kernel",
            Self::Devices => "devices",
            Self::Ipc => "ipc",
            Self::Sockets => "sockets",
            Self::Network => "network",
            Self::Gateway => "gateway",
            Self::Own => "own",
            Self::Exhaustion => "exhaustion",
        }
    }
}

/// What of a plan explains that an attack succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Nothing does: it must be blocked.
    Never,
    /// The host's network.
    HostNetwork,
    /// The project, which the agent may write.
    Project,
    /// The lease, which holds the access token.
    Lease,
}

/// How an attack is made.
pub(crate) enum Deed {
    /// Reads a canary file.
    Read(&'static str),
    /// Writes a mark to a file, or at the end of one that is there.
    Write(&'static str),
    /// Opens a file for writing, and writes nothing.
    OpenToWrite(&'static str),
    /// Asks whether a program or a file of the system may be written.
    MayWrite(&'static str),
    /// Opens a device or a file of the kernel's for reading, and reads one byte of it if it is a file.
    Open(&'static str),
    /// The same for a file of the machine's system; an image has files of the same names, and those are its own.
    OpenOfMachine(&'static str),
    /// Connects to a socket with a path, and is greeted with the canary.
    Connect(&'static str),
    /// Connects by TCP, and is greeted with the canary.
    Tcp(&'static str),
    /// Makes a system call.
    Call(Call),
    /// Lays a link for the host to write through, later.
    Lead(fn(&Brief) -> Outcome),
    /// Anything else.
    Do(fn(&Brief) -> Outcome),
}

impl Attack {
    /// Whether it may be made beside others in one process: it only opens something.
    pub(crate) fn only_opens(&self) -> bool {
        match self.deed {
            Deed::Read(_)
            | Deed::Write(_)
            | Deed::OpenToWrite(_)
            | Deed::MayWrite(_)
            | Deed::Open(_)
            | Deed::OpenOfMachine(_)
            | Deed::Connect(_)
            | Deed::Tcp(_) => true,
            Deed::Call(_) | Deed::Lead(_) | Deed::Do(_) => false,
        }
    }

    /// The file of the machine's system that it is about, if it is.
    pub(crate) fn of_machine(&self) -> Option<&'static str> {
        match self.deed {
            Deed::OpenOfMachine(path) => Some(path),
            Deed::Read(_)
            | Deed::Write(_)
            | Deed::OpenToWrite(_)
            | Deed::MayWrite(_)
            | Deed::Open(_)
            | Deed::Connect(_)
            | Deed::Tcp(_)
            | Deed::Call(_)
            | Deed::Lead(_)
            | Deed::Do(_) => None,
        }
    }

    /// The file that shows on the host that it succeeded, if there is one: written by the attack, or through a link that
    /// it laid.
    #[must_use]
    pub fn trace(&self, brief: &Brief) -> Option<PathBuf> {
        match self.deed {
            Deed::Write(path) => Some(brief.path(path)),
            Deed::Lead(_) => Some(brief.stage.join(LED).join(self.name)),
            Deed::Read(_)
            | Deed::OpenToWrite(_)
            | Deed::MayWrite(_)
            | Deed::Open(_)
            | Deed::OpenOfMachine(_)
            | Deed::Connect(_)
            | Deed::Tcp(_)
            | Deed::Call(_)
            | Deed::Do(_) => None,
        }
    }
}

/// All of them, by class.
pub fn attacks() -> impl Iterator<Item = &'static Attack> {
    [files::ATTACKS, reach::ATTACKS, kernel::ATTACKS, own::ATTACKS].into_iter().flatten()
}

/// A row: `"name" Class Grant: deed, "what it tries";`.
macro_rules! rows {
    ($($name:literal $class:ident $grant:ident: $deed:expr, $tries:literal;)+) => {
        &[$($crate::attack::table::Attack {
            name: $name,
            class: $crate::attack::table::Class::$class,
            tries: $tries,
            grant: $crate::attack::table::Grant::$grant,
            deed: $deed,
        }),+]
    };
}
use rows;
