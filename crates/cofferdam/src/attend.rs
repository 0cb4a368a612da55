//! Stays with a program that was started at our own terminal: hands on signals and takes in whoever has ended, as the
//! first process of a container has to.

use std::io;
use std::os::fd::AsFd as _;
use std::process::Child;

use coffer_account::waiter::Waiter;
use coffer_sys::signals::SignalEvents;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process};

/// What is handed on, and the ends of processes.
const SIGNALS: [Signal; 8] = [
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::WINCH,
    Signal::CHILD,
];

/// The signals as events; before any thread is made, so that all of them leave them to us.
///
/// # Errors
/// When no descriptor is left.
pub(crate) fn signals() -> io::Result<SignalEvents> {
    coffer_sys::signals::heed_children();
    SignalEvents::block(&SIGNALS)
}

/// Until the program ends; its exit code, as a shell has it. It started with [`coffer_sys::process::default_signals`].
///
/// # Errors
/// When it cannot be waited for.
pub(crate) fn attend(child: &Child, signals: &SignalEvents) -> io::Result<u8> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::NotFound)?;
    let waiter = Waiter::new()?;
    loop {
        if let Some(code) = reap(pid)? {
            return Ok(code);
        }
        waiter.until(None, &[signals.as_fd()])?;
        while let Some(caught) = signals.next()? {
            // What a key of the terminal made has come to the program as well.
            if caught.from_kernel || caught.signal == Signal::CHILD.as_raw() {
                continue;
            }
            if let Some(signal) = SIGNALS.iter().find(|signal| signal.as_raw() == caught.signal) {
                // It may have ended just now.
                let _ = kill_process(pid, *signal);
            }
        }
    }
}

/// Takes in everybody who has ended; the exit code when the program is among them.
fn reap(program: Pid) -> io::Result<Option<u8>> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == program => return Ok(Some(code(status))),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or(status.terminating_signal().map(|signal| signal + 128));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
