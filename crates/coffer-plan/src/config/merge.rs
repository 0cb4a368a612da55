//! Merges the layers. Later ones win; a project's own file can only tighten, and what it asks for
//! beyond that becomes a proposal.

use std::net::SocketAddr;

use crate::host::{Host, HostRule};
use crate::origin::{Decided, Origin, OriginLayer};
use crate::path::PathTemplate;
use crate::plan::{AuthMode, BackendKind, ForwardSpec, NetworkTier, PublishSpec, StateMode};
use crate::sign_in::withhold::looks_secret;

use super::file::{AuditMode, ConfigError, MountSpec, Settings, nearest};
use super::keys::KeyDecisions;
use super::layer::Layers;
use super::limits::LimitWishes;

/// What a project asked for and does not get until trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// In words.
    pub text: String,
    /// The project's file and key.
    pub origin: Origin,
}

/// One set of decisions, each with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The agent's name.
    pub agent: Decided<String>,
    /// The account's name.
    pub account: Decided<String>,
    /// The auth mode; `None` leaves it to the kind of account.
    pub auth: Option<Decided<AuthMode>>,
    /// The state mode.
    pub state: Decided<StateMode>,
    /// The network tier.
    pub network: Decided<NetworkTier>,
    /// The backend.
    pub backend: Decided<BackendKind>,
    /// The image of a backend that has images; `None` leaves it to the agent.
    pub image: Option<Decided<String>>,
    /// When the audit is printed.
    pub audit: Decided<AuditMode>,
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
    /// Scopes that a login must have.
    pub scopes: Vec<Decided<String>>,
    /// Mounts, weakest layer first.
    pub mounts: Vec<Decided<MountSpec>>,
    /// Folders for the PATH, weakest layer first.
    pub path: Vec<Decided<PathTemplate>>,
    /// Names of variables to pass.
    pub env_pass: Vec<Decided<String>>,
    /// Variables to set.
    pub env_set: Vec<Decided<(String, String)>>,
    /// Paths to hide.
    pub hide: Vec<Decided<PathTemplate>>,
    /// Paths to make read-only.
    pub readonly: Vec<Decided<PathTemplate>>,
    /// Secret paths that may be mounted.
    pub expose: Vec<Decided<PathTemplate>>,
    /// Paths that the host runs later, besides the built-in ones.
    pub protect: Vec<Decided<String>>,
    /// Such paths that may be written all the same.
    pub allow_write: Vec<Decided<PathTemplate>>,
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
    pub ca_file: Option<Decided<PathTemplate>>,
    /// Bounds on resources.
    pub limits: LimitWishes,
    /// What the project asked for beyond tightening.
    pub proposals: Vec<Proposal>,
}

impl Merged {
    fn built_in() -> Self {
        let default = || Origin::built_in("default");
        Self {
            agent: Decided::new("claude".to_owned(), default()),
            account: Decided::new("host".to_owned(), default()),
            auth: None,
            state: Decided::new(StateMode::Project, default()),
            network: Decided::new(NetworkTier::Dev, default()),
            backend: Decided::new(BackendKind::Bwrap, default()),
            image: None,
            audit: Decided::new(AuditMode::Always, default()),
            unattended: Decided::new(false, default()),
            trust_folder: Decided::new(false, default()),
            as_root_inside: Decided::new(false, default()),
            allow_host_login: Decided::new(false, default()),
            allow_nesting: Decided::new(false, default()),
            keys: KeyDecisions::none(),
            scopes: Vec::new(),
            mounts: Vec::new(),
            path: Vec::new(),
            env_pass: Vec::new(),
            env_set: Vec::new(),
            hide: Vec::new(),
            readonly: Vec::new(),
            expose: Vec::new(),
            protect: Vec::new(),
            allow_write: Vec::new(),
            accept_config: Decided::new(false, default()),
            allow: Vec::new(),
            forward: Vec::new(),
            publish: Vec::new(),
            upstream: Vec::new(),
            ca_file: None,
            limits: LimitWishes::default(),
            proposals: Vec::new(),
        }
    }

    /// Applies a layer that a person or the product wrote.
    fn apply(&mut self, settings: &Settings, origin: impl Fn(&str) -> Origin) {
        fn set<T: Clone>(slot: &mut Decided<T>, value: Option<&T>, origin: Origin) {
            if let Some(value) = value {
                *slot = Decided::new(value.clone(), origin);
            }
        }
        set(&mut self.agent, settings.agent.as_ref(), origin("agent"));
        set(&mut self.account, settings.account.as_ref(), origin("account"));
        set(&mut self.state, settings.state.as_ref(), origin("state"));
        set(&mut self.network, settings.network.as_ref(), origin("network"));
        set(&mut self.backend, settings.backend.as_ref(), origin("backend"));
        set(&mut self.audit, settings.audit.as_ref(), origin("audit"));
        set(&mut self.unattended, settings.unattended.as_ref(), origin("unattended"));
        set(&mut self.trust_folder, settings.trust_folder.as_ref(), origin("trust_folder"));
        set(&mut self.as_root_inside, settings.as_root_inside.as_ref(), origin("as_root_inside"));
        set(&mut self.allow_host_login, settings.allow_host_login.as_ref(), origin("allow_host_login"));
        set(&mut self.allow_nesting, settings.allow_nesting.as_ref(), origin("allow_nesting"));
        if let Some(image) = &settings.image {
            self.image = Some(Decided::new(image.clone(), origin("image")));
        }
        self.keys.apply(settings, &origin);
        if let Some(auth) = settings.auth {
            self.auth = Some(Decided::new(auth, origin("auth")));
        }
        extend(&mut self.mounts, &settings.mounts, &origin("mount"));
        extend(&mut self.path, &settings.path, &origin("path"));
        extend(&mut self.env_pass, &settings.env.pass, &origin("env.pass"));
        let set_vars: Vec<_> = settings.env.set.clone().into_iter().collect();
        extend(&mut self.env_set, &set_vars, &origin("env.set"));
        extend(&mut self.expose, &settings.expose, &origin("expose"));
        extend(&mut self.allow_write, &settings.allow_write, &origin("allow_write"));
        set(&mut self.accept_config, settings.accept_config.as_ref(), origin("accept_config"));
        extend(&mut self.allow, &settings.allow, &origin("allow"));
        extend(&mut self.forward, &settings.forward, &origin("forward"));
        extend(&mut self.publish, &settings.publish, &origin("publish"));
        self.limits.apply(&settings.limits, &origin);
        self.deny(settings, origin);
    }

    /// What every layer may do: take away.
    fn deny(&mut self, settings: &Settings, origin: impl Fn(&str) -> Origin) {
        extend(&mut self.hide, &settings.hide, &origin("hide"));
        extend(&mut self.readonly, &settings.readonly, &origin("readonly"));
        extend(&mut self.protect, &settings.protect, &origin("protect"));
        extend(&mut self.scopes, &settings.scopes, &origin("scopes"));
    }

    /// Applies a project's own file that nobody trusted: only what tightens.
    fn tighten(&mut self, settings: &Settings, origin: impl Fn(&str) -> Origin) {
        self.deny(settings, &origin);
        let wider = self.limits.tighten(&settings.limits, &origin);
        self.proposals.extend(wider);
        let mut propose = |key: &str, text: String| {
            self.proposals.push(Proposal { text, origin: origin(key) });
        };
        if let Some(tier) = settings.network {
            if tier <= self.network.value {
                self.network = Decided::new(tier, origin("network"));
            } else {
                propose("network", format!("network tier `{tier}`"));
            }
        }
        match settings.auth {
            Some(AuthMode::None) => self.auth = Some(Decided::new(AuthMode::None, origin("auth"))),
            Some(mode) => propose("auth", format!("auth mode `{mode}`")),
            None => {}
        }
        match settings.state {
            Some(StateMode::Fresh) => self.state = Decided::new(StateMode::Fresh, origin("state")),
            Some(mode) => propose("state", format!("state mode `{mode}`")),
            None => {}
        }
        let words = [
            ("agent", settings.agent.clone()),
            ("account", settings.account.clone()),
            ("backend", settings.backend.map(|kind| kind.to_string())),
            ("image", settings.image.clone()),
            ("unattended", settings.unattended.map(|value| value.to_string())),
            ("accept_config", settings.accept_config.map(|value| value.to_string())),
            ("profiles", settings.profiles.as_ref().map(|names| names.join(", "))),
        ];
        for (key, value) in words {
            if let Some(value) = value {
                propose(key, format!("{key} `{value}`"));
            }
        }
        match settings.allow_nesting {
            Some(true) => propose("allow_nesting", "sandboxes inside (`--allow-nesting`)".to_owned()),
            Some(false) => self.allow_nesting = Decided::new(false, origin("allow_nesting")),
            None => {}
        }
        self.keys.tighten(settings, &origin, &mut propose);
        for mount in &settings.mounts {
            let target =
                mount.target.as_ref().map(|target| format!(" on `{}`", target.0)).unwrap_or_default();
            propose("mount", format!("mount of `{}`{target} ({})", mount.source.0, mount.access));
        }
        for folder in &settings.path {
            propose("path", format!("`{}` on the PATH", folder.0));
        }
        for path in &settings.allow_write {
            propose("allow_write", format!("writing `{}`, which the host runs later", path.0));
        }
        for rule in &settings.allow {
            propose("allow", format!("host `{rule}` (`coffer allow {rule}`)"));
        }
        for what in &settings.forward {
            propose("forward", format!("the host's service `{what}` (`--forward {what}`)"));
        }
        for what in &settings.publish {
            propose("publish", format!("port on the host's loopback `{what}` (`--publish {what}`)"));
        }
        for name in &settings.env.pass {
            propose("env.pass", format!("variable `{name}` from the host"));
        }
        for (name, value) in &settings.env.set {
            let value = if looks_secret(name, value) { "****" } else { value };
            propose("env.set", format!("variable `{name}` set to `{value}`"));
        }
    }
}

fn extend<T: Clone>(list: &mut Vec<Decided<T>>, more: &[T], origin: &Origin) {
    list.extend(more.iter().map(|value| Decided::new(value.clone(), origin.clone())));
}

/// Merges the layers in the order built-in, user's file, configured profiles, project's file, per-project
/// choices, profiles named by flags, flags. So a project's tightening is undone by nothing but the user's
/// choice for that project or a flag.
///
/// # Errors
/// When a layer names a profile that does not exist.
pub fn merge(layers: &Layers) -> Result<Merged, ConfigError> {
    let mut merged = Merged::built_in();
    let user = &layers.user;
    merged.apply(&user.settings, |key| Origin::new(OriginLayer::UserFile, format!("{}: {key}", user.path)));
    let origin = |key: &str| Origin::new(OriginLayer::UserFile, format!("{}: {key}", user.path));
    let hosts: Vec<_> = user.upstream.hosts.clone().into_iter().collect();
    extend(&mut merged.upstream, &hosts, &origin("upstream.hosts"));
    let ca_file = user.upstream.ca_file.clone();
    merged.ca_file = ca_file.map(|file| Decided::new(file, origin("upstream.ca_file")));
    let configured = configured_profiles(layers);
    for name in &configured.value {
        apply_profile(&mut merged, layers, name, &configured.origin)?;
    }
    if let Some((path, file, trusted)) = &layers.project {
        let origin = |key: &str| Origin::new(OriginLayer::ProjectFile, format!("{path}: {key}"));
        if *trusted {
            merged.apply(&file.settings, origin);
        } else {
            merged.tighten(&file.settings, origin);
        }
    }
    if let Some(chosen) = user.projects.get(layers.project_path.as_str()) {
        merged.apply(chosen, |key| Origin::new(OriginLayer::PerProject, key));
    }
    for name in &layers.flags.profiles {
        apply_profile(&mut merged, layers, name, &Origin::flag("--profile"))?;
    }
    merged.apply(&layers.flags.settings, |key| Origin::flag(flag_name(key)));
    Ok(merged)
}

/// The profiles that files name; the strongest file's list counts.
fn configured_profiles(layers: &Layers) -> Decided<Vec<String>> {
    let user = &layers.user;
    let chosen = user.projects.get(layers.project_path.as_str()).and_then(|chosen| {
        Some((chosen.profiles.clone()?, Origin::new(OriginLayer::PerProject, "profiles")))
    });
    let project = layers.project.as_ref().filter(|(_, _, trusted)| *trusted).and_then(|(path, file, _)| {
        let origin = Origin::new(OriginLayer::ProjectFile, format!("{path}: profiles"));
        Some((file.settings.profiles.clone()?, origin))
    });
    let own = user
        .settings
        .profiles
        .clone()
        .map(|names| (names, Origin::new(OriginLayer::UserFile, format!("{}: profiles", user.path))));
    let default = || (vec!["toolchains".to_owned()], Origin::built_in("default"));
    let (names, origin) = chosen.or(project).or(own).unwrap_or_else(default);
    Decided::new(names, origin)
}

fn apply_profile(
    merged: &mut Merged,
    layers: &Layers,
    name: &str,
    asked_by: &Origin,
) -> Result<(), ConfigError> {
    let own = &layers.user.profiles;
    let Some(settings) = own.get(name).or_else(|| layers.built_in_profiles.get(name)) else {
        let known = own.keys().chain(layers.built_in_profiles.keys()).map(String::as_str);
        return Err(ConfigError::UnknownProfile {
            name: name.to_owned(),
            origin: asked_by.clone(),
            nearest: nearest(name, known),
        });
    };
    merged.apply(settings, |_| Origin::new(OriginLayer::Profile, name));
    Ok(())
}

/// The flag that says what a config key says.
fn flag_name(key: &str) -> String {
    match key {
        "env.pass" | "env.set" => "--env".to_owned(),
        other => format!("--{}", other.strip_prefix("limits.").unwrap_or(other).replace('_', "-")),
    }
}
