//! Mount points in folders that an agent can write: bubblewrap would follow a link that an agent left
//! there, so the host makes and checks them itself.

use coffer_plan::path::is_within;
use coffer_plan::plan::{CheckedPlan, Mount, MountOp, Source};

use super::place_of;
use crate::launch::Preparation;

/// A preparation for every mount that lands in an earlier read-write bind.
pub(super) fn points(plan: &CheckedPlan) -> Vec<Preparation> {
    let mut out = Vec::new();
    for (at, mount) in plan.mounts.iter().enumerate() {
        let mut earlier = plan.mounts[..at].iter().rev();
        let around =
            earlier.find(|outer| outer.target != mount.target && is_within(&mount.target, &outer.target));
        let Some((outer, source)) = around.and_then(|outer| Some((outer, outer.written()?))) else {
            continue;
        };
        // It is held by a preparation of its own.
        if matches!(mount.op, MountOp::Placeholder { .. }) {
            continue;
        }
        let Ok(below) = mount.target.strip_prefix(&outer.target) else { continue };
        if let Some(folder) = is_folder(mount) {
            out.push(Preparation::Point { place: place_of(&source), below: below.to_owned(), folder });
        }
    }
    out
}

/// Whether the mount point has to be a folder; `None` for a link, which is no mount.
fn is_folder(mount: &Mount) -> Option<bool> {
    match &mount.op {
        MountOp::Bind { source: Source::Host { folder, .. }, .. } => Some(*folder),
        MountOp::Bind { source: Source::Own { .. } | Source::Run { .. }, .. } => Some(true),
        MountOp::Overlay { .. } | MountOp::Tmpfs { .. } | MountOp::Proc | MountOp::Dev => Some(true),
        MountOp::Mask { folder } => Some(*folder),
        MountOp::File { .. } | MountOp::GitConfig { .. } => Some(false),
        MountOp::Placeholder { text } => Some(text.is_none()),
        MountOp::Symlink { .. } => None,
    }
}
