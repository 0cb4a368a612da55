//! The layers of one invocation, from the weakest to the strongest.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;

use super::file::{ProjectFile, Settings, UserFile};

/// What the command line says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    /// The flags that a config file could say, too.
    pub settings: Settings,
    /// `--profile`: profiles on top of the configured ones.
    pub profiles: Vec<String>,
    /// `-- COMMAND ARG…`, when its first word is a program.
    pub command: Option<Vec<String>>,
    /// `-- -x …`: arguments for the agent's own command.
    pub agent_args: Vec<String>,
    /// `--workdir`.
    pub workdir: Option<Utf8PathBuf>,
    /// `--keep`: what is done in a working copy of the state is merged back.
    pub keep: bool,
}

/// What the user has looked at and trusts: files of projects, by path and exact content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust(pub BTreeSet<(Utf8PathBuf, String)>);

impl Trust {
    /// Whether this file with this content (SHA-256, hex) is trusted.
    pub fn covers(&self, file: &camino::Utf8Path, sha256: &str) -> bool {
        self.0.contains(&(file.to_owned(), sha256.to_owned()))
    }
}

/// Everything that was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layers {
    /// Built-in profiles by name.
    pub built_in_profiles: BTreeMap<String, Settings>,
    /// The user's config file.
    pub user: UserFile,
    /// The project's own file, and whether the user trusts exactly this content.
    pub project: Option<(Utf8PathBuf, ProjectFile, bool)>,
    /// The project's path, by which per-project choices are found.
    pub project_path: Utf8PathBuf,
    /// The command line.
    pub flags: Flags,
}
