//! What of a project programs of the host would run later, as a bounded scan found it.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// What the scan found. Of each path that is named here the facts know device and inode, too.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeferredFacts {
    /// Whether something can be made in the project's root.
    pub writable: bool,
    /// Paths of the list, outermost first.
    pub found: Vec<DeferredFound>,
    /// Repositories: the project's own first, then those in and below it.
    pub repositories: Vec<RepositoryFact>,
    /// `.git` files, which lead git to a repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dot_git_files: Vec<Utf8PathBuf>,
    /// Files and folders that were looked at.
    pub entries: u64,
    /// Folders that are never looked into (`node_modules` …) and were met.
    pub skipped: u64,
    /// Why it ended before it had seen everything, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<ScanStopped>,
}

/// A path of the list that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeferredFound {
    /// The path.
    pub path: Utf8PathBuf,
    /// Which entry of the list it is.
    pub rule: String,
    /// Whether it is a link.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub link: bool,
}

/// Why a scan ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanStopped {
    /// As many files and folders as it looks at.
    Entries,
    /// As long as it takes.
    Time,
    /// As deep as it goes.
    Depth,
    /// Names that are no text.
    Names,
}

impl ScanStopped {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Entries => "there are more files than it looks at",
            Self::Time => "it took as long as it may",
            Self::Depth => "some folders lie deeper than it goes",
            Self::Names => "some folders have names that are not UTF-8",
        }
    }
}

/// A repository that the sandbox could write.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryFact {
    /// Its git dir: that of a work tree, of a submodule, or a linked work tree's own part.
    pub git_dir: Utf8PathBuf,
    /// The `.git` that is a link: it can be exchanged, and cannot be protected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Utf8PathBuf>,
    /// Its configuration files that are there.
    pub configs: Vec<Utf8PathBuf>,
    /// Its hooks folder, where one is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<Utf8PathBuf>,
    /// Files that lead git to another folder (`commondir`, `gitdir`) and are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leads: Vec<Utf8PathBuf>,
    /// Links in the place of its configuration, hooks and other parts that git follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Utf8PathBuf>,
    /// Whether it is a linked work tree's own part, which has neither hooks nor objects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub linked: bool,
    /// Whether nothing can be made in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// Files and folders that its configuration names and that git would run or obey.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<NamedByGit>,
}

/// What a repository's configuration names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedByGit {
    /// The key: `core.hookspath`, `include.path` …
    pub key: String,
    /// The path; it need not exist.
    pub path: Utf8PathBuf,
}
