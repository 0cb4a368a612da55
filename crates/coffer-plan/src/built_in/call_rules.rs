//! What `walls/system-calls.toml` may say. The build of coffer-init, which depends on no sibling, reads this file as a
//! module of its own, so that both read the same; so it names nothing of this crate.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A rule about system calls (`walls/system-calls.toml`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRule {
    /// What it is called.
    pub name: String,
    /// Why.
    pub reason: String,
    /// The error that callers get.
    pub answer: String,
    /// Refused whatever their arguments.
    #[serde(default)]
    pub calls: Vec<String>,
    /// Refused by an argument.
    #[serde(default, rename = "if")]
    pub conditions: Vec<CallCondition>,
    /// The one machine that has these calls.
    #[serde(default)]
    pub only: Option<String>,
    /// Whether `--allow-nesting` lifts it.
    #[serde(default)]
    pub nesting: bool,
}

impl CallRule {
    /// Whether a machine (as `uname -m` has it) has the calls.
    pub fn is_for(&self, machine: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == machine)
    }
}

/// When a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallCondition {
    /// The call.
    pub call: String,
    /// Which argument, counted from 0.
    pub argument: u8,
    /// Names of bits, one of which suffices.
    #[serde(default)]
    pub has: BTreeMap<String, u32>,
    /// Names of values, one of which suffices.
    #[serde(default)]
    pub equals: BTreeMap<String, u32>,
}

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallRules {
    pub(super) rule: Vec<CallRule>,
}
