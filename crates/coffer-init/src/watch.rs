//! From the running agent to its end.

use crate::agent::Agent;
use crate::{doors, hits, report};
use coffer_sys::control::{Channel, FromInit, ToInit};
use coffer_sys::signals::{Caught, SignalEvents, to_defaults};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpgid, getpgrp, kill_process_group};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use std::io;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Exited(i32),
    Signaled(i32),
    ExecFailed(i32),
    /// The control socket has closed: there is nobody left to run for.
    HostGone,
}

impl Ending {
    /// As shells report it.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Exited(code) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
            Self::Signaled(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
            Self::ExecFailed(errno) if errno == Errno::NOENT.raw_os_error() => 127,
            Self::ExecFailed(_) => 126,
            Self::HostGone => 128 + 9,
        }
    }
}

/// Passed on to the agent's group when somebody sends them to init.
const FORWARDED: [Signal; 6] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2];

/// Blocks what is handled as events, and the terminal's stop signals: init must be able to choose the terminal's
/// foreground group from the background.
pub(crate) fn signals() -> io::Result<SignalEvents> {
    // What is ignored would never come in as an event: whoever started us may ignore SIGCHLD or SIGHUP.
    to_defaults()?;
    let others = [Signal::CHILD, Signal::TTOU, Signal::TTIN, Signal::TSTP];
    SignalEvents::block(&[FORWARDED.as_slice(), others.as_slice()].concat())
}

/// Waits until the agent or the host is gone; everything that dies in the sandbox meanwhile is reaped.
pub(crate) fn watch(
    signals: &SignalEvents,
    control: Option<&Channel>,
    mut gateway: Option<&Channel>,
    agent: &Agent,
) -> io::Result<Ending> {
    let mut watch = Watch { control, agent: agent.pid, stopped: false };
    // A child's end may have come before its signal was looked for.
    if let Some(ending) = watch.reap()? {
        return Ok(ending);
    }
    loop {
        let mut ready = vec![PollFd::new(signals, PollFlags::IN)];
        ready.extend(control.iter().chain(&gateway).map(|channel| PollFd::new(*channel, PollFlags::IN)));
        match poll(&mut ready, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let has_news = |index: usize| ready.get(index).is_some_and(|fd| !fd.revents().is_empty());
        let signal_came = has_news(0);
        let host_spoke = control.is_some() && has_news(1);
        let gateway_spoke = gateway.is_some() && has_news(1 + usize::from(control.is_some()));
        if signal_came {
            while let Some(caught) = signals.next()? {
                watch.forward(caught);
            }
            if let Some(ending) = watch.reap()? {
                return Ok(ending);
            }
        }
        if host_spoke && let Some(ending) = watch.listen()? {
            return Ok(ending);
        }
        // A gateway that is gone takes the doors with it; the agent goes on without.
        if gateway_spoke && !gateway.is_some_and(doors::answer) {
            gateway = None;
        }
    }
}

struct Watch<'a> {
    control: Option<&'a Channel>,
    agent: Pid,
    stopped: bool,
}

impl Watch<'_> {
    fn report(&self, message: FromInit) {
        if let Some(control) = self.control {
            report(control, message);
        }
    }

    /// Takes every dead child, and learns how the agent is.
    fn reap(&mut self) -> io::Result<Option<Ending>> {
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
        loop {
            match rustix::process::wait(options) {
                Ok(Some((pid, status))) if pid == self.agent => {
                    if let Some(ending) = self.learn(status) {
                        return Ok(Some(ending));
                    }
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn learn(&mut self, status: WaitStatus) -> Option<Ending> {
        let has_ended = status.exited() || status.signaled();
        if let Some(hits) = hits::read().filter(|_| has_ended) {
            self.report(hits);
        }
        if let Some(code) = status.exit_status() {
            self.report(FromInit::Exited { code });
            return Some(Ending::Exited(code));
        }
        if let Some(signal) = status.terminating_signal() {
            self.report(FromInit::Signaled { signal });
            return Some(Ending::Signaled(signal));
        }
        if let Some(signal) = status.stopping_signal() {
            self.stopped = true;
            self.report(FromInit::Stopped { signal });
        } else if status.continued() {
            self.stopped = false;
            self.report(FromInit::Continued);
        }
        None
    }

    /// What the kernel sent is about our own terminal or children; only a signal that somebody meant is passed on.
    fn forward(&self, caught: Caught) {
        let forwarded = FORWARDED.into_iter().find(|signal| signal.as_raw() == caught.signal);
        if let Some(signal) = forwarded
            && !caught.from_kernel
        {
            self.signal(signal);
        }
    }

    /// The agent's group: the one that was made for it, unless it has moved to another.
    fn group(&self) -> Pid {
        getpgid(Some(self.agent)).unwrap_or(self.agent)
    }

    fn signal(&self, signal: Signal) {
        // A group that is gone has nobody to be told.
        let _ = kill_process_group(self.group(), signal);
    }

    fn listen(&mut self) -> io::Result<Option<Ending>> {
        let Some(control) = self.control else {
            return Ok(None);
        };
        let Some(received) = control.receive::<ToInit>()? else {
            return Ok(Some(Ending::HostGone));
        };
        match received.message {
            ToInit::Signal(number) => {
                report(control, FromInit::Heard);
                if let Some(signal) = Signal::from_named_raw(number) {
                    self.signal(signal);
                }
            }
            ToInit::Continue { foreground } => self.resume(foreground),
            ToInit::Start(_) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a second start"));
            }
        }
        Ok(None)
    }

    /// Where the user's shell has put us, there the agent goes in its own terminal: in the background its reads
    /// stop it, as they would outside. Its own choice of a foreground group is left alone while it runs.
    fn resume(&self, foreground: bool) {
        // Without a private terminal there is nothing to choose.
        if let Ok(terminal) =
            rustix::fs::open(c"/dev/tty", OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
        {
            let in_background = tcgetpgrp(&terminal) == Ok(getpgrp());
            if self.stopped || (foreground && in_background) {
                let group = if foreground { self.group() } else { getpgrp() };
                // A group that is gone cannot be chosen, and nobody is left to miss it.
                let _ = tcsetpgrp(&terminal, group);
            }
        }
        if self.stopped {
            self.signal(Signal::CONT);
        }
    }
}
