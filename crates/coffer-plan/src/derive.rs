//! Derives the plan: the one function that says what a sandbox will be.
//!
//! Each part of the plan has a file of its own here. Mounts are an ordered list; their order is:
//! system, private folders, home, toolchains and the agent's program, state with the user's
//! configuration, lease, project, what the user asked for, what is taken away, our own init.

mod account;
mod alone;
mod credential;
mod deferred;
mod environment;
mod gateway;
mod home;
mod image;
mod key_agents;
mod limits;
mod login;
mod mounts;
pub(crate) mod network;
mod offers;
pub(crate) mod shared;
mod system;
#[cfg(test)]
mod tests;
mod tools;
mod walls;
mod working_copy;

use camino::{Utf8Path, Utf8PathBuf};

use crate::facts::HostFacts;
use crate::origin::Origin;
use crate::plan::{Backend, BackendKind, Command, Identity, Note, PLAN_SCHEMA, Plan, PlanError, StateMode};
use crate::policy::Policy;
use mounts::MountList;

pub use alone::{Alone, alone};
pub use deferred::{GIT_COPIES, mounts_before_backend};
pub use limits::{Unheld, unheld};
pub use login::verified;
pub use network::{API_PORT, PROXY_PORT, ranges_of};
pub use offers::on_host;
pub use tools::{NamedHosts, named_by_project};
pub use working_copy::state_of_project;

/// Where Cofferdam's own things lie inside.
pub const INSIDE: &str = "/run/coffer";
/// The init inside.
pub const INIT: &str = "/run/coffer/coffer-init";
/// The folder of the filters of key agents inside.
pub const KEY_AGENTS: &str = "/run/coffer/key-agents";
/// The lease folder inside.
pub const LEASE: &str = "/run/coffer/lease";
/// The parent of a shared login folder inside: the client makes a lock beside the folder.
pub const SHARED: &str = "/run/coffer/login";
/// A shared login folder inside.
pub const SHARED_STORE: &str = "/run/coffer/login/store";
/// The origin of what leads to the gateway.
pub(crate) const WAY_OUT: &str = "the way out";
/// Ids of the agent when the host user is root.
const UNPRIVILEGED: u32 = 1000;

/// Derives the plan. The same policy and facts give the same plan.
///
/// # Errors
/// Everything that is refused at this stage, all of it at once.
pub fn derive(policy: &Policy, facts: &HostFacts) -> Result<Plan, Vec<PlanError>> {
    let home = match &facts.user.home {
        None => return Err(vec![PlanError::NoHome]),
        Some(home) if home == "/" => return Err(vec![PlanError::HomeIsRoot]),
        Some(home) => home.clone(),
    };
    let mut errors = unavailable(policy);
    errors.extend(project(facts, &home));
    errors.extend(walls::unavailable(facts));
    let engine = image::Engine::of(policy, facts);
    errors.extend(engine.into_iter().flat_map(|engine| engine.refuse(policy, facts)));
    // What is in an image shows when it runs.
    if policy.runs_agent && engine.is_none() && facts.agent.is_none() {
        errors.push(PlanError::AgentMissing {
            program: policy.agent.command.first().cloned().unwrap_or_default(),
            install: policy.agent.install_hint.clone(),
        });
    }
    let user = match engine {
        Some(engine) => image::user(engine, policy, facts),
        None => user(policy, facts),
    };
    let identity = identity(user, facts, &home);
    let signed_in = credential::derive(policy, facts).unwrap_or_else(|refused| {
        errors.push(refused);
        credential::none(policy)
    });
    let mut list = MountList::new(facts);
    match engine {
        Some(engine) => image::mounts(&mut list, engine, policy, &identity),
        None => system::mounts(&mut list, policy, &identity),
    }
    home::toolchains(&mut list, policy, &home);
    tools::files(&mut list, policy);
    if engine.is_none() {
        home::agent(&mut list);
    }
    let state = home::state(&mut list, policy, &signed_in);
    system::login_and_init(&mut list, policy, &signed_in);
    let (key_agents, refused) = key_agents::derive(policy, facts);
    errors.extend(refused);
    key_agents::mounts(&mut list, &key_agents, &identity);
    home::project(&mut list);
    home::requests(&mut list, policy);
    network::sockets(&mut list, policy);
    deferred::mounts(&mut list, policy);
    home::denials(&mut list, policy);
    if policy.workdir != facts.project.start && !facts.exists(&policy.workdir) {
        let (source_path, origin) = (policy.workdir.clone(), Origin::flag("--workdir"));
        errors.push(PlanError::SourceMissing { source_path, origin });
    } else if !list.has_folder_for(&policy.workdir) {
        errors.push(PlanError::WorkdirHidden { workdir: policy.workdir.clone() });
    }
    let (network, refused) = network::derive(policy, facts, &signed_in);
    errors.extend(refused);
    let out_of_reach = network::out_of_reach(policy, facts, &network);
    let environment = environment::derive(policy, facts, &identity, &signed_in, &key_agents, &list);
    let (mounts, mut notes, refused) = list.finish();
    errors.extend(refused);
    errors.extend(environment.errors);
    notes.extend(environment.notes);
    notes.extend(signed_in.notes);
    notes.extend(out_of_reach);
    notes.extend(network::behind_a_proxy(policy, facts));
    notes.extend(tools::notes(policy, facts));
    notes.extend(crate::sockets::notes(&mounts, policy, facts));
    let (limits, refused) = limits::derive(policy, facts);
    errors.extend(refused);
    let hardening = walls::hardening(policy, facts);
    notes.extend(walls::notes(policy, facts, &hardening));
    notes.extend(engine.into_iter().flat_map(|engine| image::notes(engine, policy, facts)));
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Plan {
        schema: PLAN_SCHEMA,
        command: Command {
            agent: policy.agent.name.clone(),
            argv: policy.command.value.clone(),
            unattended: policy.unattended.value && policy.runs_agent,
            workdir: policy.workdir.clone(),
            origin: policy.command.origin.clone(),
        },
        identity,
        environment: environment.entries,
        mounts,
        network,
        key_agents,
        credential: signed_in.credential,
        state,
        limits,
        hardening,
        sign_in: signed_in.sign_in,
        backend: Backend {
            kind: policy.backend.value,
            origin: policy.backend.origin.clone(),
            image: engine.map(|engine| engine.plan(policy)),
        },
        notes,
        proposals: proposals(policy, facts),
    })
}

fn proposals(policy: &Policy, facts: &HostFacts) -> Vec<Note> {
    let said = policy.proposals.iter();
    let said = said.map(|proposal| Note { text: proposal.text.clone(), origin: proposal.origin.clone() });
    said.chain(tools::proposals(policy, facts)).collect()
}

/// What is asked for by name and does not exist yet.
fn unavailable(policy: &Policy) -> Vec<PlanError> {
    let mut errors = Vec::new();
    if policy.keep && policy.state.value != StateMode::Copy {
        let (mode, origin) = (policy.state.value, policy.state.origin.clone());
        errors.push(PlanError::NothingToKeep { mode, origin });
    }
    match policy.backend.value {
        BackendKind::Bwrap | BackendKind::Podman | BackendKind::Docker => {}
        kind @ BackendKind::Kubernetes => {
            errors.push(PlanError::BackendUnavailable { kind, origin: policy.backend.origin.clone() });
        }
    }
    errors
}

/// Folders of the system that are nobody's project.
const SYSTEM_FOLDERS: &[&str] = &[
    "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root",
    "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/tmp",
];

fn project(facts: &HostFacts, home: &Utf8Path) -> Option<PlanError> {
    let project = &facts.project.path;
    let reason = if project == "/" {
        Some("it is the whole system")
    } else if project == home {
        Some("it is your home folder")
    } else if home.starts_with(project) {
        Some("it contains your home folder")
    } else if SYSTEM_FOLDERS.contains(&project.as_str()) {
        Some("it is a folder of the system")
    } else {
        None
    };
    if let Some(reason) = reason {
        return Some(PlanError::ProjectTooWide { project: project.clone(), reason });
    }
    let owner = facts.project.uid;
    (facts.user.uid == 0 && owner != 0)
        .then(|| PlanError::ProjectOfAnother { project: project.clone(), owner })
}

/// As whom the command runs in bubblewrap: ids, name, and who decided them.
fn user(policy: &Policy, facts: &HostFacts) -> (u32, u32, String, Origin) {
    let user = &facts.user;
    if policy.as_root_inside.value {
        (0, 0, "root".to_owned(), policy.as_root_inside.origin.clone())
    } else if user.uid == 0 {
        (UNPRIVILEGED, UNPRIVILEGED, "agent".to_owned(), Origin::built_in("unprivileged inside"))
    } else {
        (user.uid, user.gid, user.name.clone(), Origin::built_in("uid kept"))
    }
}

fn identity(
    (uid, gid, user, origin): (u32, u32, String, Origin),
    facts: &HostFacts,
    home: &Utf8Path,
) -> Identity {
    Identity {
        uid,
        gid,
        host_uid: facts.user.uid,
        host_gid: facts.user.gid,
        user,
        home: home.to_owned(),
        hostname: "coffer".to_owned(),
        origin,
    }
}

/// The version of the agent that runs, where it tells.
fn agent_version<'a>(policy: &Policy, facts: &'a HostFacts) -> Option<&'a str> {
    match image::Engine::of(policy, facts) {
        Some(engine) => engine.agent_version(),
        None => facts.agent.as_ref()?.version.as_deref(),
    }
}

/// A short name for a path's own folder: its last part and twelve hex digits of its hash.
pub(crate) fn slug(path: &Utf8Path) -> String {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(path.as_str());
    let hex: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let name: String = path
        .file_name()
        .unwrap_or("root")
        .chars()
        .map(
            |character| {
                if character.is_ascii_alphanumeric() || "-_.".contains(character) { character } else { '-' }
            },
        )
        .take(40)
        .collect();
    format!("{name}-{hex}")
}

/// Where the plan of the last run of an agent in this folder is kept. The folder counts in which the command
/// is given, not the project: an agent that removes a `.git` makes the project larger, and that shall be
/// seen.
pub fn last_plan_file(facts: &HostFacts, agent: &str) -> Utf8PathBuf {
    facts.folders.data.join("plans").join(format!("{}-{agent}.json", slug(&facts.project.start)))
}
