//! Logins: secrets that cannot print, and the lease that a run gets of a login.
#![forbid(unsafe_code)]

pub mod lease;
pub mod secret;
