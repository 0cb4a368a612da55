//! `coffer lab`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `coffer lab`.
#[derive(Debug, Args)]
pub struct LabCommand {
    /// Which experiment
    #[arg(value_enum)]
    pub experiment: Experiment,
    /// Rounds of the race
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Sandboxes that start at once in the race
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub sandboxes: u32,
    /// Only lines of the race whose version and way contain this, for example `2.1.330 coffer`
    #[arg(long, value_name = "TEXT")]
    pub only: Vec<String>,
    /// The genuine agent to experiment with, instead of the one on the PATH
    #[arg(long, value_name = "PATH")]
    pub claude: Vec<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// Also write the results as a page (Markdown)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// We are in the private network already, and this is our own program.
    #[arg(long, hide = true, value_name = "COFFER")]
    pub inside: Option<PathBuf>,
}

/// The experiments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Experiment {
    /// Many sandboxes at once on one expired login
    Race,
    /// What is odd about a login file or its folder, and what comes of it
    Volume,
    /// When the agent refreshes, and which of its commands does it without losing the answer
    Expiry,
    /// Which credential is sent when there are two, and which settings are read where
    Priority,
    /// What identifies an installation, and which sandboxes have it in common
    Identity,
    /// How the ways to bind a login into a sandbox end
    Mounts,
    /// All of them
    All,
}
