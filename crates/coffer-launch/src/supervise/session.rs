//! The loop of a supervised run.

use super::backend::{Backend, Holds, is_readable};
use super::files::{Ends, Files};
use super::relay::{Health, INTERESTS, Relay};
use super::stdio::{Stdio, Way};
use super::terminal::UserTerminal;
use super::{Awaited, Ended, Meeting, SuperviseError, Supervised};
use coffer_sys::control::{Channel, FromInit, PROTOCOL_VERSION, Received, Start, StdioSet, ToInit, Window};
use coffer_sys::signals::{SignalEvents, StopScope, stop_self};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Signal;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// Passed on to the agent.
pub(super) const FORWARDED: [Signal; 7] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2, Signal::TSTP];

/// Those of them that end a program unless it says otherwise: they also end a start that is still under way.
const ENDING: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

/// How many turns of the loop a stop waits for output: enough for what the agent said before it stopped, not for ever
/// when something else in there goes on talking.
const OUTPUT_BEFORE_STOP: usize = 64;

/// How long the agent has to end after its terminal is gone.
const HANGUP_GRACE: Duration = Duration::from_secs(5);
/// How long an agent that was told to end before it ran may take to begin.
const START_GRACE: Duration = Duration::from_secs(2);

/// How long an engine may take to give up a container that nobody wants any more, or whose agent has ended. Then its
/// client is ended, and the container is taken away by its name.
const ENGINE_GRACE: Duration = Duration::from_secs(10);
/// How long init may take to say that it has heard a signal that shall end the agent. It does nothing but that, so one that
/// does not is not let: its container is paused.
const HEARING_GRACE: Duration = Duration::from_secs(10);

/// What init has said about the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agent {
    /// Nothing yet, not even that it runs itself.
    Unheard,
    Starting,
    Running,
    Stopped,
    /// The last word.
    Ended(FromInit),
}

/// A stop that is due as soon as the output before it has been shown.
#[derive(Clone, Copy, Debug)]
struct PendingStop {
    signal: i32,
    turns: usize,
}

pub(crate) struct Session<'a> {
    // Fields are dropped in this order: first the backend dies, then files and terminal are given back.
    backend: Backend,
    files: Files,
    relay: Option<Relay>,
    terminal: Option<UserTerminal>,
    /// `None` once init has closed its end, and as long as it has not come.
    control: Option<Channel>,
    /// Where init comes to.
    awaited: Option<Awaited>,
    stdio: &'a Stdio,
    /// The agent's ends of pipes, until they are sent.
    ends: Option<Ends>,
    hits: Option<(u32, u32)>,
    signals: SignalEvents,
    agent: Agent,
    pending_stop: Option<PendingStop>,
    /// Whether the agent's next stop was asked for by a signal that our own group has got as well.
    asked_to_stop: bool,
    /// A signal that ended the start before the agent ran, or the wait for a slow terminal after it.
    ended_by: Option<Signal>,
    hangup: Option<Instant>,
    /// The end of an agent that was told to end before it ran or whose init does not hear, and by which signal.
    overdue: Option<(Instant, Signal)>,
    /// When the client of an engine is ended whose container nobody needs any more.
    client_ends: Option<Instant>,
}

/// What `poll` said.
struct Ready {
    meeting: bool,
    signals: bool,
    control: bool,
    backend: bool,
    diagnostics: bool,
    relay: Option<[PollFlags; INTERESTS]>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        child: Child,
        meeting: Meeting,
        diagnostics: OwnedFd,
        stdio: &'a Stdio,
    ) -> Result<Self, SuperviseError> {
        let holds = match &meeting {
            Meeting::Connected(_) => Holds::Init,
            Meeting::Awaited(_) => Holds::Client,
        };
        let backend = Backend::new(child, holds, diagnostics).map_err(SuperviseError::Backend)?;
        let others = [Signal::WINCH, Signal::CONT];
        let signals = SignalEvents::block(&[FORWARDED.as_slice(), others.as_slice()].concat())
            .map_err(SuperviseError::Signals)?;
        let (files, ends) = Files::of(stdio).map_err(SuperviseError::Pipe)?;
        let terminal = UserTerminal::of(stdio).map_err(SuperviseError::UserTerminal)?;
        let (control, awaited) = match meeting {
            Meeting::Connected(control) => (Some(control), None),
            Meeting::Awaited(awaited) => (None, Some(awaited)),
        };
        let mut session = Self {
            backend,
            files,
            relay: None,
            terminal,
            control: None,
            awaited,
            stdio,
            ends: Some(ends),
            hits: None,
            signals,
            agent: Agent::Unheard,
            pending_stop: None,
            asked_to_stop: false,
            ended_by: None,
            hangup: None,
            overdue: None,
            client_ends: None,
        };
        if let Some(control) = control {
            // Said before init is there to hear it: it waits in the socket.
            session.begin(control, None, None)?;
        }
        Ok(session)
    }

    /// Lets init in, if it has come. Nobody else can come any more then.
    fn meet(&mut self) -> Result<(), SuperviseError> {
        let Some(awaited) = &self.awaited else { return Ok(()) };
        let Some(control) = awaited.listener.accept().map_err(SuperviseError::Meet)? else { return Ok(()) };
        let Some(Awaited { listener: _, environment, gateway }) = self.awaited.take() else { return Ok(()) };
        self.begin(control, Some(environment), gateway)
    }

    /// Tells init what to start.
    fn begin(
        &mut self,
        control: Channel,
        environment: Option<OwnedFd>,
        gateway: Option<OwnedFd>,
    ) -> Result<(), SuperviseError> {
        control.identify_senders().map_err(SuperviseError::Hear)?;
        self.control = Some(control);
        // Ours are closed when they are sent: the agent's end shall be the only one.
        let ends = self.ends.take().unwrap_or_default();
        let stdio = self.stdio;
        let (window, modes) = match &self.terminal {
            Some(terminal) => (
                terminal.window().map_err(SuperviseError::UserTerminal)?,
                Some(terminal.modes().map_err(SuperviseError::UserTerminal)?),
            ),
            None => (Window::default(), None),
        };
        let as_they_are = stdio.those(Way::Passed);
        let passed = (0..).zip(&ends).filter_map(|(number, end)| {
            let own = as_they_are.contains(number).then(|| stdio.descriptor(number));
            end.as_ref().map(AsFd::as_fd).or(own).map(|descriptor| (number, descriptor))
        });
        let (numbers, mut passed): (Vec<u8>, Vec<BorrowedFd<'_>>) = passed.unzip();
        passed.extend(environment.iter().chain(&gateway).map(AsFd::as_fd));
        let start = Start {
            passed: StdioSet::of(numbers),
            terminal: stdio.terminals(),
            window,
            modes,
            foreground: self.is_foreground(),
            environment: environment.is_some(),
            gateway: gateway.is_some(),
        };
        self.send(&ToInit::Start(start), &passed).map_err(SuperviseError::Start)
    }

    /// Everything until the backend has ended and all output has been shown.
    pub(crate) fn run(mut self) -> Result<Supervised, SuperviseError> {
        loop {
            let ready = self.wait()?;
            if ready.meeting {
                self.meet()?;
            }
            if ready.control {
                self.listen()?;
            }
            if ready.signals {
                while let Some(caught) = self.signals.next().map_err(SuperviseError::Signals)? {
                    self.caught(caught.signal)?;
                }
            }
            if let Some(flags) = ready.relay {
                self.transfer(flags)?;
            }
            self.files.carry();
            if ready.diagnostics {
                self.backend.read_diagnostics().map_err(SuperviseError::Backend)?;
            }
            if ready.backend {
                self.backend_ended()?;
            }
            self.stop_if_due()?;
            if self.hangup.is_some_and(|deadline| Instant::now() >= deadline) {
                self.kill(Signal::KILL)?;
            }
            if let Some((deadline, signal)) = self.overdue
                && Instant::now() >= deadline
            {
                self.overdue = None;
                self.kill(signal)?;
            }
            if self.client_ends.is_some_and(|deadline| Instant::now() >= deadline) {
                self.client_ends = None;
                // A terminal that its container keeps open is not waited for either.
                self.ended_by.get_or_insert(Signal::KILL);
                self.backend.kill_group().map_err(SuperviseError::Backend)?;
            }
            let shown = self.relay.as_ref().is_none_or(Relay::is_finished);
            if let Some(status) = self.backend.status()
                && (shown || self.ended_by.is_some())
            {
                return self.conclude(status);
            }
        }
    }

    fn wait(&self) -> Result<Ready, SuperviseError> {
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        let control = watch_for(&mut fds, self.control.as_ref().map(AsFd::as_fd));
        let meeting = watch_for(&mut fds, self.awaited.as_ref().map(|awaited| awaited.listener.as_fd()));
        let backend = watch_for(&mut fds, self.backend.end());
        let diagnostics = watch_for(&mut fds, self.backend.diagnostics());
        let relay = match (&self.relay, &self.terminal) {
            (Some(relay), Some(terminal)) => {
                fds.extend(relay.interests(terminal));
                Some(fds.len() - INTERESTS)
            }
            _ => None,
        };
        fds.extend(self.files.interests());
        let deadlines = [self.hangup, self.overdue.map(|(deadline, _)| deadline), self.client_ends];
        let deadline = deadlines.into_iter().flatten().min();
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(SuperviseError::Wait(errno.into())),
        }
        let flags = |index: usize| fds.get(index).map_or(PollFlags::empty(), PollFd::revents);
        let came = |index: Option<usize>| index.is_some_and(|index| !flags(index).is_empty());
        Ok(Ready {
            meeting: came(meeting),
            signals: came(Some(0)),
            control: came(control),
            backend: came(backend),
            diagnostics: came(diagnostics),
            relay: relay.map(|first| [flags(first), flags(first + 1), flags(first + 2)]),
        })
    }

    /// One message of init's. The end of the socket is the end of init: the backend's end follows.
    fn listen(&mut self) -> Result<(), SuperviseError> {
        let Some(control) = &self.control else {
            return Ok(());
        };
        let Some(Received { message, descriptors, sender }) =
            control.receive::<FromInit>().map_err(SuperviseError::Hear)?
        else {
            self.control = None;
            self.expect_clients_end();
            return Ok(());
        };
        match message {
            FromInit::Hello { version: PROTOCOL_VERSION } => {
                self.agent = Agent::Starting;
                self.backend.init_is(sender).map_err(SuperviseError::Backend)?;
            }
            FromInit::Hello { version: theirs } => {
                return Err(SuperviseError::Version { ours: PROTOCOL_VERSION, theirs });
            }
            FromInit::Pty => {
                let master = descriptors.into_iter().next().ok_or(Errno::BADF);
                let master = master.map_err(|errno| SuperviseError::PrivateTerminal(errno.into()))?;
                self.relay = Some(Relay::new(master).map_err(SuperviseError::PrivateTerminal)?);
                self.enter_terminal()?;
            }
            FromInit::Started { .. } => {
                self.agent = Agent::Running;
                self.overdue = None;
            }
            FromInit::Heard => {
                if matches!(self.agent, Agent::Running | Agent::Stopped) {
                    self.overdue = None;
                }
            }
            FromInit::Continued => {
                self.agent = Agent::Running;
                self.pending_stop = None;
            }
            FromInit::Hits { memory, pids } => self.hits = Some((memory, pids)),
            FromInit::Stopped { signal } => {
                self.agent = Agent::Stopped;
                self.pending_stop = Some(PendingStop { signal, turns: OUTPUT_BEFORE_STOP });
            }
            last @ (FromInit::Exited { .. }
            | FromInit::Signaled { .. }
            | FromInit::ExecFailed { .. }
            | FromInit::SetupFailed { .. }
            | FromInit::Unforeseen
            | FromInit::Exchanged { .. }) => {
                self.agent = Agent::Ended(last);
                self.overdue = None;
                self.expect_clients_end();
            }
        }
        Ok(())
    }

    /// From here on the engine has nothing to do but to clean up.
    fn expect_clients_end(&mut self) {
        if self.backend.is_client() && self.backend.status().is_none() {
            self.client_ends.get_or_insert_with(|| Instant::now() + ENGINE_GRACE);
        }
    }

    /// To an init that is gone nothing can be said; how that came is learned from the backend's end.
    fn send(&self, message: &ToInit, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let Some(control) = &self.control else {
            return Ok(());
        };
        match control.send(message, descriptors) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    fn say(&self, message: &ToInit) -> Result<(), SuperviseError> {
        self.send(message, &[]).map_err(SuperviseError::Hear)
    }

    fn caught(&mut self, number: i32) -> Result<(), SuperviseError> {
        if number == Signal::WINCH.as_raw() {
            return self.copy_window();
        }
        if number == Signal::CONT.as_raw() {
            return self.resume();
        }
        let Some(signal) = FORWARDED.into_iter().find(|signal| signal.as_raw() == number) else {
            return Ok(());
        };
        let ends = ENDING.contains(&signal);
        if ends && matches!(self.agent, Agent::Unheard | Agent::Ended(_)) {
            return self.kill(signal);
        }
        // Init passes it on once the agent runs. Until then it may wait for a gateway, which waits for a helper.
        if ends && self.overdue.is_none() {
            let grace = if self.agent == Agent::Starting { START_GRACE } else { HEARING_GRACE };
            self.overdue = Some((Instant::now() + grace, signal));
        }
        self.asked_to_stop |= signal == Signal::TSTP;
        self.say(&ToInit::Signal(number))
    }

    /// Ends the run without the agent's consent.
    fn kill(&mut self, signal: Signal) -> Result<(), SuperviseError> {
        let again = self.ended_by.is_some();
        self.ended_by.get_or_insert(signal);
        self.hangup = None;
        // An engine that is half way with a container ends it by itself when init finds the door shut, and leaves
        // nothing then.
        if self.awaited.take().is_some() {
            self.overdue = Some((Instant::now() + ENGINE_GRACE, Signal::KILL));
            return Ok(());
        }
        self.expect_clients_end();
        if again && self.backend.is_client() {
            return self.backend.kill_group().map_err(SuperviseError::Backend);
        }
        self.backend.kill().map_err(SuperviseError::Backend)
    }

    fn transfer(&mut self, flags: [PollFlags; INTERESTS]) -> Result<(), SuperviseError> {
        let (Some(relay), Some(terminal)) = (&mut self.relay, &self.terminal) else {
            return Ok(());
        };
        match relay.transfer(terminal, flags).map_err(SuperviseError::PrivateTerminal)? {
            Health::Fine => Ok(()),
            Health::Gone => self.hang_up(),
        }
    }

    /// The user's terminal is gone: the agent is told as a program on it would be, and has a while to end.
    fn hang_up(&mut self) -> Result<(), SuperviseError> {
        self.terminal = None;
        // Closing the master side hangs the private terminal up.
        if self.relay.take().is_some() && self.backend.status().is_none() {
            self.hangup = Some(Instant::now() + HANGUP_GRACE);
            self.say(&ToInit::Signal(Signal::HUP.as_raw()))?;
            self.say(&ToInit::Signal(Signal::CONT.as_raw()))?;
        }
        Ok(())
    }

    /// With the backend its pid namespace has ended: what init said is all in the socket, what the agent printed
    /// all in the terminal.
    fn backend_ended(&mut self) -> Result<(), SuperviseError> {
        self.backend.bury().map_err(SuperviseError::Backend)?;
        self.hangup = None;
        self.overdue = None;
        self.client_ends = None;
        while self.control.as_ref().is_some_and(is_readable) {
            self.listen()?;
        }
        self.pending_stop = None;
        self.control = None;
        self.files.finish();
        if let Some(relay) = &mut self.relay {
            relay.expect_end();
        }
        if let Some(terminal) = &self.terminal {
            terminal.heed_signal_keys();
        }
        Ok(())
    }

    fn is_foreground(&self) -> bool {
        self.terminal.as_ref().is_some_and(UserTerminal::is_foreground)
    }

    /// Takes the user's terminal if it is ours to take, and copies its size.
    fn enter_terminal(&mut self) -> Result<(), SuperviseError> {
        if let (Some(terminal), Some(_)) = (&mut self.terminal, &self.relay)
            && terminal.enter().is_err()
        {
            return self.hang_up();
        }
        self.copy_window()
    }

    fn copy_window(&mut self) -> Result<(), SuperviseError> {
        let (Some(relay), Some(terminal)) = (&self.relay, &self.terminal) else { return Ok(()) };
        match terminal.window() {
            Ok(window) => relay.resize(window).map_err(SuperviseError::PrivateTerminal),
            Err(_) => self.hang_up(),
        }
    }

    /// The user's shell lets us go on, in the foreground or in the background.
    fn resume(&mut self) -> Result<(), SuperviseError> {
        self.enter_terminal()?;
        self.say(&ToInit::Continue { foreground: self.is_foreground() })
    }

    /// Once the agent has stopped and its last words are shown, we stop, so that the user's shell sees a stopped
    /// job; and go on when it continues us.
    fn stop_if_due(&mut self) -> Result<(), SuperviseError> {
        let Some(PendingStop { signal, turns }) = self.pending_stop else {
            return Ok(());
        };
        if turns > 0 && self.relay.as_ref().is_some_and(|relay| !relay.is_quiet()) {
            self.pending_stop = Some(PendingStop { signal, turns: turns - 1 });
            return Ok(());
        }
        self.pending_stop = None;
        let terminal_stops = [Signal::TTIN, Signal::TTOU];
        let by_terminal = terminal_stops.into_iter().find(|stop| stop.as_raw() == signal);
        if by_terminal.is_some() && self.is_foreground() {
            // The foreground came back to us while the agent was stopping for want of it.
            return self.resume();
        }
        let scope = if self.asked_to_stop { StopScope::Process } else { StopScope::Group };
        self.asked_to_stop = false;
        if let Some(terminal) = &mut self.terminal {
            terminal.leave();
        }
        stop_self(by_terminal.unwrap_or(Signal::TSTP), scope).map_err(SuperviseError::Signals)?;
        self.resume()
    }

    fn conclude(mut self, status: ExitStatus) -> Result<Supervised, SuperviseError> {
        if let Some(failure) = self.files.take_failure() {
            return Err(failure);
        }
        let diagnostics = self.backend.take_diagnostics();
        let hits = self.hits;
        let ended = match (self.agent, self.ended_by) {
            (Agent::Ended(FromInit::Exited { code }), _) => Ended::Exited(code),
            (Agent::Ended(FromInit::Signaled { signal }), _) => Ended::Signaled(signal),
            (Agent::Ended(FromInit::ExecFailed { errno }), _) => Ended::ExecFailed { errno },
            (Agent::Ended(FromInit::SetupFailed { step, errno }), _) => Ended::SetupFailed { step, errno },
            (Agent::Ended(FromInit::Exchanged { index, errno }), _) => {
                Ended::Exchanged { index, errno: Some(errno).filter(|errno| *errno != 0) }
            }
            (Agent::Ended(FromInit::Unforeseen), _) => {
                Ended::Unforeseen { found: said_by_init(&diagnostics) }
            }
            (_, Some(signal)) => Ended::Signaled(signal.as_raw()),
            (Agent::Unheard, None) => Ended::BackendFailed { status, diagnostics },
            (_, None) => Ended::Lost { status, diagnostics },
        };
        Ok(Supervised { ended, status, hits })
    }
}

/// What init said of itself, among what its backend said.
fn said_by_init(diagnostics: &str) -> String {
    let words = diagnostics.lines().rev().find_map(|line| line.trim_end().strip_prefix("coffer-init: "));
    words.unwrap_or("something is mounted that the plan does not have").to_owned()
}

/// Adds a descriptor to those that are polled for reading; says where it stands.
fn watch_for<'a>(fds: &mut Vec<PollFd<'a>>, descriptor: Option<BorrowedFd<'a>>) -> Option<usize> {
    descriptor.map(|descriptor| {
        fds.push(PollFd::from_borrowed_fd(descriptor, PollFlags::IN));
        fds.len() - 1
    })
}
