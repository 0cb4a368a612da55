//! Keys in the user's keyring, which outlives sessions and sandboxes.

use std::ffi::CStr;
use std::io;

use super::answered;

/// `KEY_SPEC_USER_KEYRING`.
const USER_KEYRING: libc::c_int = -4;
/// `KEYCTL_REVOKE`, `KEYCTL_SEARCH`, `KEYCTL_READ`, `KEYCTL_SETPERM`, `KEYCTL_SET_TIMEOUT`.
const REVOKE: libc::c_int = 3;
const SEARCH: libc::c_int = 10;
const READ: libc::c_int = 11;
const SET_PERMISSIONS: libc::c_int = 5;
const SET_TIMEOUT: libc::c_int = 15;
/// Whoever possesses it, and the user, may do all with it.
const ALL: u32 = 0x3f3f_0000;
/// The kernel forgets it by itself, in seconds.
const LIFE: u32 = 600;

/// Puts a key of the kind `user` into the user's keyring; its number. It goes by itself after ten minutes.
///
/// # Errors
/// As `add_key(2)`.
pub fn add_user_key(name: &CStr, value: &[u8]) -> io::Result<i32> {
    let kind = c"user";
    // SAFETY: the kernel reads two strings and so many bytes of the value.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            kind.as_ptr(),
            name.as_ptr(),
            value.as_ptr(),
            value.len(),
            USER_KEYRING,
        )
    };
    let key = i32::try_from(answered(answer)?).map_err(io::Error::other)?;
    // SAFETY: numbers alone.
    answered(unsafe { libc::syscall(libc::SYS_keyctl, SET_PERMISSIONS, key, ALL) })?;
    // SAFETY: numbers alone.
    answered(unsafe { libc::syscall(libc::SYS_keyctl, SET_TIMEOUT, key, LIFE) })?;
    Ok(key)
}

/// The number of a key of the kind `user` in the user's keyring.
///
/// # Errors
/// As `keyctl(2)`: `ENOKEY` when there is none of this name.
pub fn find_user_key(name: &CStr) -> io::Result<i32> {
    let kind = c"user";
    // SAFETY: the kernel reads two strings.
    let answer =
        unsafe { libc::syscall(libc::SYS_keyctl, SEARCH, USER_KEYRING, kind.as_ptr(), name.as_ptr(), 0) };
    i32::try_from(answered(answer)?).map_err(io::Error::other)
}

/// The beginning of a key's value.
///
/// # Errors
/// As `keyctl(2)`.
pub fn read_key(key: i32) -> io::Result<Vec<u8>> {
    let mut value = vec![0_u8; 256];
    // SAFETY: the kernel writes at most as many bytes as it is told that there is room for.
    let answer = unsafe { libc::syscall(libc::SYS_keyctl, READ, key, value.as_mut_ptr(), value.len()) };
    value.truncate(usize::try_from(answered(answer)?).unwrap_or(usize::MAX));
    Ok(value)
}

/// Nobody can use it from now on.
///
/// # Errors
/// As `keyctl(2)`.
pub fn revoke_key(key: i32) -> io::Result<()> {
    // SAFETY: numbers alone.
    answered(unsafe { libc::syscall(libc::SYS_keyctl, REVOKE, key) }).map(drop)
}
