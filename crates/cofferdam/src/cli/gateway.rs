//! The gateway alone, and its tokens.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueEnum};
use coffer_plan::host::HostRule;
use coffer_plan::plan::NetworkTier;

use super::keep::duration_ms;

/// `coffer gateway`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GatewayCommand {
    /// Where to listen; without it on the socket that systemd hands over, or else on the usual one
    #[arg(long, value_name = "unix:PATH|127.0.0.1:PORT")]
    pub listen: Vec<Listen>,
    /// Print the systemd user units that run it, or one of them, and nothing else
    #[arg(long, value_enum, value_name = "UNIT", conflicts_with = "listen")]
    pub unit: Option<Option<GatewayUnit>>,
    /// What to do besides serving.
    #[command(subcommand)]
    pub verb: Option<GatewayVerb>,
}

/// Which unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GatewayUnit {
    /// The socket, by which the service is started when it is first used.
    Socket,
    /// The service.
    Service,
}

/// Where a gateway listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// At a path.
    Unix(Utf8PathBuf),
    /// At an address of the loopback.
    Tcp(SocketAddr),
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let expected = "expected unix:PATH, or an address of the loopback with a port: 127.0.0.1:8377";
        if let Some(path) = text.strip_prefix("unix:") {
            let path = Utf8PathBuf::from(path);
            let clean = path.is_absolute() && coffer_plan::path::clean(&path) == path;
            return clean.then_some(Self::Unix(path)).ok_or("expected a clean absolute path after `unix:`");
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port.parse().map_err(|_| expected)?;
            return Ok(Self::Tcp((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse().map(Self::Tcp).map_err(|_| expected)
    }
}

/// What can be done besides serving.
#[derive(Debug, Subcommand)]
pub enum GatewayVerb {
    /// Who may use it
    Token(GatewayTokenCommand),
}

/// `coffer gateway token`.
#[derive(Debug, Args)]
pub struct GatewayTokenCommand {
    /// What to do.
    #[command(subcommand)]
    pub verb: GatewayTokenVerb,
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum GatewayTokenVerb {
    /// Make one, and print it this once; what to set with it goes to stderr
    Create(Box<GatewayTokenCreateCommand>),
    /// List them
    List(GatewayTokenListCommand),
    /// Take one away; it counts for nothing from the next request on, and its tunnels end
    Revoke(GatewayTokenRevokeCommand),
}

/// `coffer gateway token create`.
#[derive(Debug, Args)]
pub struct GatewayTokenCreateCommand {
    /// The account whose credential its holder uses without ever having it
    #[arg(long, value_name = "NAME")]
    pub account: String,
    /// When it ends: `30m`, `8h`, `7d`
    #[arg(long, value_name = "DURATION", value_parser = ttl_ms)]
    pub ttl: i64,
    /// Whom its holder may reach by the proxy: agent, dev
    #[arg(long, value_name = "TIER", value_parser = tier, default_value = "agent")]
    pub network: NetworkTier,
    /// And whom besides; `*.NAME` is every name below NAME, and the port is 443 unless said
    #[arg(long, value_name = "HOST[:PORT]")]
    pub allow: Vec<HostRule>,
    /// What it is for, in the list
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
}

/// `coffer gateway token list`.
#[derive(Debug, Args)]
pub struct GatewayTokenListCommand {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer gateway token revoke`.
#[derive(Debug, Args)]
pub struct GatewayTokenRevokeCommand {
    /// Its id, as the list has it
    pub id: String,
}

fn ttl_ms(text: &str) -> Result<i64, String> {
    match duration_ms(text)? {
        0 => Err("it would have ended before it began".to_owned()),
        ms => Ok(ms),
    }
}

pub(super) fn tier(text: &str) -> Result<NetworkTier, String> {
    match text.parse() {
        Ok(tier @ (NetworkTier::Agent | NetworkTier::Dev)) => Ok(tier),
        _ => Err("expected one of: agent, dev".to_owned()),
    }
}
