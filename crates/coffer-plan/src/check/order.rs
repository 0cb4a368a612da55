//! Laws over the ordered list: no target twice, nothing earlier covered, nothing hidden opened again,
//! nothing of the sandbox's own replaced.

use camino::Utf8Path;

use crate::derive::{INSIDE, KEY_AGENTS, LEASE};
use crate::origin::OriginLayer;
use crate::path::is_within;
use crate::plan::{Mount, MountOp, Plan, PlanError, RunFolder, Source};

/// Folders whose content the sandbox makes itself: nothing is mounted on or below them by a layer.
const RESERVED: &[&str] = &["/proc", "/dev", INSIDE];

pub(super) fn check(plan: &Plan) -> Vec<PlanError> {
    let mut errors = Vec::new();
    for (at, mount) in plan.mounts.iter().enumerate() {
        errors.extend(reserved(plan, mount));
        // One finding tells enough of a mount that covers fifty.
        errors.extend(plan.mounts[..at].iter().find_map(|earlier| against(earlier, mount)));
    }
    errors
}

/// One pair of operations, in order.
fn against(earlier: &Mount, later: &Mount) -> Option<PlanError> {
    if later.target == earlier.target {
        return (!takes_away(earlier, later)).then(|| PlanError::DuplicateTarget {
            target: later.target.clone(),
            first: earlier.origin.clone(),
            second: later.origin.clone(),
        });
    }
    if is_within(&earlier.target, &later.target) && !hides(later) {
        return Some(PlanError::Shadow {
            target: later.target.clone(),
            origin: later.origin.clone(),
            covered: earlier.target.clone(),
            covered_origin: earlier.origin.clone(),
        });
    }
    if hides(earlier) && is_within(&later.target, &earlier.target) {
        return Some(PlanError::OpensHidden {
            target: later.target.clone(),
            origin: later.origin.clone(),
            hidden: earlier.target.clone(),
            hidden_origin: earlier.origin.clone(),
        });
    }
    None
}

/// Whether the later operation on the same target only takes away: hides what was shown, or makes the
/// same source read-only.
fn takes_away(earlier: &Mount, later: &Mount) -> bool {
    use crate::plan::Access::{Ro, Rw};
    match (&earlier.op, &later.op) {
        (MountOp::Bind { source: first, access: Rw }, MountOp::Bind { source: second, access: Ro }) => {
            first == second
        }
        (
            MountOp::Bind { .. }
            | MountOp::Overlay { .. }
            | MountOp::GitConfig { .. }
            | MountOp::Placeholder { .. }
            | MountOp::File { .. },
            MountOp::Mask { .. },
        ) => true,
        (
            MountOp::Bind { .. }
            | MountOp::Overlay { .. }
            | MountOp::Tmpfs { .. }
            | MountOp::Proc
            | MountOp::Dev
            | MountOp::Symlink { .. }
            | MountOp::Mask { .. }
            | MountOp::GitConfig { .. }
            | MountOp::Placeholder { .. }
            | MountOp::File { .. },
            _,
        ) => false,
    }
}

fn hides(mount: &Mount) -> bool {
    match mount.op {
        MountOp::Mask { .. } => true,
        MountOp::Bind { .. }
        | MountOp::Overlay { .. }
        | MountOp::Tmpfs { .. }
        | MountOp::Proc
        | MountOp::Dev
        | MountOp::Symlink { .. }
        | MountOp::GitConfig { .. }
        | MountOp::Placeholder { .. }
        | MountOp::File { .. } => false,
    }
}

/// A folder of this run at its place: who chose the auth mode asked for the lease, too, and who granted keys for the
/// folder of the filters.
fn is_of_run(mount: &Mount) -> bool {
    let places = [(LEASE, RunFolder::Lease), (KEY_AGENTS, RunFolder::KeyAgents)];
    places.into_iter().any(|(target, folder)| {
        let of_run = Source::Run { folder };
        mount.target == target && matches!(&mount.op, MountOp::Bind { source, .. } if *source == of_run)
    })
}

fn reserved(plan: &Plan, mount: &Mount) -> Option<PlanError> {
    let ours = match mount.origin.layer {
        OriginLayer::BuiltIn => true,
        OriginLayer::Agent
        | OriginLayer::Account
        | OriginLayer::Tool
        | OriginLayer::Profile
        | OriginLayer::UserFile
        | OriginLayer::PerProject
        | OriginLayer::ProjectFile
        | OriginLayer::Flag => is_of_run(mount) || super::shared::is_shared_login(plan, mount),
    };
    let reserved = RESERVED.iter().any(|folder| is_within(&mount.target, Utf8Path::new(folder)));
    // What hides the sandbox's own folder hides the init that it starts with.
    let hidden = hides(mount) && is_within(Utf8Path::new(INSIDE), &mount.target);
    ((reserved || hidden) && !ours)
        .then(|| PlanError::ReservedTarget { target: mount.target.clone(), origin: mount.origin.clone() })
}
