//! Peak memory of a run, from the high-water marks in /proc.
//!
//! `wait4` would be simpler, but its figure begins at the size of the process that forked.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use super::sandbox::Sandbox;
use crate::error::Error;

/// Long enough for many looks; what is run is no part of the figure.
const INSIDE: &[&str] = &["/bin/sleep", "0.3"];

/// High-water marks in MiB.
pub(super) struct Peak {
    /// Of the `coffer` process.
    pub(super) own_mib: f64,
    /// With bubblewrap and the sandbox's init.
    pub(super) with_helpers_mib: f64,
}

/// Runs once and looks until the end.
pub(super) fn peak(sandbox: &Sandbox) -> Result<Peak, Error> {
    let command = || "coffer run".to_owned();
    let mut child = sandbox
        .coffer_run(INSIDE)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| Error::Start { command: command(), source })?;
    // A process's mark only grows, so the last look at each is its peak.
    let mut marks = BTreeMap::new();
    let status = loop {
        look(child.id(), &mut marks);
        if let Some(status) =
            child.try_wait().map_err(|source| Error::Start { command: command(), source })?
        {
            break status;
        }
    };
    if !status.success() {
        return Err(Error::Failed { command: command(), stderr: status.to_string() });
    }
    let own = marks.get(&child.id()).copied().unwrap_or(0);
    let all: u64 = marks.values().sum();
    Ok(Peak { own_mib: mib(own), with_helpers_mib: mib(all) })
}

/// Notes the marks of a process and of those that it started, the agent left out.
fn look(pid: u32, marks: &mut BTreeMap<u32, u64>) {
    let folder = Path::new("/proc").join(pid.to_string());
    let Ok(status) = std::fs::read_to_string(folder.join("status")) else { return };
    let is_agent = field(&status, "Name:").is_some_and(|name| INSIDE[0].ends_with(name));
    // A zombie has no mark any more.
    let mark = field(&status, "VmHWM:").and_then(|mark| mark.trim_end_matches(" kB").trim().parse().ok());
    match mark {
        Some(kib) if !is_agent => marks.insert(pid, kib),
        _ if is_agent => marks.remove(&pid),
        _ => None,
    };
    let Ok(tasks) = std::fs::read_dir(folder.join("task")) else { return };
    for task in tasks.flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            look(child, marks);
        }
    }
}

/// A line of /proc/PID/status.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn mib(kib: u64) -> f64 {
    // Sizes here are far below 2^53.
    #[expect(clippy::cast_precision_loss, reason = "memory in KiB fits a double exactly")]
    let kib = kib as f64;
    kib / 1024.0
}
