//! What can be done to a terminal besides reading and writing.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

use super::answered;

/// `TIOCL_GETSHIFTSTATE`: asks which keys are held, and changes nothing.
const SHIFT_STATE: u8 = 6;

/// Puts a character into the terminal's input as if it were typed. With `high_bits` the number of the request has a bit
/// above the 32 that the kernel looks at, past a filter that compares all 64.
///
/// # Errors
/// As `ioctl(2)`: `EIO` where the kernel has that switched off.
pub fn push_input(terminal: impl AsFd, character: u8, high_bits: bool) -> io::Result<()> {
    let request = if high_bits { libc::TIOCSTI | 1 << 32 } else { libc::TIOCSTI };
    // Not by the C library's `ioctl`, which may cut the number.
    let descriptor = terminal.as_fd().as_raw_fd();
    // SAFETY: the kernel reads one byte.
    answered(unsafe { libc::syscall(libc::SYS_ioctl, descriptor, request, &raw const character) }).map(drop)
}

/// Asks a console of the machine about its keyboard, by the call that also pastes.
///
/// # Errors
/// As `ioctl(2)`: `ENOTTY` for what is no console.
pub fn console_state(terminal: impl AsFd) -> io::Result<()> {
    let mut word = [SHIFT_STATE, 0, 0, 0, 0, 0, 0, 0];
    let descriptor = terminal.as_fd().as_raw_fd();
    // SAFETY: this subcode reads one byte and writes one.
    answered(unsafe { libc::syscall(libc::SYS_ioctl, descriptor, libc::TIOCLINUX, word.as_mut_ptr()) })
        .map(drop)
}
