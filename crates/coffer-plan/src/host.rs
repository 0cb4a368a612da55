//! Hosts in one normal form: the same host, however it is written, is the same value.
//!
//! Names are lower case, in ASCII (`xn--…`), without a trailing dot; addresses are addresses, whatever spelling they
//! came in (`0x7f.1`, `[::ffff:127.0.0.1]`). What has no such form is an error, and no rule ever fits it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The port when none is said.
pub const DEFAULT_PORT: u16 = 443;

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name.
    Name(String),
    /// An address. A version 4 address in the clothes of version 6 is the version 4 address.
    Address(IpAddr),
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// Whom a rule means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// This host.
    Exact(Host),
    /// Every name below this one, at any depth, and not the name itself: `*.example.org`.
    Below(String),
}

/// Whom somebody lets through: `HOST[:PORT]` or `*.NAME[:PORT]`; without a port it is [`DEFAULT_PORT`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostRule {
    /// Who.
    pub host: HostPattern,
    /// At which port.
    pub port: u16,
}

/// Why a text names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no host: {reason}")]
pub struct BadHost {
    /// What was said.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl BadHost {
    fn new(text: &str, reason: &'static str) -> Self {
        Self { text: text.to_owned(), reason }
    }
}

impl FromStr for Host {
    type Err = BadHost;

    /// Reads a name, an address, or `[an address of version 6]`.
    fn from_str(text: &str) -> Result<Self, BadHost> {
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self::of(address.into()));
        }
        // In a URL it would begin an escape; a host has none.
        if text.contains('%') {
            return Err(BadHost::new(text, "it has a `%` in it"));
        }
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.is_empty() || bare.ends_with('.') {
            return Err(BadHost::new(text, "it is empty, or has an empty part"));
        }
        match url::Host::parse(bare) {
            Ok(url::Host::Ipv4(address)) => Ok(Self::Address(address.into())),
            Ok(url::Host::Ipv6(address)) => Ok(Self::of(address.into())),
            Ok(url::Host::Domain(name)) => Self::name(text, &name),
            Err(_) => Err(BadHost::new(text, "it is neither a name nor an address")),
        }
    }
}

impl Host {
    fn of(address: IpAddr) -> Self {
        Self::Address(address.to_canonical())
    }

    fn name(text: &str, name: &str) -> Result<Self, BadHost> {
        // What DNS takes, and underscores, which some names of services have.
        let fits = |part: &str| {
            (1..=63).contains(&part.len())
                // On a command line it would be an option.
                && !part.starts_with('-')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > 253 || !name.split('.').all(fits) {
            return Err(BadHost::new(
                text,
                "a part of the name is empty, too long, or has a character that names have not",
            ));
        }
        Ok(Self::Name(name.to_ascii_lowercase()))
    }
}

impl Host {
    /// Whether it means this machine alone, by its name (RFC 6761) or as an address.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

impl From<Ipv4Addr> for Host {
    fn from(address: Ipv4Addr) -> Self {
        Self::Address(address.into())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl FromStr for Endpoint {
    type Err = BadHost;

    /// Reads `HOST[:PORT]`; without a port it is [`DEFAULT_PORT`].
    fn from_str(text: &str) -> Result<Self, BadHost> {
        let (host, port) = split_port(text)?;
        Ok(Self { host: host.parse()?, port: port.unwrap_or(DEFAULT_PORT) })
    }
}

/// Takes the port off; an address of version 6 without brackets has none.
fn split_port(text: &str) -> Result<(&str, Option<u16>), BadHost> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let port = port.parse::<u16>().ok().filter(|port| digits && *port > 0);
            port.map(|port| (host, Some(port)))
                .ok_or_else(|| BadHost::new(text, "its port is no number from 1 to 65535"))
        }
        Some(_) | None => Ok((text, None)),
    }
}

impl HostPattern {
    /// Whether it means this host.
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Exact(exact), host) => exact == host,
            (Self::Below(parent), Host::Name(name)) => {
                name.strip_suffix(parent.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (Self::Below(_), Host::Address(_)) => false,
        }
    }
}

impl FromStr for HostPattern {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let Some(parent) = text.strip_prefix("*.") else { return text.parse().map(Self::Exact) };
        match parent.parse()? {
            Host::Name(name) => Ok(Self::Below(name)),
            Host::Address(_) => Err(BadHost::new(text, "nothing is below an address")),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => write!(f, "{host}"),
            Self::Below(parent) => write!(f, "*.{parent}"),
        }
    }
}

impl HostRule {
    /// Whether it means this host at this port.
    pub fn matches(&self, endpoint: &Endpoint) -> bool {
        self.port == endpoint.port && self.host.matches(&endpoint.host)
    }
}

impl FromStr for HostRule {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let (host, port) = split_port(text)?;
        Ok(Self { host: host.parse()?, port: port.unwrap_or(DEFAULT_PORT) })
    }
}

/// Without the port where it is [`DEFAULT_PORT`].
impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            DEFAULT_PORT => self.host.fmt(f),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

/// They are written as text.
macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

as_text!(Host, Endpoint, HostPattern, HostRule);

/// In the plan's JSON it is text.
impl schemars::JsonSchema for HostPattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HostPattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

impl schemars::JsonSchema for Host {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Host".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}
