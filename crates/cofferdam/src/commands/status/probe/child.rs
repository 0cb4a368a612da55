//! A child that is given so long, and no longer: its answer, or how it did not come to one.

use std::io::{self, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use coffer_sys::signals::SignalEvents;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

#[cfg(test)]
mod tests;

/// Longest answer, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// What came of the child.
#[derive(Debug)]
pub(super) enum Answer {
    /// All that it wrote on its standard output.
    Ended(Vec<u8>),
    /// It was ended by us.
    TookTooLong,
    /// Somebody ended us.
    Interrupted,
}

/// Runs the command in a session of its own, without a terminal, and nothing on its stdin. Whatever it started is
/// ended with it.
pub(super) fn answer(mut command: Command, patience: Duration) -> io::Result<Answer> {
    let signals = SignalEvents::block(&[Signal::INT, Signal::TERM, Signal::HUP])?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    coffer_sys::process::new_session(&mut command, None);
    let mut child = command.spawn()?;
    let answer = listen(&mut child, &signals, patience);
    // It has answered, or it never will; what it started shares its group.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    child.wait()?;
    answer
}

fn listen(child: &mut Child, signals: &SignalEvents, patience: Duration) -> io::Result<Answer> {
    let Some(out) = child.stdout.as_mut() else { return Ok(Answer::Ended(Vec::new())) };
    let deadline = Instant::now() + patience;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut ready = [PollFd::new(signals, PollFlags::IN), PollFd::new(&*out, PollFlags::IN)];
        match poll(&mut ready, Some(&left)) {
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
            Ok(0) => return Ok(Answer::TookTooLong),
            Ok(_) => {}
        }
        if !ready[0].revents().is_empty() {
            // Taken, so that it does not end us before we have cleaned up.
            while signals.next()?.is_some() {}
            return Ok(Answer::Interrupted);
        }
        let count = out.read(&mut buffer)?;
        if count == 0 || answer.len() > MAX_ANSWER {
            return Ok(Answer::Ended(answer));
        }
        answer.extend_from_slice(&buffer[..count]);
    }
}
