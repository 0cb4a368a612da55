//! What the sandbox can talk to, and by which doors.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::words::{NetworkTier, Ranges, Reference};
use crate::host::{Host, HostPattern};
use crate::origin::Origin;

/// What the sandbox can talk to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Network {
    /// The tier.
    pub tier: NetworkTier,
    /// Who decided the tier.
    pub origin: Origin,
    /// Allowed hosts; meaningful in the tiers `agent` and `dev`.
    pub allow: Vec<AllowedHost>,
    /// Services of the host that are there inside.
    pub forward: Vec<Forward>,
    /// Ports of the sandbox on the host's loopback.
    pub publish: Vec<Publish>,
    /// Where the gateway listens inside.
    pub doors: Vec<Door>,
    /// Names that mean another address.
    pub upstream: Vec<Upstream>,
    /// A file with certificate authorities that count besides the system's.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<Utf8PathBuf>,
}

/// A host that may be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct AllowedHost {
    /// Who.
    pub host: HostPattern,
    /// At which port.
    pub port: u16,
    /// To which addresses its name may lead.
    pub ranges: Ranges,
    /// Who allowed it.
    pub origin: Origin,
}

/// A service of the host that is there inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Forward {
    /// Which.
    #[serde(flatten)]
    pub what: ForwardSpec,
    /// Who asked.
    pub origin: Origin,
}

/// `PORT` or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardSpec {
    /// A port of the host's loopback, at the same port inside.
    Port(u16),
    /// A socket, at the same path inside.
    Socket(#[schemars(with = "String")] Utf8PathBuf),
}

/// A port of the sandbox on the host's loopback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Publish {
    /// Which.
    #[serde(flatten)]
    pub what: PublishSpec,
    /// Who asked.
    pub origin: Origin,
}

/// `[HOST_PORT:]PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct PublishSpec {
    /// On the host.
    pub host_port: u16,
    /// Inside.
    pub port: u16,
}

/// Where the gateway listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Door {
    /// Inside; `None` where the sandbox has the host's network: any port of the host's loopback then.
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// What is behind it.
    #[serde(flatten)]
    pub kind: DoorKind,
}

/// What is behind a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "door", rename_all = "snake_case")]
pub enum DoorKind {
    /// The forward proxy.
    Proxy,
    /// The API, with the credential put in.
    Api,
    /// A service of the host.
    Forward {
        /// Its port on the host's loopback.
        to: u16,
    },
}

/// A name that means another address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Upstream {
    /// The name.
    pub host: Host,
    /// The address, whatever port was asked for.
    #[schemars(with = "String")]
    pub address: SocketAddr,
    /// Who said so.
    pub origin: Origin,
}

/// What the gateway puts into the agent's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Injection {
    /// The API: `http[s]://HOST[:PORT][/PATH]`, as far as it may be shown.
    pub upstream: String,
    /// Where the whole of it stands, if that is not all.
    pub upstream_ref: Option<Reference>,
    /// To which addresses its name may lead.
    pub ranges: Ranges,
    /// Headers in which the credential is sent.
    pub headers: Vec<String>,
    /// Headers from inside that never get out.
    pub strip: Vec<String>,
    /// Query parameters from inside that never get out.
    pub strip_query: Vec<String>,
    /// For how long what a helper printed is used, in ms.
    pub helper_ttl_ms: u64,
}

impl FromStr for ForwardSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = Utf8PathBuf::from(path);
            let clean = path.is_absolute() && crate::path::clean(&path) == path;
            return clean
                .then_some(Self::Socket(path))
                .ok_or_else(|| "expected a clean absolute path after `unix:`".to_owned());
        }
        port(text).map(Self::Port).ok_or_else(|| "expected PORT or unix:PATH".to_owned())
    }
}

impl fmt::Display for ForwardSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "{port}"),
            Self::Socket(path) => write!(f, "unix:{path}"),
        }
    }
}

impl FromStr for PublishSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host_port, inside) = text.split_once(':').unwrap_or((text, text));
        match (port(host_port), port(inside)) {
            (Some(host_port), Some(port)) => Ok(Self { host_port, port }),
            _ => Err("expected [HOST_PORT:]PORT".to_owned()),
        }
    }
}

impl fmt::Display for PublishSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host_port == self.port {
            write!(f, "{}", self.port)
        } else {
            write!(f, "{}:{}", self.host_port, self.port)
        }
    }
}

/// A port: digits only, and not 0.
fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

/// In files and on the command line they are text.
macro_rules! from_text {
    ($($name:ident),+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

from_text!(ForwardSpec, PublishSpec);
