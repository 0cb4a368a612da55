//! Which limits hold here, and what holds them.

use camino::Utf8PathBuf;

use super::image;
use crate::facts::{CgroupFacts, CgroupPlace, HostFacts};
use crate::origin::{Decided, Origin, OriginLayer};
use crate::plan::{BackendKind, Controller, Limit, Limits, Means, Note, OldGroup, PlanError};
use crate::policy::Policy;

/// A limit that somebody wants, whoever that is.
struct Wanted<'a> {
    controller: Controller,
    amount: String,
    origin: &'a Origin,
}

impl Wanted<'_> {
    /// Whether the product wants it, and nobody else.
    fn is_default(&self) -> bool {
        self.origin.layer == OriginLayer::BuiltIn
    }
}

/// The limits, and what is refused: whatever somebody asked for and nothing here can hold. A default that nothing
/// can hold is left out, and the plan says so.
pub(super) fn derive(policy: &Policy, facts: &HostFacts) -> (Limits, Vec<PlanError>) {
    let bounds = &policy.limits;
    let wanted: Vec<Wanted<'_>> = [
        want(Controller::Memory, &bounds.memory),
        want(Controller::Pids, &bounds.pids),
        want(Controller::Cpu, &bounds.cpus),
    ]
    .into_iter()
    .flatten()
    .collect();
    let engine = image::Engine::of(policy, facts);
    let (means, held) = match engine {
        Some(engine) => by_engine(&wanted, engine),
        None => choose(&wanted, facts),
    };
    let (mut errors, mut lacks) = (Vec::new(), Vec::new());
    for missing in wanted.iter().filter(|wanted| !held.contains(&wanted.controller)) {
        let Missing { mut reason, fix } = match engine {
            Some(_) => missing_in_engine(policy, missing.controller),
            None => missing_means(missing.controller, facts),
        };
        if missing.is_default() {
            if engine.is_none() && in_scope(missing.controller, &facts.cgroups) {
                let flag = format!("--{} {}", missing.controller.limit(), missing.amount);
                reason = format!("a scope of your systemd holds it when it is asked for (`{flag}`)");
            }
            let text = format!("{} ({}): {reason}", missing.controller.limit(), missing.amount);
            lacks.push(Note { text, origin: missing.origin.clone() });
        } else {
            errors.push(PlanError::NoLimit {
                limit: missing.controller.limit(),
                amount: missing.amount.clone(),
                reason,
                fix,
                origin: missing.origin.clone(),
            });
        }
    }
    let limits = Limits {
        memory: limit(&bounds.memory, held.contains(&Controller::Memory)),
        pids: limit(&bounds.pids, held.contains(&Controller::Pids)),
        cpus: limit(&bounds.cpus, held.contains(&Controller::Cpu)),
        means,
        lacks,
    };
    (limits, errors)
}

/// What an engine holds of the limits.
fn by_engine(wanted: &[Wanted<'_>], engine: image::Engine<'_>) -> (Means, Vec<Controller>) {
    let all = wanted.iter().map(|wanted| wanted.controller);
    let held: Vec<Controller> = all.filter(|controller| engine.holds(*controller)).collect();
    (if held.is_empty() { Means::None } else { Means::Engine }, held)
}

/// Why an engine does not hold a limit.
fn missing_in_engine(policy: &Policy, controller: Controller) -> Missing {
    let kind = policy.backend.value;
    Missing {
        reason: format!("{kind} has no controller `{controller}` here"),
        fix: match kind {
            BackendKind::Podman => format!(
                "for an ordinary user groups (cgroups) of version 2 have to be handed over, {DELEGATE}"
            ),
            BackendKind::Bwrap | BackendKind::Docker | BackendKind::Kubernetes => {
                format!(
                    "switch the controller `{controller}` on in this kernel, for example by `cgroup_enable={controller}` at boot"
                )
            }
        },
    }
}

/// Whether a scope of the user's systemd could hold it.
fn in_scope(controller: Controller, facts: &CgroupFacts) -> bool {
    let manager = facts.user_manager.as_ref();
    manager.is_some_and(|manager| manager.controllers.iter().any(|name| name == controller.word()))
}

fn want<T: std::fmt::Display>(controller: Controller, wish: &Decided<Option<T>>) -> Option<Wanted<'_>> {
    let amount = wish.value.as_ref()?.to_string();
    Some(Wanted { controller, amount, origin: &wish.origin })
}

fn limit<T: Copy>(wish: &Decided<Option<T>>, holds: bool) -> Limit<T> {
    Limit { value: wish.value.filter(|_| holds), origin: wish.origin.clone() }
}

/// The means that holds the most of what somebody asked for, then the most of all; the first of several. Version 2
/// comes first, then a scope of the user's systemd, then version 1.
fn choose(wanted: &[Wanted<'_>], facts: &HostFacts) -> (Means, Vec<Controller>) {
    let all: Vec<Controller> = wanted.iter().map(|wanted| wanted.controller).collect();
    let asked = |held: &[Controller]| {
        wanted.iter().filter(|wanted| !wanted.is_default() && held.contains(&wanted.controller)).count()
    };
    let mut best = (Means::None, Vec::new());
    let is_asked = wanted.iter().any(|wanted| !wanted.is_default());
    for (means, held) in candidates(&all, &facts.cgroups) {
        // A run that is started again in a scope does not look at the project when it ends: a default is not worth that.
        if matches!(means, Means::Scope { .. }) && !is_asked {
            continue;
        }
        if (asked(&held), held.len()) > (asked(&best.1), best.1.len()) {
            best = (means, held);
        }
    }
    best
}

/// Each means that could be had, with what it holds of the limits.
fn candidates(wanted: &[Controller], facts: &CgroupFacts) -> Vec<(Means, Vec<Controller>)> {
    let has = |names: &[String]| -> Vec<Controller> {
        wanted
            .iter()
            .copied()
            .filter(|controller| names.iter().any(|name| name == controller.word()))
            .collect()
    };
    let mut out: Vec<(Means, Vec<Controller>)> = Vec::new();
    for CgroupPlace { folder, available, enabled, can_enable, is_ours } in &facts.v2_places {
        // What a user's systemd keeps is its own to divide, but for the group that it handed over.
        let is_kept = folder.components().any(|part| part.as_str().starts_with("user@"));
        if is_kept && !is_ours && facts.user_manager.is_some() {
            continue;
        }
        let held = has(if *can_enable { available } else { enabled });
        let handed_on = has(enabled);
        let enable: Vec<Controller> =
            held.iter().copied().filter(|controller| !handed_on.contains(controller)).collect();
        let step_aside = *is_ours && !enable.is_empty();
        out.push((Means::V2 { folder: folder.clone(), enable, step_aside }, held));
    }
    if let Some(manager) = &facts.user_manager {
        let held = has(&manager.controllers);
        out.push((Means::Scope { program: manager.systemd_run.clone(), enable: held.clone() }, held));
    }
    let old = |controller: &Controller| {
        let folder: &Utf8PathBuf = facts.v1_places.get(controller.word())?;
        Some(OldGroup { controller: *controller, folder: folder.clone() })
    };
    let groups: Vec<OldGroup> = wanted.iter().filter_map(old).collect();
    let held = groups.iter().map(|group| group.controller).collect();
    out.push((Means::V1 { groups }, held));
    out
}

/// Why a limit cannot be held here, and what would change that.
struct Missing {
    reason: String,
    fix: String,
}

/// A limit that cannot be held here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unheld {
    /// Which: the flag without its dashes.
    pub limit: &'static str,
    /// Why.
    pub reason: String,
    /// What would change that.
    pub fix: String,
}

/// The limits that are wanted by default and cannot be held here.
pub fn unheld(facts: &HostFacts) -> Vec<Unheld> {
    let wanted = [Controller::Memory, Controller::Pids];
    let candidates = candidates(&wanted, &facts.cgroups);
    let held = candidates.into_iter().map(|(_, held)| held).max_by_key(Vec::len).unwrap_or_default();
    let missing = wanted.into_iter().filter(|controller| !held.contains(controller));
    missing
        .map(|controller| {
            let Missing { reason, fix } = missing_means(controller, facts);
            Unheld { limit: controller.limit(), reason, fix }
        })
        .collect()
}

/// What gives the user's systemd all controllers, as its documentation has it.
const DELEGATE: &str = "`sudo mkdir -p /etc/systemd/system/user@.service.d && printf \
                        '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | sudo tee \
                        /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload`, then sign \
                        in to the machine again";

fn missing_means(controller: Controller, facts: &HostFacts) -> Missing {
    let (cgroups, user) = (&facts.cgroups, &facts.user);
    let has_v2 = cgroups.v2_controllers.iter().any(|name| name == controller.word());
    if cgroups.user_manager.is_some() {
        let reason = format!("your systemd has no controller `{controller}` to hand on");
        return Missing { reason, fix: DELEGATE.to_owned() };
    }
    if user.uid == 0 {
        let flag = if controller == Controller::Pids { "pids-limit" } else { controller.limit() };
        return Missing {
            reason: format!("no group (cgroup) with the controller `{controller}` can be made here"),
            fix: format!(
                "in a container let its engine hold it, `docker run --{flag} …`, or give it groups of its own that it \
                 may write: `docker run --cgroupns private -v /sys/fs/cgroup:/sys/fs/cgroup …`"
            ),
        };
    }
    if has_v2 {
        let (name, uid) = (&user.name, user.uid);
        return Missing {
            reason: "nobody has handed you a group (cgroup) of your own, and no systemd of yours answers"
                .to_owned(),
            fix: format!(
                "`sudo loginctl enable-linger {name}` and sign in to the machine again; or for once `sudo systemd-run \
                 --scope -p Delegate=yes --uid {uid} -- coffer run …`"
            ),
        };
    }
    let folder = format!("/sys/fs/cgroup/{controller}/coffer");
    Missing {
        reason: format!("no group (cgroup) with the controller `{controller}` is yours"),
        fix: format!(
            "`sudo mkdir {folder} && sudo chown -R {} {folder} && echo $$ | sudo tee {folder}/cgroup.procs`, and then \
             in the same shell",
            user.uid
        ),
    }
}

#[cfg(test)]
mod tests;
