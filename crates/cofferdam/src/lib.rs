//! The program `coffer`: command line in, exit code out.
//!
//! One run, from top to bottom: [`cli`] (what was said) → [`prepare`] (facts → policy → plan → check →
//! launch; the only caller of these) → [`commands`] (show it or run it) → [`exit`] (the exit code).
#![forbid(unsafe_code)]

mod account_facts;
mod adoption;
mod attend;
pub mod cli;
mod commands;
mod companion;
mod error;
mod exit;
mod gateway;
mod helper;
mod keeping;
mod key_agents;
mod limits;
mod memory;
mod prepare;
mod printer;
mod quarantine;
mod refresher;
mod resolver;
mod sight;
mod store;
mod typed;
mod upkeep;
mod user_config;

use std::ffi::OsString;
use std::process::ExitCode;

use coffer_testkit::attack::{attacks, probe};

/// What `./x compare` hands to the hidden `coffer doctor --attack --peers FILE`, and what comes back.
pub use commands::doctor::peers as comparison;

/// The JSON schema of `coffer status --json`.
pub fn status_schema() -> serde_json::Value {
    commands::status::document::schema()
}

/// The JSON schema of `coffer doctor --json`.
pub fn doctor_schema() -> serde_json::Value {
    commands::doctor::schema()
}

/// The JSON schema of `coffer leaktest --json`.
pub fn leaktest_schema() -> serde_json::Value {
    commands::leaktest::document::schema()
}

/// The JSON schema of `coffer doctor --attack --json`.
pub fn attack_schema() -> serde_json::Value {
    commands::doctor::attack_schema()
}

/// The attacks of `coffer doctor --attack`, one row each: name, class, what it tries, what grants it.
pub fn attack_table() -> Vec<[&'static str; 4]> {
    let row = |attack: &coffer_testkit::attack::Attack| {
        [attack.name, attack.class.word(), attack.tries, commands::doctor::granted_by(attack.grant)]
    };
    attacks().map(row).collect()
}

/// The checks of `coffer doctor`, one row each: id, severity, what it looks for, why that matters, what mends it.
pub fn doctor_checks() -> Vec<[&'static str; 5]> {
    let row =
        |check: &commands::doctor::Check| [check.id, check.severity.word(), check.what, check.why, check.fix];
    commands::doctor::CHECKS.iter().map(row).collect()
}

/// The name under which this program is the sandbox's init.
const INIT_NAME: &str = "coffer-init";

/// What clap calls a command line without a command; it prints its help then.
const NO_COMMAND: clap::error::ErrorKind = clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

/// The whole program. `arguments` begin with the name under which it was called.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let called_as = arguments.first().map(std::path::Path::new).and_then(|path| path.file_name());
    if called_as.is_some_and(|name| name == INIT_NAME) {
        if arguments.get(1).is_some_and(|word| word == gateway::connect::VERB) {
            return ExitCode::from(gateway::connect::run(arguments.into_iter().skip(2)));
        }
        if arguments.get(1).is_some_and(|word| word == sight::probe::VERB) {
            return ExitCode::from(sight::probe::run(arguments.into_iter().skip(2)));
        }
        if arguments.get(1).is_some_and(|word| word == probe::VERB) {
            return ExitCode::from(probe::run(arguments.into_iter().skip(2)));
        }
        return ExitCode::from(coffer_init::run(arguments.into_iter().skip(1)));
    }
    memory::keep_private();
    let of_run = arguments.iter().skip(1).find(|word| !word.as_encoded_bytes().starts_with(b"-"));
    let of_run = of_run.is_some_and(|word| word == "run" || word == "learn" || word == "enter");
    let said = cli::subcommand(&arguments);
    let code = match cli::parse(arguments) {
        Ok(cli) => {
            let printer = printer::Printer::new(&cli.global);
            exit::code(commands::dispatch(cli.command, &printer), &printer)
        }
        Err(told) if !told.use_stderr() || told.kind() == NO_COMMAND => exit::told(&told),
        Err(told) => {
            let global = cli::Global { color: cli::Color::Auto, quiet: false, verbose: false };
            let failure = exit::Failure { error: error::Error::usage(&told, &said), of_run };
            exit::code(Err(failure), &printer::Printer::new(&global))
        }
    };
    ExitCode::from(code)
}
