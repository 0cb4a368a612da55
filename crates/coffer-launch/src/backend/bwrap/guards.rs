//! What is mounted over the host's paths before bubblewrap begins, in namespaces of its own. A bind of the folder around
//! takes it along, so it costs bubblewrap one look at the table of mounts, and not one for each; and bubblewrap has no
//! word for a link that is mounted, which git's configuration needs.

use std::collections::BTreeSet;

use coffer_plan::derive::mounts_before_backend;
use coffer_plan::facts::HostFacts;
use coffer_plan::path::is_within;
use coffer_plan::plan::{Access, CheckedPlan, Mount, MountOp, Source};

use crate::launch::{Guard, HostPath, Preparation};

/// The mounts of the plan that come about this way, by their place in it.
pub(super) fn guarded(plan: &CheckedPlan, facts: &HostFacts) -> BTreeSet<usize> {
    let mut out = BTreeSet::new();
    if !mounts_before_backend(facts) {
        return out;
    }
    for (at, mount) in plan.mounts.iter().enumerate() {
        let around = plan.mounts[..at].iter().rposition(|outer| is_within(&mount.target, &outer.target));
        let carried = around.is_some_and(|outer| out.contains(&outer) || carries(&plan.mounts[outer]));
        if carried && guard(mount).is_some() {
            out.insert(at);
        }
    }
    out
}

/// What is prepared for them, and for the places that are held.
pub(super) fn preparations(plan: &CheckedPlan, facts: &HostFacts) -> Vec<Preparation> {
    let guarded = guarded(plan, facts);
    let mut out = Vec::new();
    for (at, mount) in plan.mounts.iter().enumerate() {
        if let MountOp::Placeholder { text } = &mount.op {
            out.push(Preparation::Hold { path: mount.target.clone(), text: text.clone() });
        }
        if guarded.contains(&at) {
            out.extend(guard(mount).map(Preparation::Guard));
        }
    }
    out
}

/// Whether it shows a folder of the host at its own place, so that what is mounted in there is seen inside.
fn carries(mount: &Mount) -> bool {
    match &mount.op {
        MountOp::Bind { source: Source::Host { path, folder, .. }, access: Access::Rw } => {
            *folder && *path == mount.target
        }
        MountOp::Bind { .. }
        | MountOp::GitConfig { .. }
        | MountOp::Placeholder { .. }
        | MountOp::Overlay { .. }
        | MountOp::Tmpfs { .. }
        | MountOp::Proc
        | MountOp::Dev
        | MountOp::Symlink { .. }
        | MountOp::Mask { .. }
        | MountOp::File { .. } => false,
    }
}

fn guard(mount: &Mount) -> Option<Guard> {
    let seen = |source: &Source| match source {
        Source::Host { path, dev, ino, .. } if *path == mount.target => {
            Some(HostPath { path: path.clone(), dev: *dev, ino: *ino })
        }
        Source::Host { .. } | Source::Own { .. } | Source::Run { .. } => None,
    };
    match &mount.op {
        MountOp::Bind { source, access: Access::Ro } => seen(source).map(Guard::ReadOnly),
        MountOp::Bind { source, access: Access::Rw } => seen(source).map(Guard::Pin),
        MountOp::GitConfig { source, name, accept } => {
            seen(source).map(|config| Guard::GitConfig { config, name: name.clone(), accept: *accept })
        }
        MountOp::Placeholder { .. } => Some(Guard::Held(mount.target.clone())),
        MountOp::Overlay { .. }
        | MountOp::Tmpfs { .. }
        | MountOp::Proc
        | MountOp::Dev
        | MountOp::Symlink { .. }
        | MountOp::Mask { .. }
        | MountOp::File { .. } => None,
    }
}
