//! `coffer leaktest`.

use camino::Utf8PathBuf;
use clap::Args;

use super::{Kind, PlanFlags};

/// `coffer leaktest`.
#[derive(Debug, Args)]
pub struct LeaktestCommand {
    /// The flags of the run that is tested.
    #[command(flatten)]
    pub flags: PlanFlags,
    /// Test this kind of credential, instead of those that you have
    #[arg(long, value_enum)]
    pub kind: Option<Kind>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// What the canaries are made from, 32 hexadecimal digits: whoever plants a leak has to know them.
    #[arg(long, hide = true, value_name = "HEX")]
    pub seed: Option<String>,
    /// We are in the private network already, and this is the folder of the test.
    #[arg(long, hide = true, value_name = "PATH")]
    pub inside: Option<Utf8PathBuf>,
}
