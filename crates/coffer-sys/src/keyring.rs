//! The kernel's keyrings.

use std::io;

/// `KEYCTL_JOIN_SESSION_KEYRING` of `linux/keyctl.h`.
const JOIN_SESSION_KEYRING: libc::c_long = 1;

/// Gives this process, and every program that it starts from now on, a new and empty session keyring of its own.
/// Whatever lies in the one that was inherited (a login's tickets and passphrases) is out of reach by then. The
/// user's keyring is not: for that, `keyctl` itself has to be denied.
///
/// # Errors
/// As `keyctl(2)`: `EDQUOT` when the user has too many keys. A kernel without keyrings has nothing to lose: no error.
pub fn new_session_keyring() -> io::Result<()> {
    let anonymous: *const libc::c_char = std::ptr::null();
    // SAFETY: a null pointer stands for a keyring without a name; the kernel reads no memory of ours.
    let serial = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, anonymous) };
    if serial > 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        error => Err(error),
    }
}
