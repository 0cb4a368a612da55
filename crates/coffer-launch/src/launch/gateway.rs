//! What the gateway of a run is told: public, as everything in a launch. What it has to keep secret stands here as
//! references, which it resolves itself.

use std::net::SocketAddr;

use camino::Utf8PathBuf;
use coffer_plan::derive::Alone;
use coffer_plan::host::{Host, HostPattern};
use coffer_plan::plan::{
    CheckedPlan, Credential, Door, Injection, Network, NetworkTier, PublishSpec, Ranges, Reference,
};
use serde::{Deserialize, Serialize};

/// The gateway of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Where it listens, and what is behind that.
    pub doors: Vec<Door>,
    /// Whether everybody may be reached, and each is recorded.
    #[serde(default)]
    pub open: bool,
    /// Whom the sandbox may reach.
    #[serde(default)]
    pub allow: Vec<Allow>,
    /// Names that mean another address.
    #[serde(default)]
    pub upstream: Vec<(Host, SocketAddr)>,
    /// A file with more certificate authorities.
    #[serde(default)]
    pub ca_file: Option<Utf8PathBuf>,
    /// Ports of the sandbox on the host's loopback.
    #[serde(default)]
    pub publish: Vec<(u16, u16)>,
    /// What it puts into the agent's requests.
    #[serde(default)]
    pub injection: Option<Injected>,
}

/// A host that may be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Who.
    pub host: HostPattern,
    /// At which port.
    pub port: u16,
    /// To which addresses its name may lead.
    pub ranges: Ranges,
    /// Who allowed it, in words.
    pub origin: String,
}

/// What is put into the agent's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Injected {
    /// Whose it is.
    pub account: String,
    /// The credential.
    pub credential: Reference,
    /// Where and how it goes.
    pub how: Injection,
}

impl Gateway {
    /// The gateway that a plan needs, if it needs one.
    pub(crate) fn of(plan: &CheckedPlan) -> Option<Self> {
        let network = &plan.network;
        if network.doors.is_empty() && network.publish.is_empty() {
            return None;
        }
        Some(Self::with(network, &plan.credential))
    }

    /// The gateway that stands alone, for one account.
    pub fn alone(alone: &Alone) -> Self {
        Self::with(&alone.network, &alone.credential)
    }

    fn with(network: &Network, credential: &Credential) -> Self {
        let injection = credential.injection.as_ref().zip(credential.reference.as_ref());
        Self {
            doors: network.doors.clone(),
            open: network.tier == NetworkTier::Learn,
            allow: network
                .allow
                .iter()
                .map(|allowed| Allow {
                    host: allowed.host.clone(),
                    port: allowed.port,
                    ranges: allowed.ranges,
                    origin: allowed.origin.to_string(),
                })
                .collect(),
            upstream: network.upstream.iter().map(|other| (other.host.clone(), other.address)).collect(),
            ca_file: network.ca_file.clone(),
            publish: network
                .publish
                .iter()
                .map(|publish| {
                    let PublishSpec { host_port, port } = publish.what;
                    (host_port, port)
                })
                .collect(),
            injection: injection.map(|(how, reference)| Injected {
                account: credential.account.clone(),
                credential: reference.clone(),
                how: how.clone(),
            }),
        }
    }

    /// Where init listens for it, in this order.
    pub fn inside(&self) -> impl Iterator<Item = SocketAddr> {
        self.doors.iter().filter_map(|door| door.listen)
    }
}
