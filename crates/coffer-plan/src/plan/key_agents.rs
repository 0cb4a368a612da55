//! The user's agents for keys: which of their keys the sandbox may use, by a filter of its own.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::origin::Origin;

/// Which agent.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum KeyAgentKind {
    /// For SSH keys.
    Ssh,
    /// For GnuPG keys.
    Gpg,
}

impl KeyAgentKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Gpg => "gpg",
        }
    }

    /// What people call its keys.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ssh => "SSH",
            Self::Gpg => "GnuPG",
        }
    }

    /// The flag that grants its keys.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Ssh => "--ssh-agent",
            Self::Gpg => "--gpg-agent",
        }
    }
}

/// An agent of the host, behind a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct KeyAgent {
    /// Which.
    pub agent: KeyAgentKind,
    /// Where it listens on the host.
    #[schemars(with = "String")]
    pub socket: Utf8PathBuf,
    /// Where the filter listens inside.
    #[schemars(with = "String")]
    pub target: Utf8PathBuf,
    /// The keys that may be used.
    pub keys: Vec<GrantedKey>,
    /// The program of the host that asks a person each time; `None` when nobody is asked.
    #[schemars(with = "Option<String>")]
    pub confirm: Option<Utf8PathBuf>,
    /// Who granted it.
    pub origin: Origin,
}

/// A key that may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantedKey {
    /// Its fingerprint.
    pub fingerprint: String,
    /// What its owner called it.
    pub label: String,
    /// Keygrips that may sign (GnuPG).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sign: Vec<String>,
    /// Keygrips that may decrypt (GnuPG).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decrypt: Vec<String>,
}
