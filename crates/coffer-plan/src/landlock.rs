//! Landlock's rules, made of a plan's mounts: the second wall says for each top-level grant what the mount says.
//!
//! A rule counts for everything beneath its folder, and nothing beneath can be taken away again. So what a plan narrows
//! below a folder that it grants more widely (a hidden file in the project, a read-only program in the home) is held by
//! the mounts alone; [`held_by_mounts_alone`] lists it.

use camino::Utf8Path;

use crate::origin::Origin;
use crate::path::is_within;
use crate::plan::{Access, Mount, MountOp, Plan};

/// The newest version that is used where the kernel has it.
pub const NEWEST: u32 = 7;
/// The first version that closes abstract sockets and signals.
pub const FIRST_WITH_SCOPES: u32 = 6;

/// What may be done beneath a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Folders may be listed; no file may be opened.
    List,
    /// Files may be read and executed.
    Read,
    /// Everything but commands to devices.
    Write,
    /// Everything.
    Devices,
}

impl Reach {
    /// As init is told.
    pub fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Write => "write",
            Self::Devices => "devices",
        }
    }
}

/// One rule, and the mount's origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule<'a> {
    /// Inside.
    pub path: &'a Utf8Path,
    /// What may be done beneath it.
    pub reach: Reach,
    /// Who granted it.
    pub origin: Origin,
}

/// The rules of a plan; none where its files have no second wall.
pub fn rules(plan: &Plan) -> Vec<Rule<'_>> {
    let mut out = Vec::new();
    if !plan.hardening.landlock.files {
        return out;
    }
    out.push(match &plan.backend.image {
        // Names alone: who looks for a file walks through folders that show nothing.
        None => {
            let root = Origin::built_in("names of folders");
            Rule { path: Utf8Path::new("/"), reach: Reach::List, origin: root }
        }
        Some(image) => Rule { path: Utf8Path::new("/"), reach: Reach::Read, origin: image.origin.clone() },
    });
    for mount in &plan.mounts {
        let Some(reach) = granted(mount) else { continue };
        let path = mount.target.as_path();
        // What is around says as much.
        if reach_of(&out, path).is_none_or(|around| around < reach) {
            out.push(Rule { path, reach, origin: mount.origin.clone() });
        }
    }
    out
}

/// What the rules allow at a path.
pub fn reach_of(rules: &[Rule<'_>], path: &Utf8Path) -> Option<Reach> {
    rules.iter().filter(|rule| is_within(path, rule.path)).map(|rule| rule.reach).max()
}

/// What a mount grants; `None` for what shows nothing.
pub fn granted(mount: &Mount) -> Option<Reach> {
    match &mount.op {
        MountOp::Bind { source: _, access: Access::Rw }
        | MountOp::Overlay { .. }
        | MountOp::Tmpfs { .. }
        | MountOp::Proc => Some(Reach::Write),
        MountOp::Bind { source: _, access: Access::Ro }
        | MountOp::Placeholder { .. }
        | MountOp::File { .. } => Some(Reach::Read),
        MountOp::Dev => Some(Reach::Devices),
        // A rule would count for what the link leads to, which has one of its own.
        MountOp::Symlink { .. } | MountOp::GitConfig { .. } | MountOp::Mask { .. } => None,
    }
}

/// The mounts that grant less than the rules do at their place, because they lie below a wider grant.
pub fn held_by_mounts_alone(plan: &Plan) -> Vec<&Mount> {
    let rules = rules(plan);
    let is_wider = |mount: &&Mount| {
        let allowed = reach_of(&rules, &mount.target).filter(|reach| *reach > Reach::List);
        let is_link = matches!(mount.op, MountOp::Symlink { .. });
        !is_link && allowed > granted(mount)
    };
    plan.mounts.iter().filter(is_wider).collect()
}

#[cfg(test)]
mod tests;
