//! The ledger: what was granted, refreshed, captured and changed, as an append-only journal of JSON lines.
//!
//! Each line holds the SHA-256 of the line before it, so that a line which is changed, removed or put in
//! later is found. Events hold names, times and fingerprints, and no secret.
#![forbid(unsafe_code)]

mod event;
mod journal;

pub use event::{Event, Outcome};
pub use journal::{Entry, Ledger, LedgerError};
