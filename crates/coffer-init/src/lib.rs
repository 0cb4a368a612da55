//! The first process inside a sandbox.
#![forbid(unsafe_code)]
