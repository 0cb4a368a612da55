//! The value of one variable, for the one who resolves references.

use std::os::unix::ffi::OsStringExt;

use zeroize::Zeroizing;

/// The value of a variable of this process's environment, secret or not; wiped on drop. `None` when it is
/// not set.
pub fn variable(name: &str) -> Option<Zeroizing<Vec<u8>>> {
    std::env::var_os(name).map(|value| Zeroizing::new(value.into_vec()))
}
