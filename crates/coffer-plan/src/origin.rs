//! Where a decision came from. Every entry of a plan carries one.

use std::fmt;

use serde::Serialize;

/// The layer that decided, and its name there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Origin {
    /// Which layer.
    pub layer: OriginLayer,
    /// What it is called there: a profile's name, a file and key, a flag.
    pub name: String,
}

/// The layers, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OriginLayer {
    /// Always so.
    BuiltIn,
    /// The agent's data file.
    Agent,
    /// What is on record about a named account.
    Account,
    /// A host tool, as the user has configured it.
    Tool,
    /// The user's config file.
    UserFile,
    /// A profile, built-in or the user's.
    Profile,
    /// The project's own file; it can only tighten.
    ProjectFile,
    /// The user's choice for this project.
    PerProject,
    /// The command line.
    Flag,
}

/// Built-in origins of what every sandbox has in common, in the order in which they are shown.
const COMMON: &[&str] = &["system", "etc allowlist", "private", "hidden in /proc", "made for the sandbox"];

impl Origin {
    /// The names of what every sandbox has in common.
    pub fn common_groups() -> &'static [&'static str] {
        COMMON
    }

    /// Which of these it is, if it is one: nobody but the product decides it, and no agent has a hand in it.
    pub fn common_group(&self) -> Option<&'static str> {
        let is_built_in = self.layer == OriginLayer::BuiltIn;
        COMMON.iter().copied().find(|name| is_built_in && *name == self.name)
    }

    /// A decision of `layer`, called `name` there.
    pub fn new(layer: OriginLayer, name: impl Into<String>) -> Self {
        Self { layer, name: name.into() }
    }

    /// A decision that is always so.
    pub fn built_in(name: impl Into<String>) -> Self {
        Self::new(OriginLayer::BuiltIn, name)
    }

    /// A flag, for example `--mount`.
    pub fn flag(name: impl Into<String>) -> Self {
        Self::new(OriginLayer::Flag, name)
    }

    /// The same decision, with what it is about.
    pub fn about(&self, what: impl std::fmt::Display) -> Self {
        Self { layer: self.layer, name: format!("{}: {what}", self.name) }
    }

    /// Whether a person asked for exactly this (not a default, an agent's file or a profile).
    pub fn is_persons_word(&self) -> bool {
        match self.layer {
            OriginLayer::Account | OriginLayer::UserFile | OriginLayer::PerProject | OriginLayer::Flag => {
                true
            }
            OriginLayer::BuiltIn
            | OriginLayer::Agent
            | OriginLayer::Tool
            | OriginLayer::Profile
            | OriginLayer::ProjectFile => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layer = match self.layer {
            OriginLayer::BuiltIn => "built-in",
            OriginLayer::Agent => "agent",
            OriginLayer::Account => "account",
            OriginLayer::Tool => "tool",
            OriginLayer::Profile => "profile",
            OriginLayer::UserFile => "user file",
            OriginLayer::PerProject => "per-project choice",
            OriginLayer::ProjectFile => "project file",
            OriginLayer::Flag => "flag",
        };
        write!(f, "{layer} {}", self.name)
    }
}

/// A value and who decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided<T> {
    /// What was decided.
    pub value: T,
    /// By whom.
    pub origin: Origin,
}

impl<T> Decided<T> {
    /// `value`, decided by `origin`.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}
