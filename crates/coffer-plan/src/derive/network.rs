//! What the sandbox can talk to: by which tier, to whom, by which doors.

use std::net::{Ipv4Addr, SocketAddr};

use super::account::OfAccount;
use super::credential::SignedIn;
use super::mounts::MountList;
use super::tools;
use crate::facts::{EnvFact, HostFacts, McpServerFact, SettingsScope};
use crate::host::{Endpoint, Host, HostPattern, HostRule};
use crate::origin::{Decided, Origin, OriginLayer};
use crate::plan::{
    AllowedHost, Door, DoorKind, Forward, ForwardSpec, Network, NetworkTier, Note, PlanError, Publish,
    Ranges, Reference, Upstream,
};
use crate::policy::Policy;

/// Where the forward proxy listens inside.
pub const PROXY_PORT: u16 = 3128;
/// Where the API listens inside.
pub const API_PORT: u16 = 8377;
/// Below it nobody inside may listen.
pub(super) const FIRST_FREE_PORT: u16 = 1024;

/// Whether the sandbox has a network of its own. In a container it always has.
pub(super) fn is_apart(policy: &Policy) -> bool {
    match policy.network.value {
        NetworkTier::None | NetworkTier::Agent | NetworkTier::Dev | NetworkTier::Learn => true,
        NetworkTier::Full => policy.backend.value.is_engine(),
    }
}

/// Whether the way out leads through the gateway.
pub(super) fn has_proxy(tier: NetworkTier) -> bool {
    match tier {
        NetworkTier::Agent | NetworkTier::Dev | NetworkTier::Learn => true,
        NetworkTier::None | NetworkTier::Full => false,
    }
}

/// The network, and what was refused of it.
pub(super) fn derive(policy: &Policy, facts: &HostFacts, signed_in: &SignedIn) -> (Network, Vec<PlanError>) {
    let tier = policy.network.value;
    let (mut forward, publish, mut errors) = services(policy);
    forward.extend(api_here(policy, facts, signed_in, &forward));
    forward.extend(tools::forwarded(policy, facts, &forward, &publish));
    errors.extend(useless(policy));
    let mut doors = Vec::new();
    let mut door = |port: u16, kind: DoorKind| {
        let listen = is_apart(policy).then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        doors.push(Door { listen, kind });
    };
    if has_proxy(tier) {
        door(PROXY_PORT, DoorKind::Proxy);
    }
    if signed_in.credential.injection.is_some() {
        door(API_PORT, DoorKind::Api);
    }
    for service in &forward {
        match &service.what {
            ForwardSpec::Port(port) => door(*port, DoorKind::Forward { to: *port }),
            ForwardSpec::Socket(_) => {}
        }
    }
    let network = Network {
        tier,
        origin: policy.network.origin.clone(),
        allow: allowed(policy, facts, &signed_in.account),
        forward,
        publish,
        doors,
        upstream: upstream(policy),
        ca_file: policy.ca_file.as_ref().map(|file| file.value.clone()),
    };
    (network, errors)
}

/// An API on this machine's loopback, as the user says: nobody sends a loopback address through a proxy, so its port has
/// to be there inside.
fn api_here(
    policy: &Policy,
    facts: &HostFacts,
    signed_in: &SignedIn,
    forward: &[Forward],
) -> Option<Forward> {
    // Else the gateway asks it.
    if !has_proxy(policy.network.value) || signed_in.credential.injection.is_some() {
        return None;
    }
    let api = api(policy, facts, &signed_in.account)?.ok()?;
    let rule = api.rule()?;
    let HostPattern::Exact(host) = rule.host else { return None };
    let what = ForwardSpec::Port(rule.port);
    let known = forward.iter().any(|service| service.what == what);
    let here = tools::is_here(&Endpoint { host, port: rule.port }) && tools::can_be_forwarded(rule.port);
    (here && !known).then_some(Forward { what, origin: api.origin })
}

fn upstream(policy: &Policy) -> Vec<Upstream> {
    let entry = |entry: &Decided<(Host, SocketAddr)>| {
        let (host, address) = entry.value.clone();
        Upstream { host, address, origin: entry.origin.clone() }
    };
    policy.upstream.iter().map(entry).collect()
}

/// Whom the tier lets through.
fn allowed(policy: &Policy, facts: &HostFacts, account: &OfAccount) -> Vec<AllowedHost> {
    let tier = policy.network.value;
    if !has_proxy(tier) {
        return Vec::new();
    }
    let mut out: Vec<AllowedHost> = Vec::new();
    let mut add = |rule: HostRule, ranges: Ranges, origin: &Origin| {
        let HostRule { host, port } = rule;
        match out.iter_mut().find(|known| known.host == host && known.port == port) {
            Some(known) if known.ranges >= ranges => {}
            Some(known) => *known = AllowedHost { host, port, ranges, origin: origin.clone() },
            None => out.push(AllowedHost { host, port, ranges, origin: origin.clone() }),
        }
    };
    let api_hosts = Origin::new(OriginLayer::Agent, format!("{}: api_hosts", policy.agent.name));
    for rule in policy.agent.api_hosts.iter().filter_map(|host| host.parse().ok()) {
        add(rule, Ranges::Public, &api_hosts);
    }
    if let Some(Ok(api)) = api(policy, facts, account)
        && let Some(rule) = api.rule()
    {
        add(rule, api.ranges, &api.origin);
    }
    for Decided { value, origin } in &policy.allow {
        // The narrowest tier grows by what is said for this one run, and by nothing else.
        if tier != NetworkTier::Agent || origin.layer == OriginLayer::Flag {
            add(value.clone(), ranges_of(value, origin), origin);
        }
    }
    for Decided { value, origin } in tools::allowed(policy, facts) {
        let ranges = ranges_of(&value, &origin);
        add(value, ranges, &origin);
    }
    out
}

/// To which addresses a rule may lead, by who gave it.
pub fn ranges_of(rule: &HostRule, origin: &Origin) -> Ranges {
    let own = match origin.layer {
        OriginLayer::UserFile
        | OriginLayer::Tool
        | OriginLayer::Profile
        | OriginLayer::PerProject
        | OriginLayer::Flag
        | OriginLayer::Account => true,
        // Once trusted, the project's word counts; it does not open private networks.
        OriginLayer::BuiltIn | OriginLayer::Agent | OriginLayer::ProjectFile => false,
    };
    match &rule.host {
        HostPattern::Exact(Host::Address(_)) if own => Ranges::Any,
        HostPattern::Exact(Host::Name(_)) if own => Ranges::Private,
        HostPattern::Exact(_) | HostPattern::Below(_) => Ranges::Public,
    }
}

/// Where the agent's API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Api {
    /// `http[s]://HOST[:PORT][/PATH]`, as far as it may be shown.
    pub(super) url: String,
    /// Where the whole of it stands, if that is not all.
    pub(super) whole: Option<Reference>,
    /// To which addresses its name may lead.
    pub(super) ranges: Ranges,
    /// Who said so.
    pub(super) origin: Origin,
}

impl Api {
    fn rule(&self) -> Option<HostRule> {
        let url = url::Url::parse(&self.url).ok()?;
        let host: Host = url.host_str()?.parse().ok()?;
        Some(HostRule { host: HostPattern::Exact(host), port: url.port_or_known_default()? })
    }
}

/// Where the agent's API is: as the account says, else as the user does, else where it always is. `None` for agents
/// of which that is not known.
///
/// # Errors
/// When an address holds a secret.
pub(super) fn api(policy: &Policy, facts: &HostFacts, account: &OfAccount) -> Option<Result<Api, PlanError>> {
    let names = &policy.agent.account;
    let layout = policy.agent.gateway.as_ref();
    let name = names.base_url.as_ref().or(layout.map(|layout| &layout.url_env))?;
    let settings = || {
        let users = facts.settings.iter().find(|settings| settings.scope == SettingsScope::User)?;
        let reference = Reference::SettingsEnv { name: name.clone(), file: users.file.clone() };
        users.env.get(name).filter(|fact| fact.is_set()).map(|fact| (fact.clone(), reference, "settings"))
    };
    let environment = || {
        let passed = policy.agent.env.pass.iter().any(|entry| crate::agent::names_it(entry, name));
        let fact = facts.environment.get(name).filter(|fact| passed && fact.is_set())?;
        Some((fact.clone(), Reference::HostEnv(name.clone()), "environment"))
    };
    let own = account.values.iter().find(|(variable, _)| variable == name);
    let said = match (own, &account.name) {
        (Some((_, url)), _) => Some((EnvFact::Value(url.clone()), None, account.origin())),
        (None, Some(_)) => None,
        (None, None) => settings().or_else(environment).map(|(fact, reference, place)| {
            let origin = Origin::new(OriginLayer::UserFile, format!("{name} in your {place}"));
            (fact, Some(reference), origin)
        }),
    };
    match said {
        // What is redacted shows scheme, host and port, if it is an address at all.
        Some((EnvFact::Value(url) | EnvFact::Redacted(url), whole, origin)) => {
            let mut api = Api { url, whole, ranges: Ranges::Private, origin };
            let Some(HostRule { host: HostPattern::Exact(host), .. }) = api.rule() else {
                return Some(Err(PlanError::NoAddress { name: name.clone(), origin: api.origin }));
            };
            // Who has a name says where it leads: to this machine only who wrote that down.
            if matches!(host, Host::Address(_)) || host.is_loopback() {
                api.ranges = Ranges::Any;
            }
            Some(Ok(api))
        }
        Some((EnvFact::Empty, _, _)) | None => layout.map(|layout| {
            let origin = Origin::new(OriginLayer::Agent, format!("{}: gateway", policy.agent.name));
            Ok(Api { url: layout.url.clone(), whole: None, ranges: Ranges::Public, origin })
        }),
    }
}

/// Services of the host inside, and of the sandbox on the host.
fn services(policy: &Policy) -> (Vec<Forward>, Vec<Publish>, Vec<PlanError>) {
    let (mut forward, mut publish, mut errors) = (Vec::<Forward>::new(), Vec::<Publish>::new(), Vec::new());
    // With the host's network every port is there already.
    let apart = is_apart(policy);
    let mut refuse = |what: String, reason: &'static str, origin: &Origin| {
        errors.push(PlanError::PortRefused { what, reason, origin: origin.clone() });
    };
    for Decided { value, origin } in &policy.forward {
        let said = format!("--forward {value}");
        match value {
            ForwardSpec::Port(_) if !apart => {}
            ForwardSpec::Port(port) if *port < FIRST_FREE_PORT => {
                refuse(said, "nobody inside can listen on a port below 1024", origin);
            }
            ForwardSpec::Port(PROXY_PORT | API_PORT) => {
                refuse(said, "the gateway itself listens on that port inside", origin);
            }
            ForwardSpec::Port(_) | ForwardSpec::Socket(_)
                if forward.iter().any(|known| known.what == *value) => {}
            ForwardSpec::Port(_) | ForwardSpec::Socket(_) => {
                forward.push(Forward { what: value.clone(), origin: origin.clone() });
            }
        }
    }
    for Decided { value, origin } in &policy.publish {
        let said = format!("--publish {value}");
        if !apart || publish.iter().any(|known| known.what == *value) {
            continue;
        }
        if publish.iter().any(|known| known.what.host_port == value.host_port) {
            refuse(said, "another one is on that port of the host already", origin);
        } else if forward.iter().any(|known| known.what == ForwardSpec::Port(value.port)) {
            refuse(said, "that port inside is a service of the host", origin);
        } else if [PROXY_PORT, API_PORT].contains(&value.port) {
            refuse(said, "the gateway itself listens on that port inside", origin);
        } else {
            publish.push(Publish { what: *value, origin: origin.clone() });
        }
    }
    (forward, publish, errors)
}

/// Sockets of the host, at their own paths.
pub(super) fn sockets(list: &mut MountList<'_>, policy: &Policy) {
    for Decided { value, origin } in &policy.forward {
        match value {
            ForwardSpec::Socket(path) => list.bind_socket(path, path, origin),
            ForwardSpec::Port(_) => {}
        }
    }
}

/// Servers of the agent that listen on this machine's loopback: from a network of its own they are out of reach until
/// somebody lets them through.
pub(super) fn out_of_reach(policy: &Policy, facts: &HostFacts, network: &Network) -> Vec<Note> {
    if !is_apart(policy) {
        return Vec::new();
    }
    let note = |server: &McpServerFact| {
        let endpoint: Endpoint = server.endpoint.as_ref()?.parse().ok()?;
        let forwarded =
            network.forward.iter().any(|service| service.what == ForwardSpec::Port(endpoint.port));
        if forwarded || !endpoint.host.is_loopback() {
            return None;
        }
        let (name, port) = (&server.name, endpoint.port);
        let text = format!(
            "the MCP server `{name}` is at port {port} of this machine, which is out of reach; `--forward {port}` lets \
             it through"
        );
        let origin = if server.of_project {
            Origin::new(OriginLayer::ProjectFile, server.file.as_str())
        } else {
            Origin::new(OriginLayer::Agent, format!("{}: settings", policy.agent.name))
        };
        Some(Note { text, origin })
    };
    facts.mcp_servers.iter().filter_map(note).collect()
}

/// A proxy that this machine has for itself: the gateway does not go through it.
pub(super) fn behind_a_proxy(policy: &Policy, facts: &HostFacts) -> Option<Note> {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let is_set = |name: &&&str| !matches!(facts.environment.get(**name), None | Some(EnvFact::Empty));
    let name = names.iter().find(is_set).filter(|_| has_proxy(policy.network.value))?;
    let text = format!(
        "`{name}` is set here, and the gateway does not go through that proxy; where nothing is reached without it, \
         use `--network full`"
    );
    Some(Note { text, origin: policy.network.origin.clone() })
}

/// What was typed for this run and means nothing in its tier.
fn useless(policy: &Policy) -> Vec<PlanError> {
    let tier = policy.network.value;
    let typed = |origin: &Origin| origin.layer == OriginLayer::Flag;
    let refuse = |what: String, origin: &Origin| PlanError::NotInTier { what, tier, origin: origin.clone() };
    let mut out = Vec::new();
    if !has_proxy(tier) {
        let rules = policy.allow.iter().filter(|rule| typed(&rule.origin));
        out.extend(rules.map(|rule| refuse(format!("--allow {}", rule.value), &policy.network.origin)));
    }
    if !is_apart(policy) {
        let is_port = |what: &ForwardSpec| matches!(what, ForwardSpec::Port(_));
        let forward =
            policy.forward.iter().filter(|service| typed(&service.origin) && is_port(&service.value));
        out.extend(
            forward.map(|service| refuse(format!("--forward {}", service.value), &policy.network.origin)),
        );
        let publish = policy.publish.iter().filter(|port| typed(&port.origin));
        out.extend(publish.map(|port| refuse(format!("--publish {}", port.value), &policy.network.origin)));
    }
    out
}
