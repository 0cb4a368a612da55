//! The walls besides the mounts: which system calls are refused, and what Landlock closes a second time.

use serde::Serialize;

use crate::origin::Origin;

/// Whether sandboxes may be made inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Nesting {
    /// Whether namespaces and mounts may be made inside.
    pub allowed: bool,
    /// Who decided.
    pub origin: Origin,
}

/// The filter of system calls that the agent and whatever it starts cannot get rid of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct SystemCalls {
    /// Which of the filters that init holds.
    pub filter: FilterKind,
    /// The rules in it, by name.
    pub rules: Vec<String>,
    /// The rules that `--allow-nesting` has lifted.
    pub lifted: Vec<String>,
}

/// The filters that init holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FilterKind {
    /// With all rules.
    Strict,
    /// Without those that `--allow-nesting` lifts.
    Nesting,
}

impl FilterKind {
    /// As init is told.
    pub fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Nesting => "nesting",
        }
    }
}

/// The second wall around files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Landlock {
    /// The version that is used; `None` without Landlock.
    pub abi: Option<u32>,
    /// Whether files are closed that no mount grants.
    pub files: bool,
    /// What of the outside is closed besides files.
    pub scopes: Vec<Scope>,
    /// What it does not do here, and why.
    pub lacks: Vec<String>,
}

/// What Landlock keeps within the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Connections to abstract sockets.
    AbstractSockets,
    /// Signals.
    Signals,
}
