//! Policy: the merged layers with every template expanded on this machine. What was said becomes what
//! is meant; nothing is decided about the sandbox yet.

use std::net::SocketAddr;

use camino::{Utf8Path, Utf8PathBuf};

use crate::agent::Agent;
use crate::built_in::{CallRule, SecretPath, System};
use crate::config::{Flags, KeyChoice, KeyDecisions, Merged, MountSpec, Proposal, Trust};
use crate::deferred::{Deferred, DeferredRule, ScanBounds, rules};
use crate::facts::{DeferredQuestion, HostFacts, KeyQuestions, Questions, SocketKind};
use crate::host::{Host, HostRule};
use crate::origin::{Decided, Origin, OriginLayer};
use crate::path::{PathTemplate, is_within};
use crate::plan::{Access, AuthMode, BackendKind, ForwardSpec, NetworkTier, PublishSpec, StateMode};
use crate::tool::Tool;

mod limits;
#[cfg(test)]
mod tests;

pub use limits::Bounds;

/// What is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The agent's data file.
    pub agent: Agent,
    /// Program and arguments.
    pub command: Decided<Vec<String>>,
    /// Whether the command is the agent's own program.
    pub runs_agent: bool,
    /// The working folder inside.
    pub workdir: Utf8PathBuf,
    /// The account's name.
    pub account: Decided<String>,
    /// The auth mode.
    pub auth: Decided<AuthMode>,
    /// The state mode.
    pub state: Decided<StateMode>,
    /// Whether what is done in a working copy of the state is merged back.
    pub keep: bool,
    /// The network tier.
    pub network: Decided<NetworkTier>,
    /// The backend.
    pub backend: Decided<BackendKind>,
    /// The image of a backend that has images.
    pub image: Decided<String>,
    /// Whether the agent may skip its own questions.
    pub unattended: Decided<bool>,
    /// Whether the agent's folder-trust question is answered.
    pub trust_folder: Decided<bool>,
    /// Whether the agent is uid 0 inside.
    pub as_root_inside: Decided<bool>,
    /// Whether `--auth shared` may share the user's own login.
    pub allow_host_login: Decided<bool>,
    /// Whether sandboxes may be made inside.
    pub allow_nesting: Decided<bool>,
    /// The user's keys, and sockets that are the machine itself.
    pub keys: KeyDecisions,
    /// Scopes that the login must have: the agent's, and what the layers demand.
    pub scopes: Vec<String>,
    /// Mounts, weakest layer first.
    pub mounts: Vec<MountRequest>,
    /// Folders for the PATH.
    pub path: Vec<Decided<Utf8PathBuf>>,
    /// Names of variables to pass.
    pub env_pass: Vec<Decided<String>>,
    /// Variables to set.
    pub env_set: Vec<Decided<(String, String)>>,
    /// Paths to hide.
    pub hide: Vec<Decided<Utf8PathBuf>>,
    /// Paths to make read-only.
    pub readonly: Vec<Decided<Utf8PathBuf>>,
    /// Secret paths that may be mounted.
    pub expose: Vec<Decided<Utf8PathBuf>>,
    /// What the host runs later: the lists of the product, of the agents and of the layers, one rule a path.
    pub deferred: Vec<DeferredRule>,
    /// How far it is looked for.
    pub scan: ScanBounds,
    /// Such paths that may be written all the same.
    pub allow_write: Vec<Decided<Utf8PathBuf>>,
    /// Whether every change of git's configuration reaches the host.
    pub accept_config: Decided<bool>,
    /// Hosts that may be reached.
    pub allow: Vec<Decided<HostRule>>,
    /// Services of the host that are there inside.
    pub forward: Vec<Decided<ForwardSpec>>,
    /// Ports of the sandbox on the host's loopback.
    pub publish: Vec<Decided<PublishSpec>>,
    /// Names that mean another address.
    pub upstream: Vec<Decided<(Host, SocketAddr)>>,
    /// A file with more certificate authorities.
    pub ca_file: Option<Decided<Utf8PathBuf>>,
    /// Bounds on resources.
    pub limits: Bounds,
    /// Paths that no mount may expose.
    pub secrets: Vec<Secret>,
    /// What every sandbox gets of the system.
    pub system: System,
    /// Rules about system calls.
    pub system_calls: Vec<CallRule>,
    /// What the project asked for beyond tightening.
    pub proposals: Vec<Proposal>,
    /// What the user trusts.
    pub trust: Trust,
    /// Tools whose hosts may be reached.
    pub tools: Vec<Tool>,
}

/// A mount that a layer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountRequest {
    /// On the host, absolute and clean.
    pub source: Utf8PathBuf,
    /// Inside, absolute and clean.
    pub target: Utf8PathBuf,
    /// `ro` or `rw`.
    pub access: Access,
    /// Leave it out where the source does not exist.
    pub optional: bool,
    /// Who asked.
    pub origin: Origin,
}

/// A path that no mount may expose, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Absolute and clean; everything below it counts.
    pub path: Utf8PathBuf,
    /// What is secret about it.
    pub reason: String,
    /// Paths below it that hold no secret.
    pub except: Vec<Utf8PathBuf>,
    /// What it leads to, when it is a socket.
    pub socket: Option<SocketKind>,
}

/// What was said and means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A path needs a home folder or a variable that is not there.
    #[error("`{template}` leads nowhere: a variable or the home folder in it is not set ({origin})")]
    NoSuchPath {
        /// As written.
        template: String,
        /// Who wrote it.
        origin: Origin,
    },
    /// `protect` names paths of projects, not of the machine.
    #[error("`{path}` is no path below a project ({origin})")]
    NotBelowProject {
        /// The path.
        path: String,
        /// Who wrote it.
        origin: Origin,
    },
    /// A line break or another control character in a path.
    #[error("a path with control characters cannot be used: {path:?} ({origin})")]
    ControlCharacters {
        /// The path.
        path: String,
        /// Who wrote it.
        origin: Origin,
    },
}

impl PolicyError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoSuchPath { .. } => "set HOME, or write the path in full".to_owned(),
            Self::NotBelowProject { .. } => {
                "write it as in `protect = [\".vscode\", \"ci/deploy.sh\"]`; `readonly` takes other paths"
                    .to_owned()
            }
            Self::ControlCharacters { .. } => "rename the file or folder".to_owned(),
        }
    }
}

/// Data files and flags that [`resolve`] needs besides the merged layers.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The agent's data file.
    pub agent: Agent,
    /// Every known agent: their login folders are secret, too.
    pub all_agents: Vec<Agent>,
    /// What every sandbox gets.
    pub system: System,
    /// What no mount may expose.
    pub secrets: Vec<SecretPath>,
    /// Rules about system calls.
    pub system_calls: Vec<CallRule>,
    /// What the user trusts.
    pub trust: Trust,
    /// Host tools.
    pub tools: Vec<Tool>,
    /// What the host runs later.
    pub deferred: Deferred,
}

impl Inputs {
    /// What the machine has to be asked before the plan can be made.
    pub fn questions(&self, merged: &Merged, flags: &Flags, base: &HostFacts) -> Questions {
        let mut templates: Vec<PathTemplate> = Vec::new();
        templates.extend(self.system.folders.iter().cloned());
        templates.extend(self.system.etc.iter().map(|name| PathTemplate(format!("/etc/{name}"))));
        templates
            .extend(["/etc/hosts", "/bin/bash", "/usr/bin/bash"].map(|path| PathTemplate(path.to_owned())));
        templates.extend(self.system.path.iter().cloned());
        templates.extend(self.system.tool_config.iter().cloned());
        templates.extend(self.system.proc_hidden.iter().cloned());
        if base.user.uid == 0 {
            templates.extend(self.system.proc_hidden_from_root.iter().cloned());
        }
        templates.extend(self.secrets.iter().map(|secret| secret.path.clone()));
        let mut paths = Vec::new();
        if let Some(state) = &self.agent.state
            && let Some(folder) = state.host.iter().find_map(|template| template.expand(base))
        {
            paths.extend(self.agent.own_files().map(|name| folder.join(name)));
        }
        // Also where a login folder apart from the rest is shared.
        if let Some(login) = &self.agent.login
            && let Some(folder) = login.folders.iter().find_map(|template| template.expand(base))
        {
            paths.extend(self.agent.own_files().map(|name| folder.join(name)));
        }
        if let Some(host_path) = base.public_value("PATH") {
            paths.extend(host_path.split(':').filter(|entry| entry.starts_with('/')).map(Utf8PathBuf::from));
        }
        let layer_paths = merged.mounts.iter().map(|mount| (&mount.value.source, &mount.origin));
        let layer_paths = layer_paths.chain(merged.path.iter().map(|path| (&path.value, &path.origin)));
        let layer_paths = layer_paths.chain(merged.hide.iter().map(|path| (&path.value, &path.origin)));
        let layer_paths = layer_paths.chain(merged.readonly.iter().map(|path| (&path.value, &path.origin)));
        paths.extend(layer_paths.filter_map(|(template, origin)| locate(template, origin, base)));
        paths.extend(merged.forward.iter().filter_map(|service| match &service.value {
            ForwardSpec::Socket(path) => Some(path.clone()),
            ForwardSpec::Port(_) => None,
        }));
        // The folders around what is taken away are kept in place.
        let taken_away = merged.hide.iter().chain(&merged.readonly);
        for path in taken_away.filter_map(|path| locate(&path.value, &path.origin, base)) {
            let parents = path.ancestors().skip(1).take_while(|parent| is_within(parent, &base.project.path));
            paths.extend(parents.map(Utf8Path::to_owned));
        }
        if let Some(git) = &base.project.git {
            paths.extend([git.git_dir.clone(), git.common_dir.clone()]);
        }
        paths.extend([base.project.path.clone(), base.coffer.clone(), workdir(flags, base)]);
        let own = &base.folders;
        paths.extend([&own.data, &own.runtime, &own.config].map(Clone::clone));
        paths.extend(own.config.parent().map(Utf8Path::to_owned));
        let depends_on_tools = matches!(merged.network.value, NetworkTier::Dev | NetworkTier::Learn);
        let tools = if depends_on_tools { self.tools.clone() } else { Vec::new() };
        Questions {
            agent: Some(self.agent.clone()),
            templates,
            paths,
            workdir: Some(workdir(flags, base)),
            tools,
            writable: writable(merged, base),
            keys: key_questions(merged),
            sockets: sockets(merged, base),
            deferred: Some(DeferredQuestion {
                rules: rules(&self.deferred, &self.all_agents, &merged.protect),
                scan: self.deferred.scan.clone(),
            }),
        }
    }
}

/// What has to be known of the user's keys.
fn key_questions(merged: &Merged) -> KeyQuestions {
    let (ssh, gpg) = (&merged.keys.ssh.value, &merged.keys.gpg.value);
    let (ssh, gpg) = (*ssh != KeyChoice::None, *gpg != KeyChoice::None);
    KeyQuestions { ssh, gpg, askpass: merged.keys.confirm.value && (ssh || gpg) }
}

/// What may be a socket that somebody wants inside.
fn sockets(merged: &Merged, base: &HostFacts) -> Vec<Utf8PathBuf> {
    let forwarded = merged.forward.iter().filter_map(|service| match &service.value {
        ForwardSpec::Socket(path) => Some(path.clone()),
        ForwardSpec::Port(_) => None,
    });
    let mounted = merged.mounts.iter().filter_map(|mount| locate(&mount.value.source, &mount.origin, base));
    forwarded.chain(mounted).collect()
}

/// What a sandbox of this run, or of another one before it, can write.
fn writable(merged: &Merged, base: &HostFacts) -> Vec<Utf8PathBuf> {
    let mut folders =
        vec![base.project.path.clone(), base.folders.data.clone(), base.folders.runtime.clone()];
    if let Some(git) = base.project.git.as_ref().filter(|git| git.verified) {
        folders.extend([git.git_dir.clone(), git.common_dir.clone()]);
    }
    let mounts = merged.mounts.iter().filter(|mount| mount.value.access == Access::Rw);
    folders.extend(mounts.filter_map(|mount| locate(&mount.value.source, &mount.origin, base)));
    folders
}

/// The working folder inside: a relative one counts from where the command was given.
fn workdir(flags: &Flags, facts: &HostFacts) -> Utf8PathBuf {
    match &flags.workdir {
        Some(folder) => crate::path::clean(&facts.project.start.join(folder)),
        None => facts.project.start.clone(),
    }
}

/// The absolute path that a layer means: relative ones count from the folder of the command for flags,
/// from the project for everything else.
fn locate(template: &PathTemplate, origin: &Origin, facts: &HostFacts) -> Option<Utf8PathBuf> {
    let text = template.0.as_str();
    if text.starts_with('/') || text.starts_with("${") || text == "~" || text.starts_with("~/") {
        return template.expand(facts);
    }
    let base = match origin.layer {
        OriginLayer::Flag => &facts.project.start,
        OriginLayer::BuiltIn
        | OriginLayer::Agent
        | OriginLayer::Account
        | OriginLayer::Tool
        | OriginLayer::Profile
        | OriginLayer::UserFile
        | OriginLayer::PerProject
        | OriginLayer::ProjectFile => &facts.project.path,
    };
    Some(crate::path::clean(&base.join(text)))
}

/// Whether it can be matched in any folder of a project.
fn is_below_project(path: &str) -> bool {
    let plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.chars().any(char::is_control);
    path.split('/').all(plain)
}

/// Expands every template on this machine.
///
/// # Errors
/// Every path that leads nowhere or has control characters, all of them at once.
pub fn resolve(
    merged: Merged,
    flags: &Flags,
    inputs: Inputs,
    facts: &HostFacts,
) -> Result<Policy, Vec<PolicyError>> {
    let mut errors = Vec::new();
    let mut place = |template: &PathTemplate, origin: &Origin| -> Option<Utf8PathBuf> {
        let Some(path) = locate(template, origin, facts) else {
            errors.push(PolicyError::NoSuchPath { template: template.0.clone(), origin: origin.clone() });
            return None;
        };
        if path.as_str().chars().any(char::is_control) {
            errors.push(PolicyError::ControlCharacters { path: path.into(), origin: origin.clone() });
            return None;
        }
        Some(path)
    };
    let mounts = requested(&merged.mounts, facts, &mut place);
    let ca_file = match &merged.ca_file {
        Some(Decided { value, origin }) => {
            place(value, origin).map(|file| Decided::new(file, origin.clone()))
        }
        None => None,
    };
    let mut places = |list: &[Decided<PathTemplate>], optional: bool| -> Vec<Decided<Utf8PathBuf>> {
        let keep = |entry: &&Decided<PathTemplate>| {
            !optional || locate(&entry.value, &entry.origin, facts).is_some()
        };
        let placed = list.iter().filter(keep).filter_map(|Decided { value, origin }| {
            Some(Decided::new(place(value, origin)?, origin.clone()))
        });
        placed.collect()
    };
    let path = places(&merged.path, true);
    let (hide, readonly, expose) =
        (places(&merged.hide, false), places(&merged.readonly, false), places(&merged.expose, false));
    let allow_write = places(&merged.allow_write, false);
    for Decided { value, origin } in merged.protect.iter().filter(|path| !is_below_project(&path.value)) {
        errors.push(PolicyError::NotBelowProject { path: value.clone(), origin: origin.clone() });
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let (command, runs_agent) = command(&inputs.agent, &merged.unattended, flags);
    let secrets = secrets(&inputs, facts);
    let deferred = rules(&inputs.deferred, &inputs.all_agents, &merged.protect);
    Ok(Policy {
        runs_agent,
        command,
        workdir: workdir(flags, facts),
        auth: merged.auth.unwrap_or_else(|| Decided::new(AuthMode::Lease, Origin::built_in("default"))),
        account: merged.account,
        state: merged.state,
        keep: flags.keep,
        network: merged.network,
        backend: merged.backend,
        image: merged.image.unwrap_or_else(|| default_image(&inputs.agent)),
        unattended: merged.unattended,
        trust_folder: merged.trust_folder,
        as_root_inside: merged.as_root_inside,
        allow_host_login: merged.allow_host_login,
        allow_nesting: merged.allow_nesting,
        keys: merged.keys,
        scopes: scopes(&inputs.agent, merged.scopes),
        mounts,
        path,
        env_pass: merged.env_pass,
        env_set: merged.env_set,
        hide,
        readonly,
        expose,
        deferred,
        scan: inputs.deferred.scan,
        allow_write,
        accept_config: merged.accept_config,
        allow: merged.allow,
        forward: merged.forward,
        publish: merged.publish,
        upstream: merged.upstream,
        ca_file,
        limits: limits::settle(merged.limits, facts),
        secrets,
        system: inputs.system,
        system_calls: inputs.system_calls,
        proposals: merged.proposals,
        trust: inputs.trust,
        tools: inputs.tools,
        agent: inputs.agent,
    })
}

/// The image that `coffer image build` makes for an agent.
pub fn default_image(agent: &Agent) -> Decided<String> {
    Decided::new(crate::image::name_of(&agent.name, &[]), Origin::new(OriginLayer::Agent, &agent.name))
}

/// The mounts of all layers, each at the place that `place` finds for it.
fn requested(
    specs: &[Decided<MountSpec>],
    facts: &HostFacts,
    place: &mut impl FnMut(&PathTemplate, &Origin) -> Option<Utf8PathBuf>,
) -> Vec<MountRequest> {
    let mut mounts = Vec::new();
    for Decided { value: spec, origin } in specs {
        if spec.optional && locate(&spec.source, origin, facts).is_none() {
            continue;
        }
        let Some(source) = place(&spec.source, origin) else {
            continue;
        };
        let target = match &spec.target {
            Some(target) => place(target, origin),
            None => Some(source.clone()),
        };
        let Some(target) = target else { continue };
        mounts.push(MountRequest {
            source,
            target,
            access: spec.access,
            optional: spec.optional,
            origin: origin.clone(),
        });
    }
    mounts
}

fn scopes(agent: &Agent, demanded: Vec<Decided<String>>) -> Vec<String> {
    let mut scopes: Vec<String> = agent.login.iter().flat_map(|login| login.scopes.clone()).collect();
    for scope in demanded.into_iter().map(|demanded| demanded.value) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes
}

/// The command as it is run, and whether it is the agent's own program.
fn command(agent: &Agent, unattended: &Decided<bool>, flags: &Flags) -> (Decided<Vec<String>>, bool) {
    if let Some(command) = &flags.command {
        return (Decided::new(command.clone(), Origin::flag("--")), false);
    }
    let mut argv = agent.command.clone();
    if unattended.value {
        argv.extend(agent.unattended.args.iter().cloned());
    }
    argv.extend(flags.agent_args.iter().cloned());
    (Decided::new(argv, Origin::new(OriginLayer::Agent, &agent.name)), true)
}

fn secrets(inputs: &Inputs, facts: &HostFacts) -> Vec<Secret> {
    let mut out: Vec<Secret> = Vec::new();
    for secret in &inputs.secrets {
        if let Some(path) = secret.path.expand(facts) {
            let except = secret.except.iter().map(|name| path.join(name)).collect();
            let (reason, socket) = (secret.reason.clone(), secret.socket);
            out.push(Secret { path, reason, except, socket });
        }
    }
    for agent in &inputs.all_agents {
        let Some(login) = &agent.login else { continue };
        for folder in login.folders.iter().filter_map(|template| template.expand(facts)) {
            let except = agent.user_config.iter().map(|name| folder.join(name)).collect();
            let reason = format!("the login of {}", agent.title);
            out.retain(|known| known.path != folder);
            out.push(Secret { path: folder, reason, except, socket: None });
        }
    }
    for folder in [&facts.folders.data, &facts.folders.runtime] {
        let reason = "Cofferdam's own store".to_owned();
        out.push(Secret { path: folder.clone(), reason, except: Vec::new(), socket: None });
    }
    let linked: Vec<Secret> = out.iter().filter_map(|secret| behind_links(secret, facts)).collect();
    out.extend(linked);
    out
}

/// The same secret at the place to which links lead.
fn behind_links(secret: &Secret, facts: &HostFacts) -> Option<Secret> {
    let resolved = &facts.path(&secret.path)?.resolved;
    let moved = |except: &Utf8PathBuf| Some(resolved.join(except.strip_prefix(&secret.path).ok()?));
    let except = secret.except.iter().filter_map(moved).collect();
    (*resolved != secret.path).then(|| Secret {
        path: resolved.clone(),
        reason: secret.reason.clone(),
        except,
        socket: secret.socket,
    })
}

impl Secret {
    /// Whether a mount of `source` would show something of this secret.
    pub fn is_exposed_by(&self, source: &Utf8Path) -> bool {
        let excepted = self.except.iter().any(|except| crate::path::is_within(source, except));
        let inside = crate::path::is_within(source, &self.path);
        let around = crate::path::is_within(&self.path, source);
        (inside && !excepted) || around
    }
}
