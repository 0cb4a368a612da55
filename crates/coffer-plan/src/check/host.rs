//! Laws over what the mounts show of the host.

use camino::Utf8Path;

use crate::facts::{AgentFacts, HostFacts, SettingsScope};
use crate::origin::OriginLayer;
use crate::path::is_within;
use crate::plan::{Access, Means, Mount, MountOp, Plan, PlanError, Source};
use crate::policy::{Policy, Secret};

/// The host path that a mount shows, if it is one that the facts found.
fn shown(mount: &Mount) -> Option<(&Utf8Path, Access)> {
    match mount.bind()? {
        (Source::Host { path, .. }, access) => Some((path, access)),
        (Source::Own { .. } | Source::Run { .. }, _) => None,
    }
}

/// No mount shows a secret, unless a later operation hides it again or the user's own file exposes it.
pub(super) fn secrets(plan: &Plan, policy: &Policy, facts: &HostFacts) -> Vec<PlanError> {
    let mut errors = Vec::new();
    for (at, mount) in plan.mounts.iter().enumerate() {
        let Some((source, _)) = shown(mount) else { continue };
        if super::shared::is_granted(plan, mount, policy, facts) {
            continue;
        }
        // They are judged by what they lead to.
        if crate::sockets::known(mount, policy, facts).is_some() {
            continue;
        }
        let granted =
            |secret: &&Secret| policy.expose.iter().any(|granted| is_within(&secret.path, &granted.value));
        let exposed = policy.secrets.iter().filter(|secret| secret.is_exposed_by(source));
        let mut exposed =
            exposed.filter(|secret| !granted(secret) && !hidden_later(plan, at, mount, source, secret));
        let Some(first) = exposed.next() else { continue };
        let reason = match exposed.count() {
            0 => first.reason.clone(),
            more => format!("{}, and {more} more secret paths", first.reason),
        };
        errors.push(PlanError::Secret {
            source_path: source.to_owned(),
            secret: first.path.clone(),
            reason,
            origin: mount.origin.clone(),
        });
    }
    errors
}

/// Whether the secret's place below this mount is hidden by a later operation.
fn hidden_later(plan: &Plan, at: usize, mount: &Mount, source: &Utf8Path, secret: &Secret) -> bool {
    let Ok(below) = secret.path.strip_prefix(source) else {
        return false;
    };
    let place = if below.as_str().is_empty() { mount.target.clone() } else { mount.target.join(below) };
    plan.mounts[at + 1..].iter().any(|later| match later.op {
        MountOp::Mask { .. } => is_within(&place, &later.target),
        MountOp::Bind { .. }
        | MountOp::Overlay { .. }
        | MountOp::Tmpfs { .. }
        | MountOp::Proc
        | MountOp::Dev
        | MountOp::Symlink { .. }
        | MountOp::GitConfig { .. }
        | MountOp::Placeholder { .. }
        | MountOp::File { .. } => false,
    })
}

/// Nothing that the host runs lies in a writable mount.
pub(super) fn executables(plan: &Plan, facts: &HostFacts) -> Vec<PlanError> {
    let mut programs: Vec<&Utf8Path> = vec![&facts.coffer];
    programs.extend(facts.bubblewrap.iter().map(|tool| tool.path.as_path()));
    programs.extend(facts.engine.iter().filter_map(|engine| engine.program.as_deref()));
    programs.extend(match &plan.limits.means {
        Means::Scope { program, .. } => Some(program.as_path()),
        Means::None | Means::V2 { .. } | Means::V1 { .. } | Means::Engine => None,
    });
    programs.extend(facts.account.iter().filter_map(|account| account.helper.as_deref()));
    programs.extend(facts.keys.askpass.as_deref());
    let agents: Vec<&AgentFacts> = facts.agent.iter().chain(&facts.other_agents).collect();
    for agent in &agents {
        programs.extend([agent.path.as_path(), &agent.resolved, &agent.install_root]);
    }
    let mut errors = Vec::new();
    for mount in &plan.mounts {
        let Some((source, Access::Rw)) = shown(mount) else {
            continue;
        };
        let mut roots = agents.iter().map(|agent| agent.install_root.as_path());
        let part_of_agent = roots.find(|root| is_within(source, root));
        let inside = programs.iter().copied().find(|program| is_within(program, source)).or(part_of_agent);
        errors.extend(inside.map(|program| PlanError::HostExecutable {
            program: program.to_owned(),
            mount: source.to_owned(),
            origin: mount.origin.clone(),
        }));
    }
    errors
}

/// What decides about the next run (the config file, the user's agent files) is not writable inside.
pub(super) fn configuration(plan: &Plan, facts: &HostFacts) -> Vec<PlanError> {
    let Some(folder) = facts.folders.config.parent() else { return Vec::new() };
    let file = &facts.folders.config;
    let behind = |path: &Utf8Path| facts.path(path).map(|fact| fact.resolved.clone());
    let mut places = vec![folder.to_owned(), file.clone()];
    places.extend([behind(folder), behind(file)].into_iter().flatten());
    let mut errors = Vec::new();
    for mount in &plan.mounts {
        let Some((source, Access::Rw)) = shown(mount) else { continue };
        let touched = places.iter().find(|place| is_within(place, source) || is_within(source, place));
        errors.extend(touched.map(|place| PlanError::HostConfig {
            config: place.clone(),
            mount: source.to_owned(),
            origin: mount.origin.clone(),
        }));
    }
    errors
}

/// As root, a source that others cannot read needs a person's word. The project, its repository and our
/// own program are what the command is about.
pub(super) fn root_only_sources(plan: &Plan, facts: &HostFacts) -> Vec<PlanError> {
    if facts.user.uid != 0 {
        return Vec::new();
    }
    let mut errors = Vec::new();
    for (at, mount) in plan.mounts.iter().enumerate() {
        let Some((source, _)) = shown(mount) else { continue };
        let readable = facts.path(source).is_none_or(crate::facts::PathFact::others_can_read);
        let ours = mount.origin.layer == OriginLayer::BuiltIn;
        // What keeps a part of a mount read-only, or in its place, shows nothing more of it.
        let is_part = plan.mounts[..at].iter().any(|earlier| is_part_of(mount, earlier));
        if !readable && !ours && !is_part && !mount.origin.is_persons_word() {
            let origin = mount.origin.clone();
            errors.push(PlanError::RootOnlySource { source_path: source.to_owned(), origin });
        }
    }
    errors
}

/// Whether a mount shows what another, writable one shows at the same place.
fn is_part_of(mount: &Mount, whole: &Mount) -> bool {
    let (Some((part, _)), Some((around, Access::Rw))) = (shown(mount), shown(whole)) else { return false };
    match (part.strip_prefix(around), mount.target.strip_prefix(&whole.target)) {
        (Ok(source), Ok(target)) => source == target,
        (Ok(_) | Err(_), _) => false,
    }
}

/// The agent's settings in the project redirect nothing until trusted.
pub(super) fn project_settings(policy: &Policy, facts: &HostFacts) -> Vec<PlanError> {
    let in_project = facts.settings.iter().filter(|settings| settings.scope == SettingsScope::Project);
    let untrusted = in_project.filter(|settings| !policy.trust.covers(&settings.file, &settings.sha256));
    untrusted
        .filter_map(|settings| match &settings.broken {
            Some(reason) => Some(PlanError::ProjectSettingsUnreadable {
                file: settings.file.clone(),
                reason: reason.clone(),
            }),
            None if settings.redirects.is_empty() => None,
            None => {
                let keys: Vec<String> = settings.redirects.iter().map(|key| format!("`{key}`")).collect();
                Some(PlanError::ProjectSettings { file: settings.file.clone(), keys: keys.join(", ") })
            }
        })
        .collect()
}
