//! The user's agents for SSH and GnuPG keys: what is public about the keys in them. And sockets of which the
//! environment tells what they are.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// Agents that were asked because a plan may grant their keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyFacts {
    /// The agent for SSH keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshAgentFact>,
    /// The agent for GnuPG keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpg: Option<GpgAgentFact>,
    /// The program that asks a person, links followed (`$SSH_ASKPASS`, else `ssh-askpass` on the PATH).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub askpass: Option<Utf8PathBuf>,
}

impl KeyFacts {
    /// Whether nobody was asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An agent for SSH keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshAgentFact {
    /// Where it listens; `None` without `SSH_AUTH_SOCK`.
    pub socket: Option<Utf8PathBuf>,
    /// Why it did not tell its keys, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Its keys.
    pub keys: Vec<SshKeyFact>,
}

/// An SSH key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshKeyFact {
    /// `SHA256:…`.
    pub fingerprint: String,
    /// `ssh-ed25519`, for one.
    pub kind: String,
    /// What its owner called it.
    pub comment: String,
}

/// The agent for GnuPG keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpgAgentFact {
    /// Its socket for others than this machine (`agent-extra-socket`).
    pub socket: Option<Utf8PathBuf>,
    /// Why it did not tell its keys, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Keys whose secret part is there.
    pub keys: Vec<GpgKeyFact>,
}

/// A GnuPG key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpgKeyFact {
    /// Its fingerprint, upper case.
    pub fingerprint: String,
    /// Whose it is: `Name <address>`.
    pub user_ids: Vec<String>,
    /// The primary key and its subkeys.
    pub parts: Vec<GpgPartFact>,
}

/// The primary key or a subkey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpgPartFact {
    /// Its fingerprint, upper case.
    pub fingerprint: String,
    /// What the agent calls it, upper case.
    pub keygrip: String,
    /// Whether it signs.
    pub signs: bool,
    /// Whether it decrypts.
    pub decrypts: bool,
    /// Whether it is a subkey.
    pub is_subkey: bool,
}

/// What a socket of the host leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketKind {
    /// Docker, Podman and the like: it makes containers as whoever runs it.
    ContainerEngine,
    /// D-Bus of the session or of the system.
    Bus,
    /// An agent for SSH keys.
    SshAgent,
    /// The agent for GnuPG keys.
    GpgAgent,
}

/// Sockets of which something is known besides their usual paths.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SocketFacts {
    /// Sockets that a variable names, links followed, and what they are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub named: BTreeMap<Utf8PathBuf, SocketKind>,
    /// Sockets that were asked for, links followed, and who listens there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub listeners: BTreeMap<Utf8PathBuf, String>,
}

impl SocketFacts {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
