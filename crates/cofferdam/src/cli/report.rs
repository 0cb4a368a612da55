//! The commands that report.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Engine;

/// `coffer status`.
#[derive(Debug, Args)]
pub struct StatusCommand {
    /// Only this account
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Let the agent make one real, cheap call to its API
    #[arg(long, conflicts_with = "watch")]
    pub probe: bool,
    /// Print it again whenever it changes, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Print it as JSON; with `--watch` one line a change
    #[arg(long)]
    pub json: bool,
}

/// `coffer doctor`.
#[derive(Debug, Args)]
pub struct DoctorCommand {
    /// Show what can be mended, ask, and mend it
    #[arg(long)]
    pub fix: bool,
    /// Don't ask
    #[arg(long, short, requires = "fix")]
    pub yes: bool,
    /// Report from inside this live run instead
    #[arg(long, value_name = "ID", conflicts_with = "fix")]
    pub run: Option<String>,
    /// Attack the sandbox of this machine instead, harmlessly, from a home made for it; exit with 1 where one succeeds
    #[arg(long, conflicts_with_all = ["fix", "run"])]
    pub attack: bool,
    /// We are in the machine that is attacked already.
    #[arg(long, hide = true, requires = "attack")]
    pub inside: bool,
    /// Attack the containers of this engine, which is in that machine, too.
    #[arg(long, hide = true, requires_all = ["inside", "image"], value_enum)]
    pub backend: Option<Engine>,
    /// The image of these containers.
    #[arg(long, hide = true, requires = "backend", value_name = "REF")]
    pub image: Option<String>,
    /// Attack these other sandboxes beside ours.
    #[arg(long, hide = true, requires = "attack", value_name = "FILE")]
    pub peers: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer ledger`.
#[derive(Debug, Args)]
pub struct LedgerCommand {
    /// What to do with it.
    #[command(subcommand)]
    pub verb: LedgerVerb,
}

/// What can be done with the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerVerb {
    /// Print its entries
    Show(LedgerShowCommand),
    /// Follow the chain of hashes; exit with 1 where it breaks
    Verify(LedgerVerifyCommand),
}

/// `coffer ledger show`.
#[derive(Debug, Args)]
pub struct LedgerShowCommand {
    /// Only of this account
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Only of this run
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// Only from then on: `2h`, `3d`, a day or a time of RFC 3339 (both UTC unless they say otherwise)
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Only events with this word, for example `refresh_ended`
    #[arg(long, value_name = "WORD")]
    pub event: Vec<String>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer ledger verify`.
#[derive(Debug, Args)]
pub struct LedgerVerifyCommand {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}
