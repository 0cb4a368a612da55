//! What the user's own tools are configured with: whom they may reach, and what they need to know of it inside. What a
//! project's files name is a proposal.

use camino::Utf8PathBuf;

use super::mounts::MountList;
use super::network::{API_PORT, FIRST_FREE_PORT, PROXY_PORT};
use crate::config::fingerprint;
use crate::facts::{HostFacts, ToolAnswer, ToolEntry};
use crate::host::{Endpoint, Host, HostPattern, HostRule};
use crate::origin::{Decided, Origin, OriginLayer};
use crate::path::is_within;
use crate::plan::{FileContent, Forward, ForwardSpec, MountOp, NetworkTier, Note, Publish};
use crate::policy::Policy;
use crate::tool::{Inside, Tool, Written, fits_any};

#[cfg(test)]
mod tests;

/// Whether the tier depends on what tools say.
fn matters(policy: &Policy) -> bool {
    match policy.network.value {
        NetworkTier::Dev | NetworkTier::Learn => true,
        NetworkTier::None | NetworkTier::Agent | NetworkTier::Full => false,
    }
}

/// What is the user's word.
fn of_user(facts: &HostFacts) -> impl Iterator<Item = &ToolAnswer> {
    facts.tools.iter().filter(|answer| answer.of_project.is_none())
}

fn origin_of(answer: &ToolAnswer, entry: &ToolEntry) -> Origin {
    Origin::new(OriginLayer::Tool, format!("{}: {} in `{}`", answer.tool, entry.key, answer.source))
}

fn rule(endpoint: &Endpoint) -> HostRule {
    HostRule { host: HostPattern::Exact(endpoint.host.clone()), port: endpoint.port }
}

/// Hosts that the user's tools name, and those of a project's files that the user trusts.
pub(super) fn allowed(policy: &Policy, facts: &HostFacts) -> Vec<Decided<HostRule>> {
    if !matters(policy) {
        return Vec::new();
    }
    let mut out = Vec::new();
    for answer in of_user(facts) {
        for entry in &answer.entries {
            let rules = entry.endpoints.iter().map(|endpoint| (rule(endpoint), origin_of(answer, entry)));
            out.extend(rules.map(|(rule, origin)| Decided::new(rule, origin)));
        }
    }
    for named in named_by_project(policy, facts).iter().filter(|named| named.trusted) {
        let origin = Origin::new(OriginLayer::ProjectFile, named.file.as_str());
        out.extend(named.hosts.iter().map(|endpoint| Decided::new(rule(endpoint), origin.clone())));
    }
    out
}

/// Registries on this machine's loopback. Nobody sends a loopback address through a proxy, so its port has to be there
/// inside.
pub(super) fn forwarded(
    policy: &Policy,
    facts: &HostFacts,
    forward: &[Forward],
    publish: &[Publish],
) -> Vec<Forward> {
    if !matters(policy) {
        return Vec::new();
    }
    let mut out: Vec<Forward> = Vec::new();
    for answer in of_user(facts) {
        for entry in &answer.entries {
            for port in entry.endpoints.iter().filter(|endpoint| is_here(endpoint)).map(|it| it.port) {
                let what = ForwardSpec::Port(port);
                let taken = forward.iter().chain(&out).any(|known| known.what == what)
                    || publish.iter().any(|known| known.what.port == port)
                    || !can_be_forwarded(port);
                if !taken {
                    out.push(Forward { what, origin: origin_of(answer, entry) });
                }
            }
        }
    }
    out
}

/// What clients reach past the proxy, and a forwarded port stands for.
pub(super) fn is_here(endpoint: &Endpoint) -> bool {
    match &endpoint.host {
        Host::Name(name) => name == "localhost",
        Host::Address(address) => matches!(address.to_string().as_str(), "127.0.0.1" | "::1"),
    }
}

/// Whether somebody inside may listen there, and the gateway does not.
pub(super) fn can_be_forwarded(port: u16) -> bool {
    port >= FIRST_FREE_PORT && ![PROXY_PORT, API_PORT].contains(&port)
}

/// Hosts that one file of the project names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedHosts {
    /// The file.
    pub file: Utf8PathBuf,
    /// All of them, each once, in order.
    pub hosts: Vec<Endpoint>,
    /// Those of them that nothing else lets through.
    pub new: Vec<Endpoint>,
    /// Of all of them (SHA-256, hex), by which `coffer trust` remembers them: the rest of such a file changes daily.
    pub sha256: String,
    /// Whether the user trusts exactly these.
    pub trusted: bool,
}

/// What files of the project name, file by file.
pub fn named_by_project(policy: &Policy, facts: &HostFacts) -> Vec<NamedHosts> {
    let mut out: Vec<NamedHosts> = Vec::new();
    for answer in &facts.tools {
        let Some(file) = &answer.of_project else { continue };
        let endpoints = answer.entries.iter().flat_map(|entry| entry.endpoints.clone());
        match out.iter_mut().find(|known| known.file == *file) {
            Some(known) => known.hosts.extend(endpoints),
            None => out.push(NamedHosts {
                file: file.clone(),
                hosts: endpoints.collect(),
                new: Vec::new(),
                sha256: String::new(),
                trusted: false,
            }),
        }
    }
    out.retain(|named| !named.hosts.is_empty());
    for named in &mut out {
        named.hosts.sort();
        named.hosts.dedup();
        let lines: Vec<String> = named.hosts.iter().map(Endpoint::to_string).collect();
        named.sha256 = fingerprint(&format!("hosts\n{}\n", lines.join("\n")));
        named.trusted = policy.trust.covers(&named.file, &named.sha256);
        named.new = named.hosts.iter().filter(|host| !is_known(policy, facts, host)).cloned().collect();
    }
    out
}

/// Whether the user's file or tools let it through.
fn is_known(policy: &Policy, facts: &HostFacts, endpoint: &Endpoint) -> bool {
    let said = policy.allow.iter().any(|rule| rule.value.matches(endpoint));
    let mut entries = of_user(facts).flat_map(|answer| &answer.entries);
    said || entries.any(|entry| entry.endpoints.contains(endpoint))
}

/// What the project's files name and nobody trusted.
pub(super) fn proposals(policy: &Policy, facts: &HostFacts) -> Vec<Note> {
    if !matters(policy) {
        return Vec::new();
    }
    let untrusted = named_by_project(policy, facts).into_iter().filter(|named| !named.trusted);
    let notes = untrusted.flat_map(|NamedHosts { file, new, .. }| {
        new.into_iter().map(move |host| {
            let rule = rule(&host);
            let text = if is_here(&host) {
                format!("port {0} of this machine (`--forward {0}`)", host.port)
            } else {
                format!("host `{rule}` (`coffer allow {rule}`)")
            };
            Note { text, origin: Origin::new(OriginLayer::ProjectFile, file.as_str()) }
        })
    });
    notes.collect()
}

/// What a person has to know: who told nothing, what stays outside, what cannot be forwarded.
pub(super) fn notes(policy: &Policy, facts: &HostFacts) -> Vec<Note> {
    if !matters(policy) {
        return Vec::new();
    }
    let mut notes = Vec::new();
    for answer in of_user(facts) {
        if let Some(reason) = &answer.failed {
            let text = format!(
                "what `{}` says about hosts is left out: {reason}; `coffer learn -- COMMAND` records whom a command needs",
                answer.source
            );
            notes.push(Note { text, origin: Origin::new(OriginLayer::Tool, &answer.tool) });
        }
        for entry in &answer.entries {
            if entry.withheld {
                let text = format!("a credential in `{}` of `{}` stays outside", entry.key, answer.source);
                notes.push(Note { text, origin: origin_of(answer, entry) });
            }
            for port in entry.endpoints.iter().filter(|endpoint| is_here(endpoint)).map(|it| it.port) {
                if !can_be_forwarded(port) {
                    let text =
                        format!("port {port} of this machine cannot be there inside, so it is out of reach");
                    notes.push(Note { text, origin: origin_of(answer, entry) });
                }
            }
        }
    }
    notes
}

/// The tools' configuration inside, as far as it holds no credential: the home with their own files is not there.
pub(super) fn files(list: &mut MountList<'_>, policy: &Policy) {
    if !matters(policy) {
        return;
    }
    for tool in &policy.tools {
        let Some(inside) = &tool.inside else { continue };
        let entries = entries(list.facts, tool, inside);
        let Some(target) = inside.file.expand(list.facts).filter(|_| !entries.is_empty()) else { continue };
        let keys = entries.iter().map(|(key, _)| *key).fold(Vec::new(), |mut keys: Vec<&str>, key| {
            if !keys.contains(&key) {
                keys.push(key);
            }
            keys
        });
        let origin = Origin::new(OriginLayer::Tool, format!("{}: {}", tool.name, keys.join(", ")));
        if list.shows(&target) || is_within(&target, &list.facts.project.path) {
            // Where the tool's own folder is shown it reads its own file.
            continue;
        }
        match text(inside.format, &entries) {
            Some(text) => list.push(MountOp::File { content: FileContent::Text { text } }, target, origin),
            None => list.note(format!("the configuration of {} cannot be written inside", tool.name), origin),
        }
    }
}

/// Keys and values for inside: of each key what the strongest source says, all of it.
fn entries<'a>(facts: &'a HostFacts, tool: &Tool, inside: &Inside) -> Vec<(&'a str, &'a str)> {
    let mut out: Vec<(&str, &str)> = Vec::new();
    for answer in of_user(facts).filter(|answer| answer.tool == tool.name) {
        let fit = answer.entries.iter().filter(|entry| fits_any(&inside.keys, &entry.key));
        let values = fit.filter_map(|entry| Some((entry.key.as_str(), entry.value.as_deref()?)));
        let plain = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
        let new: Vec<(&str, &str)> = values
            .filter(|(key, value)| plain(key) && plain(value) && !out.iter().any(|known| known.0 == *key))
            .collect();
        out.extend(new);
    }
    out
}

fn text(format: Written, entries: &[(&str, &str)]) -> Option<String> {
    match format {
        Written::Flat => {
            let line = |(key, value): &(&str, &str)| format!("{key}={value}\n");
            entries.iter().all(|(key, _)| !key.contains('=')).then(|| entries.iter().map(line).collect())
        }
        Written::Sections => Some(sections(entries)),
        Written::Toml => {
            let line = |(key, value): &(&str, &str)| format!("{key} = {}\n", toml::Value::from(*value));
            let text: String = entries.iter().map(line).collect();
            // A key that says more than a key, or one that another contradicts.
            let table: toml::Table = text.parse().ok()?;
            let mut wanted: Vec<&str> = entries.iter().map(|(_, value)| *value).collect();
            let mut there = leaves(&table)?;
            wanted.sort_unstable();
            there.sort_unstable();
            (wanted == there).then_some(text)
        }
    }
}

/// Every value in the tables; `None` when there is another one than text.
fn leaves(table: &toml::Table) -> Option<Vec<&str>> {
    let mut out = Vec::new();
    for (_, value) in table {
        match value {
            toml::Value::String(text) => out.push(text.as_str()),
            toml::Value::Table(table) => out.extend(leaves(table)?),
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_) => return None,
        }
    }
    Some(out)
}

fn sections(entries: &[(&str, &str)]) -> String {
    let mut sections: Vec<(&str, Vec<(&str, String)>)> = Vec::new();
    for (key, value) in entries {
        let (section, key) = key.split_once('.').unwrap_or(("global", key));
        let at = sections.iter().position(|(known, _)| *known == section).unwrap_or_else(|| {
            sections.push((section, Vec::new()));
            sections.len() - 1
        });
        let keys = &mut sections[at].1;
        match keys.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push_str(&format!("\n    {value}")),
            None => keys.push((key, (*value).to_owned())),
        }
    }
    let lines = |(section, keys): &(&str, Vec<(&str, String)>)| {
        let keys: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        format!("[{section}]\n{keys}")
    };
    sections.iter().map(lines).collect()
}
