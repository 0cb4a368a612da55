//! The limits of a run, and the groups that hold them.

use camino::Utf8PathBuf;
use coffer_plan::plan::{CheckedPlan, Means};
use serde::{Deserialize, Serialize};

use super::Launch;

/// The limits of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory and swap together, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
    /// Thousandths of a processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// What holds them.
    pub means: Means,
}

impl Limits {
    /// Those of a plan; `None` where nothing is limited.
    pub(crate) fn of(plan: &CheckedPlan) -> Option<Self> {
        let limits = &plan.limits;
        (limits.means != Means::None).then(|| Self {
            memory: limits.memory.value.map(|size| size.0),
            pids: limits.pids.value.map(|count| count.0),
            cpus: limits.cpus.value.map(|cpus| cpus.0),
            means: limits.means.clone(),
        })
    }
}

impl Launch {
    /// What holds its limits, if it has any.
    pub fn means(&self) -> Option<&Means> {
        self.limits.as_ref().map(|limits| &limits.means)
    }

    /// The launch as it is once systemd has made the scope that it asks for: the group that we are in is the scope's,
    /// and handed over.
    #[must_use]
    pub fn in_scope(mut self, folder: Utf8PathBuf) -> Self {
        if let Some(limits) = &mut self.limits
            && let Means::Scope { program: _, enable } = &limits.means
        {
            limits.means = Means::V2 { folder, enable: enable.clone(), step_aside: true };
        }
        self
    }
}
