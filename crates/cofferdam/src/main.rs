//! The binary `coffer`; called as `coffer-init` it is the first process inside a sandbox.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    cofferdam::main(std::env::args_os().collect())
}
