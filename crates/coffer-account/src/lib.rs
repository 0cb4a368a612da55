//! Logins: where accounts lie, secrets that cannot print, and the lease that a run gets of a login.
#![forbid(unsafe_code)]

pub mod layout;
pub mod lease;
pub mod record;
pub mod secret;
