//! Plan to launch to process.
#![forbid(unsafe_code)]
pub mod supervise;
