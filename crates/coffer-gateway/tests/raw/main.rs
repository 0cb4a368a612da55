//! The gateway from outside, byte by byte, with servers and clients of the test's own on loopback.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod duties;
mod echoes;
mod faults;
mod floods;

mod injection;
mod mutated;
mod names;

mod reach;
mod sent;
mod strange;
mod support;
