//! Sockets of the host that are more than they seem: container engines, the buses, agents for keys.
//!
//! They are known by their usual paths, by the paths that variables name (links followed, both), by their number in the
//! file system (a hard link, a bind mount), and by the program that listens there.

use camino::Utf8Path;

use crate::facts::{HostFacts, PathFact, PathKind, SocketKind};
use crate::origin::Origin;
use crate::path::is_within;
use crate::plan::{Mount, Note, Plan, PlanError, Source};
use crate::policy::Policy;

#[cfg(test)]
mod tests;

/// Programs that listen on such sockets, by the name that the kernel has of them (fifteen bytes at most).
const LISTENERS: &[(&str, SocketKind)] = &[
    ("dockerd", SocketKind::ContainerEngine),
    ("docker", SocketKind::ContainerEngine),
    ("containerd", SocketKind::ContainerEngine),
    ("podman", SocketKind::ContainerEngine),
    ("crio", SocketKind::ContainerEngine),
    ("buildkitd", SocketKind::ContainerEngine),
    ("dbus-daemon", SocketKind::Bus),
    ("dbus-broker", SocketKind::Bus),
    ("dbus-broker-lau", SocketKind::Bus),
    ("ssh-agent", SocketKind::SshAgent),
    ("gpg-agent", SocketKind::GpgAgent),
];

/// What the socket at a path leads to, if that is more than it seems.
pub fn leads_to(path: &Utf8Path, policy: &Policy, facts: &HostFacts) -> Option<SocketKind> {
    let fact = facts.path(path).filter(|fact| fact.kind == PathKind::Socket)?;
    let is_same =
        |other: &PathFact| other.resolved == fact.resolved || (other.dev, other.ino) == (fact.dev, fact.ino);
    let usual = policy.secrets.iter().find_map(|secret| {
        let kind = secret.socket?;
        let there = facts.path(&secret.path).filter(|other| other.kind == PathKind::Socket)?;
        is_same(there).then_some(kind)
    });
    let named = || {
        facts.sockets.named.iter().find_map(|(path, kind)| {
            let is_same = path == &fact.resolved || facts.path(path).is_some_and(is_same);
            is_same.then_some(*kind)
        })
    };
    let listening = || {
        let name = facts.sockets.listeners.get(&fact.resolved)?;
        LISTENERS.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind)
    };
    usual.or_else(named).or_else(listening)
}

/// What the socket leads to that a mount shows.
pub(crate) fn known(mount: &Mount, policy: &Policy, facts: &HostFacts) -> Option<SocketKind> {
    match mount.bind()? {
        (Source::Host { path, folder: false, .. }, _) => leads_to(path, policy, facts),
        (Source::Host { folder: true, .. } | Source::Own { .. } | Source::Run { .. }, _) => None,
    }
}

/// No such socket is shown without the word that it takes.
pub(crate) fn refused(plan: &Plan, policy: &Policy, facts: &HostFacts) -> Vec<PlanError> {
    let refused = |mount: &Mount| {
        let kind = known(mount, policy, facts)?;
        let (Source::Host { path, .. }, _) = mount.bind()? else { return None };
        let (path, origin) = (path.clone(), mount.origin.clone());
        if kind == SocketKind::ContainerEngine {
            let who = acts_as(&path, facts);
            let granted = policy.keys.container_engine.value;
            return (!granted).then_some(PlanError::ContainerEngine { path, who, origin });
        }
        if policy.expose.iter().any(|granted| is_within(&path, &granted.value)) {
            return None;
        }
        let (what, mend) = instead(kind, &path);
        Some(PlanError::HostSocket { path, what, mend, origin })
    };
    plan.mounts.iter().filter_map(refused).collect()
}

/// What it is, and what to do instead.
fn instead(kind: SocketKind, path: &Utf8Path) -> (&'static str, String) {
    match kind {
        SocketKind::ContainerEngine | SocketKind::Bus => (
            "a bus of this machine: whoever talks to it starts programs outside of the sandbox",
            format!("leave it out, or say `expose = [\"{path}\"]` in your own config file"),
        ),
        SocketKind::SshAgent => {
            ("an agent for SSH keys: it would sign with all of them", "`--ssh-agent=KEY`".to_owned())
        }
        SocketKind::GpgAgent => {
            ("the agent for GnuPG keys: it would use all of them", "`--gpg-agent=KEY`".to_owned())
        }
    }
}

/// As whom an engine makes containers.
fn acts_as(path: &Utf8Path, facts: &HostFacts) -> &'static str {
    match facts.path(path) {
        Some(fact) if fact.uid != 0 => "you",
        Some(_) | None => "root",
    }
}

/// What the user should know about a container engine that is shown all the same.
pub(crate) fn notes(mounts: &[Mount], policy: &Policy, facts: &HostFacts) -> Vec<Note> {
    let note = |mount: &Mount| {
        known(mount, policy, facts).filter(|kind| *kind == SocketKind::ContainerEngine)?;
        let (Source::Host { path, .. }, _) = mount.bind()? else { return None };
        let who = acts_as(path, facts);
        let text = format!(
            "NO WALL HOLDS: `{path}` is a container engine, so the agent is {who} on this machine. It can mount your \
             disc, read every key and every login on it, and leave something behind that runs tomorrow"
        );
        let Origin { layer, name } = &policy.keys.container_engine.origin;
        Some(Note { text, origin: Origin::new(*layer, name.clone()) })
    };
    mounts.iter().filter_map(note).collect()
}
