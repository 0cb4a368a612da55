//! What the plan will want to know, said before the machine is looked at.

use camino::Utf8PathBuf;

use crate::agent::Agent;
use crate::path::PathTemplate;

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
}
