//! The commands about what runs left that the host would run.

use clap::{Args, Subcommand};

/// `coffer quarantine`.
#[derive(Debug, Args)]
pub struct QuarantineCommand {
    /// What to do.
    #[command(subcommand)]
    pub verb: QuarantineVerb,
}

/// What can be done with it.
#[derive(Debug, Subcommand)]
pub enum QuarantineVerb {
    /// List what was moved aside, and why
    List(QuarantineListCommand),
    /// Take something back
    Restore(QuarantineRestoreCommand),
}

/// `coffer quarantine list`.
#[derive(Debug, Args)]
pub struct QuarantineListCommand {
    /// As one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `coffer quarantine restore`.
#[derive(Debug, Args)]
pub struct QuarantineRestoreCommand {
    /// What: a run's id for all of it, or the id of one thing
    #[arg(value_name = "ID")]
    pub id: String,
    /// Make the changes of git's configuration, too
    #[arg(long)]
    pub accept_config: bool,
}
