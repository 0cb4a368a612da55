//! Ends a run from outside: its `coffer` gets the signal and hands it to the agent, as if somebody had typed it there.

use std::fs::TryLockError;
use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::RunError;
use super::live::{LiveRun, plain_file};

/// How long a process that was killed is waited for: the kernel may have to end a call of its first.
const KILLED: Duration = Duration::from_secs(10);

/// How a run was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Its agent ended when it was told to.
    Ended,
    /// It did not, and was killed.
    Killed,
    /// It had ended before it was told.
    Gone,
}

impl LiveRun {
    /// Tells it to end (`SIGTERM`), and kills it when it is still there after so long. What a killed one leaves is for
    /// [`sweep_runs`](super::sweep_runs).
    ///
    /// # Errors
    /// [`RunError::Stop`] when its process cannot be told, or is not known: the run is of an older version, or just begins.
    pub fn stop(&self, patience: Duration) -> Result<Stopped, RunError> {
        self.end(patience).map_err(|source| RunError::Stop { run: self.id.clone(), source })
    }

    fn end(&self, patience: Duration) -> io::Result<Stopped> {
        let pid = self.coffer.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { return Err(io::ErrorKind::Unsupported.into()) };
        let process = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => process,
            Err(rustix::io::Errno::SRCH) => return Ok(Stopped::Gone),
            Err(errno) => return Err(errno.into()),
        };
        // The number may be another process's by now; but as long as the run's lock is held, it is not.
        if !self.is_held() {
            return Ok(Stopped::Gone);
        }
        pidfd_send_signal(&process, Signal::TERM)?;
        if ends(&process, patience)? {
            return Ok(Stopped::Ended);
        }
        pidfd_send_signal(&process, Signal::KILL)?;
        // Its lock goes with it, and only then the rest can be swept.
        ends(&process, KILLED)?;
        Ok(Stopped::Killed)
    }

    fn is_held(&self) -> bool {
        let lock = plain_file(&self.folder.with_extension("lock"));
        lock.is_some_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// Whether it ends within that time.
fn ends(process: &OwnedFd, patience: Duration) -> io::Result<bool> {
    let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
    let mut waits = [PollFd::new(process, PollFlags::IN)];
    Ok(poll(&mut waits, Some(&patience))? > 0)
}
