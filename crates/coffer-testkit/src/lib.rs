//! Fakes and fixtures for tests and for `coffer try`.
//!
//! - [`FakeApi`]: a practice API and token server on loopback, with rotating single-use refresh tokens,
//!   scripted failures and a record of every request (never with a credential's value).
//! - [`require`]: what this machine must have for a test; a skip names its reason and can be forbidden.
//! - [`Scratch`]: a home, XDG folders and a project of a test's own.
//! - [`netns`]: runs a test again inside a network namespace that has nothing but loopback.
//! - [`engine`]: podman and docker for tests, each with storage of its own, and images without a registry.
//! - [`attack`]: the attacks on a sandbox, the probe that makes them, and the stage for it.
#![forbid(unsafe_code)]

pub mod attack;
pub mod engine;
pub mod fake;
pub mod netns;
pub mod require;
mod scratch;

pub use fake::{
    Answer, FakeApi, FakeApiBuilder, FakeError, Fault, Gate, IssuedLogin, LoginSpec, RequestRecord, Rule, Tap,
};
pub use scratch::{Scratch, ScratchError};
