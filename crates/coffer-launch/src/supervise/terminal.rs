//! The user's own terminal.

use super::stdio::Stdio;
use coffer_sys::control::{Modes, Window};
use rustix::fs::{Mode, OFlags, fcntl_getfl};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A descriptor of the user's terminal that is ours alone, so that it can be non-blocking without a change for
/// the others who share the user's open file.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) descriptor: OwnedFd,
    pub(crate) can_read: bool,
    pub(crate) can_write: bool,
    /// Whether we share the user's open file after all: then a read or a write may block.
    pub(crate) is_shared: bool,
}

impl Line {
    fn open(original: BorrowedFd<'_>) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let path = format!("/proc/self/fd/{}", original.as_raw_fd());
        if let Ok(descriptor) = rustix::fs::open(path, flags, Mode::empty()) {
            return Ok(Self { descriptor, can_read: true, can_write: true, is_shared: false });
        }
        // After `su` the terminal belongs to another user: we may use it, but not open it.
        let access = fcntl_getfl(original)? & OFlags::ACCMODE;
        Ok(Self {
            descriptor: fcntl_dupfd_cloexec(original, 3)?,
            can_read: access != OFlags::WRONLY,
            can_write: access != OFlags::RDONLY,
            is_shared: true,
        })
    }
}

/// The terminal among 0–2, or the two of them if keys and screen are different ones.
#[derive(Debug)]
pub(crate) struct UserTerminal {
    /// Where the user's keys come from. Not necessarily 0: a pager in a pipeline reads keys although its standard
    /// input is a pipe.
    pub(crate) keyboard: Line,
    /// Where the agent's output goes.
    pub(crate) screen: Line,
    /// Its modes while we have changed them.
    saved: Option<Termios>,
    /// Whether both keys and screen are the agent's alone. Otherwise others in a pipeline use the terminal too:
    /// its own keys for signals stay in force, and so does its output processing when our output goes elsewhere.
    exclusive: bool,
    keeps_output_processing: bool,
}

impl UserTerminal {
    /// Takes the terminal among the standard descriptors, if there is one.
    pub(crate) fn of(stdio: &Stdio) -> io::Result<Option<Self>> {
        let terminals = stdio.terminals();
        let first_in = |order: [u8; 3]| order.into_iter().find(|number| terminals.contains(*number));
        let (Some(keyboard), Some(screen)) = (first_in([0, 1, 2]), first_in([1, 2, 0])) else {
            return Ok(None);
        };
        Ok(Some(Self {
            keyboard: Line::open(stdio.descriptor(keyboard))?,
            screen: Line::open(stdio.descriptor(screen))?,
            saved: None,
            exclusive: terminals.contains(0) && terminals.contains(1),
            keeps_output_processing: !terminals.contains(1),
        }))
    }

    fn control(&self) -> BorrowedFd<'_> {
        self.keyboard.descriptor.as_fd()
    }

    /// Its present modes, for the private terminal to start with.
    pub(crate) fn modes(&self) -> io::Result<Modes> {
        Ok(Modes::of(&tcgetattr(self.control())?))
    }

    /// Its present size.
    pub(crate) fn window(&self) -> io::Result<Window> {
        Ok(tcgetwinsize(&self.screen.descriptor)?.into())
    }

    /// Whether it is ours to read and to change.
    pub(crate) fn is_foreground(&self) -> bool {
        match tcgetpgrp(self.control()) {
            Ok(group) => group == getpgrp(),
            // It controls no session of ours: nobody hands its foreground around.
            Err(Errno::NOTTY) => true,
            Err(_) => false,
        }
    }

    /// Whether keys come to us one by one.
    pub(crate) fn is_raw(&self) -> bool {
        self.saved.is_some()
    }

    /// Passes keys on as they are, if the terminal is ours. What was set before is put back by
    /// [`UserTerminal::leave`].
    pub(crate) fn enter(&mut self) -> io::Result<()> {
        if !self.keyboard.can_read || !self.is_foreground() {
            return Ok(());
        }
        let before = tcgetattr(self.control())?;
        let mut raw = before.clone();
        raw.make_raw();
        if !self.exclusive {
            raw.local_modes |= before.local_modes & LocalModes::ISIG;
        }
        if self.keeps_output_processing {
            raw.output_modes = before.output_modes;
        }
        tcsetattr(self.control(), OptionalActions::Now, &raw)?;
        // Entered again without having left: a shell that we did not hear of may have set its modes meanwhile,
        // and those, or ours, are not what the user had.
        self.saved.get_or_insert(before);
        Ok(())
    }

    /// The agent has ended, and its output may still wait for a slow screen: the terminal's keys for signals are
    /// the user's way out.
    pub(crate) fn heed_signal_keys(&self) {
        if let Some(before) = &self.saved
            && self.is_foreground()
            && let Ok(mut modes) = tcgetattr(self.control())
        {
            modes.local_modes |= before.local_modes & LocalModes::ISIG;
            // Without it the output is still shown, if not cut short.
            let _ = tcsetattr(self.control(), OptionalActions::Now, &modes);
        }
    }

    /// Puts the modes back, unless the terminal is somebody else's by now.
    pub(crate) fn leave(&mut self) {
        if let Some(before) = self.saved.take()
            && self.is_foreground()
        {
            // A terminal that is gone needs no modes.
            let _ = tcsetattr(self.control(), OptionalActions::Now, &before);
        }
    }
}

impl Drop for UserTerminal {
    fn drop(&mut self) {
        self.leave();
    }
}
