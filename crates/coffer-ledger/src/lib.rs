//! The ledger: what was granted, refreshed, captured and changed, as an append-only journal of JSON lines.
//!
//! Each line holds the SHA-256 of the line before it, so that a line which is changed, removed or put in
//! later is found. Events hold names, times and fingerprints, and no secret.
#![forbid(unsafe_code)]

mod error;
mod event;
mod journal;
mod line;
mod place;
mod read;
mod verify;

pub use error::LedgerError;
pub use event::{Event, Outcome};
pub use journal::Ledger;
pub use line::{Entry, Line, MAX_LINE_BYTES};
pub use read::{Entries, Filter, LastRefresh, Unread};
pub use verify::{Broken, Verified, Why};
