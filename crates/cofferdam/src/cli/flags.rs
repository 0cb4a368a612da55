//! The flags that shape a plan.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use coffer_plan::config::{AuditMode, EnvSettings, Flags, KeyChoice, LimitSettings, MountSpec, Settings};
use coffer_plan::host::HostRule;
use coffer_plan::path::PathTemplate;
use coffer_plan::plan::{
    AuthMode, BackendKind, Bound, Count, Cpus, ForwardSpec, NetworkTier, PublishSpec, Size, StateMode,
};

/// `coffer run`.
#[derive(Debug, Args)]
pub struct RunFlags {
    /// The flags that shape the plan.
    #[command(flatten)]
    pub plan: PlanFlags,
    /// Print the plan and the exact command instead of running it
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "text",
          value_name = "FORM")]
    pub dry_run: Option<DryRun>,
    /// When to print the audit: always, changed, never
    #[arg(long, value_parser = audit_mode, value_name = "WHEN")]
    pub audit: Option<AuditMode>,
    /// Don't ask, also when the plan has grown since the last run here
    #[arg(long, short)]
    pub yes: bool,
}

impl RunFlags {
    /// The same run with everybody in reach, recorded.
    #[must_use]
    pub fn learning(mut self) -> Self {
        self.plan.network = Some(NetworkTier::Learn);
        self
    }
}

/// The form of a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// The audit and the command.
    Text,
    /// The plan as JSON.
    Json,
    /// The command, as one line that can be pasted.
    Command,
}

/// The flags that shape a plan.
#[derive(Debug, Clone, Args)]
pub struct PlanFlags {
    /// Add a profile
    #[arg(long, value_name = "NAME")]
    pub profile: Vec<String>,
    /// The agent to run
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// The account whose login is used
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// How the run gets to be signed in: lease, gateway, shared, none
    #[arg(long, value_name = "MODE")]
    pub auth: Option<AuthMode>,
    /// Let the agent skip its own permission questions
    #[arg(long)]
    pub unattended: bool,
    /// Where the agent's own files live: project, shared, copy, fresh
    #[arg(long, value_name = "MODE")]
    pub state: Option<StateMode>,
    /// Merge the working copy of `--state copy` back at the end
    #[arg(long)]
    pub keep: bool,
    /// What it can talk to: full, learn, dev, agent, none
    #[arg(long, value_name = "TIER")]
    pub network: Option<NetworkTier>,
    /// Let it write a path of the project that the host runs later (git hooks, editor tasks, the agent's own settings)
    #[arg(long, value_name = "PATH", value_parser = path_template)]
    pub allow_write: Vec<PathTemplate>,
    /// Let every change of git's configuration reach the host at the end, not the harmless ones alone
    #[arg(long)]
    pub accept_config: bool,
    /// Let it reach a host; `*.NAME` is every name below NAME, and the port is 443 unless said
    #[arg(long, value_name = "HOST[:PORT]")]
    pub allow: Vec<HostRule>,
    /// Show it a service of this machine, at the same port or path
    #[arg(long, value_name = "PORT|unix:PATH")]
    pub forward: Vec<ForwardSpec>,
    /// Show one of its ports on this machine's loopback
    #[arg(long, value_name = "[HOST_PORT:]PORT")]
    pub publish: Vec<PublishSpec>,
    /// Show a path of the host inside; read-only unless `:rw`
    #[arg(long, value_name = "SRC[:DST][:ro|rw]", value_parser = MountSpec::parse)]
    pub mount: Vec<MountSpec>,
    /// Pass a variable of the host, or set one
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = variable)]
    pub env: Vec<String>,
    /// The working folder inside
    #[arg(long, value_name = "PATH")]
    pub workdir: Option<Utf8PathBuf>,
    /// What makes the sandbox: bwrap, podman, docker
    #[arg(long, value_name = "KIND")]
    pub backend: Option<BackendKind>,
    /// The image of a container (`--backend podman` or `docker`); nothing is pulled
    #[arg(long, value_name = "REF")]
    pub image: Option<String>,
    /// How much memory it may use, swap included: `8G`; or `none` for no limit
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Bound<Size>>,
    /// How many processes and threads it may have at once; or `none`
    #[arg(long, value_name = "N")]
    pub pids: Option<Bound<Count>>,
    /// How many processors' time it may use: `1.5`; or `none`
    #[arg(long, value_name = "X")]
    pub cpus: Option<Bound<Cpus>>,
    /// Be uid 0 inside (in a user namespace without capabilities)
    #[arg(long)]
    pub as_root_inside: bool,
    /// Let `--auth shared` share your own login
    #[arg(long)]
    pub allow_host_login: bool,
    /// Let sandboxes be made inside: namespaces and mounts; Landlock closes no files then
    #[arg(long)]
    pub allow_nesting: bool,
    /// Let it sign with keys of your SSH agent: all of them, or those with this comment (`*` stands for anything) or
    /// SHA256 fingerprint
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "", value_name = "KEY")]
    pub ssh_agent: Vec<String>,
    /// Let it sign with your GnuPG keys: all of them, or those with this fingerprint, key id, keygrip or address
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "", value_name = "KEY")]
    pub gpg_agent: Vec<String>,
    /// Let it decrypt with the keys of `--gpg-agent`, too
    #[arg(long)]
    pub gpg_agent_decrypt: bool,
    /// Ask you (by `ssh-askpass`) each time before a key is used
    #[arg(long)]
    pub confirm_keys: bool,
    /// Let `--forward` or `--mount` show it a container engine: it is root on this machine then
    #[arg(long)]
    pub allow_container_engine: bool,
    /// A command to run instead of the agent; arguments for the agent when the first begins with `-`
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// A variable as a shell would have it: a name, or a name and a value.
fn variable(text: &str) -> Result<String, String> {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if name.is_empty() || !name.chars().all(plain) || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err("expected NAME or NAME=VALUE".to_owned());
    }
    Ok(text.to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "clap wants a parser that could fail")]
fn path_template(text: &str) -> Result<PathTemplate, String> {
    Ok(PathTemplate(text.to_owned()))
}

fn audit_mode(text: &str) -> Result<AuditMode, String> {
    match text {
        "always" => Ok(AuditMode::Always),
        "changed" => Ok(AuditMode::Changed),
        "never" => Ok(AuditMode::Never),
        _ => Err("expected one of: always, changed, never".to_owned()),
    }
}

impl PlanFlags {
    /// The flags as the strongest config layer.
    pub fn layer(&self, audit: Option<AuditMode>) -> Flags {
        let switched = |on: bool| on.then_some(true);
        let mut env = EnvSettings { pass: Vec::new(), set: BTreeMap::new() };
        for word in &self.env {
            match word.split_once('=') {
                Some((name, value)) => drop(env.set.insert(name.to_owned(), value.to_owned())),
                None => env.pass.push(word.clone()),
            }
        }
        let for_agent = self.command.first().is_none_or(|word| word.starts_with('-'));
        Flags {
            settings: Settings {
                agent: self.agent.clone(),
                account: self.account.clone(),
                auth: self.auth,
                state: self.state,
                network: self.network,
                backend: self.backend,
                image: self.image.clone(),
                audit,
                unattended: switched(self.unattended),
                as_root_inside: switched(self.as_root_inside),
                allow_host_login: switched(self.allow_host_login),
                allow_nesting: switched(self.allow_nesting),
                ssh_agent: KeyChoice::from_flags(&self.ssh_agent),
                gpg_agent: KeyChoice::from_flags(&self.gpg_agent),
                gpg_agent_decrypt: switched(self.gpg_agent_decrypt),
                confirm_keys: switched(self.confirm_keys),
                allow_container_engine: switched(self.allow_container_engine),
                allow_write: self.allow_write.clone(),
                accept_config: switched(self.accept_config),
                mounts: self.mount.clone(),
                allow: self.allow.clone(),
                forward: self.forward.clone(),
                publish: self.publish.clone(),
                limits: LimitSettings { memory: self.memory, pids: self.pids, cpus: self.cpus },
                env,
                ..Settings::default()
            },
            profiles: self.profile.clone(),
            command: (!for_agent).then(|| self.command.clone()),
            agent_args: if for_agent { self.command.clone() } else { Vec::new() },
            workdir: self.workdir.clone(),
            keep: self.keep,
        }
    }
}
