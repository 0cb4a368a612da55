//! The binary `coffer`.
#![forbid(unsafe_code)]
fn main() {}
