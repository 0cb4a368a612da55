//! Processes with a session, a terminal and a process group of their own.

use crate::confine::Confinement;
use crate::signals::to_defaults;
use rustix::process::Pid;
use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Added to an error number to tell a failed preparation from a failed `execve`: the standard library brings one
/// number back from the child.
const PREPARATION: i32 = 1 << 16;
/// The same for a failed confinement.
const CONFINEMENT: i32 = 1 << 17;

/// A program to be started as the leader of a process group of its own, with default signals.
#[derive(Debug)]
pub struct NewGroup {
    /// Looked up in `PATH` if it has no slash.
    pub program: OsString,
    /// Without the program's name.
    pub arguments: Vec<OsString>,
    /// Its 0, 1 and 2.
    pub stdio: [OwnedFd; 3],
    /// Which of 0–2 is a terminal in whose foreground the group shall be.
    pub foreground: Option<u8>,
    /// Its whole environment; ours without one. `PATH` is the one in it.
    pub environment: Option<Vec<(OsString, OsString)>>,
    /// What it and its children cannot do; the caller is not confined by it.
    pub confinement: Confinement,
}

/// Why [`NewGroup::spawn`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnError {
    /// Before the program was tried.
    Preparation(i32),
    /// When it was to be confined.
    Confinement(i32),
    /// The kernel refused the program.
    Exec(i32),
}

impl NewGroup {
    /// Starts it; returns when the program runs.
    ///
    /// # Errors
    /// [`SpawnError`] with the error number.
    pub fn spawn(self) -> Result<Pid, SpawnError> {
        let Self { program, arguments, stdio, foreground, environment, confinement } = self;
        let mut command = Command::new(program);
        let [input, output, errors] = stdio;
        command.args(arguments).stdin(Stdio::from(input)).stdout(output).stderr(errors).process_group(0);
        if let Some(environment) = environment {
            command.env_clear().envs(environment);
        }
        let marked = |mark: i32, error: &io::Error| {
            io::Error::from_raw_os_error(mark + error.raw_os_error().unwrap_or(libc::EIO))
        };
        let prepare = move || {
            take_foreground(foreground)
                .and_then(|()| to_defaults())
                .map_err(|error| marked(PREPARATION, &error))?;
            // Last: from here on it can do no more than its program.
            confinement.apply().map_err(|error| marked(CONFINEMENT, &error))
        };
        // SAFETY: between fork and exec the closure makes system calls that are async-signal-safe, and nothing in
        // it allocates: errors are made of numbers.
        unsafe { command.pre_exec(prepare) };
        match command.spawn() {
            Ok(child) => Ok(Pid::from_child(&child)),
            Err(error) => Err(match error.raw_os_error() {
                Some(number) if number > CONFINEMENT => SpawnError::Confinement(number - CONFINEMENT),
                Some(number) if number > PREPARATION => SpawnError::Preparation(number - PREPARATION),
                Some(number) => SpawnError::Exec(number),
                // A name with a zero byte inside: no such program can exist.
                None => SpawnError::Exec(libc::ENOENT),
            }),
        }
    }
}

/// In the child: its group, already made, becomes the terminal's foreground. `SIGTTOU` is blocked here when the
/// parent blocks it; it has to.
fn take_foreground(stdio: Option<u8>) -> io::Result<()> {
    let Some(number) = stdio else { return Ok(()) };
    // SAFETY: descriptors 0–2 are open here: the standard library has just put them in place for the child.
    let terminal = unsafe { BorrowedFd::borrow_raw(i32::from(number)) };
    Ok(rustix::termios::tcsetpgrp(terminal, rustix::process::getpid())?)
}

/// Lets the child of `command` enter groups of the kernel's (cgroups) before it does anything else, so that nothing
/// that it starts is outside of them. Each descriptor is open for writing on a `cgroup.procs` or `tasks`; in the
/// child only what is meant to run next is prepared after that.
pub fn enter_groups(command: &mut Command, groups: Vec<OwnedFd>) {
    let enter = move || {
        for group in &groups {
            // Zero is whoever writes it.
            rustix::io::write(group, b"0")?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls alone, and allocates nothing.
    unsafe { command.pre_exec(enter) };
}

/// Lets the child of `command` start with every signal at its default and none blocked, in our own session.
pub fn default_signals(command: &mut Command) {
    // SAFETY: system calls only, and nothing allocates, as `to_defaults` says.
    unsafe { command.pre_exec(to_defaults) };
}

/// Lets the child of `command` lead a session of its own. With `terminal`, that standard descriptor becomes its
/// controlling terminal; without, it has none.
pub fn new_session(command: &mut Command, terminal: Option<u8>) {
    let prepare = move || {
        rustix::process::setsid()?;
        if let Some(number) = terminal {
            // SAFETY: descriptors 0–2 are open here: the standard library has just put them in place.
            let terminal = unsafe { BorrowedFd::borrow_raw(i32::from(number)) };
            rustix::process::ioctl_tiocsctty(terminal)?;
        }
        to_defaults()
    };
    // SAFETY: as in `NewGroup::spawn`: system calls only, and nothing allocates.
    unsafe { command.pre_exec(prepare) };
}
