//! Laws over the limits.

use camino::Utf8Path;

use crate::path::is_within;
use crate::plan::{Access, Means, Plan, PlanError, Source};

/// Whoever can write the groups that hold the limits can lift these.
pub(super) fn out_of_reach(plan: &Plan) -> Vec<PlanError> {
    let groups: Vec<&Utf8Path> = match &plan.limits.means {
        Means::None | Means::Scope { .. } | Means::Engine => Vec::new(),
        Means::V2 { folder, .. } => vec![folder],
        Means::V1 { groups } => groups.iter().map(|group| group.folder.as_path()).collect(),
    };
    let mut errors = Vec::new();
    for mount in &plan.mounts {
        let Some((Source::Host { path, .. }, Access::Rw)) = mount.bind() else { continue };
        let reached = groups.iter().find(|group| is_within(group, path) || is_within(path, group));
        errors.extend(reached.map(|group| PlanError::LimitsInReach {
            group: (*group).to_owned(),
            mount: path.clone(),
            origin: mount.origin.clone(),
        }));
    }
    errors
}
