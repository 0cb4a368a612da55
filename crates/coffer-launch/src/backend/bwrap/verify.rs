//! What init looks at again before it starts the agent: bubblewrap binds by path, and an agent of another
//! run can exchange a path for a link between our look at it and the bind.

use coffer_plan::path::is_within;
use coffer_plan::plan::{Access, CheckedPlan, Mount, MountOp, Source};

use crate::launch::Word;

/// Init's options, for every mount that an agent could have had a hand in: all but the system's own.
pub(in crate::backend) fn demands(plan: &CheckedPlan) -> Vec<Word> {
    let mut out = Vec::new();
    for (at, mount) in plan.mounts.iter().enumerate() {
        let is_covered = plan.mounts[at + 1..].iter().any(|later| is_within(&mount.target, &later.target));
        if !is_covered && mount.origin.common_group().is_none() {
            out.extend(demand(mount));
        }
    }
    out
}

fn demand(mount: &Mount) -> Vec<Word> {
    let words = |option: &str, value: String| vec![Word::from(option), Word::Text(value)];
    match &mount.op {
        MountOp::Bind { source: Source::Host { dev, ino, .. }, access } => {
            let option = match access {
                Access::Ro => "--verify-ro",
                Access::Rw => "--verify",
            };
            words(option, format!("{dev}:{ino}:{}", mount.target))
        }
        MountOp::Bind { source: Source::Own { .. } | Source::Run { .. }, .. }
        | MountOp::Overlay { .. }
        | MountOp::Tmpfs { .. }
        | MountOp::Mask { .. }
        | MountOp::GitConfig { .. }
        | MountOp::Placeholder { .. }
        | MountOp::File { .. } => words("--verify-mount", mount.target.to_string()),
        // A link is no mount; the other two are made by the kernel.
        MountOp::Symlink { .. } | MountOp::Proc | MountOp::Dev => Vec::new(),
    }
}
