//! Plan to launch to process.
#![forbid(unsafe_code)]
