//! Why a plan is refused: one variant per reason, each with who asked and a way out.

use camino::Utf8PathBuf;

use super::key_agents::KeyAgentKind;
use super::words::{AuthMode, BackendKind, NetworkTier, StateMode};
use crate::origin::Origin;

/// Why a plan is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nobody says where the home folder is.
    #[error("there is no home folder")]
    NoHome,
    /// The home folder is `/`.
    #[error("the home folder is `/`, so nothing could be kept out of the sandbox")]
    HomeIsRoot,
    /// The project is `/`, the home folder, a parent of it, or a folder of the system.
    #[error("`{project}` cannot be a project: {reason}")]
    ProjectTooWide {
        /// The folder.
        project: Utf8PathBuf,
        /// What it is.
        reason: &'static str,
    },
    /// Root runs it in another user's folder.
    #[error("`{project}` belongs to uid {owner}, and coffer runs as root")]
    ProjectOfAnother {
        /// The folder.
        project: Utf8PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Something that means nothing in the tier.
    #[error("`{what}` means nothing in the network tier `{tier}` ({origin})")]
    NotInTier {
        /// What was said.
        what: String,
        /// The tier.
        tier: NetworkTier,
        /// Who chose it.
        origin: Origin,
    },
    /// A port that cannot be had.
    #[error("`{what}` cannot be: {reason} ({origin})")]
    PortRefused {
        /// What was said.
        what: String,
        /// Why.
        reason: &'static str,
        /// Who asked.
        origin: Origin,
    },
    /// Where the API is does not read.
    #[error("`{name}` is no address of an API ({origin})")]
    NoAddress {
        /// The variable.
        name: String,
        /// Who set it.
        origin: Origin,
    },
    /// An auth mode that this run cannot have.
    #[error("auth mode `{mode}` cannot be: {reason} ({origin})")]
    AuthUnavailable {
        /// The mode.
        mode: AuthMode,
        /// Why.
        reason: &'static str,
        /// Who asked.
        origin: Origin,
    },
    /// `--keep` without a working copy.
    #[error("`--keep` merges a working copy of the state back, and the state mode is `{mode}` ({origin})")]
    NothingToKeep {
        /// The mode.
        mode: StateMode,
        /// Who chose it.
        origin: Origin,
    },
    /// An account that does not exist.
    #[error("there is no account `{name}` ({origin})")]
    UnknownAccount {
        /// Its name.
        name: String,
        /// Who asked.
        origin: Origin,
    },
    /// An account that this run cannot use.
    #[error("account `{name}` cannot be used: {reason} ({origin})")]
    AccountUnusable {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
        /// Who asked.
        origin: Origin,
    },
    /// A login that may not be shared.
    #[error("the login of account `{account}` is not shared: {reason} ({origin})")]
    SharedRefused {
        /// The account.
        account: String,
        /// Why.
        reason: String,
        /// The way out.
        way_out: &'static str,
        /// Who asked.
        origin: Origin,
    },
    /// A backend that does not exist yet.
    #[error("backend `{kind}` is not there yet ({origin})")]
    BackendUnavailable {
        /// The backend.
        kind: BackendKind,
        /// Who asked.
        origin: Origin,
    },
    /// Something that the engine has no word for.
    #[error("`{what}` cannot be with {kind}: {reason} ({origin})")]
    NotOnEngine {
        /// What was asked for.
        what: &'static str,
        /// The engine.
        kind: BackendKind,
        /// Why.
        reason: &'static str,
        /// The way out.
        mend: &'static str,
        /// Who asked.
        origin: Origin,
    },
    /// The agent's system calls could not be filtered.
    #[error("{reason}, and without a filter nothing is run")]
    NoFilter {
        /// What is missing.
        reason: String,
    },
    /// Nothing here can hold a limit that somebody asked for.
    #[error("the {limit} limit of {amount} cannot be held: {reason} ({origin})")]
    NoLimit {
        /// Which.
        limit: &'static str,
        /// How much.
        amount: String,
        /// Why.
        reason: String,
        /// What would change that.
        fix: String,
        /// Who asked.
        origin: Origin,
    },
    /// The groups that hold the limits could be changed from inside.
    #[error("`{group}` holds the limits, and `{mount}` would let the agent change it ({origin})")]
    LimitsInReach {
        /// The group.
        group: Utf8PathBuf,
        /// The writable source.
        mount: Utf8PathBuf,
        /// Who asked for the mount.
        origin: Origin,
    },
    /// The agent's program was not found.
    #[error("`{program}` is not on the PATH")]
    AgentMissing {
        /// The program.
        program: String,
        /// How to get it.
        install: Option<String>,
    },
    /// Nothing stands at a source.
    #[error("`{source_path}` does not exist ({origin})")]
    SourceMissing {
        /// The source.
        source_path: Utf8PathBuf,
        /// Who asked.
        origin: Origin,
    },
    /// A source is a socket, a device, a pipe, a loop of links, or cannot be looked at.
    #[error("`{source_path}` is {what} ({origin})")]
    SourceKind {
        /// The source.
        source_path: Utf8PathBuf,
        /// What it is.
        what: &'static str,
        /// Who asked.
        origin: Origin,
    },
    /// Root would show what others cannot read.
    #[error("`{source_path}` can be read by root only, and nobody granted it ({origin})")]
    RootOnlySource {
        /// The source.
        source_path: Utf8PathBuf,
        /// Who asked.
        origin: Origin,
    },
    /// Two operations on one target.
    #[error("`{target}` is mounted twice: by {first} and by {second}")]
    DuplicateTarget {
        /// The target.
        target: Utf8PathBuf,
        /// Who came first.
        first: Origin,
        /// Who came second.
        second: Origin,
    },
    /// A later operation covers an earlier one.
    #[error("the mount on `{target}` ({origin}) would cover `{covered}` ({covered_origin})")]
    Shadow {
        /// The later target.
        target: Utf8PathBuf,
        /// Who asked for it.
        origin: Origin,
        /// The earlier target.
        covered: Utf8PathBuf,
        /// Who asked for that.
        covered_origin: Origin,
    },
    /// A mount inside something that is hidden.
    #[error("the mount on `{target}` ({origin}) would open what is hidden at `{hidden}` ({hidden_origin})")]
    OpensHidden {
        /// The later target.
        target: Utf8PathBuf,
        /// Who asked for it.
        origin: Origin,
        /// The hidden path.
        hidden: Utf8PathBuf,
        /// Who hid it.
        hidden_origin: Origin,
    },
    /// A target that the sandbox keeps for itself.
    #[error("`{target}` is the sandbox's own ({origin})")]
    ReservedTarget {
        /// The target.
        target: Utf8PathBuf,
        /// Who asked.
        origin: Origin,
    },
    /// What the host runs later is a link, which can be exchanged and cannot be protected.
    #[error("`{path}` is a link, and the agent could exchange it: {reason}")]
    DeferredLink {
        /// The link.
        path: Utf8PathBuf,
        /// Who runs it.
        reason: String,
    },
    /// A mount would show a secret.
    #[error("`{source_path}` would show `{secret}`, {reason} ({origin})")]
    Secret {
        /// The source.
        source_path: Utf8PathBuf,
        /// The secret path.
        secret: Utf8PathBuf,
        /// What is secret about it.
        reason: String,
        /// Who asked.
        origin: Origin,
    },
    /// A container engine of the host would be inside.
    #[error(
        "`{path}` is a container engine: whoever talks to it is {who} on this machine, outside of every sandbox ({origin})"
    )]
    ContainerEngine {
        /// The socket.
        path: Utf8PathBuf,
        /// As whom it makes containers.
        who: &'static str,
        /// Who asked.
        origin: Origin,
    },
    /// A socket of the host that would hand over more than it seems.
    #[error("`{path}` is {what} ({origin})")]
    HostSocket {
        /// The socket.
        path: Utf8PathBuf,
        /// What it is, and what it gives.
        what: &'static str,
        /// The way out.
        mend: String,
        /// Who asked.
        origin: Origin,
    },
    /// An agent whose keys cannot be had.
    #[error("the agent for {} keys cannot be used: {reason} ({origin})", .agent.title())]
    KeyAgent {
        /// Which.
        agent: KeyAgentKind,
        /// Why.
        reason: String,
        /// The way out.
        mend: String,
        /// Who asked.
        origin: Origin,
    },
    /// No key is what a filter says.
    #[error("no {} key is `{}`; there is {known} ({origin})", .agent.title(), .filter.escape_debug())]
    NoSuchKey {
        /// Which agent.
        agent: KeyAgentKind,
        /// The filter.
        filter: String,
        /// The keys that are there.
        known: String,
        /// Who asked.
        origin: Origin,
    },
    /// Somebody has to be asked, and there is nothing to ask with.
    #[error(
        "nobody can be asked before a key is used: neither `SSH_ASKPASS` nor `ssh-askpass` is there ({origin})"
    )]
    NobodyAsks {
        /// Who wants it.
        origin: Origin,
    },
    /// A program that the host runs could be changed from inside.
    #[error("`{program}` is run on the host and lies in `{mount}`, which the agent could write ({origin})")]
    HostExecutable {
        /// The program.
        program: Utf8PathBuf,
        /// The writable source.
        mount: Utf8PathBuf,
        /// Who asked for the mount.
        origin: Origin,
    },
    /// Settings in the project would redirect the agent's credentials.
    #[error("`{file}` sets {keys}, and your credential would follow them")]
    ProjectSettings {
        /// The file.
        file: Utf8PathBuf,
        /// The keys, quoted.
        keys: String,
    },
    /// A settings file in the project could not be read.
    #[error("`{file}` cannot be judged: {reason}")]
    ProjectSettingsUnreadable {
        /// The file.
        file: Utf8PathBuf,
        /// Why.
        reason: String,
    },
    /// The login file is there and holds no login.
    #[error("the login in `{file}` cannot be used: {reason}")]
    LoginUnusable {
        /// The file.
        file: Utf8PathBuf,
        /// Why.
        reason: String,
        /// The command that mends it.
        mend: String,
    },
    /// The login's access token has ended, or will within five minutes, and nobody can renew it.
    #[error("the login in `{file}` is at its end: {reason}")]
    LoginEnding {
        /// The file.
        file: Utf8PathBuf,
        /// In words.
        reason: String,
        /// The command that mends it.
        mend: String,
    },
    /// A variable that the sandbox makes itself was to be set.
    #[error("`{name}` is made by the sandbox and cannot be set ({origin})")]
    VariableReserved {
        /// The variable.
        name: String,
        /// Who set it.
        origin: Origin,
    },
    /// Cofferdam's own configuration could be changed from inside.
    #[error(
        "`{config}` decides what the next run may, and lies in `{mount}`, which the agent could write ({origin})"
    )]
    HostConfig {
        /// Its folder.
        config: Utf8PathBuf,
        /// The writable source.
        mount: Utf8PathBuf,
        /// Who asked for the mount.
        origin: Origin,
    },
    /// The working folder is not shown inside.
    #[error("the working folder `{workdir}` is not shown inside")]
    WorkdirHidden {
        /// The folder.
        workdir: Utf8PathBuf,
    },
    /// A variable that looks secret was to be given on the command line or in a file.
    #[error("`{name}` looks like a secret, and its value would stand in the open ({origin})")]
    SecretValue {
        /// The variable.
        name: String,
        /// Who set it.
        origin: Origin,
    },
    /// A variable that the system would not take: no name, `=` in it, or a zero byte.
    #[error("`{}` cannot be a variable: its name is empty or has a `=`, or there is a zero byte in it ({origin})",
        .name.escape_debug())]
    VariableUnusable {
        /// The variable.
        name: String,
        /// Who set it.
        origin: Origin,
    },
}

impl PlanError {
    /// The stable code of `error[CODE]`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoHome | Self::HomeIsRoot => "home",
            Self::ProjectTooWide { .. } => "project-too-wide",
            Self::ProjectOfAnother { .. } => "project-owner",
            Self::NotInTier { .. } => "not-in-tier",
            Self::PortRefused { .. } => "port-refused",
            Self::NoAddress { .. } => "no-address",
            Self::AuthUnavailable { .. } => "auth-unavailable",
            Self::NothingToKeep { .. } => "nothing-to-keep",
            Self::UnknownAccount { .. } => "unknown-account",
            Self::AccountUnusable { .. } => "account-unusable",
            Self::SharedRefused { .. } => "shared-refused",
            Self::BackendUnavailable { .. } => "backend-unavailable",
            Self::NotOnEngine { .. } => "not-on-engine",
            Self::NoFilter { .. } => "no-system-call-filter",
            Self::NoLimit { .. } => "no-limit",
            Self::LimitsInReach { .. } => "limits-in-reach",
            Self::AgentMissing { .. } => "agent-missing",
            Self::SourceMissing { .. } => "source-missing",
            Self::SourceKind { .. } => "source-kind",
            Self::RootOnlySource { .. } => "root-only-source",
            Self::DuplicateTarget { .. } => "duplicate-target",
            Self::Shadow { .. } => "shadowed-mount",
            Self::OpensHidden { .. } => "opens-hidden",
            Self::ReservedTarget { .. } => "reserved-target",
            Self::DeferredLink { .. } => "deferred-link",
            Self::Secret { .. } => "secret-path",
            Self::ContainerEngine { .. } => "container-engine",
            Self::HostSocket { .. } => "host-socket",
            Self::KeyAgent { .. } => "key-agent",
            Self::NoSuchKey { .. } => "no-such-key",
            Self::NobodyAsks { .. } => "nobody-asks",
            Self::HostExecutable { .. } => "host-executable",
            Self::ProjectSettings { .. } | Self::ProjectSettingsUnreadable { .. } => "project-settings",
            Self::LoginUnusable { .. } => "login-unusable",
            Self::LoginEnding { .. } => "login-ending",
            Self::VariableReserved { .. } => "variable-reserved",
            Self::HostConfig { .. } => "host-config",
            Self::WorkdirHidden { .. } => "workdir",
            Self::SecretValue { .. } => "secret-value",
            Self::VariableUnusable { .. } => "variable-unusable",
        }
    }

    /// The way out.
    pub fn hint(&self) -> String {
        match self {
            Self::NoHome | Self::HomeIsRoot => "set HOME to a folder of your own".to_owned(),
            Self::ProjectTooWide { .. } => "`cd` into a project's folder, and run it there".to_owned(),
            Self::ProjectOfAnother { owner, .. } => {
                format!("run it as that user: `sudo -u '#{owner}' coffer run`")
            }
            Self::NotInTier { tier: NetworkTier::Full, .. } => {
                "leave it out, everything is in reach; or `--network dev`".to_owned()
            }
            Self::NotInTier { .. } => "`--network dev`, or leave it out".to_owned(),
            Self::NoAddress { name, .. } => format!("set it to `https://HOST`, or `unset {name}`"),
            Self::PortRefused { .. } => "let the service listen on another port".to_owned(),
            Self::AuthUnavailable { .. } => "`--auth lease`, `--auth shared` or `--auth none`".to_owned(),
            Self::AccountUnusable { name, .. } => {
                format!("`coffer account show {name}`, or another one with `--account NAME`")
            }
            Self::SharedRefused { way_out, .. } => (*way_out).to_owned(),
            Self::NothingToKeep { .. } => "`--state copy --keep`, or leave `--keep` out".to_owned(),
            Self::UnknownAccount { name, .. } => format!("`coffer account add {name}`"),
            Self::BackendUnavailable { .. } => "`--backend bwrap`".to_owned(),
            Self::NotOnEngine { mend, .. } => (*mend).to_owned(),
            Self::NoFilter { .. } => {
                "run it on x86_64 or aarch64, with a kernel that is built with `CONFIG_SECCOMP_FILTER=y`"
                    .to_owned()
            }
            Self::LimitsInReach { mount, .. } => format!("mount it read-only: `--mount {mount}`"),
            Self::NoLimit { limit, fix, .. } => format!("{fix}; or go on without: `--{limit} none`"),
            Self::AgentMissing { install: Some(command), .. } => format!("`{command}`"),
            Self::AgentMissing { install: None, .. } => "install it, or name a command after `--`".to_owned(),
            Self::SourceMissing { .. } => "make it, or take the mount out".to_owned(),
            Self::SourceKind { .. } => "mount a file or a folder".to_owned(),
            Self::RootOnlySource { source_path, .. } => format!("grant it: `--mount {source_path}`"),
            Self::DuplicateTarget { .. } => "take one of the two out, or give it another target".to_owned(),
            Self::Shadow { .. } => "mount it somewhere else: `--mount SRC:DST`".to_owned(),
            Self::OpensHidden { .. } => "take the mount or the `hide` out".to_owned(),
            Self::ReservedTarget { .. } => "mount it somewhere else: `--mount SRC:DST`".to_owned(),
            Self::DeferredLink { path, .. } => {
                format!("put what it leads to in its place, or `--allow-write {path}`")
            }
            Self::Secret { secret, .. } => {
                format!(
                    "mount less, or hide the secret, or say `expose = [\"{secret}\"]` in your own config file"
                )
            }
            Self::ContainerEngine { .. } => {
                "leave it out, or give the agent this machine: `--allow-container-engine`".to_owned()
            }
            Self::HostSocket { mend, .. } | Self::KeyAgent { mend, .. } => mend.clone(),
            Self::NoSuchKey { agent, .. } => format!("name one of them: `{}=KEY`", agent.flag()),
            Self::NobodyAsks { .. } => {
                "install `ssh-askpass`, or name such a program in `SSH_ASKPASS`".to_owned()
            }
            Self::HostExecutable { .. } => {
                "install the program outside of what the agent may write".to_owned()
            }
            Self::ProjectSettings { .. } => "read it, then `coffer trust`".to_owned(),
            Self::ProjectSettingsUnreadable { file, .. } => format!("mend or remove `{file}`"),
            Self::LoginUnusable { mend, .. } | Self::LoginEnding { mend, .. } => {
                format!("{mend}, or go on without: `--auth none`")
            }
            Self::VariableReserved { name, .. } if name == "PATH" => {
                "name folders with `path = [\"…\"]` in your config file".to_owned()
            }
            Self::VariableReserved { .. } => "take it out".to_owned(),
            Self::HostConfig { .. } => "mount it read-only, or keep the configuration elsewhere".to_owned(),
            Self::WorkdirHidden { workdir } => format!("mount it: `--mount {workdir}`"),
            Self::SecretValue { name, .. } => format!("pass it from your environment: `--env {name}`"),
            Self::VariableUnusable { .. } => "give it another name or value, or take it out".to_owned(),
        }
    }
}
