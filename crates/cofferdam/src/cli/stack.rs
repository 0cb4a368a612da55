//! The commands about files that work alone, and those that such files start.

use std::str::FromStr;

use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueEnum};
use coffer_account::layout::AccountName;
use coffer_plan::plan::NetworkTier;
use coffer_plan::stack::ServiceName;

use super::gateway::tier;

/// `coffer init`.
#[derive(Debug, Args)]
pub struct InitCommand {
    /// What to write.
    #[command(subcommand)]
    pub verb: InitVerb,
}

/// What can be written.
#[derive(Debug, Subcommand)]
pub enum InitVerb {
    /// A compose file: containers with the agent, and the keeper that signs them in
    Compose(InitComposeCommand),
    /// A development container for editors, and the keeper that signs it in
    Devcontainer(InitDevcontainerCommand),
}

/// Who shares what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Variant {
    /// Several services on one account.
    Shared,
    /// Each service on an account of its own.
    Isolated,
    /// A service for each project, on one account.
    Projects,
}

/// `coffer init compose`.
#[derive(Debug, Args)]
pub struct InitComposeCommand {
    /// Who shares what
    #[arg(long, value_enum, default_value_t = Variant::Shared)]
    pub variant: Variant,
    /// A service; may be said again. Without it there are two, or one for each project
    #[arg(long = "service", value_name = "NAME", conflicts_with = "projects")]
    pub services: Vec<ServiceName>,
    /// A project's folder; may be said again. With `:ro` every other project's service may read it
    #[arg(long = "project", value_name = "PATH[:ro]")]
    pub projects: Vec<ProjectWord>,
    /// What all variants have.
    #[command(flatten)]
    pub stack: StackFlags,
    /// Where to write it
    #[arg(long, value_name = "DIR", default_value = "coffer-compose")]
    pub out: Utf8PathBuf,
}

/// `coffer init devcontainer`.
#[derive(Debug, Args)]
pub struct InitDevcontainerCommand {
    /// What all variants have.
    #[command(flatten)]
    pub stack: StackFlags,
    /// The project that it is for; `.devcontainer` is written there
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: Utf8PathBuf,
}

/// What all generated files have.
#[derive(Debug, Args)]
pub struct StackFlags {
    /// The account that the services use
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub account: AccountName,
    /// Whom services may reach: agent, dev
    #[arg(long, value_name = "TIER", value_parser = tier, default_value = "dev")]
    pub network: NetworkTier,
    /// A development environment to put into the services' image; may be said again
    #[arg(long = "tool", value_name = "NAME")]
    pub tools: Vec<String>,
    /// The image to build on: Debian, Alpine, or one that derives from them
    #[arg(long, value_name = "REF")]
    pub base: Option<String>,
    /// The agent
    #[arg(long, value_name = "NAME", default_value = "claude")]
    pub agent: String,
    /// Its version, instead of the one that was tried
    #[arg(long, value_name = "VERSION")]
    pub agent_version: Option<String>,
}

/// A project's folder, and whether it is only read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectWord {
    /// The folder.
    pub path: Utf8PathBuf,
    /// Whether it is only read.
    pub read_only: bool,
}

impl FromStr for ProjectWord {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (path, read_only) = match text.strip_suffix(":ro") {
            Some(path) => (path, true),
            None => (text.strip_suffix(":rw").unwrap_or(text), false),
        };
        if path.is_empty() {
            return Err("expected a folder");
        }
        Ok(Self { path: path.into(), read_only })
    }
}

/// `coffer keeper`.
#[derive(Debug, Args)]
pub struct KeeperCommand {
    /// A service and its account; may be said again
    #[arg(long = "service", value_name = "NAME=ACCOUNT", required_unless_present = "check")]
    pub services: Vec<Served>,
    /// Whom the services may reach by the proxy: agent, dev
    #[arg(long, value_name = "TIER", value_parser = tier, default_value = "agent")]
    pub network: NetworkTier,
    /// Where each service has a folder of its name, which is its way to the gateway
    #[arg(long, value_name = "DIR", default_value = "/run/coffer")]
    pub doors: Utf8PathBuf,
    /// Say whether the gateway answers at every door, and do nothing else
    #[arg(long)]
    pub check: bool,
}

/// A service and its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The service.
    pub service: ServiceName,
    /// Its account.
    pub account: AccountName,
}

impl FromStr for Served {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (service, account) = text.split_once('=').ok_or("expected SERVICE=ACCOUNT")?;
        let service = service.parse().map_err(|error: coffer_plan::stack::BadService| error.to_string())?;
        let account = account.parse().map_err(|error: coffer_account::layout::BadName| error.to_string())?;
        Ok(Self { service, account })
    }
}

/// `coffer enter`.
#[derive(Debug, Args)]
pub struct EnterCommand {
    /// The folder that is the way to the gateway
    #[arg(long, value_name = "DIR", default_value = "/run/coffer")]
    pub door: Utf8PathBuf,
    /// The port of this container's loopback that leads there
    #[arg(long, value_name = "PORT", default_value_t = coffer_plan::stack::PORT)]
    pub port: u16,
    /// Say whether the gateway answers, and do nothing else
    #[arg(long)]
    pub check: bool,
    /// The command
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required_unless_present = "check")]
    pub command: Vec<std::ffi::OsString>,
}
