//! The commands about live runs.

use clap::Args;

/// `coffer ps`.
#[derive(Debug, Args)]
pub struct PsCommand {
    /// As one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `coffer stop`.
#[derive(Debug, Args)]
pub struct StopCommand {
    /// Which runs, by their ids as `coffer ps` shows them, or how those begin
    #[arg(required = true, value_name = "ID")]
    pub runs: Vec<String>,
    /// After so many seconds a run that goes on is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub time: u64,
}

/// `coffer logs`.
#[derive(Debug, Args)]
pub struct LogsCommand {
    /// The run, by its id, or how that of a live one begins
    #[arg(value_name = "ID")]
    pub run: String,
    /// As one JSON document
    #[arg(long)]
    pub json: bool,
}
