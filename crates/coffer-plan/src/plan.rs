//! The plan: everything a sandbox will be, as one value that can be printed as it is.
//!
//! Only [`crate::derive`] makes one and only [`crate::check`] lets it pass ([`CheckedPlan`]). Audit, dry
//! run, JSON, `why`, diff and lowering all take that one value. It holds no secret: a value stands in it
//! for names on the public list, for what the sandbox itself makes, and for what a person typed as
//! `NAME=VALUE`; everything else is a [`Reference`] with a label.

#[macro_use]
mod words;
mod key_agents;
mod limits;
mod network;
mod refusal;
mod walls;

use std::ops::Deref;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::origin::Origin;
use crate::sign_in::precedence::SignIn;
pub use key_agents::{GrantedKey, KeyAgent, KeyAgentKind};
pub use limits::{Bound, Controller, Count, Cpus, Limit, Limits, Means, OldGroup, Size};
pub use network::{
    AllowedHost, Door, DoorKind, Forward, ForwardSpec, Injection, Network, Publish, PublishSpec, Upstream,
};
pub use refusal::PlanError;
pub use walls::{FilterKind, Landlock, Nesting, Scope, SystemCalls};
pub use words::{
    Access, AuthMode, BackendKind, CopyWay, NetworkTier, Ranges, Reference, RunFolder, StateMode,
};

/// Format number of the plan's JSON.
pub const PLAN_SCHEMA: u32 = 1;

/// A sandbox that was derived and not yet checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Plan {
    /// Always [`PLAN_SCHEMA`].
    pub schema: u32,
    /// What is run.
    pub command: Command,
    /// As whom.
    pub identity: Identity,
    /// The whole environment, in the order in which it is set.
    pub environment: Vec<EnvEntry>,
    /// Typed operations; they are performed in this order.
    pub mounts: Vec<Mount>,
    /// What it can talk to.
    pub network: Network,
    /// Agents of the host whose keys it may use, each behind a filter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_agents: Vec<KeyAgent>,
    /// How it gets to be signed in.
    pub credential: Credential,
    /// Where the agent's own files are.
    pub state: State,
    /// Bounds on resources.
    pub limits: Limits,
    /// What else is taken away.
    pub hardening: Hardening,
    /// Which credential wins, and why.
    pub sign_in: SignIn,
    /// The program that makes the sandbox.
    pub backend: Backend,
    /// What the user should know before the run.
    pub notes: Vec<Note>,
    /// What the project asked for and does not get until trusted.
    pub proposals: Vec<Note>,
}

/// A plan that the check let pass; only [`crate::check::check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPlan(pub(crate) Plan);

impl Deref for CheckedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Command {
    /// The agent's name.
    pub agent: String,
    /// Program and arguments; the program is looked up on the sandbox's PATH.
    pub argv: Vec<String>,
    /// Whether the agent skips its own questions.
    pub unattended: bool,
    /// The working folder inside.
    #[schemars(with = "String")]
    pub workdir: Utf8PathBuf,
    /// Who said what is run.
    pub origin: Origin,
}

/// As whom the command runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Identity {
    /// User id inside.
    pub uid: u32,
    /// Group id inside.
    pub gid: u32,
    /// User id on the host to which the inner one maps: files made in the project belong to it.
    pub host_uid: u32,
    /// Group id on the host to which the inner one maps.
    pub host_gid: u32,
    /// Login name inside.
    pub user: String,
    /// Home folder inside; the host's path, but private.
    #[schemars(with = "String")]
    pub home: Utf8PathBuf,
    /// Host name inside.
    pub hostname: String,
    /// Who decided the ids.
    pub origin: Origin,
}

/// A variable of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct EnvEntry {
    /// Its name.
    pub name: String,
    /// Its value, or where it will come from.
    #[serde(flatten)]
    pub value: EnvValue,
    /// Who brings it.
    pub class: EnvClass,
    /// Who decided.
    pub origin: Origin,
}

/// A variable's value as far as a plan may hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum EnvValue {
    /// It may be shown.
    Value {
        /// The value.
        value: String,
    },
    /// It is resolved at the last moment.
    Reference {
        /// From where.
        #[serde(rename = "ref")]
        reference: Reference,
        /// What may be said about it.
        label: String,
    },
}

/// Who brings a variable; the audit's prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvClass {
    /// `[~]` made by the sandbox.
    Sandbox,
    /// `[>]` passed from the host's allowlist.
    Host,
    /// `[+]` added by the user or a profile.
    Extra,
}

/// One mount operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Mount {
    /// What is done.
    #[serde(flatten)]
    pub op: MountOp,
    /// Where, inside.
    #[schemars(with = "String")]
    pub target: Utf8PathBuf,
    /// Who asked for it.
    pub origin: Origin,
}

impl Mount {
    /// What it binds and how; `None` for what is no bind.
    pub fn bind(&self) -> Option<(&Source, Access)> {
        match &self.op {
            MountOp::Bind { source, access } => Some((source, *access)),
            MountOp::Overlay { .. }
            | MountOp::Tmpfs { .. }
            | MountOp::Proc
            | MountOp::Dev
            | MountOp::Symlink { .. }
            | MountOp::Mask { .. }
            | MountOp::GitConfig { .. }
            | MountOp::Placeholder { .. }
            | MountOp::File { .. } => None,
        }
    }

    /// What the agent can write there, if it is a bind that lets it, or the upper side of an overlay.
    pub fn written(&self) -> Option<Source> {
        match &self.op {
            MountOp::Bind { source, access: Access::Rw } => Some(source.clone()),
            MountOp::Overlay { .. } => Some(Source::Run { folder: RunFolder::Copy }),
            MountOp::Bind { access: Access::Ro, .. }
            | MountOp::Tmpfs { .. }
            | MountOp::Proc
            | MountOp::Dev
            | MountOp::Symlink { .. }
            | MountOp::Mask { .. }
            | MountOp::GitConfig { .. }
            | MountOp::Placeholder { .. }
            | MountOp::File { .. } => None,
        }
    }
}

/// The kinds of mount operations. A feature is one more kind and one more case everywhere: no `match`
/// on it has a `_` arm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum MountOp {
    /// A file or folder of the host.
    Bind {
        /// Which one.
        source: Source,
        /// `ro` or `rw`.
        access: Access,
    },
    /// A state of ours, which is only read, below a folder of this run that takes what is changed.
    Overlay {
        /// The state.
        source: Source,
        /// Always `rw`: what is written goes to the run's folder.
        access: Access,
    },
    /// An empty private folder in memory.
    Tmpfs {
        /// Permission bits.
        mode: u32,
    },
    /// The sandbox's own process table.
    Proc,
    /// A minimal device folder with terminals of its own.
    Dev,
    /// A symbolic link.
    Symlink {
        /// Its text.
        source: String,
    },
    /// Nothing can be seen or written there.
    Mask {
        /// Whether a folder is hidden; else a file.
        folder: bool,
    },
    /// A repository's configuration as a copy of this run. At the end what changed in it reaches the host: harmless
    /// keys alone, or all of it.
    GitConfig {
        /// The file.
        source: Source,
        /// The copy's folder among the run's.
        name: String,
        /// Whether every change reaches the host.
        accept: bool,
    },
    /// A place that is held while runs live, so that nothing can be made there: an empty read-only folder, or a
    /// read-only file that says nothing new.
    Placeholder {
        /// What stands in the file; an empty folder without.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// A read-only file made for this run.
    File {
        /// Its content.
        #[serde(flatten)]
        content: FileContent,
    },
}

/// What is bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Source {
    /// It was there when the facts were read; a run stops when it is another one by then.
    Host {
        /// Path, links followed.
        #[schemars(with = "String")]
        path: Utf8PathBuf,
        /// Device number.
        dev: u64,
        /// Inode number.
        ino: u64,
        /// Whether it is a folder; else a file.
        folder: bool,
    },
    /// A folder of Cofferdam's own, made (0700) where it is missing.
    Own {
        /// Path.
        #[schemars(with = "String")]
        path: Utf8PathBuf,
    },
    /// A folder of this run, gone after it.
    Run {
        /// Which.
        folder: RunFolder,
    },
}

/// What a made file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum FileContent {
    /// Public text.
    Text {
        /// The text.
        text: String,
    },
    /// Resolved at the last moment.
    Reference {
        /// From where.
        #[serde(rename = "ref")]
        reference: Reference,
        /// What may be said about it.
        label: String,
    },
}

/// How the run gets to be signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Credential {
    /// Whose login.
    pub account: String,
    /// Who chose the account.
    pub account_origin: Origin,
    /// Which way.
    pub mode: AuthMode,
    /// What crosses; `None` when no login crosses.
    #[serde(rename = "ref")]
    pub reference: Option<Reference>,
    /// The login file on the host, when one is leased from or shared.
    #[schemars(with = "Option<String>")]
    pub file: Option<Utf8PathBuf>,
    /// When a lease ends (Unix ms), if the login says.
    pub expires_at_ms: Option<i64>,
    /// What the gateway puts in, in its stead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub injection: Option<Injection>,
    /// Who decided the mode.
    pub origin: Origin,
}

/// Where the agent's own files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct State {
    /// Which kind.
    pub mode: StateMode,
    /// Who decided it.
    pub origin: Origin,
    /// On the host; `None` for agents without state.
    pub source: Option<Source>,
    /// Inside.
    #[schemars(with = "Option<String>")]
    pub target: Option<Utf8PathBuf>,
    /// JSON merged into files of the state before the start.
    pub seeds: Vec<StateSeed>,
    /// Links made in the state before the start.
    pub links: Vec<StateLink>,
    /// The file, relative to the state, in which the agent keeps a login that is made inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Of what it is a working copy; `None` for the other modes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy: Option<WorkingCopy>,
}

/// A working copy of a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct WorkingCopy {
    /// The state.
    #[schemars(with = "String")]
    pub of: Utf8PathBuf,
    /// How it comes about.
    pub way: CopyWay,
    /// Why it is no overlay, if it is none.
    pub reason: Option<String>,
    /// Whether what the agent did in it is merged back at the end; else it is gone then.
    pub keep: bool,
    /// Names in the state's root that are never merged back: configuration and credentials. A `*` stands for
    /// anything.
    pub never_kept: Vec<String>,
}

/// JSON merged into a file of the state; keys that are there already stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct StateSeed {
    /// Relative to the state.
    pub file: String,
    /// The object, as JSON text.
    #[serde(flatten)]
    pub content: FileContent,
    /// Who asked.
    pub origin: Origin,
}

/// A link in the state that leads to a path inside the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct StateLink {
    /// Relative to the state.
    pub name: String,
    /// Its text.
    #[schemars(with = "String")]
    pub to: Utf8PathBuf,
    /// Who asked.
    pub origin: Origin,
}

/// What else is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Hardening {
    /// Namespaces of its own.
    pub namespaces: Vec<Namespace>,
    /// Capabilities left, in its own user namespace.
    pub capabilities: Vec<String>,
    /// `no_new_privs`.
    pub no_new_privileges: bool,
    /// The root folder itself cannot be written.
    pub read_only_root: bool,
    /// The kernel's switches in `/proc/sys` are covered by themselves, read-only.
    pub read_only_proc_sys: bool,
    /// It ends with `coffer`.
    pub die_with_parent: bool,
    /// Whether sandboxes may be made inside.
    pub nesting: Nesting,
    /// System calls that are refused.
    pub system_calls: SystemCalls,
    /// The second wall.
    pub landlock: Landlock,
}

/// The kinds of namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// User and group ids.
    User,
    /// Mounts.
    Mount,
    /// Processes.
    Pid,
    /// System V IPC and POSIX queues.
    Ipc,
    /// Host name.
    Uts,
    /// Resource groups.
    Cgroup,
    /// Network.
    Net,
}

/// What makes the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Backend {
    /// Which.
    pub kind: BackendKind,
    /// Who decided.
    pub origin: Origin,
    /// What it is made of, for a backend that has images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
}

/// An image and whose container is made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Image {
    /// As it was asked for.
    pub name: String,
    /// Which one that is now; it is run by this.
    pub id: Option<String>,
    /// Whether the engine has no rights but the user's.
    pub rootless: bool,
    /// What the engine mounts by itself in each of its containers. Init lets no other mount pass that is not in the
    /// plan.
    pub engine_mounts: Vec<EngineMount>,
    /// Who chose the image.
    pub origin: Origin,
}

/// A place at which an engine mounts something by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EngineMount {
    /// Where.
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
    /// Whether it mounts things below that, too.
    #[serde(default)]
    pub below: bool,
    /// What it is.
    pub what: String,
}

/// A sentence for people, and who caused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Note {
    /// What they should know.
    pub text: String,
    /// Who caused it.
    pub origin: Origin,
}
