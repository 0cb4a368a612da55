//! From the start message to a running agent.

use crate::arguments::AgentCommand;
use coffer_sys::confine::Confinement;
use coffer_sys::control::{Channel, FromInit, Modes, Start, StdioSet, Step, Window};
use coffer_sys::keyring::new_session_keyring;
use coffer_sys::process::{NewGroup, SpawnError};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, getpid, getsid, ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr, tcsetwinsize};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// The agent's process, which leads a group of the same number.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) pid: Pid,
}

/// A preparation that failed.
#[derive(Debug)]
pub(crate) struct SetupFailed {
    pub(crate) step: Step,
    pub(crate) cause: io::Error,
}

impl SetupFailed {
    fn at(step: Step) -> impl FnOnce(Errno) -> Self {
        move |errno| Self { step, cause: errno.into() }
    }

    /// The cause as a number; `EIO` for what has none.
    pub(crate) fn errno(&self) -> i32 {
        self.cause.raw_os_error().unwrap_or(Errno::IO.raw_os_error())
    }
}

/// The agent, or the error number of its `execve`.
pub(crate) type Started = Result<Result<Agent, i32>, SetupFailed>;

/// What the host gives the agent.
pub(crate) struct Given {
    pub(crate) start: Start,
    /// Those of 0–2 that are not made in here.
    pub(crate) passed: Vec<OwnedFd>,
    /// Its whole environment; init's own without one.
    pub(crate) environment: Option<Vec<(OsString, OsString)>>,
}

/// Starts the agent as the host wants it. No descriptor of the agent's stays open in here.
pub(crate) fn start(
    given: Given,
    command: AgentCommand,
    confinement: Confinement,
    control: &Channel,
) -> Started {
    let Given { start, passed, environment } = given;
    leave_host_session(environment.is_some())?;
    let terminal = if start.terminal.is_empty() {
        None
    } else {
        Some(private_terminal(start.window, start.modes.as_ref(), control)?)
    };
    let foreground = start.terminal.iter().next().filter(|_| start.foreground);
    let stdio = standard_descriptors(start.passed, start.terminal, passed, terminal)?;
    spawn(command, stdio, foreground, environment, confinement)
}

/// Starts the agent on init's own descriptors, in a session without a controlling terminal: what stands behind
/// them belongs to somebody outside, and a session that does not own a terminal cannot type into it.
pub(crate) fn start_on_own_stdio(command: AgentCommand, confinement: Confinement) -> Started {
    leave_host_session(false)?;
    let stdio = [
        std::io::stdin().as_fd().try_clone_to_owned(),
        std::io::stdout().as_fd().try_clone_to_owned(),
        std::io::stderr().as_fd().try_clone_to_owned(),
    ];
    let [Ok(input), Ok(output), Ok(errors)] = stdio else {
        return Err(SetupFailed { step: Step::NullDevice, cause: Errno::BADF.into() });
    };
    spawn(command, [input, output, errors], None, None, confinement)
}

fn spawn(
    command: AgentCommand,
    stdio: [OwnedFd; 3],
    foreground: Option<u8>,
    environment: Option<Vec<(OsString, OsString)>>,
    confinement: Confinement,
) -> Started {
    let AgentCommand { program, arguments } = command;
    let path = match &environment {
        Some(all) => all.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone()),
        None => std::env::var_os("PATH"),
    };
    let group = NewGroup { program: program.clone(), arguments, stdio, foreground, environment, confinement };
    match group.spawn() {
        Ok(pid) => Ok(Ok(Agent { pid })),
        Err(SpawnError::Exec(errno)) => Ok(Err(exec_error(&program, &path.unwrap_or_default(), errno))),
        Err(SpawnError::Preparation(errno)) => {
            Err(SetupFailed { step: Step::Fork, cause: io::Error::from_raw_os_error(errno) })
        }
        Err(SpawnError::Confinement(errno)) => {
            Err(SetupFailed { step: Step::Walls, cause: io::Error::from_raw_os_error(errno) })
        }
    }
}

/// The search of `PATH` says "permission denied" as soon as one of its folders is closed to us; shells say "not
/// found" when no folder has such a file, and so do we.
fn exec_error(program: &OsStr, path: &OsStr, errno: i32) -> i32 {
    let was_searched = !program.as_bytes().contains(&b'/');
    if errno != Errno::ACCESS.raw_os_error() || !was_searched {
        return errno;
    }
    let is_there = std::env::split_paths(path).any(|folder| folder.join(program).exists());
    if is_there { errno } else { Errno::NOENT.raw_os_error() }
}

/// Neither terminal nor keys of the session that we were started in are the agent's.
fn leave_host_session(in_container: bool) -> Result<(), SetupFailed> {
    match new_session_keyring() {
        // The engine's own filter refuses the call, to us and to the agent; its runtime has made a keyring for the
        // container, and nothing of ours is in it.
        Err(cause) if in_container && cause.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        made => made.map_err(|cause| SetupFailed { step: Step::Keyring, cause }),
    }?;
    match setsid() {
        Ok(_) => Ok(()),
        // Container engines start their pid 1 as one already.
        Err(Errno::PERM) if getsid(None) == Ok(getpid()) => Ok(()),
        Err(errno) => Err(SetupFailed::at(Step::Session)(errno)),
    }
}

/// A pseudo terminal of the sandbox's own devpts, so that it has a name in here. It becomes the controlling
/// terminal of our session; its master side goes to the host and is closed here.
fn private_terminal(
    window: Window,
    modes: Option<&Modes>,
    control: &Channel,
) -> Result<OwnedFd, SetupFailed> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).map_err(SetupFailed::at(Step::OpenTerminal))?;
    unlockpt(&master).map_err(SetupFailed::at(Step::OpenTerminal))?;
    let terminal = ioctl_tiocgptpeer(&master, flags).map_err(SetupFailed::at(Step::OpenTerminal))?;
    if let Some(modes) = modes {
        let mut termios = tcgetattr(&terminal).map_err(SetupFailed::at(Step::PrepareTerminal))?;
        modes.apply(&mut termios);
        tcsetattr(&terminal, OptionalActions::Now, &termios)
            .map_err(SetupFailed::at(Step::PrepareTerminal))?;
    }
    tcsetwinsize(&terminal, window.into()).map_err(SetupFailed::at(Step::PrepareTerminal))?;
    ioctl_tiocsctty(&terminal).map_err(SetupFailed::at(Step::Session))?;
    control
        .send(&FromInit::Pty, &[master.as_fd()])
        .map_err(|cause| SetupFailed { step: Step::OpenTerminal, cause })?;
    Ok(terminal)
}

fn standard_descriptors(
    is_passed: StdioSet,
    is_terminal: StdioSet,
    passed: Vec<OwnedFd>,
    terminal: Option<OwnedFd>,
) -> Result<[OwnedFd; 3], SetupFailed> {
    let mut passed = VecDeque::from(passed);
    let mut one = |number: u8| -> Result<OwnedFd, SetupFailed> {
        if is_passed.contains(number)
            && let Some(descriptor) = passed.pop_front()
        {
            return Ok(descriptor);
        }
        if is_terminal.contains(number)
            && let Some(terminal) = &terminal
        {
            return rustix::io::fcntl_dupfd_cloexec(terminal, 3)
                .map_err(SetupFailed::at(Step::PrepareTerminal));
        }
        rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map_err(SetupFailed::at(Step::NullDevice))
    };
    Ok([one(0)?, one(1)?, one(2)?])
}
