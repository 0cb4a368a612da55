//! Bytes between the user's terminal and the private one.

use super::terminal::{Line, UserTerminal};
use coffer_sys::control::Window;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer};
use rustix::termios::tcsetwinsize;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// How much may be under way in each direction.
const CAPACITY: usize = 64 * 1024;

/// What a terminal that says it can be written to takes without blocking, at the least.
const SHARED_WRITE: usize = 256;

/// Bytes under way in one direction.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// What one transfer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    /// So many bytes; 0 if there was nothing to do or the other side was not ready.
    Bytes(usize),
    /// The other side is gone.
    Gone,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; CAPACITY], start: 0, end: 0 }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn has_room(&self) -> bool {
        self.end - self.start < CAPACITY
    }

    /// One read into the free space.
    fn fill(&mut self, from: impl AsFd) -> io::Result<Moved> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let Some(free) = self.bytes.get_mut(self.end..).filter(|free| !free.is_empty()) else {
            return Ok(Moved::Bytes(0));
        };
        match rustix::io::read(from, free) {
            Ok(0) | Err(Errno::IO) => Ok(Moved::Gone),
            Ok(read) => {
                self.end += read;
                Ok(Moved::Bytes(read))
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Moved::Bytes(0)),
            Err(errno) => Err(errno.into()),
        }
    }

    /// One write of at most `limit` bytes.
    fn drain(&mut self, into: impl AsFd, limit: usize) -> io::Result<Moved> {
        let waiting = self.bytes.get(self.start..self.end).unwrap_or_default();
        let waiting = waiting.get(..limit).unwrap_or(waiting);
        if waiting.is_empty() {
            return Ok(Moved::Bytes(0));
        }
        match rustix::io::write(into, waiting) {
            Ok(written) => {
                self.start += written;
                Ok(Moved::Bytes(written))
            }
            Err(Errno::IO | Errno::PIPE | Errno::NXIO | Errno::BADF) => Ok(Moved::Gone),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Moved::Bytes(0)),
            Err(errno) => Err(errno.into()),
        }
    }

    fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }
}

/// What the relay wants to be told by `poll`, in the order of [`Relay::interests`].
pub(crate) const INTERESTS: usize = 3;

/// The private terminal's master side and what is under way to and from it.
#[derive(Debug)]
pub(crate) struct Relay {
    master: OwnedFd,
    /// The other side, held open so that the agent may close and open its terminal as it likes without an end of
    /// file here. Given up when everything inside is dead: then the end of file is the end of the output.
    hold: Option<OwnedFd>,
    keys: Buffer,
    output: Buffer,
    drained: bool,
}

/// How the user's terminal is after a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Fine,
    Gone,
}

impl Relay {
    /// Takes the master side.
    pub(crate) fn new(master: OwnedFd) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let hold = ioctl_tiocgptpeer(&master, flags)?;
        fcntl_setfl(&master, fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
        Ok(Self { master, hold: Some(hold), keys: Buffer::new(), output: Buffer::new(), drained: false })
    }

    /// Descriptors and events for `poll`: keyboard (only while it is ours), screen, master.
    pub(crate) fn interests<'a>(&'a self, terminal: &'a UserTerminal) -> [PollFd<'a>; INTERESTS] {
        let when = |wanted: bool, flags: PollFlags| if wanted { flags } else { PollFlags::empty() };
        let screen = &terminal.screen.descriptor;
        // What is typed after the end is for whoever reads the terminal next.
        let reads_keys = terminal.is_raw() && self.hold.is_some() && self.keys.has_room();
        let reads_output = when(self.output.has_room() && !self.drained, PollFlags::IN);
        let writes_keys = when(!self.keys.is_empty(), PollFlags::OUT);
        let master = reads_output | writes_keys;
        [
            PollFd::new(&terminal.keyboard.descriptor, when(reads_keys, PollFlags::IN)),
            PollFd::new(screen, when(!self.output.is_empty(), PollFlags::OUT)),
            // At the end the master side says so in every poll, asked or not: while we wait for a slow screen it is
            // left out, and the screen's hang-up is looked for twice.
            if master.is_empty() { PollFd::new(screen, master) } else { PollFd::new(&self.master, master) },
        ]
    }

    /// Moves what can be moved after `poll` said so.
    pub(crate) fn transfer(
        &mut self,
        terminal: &UserTerminal,
        [keyboard, screen, master]: [PollFlags; INTERESTS],
    ) -> io::Result<Health> {
        let gone = PollFlags::HUP | PollFlags::ERR;
        if keyboard.contains(PollFlags::IN)
            && terminal.is_raw()
            && self.keys.fill(&terminal.keyboard.descriptor)? == Moved::Gone
        {
            return Ok(Health::Gone);
        }
        if self.hold.is_none() {
            self.keys.clear();
        } else {
            self.keys.drain(&self.master, CAPACITY)?;
        }
        if master.intersects(PollFlags::IN | gone) && self.output.has_room() {
            self.drained |= self.output.fill(&self.master)? == Moved::Gone;
        }
        if self.flush(&terminal.screen, screen)? == Moved::Gone {
            return Ok(Health::Gone);
        }
        Ok(if screen.intersects(gone) || keyboard.intersects(gone) { Health::Gone } else { Health::Fine })
    }

    fn flush(&mut self, screen: &Line, ready: PollFlags) -> io::Result<Moved> {
        if !screen.can_write {
            self.output.clear();
        } else if !screen.is_shared {
            return self.output.drain(&screen.descriptor, CAPACITY);
        } else if ready.contains(PollFlags::OUT) {
            return self.output.drain(&screen.descriptor, SHARED_WRITE);
        }
        Ok(Moved::Bytes(0))
    }

    /// Everything inside is dead: what is in the terminal now is all there will be.
    pub(crate) fn expect_end(&mut self) {
        self.hold = None;
        self.keys.clear();
    }

    /// Whether all output has been passed on, for ever.
    pub(crate) fn is_finished(&self) -> bool {
        self.drained && self.output.is_empty()
    }

    /// Whether all output so far has been passed on.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut master = [PollFd::new(&self.master, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let waiting = poll(&mut master, Some(&now)).is_ok_and(|ready| ready > 0);
        self.output.is_empty() && !waiting
    }

    /// Tells the private terminal its size; the kernel tells the programs on it.
    pub(crate) fn resize(&self, window: Window) -> io::Result<()> {
        Ok(tcsetwinsize(&self.master, window.into())?)
    }
}

#[cfg(test)]
mod tests;
