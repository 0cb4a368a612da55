//! The program `coffer`: command line in, exit code out.
//!
//! One run, from top to bottom: [`cli`] (what was said) → [`prepare`] (facts → policy → plan → check →
//! launch; the only caller of these) → [`commands`] (show it or run it) → [`exit`] (the exit code).
#![forbid(unsafe_code)]

pub mod cli;
mod commands;
mod error;
mod exit;
mod prepare;
mod printer;
mod resolver;
mod store;

use std::ffi::OsString;
use std::process::ExitCode;

/// The name under which this program is the sandbox's init.
const INIT_NAME: &str = "coffer-init";

/// The whole program. `arguments` begin with the name under which it was called.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let called_as = arguments.first().map(std::path::Path::new).and_then(|path| path.file_name());
    if called_as.is_some_and(|name| name == INIT_NAME) {
        return ExitCode::from(coffer_init::run(arguments.into_iter().skip(1)));
    }
    let code = match cli::parse(arguments) {
        Ok(cli) => {
            let printer = printer::Printer::new(&cli.global);
            exit::code(commands::dispatch(cli.command, &printer), &printer)
        }
        Err(told) => exit::told(&told),
    };
    ExitCode::from(code)
}
