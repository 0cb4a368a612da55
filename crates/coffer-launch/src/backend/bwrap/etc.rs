//! The sandbox's `/etc`, put together before bubblewrap begins: it is some fifty files and folders, and each bind costs
//! bubblewrap a look at the whole table of mounts. What it binds then is one folder.

use std::ops::RangeInclusive;

use camino::Utf8Path;
use coffer_plan::derive::mounts_before_backend;
use coffer_plan::facts::HostFacts;
use coffer_plan::path::is_within;
use coffer_plan::plan::{Access, CheckedPlan, FileContent, Mount, MountOp, Source};

use crate::launch::{HostPath, Part, PartKind};

const ETC: &str = "/etc";

/// The mounts of the plan from the first to the last one in `/etc`, when all that is mounted in there is an entry of
/// its own, and nothing else comes in between.
pub(super) fn together(plan: &CheckedPlan, facts: &HostFacts) -> Option<RangeInclusive<usize>> {
    let is_in_etc = |mount: &Mount| is_within(&mount.target, Utf8Path::new(ETC));
    let first = plan.mounts.iter().position(is_in_etc)?;
    let last = plan.mounts.iter().rposition(is_in_etc)?;
    let range = &plan.mounts[first..=last];
    let is_covered =
        |at: usize| range.iter().skip(at + 1).any(|later| is_within(&later.target, &range[at].target));
    let can = mounts_before_backend(facts)
        && range.iter().all(|mount| part(mount).is_some())
        && !(0..range.len()).any(is_covered);
    can.then_some(first..=last)
}

/// The entry that a mount is; `None` for what bubblewrap has to make itself.
pub(super) fn part(mount: &Mount) -> Option<Part> {
    let below = mount.target.strip_prefix(ETC).ok().filter(|below| *below != "")?;
    let what = match &mount.op {
        MountOp::Bind { source: Source::Host { path, dev, ino, folder }, access: Access::Ro } => {
            let seen = HostPath { path: path.clone(), dev: *dev, ino: *ino };
            if *folder { PartKind::Folder(seen) } else { PartKind::File(seen) }
        }
        MountOp::Symlink { source } => PartKind::Link(source.clone()),
        MountOp::File { content: FileContent::Text { text } } => PartKind::Text(text.clone()),
        MountOp::Bind { .. }
        | MountOp::File { .. }
        | MountOp::Overlay { .. }
        | MountOp::Tmpfs { .. }
        | MountOp::Proc
        | MountOp::Dev
        | MountOp::Mask { .. }
        | MountOp::GitConfig { .. }
        | MountOp::Placeholder { .. } => return None,
    };
    Some(Part { below: below.to_owned(), what })
}
