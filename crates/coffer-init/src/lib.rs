//! The first process inside a sandbox.
//!
//! It makes the private terminal, forks the agent into a process group of its own (and never becomes it), reaps
//! what is left behind, and tells the host over a control socket how the agent does. It ends with the agent, and
//! everything else in the sandbox's pid namespace ends with it. Without a control socket it does the same on its
//! own standard descriptors, for a command line that somebody pasted.
#![forbid(unsafe_code)]

mod agent;
mod arguments;
mod doors;
mod environment;
mod failure;
mod filter;
mod foreseen;
mod hits;
mod landlock;
mod verify;
mod watch;

use arguments::{AgentCommand, Arguments, Control};
use coffer_sys::confine::Confinement;
use coffer_sys::control::{Channel, FromInit, PROTOCOL_VERSION, Start, ToInit};
use coffer_sys::descriptors::{close_all_on_exec, take_inherited};
use coffer_sys::signals::SignalEvents;
use failure::Failure;
use filter::SystemCalls;
use foreseen::Foreseen;
use landlock::Landlock;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::set_no_new_privs;
use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use verify::{Demand, verify};
use watch::Ending;

/// The name by which the binary is called to be the init.
pub const NAME: &str = "coffer-init";

/// The exit code when the sandbox could not be made ready for the agent.
const FAILED: u8 = 125;

/// No core dump of anything inside, and nobody can raise it again: what a dump holds would be written into the
/// project, or handed to a program of the host. A limit of one byte is below the smallest dump, and of all numbers it
/// is the one at which the kernel keeps a dump from such a program, too (core(5)).
const NO_DUMP: Rlimit = Rlimit { current: Some(1), maximum: Some(1) };

/// Runs as init with the arguments after the program's name; returns the exit code: the agent's own, 128+n if
/// signal n ended it, 127 or 126 if its program was not found or cannot be executed, 125 if init failed.
///
/// Must be called first thing in a process with one thread.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    match Arguments::parse(arguments).and_then(init) {
        Ok(ending) => ending.code(),
        Err(failure) => {
            // The only word that init itself ever says; the host captures it as the backend's diagnostics.
            let _ = writeln!(std::io::stderr(), "{NAME}: {failure}");
            FAILED
        }
    }
}

fn init(arguments: Arguments) -> Result<Ending, Failure> {
    // Before anything else in here can run: /proc/1 of this process is closed to the agent.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(Failure::harden)?;
    set_no_new_privs(true).map_err(Failure::harden)?;
    setrlimit(Resource::Core, NO_DUMP).map_err(Failure::harden)?;
    let signals = watch::signals().map_err(Failure::signals)?;
    let control = arguments.control.map(reach).transpose()?;
    let gateway = arguments.gateway.map(take_inherited).transpose().map_err(Failure::control)?;
    close_all_on_exec().map_err(Failure::harden)?;
    let channel = |end: OwnedFd| Channel::from_descriptor(end).map_err(Failure::control);
    let mut inside = Inside {
        gateway: gateway.map(channel).transpose()?,
        listen: arguments.listen,
        demands: arguments.demands,
        foreseen: arguments.foreseen,
        system_calls: arguments.system_calls,
        landlock: arguments.landlock,
        signals,
    };
    match control {
        Some(control) => inside.for_host(&control, arguments.command),
        None => inside.by_hand(arguments.command),
    }
}

/// The way to the host.
fn reach(control: Control) -> Result<Channel, Failure> {
    let channel = match control {
        Control::Inherited(number) => take_inherited(number).and_then(Channel::from_descriptor),
        Control::Path(path) => Channel::connect(path.as_bytes()),
    };
    channel.map_err(Failure::control)
}

/// What does not change from here on.
struct Inside {
    gateway: Option<Channel>,
    listen: Vec<SocketAddr>,
    demands: Vec<Demand>,
    foreseen: Foreseen,
    system_calls: SystemCalls,
    landlock: Landlock,
    signals: SignalEvents,
}

impl Inside {
    /// As the host's supervision wants it.
    fn for_host(&mut self, control: &Channel, command: AgentCommand) -> Result<Ending, Failure> {
        control.send(&FromInit::Hello { version: PROTOCOL_VERSION }, &[]).map_err(Failure::control)?;
        let (start, mut passed) = receive_start(control)?;
        if start.gateway {
            let end = passed.pop().ok_or(Failure::HostGone)?;
            self.gateway = Some(Channel::from_descriptor(end).map_err(Failure::control)?);
        }
        let environment = if start.environment { passed.pop() } else { None };
        let environment = environment.map(environment::read).transpose().map_err(Failure::environment)?;
        let given = agent::Given { start, passed, environment };
        if let Err(exchanged) = verify(&self.demands) {
            let (index, errno) = (exchanged.index, exchanged.errno());
            report(control, FromInit::Exchanged { index, errno });
            return Err(Failure::Exchanged(exchanged));
        }
        if let Err(unforeseen) = self.foreseen.hold(&self.demands) {
            report(control, FromInit::Unforeseen);
            return Err(Failure::Unforeseen(unforeseen));
        }
        let started = self
            .doors()
            .and_then(|()| self.walls())
            .and_then(|walls| agent::start(given, command, walls, control));
        let agent = match started {
            Ok(Ok(agent)) => agent,
            Ok(Err(errno)) => {
                report(control, FromInit::ExecFailed { errno });
                return Ok(Ending::ExecFailed(errno));
            }
            Err(failed) => {
                report(control, FromInit::SetupFailed { step: failed.step, errno: failed.errno() });
                return Err(Failure::setup(failed));
            }
        };
        report(control, FromInit::Started { pid: agent.pid.as_raw_pid() });
        watch::watch(&self.signals, Some(control), self.gateway.as_ref(), &agent).map_err(Failure::wait)
    }

    /// For somebody who pasted a command line: nobody else will say why there is no agent.
    fn by_hand(&self, command: AgentCommand) -> Result<Ending, Failure> {
        verify(&self.demands).map_err(Failure::Exchanged)?;
        self.foreseen.hold(&self.demands).map_err(Failure::Unforeseen)?;
        let program = command.program.clone();
        self.doors().map_err(Failure::setup)?;
        let walls = self.walls().map_err(Failure::setup)?;
        match agent::start_on_own_stdio(command, walls).map_err(Failure::setup)? {
            Ok(agent) => {
                watch::watch(&self.signals, None, self.gateway.as_ref(), &agent).map_err(Failure::wait)
            }
            Err(errno) => {
                let (program, cause) = (program.display(), std::io::Error::from_raw_os_error(errno));
                let _ = writeln!(std::io::stderr(), "{NAME}: cannot execute `{program}`: {cause}");
                Ok(Ending::ExecFailed(errno))
            }
        }
    }

    /// What the agent takes from itself before its program begins.
    fn walls(&self) -> Result<Confinement, agent::SetupFailed> {
        Ok(Confinement { filter: self.system_calls.filter(), ruleset: self.landlock.ruleset()? })
    }

    /// Opens the doors, before anything of the agent runs.
    fn doors(&self) -> Result<(), agent::SetupFailed> {
        match &self.gateway {
            Some(gateway) => doors::open(gateway, &self.listen),
            None => Ok(()),
        }
    }
}

/// Says something to the host. When the host is gone there is nobody to tell, and the end of the socket is seen
/// where it is read.
fn report(control: &Channel, message: FromInit) {
    let _ = control.send(&message, &[]);
}

fn receive_start(control: &Channel) -> Result<(Start, Vec<OwnedFd>), Failure> {
    let received = control.receive::<ToInit>().map_err(Failure::control)?.ok_or(Failure::HostGone)?;
    match received.message {
        ToInit::Start(start) if start.descriptors() == received.descriptors.len() => {
            Ok((start, received.descriptors))
        }
        other => Err(Failure::Unexpected(Box::new(other))),
    }
}
