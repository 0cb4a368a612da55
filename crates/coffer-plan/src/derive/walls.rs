//! What is taken away besides the mounts.

use crate::facts::HostFacts;
use crate::landlock::{FIRST_WITH_SCOPES, NEWEST};
use crate::origin::Origin;
use crate::plan::{FilterKind, Hardening, Landlock, Namespace, Nesting, Note, PlanError, Scope, SystemCalls};
use crate::policy::Policy;

use super::{image, network};

/// Machines for which init holds filters.
const FILTERED: [&str; 2] = ["x86_64", "aarch64"];

pub(super) fn hardening(policy: &Policy, facts: &HostFacts) -> Hardening {
    let engine = image::Engine::of(policy, facts);
    let namespaces = engine.map_or_else(|| namespaces(policy), |engine| engine.namespaces());
    let nesting = policy.allow_nesting.value;
    Hardening {
        namespaces,
        capabilities: Vec::new(),
        no_new_privileges: true,
        read_only_root: true,
        read_only_proc_sys: !has_whole_proc(policy, facts),
        die_with_parent: true,
        nesting: Nesting { allowed: nesting, origin: policy.allow_nesting.origin.clone() },
        system_calls: system_calls(policy, facts),
        landlock: landlock(facts.landlock_abi, nesting),
    }
}

/// Those that bubblewrap makes.
fn namespaces(policy: &Policy) -> Vec<Namespace> {
    let mut out = vec![
        Namespace::User,
        Namespace::Mount,
        Namespace::Pid,
        Namespace::Ipc,
        Namespace::Uts,
        Namespace::Cgroup,
    ];
    out.extend(network::is_apart(policy).then_some(Namespace::Net));
    out
}

/// The kernel lets a sandbox inside have a `/proc` of its own only where nothing covers ours. Its switches belong to
/// root, so whoever is not root outside cannot write them anyway.
pub(super) fn has_whole_proc(policy: &Policy, facts: &HostFacts) -> bool {
    policy.allow_nesting.value && facts.user.uid != 0
}

fn system_calls(policy: &Policy, facts: &HostFacts) -> SystemCalls {
    let nesting = policy.allow_nesting.value;
    let here = policy.system_calls.iter().filter(|rule| rule.is_for(&facts.kernel.machine));
    let (lifted, rules): (Vec<_>, Vec<_>) = here.partition(|rule| nesting && rule.nesting);
    let names = |rules: Vec<&crate::built_in::CallRule>| rules.iter().map(|rule| rule.name.clone()).collect();
    SystemCalls {
        filter: if nesting { FilterKind::Nesting } else { FilterKind::Strict },
        rules: names(rules),
        lifted: names(lifted),
    }
}

fn landlock(kernel: Option<u32>, nesting: bool) -> Landlock {
    let mut lacks = Vec::new();
    if nesting {
        lacks.push("files: it forbids every mount, and `--allow-nesting` lets them be made".to_owned());
    }
    let Some(kernel) = kernel else {
        lacks.push("everything: this kernel has no Landlock, or it was not switched on at boot".to_owned());
        return Landlock { abi: None, files: false, scopes: Vec::new(), lacks };
    };
    let abi = kernel.min(NEWEST);
    let scopes = if abi >= FIRST_WITH_SCOPES {
        vec![Scope::AbstractSockets, Scope::Signals]
    } else {
        lacks.push(format!("abstract sockets and signals: this kernel's version is {kernel}, and they come with {FIRST_WITH_SCOPES}"));
        Vec::new()
    };
    if !nesting {
        let missing = [(2, "renames across folders"), (3, "truncation"), (5, "commands to devices")];
        lacks.extend(missing.iter().filter(|(since, _)| abi < *since).map(|(since, what)| {
            format!("{what}: this kernel's version is {kernel}, and they come with {since}")
        }));
    }
    // Without files and scopes there is nothing left to enforce.
    let is_of_use = !nesting || !scopes.is_empty();
    Landlock { abi: is_of_use.then_some(abi), files: !nesting, scopes, lacks }
}

/// Where no filter can be had, nothing is run: nobody would be told by the agent's behaviour.
pub(super) fn unavailable(facts: &HostFacts) -> Option<PlanError> {
    let machine = &facts.kernel.machine;
    if !FILTERED.contains(&machine.as_str()) {
        return Some(PlanError::NoFilter {
            reason: format!("there are no filters for the machine `{machine}`"),
        });
    }
    let reason = "this kernel takes no filters of system calls (seccomp)".to_owned();
    (!facts.kernel.filters_system_calls).then_some(PlanError::NoFilter { reason })
}

/// What the user should know about walls that are not there.
pub(super) fn notes(policy: &Policy, facts: &HostFacts, hardening: &Hardening) -> Vec<Note> {
    let mut out = Vec::new();
    if hardening.landlock.abi.is_none() && !hardening.nesting.allowed {
        out.push(Note {
            text: "without Landlock the mounts are the only wall around files, and abstract sockets of the host's \
                   network are in reach in the tier `full`"
                .to_owned(),
            origin: Origin::built_in("landlock"),
        });
    }
    if has_whole_proc(policy, facts) {
        out.push(Note {
            text: "the names of your keys can be read in `/proc/keys`: the kernel lets sandboxes inside have a `/proc` of \
                   their own only where nothing covers ours"
                .to_owned(),
            origin: policy.allow_nesting.origin.clone(),
        });
    }
    if hardening.nesting.allowed && facts.user.uid == 0 {
        out.push(Note {
            text: "root's sandboxes inside get no `/proc` of their own: ours stays covered, because it has switches of \
                   the kernel that root may set"
                .to_owned(),
            origin: policy.allow_nesting.origin.clone(),
        });
    }
    out
}

#[cfg(test)]
mod tests;
