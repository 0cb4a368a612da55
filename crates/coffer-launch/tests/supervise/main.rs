//! Runs are supervised as users see it: a real bubblewrap, a real init, real pipes and pseudo terminals.
//!
//! This one executable plays every part. Called as `coffer-init` it is the init; with `host` as its first word it
//! is the host, and runs the rest of its words as an agent; else it runs the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test without the standard harness is no test to clippy"
)]

mod by_hand;
mod files;
mod harness;
mod host;
mod isolation;
mod jobs;
mod pipes;
mod terminal;
mod verify;

use libtest_mimic::{Arguments, Trial};
use std::path::Path;
use std::process::ExitCode;

type Test = (&'static str, fn());

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_default();
    if Path::new(&name).file_name().is_some_and(|name| name == coffer_init::NAME) {
        return ExitCode::from(coffer_init::run(words));
    }
    if std::env::args_os().nth(1).is_some_and(|word| word == "host") {
        return ExitCode::from(host::run(words.skip(1)));
    }
    let groups = [pipes::TESTS, files::TESTS, terminal::TESTS, jobs::TESTS];
    let tests = [groups.concat(), [isolation::TESTS, verify::TESTS, by_hand::TESTS].concat()].concat();
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            if coffer_testkit::require::bwrap().is_some() {
                test();
            }
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
