//! The files of groups: what is written where, and where the kernel counts. As the kernel's documentation has them
//! (`admin-guide/cgroup-v2.rst`, `admin-guide/cgroup-v1/`).

use coffer_plan::plan::Controller;

use crate::launch::Limits;

/// What a group of version 2 hands on to those below it.
pub(super) const HANDED_ON: &str = "cgroup.subtree_control";
/// The kernel's own period for shares of processors, in microseconds.
const PERIOD: u64 = 100_000;
/// Thousandths are what the limits count processors in.
const WHOLE: u64 = 1000;

/// The versions of the kernel's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// One hierarchy for each controller.
    One,
    /// One for all.
    Two,
}

/// One file of a group.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) file: &'static str,
    pub(super) value: String,
    /// Whether it may be missing.
    pub(super) optional: bool,
}

impl Version {
    /// The file by which a process of one thread enters. By `tasks` it need not wait for all processors, as it has to
    /// with `cgroup.procs` (measured: 0.08 ms against 9 ms); version 2 has no such file.
    pub(super) fn entrance(self) -> &'static str {
        match self {
            Self::One => "tasks",
            Self::Two => "cgroup.procs",
        }
    }

    /// Where it is counted how often a limit was come up against, and the word before the count.
    pub(super) fn events(self, controller: Controller) -> Option<(&'static str, &'static str)> {
        match (self, controller) {
            (Self::One, Controller::Memory) => Some(("memory.oom_control", "oom_kill")),
            (Self::Two, Controller::Memory) => Some(("memory.events", "oom_kill")),
            (Self::One | Self::Two, Controller::Pids) => Some(("pids.events", "max")),
            (Self::One | Self::Two, Controller::Cpu) => None,
        }
    }
}

/// What is set for one controller, in this order.
pub(super) fn settings(version: Version, controller: Controller, limits: &Limits) -> Vec<Setting> {
    let must = |file, value: String| Setting { file, value, optional: false };
    let may = |file, value: String| Setting { file, value, optional: true };
    match (version, controller) {
        // Swap counts, too: a run that swaps instead of ending would slow down the whole machine.
        (Version::Two, Controller::Memory) => limits.memory.map_or_else(Vec::new, |bytes| {
            vec![must("memory.max", bytes.to_string()), may("memory.swap.max", "0".to_owned())]
        }),
        // Before Linux 5.11 a group counts what is below it only when it is told to.
        (Version::One, Controller::Memory) => limits.memory.map_or_else(Vec::new, |bytes| {
            vec![
                may("memory.use_hierarchy", "1".to_owned()),
                must("memory.limit_in_bytes", bytes.to_string()),
                may("memory.memsw.limit_in_bytes", bytes.to_string()),
            ]
        }),
        (Version::One | Version::Two, Controller::Pids) => {
            limits.pids.map_or_else(Vec::new, |count| vec![must("pids.max", count.to_string())])
        }
        (Version::Two, Controller::Cpu) => limits
            .cpus
            .map_or_else(Vec::new, |cpus| vec![must("cpu.max", format!("{} {PERIOD}", quota(cpus)))]),
        (Version::One, Controller::Cpu) => limits.cpus.map_or_else(Vec::new, |cpus| {
            vec![
                must("cpu.cfs_period_us", PERIOD.to_string()),
                must("cpu.cfs_quota_us", quota(cpus).to_string()),
            ]
        }),
    }
}

/// Microseconds of a period.
fn quota(cpus: u32) -> u64 {
    u64::from(cpus) * PERIOD / WHOLE
}
