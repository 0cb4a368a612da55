//! The workspace's chores: checks that clippy cannot make, generated reference pages, measurements.
//!
//! Run as `cargo xtask COMMAND`. Exit code 0: fine, 1: a check says no, 2: usage or a file that cannot be read.
#![forbid(unsafe_code)]

mod bench;
mod deps;
mod error;
mod generate;
mod promises;
mod sizes;
mod threats;
mod tree;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

use crate::tree::Tree;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The workspace's chores", disable_help_subcommand = true)]
enum Command {
    /// Who depends on whom: the layers of docs/design.md, purity, names, the home of unsafe code
    CheckDeps,
    /// No file has grown beyond the limit
    CheckSize,
    /// Every promise names a test that exists, or says `pending`, and every attack stands behind one
    CheckPromises,
    /// Writes the generated pages
    Generate {
        /// Compares instead of writing
        #[arg(long)]
        check: bool,
    },
    /// Measures the figures of docs/reference/bench.md
    Bench(bench::Arguments),
    /// Measures the figures of docs/reference/gateway.md
    BenchGateway(bench::gateway::Arguments),
}

fn main() -> ExitCode {
    let outcome = Tree::open().and_then(|tree| match Command::parse() {
        Command::CheckDeps => deps::check(&tree),
        Command::CheckSize => sizes::check(&tree),
        Command::CheckPromises => promises::check(&tree).and_then(|mut findings| {
            findings.extend(threats::check(&tree)?);
            Ok(findings)
        }),
        Command::Generate { check: true } => generate::check(&tree),
        Command::Generate { check: false } => generate::write(&tree),
        Command::Bench(arguments) => bench::run(&tree, &arguments),
        Command::BenchGateway(arguments) => bench::gateway::run(&tree, &arguments),
    });
    match outcome {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            findings.iter().for_each(|finding| report(finding));
            ExitCode::from(1)
        }
        Err(error) => {
            report(&error.to_string());
            ExitCode::from(2)
        }
    }
}

/// The one place that prints. A closed stderr leaves nobody to tell.
fn report(line: &str) {
    let _ = writeln!(std::io::stderr(), "xtask: {line}");
}
