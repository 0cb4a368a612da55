//! The state mode `copy`: a working copy of what the mode `project` would use, for this run alone.
//!
//! It is laid over the state where the kernel lets us and nobody writes in the state; else it is a copy made at the
//! start. The user's own folder of the agent is never copied: only states of ours are.

use camino::{Utf8Path, Utf8PathBuf};

use super::slug;
use crate::facts::{HostFacts, WorkingCopyFact};
use crate::plan::{CopyWay, WorkingCopy};
use crate::policy::Policy;

/// The state of the project, as the mode `project` uses it.
pub fn state_of_project(facts: &HostFacts, agent: &str) -> Utf8PathBuf {
    root(facts, agent).join("projects").join(slug(&facts.project.path))
}

/// The state of the account, as the mode `shared` uses it.
pub(super) fn state_of_account(facts: &HostFacts, policy: &Policy) -> Utf8PathBuf {
    root(facts, &policy.agent.name).join(format!("account-{}", policy.account.value))
}

fn root(facts: &HostFacts, agent: &str) -> Utf8PathBuf {
    facts.folders.data.join("state").join(agent)
}

/// Decides how the copy comes about.
pub(super) fn derive(policy: &Policy, facts: &HostFacts, of: Utf8PathBuf) -> WorkingCopy {
    let seen = facts.working_copy.as_ref().filter(|seen| seen.of == of);
    let reason = match policy.backend.value.is_engine() {
        true => Some("a container engine does not see what is mounted for one run".to_owned()),
        false => reason(seen),
    };
    let way = match (&reason, seen) {
        (None, _) => CopyWay::Overlay,
        (Some(_), Some(seen)) if seen.reflinks => CopyWay::Reflink,
        (Some(_), _) => CopyWay::Copy,
    };
    WorkingCopy { of, way, reason, keep: policy.keep, never_kept: never_kept(policy) }
}

/// What the user should know of it.
pub(super) fn note(copy: &WorkingCopy) -> String {
    let way = match copy.way {
        CopyWay::Overlay => "laid over it".to_owned(),
        CopyWay::Reflink => "copied at the start (its blocks are shared)".to_owned(),
        CopyWay::Copy => "copied at the start".to_owned(),
    };
    let because = copy.reason.as_ref().map_or_else(String::new, |reason| format!(", because {reason}"));
    let fate = match copy.keep {
        true => "what is done in it is merged back at the end, but no configuration and no credential",
        false => "it is gone after the run",
    };
    format!("the state is a working copy of `{}`: {way}{because}; {fate}", copy.of)
}

/// Why it is no overlay.
fn reason(seen: Option<&WorkingCopyFact>) -> Option<String> {
    match seen {
        None => Some("nobody looked whether an overlay can be mounted".to_owned()),
        Some(WorkingCopyFact { in_use: true, .. }) => Some("another run writes in the state".to_owned()),
        Some(WorkingCopyFact { no_overlay, .. }) => no_overlay.clone(),
    }
}

fn never_kept(policy: &Policy) -> Vec<String> {
    // Only the first part counts: what lies in a folder of that name is not kept either.
    let first = |name: &String| Utf8Path::new(name).components().next().map(|part| part.as_str().to_owned());
    let mut names: Vec<String> = policy.agent.own_files().filter_map(first).collect();
    names.extend(policy.agent.login.iter().map(|login| login.file.clone()));
    names.extend(policy.agent.state.iter().flat_map(|state| state.never_kept.iter().cloned()));
    names.sort();
    names.dedup();
    names
}
