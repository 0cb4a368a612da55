//! What the plan will want to know, said before the machine is looked at.

use camino::Utf8PathBuf;

use crate::agent::Agent;
use crate::deferred::{DeferredRule, ScanBounds};
use crate::path::PathTemplate;
use crate::tool::Tool;

/// What coffer-host shall look at, besides what it always reads.
#[derive(Debug, Clone, Default)]
pub struct Questions {
    /// The agent whose program, settings and login matter.
    pub agent: Option<Agent>,
    /// Paths of data files (system folders, toolchains, secrets …); those that do not expand are left out.
    pub templates: Vec<PathTemplate>,
    /// Paths from layers and flags, absolute and clean.
    pub paths: Vec<Utf8PathBuf>,
    /// The working folder inside: agents read project settings there, too, and in the folders above it.
    pub workdir: Option<Utf8PathBuf>,
    /// Tools to ask for their registries and remotes.
    pub tools: Vec<Tool>,
    /// Folders that the sandbox can write: no program in them is started, no file in them is the user's word.
    pub writable: Vec<Utf8PathBuf>,
    /// Agents to ask for their keys.
    pub keys: KeyQuestions,
    /// Sockets that somebody wants inside: who listens there.
    pub sockets: Vec<Utf8PathBuf>,
    /// What of the project the host would run later.
    pub deferred: Option<DeferredQuestion>,
}

/// What matters of the user's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyQuestions {
    /// SSH keys.
    pub ssh: bool,
    /// GnuPG keys.
    pub gpg: bool,
    /// The program that asks a person.
    pub askpass: bool,
}

/// What is looked for in the project.
#[derive(Debug, Clone)]
pub struct DeferredQuestion {
    /// The paths.
    pub rules: Vec<DeferredRule>,
    /// How far.
    pub scan: ScanBounds,
}
