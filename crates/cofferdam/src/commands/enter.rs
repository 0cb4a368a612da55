//! `coffer enter`: a command in a service of a generated compose file. A port of the container's loopback leads to the
//! gateway behind the door, and what stands for the account comes from the door, too: it is in no image, no compose
//! file and no `inspect`.
//!
//! The first one in a container carries the connections for as long as it lives; later ones (`exec`) find the port
//! taken and go the same way. It is fit to be the first process of a container: it hands on signals and takes in
//! processes that nobody waits for.

mod carry;

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use camino::Utf8Path;
use coffer_account::door::{self, Variable};
use coffer_account::waiter::Waiter;
use coffer_account::watch::LoginWatch;
use coffer_plan::stack::{ENVIRONMENT, SOCKET};
use coffer_sys::signals::SignalEvents;
use rustix::process::Signal;

use super::stack_error::StackError;
use crate::attend;
use crate::cli::EnterCommand;
use crate::error::Error;
use crate::exit::Failure;
use crate::printer::Printer;

/// Signals that end what waits.
const ENDS: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];
/// Exit codes, as a shell has them.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// How long a gateway may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn enter(command: &EnterCommand, printer: &Printer) -> Result<u8, Failure> {
    if command.check {
        answers(&command.door.join(SOCKET))?;
        return Ok(0);
    }
    match entered(command, printer) {
        // As a shell has it.
        Err(Error::Stack(StackError::Command { program, source })) => {
            let code = if source.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
            printer.failure(&StackError::Command { program, source }.into());
            Ok(code)
        }
        other => other.map_err(|error| Failure { error, of_run: true }),
    }
}

fn entered(command: &EnterCommand, printer: &Printer) -> Result<u8, Error> {
    // Before any thread is made, so that all of them leave the signals to us.
    let signals = attend::signals().map_err(|source| Error::Watch { source })?;
    match TcpListener::bind((Ipv4Addr::LOCALHOST, command.port)) {
        Ok(listener) => carry::start(listener, command.door.join(SOCKET))?,
        // The first process of this container carries already.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
        Err(source) => {
            return Err(StackError::Enter { action: "listen on the port of the gateway", source }.into());
        }
    }
    match variables(&command.door, &signals, printer)? {
        Some(variables) => start(&command.command, &variables, &signals),
        None => Ok(ended_by(Signal::TERM)),
    }
}

/// What to set; it waits for that as long as the account is not there. `None`: somebody ended the waiting.
fn variables(
    door: &Utf8Path,
    signals: &SignalEvents,
    printer: &Printer,
) -> Result<Option<Vec<Variable>>, Error> {
    let watching = |source| Error::Watch { source };
    let waiter = Waiter::new().map_err(watching)?;
    // Watched before it is looked for: no change goes unseen.
    let mut watch = LoginWatch::new(&door.join(ENVIRONMENT)).map_err(watching)?;
    let mut told = false;
    loop {
        let read = door::read(door);
        let unread = |reason: coffer_account::read::Unread| StackError::Enter {
            action: "read what is behind the door",
            source: io::Error::other(reason.to_string()),
        };
        if let Some(variables) = read.map_err(unread)? {
            return Ok(Some(variables));
        }
        if !std::mem::replace(&mut told, true) {
            printer.tell("waits for the keeper: the account of this service is not there yet\n");
        }
        while let Some(caught) = signals.next().map_err(watching)? {
            if ENDS.iter().any(|signal| signal.as_raw() == caught.signal) {
                return Ok(None);
            }
        }
        waiter.until(None, &[signals.as_fd(), watch.as_fd()]).map_err(watching)?;
        watch.changed().map_err(watching)?;
    }
}

/// Starts the command and stays until it ends; its exit code.
fn start(words: &[OsString], variables: &[Variable], signals: &SignalEvents) -> Result<u8, Error> {
    let (program, arguments) = words.split_first().ok_or_else(|| StackError::Enter {
        action: "start nothing",
        source: io::ErrorKind::InvalidInput.into(),
    })?;
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value.as_str())));
    coffer_sys::process::default_signals(&mut command);
    let not_started =
        |source| StackError::Command { program: program.to_string_lossy().into_owned(), source };
    let child = command.spawn().map_err(not_started)?;
    drop(command);
    attend::attend(&child, signals).map_err(|source| Error::Watch { source })
}

fn ended_by(signal: Signal) -> u8 {
    u8::try_from(signal.as_raw() + 128).unwrap_or(u8::MAX)
}

/// The gateway behind this socket answers.
///
/// # Errors
/// When it does not, or not in time.
pub(super) fn answers(socket: &Utf8Path) -> Result<(), Error> {
    let failed = |source| StackError::Silent { socket: socket.to_owned(), source };
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    let ask = b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).map_err(failed)?;
    let mut answer = String::new();
    stream.take(1024).read_to_string(&mut answer).map_err(failed)?;
    match answer.starts_with("HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(failed(io::Error::other("it does not answer as a gateway does")).into()),
    }
}
