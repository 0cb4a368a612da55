//! Waits for a time of day, or for something to happen.
//!
//! It sleeps by the wall clock (`timerfd`, absolute): a machine that was suspended wakes it once when it is up
//! again, and a clock that is set wakes it at once, so that whoever waits looks at the new time.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

#[cfg(test)]
mod tests;

const NEVER: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// An alarm clock.
#[derive(Debug)]
pub struct Waiter {
    timer: OwnedFd,
}

impl Waiter {
    /// A clock of its own.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Self { timer: timerfd_create(TimerfdClockId::Realtime, flags)? })
    }

    /// Waits until this time (Unix ms; `None`: for ever), until the clock is set, or until one of `others` can be
    /// read. It may come back early: look at the time, and at whether each of `others` can be read.
    ///
    /// # Errors
    /// When it cannot be waited.
    pub fn until(&self, at_ms: Option<i64>, others: &[BorrowedFd<'_>]) -> io::Result<Vec<bool>> {
        let at = match at_ms {
            // A time of 0 would disarm it; a time that is past comes at once.
            Some(at_ms) => {
                let at = Duration::from_millis(u64::try_from(at_ms).unwrap_or_default().max(1));
                Timespec::try_from(at).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?
            }
            None => NEVER,
        };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(&self.timer, flags, &Itimerspec { it_interval: NEVER, it_value: at })?;
        let mut fds: Vec<PollFd<'_>> =
            others.iter().map(|other| PollFd::from_borrowed_fd(*other, PollFlags::IN)).collect();
        fds.push(PollFd::new(&self.timer, PollFlags::IN));
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        fds.pop();
        Ok(fds.iter().map(|other| !other.revents().is_empty()).collect())
    }
}
