//! HostFacts: what the machine is, as plain values that hold no secret.
//!
//! coffer-host fills them in; a fixture can stand for them (`coffer plan --facts FILE`). A value stands
//! here only for names on the public list; of every other variable, setting or credential there is its
//! presence, its shape and a label. So facts can be written out as they are.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::agent::CredentialKind;
use crate::sign_in::shape::LoginShape;
use crate::sign_in::verify::{Owned, Place, RefusedBecause};

mod deferred;
mod engine;
mod keys;
mod questions;
mod tools;
pub use deferred::{DeferredFacts, DeferredFound, NamedByGit, RepositoryFact, ScanStopped};
pub use engine::{ENGINE_VARIABLES, EngineFacts, EngineTrouble, ImageFact, ImageVariable};
pub use keys::{
    GpgAgentFact, GpgKeyFact, GpgPartFact, KeyFacts, SocketFacts, SocketKind, SshAgentFact, SshKeyFact,
};
pub use questions::{DeferredQuestion, KeyQuestions, Questions};
pub use tools::{ToolAnswer, ToolEntry};

/// Format number of saved facts; a fixture with another number is refused.
pub const FACTS_SCHEMA: u32 = 1;

/// Everything a plan may depend on, read once before planning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostFacts {
    /// Always [`FACTS_SCHEMA`].
    pub schema: u32,
    /// The wall clock when the facts were read, in Unix milliseconds.
    pub now_ms: i64,
    /// The running kernel.
    pub kernel: KernelFacts,
    /// What restricts user namespaces.
    pub user_namespaces: UserNamespaceFacts,
    /// Bubblewrap, if it is on the PATH.
    pub bubblewrap: Option<ToolFact>,
    /// Landlock's ABI version; `None` where the kernel has none.
    pub landlock_abi: Option<u32>,
    /// Which resource controllers could be used.
    pub cgroups: CgroupFacts,
    /// Which of 0, 1 and 2 are terminals.
    pub terminals: Terminals,
    /// Who runs `coffer`.
    pub user: UserFacts,
    /// Where Cofferdam's own files are.
    pub folders: CofferFolders,
    /// The running `coffer` executable, symlinks followed; it is also the sandbox's init.
    pub coffer: Utf8PathBuf,
    /// The project folder.
    pub project: ProjectFacts,
    /// Who commits: `user.name` and `user.email` from the user's own git configuration.
    pub git_identity: Option<GitIdentity>,
    /// The agent's program; `None` when it is not on the PATH.
    pub agent: Option<AgentFacts>,
    /// Programs of its name further on in the PATH: a keeper may choose one of them by its version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_agents: Vec<AgentFacts>,
    /// Every variable of the environment: value, or presence only.
    pub environment: BTreeMap<String, EnvFact>,
    /// What stood at each path that a data file, a layer or a flag asked about.
    pub paths: BTreeMap<Utf8PathBuf, PathFact>,
    /// The agent's own settings files (user and project), as far as they matter for signing in.
    pub settings: Vec<SettingsFact>,
    /// The login file of the account that was chosen; `None` for agents that have none.
    pub login: Option<LoginFact>,
    /// The account that was chosen, as far as anything is on record about it: always for a named one
    /// that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountFact>,
    /// The state of which a working copy is asked for; `None` when none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_copy: Option<WorkingCopyFact>,
    /// MCP servers named in the agent's user configuration.
    pub mcp_servers: Vec<McpServerFact>,
    /// What host tools and their files say about registries and remotes, the strongest word first; asked only for a
    /// tier that depends on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolAnswer>,
    /// The user's agents for keys, where a layer grants some.
    #[serde(default, skip_serializing_if = "KeyFacts::is_empty")]
    pub keys: KeyFacts,
    /// Sockets of which something is known besides their usual paths.
    #[serde(default, skip_serializing_if = "SocketFacts::is_empty")]
    pub sockets: SocketFacts,
    /// What of the project the host would run later; `None` where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<DeferredFacts>,
    /// The container engine, where one is the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineFacts>,
}

impl HostFacts {
    /// The value of a variable on the public list; `None` when unset, empty, or not public.
    pub fn public_value(&self, name: &str) -> Option<&str> {
        match self.environment.get(name) {
            Some(EnvFact::Value(value)) if !value.is_empty() => Some(value),
            Some(EnvFact::Value(_) | EnvFact::Redacted(_) | EnvFact::Empty) | None => None,
        }
    }

    /// Whether a variable is set to something (an empty one counts as unset, as the agents do it).
    pub fn is_set(&self, name: &str) -> bool {
        self.environment.get(name).is_some_and(EnvFact::is_set)
    }

    /// What is known about a path; a path that nobody asked about counts as missing.
    pub fn path(&self, path: &Utf8Path) -> Option<&PathFact> {
        self.paths.get(path).filter(|fact| fact.kind != PathKind::Missing)
    }

    /// Whether something stands at the path.
    pub fn exists(&self, path: &Utf8Path) -> bool {
        self.path(path).is_some()
    }
}

/// How a working copy of a state could be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkingCopyFact {
    /// The state.
    pub of: Utf8PathBuf,
    /// Why no overlay can be mounted here, found out by mounting one; `None` when it can.
    pub no_overlay: Option<String>,
    /// Whether files on its file system can share their blocks.
    pub reflinks: bool,
    /// Whether a live run writes in it.
    pub in_use: bool,
}

/// The running kernel (`uname`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelFacts {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub machine: String,
    /// Whether it takes filters of system calls.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub filters_system_calls: bool,
    /// Whether somebody else's filter of system calls is on us, as in a container.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub filtered: bool,
    /// Whether a tree of mounts can be made before it is put anywhere (Linux 5.12).
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub mounts_trees: bool,
    /// Whether we are ourselves inside a sandbox of another `coffer`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inside_coffer: bool,
}

/// Facts that were saved before it was asked come from kernels that do.
fn yes() -> bool {
    true
}

/// What restricts user namespaces here; `None` where the kernel has no such switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserNamespaceFacts {
    /// `/proc/sys/user/max_user_namespaces`; 0 forbids them.
    pub max: Option<u64>,
    /// Debian's `/proc/sys/kernel/unprivileged_userns_clone`.
    pub unprivileged_clone: Option<bool>,
    /// Ubuntu's `/proc/sys/kernel/apparmor_restrict_unprivileged_userns`.
    pub apparmor_restricts: Option<bool>,
}

/// A host program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolFact {
    /// Absolute path, symlinks followed.
    pub path: Utf8PathBuf,
    /// Its version, where it told.
    pub version: Option<String>,
}

/// Which resource controllers could be used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CgroupFacts {
    /// Our own group in the unified hierarchy, as a path in the file system.
    pub v2: Option<Utf8PathBuf>,
    /// Controllers enabled there.
    pub v2_controllers: Vec<String>,
    /// Whether we may make groups below it.
    pub v2_delegated: bool,
    /// Version 1 controllers whose hierarchy we may write to.
    pub v1_writable: Vec<String>,
    /// Groups of the unified hierarchy, our own and those around it, below which we may make groups and move
    /// processes of ours there; the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub v2_places: Vec<CgroupPlace>,
    /// Our own group of each version 1 controller whose hierarchy we may write to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub v1_places: BTreeMap<String, Utf8PathBuf>,
    /// The user's own systemd, if it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_manager: Option<UserManagerFact>,
    /// The machine's memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

/// A group of the unified hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CgroupPlace {
    /// Where it is in the file system.
    pub folder: Utf8PathBuf,
    /// Controllers that it has.
    pub available: Vec<String>,
    /// Those that it hands on to the groups below it.
    pub enabled: Vec<String>,
    /// Whether we may make it hand on more: we may write that down, and no process but us is in it, or it is the
    /// root of all, which may have some.
    pub can_enable: bool,
    /// Whether it is our own group and we have to leave it before it hands on anything.
    pub is_ours: bool,
}

/// The systemd of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserManagerFact {
    /// `systemd-run`, symlinks followed.
    pub systemd_run: Utf8PathBuf,
    /// Controllers that it has.
    pub controllers: Vec<String>,
}

/// Which of 0, 1 and 2 are terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminals {
    /// Descriptor 0.
    pub stdin: bool,
    /// Descriptor 1.
    pub stdout: bool,
    /// Descriptor 2.
    pub stderr: bool,
}

/// Who runs `coffer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserFacts {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Login name (from the user database, else the number).
    pub name: String,
    /// `$HOME`, else the user database's entry; symlinks followed. `None` when neither tells.
    pub home: Option<Utf8PathBuf>,
    /// Whether a file can be made in the home folder (false on a read-only home).
    pub home_writable: bool,
}

/// Where Cofferdam's own files are (they need not exist yet).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CofferFolders {
    /// The user's config file: `$COFFER_CONFIG`, else `$XDG_CONFIG_HOME/cofferdam/config.toml`.
    pub config: Utf8PathBuf,
    /// Accounts and states: `$COFFER_HOME`, else `$XDG_DATA_HOME/cofferdam`.
    pub data: Utf8PathBuf,
    /// Per-run folders: `$COFFER_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/cofferdam`, else below `data`.
    pub runtime: Utf8PathBuf,
}

/// The project folder and its repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectFacts {
    /// Absolute path, symlinks followed: the work tree's top when the start folder is in one.
    pub path: Utf8PathBuf,
    /// The folder in which the command was given; at or below `path`.
    pub start: Utf8PathBuf,
    /// Owner of the folder.
    pub uid: u32,
    /// Its repository, if it is in one.
    pub git: Option<GitFacts>,
    /// The project's `.coffer.toml`: SHA-256 of its content, if there is one.
    pub config_sha256: Option<String>,
}

/// A git work tree and where its repository really lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitFacts {
    /// The work tree's git dir (for a linked worktree below the common dir).
    pub git_dir: Utf8PathBuf,
    /// The common git dir, which holds objects, refs and config.
    pub common_dir: Utf8PathBuf,
    /// Whether the repository itself names this work tree: the git dir lies in the project, or its
    /// `gitdir` back-link (linked worktree) or `core.worktree` (submodule) leads to it. A `.git` file
    /// alone proves nothing, an agent may have written it; only a verified git dir comes along.
    pub verified: bool,
}

/// Who commits; only what the user's own configuration says (never the project's).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitIdentity {
    /// `user.name`.
    pub name: Option<String>,
    /// `user.email`.
    pub email: Option<String>,
}

/// The agent's program on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentFacts {
    /// The agent's name (its data file).
    pub name: String,
    /// As found on the PATH.
    pub path: Utf8PathBuf,
    /// Symlinks followed.
    pub resolved: Utf8PathBuf,
    /// What has to be there for it to run: the outermost `node_modules` around it, or the file itself.
    pub install_root: Utf8PathBuf,
    /// From its package's manifest or its versioned file name; never found out by running it.
    pub version: Option<String>,
}

/// A variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvFact {
    /// On the public list: its value.
    Value(String),
    /// Set; the label says what may be said about it (for an address: scheme, host and port).
    Redacted(String),
    /// Set to nothing, which agents take for unset.
    Empty,
}

impl EnvFact {
    /// Whether the variable is set to something.
    pub fn is_set(&self) -> bool {
        match self {
            Self::Value(value) => !value.is_empty(),
            Self::Redacted(_) => true,
            Self::Empty => false,
        }
    }
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathKind {
    /// Nothing, or a link to nothing.
    Missing,
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A unix socket.
    Socket,
    /// A block or character device.
    Device,
    /// A named pipe.
    Fifo,
    /// A chain of links that does not end.
    LinkLoop,
    /// It could not be looked at (permissions).
    Unreadable,
}

/// What was seen at a path, links followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathFact {
    /// What it is.
    pub kind: PathKind,
    /// The path with every link followed; the path itself when nothing is there.
    pub resolved: Utf8PathBuf,
    /// When the path's last component is a link: its text.
    pub link: Option<String>,
    /// Device number of what is there.
    pub dev: u64,
    /// Inode number of what is there; with `dev` it tells whether the source was exchanged since.
    pub ino: u64,
    /// Owner.
    pub uid: u32,
    /// Permission bits (the lower twelve).
    pub mode: u32,
}

impl PathFact {
    /// Whether users other than its owner and group may read it (and enter it, if it is a folder).
    pub fn others_can_read(&self) -> bool {
        match self.kind {
            PathKind::Folder => self.mode & 0o5 == 0o5,
            PathKind::File | PathKind::Socket | PathKind::Device | PathKind::Fifo => self.mode & 0o4 != 0,
            PathKind::Missing | PathKind::LinkLoop | PathKind::Unreadable => false,
        }
    }
}

/// Whose settings file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingsScope {
    /// The user's own.
    User,
    /// Lies in the project, so an agent may have written it.
    Project,
}

/// One of the agent's settings files, as far as it matters for signing in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsFact {
    /// The file.
    pub file: Utf8PathBuf,
    /// Whose it is.
    pub scope: SettingsScope,
    /// SHA-256 of its content, by which `coffer trust` remembers it.
    pub sha256: String,
    /// Why it could not be read as JSON, if so.
    pub broken: Option<String>,
    /// Its `env` block.
    pub env: BTreeMap<String, EnvFact>,
    /// Keys in it that redirect endpoints, proxies, certificates, tokens or helpers, as dotted paths
    /// (`env.ANTHROPIC_BASE_URL`, `apiKeyHelper`), by the patterns of the agent's data file.
    pub redirects: Vec<String>,
}

/// The agent's login file: where it is, by which rule, and its shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginFact {
    /// The folder that holds it.
    pub folder: Utf8PathBuf,
    /// The file itself.
    pub file: Utf8PathBuf,
    /// Which rule named the folder: a variable's name, or `default`.
    pub found_by: String,
    /// What is in it, without any token.
    pub shape: LoginShape,
    /// Owner and permission bits when it is there.
    pub uid_mode: Option<(u32, u32)>,
    /// Whether a link takes the file out of its folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leads_out: bool,
    /// Owner and permission bits of the folder, where it is ours and has to be private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_uid_mode: Option<(u32, u32)>,
}

impl LoginFact {
    /// Where it lies, as `uid` sees it. The agent's own folder is left to its owner.
    pub fn place(&self, uid: u32) -> Place {
        let owned = |(uid, mode)| Owned { uid, mode };
        Place {
            own_uid: uid,
            file: self.uid_mode.map(owned),
            folder: self.folder_uid_mode.map(owned),
            leads_out: self.leads_out,
        }
    }
}

/// An account: what is on record about it, without any secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFact {
    /// Its name.
    pub name: String,
    /// The agent that it is for.
    pub agent: String,
    /// What its credential is.
    pub kind: CredentialKind,
    /// The private parent of its login folder; `None` for the user's own login, which is used in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_parent: Option<Utf8PathBuf>,
    /// Whether the login folder is the one on record; `None` where nothing is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker_matches: Option<bool>,
    /// A refusal for good that is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedFact>,
    /// Whether a sealed key or token is there.
    #[serde(default)]
    pub has_secret: bool,
    /// When the account was made, Unix ms.
    #[serde(default)]
    pub created_at_ms: i64,
    /// The program that prints its key: links followed; `None` when it is not found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helper: Option<Utf8PathBuf>,
    /// Another provider of the API; only a label when it looks secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<EnvFact>,
    /// The model to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Time-out of a request, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// A refusal for good that is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedFact {
    /// Of the refresh token that was refused.
    pub fingerprint: String,
    /// Why.
    pub because: RefusedBecause,
}

/// An MCP server in the agent's user configuration: name and kind, no arguments or variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpServerFact {
    /// Its name.
    pub name: String,
    /// The file that names it.
    pub file: Utf8PathBuf,
    /// `stdio`, `http` or `sse`.
    pub transport: String,
    /// Host and port of its URL, if it has one.
    pub endpoint: Option<String>,
    /// Whether the project names it; else the user does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_project: bool,
}

/// Names whose values may be shown, stored and shipped; `*` ends a prefix.
const PUBLIC_NAMES: &[&str] = &[
    "CARGO_HOME",
    "CLAUDE_CODE_SIMPLE",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_SECURESTORAGE_CONFIG_DIR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "CODEX_HOME",
    "COLORTERM",
    "COLUMNS",
    "COFFER_CONFIG",
    "COFFER_HOME",
    "COFFER_RUNTIME_DIR",
    "EDITOR",
    "FORCE_COLOR",
    "GOPATH",
    "GOROOT",
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "LINES",
    "LOGNAME",
    "NO_COLOR",
    "NVM_DIR",
    "PAGER",
    "PATH",
    "PWD",
    "PYENV_ROOT",
    "RUSTUP_HOME",
    "SHELL",
    "TERM",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "TMPDIR",
    "TZ",
    "USER",
    "VISUAL",
    "XDG_*",
];

/// Whether a variable's value may stand in facts and plans.
pub fn is_public(name: &str) -> bool {
    PUBLIC_NAMES.iter().any(|entry| match entry.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => *entry == name,
    })
}
