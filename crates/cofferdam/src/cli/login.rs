//! `coffer login`.

use camino::Utf8PathBuf;
use clap::Args;
use coffer_plan::plan::BackendKind;

/// `coffer login`.
#[derive(Debug, Args)]
pub struct LoginCommand {
    /// The account; it is made where it does not exist
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// The agent to sign in with
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// What makes the clean sandbox: bwrap, podman, docker
    #[arg(long, value_name = "KIND")]
    pub backend: Option<BackendKind>,
    /// The image of a container, with the agent in it (`--backend podman` or `docker`); nothing is pulled
    #[arg(long, value_name = "REF")]
    pub image: Option<String>,
    /// Write a log of the sign-in without tokens
    #[arg(long, value_name = "FILE")]
    pub debug_log: Option<Utf8PathBuf>,
    /// Start the agent here instead of in a sandbox: for a container in which nothing runs but the keeper
    #[arg(long, conflicts_with = "debug_log")]
    pub unsandboxed: bool,
}
