//! Logins: where accounts lie, secrets that cannot print, and the lease that a run gets of a login.
#![forbid(unsafe_code)]

pub mod beneath;
pub mod layout;
pub mod lease;
pub mod made_inside;
pub mod pending;
pub mod publish;
pub mod record;
pub mod renewal;
pub mod secret;
pub mod tree;
pub mod watch;
