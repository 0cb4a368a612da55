//! What the host and `coffer-init` say to each other.
//!
//! One datagram of a `SOCK_SEQPACKET` socket is one message: a tag byte and fields of fixed size, little endian.
//! Descriptors travel beside it by `SCM_RIGHTS`. Only these two processes ever hold the socket: the agent is
//! forked with every descriptor above 2 closed, so the host may trust what it reads here.

mod channel;
mod gateway;
mod listener;
mod modes;
mod wire;

pub use channel::{Channel, MAX_PASSED, Received};
pub use gateway::{FromGateway, ToGateway};
pub use listener::Listener;
pub use modes::Modes;
pub use wire::{Message, WireError};

/// Said by init in its first message; the host goes on with no other version.
pub const PROTOCOL_VERSION: u16 = 5;

/// A set of the three standard descriptors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StdioSet(u8);

impl StdioSet {
    const ALL: u8 = 0b111;

    /// The set with these descriptor numbers; numbers above 2 are left out.
    pub fn of(numbers: impl IntoIterator<Item = u8>) -> Self {
        Self(numbers.into_iter().filter(|number| *number < 3).fold(0, |bits, number| bits | (1 << number)))
    }

    /// Whether descriptor `number` is in the set.
    pub fn contains(self, number: u8) -> bool {
        number < 3 && self.0 & (1 << number) != 0
    }

    /// The members in ascending order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..3).filter(move |number| self.contains(*number))
    }

    /// How many descriptors are in the set.
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A terminal's size in characters and in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Height in characters.
    pub rows: u16,
    /// Width in characters.
    pub columns: u16,
    /// Width in pixels; 0 if unknown.
    pub width: u16,
    /// Height in pixels; 0 if unknown.
    pub height: u16,
}

impl From<rustix::termios::Winsize> for Window {
    fn from(size: rustix::termios::Winsize) -> Self {
        Self { rows: size.ws_row, columns: size.ws_col, width: size.ws_xpixel, height: size.ws_ypixel }
    }
}

impl From<Window> for rustix::termios::Winsize {
    fn from(window: Window) -> Self {
        Self {
            ws_row: window.rows,
            ws_col: window.columns,
            ws_xpixel: window.width,
            ws_ypixel: window.height,
        }
    }
}

/// How the agent shall be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Which of 0–2 come with this message, in ascending order.
    pub passed: StdioSet,
    /// Which of 0–2 shall be the private terminal. What is in neither set becomes `/dev/null`.
    pub terminal: StdioSet,
    /// The private terminal's first size.
    pub window: Window,
    /// The private terminal's first modes; `None` leaves the kernel's.
    pub modes: Option<Modes>,
    /// Whether the user's terminal is ours to read: the agent then starts in the foreground of its own.
    pub foreground: bool,
    /// Whether a file with the agent's whole environment comes with this message, after those of 0–2: entries
    /// `NAME=VALUE`, each with a zero byte behind it. Else it is init's own.
    pub environment: bool,
    /// Whether the socket that leads to the gateway comes with this message, last of all.
    pub gateway: bool,
}

impl Start {
    /// How many descriptors come with it.
    pub fn descriptors(&self) -> usize {
        self.passed.len() + usize::from(self.environment) + usize::from(self.gateway)
    }
}

/// From the host to init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToInit {
    /// The first message, and only once.
    Start(Start),
    /// A signal for the agent's process group.
    Signal(i32),
    /// The user's shell resumed us: resume the agent if it is stopped, in the foreground or in the background.
    Continue {
        /// Whether we own the foreground of the user's terminal.
        foreground: bool,
    },
}

/// A step of init's preparations, named when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// Opening `/dev/null` for a standard descriptor that the host does not have.
    NullDevice = 1,
    /// Making a pseudo terminal of the sandbox's own devpts.
    OpenTerminal = 2,
    /// Copying size and modes to it.
    PrepareTerminal = 3,
    /// Starting a session, and making the pseudo terminal its controlling terminal.
    Session = 4,
    /// Forking, or putting the agent's process group in the foreground.
    Fork = 5,
    /// Waiting for events.
    Wait = 6,
    /// Leaving the host's session keyring.
    Keyring = 7,
    /// Listening on a port inside for the gateway.
    Listen = 8,
    /// Waiting for the gateway to serve.
    Gateway = 9,
    /// Taking system calls away from the agent, or closing files to it.
    Walls = 10,
}

/// From init to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromInit {
    /// Init runs: the backend has done its part.
    Hello {
        /// [`PROTOCOL_VERSION`] of the sender.
        version: u16,
    },
    /// The master side of the private terminal is passed with this message.
    Pty,
    /// The agent's program runs.
    Started {
        /// Its process id inside the sandbox.
        pid: i32,
    },
    /// The agent's program cannot be executed.
    ExecFailed {
        /// The cause.
        errno: i32,
    },
    /// Init could not get as far as executing the agent.
    SetupFailed {
        /// Where it failed.
        step: Step,
        /// The cause.
        errno: i32,
    },
    /// The sandbox does not show what it should: the agent was not started.
    Exchanged {
        /// Which of init's options `--verify`, `--verify-ro`, `--verify-mount` is not met, counted from 0 over all.
        index: u32,
        /// Why its path could not be looked at; 0 if something else is there.
        errno: i32,
    },
    /// Something is mounted that nobody foresaw: the agent was not started. Init says what on its standard error.
    Unforeseen,
    /// A signal has come and is passed on: init is at work, whatever the agent does with it.
    Heard,
    /// The agent was stopped.
    Stopped {
        /// By this signal.
        signal: i32,
    },
    /// The agent goes on.
    Continued,
    /// The container's own group came up against limits; said before the agent's end.
    Hits {
        /// How many processes the kernel ended for want of memory.
        memory: u32,
        /// How many starts of processes it refused.
        pids: u32,
    },
    /// The agent has ended by itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// The agent was ended by a signal.
    Signaled {
        /// The signal.
        signal: i32,
    },
}

#[cfg(test)]
mod tests;
