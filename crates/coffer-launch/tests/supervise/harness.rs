//! A host on pipes or on a pseudo terminal, and a reader that waits for what it shall say.

use coffer_sys::process::new_session;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Only a test that hangs ever gets there.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that runs `agent` under supervision.
pub(crate) fn host(agent: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("host").args(agent);
    command
}

/// A shell script under supervision.
pub(crate) fn script(text: &str) -> Command {
    host(&["sh", "-c", text])
}

/// A host command as a word for a shell.
pub(crate) fn host_word() -> String {
    format!("'{}' host", std::env::current_exe().unwrap().display())
}

/// A child that does not outlive a failed test.
pub(crate) struct Running(pub(crate) Child);

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads a descriptor and waits for words in it.
pub(crate) struct Reader {
    descriptor: OwnedFd,
    seen: Vec<u8>,
    /// Everything before was waited for already.
    mark: usize,
}

impl Reader {
    pub(crate) fn new(descriptor: impl Into<OwnedFd>) -> Self {
        Self { descriptor: descriptor.into(), seen: Vec::new(), mark: 0 }
    }

    /// One read; false at the end.
    fn more(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap();
        let ready = poll(&mut [PollFd::new(&self.descriptor, PollFlags::IN)], Some(&left)).unwrap();
        assert!(ready > 0, "nothing comes after {:?}", String::from_utf8_lossy(&self.seen));
        let mut chunk = vec![0; 64 * 1024];
        match rustix::io::read(&self.descriptor, &mut chunk) {
            Ok(0) | Err(Errno::IO) => false,
            Ok(read) => {
                self.seen.extend_from_slice(&chunk[..read]);
                true
            }
            Err(errno) => panic!("cannot read: {errno}"),
        }
    }

    /// Waits until `word` comes after what was waited for last, and returns what stands between.
    pub(crate) fn expect(&mut self, word: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rest = &self.seen[self.mark..];
            if let Some(at) = rest.windows(word.len()).position(|window| window == word.as_bytes()) {
                let between = String::from_utf8_lossy(&rest[..at]).into_owned();
                self.mark += at + word.len();
                return between;
            }
            let seen = String::from_utf8_lossy(&self.seen).into_owned();
            assert!(self.more(deadline), "it ended without {word:?}: {seen:?}");
        }
    }

    /// Reads to the end, and returns everything, what was waited for included.
    pub(crate) fn rest(mut self) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        while self.more(deadline) {}
        self.seen
    }
}

/// A user at a terminal.
pub(crate) struct User {
    pub(crate) screen: Reader,
    master: OwnedFd,
    /// Keeps the terminal's other side open, so that its output and modes can be looked at after the end.
    side: OwnedFd,
    child: Running,
    /// The terminal's modes before the command could change them.
    pub(crate) first_modes: String,
}

impl User {
    /// Starts `command` in a session on a new terminal of 24 × 80; those of 0–2 that `keep` names stay as the
    /// command has them.
    pub(crate) fn start(mut command: Command, keep: &[u8]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        unlockpt(&master).unwrap();
        let side = ioctl_tiocgptpeer(&master, flags).unwrap();
        resize(&master, 24, 80);
        let first_modes = modes(&side);
        let copy = || Stdio::from(side.try_clone().unwrap());
        if !keep.contains(&0) {
            command.stdin(copy());
        }
        if !keep.contains(&1) {
            command.stdout(copy());
        }
        if !keep.contains(&2) {
            command.stderr(copy());
        }
        let controlling = (0..3).find(|number| !keep.contains(number));
        new_session(&mut command, controlling);
        command.env("TERM", "dumb");
        let child = Running(command.spawn().unwrap());
        Self { screen: Reader::new(master.try_clone().unwrap()), master, side, child, first_modes }
    }

    /// Types.
    pub(crate) fn types(&self, keys: &str) {
        let mut keys = keys.as_bytes();
        while !keys.is_empty() {
            let written = rustix::io::write(&self.master, keys).unwrap();
            keys = &keys[written..];
        }
    }

    pub(crate) fn resizes(&self, rows: u16, columns: u16) {
        resize(&self.master, rows, columns);
    }

    pub(crate) fn sees(&mut self, word: &str) -> String {
        self.screen.expect(word)
    }

    pub(crate) fn modes(&self) -> String {
        modes(&self.side)
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn waits(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Waits for the end and returns all that was on the screen.
    pub(crate) fn reads_to_the_end(self) -> (ExitStatus, Vec<u8>) {
        let Self { screen, master, side, mut child, .. } = self;
        drop((master, side));
        // The other side is open in the child alone now: its end is the end of the output.
        let seen = screen.rest();
        (child.wait().unwrap(), seen)
    }

    /// The terminal is closed, as when its window is.
    pub(crate) fn hangs_up(self) -> Running {
        self.child
    }
}

fn modes(terminal: impl AsFd) -> String {
    format!("{:?}", tcgetattr(terminal).unwrap())
}

fn resize(terminal: impl AsFd, rows: u16, columns: u16) {
    tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

/// Waits until a child stops, and says by which signal.
pub(crate) fn waits_for_stop(pid: rustix::process::Pid) -> i32 {
    let (_, status) =
        rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::UNTRACED).unwrap().unwrap();
    status.stopping_signal().unwrap_or_else(|| panic!("it did not stop: {status:?}"))
}
