//! A person at a terminal of their own.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use coffer_sys::process::new_session;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Only a test that hangs ever gets there.
const PATIENCE: Duration = Duration::from_secs(40);

/// A person who reads the screen and types.
pub(crate) struct Person {
    master: OwnedFd,
    seen: Vec<u8>,
    child: Child,
}

impl Person {
    /// Starts the command in a session on a new terminal.
    pub(crate) fn starts(mut command: Command) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        unlockpt(&master).unwrap();
        let side = ioctl_tiocgptpeer(&master, flags).unwrap();
        let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let copy = || Stdio::from(side.try_clone().unwrap());
        command.stdin(copy()).stdout(copy()).stderr(copy());
        new_session(&mut command, Some(0));
        let child = command.spawn().unwrap();
        Self { master, seen: Vec::new(), child }
    }

    /// Types.
    pub(crate) fn types(&self, keys: &str) {
        assert_eq!(rustix::io::write(&self.master, keys.as_bytes()).unwrap(), keys.len());
    }

    /// Everything so far without escape sequences and white space, so that neither colours nor the way of
    /// drawing matter.
    pub(crate) fn squeezed(&self) -> String {
        squeeze(&String::from_utf8_lossy(&self.seen))
    }

    /// Waits until one of the words is to be seen, and says which.
    pub(crate) fn sees<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.squeezed();
            if let Some(word) = words.iter().find(|word| seen.contains(&squeeze(word))) {
                return word;
            }
            assert!(self.reads(deadline), "it ended without {words:?}: {seen}");
        }
    }

    /// Waits for the end; the code, and all that was to be seen, squeezed.
    pub(crate) fn waits(self) -> (ExitStatus, String) {
        let (status, seen) = self.waits_raw();
        (status, squeeze(&seen))
    }

    /// Waits for the end; the code, and all that came, escape sequences included.
    pub(crate) fn waits_raw(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        while self.reads(deadline) {}
        (self.child.wait().unwrap(), String::from_utf8_lossy(&self.seen).into_owned())
    }

    /// Sends the program a signal.
    pub(crate) fn signals(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Ends the program as a closed window does, and waits until it is gone.
    pub(crate) fn leaves(self) {
        let Self { master, mut child, .. } = self;
        drop(master);
        child.wait().unwrap();
    }

    /// One read; false at the end.
    fn reads(&mut self, deadline: Instant) -> bool {
        let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).unwrap();
        let ready = poll(&mut [PollFd::new(&self.master, PollFlags::IN)], Some(&left)).unwrap();
        assert!(ready > 0, "nothing comes after {}", self.squeezed());
        let mut chunk = vec![0; 64 * 1024];
        match rustix::io::read(&self.master, &mut chunk) {
            Ok(0) | Err(Errno::IO) => false,
            Ok(read) => {
                self.seen.extend_from_slice(&chunk[..read]);
                true
            }
            Err(errno) => panic!("cannot read: {errno}"),
        }
    }
}

fn squeeze(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\x1b' {
            if !(character.is_whitespace() || character.is_control()) {
                out.push(character);
            }
            continue;
        }
        match characters.next() {
            // CSI: up to its final byte.
            Some('[') => drop(characters.find(|end| ('@'..='~').contains(end))),
            // OSC: up to BEL or ST.
            Some(']') => {
                while let Some(next) = characters.next() {
                    if next == '\x07' || (next == '\x1b' && characters.next_if_eq(&'\\').is_some()) {
                        break;
                    }
                }
            }
            Some(_) | None => {}
        }
    }
    out
}
