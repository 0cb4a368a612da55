//! The probe alone, as a program of its own, for sandboxes of others; `coffer` holds the same.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(coffer_testkit::attack::probe::run(std::env::args_os().skip(1)))
}
