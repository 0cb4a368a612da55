//! The backend's process, and init behind it.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ExitStatus};

/// The most of the backend's diagnostics that is kept.
const DIAGNOSTICS: usize = 64 * 1024;

/// Whose child init is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// The backend's own: neither outlives the other for long.
    Init,
    /// An engine's, of which the backend is only a client. What is left of it is somebody else's to take away, and is
    /// not waited for here: a container that is paused does not even die.
    Client,
}

/// A running backend. Dropped, it takes everything inside with it that it holds.
pub(crate) struct Backend {
    child: Child,
    holds: Holds,
    /// Readable when the child has ended. Like `init`, a pidfd: it never means another process.
    end: Option<OwnedFd>,
    init: Option<OwnedFd>,
    status: Option<ExitStatus>,
    diagnostics: Option<OwnedFd>,
    text: Vec<u8>,
}

impl Backend {
    pub(crate) fn new(child: Child, holds: Holds, diagnostics: OwnedFd) -> io::Result<Self> {
        let mut backend = Self {
            child,
            holds,
            end: None,
            init: None,
            status: None,
            diagnostics: Some(diagnostics),
            text: Vec::new(),
        };
        backend.end = Some(pidfd_open(Pid::from_child(&backend.child), PidfdFlags::empty())?);
        if let Some(diagnostics) = &backend.diagnostics {
            fcntl_setfl(diagnostics, fcntl_getfl(diagnostics)? | OFlags::NONBLOCK)?;
        }
        Ok(backend)
    }

    /// Whether it is only a client of what makes the sandbox.
    pub(crate) fn is_client(&self) -> bool {
        self.holds == Holds::Client
    }

    /// Readable when the backend has ended; `None` after [`Backend::bury`].
    pub(crate) fn end(&self) -> Option<BorrowedFd<'_>> {
        self.end.as_ref().map(AsFd::as_fd)
    }

    /// Readable when the backend has written something, until it has closed it.
    pub(crate) fn diagnostics(&self) -> Option<BorrowedFd<'_>> {
        self.diagnostics.as_ref().map(AsFd::as_fd)
    }

    /// How the backend has ended, once it is buried.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Remembers the process that says to be init: with it the whole pid namespace ends.
    pub(crate) fn init_is(&mut self, init: Option<Pid>) -> io::Result<()> {
        match init.map(|pid| pidfd_open(pid, PidfdFlags::empty())) {
            Some(Ok(init)) => self.init = Some(init),
            // It has died since; the backend is about to.
            Some(Err(Errno::SRCH)) | None => {}
            Some(Err(errno)) => return Err(errno.into()),
        }
        Ok(())
    }

    /// Ends what runs inside, or the backend itself if nothing does yet.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        if self.status.is_some() {
            return Ok(());
        }
        match &self.init {
            Some(init) => kill(init),
            None => self.kill_group(),
        }
    }

    /// Ends the backend's process with those that it has started in its group. What an engine's program has asked for
    /// by then is somebody else's to take back.
    pub(crate) fn kill_group(&mut self) -> io::Result<()> {
        match kill_process_group(Pid::from_child(&self.child), Signal::KILL) {
            Ok(()) => Ok(()),
            // It has not got its own group yet, or has ended.
            Err(Errno::SRCH | Errno::PERM) => self.child.kill(),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes the ended backend's status, and makes sure that the pid namespace is gone: a killed backend leaves
    /// first, its init a moment later.
    pub(crate) fn bury(&mut self) -> io::Result<ExitStatus> {
        if let Some(init) = self.init.take() {
            kill(&init)?;
            if self.holds == Holds::Init {
                wait_for_end(&init)?;
            }
        }
        let status = self.child.wait()?;
        self.status = Some(status);
        self.end = None;
        while self.diagnostics.as_ref().is_some_and(is_readable) {
            self.read_diagnostics()?;
        }
        Ok(status)
    }

    /// Takes what the backend has written; what exceeds the limit is read and forgotten.
    pub(crate) fn read_diagnostics(&mut self) -> io::Result<()> {
        let Some(descriptor) = &self.diagnostics else {
            return Ok(());
        };
        let mut chunk = [0; 4096];
        match rustix::io::read(descriptor, &mut chunk) {
            Ok(0) => self.diagnostics = None,
            Ok(read) => {
                let room = DIAGNOSTICS.saturating_sub(self.text.len());
                self.text.extend(chunk.iter().take(read.min(room)));
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }

    /// What the backend has written.
    pub(crate) fn take_diagnostics(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if self.status.is_none() {
            if let Some(init) = self.init.take() {
                // Nothing is left to be done if even this fails; the backend is killed next.
                let killed = kill(&init);
                if self.holds == Holds::Init {
                    let _ = killed.and_then(|()| wait_for_end(&init));
                }
            }
            let _ = self.kill_group();
            let _ = self.child.wait();
        }
    }
}

fn kill(process: &OwnedFd) -> io::Result<()> {
    match pidfd_send_signal(process, Signal::KILL) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn wait_for_end(process: &OwnedFd) -> io::Result<()> {
    loop {
        match poll(&mut [PollFd::new(process, PollFlags::IN)], None) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Whether a read would find something now, if only an end.
pub(crate) fn is_readable(descriptor: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&descriptor, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}
