//! Descriptors that cross an `execve`.

use crate::signals::to_defaults;
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Lets the child of `command` inherit these descriptors under their own numbers, and no others above 2, whatever
/// our own parent left open. Here they still close on exec, so that no other child gets them; they stay open until
/// `command` is dropped. The child starts with default signals, none of them blocked.
pub fn inherit(command: &mut Command, descriptors: Vec<OwnedFd>) {
    let keep_open = move || {
        close_all_on_exec()?;
        for descriptor in &descriptors {
            fcntl_setfd(descriptor, FdFlags::empty())?;
        }
        to_defaults()
    };
    // SAFETY: between fork and exec the closure only makes system calls, which are async-signal-safe, and
    // allocates nothing.
    unsafe { command.pre_exec(keep_open) };
}

/// Takes over a descriptor above 2 that our parent left open for us, and lets it close on exec.
///
/// # Errors
/// `EBADF` if `number` is not open, `EINVAL` if it is a standard descriptor or one that this process opened.
pub fn take_inherited(number: RawFd) -> io::Result<OwnedFd> {
    if number < 3 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the borrow is used for two `fcntl` calls on flags only, which answer `EBADF` if the number is not
    // open, and it ends before anybody else of this function can close it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    if fcntl_getfd(borrowed)?.contains(FdFlags::CLOEXEC) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: nobody in this process owns it: everything opened here (std, rustix, this crate) closes on exec
    // from birth, this one did not, so it was inherited; and now that it does, it cannot be taken twice.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Whether the two are one open file, with one offset.
///
/// # Errors
/// As `kcmp(2)`: `ENOSYS` for a kernel without it.
pub fn share_open_file(one: impl AsFd, other: impl AsFd) -> io::Result<bool> {
    /// `KCMP_FILE` of `linux/kcmp.h`.
    const FILE: libc::c_int = 0;
    let own = rustix::process::getpid().as_raw_pid();
    let (one, other) = (one.as_fd().as_raw_fd(), other.as_fd().as_raw_fd());
    // SAFETY: only numbers are passed: our own process and two descriptors of it that are borrowed and so open.
    match unsafe { libc::syscall(libc::SYS_kcmp, own, own, FILE, one, other) } {
        0 => Ok(true),
        1.. => Ok(false),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets every descriptor above 2 close on exec, inherited ones included.
///
/// # Errors
/// As `close_range(2)`: `ENOSYS` before Linux 5.9, `EINVAL` before 5.11.
pub fn close_all_on_exec() -> io::Result<()> {
    // SAFETY: with this flag nothing is closed and no memory is touched; a flag of descriptors is set.
    let done = unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
