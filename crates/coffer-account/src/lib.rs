//! Logins: where accounts lie, secrets that cannot print, and the lease that a run gets of a login.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod backup;
pub mod beneath;
pub mod capture;
pub mod client_locks;
pub mod copies;
pub mod disk;
pub mod door;
pub mod journal;
pub mod keeper;
pub mod layout;
pub mod lease;
pub mod lock;
pub mod login_file;
pub mod made_inside;

pub mod pending;
mod private;
pub mod process;
pub mod publish;
pub mod read;
pub mod record;
pub mod renewal;
pub mod replace;
pub mod seal;
pub mod secret;
pub mod tokens;
pub mod tree;
pub mod waiter;
pub mod watch;
