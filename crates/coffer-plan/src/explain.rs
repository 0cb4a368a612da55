//! `why`: which decision a plan rests on.

use camino::Utf8Path;
use serde::Serialize;

use crate::derive::{LEASE, SHARED};
use crate::facts::HostFacts;
use crate::host::{BadHost, Endpoint, HostPattern, HostRule};
use crate::landlock::{self, Reach};
use crate::origin::OriginLayer;
use crate::path::is_within;
use crate::plan::{AllowedHost, CheckedPlan, EnvValue, Means, Mount, MountOp, NetworkTier, Ranges, Source};
use crate::policy::Policy;

#[cfg(test)]
mod tests;

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Always 1.
    pub schema: u32,
    /// What was asked about.
    pub subject: String,
    /// In a few words: `read-write`, `read-only`, `hidden`, `set`, `not set`, `reachable`, `not reachable`,
    /// `limited`, `not limited`.
    pub verdict: &'static str,
    /// The decisions, the one that counts first.
    pub chain: Vec<Reason>,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What was decided.
    pub text: String,
    /// By whom.
    pub origin: String,
}

impl Answer {
    fn new(subject: &str, verdict: &'static str, chain: Vec<Reason>) -> Self {
        Self { schema: 1, subject: subject.to_owned(), verdict, chain }
    }
}

fn reason(text: impl Into<String>, origin: impl ToString) -> Reason {
    Reason { text: text.into(), origin: origin.to_string() }
}

/// Why a path can be seen inside, or not. The path is one inside; by design most are called as on the
/// host.
pub fn path(plan: &CheckedPlan, policy: &Policy, path: &Utf8Path) -> Answer {
    let mut covering: Vec<&Mount> =
        plan.mounts.iter().filter(|mount| is_within(path, &mount.target)).collect();
    covering.reverse();
    let mut chain: Vec<Reason> =
        covering.iter().map(|mount| reason(describe(mount, path), &mount.origin)).collect();
    for secret in policy.secrets.iter().filter(|secret| is_within(path, &secret.path)) {
        chain.push(reason(
            format!("`{}` holds {}; no mount may show it", secret.path, secret.reason),
            "built-in secrets",
        ));
    }
    if is_within(path, Utf8Path::new(LEASE)) || is_within(path, Utf8Path::new(SHARED)) {
        chain.push(account(plan));
    }
    let second = covering.first().and_then(|mount| second_wall(plan, mount, path));
    let verdict = match covering.first().map(|mount| &mount.op) {
        None => {
            chain.insert(
                0,
                reason("nothing of the plan shows it", "built-in: nothing is shown that is not granted"),
            );
            "hidden"
        }
        Some(MountOp::Bind { access: crate::plan::Access::Rw, .. } | MountOp::Overlay { .. }) => "read-write",
        Some(MountOp::GitConfig { .. }) => "a copy of this run",
        Some(
            MountOp::Bind { .. }
            | MountOp::Symlink { .. }
            | MountOp::Placeholder { .. }
            | MountOp::File { .. },
        ) => "read-only",
        Some(MountOp::Tmpfs { .. } | MountOp::Dev | MountOp::Proc) if covering[0].target == path => "private",
        Some(MountOp::Tmpfs { .. } | MountOp::Dev | MountOp::Proc | MountOp::Mask { .. }) => "hidden",
    };
    chain.extend(second);
    Answer::new(path.as_str(), verdict, chain)
}

/// What Landlock says besides the mount that decides, where that shows something.
fn second_wall(plan: &CheckedPlan, mount: &Mount, path: &Utf8Path) -> Option<Reason> {
    let is_private = matches!(mount.op, MountOp::Tmpfs { .. } | MountOp::Proc | MountOp::Dev);
    if is_private && mount.target != path {
        return None;
    }
    let rules = landlock::rules(plan);
    let rule = rules.iter().filter(|rule| is_within(path, rule.path)).max_by_key(|rule| rule.reach)?;
    let words = match rule.reach {
        Reach::List => "lists its folders and opens no file",
        Reach::Read => "lets it be read",
        Reach::Write => "lets it be written",
        Reach::Devices => "lets it be used",
    };
    let is_narrower =
        !matches!(mount.op, MountOp::Symlink { .. }) && landlock::granted(mount) < Some(rule.reach);
    let alone = if is_narrower && rule.reach > Reach::List { "; the mount alone narrows that" } else { "" };
    Some(reason(format!("Landlock {words}, beneath `{}`{alone}", rule.path), &rule.origin))
}

fn describe(mount: &Mount, path: &Utf8Path) -> String {
    let target = &mount.target;
    match &mount.op {
        MountOp::Bind { source, access } => {
            let from = match source {
                Source::Host { path, .. } | Source::Own { path } => path.to_string(),
                Source::Run { folder } => format!("this run's {folder} folder"),
            };
            format!("`{target}` is bound {access} from `{from}`")
        }
        MountOp::Overlay { source, access } => {
            let from = match source {
                Source::Host { path, .. } | Source::Own { path } => path.to_string(),
                Source::Run { folder } => format!("this run's {folder} folder"),
            };
            format!("`{target}` is a working copy ({access}) laid over `{from}`, which is only read")
        }
        MountOp::Tmpfs { .. } if path == target => format!("`{target}` is an empty folder in memory"),
        MountOp::Tmpfs { .. } => {
            format!("`{target}` is an empty folder in memory; nothing of the host is in it")
        }
        MountOp::Proc => format!("`{target}` shows the sandbox's own processes; `/proc/sys` is read-only"),
        MountOp::Dev => format!("`{target}` has a few harmless devices and its own terminals"),
        MountOp::Symlink { source } => format!("`{target}` is a link to `{source}`"),
        MountOp::Mask { .. } => format!("`{target}` is hidden"),
        MountOp::GitConfig { accept: false, .. } => {
            format!("`{target}` is a copy of this run; at the end harmless changes reach the host")
        }
        MountOp::GitConfig { accept: true, .. } => {
            format!("`{target}` is a copy of this run; at the end every change reaches the host")
        }
        MountOp::Placeholder { .. } => {
            format!("`{target}` does not exist on the host; its place is held, so that nothing is made there")
        }
        MountOp::File { .. } => format!("`{target}` is a file made for the run"),
    }
}

/// Who chose the account.
fn account(plan: &CheckedPlan) -> Reason {
    let credential = &plan.credential;
    reason(format!("the account `{}` is used here", credential.account), &credential.account_origin)
}

/// Why a variable is set inside, or not.
pub fn env(plan: &CheckedPlan, facts: &HostFacts, name: &str) -> Answer {
    if let Some(entry) = plan.environment.iter().find(|entry| entry.name == name) {
        let text = match &entry.value {
            EnvValue::Value { value } => format!("`{name}` is `{value}`"),
            EnvValue::Reference { reference, label } => {
                format!("`{name}` comes from `{reference}` ({label})")
            }
        };
        let mut chain = vec![reason(text, &entry.origin)];
        if entry.origin.layer == OriginLayer::Account {
            chain.push(account(plan));
        }
        return Answer::new(name, "set", chain);
    }
    let text = match facts.environment.get(name) {
        Some(fact) if fact.is_set() => {
            format!("`{name}` is set on the host and nothing passes it; `--env {name}` would")
        }
        Some(_) => format!("`{name}` is empty on the host, which counts as unset"),
        None => format!("`{name}` is not set on the host"),
    };
    Answer::new(name, "not set", vec![reason(text, "built-in: env allowlist")])
}

/// Why so much may be used up, or not; the name is `memory`, `pids` or `cpus`.
///
/// # Errors
/// When nothing is called so.
pub fn limit(plan: &CheckedPlan, name: &str) -> Result<Answer, UnknownLimit> {
    let limits = &plan.limits;
    let (value, origin) = match name {
        "memory" => (limits.memory.value.map(|value| value.to_string()), &limits.memory.origin),
        "pids" => (limits.pids.value.map(|value| value.to_string()), &limits.pids.origin),
        "cpus" => (limits.cpus.value.map(|value| value.to_string()), &limits.cpus.origin),
        _ => return Err(UnknownLimit { name: name.to_owned() }),
    };
    let lack = limits.lacks.iter().find(|lack| lack.text.starts_with(name));
    let (verdict, text) = match (&value, lack) {
        (Some(value), _) => ("limited", format!("{name}: at most {value}")),
        (None, Some(lack)) => ("not limited", lack.text.clone()),
        (None, None) => ("not limited", format!("{name}: no limit is set; `--{name}` would set one")),
    };
    let mut chain = vec![reason(text, origin)];
    if value.is_some() {
        chain.extend(held_by(&limits.means).map(|text| reason(text, "built-in: what this machine offers")));
    }
    Ok(Answer::new(name, verdict, chain))
}

/// A name that no limit has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no limit `{name}`")]
pub struct UnknownLimit {
    /// The name.
    pub name: String,
}

fn held_by(means: &Means) -> Option<String> {
    match means {
        Means::None => None,
        Means::V2 { folder, .. } => Some(format!("a group (cgroup) below `{folder}` holds it")),
        Means::Scope { .. } => Some("a scope of your systemd holds it".to_owned()),
        Means::V1 { groups } => {
            let folders: Vec<String> = groups.iter().map(|group| format!("`{}`", group.folder)).collect();
            Some(format!("groups (cgroups) of version 1 hold it, below {}", folders.join(", ")))
        }
        Means::Engine => Some("the container engine holds it".to_owned()),
    }
}

/// Why a host can be reached from inside, or not; the text is `HOST[:PORT]`.
///
/// # Errors
/// When the text names no host.
pub fn host(plan: &CheckedPlan, text: &str) -> Result<Answer, BadHost> {
    let endpoint: Endpoint = text.parse()?;
    let network = &plan.network;
    let subject = endpoint.to_string();
    let rule = HostRule { host: HostPattern::Exact(endpoint.host.clone()), port: endpoint.port };
    let (verdict, text) = match network.tier {
        NetworkTier::Full => ("reachable", "tier `full`: whatever this machine reaches".to_owned()),
        NetworkTier::None => ("not reachable", "tier `none`: nobody".to_owned()),
        tier @ (NetworkTier::Agent | NetworkTier::Dev | NetworkTier::Learn) => {
            let fits = |allowed: &&AllowedHost| {
                allowed.port == endpoint.port && allowed.host.matches(&endpoint.host)
            };
            let mut chain: Vec<Reason> = network
                .allow
                .iter()
                .filter(fits)
                .map(|allowed| reason(granted(allowed), &allowed.origin))
                .collect();
            if let Some(other) = network.upstream.iter().find(|other| other.host == endpoint.host) {
                chain.push(reason(format!("its name means {} here", other.address), &other.origin));
            }
            match (chain.is_empty(), tier) {
                (false, _) => return Ok(Answer::new(&subject, "reachable", chain)),
                (true, NetworkTier::Learn) => {
                    ("reachable", "tier `learn`: everybody on the open internet, recorded".to_owned())
                }
                (true, _) => {
                    let text =
                        format!("tier `{tier}`: it is not on the list; `coffer allow {rule}` puts it there");
                    ("not reachable", text)
                }
            }
        }
    };
    Ok(Answer::new(&subject, verdict, vec![reason(text, &network.origin)]))
}

fn granted(allowed: &AllowedHost) -> String {
    let to = match allowed.ranges {
        Ranges::Public => "addresses of the open internet",
        Ranges::Private => "addresses of the open internet and of private networks",
        Ranges::Any => "any address",
    };
    format!("`{}:{}` is allowed; its name may lead to {to}", allowed.host, allowed.port)
}
