//! Starts a tool and hears what it says: outside of the project, with the given environment only, and not for long.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use zeroize::Zeroizing;

use crate::read::Content;

/// How long a tool may take. Node.js on a cold disc takes seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer, in bytes.
pub(super) const MAX_ANSWER: usize = 256 * 1024;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// All that it printed; it ended well.
    Said(Content),
    /// It ended with this exit code, or by a signal as 128 and its number.
    Ended(i32),
    /// It could not be started, said too much, or did not end.
    Failed(String),
}

/// Asks. What the tool leaves running ends with it.
pub(crate) fn ask(
    program: &Utf8Path,
    arguments: &[String],
    environment: &[(String, String)],
    patience: Duration,
) -> Heard {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/").process_group(0);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Heard::Failed(format!("it cannot be started: {error}")),
    };
    let deadline = Instant::now() + patience;
    let heard = child.stdout.take().map(|out| everything(out, deadline));
    let in_time = ends(&child, deadline);
    // As long as nobody has waited for it, its number is its own.
    if let Some(group) = pid(&child) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let status = child.wait();
    match (heard, in_time, status) {
        (Some(Err(reason)), _, _) => Heard::Failed(reason),
        (_, false, _) => Heard::Failed(format!("it took longer than {} s", patience.as_secs())),
        (Some(Ok(said)), true, Ok(status)) if status.success() => Heard::Said(said),
        (_, _, Ok(status)) => {
            let by_signal = std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal);
            Heard::Ended(status.code().or(by_signal).unwrap_or(-1))
        }
        (_, _, Err(error)) => Heard::Failed(format!("it cannot be waited for: {error}")),
    }
}

/// All that it says until it closes its end. The buffer never moves: tokens may be in it.
fn everything(mut out: ChildStdout, deadline: Instant) -> Result<Content, String> {
    let mut said = Zeroizing::new(Vec::with_capacity(MAX_ANSWER));
    let mut buffer = Zeroizing::new([0; 4096]);
    loop {
        if !is_ready(&out, deadline) {
            // Why, the end of the process tells.
            return Ok(said);
        }
        match out.read(&mut *buffer) {
            Ok(0) => return Ok(said),
            Ok(count) if said.len() + count > MAX_ANSWER => {
                return Err(format!("it said more than {MAX_ANSWER} bytes"));
            }
            Ok(count) => said.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(format!("it cannot be heard: {error}")),
        }
    }
}

/// Whether a child ends before then.
fn ends(child: &Child, deadline: Instant) -> bool {
    let Some(process) = pid(child).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return false;
    };
    is_ready(&process, deadline)
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Waits for something to read; whether there was before then.
fn is_ready(file: &impl AsFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut waits = [PollFd::new(file, PollFlags::IN)];
        match poll(&mut waits, Some(&left)) {
            Ok(count) => return count > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests;
