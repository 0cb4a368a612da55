//! The renewal of a live run's lease: what somebody refreshed is published at once, and what is due is refreshed.
//!
//! Two loops, each in a thread of its own, so that a run gets a new token the moment it is there and not when the
//! keeper has written everything down: [`follow`] watches and publishes, [`renew_in_time`] asks the keeper.
//! Both end when `stop` can be read.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use camino::Utf8Path;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::publish::{PublishError, Published, Publisher};
use crate::secret::Secret;
use crate::waiter::Waiter;
use crate::watch::LoginWatch;

#[cfg(test)]
mod tests;

/// How soon a folder that went away is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What happens during a renewal, for whoever tells of it.
#[derive(Debug)]
pub enum Told {
    /// A lease was published, or what lies there was left alone.
    Published(Published),
    /// A lease could not be published.
    NotPublished(PublishError),
    /// The login's folder cannot be watched; it is tried again.
    NotWatched(io::Error),
}

/// Publishes every newer login that appears in `file` until `stop` can be read. `read` gives the file's content,
/// or nothing when it cannot be read just now.
///
/// # Errors
/// When events cannot be waited for.
pub fn follow(
    publisher: &mut Publisher<'_>,
    file: &Utf8Path,
    read: &dyn Fn() -> Option<Secret>,
    stop: BorrowedFd<'_>,
    tell: &dyn Fn(Told),
) -> io::Result<()> {
    let mut watch = None;
    loop {
        let watched = match &mut watch {
            None => LoginWatch::new(file).map(|new| watch.insert(new)).map(drop),
            Some(watch) => watch.changed().map(drop),
        };
        if let Err(error) = watched {
            watch = None;
            tell(Told::NotWatched(error));
        }
        // Read after the watch was set, so that no change falls in between.
        if let Some(login) = read() {
            match publisher.publish(login.expose()) {
                Ok(Published::Unchanged) => {}
                Ok(published) => tell(Told::Published(published)),
                // Half-written, wiped, or no login any more: the run keeps what it has.
                Err(PublishError::Lease(_)) => {}
                Err(error) => tell(Told::NotPublished(error)),
            }
        }
        let timeout = watch.is_none().then_some(LOOK_AGAIN);
        let mut fds = vec![PollFd::from_borrowed_fd(stop, PollFlags::IN)];
        fds.extend(watch.iter().map(|watch| PollFd::new(watch, PollFlags::IN)));
        wait(&mut fds, timeout)?;
        if fds.first().is_some_and(|stop| !stop.revents().is_empty()) {
            return Ok(());
        }
    }
}

/// When the keeper is to be asked next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// At this time, Unix ms.
    At(i64),
    /// Not any more.
    Never,
}

/// Asks `keep` now and whenever it said, until it says never or `stop` can be read. It sleeps by the wall clock: a
/// machine that was suspended, or whose clock was set, asks once when it is up again.
///
/// # Errors
/// When the time cannot be waited for.
pub fn renew_in_time(keep: &mut dyn FnMut() -> Next, stop: BorrowedFd<'_>) -> io::Result<()> {
    let waiter = Waiter::new()?;
    loop {
        if is_readable(stop)? {
            return Ok(());
        }
        let Next::At(at_ms) = keep() else { return Ok(()) };
        waiter.until(Some(at_ms), &[stop])?;
    }
}

/// Waits for one of them; a signal is no reason to stop waiting, because none comes to these threads.
fn wait(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn is_readable(descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now))?;
    Ok(!fds[0].revents().is_empty())
}
