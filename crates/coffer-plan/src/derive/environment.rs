//! The environment: what the sandbox makes, what passes from the host, what the user adds.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::credential::SignedIn;
use super::image;
use super::key_agents::SSH_VARIABLE;
use super::mounts::MountList;
use super::system::shell;
use super::{API_PORT, INIT, PROXY_PORT, WAY_OUT, network};
use crate::facts::{EnvFact, HostFacts, SettingsScope};
use crate::origin::{Origin, OriginLayer};
use crate::plan::{
    EnvClass, EnvEntry, EnvValue, Identity, KeyAgent, KeyAgentKind, Note, PlanError, Reference,
};
use crate::policy::Policy;
use crate::sign_in::withhold::looks_secret;

/// The environment and what was refused in it.
pub(super) struct Environment {
    pub(super) entries: Vec<EnvEntry>,
    pub(super) errors: Vec<PlanError>,
    pub(super) notes: Vec<Note>,
}

/// One entry a name; later ones replace earlier ones.
struct Builder<'a> {
    facts: &'a HostFacts,
    by_name: BTreeMap<String, EnvEntry>,
}

impl Builder<'_> {
    fn set(&mut self, name: &str, value: impl Into<String>, class: EnvClass, origin: &Origin) {
        let value = EnvValue::Value { value: value.into() };
        let entry = EnvEntry { name: name.to_owned(), value, class, origin: origin.clone() };
        self.by_name.insert(name.to_owned(), entry);
    }

    fn refer(&mut self, name: &str, reference: Reference, label: String, class: EnvClass, origin: &Origin) {
        let value = EnvValue::Reference { reference, label };
        let entry = EnvEntry { name: name.to_owned(), value, class, origin: origin.clone() };
        self.by_name.insert(name.to_owned(), entry);
    }

    /// Passes every variable of the host that the pattern names and that is set.
    fn pass(&mut self, pattern: &str, class: EnvClass, origin: &Origin) {
        let matching = self.facts.environment.iter().filter(|(name, _)| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => *name == pattern,
        });
        let found: Vec<(String, EnvFact)> =
            matching.map(|(name, fact)| (name.clone(), fact.clone())).collect();
        for (name, fact) in found {
            match fact {
                EnvFact::Value(value) if !value.is_empty() => self.set(&name, value, class, origin),
                EnvFact::Redacted(label) => {
                    self.refer(&name, Reference::HostEnv(name.clone()), label, class, origin)
                }
                EnvFact::Value(_) | EnvFact::Empty => {}
            }
        }
    }
}

/// Derives the environment.
pub(super) fn derive(
    policy: &Policy,
    facts: &HostFacts,
    identity: &Identity,
    signed_in: &SignedIn,
    key_agents: &[KeyAgent],
    list: &MountList<'_>,
) -> Environment {
    let mut builder = Builder { facts, by_name: BTreeMap::new() };
    let (mut errors, mut notes) = (Vec::new(), Vec::new());
    let engine = image::Engine::of(policy, facts);
    let of_image = image::origin();
    for (name, value) in engine.into_iter().flat_map(|engine| image::environment(engine, policy)) {
        match value {
            Some(value) => builder.set(name, value, EnvClass::Sandbox, &of_image),
            None => {
                let (reference, label) = (Reference::ImageEnv(name.to_owned()), "the image's".to_owned());
                builder.refer(name, reference, label, EnvClass::Sandbox, &of_image);
            }
        }
    }
    let allowlist = Origin::built_in("env allowlist");
    for name in &policy.system.env_pass {
        builder.pass(name, EnvClass::Host, &allowlist);
    }
    let agent_pass = Origin::new(OriginLayer::Agent, format!("{}: env.pass", policy.agent.name));
    for name in &policy.agent.env.pass {
        builder.pass(name, EnvClass::Host, &agent_pass);
    }
    api(&mut builder, policy, signed_in);
    for entry in policy.env_pass.iter().filter(|entry| !image::is_of_host(policy, &entry.origin)) {
        builder.pass(&entry.value, EnvClass::Extra, &entry.origin);
        let is_set = facts.is_set(&entry.value) || builder.by_name.contains_key(&entry.value);
        if entry.origin.is_persons_word() && !entry.value.ends_with('*') && !is_set {
            let text = format!("`{}` is not set on the host, so it is not set inside", entry.value);
            notes.push(Note { text, origin: entry.origin.clone() });
        }
    }
    for entry in policy.env_set.iter().filter(|entry| !image::is_of_host(policy, &entry.origin)) {
        let (name, value) = &entry.value;
        if looks_secret(name, value) {
            errors.push(PlanError::SecretValue { name: name.clone(), origin: entry.origin.clone() });
        } else {
            builder.set(name, value, EnvClass::Extra, &entry.origin);
        }
    }
    for (name, reference) in &signed_in.variables {
        let label = match facts.environment.get(name) {
            Some(EnvFact::Redacted(label)) if matches!(reference, Reference::HostEnv(_)) => label.clone(),
            Some(_) | None => match reference {
                Reference::AccountSecret { account } => format!("sealed key of the account `{account}`"),
                Reference::AccountHelper { account, program } => {
                    format!("what `{program}` prints, for the account `{account}`")
                }
                Reference::Capability => "a word of this run; the gateway has the credential".to_owned(),
                _ => "set".to_owned(),
            },
        };
        let origin = match &signed_in.account.name {
            Some(_) => &signed_in.account.origin(),
            None => &signed_in.credential.origin,
        };
        match facts.public_value(name) {
            Some(value) if matches!(reference, Reference::HostEnv(_)) => {
                builder.set(name, value, EnvClass::Host, origin);
            }
            Some(_) | None => builder.refer(name, reference.clone(), label, EnvClass::Host, origin),
        }
    }
    withhold_credentials(&mut builder, policy, signed_in);
    sandbox(&mut builder, policy, identity, signed_in, list);
    // GnuPG's clients look where it always is.
    for agent in key_agents.iter().filter(|agent| agent.agent == KeyAgentKind::Ssh) {
        builder.set(SSH_VARIABLE, agent.target.as_str(), EnvClass::Sandbox, &agent.origin);
    }
    errors.extend(reserved(&builder, policy));
    let entries: Vec<EnvEntry> = builder.by_name.into_values().collect();
    errors.extend(
        entries.iter().filter(|entry| !is_variable(entry)).map(|entry| PlanError::VariableUnusable {
            name: entry.name.clone(),
            origin: entry.origin.clone(),
        }),
    );
    Environment { entries, errors, notes }
}

/// Where and how the API is asked: as the user's settings say, which win over the environment; for a named
/// account as it says itself. The host's address does not cross with one: its credential would follow it.
fn api(builder: &mut Builder<'_>, policy: &Policy, signed_in: &SignedIn) {
    let (names, account) = (&policy.agent.account, &signed_in.account);
    let origin = account.origin();
    if account.name.is_some() {
        builder.by_name.retain(|name, _| names.base_url.as_ref() != Some(name));
        for pattern in &account.passes {
            builder.pass(pattern, EnvClass::Host, &origin);
        }
        for (name, value) in &account.values {
            builder.set(name, value, EnvClass::Extra, &origin);
        }
        return;
    }
    let users = builder.facts.settings.iter().find(|settings| settings.scope == SettingsScope::User);
    let Some(settings) = users else { return };
    let origin = Origin::new(OriginLayer::Agent, format!("{}: settings", policy.agent.name));
    for name in names.settings() {
        let label = match settings.env.get(name) {
            Some(EnvFact::Value(value)) if !value.is_empty() => "set".to_owned(),
            Some(EnvFact::Redacted(label)) => label.clone(),
            Some(EnvFact::Value(_) | EnvFact::Empty) | None => continue,
        };
        let reference = Reference::SettingsEnv { name: name.clone(), file: settings.file.clone() };
        builder.refer(name, reference, label, EnvClass::Host, &origin);
    }
}

/// Whether the system takes it for a variable. A zero byte would end the word on the backend's command
/// line, and what follows would be an option.
fn is_variable(entry: &EnvEntry) -> bool {
    let value = match &entry.value {
        EnvValue::Value { value } => value.as_str(),
        EnvValue::Reference { .. } => "",
    };
    !entry.name.is_empty() && !entry.name.contains(['=', '\0']) && !value.contains('\0')
}

/// A credential crosses by the rules of signing in only, never because a pattern happened to match;
/// what a person passes by its full name is their word.
fn withhold_credentials(builder: &mut Builder<'_>, policy: &Policy, signed_in: &SignedIn) {
    for rule in &policy.agent.credentials {
        let crosses = signed_in.variables.iter().any(|(name, _)| *name == rule.source);
        let named = policy.env_pass.iter().any(|entry| entry.value == rule.source);
        let set = policy.env_set.iter().any(|entry| entry.value.0 == rule.source);
        if !crosses && !named && !set {
            builder.by_name.remove(&rule.source);
        }
    }
}

/// What a person asked for by name and the sandbox makes itself.
fn reserved(builder: &Builder<'_>, policy: &Policy) -> Vec<PlanError> {
    let set = policy.env_set.iter().map(|entry| (&entry.value.0, &entry.origin));
    let passed = policy.env_pass.iter().map(|entry| (&entry.value, &entry.origin));
    let of_image = image::origin();
    let made = |name: &String| {
        let entry = builder.by_name.get(name);
        entry.is_some_and(|entry| entry.class == EnvClass::Sandbox && entry.origin != of_image)
    };
    set.chain(passed)
        .filter(|(name, _)| made(name))
        .map(|(name, origin)| PlanError::VariableReserved { name: name.clone(), origin: origin.clone() })
        .collect()
}

/// What the sandbox makes itself; nobody can replace it.
fn sandbox(
    builder: &mut Builder<'_>,
    policy: &Policy,
    identity: &Identity,
    signed_in: &SignedIn,
    list: &MountList<'_>,
) {
    let made = Origin::built_in("made by the sandbox");
    let mut set = |name: &str, value: &str| builder.set(name, value, EnvClass::Sandbox, &made);
    set("HOME", identity.home.as_str());
    let engine = image::Engine::of(policy, list.facts);
    set("PATH", &engine.map_or_else(|| search_path(policy, list), |it| image::search_path(it, policy, list)));
    set("PWD", policy.workdir.as_str());
    set("SHELL", if engine.is_some() { "/bin/sh" } else { shell(list) });
    set("TMPDIR", "/tmp");
    set("USER", &identity.user);
    set("LOGNAME", &identity.user);
    let state = policy.agent.state.as_ref();
    if let Some((name, home)) =
        state.and_then(|state| Some((state.env.as_ref()?, state.home.expand(list.facts)?)))
    {
        set(name, home.as_str());
    }
    if let Some((name, folder)) = &signed_in.login_env {
        set(name, folder);
    }
    let agent = Origin::new(OriginLayer::Agent, format!("{}: env.set", policy.agent.name));
    for (name, value) in &policy.agent.env.set {
        builder.set(name, value, EnvClass::Sandbox, &agent);
    }
    gateway(builder, policy, signed_in);
    if policy.unattended.value && identity.uid == 0 {
        for (name, value) in &policy.agent.unattended.env_as_root {
            builder.set(name, value, EnvClass::Sandbox, &policy.unattended.origin);
        }
    }
}

/// The way to the gateway, for all who heed such variables. What is on the sandbox's own loopback is reached directly;
/// without that, clients send even a loopback address through the proxy.
fn gateway(builder: &mut Builder<'_>, policy: &Policy, signed_in: &SignedIn) {
    let origin = Origin::built_in(WAY_OUT);
    if network::has_proxy(policy.network.value) {
        let proxy = format!("http://127.0.0.1:{PROXY_PORT}");
        let ssh = format!("ssh -o ProxyCommand='{INIT} connect 127.0.0.1:{PROXY_PORT} %h %p'");
        for (name, value) in [
            ("HTTP_PROXY", proxy.as_str()),
            ("HTTPS_PROXY", &proxy),
            ("http_proxy", &proxy),
            ("https_proxy", &proxy),
            ("NO_PROXY", LOOPBACK),
            ("no_proxy", LOOPBACK),
            // Node.js heeds the others only with it (from 22.21 and 24.0 on).
            ("NODE_USE_ENV_PROXY", "1"),
            ("GIT_SSH_COMMAND", &ssh),
        ] {
            builder.set(name, value, EnvClass::Sandbox, &origin);
        }
        for name in ["ALL_PROXY", "all_proxy"] {
            builder.by_name.remove(name);
        }
    }
    let injected = signed_in.credential.injection.is_some();
    if let Some(layout) = policy.agent.gateway.as_ref().filter(|_| injected) {
        let name = &layout.url_env;
        if network::is_apart(policy) {
            builder.set(name, format!("http://127.0.0.1:{API_PORT}"), EnvClass::Sandbox, &origin);
        } else {
            let label = "where the gateway listens".to_owned();
            builder.refer(name, Reference::GatewayUrl, label, EnvClass::Sandbox, &origin);
        }
    }
}

/// Hosts that are never reached by the proxy.
const LOOPBACK: &str = "localhost,127.0.0.1,::1";

/// The sandbox's PATH: the host's entries in the host's order as far as they are shown inside, then what
/// profiles and the user add, then the system's.
fn search_path(policy: &Policy, list: &MountList<'_>) -> String {
    let facts = list.facts;
    let host =
        facts.public_value("PATH").unwrap_or_default().split(':').filter(|entry| entry.starts_with('/'));
    let agent = facts.agent.as_ref().and_then(|agent| agent.path.parent());
    let candidates = host
        .map(Utf8PathBuf::from)
        .chain(policy.path.iter().map(|entry| entry.value.clone()))
        .chain(agent.map(Utf8Path::to_owned))
        .chain(policy.system.path.iter().filter_map(|entry| entry.expand(facts)));
    let mut out: Vec<Utf8PathBuf> = Vec::new();
    for entry in candidates {
        let is_there = facts.exists(&entry) && list.shows(&entry) || agent == Some(entry.as_path());
        if is_there && !entry.as_str().contains(':') && !out.contains(&entry) {
            out.push(entry);
        }
    }
    out.iter().map(|entry| entry.as_str()).collect::<Vec<_>>().join(":")
}
