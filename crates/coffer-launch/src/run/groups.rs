//! The groups of the kernel's (cgroups) that hold a run's limits: made before it starts, entered by the backend
//! before that is anything else, read and removed at the end.
//!
//! A run has two levels: the outer group has the limits and no process, the inner one the processes and no limit.
//! Whoever could mount the hierarchy inside (with `--allow-nesting`) would see the inner one as the root of all, and
//! nothing of the outer one.

mod aside;
mod setting;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::plan::{Controller, Means};
use coffer_sys::process::enter_groups;

use super::RunError;
use crate::launch::Limits;
pub use aside::{Aside, step_aside};
use setting::{Version, settings};

/// What every group of ours is called, with the run's id behind it: a sweep removes no other.
const PREFIX: &str = "coffer-";
/// The group with the processes.
const INSIDE: &str = "inside";
/// The file of a run's folder that names its groups, for whoever sweeps it.
pub(super) const NOTE: &str = "groups";

/// A limit that a run came up against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// What it bounds.
    pub controller: Controller,
    /// How much: bytes, or processes.
    pub limit: u64,
    /// How often: processes that the kernel ended, or starts that it refused.
    pub times: u64,
}

/// The groups of a run.
#[derive(Debug)]
pub(super) struct Groups {
    limits: Limits,
    made: Vec<Group>,
}

/// One of them.
#[derive(Debug)]
struct Group {
    /// The outer one.
    folder: Utf8PathBuf,
    version: Version,
    controllers: Vec<Controller>,
}

impl Groups {
    /// Where the groups of a run would be.
    pub(super) fn places(limits: &Limits, id: &str) -> Vec<Utf8PathBuf> {
        planned(limits, id).into_iter().map(|group| group.folder).collect()
    }

    /// Makes them, with the limits set. Nothing is left of them when that fails.
    pub(super) fn make(limits: &Limits, id: &str) -> Result<Self, RunError> {
        hand_on(&limits.means)?;
        let mut groups = Self { limits: limits.clone(), made: Vec::new() };
        for group in planned(limits, id) {
            let made = group.make(limits);
            groups.made.push(group);
            if let Err(error) = made {
                return Err(match groups.remove() {
                    Ok(()) => error,
                    Err(clean_up) => RunError::Both { run: Box::new(error), clean_up: Box::new(clean_up) },
                });
            }
        }
        Ok(groups)
    }

    /// Lets the backend begin in them.
    pub(super) fn enter(&self, backend: &mut Command) -> Result<(), RunError> {
        let open = |group: &Group| -> Result<OwnedFd, RunError> {
            let path = group.folder.join(INSIDE).join(group.version.entrance());
            let opened = File::options().write(true).open(&path);
            opened.map(OwnedFd::from).map_err(failed("open", &path))
        };
        enter_groups(backend, self.made.iter().map(open).collect::<Result<_, _>>()?);
        Ok(())
    }

    /// The limits that the run came up against, so far.
    pub(super) fn hits(&self) -> Vec<Hit> {
        let of = |group: &Group, controller| {
            // What is around it may be at its own end, and the kernel counts that here as well.
            let times = if group.was_full(controller) { group.times(controller) } else { 0 };
            let limit = match controller {
                Controller::Memory => self.limits.memory,
                Controller::Pids => self.limits.pids.map(u64::from),
                // Nobody is refused anything: it takes longer.
                Controller::Cpu => None,
            };
            limit.filter(|_| times > 0).map(|limit| Hit { controller, limit, times })
        };
        let each = |group| {
            let group: &Group = group;
            group.controllers.iter().filter_map(move |controller| of(group, *controller))
        };
        self.made.iter().flat_map(each).collect()
    }

    /// Removes them. The sandbox is gone by now.
    pub(super) fn remove(self) -> Result<(), RunError> {
        remove_all(self.made.iter().map(|group| group.folder.as_path()))
    }
}

/// What is going to be made; controllers that share a hierarchy share a group.
fn planned(limits: &Limits, id: &str) -> Vec<Group> {
    let name = format!("{PREFIX}{id}");
    let mut out: Vec<Group> = Vec::new();
    let mut add = |parent: &Utf8Path, version, controller| {
        let folder = parent.join(&name);
        match out.iter_mut().find(|group| group.folder == folder) {
            Some(group) => group.controllers.push(controller),
            None => out.push(Group { folder, version, controllers: vec![controller] }),
        }
    };
    match &limits.means {
        // A scope is entered before anything of the run is made; it is a group of version 2 then.
        Means::None | Means::Scope { .. } | Means::Engine => {}
        Means::V2 { folder, .. } => {
            let limited = [
                (Controller::Memory, limits.memory.is_some()),
                (Controller::Pids, limits.pids.is_some()),
                (Controller::Cpu, limits.cpus.is_some()),
            ];
            for (controller, _) in limited.into_iter().filter(|(_, is_limited)| *is_limited) {
                add(folder, Version::Two, controller);
            }
        }
        Means::V1 { groups } => {
            for group in groups {
                add(&group.folder, Version::One, group.controller);
            }
        }
    }
    out
}

/// Lets the group around ours hand on what it does not yet.
fn hand_on(means: &Means) -> Result<(), RunError> {
    if let Means::Scope { program, .. } = means {
        return Err(failed("enter the scope of", program)(io::ErrorKind::Unsupported.into()));
    }
    let Means::V2 { folder, enable, step_aside: _ } = means else { return Ok(()) };
    if enable.is_empty() {
        return Ok(());
    }
    let words: Vec<String> = enable.iter().map(|controller| format!("+{controller}")).collect();
    write(&folder.join(setting::HANDED_ON), &words.join(" "))
}

impl Group {
    fn make(&self, limits: &Limits) -> Result<(), RunError> {
        // What is in another mode than the kernel's is not for others.
        let make = |path: &Utf8Path| {
            std::fs::DirBuilder::new().mode(0o755).create(path).map_err(failed("make", path))
        };
        make(&self.folder)?;
        for controller in &self.controllers {
            for setting in settings(self.version, *controller, limits) {
                let path = self.folder.join(setting.file);
                match write(&path, &setting.value) {
                    // Not every kernel counts swap, or has the switch.
                    Err(RunError::Group { source, .. })
                        if setting.optional && source.kind() == io::ErrorKind::NotFound => {}
                    other => other?,
                }
            }
        }
        make(&self.folder.join(INSIDE))
    }

    /// Whether this very limit was reached; yes where the kernel does not say.
    fn was_full(&self, controller: Controller) -> bool {
        let number = |file: &str| -> Option<u64> {
            std::fs::read_to_string(self.folder.join(file)).ok()?.trim().parse().ok()
        };
        match (self.version, controller) {
            (Version::One | Version::Two, Controller::Pids) => {
                let [most, limit] = ["pids.peak", "pids.max"].map(number);
                most.is_none_or(|most| limit.is_none_or(|limit| most >= limit))
            }
            // The counters of failures leave out what is below. What is most is right up to a few pages.
            (Version::One, Controller::Memory) => {
                let [most, limit] = ["memory.max_usage_in_bytes", "memory.limit_in_bytes"].map(number);
                most.is_none_or(|most| limit.is_none_or(|limit| most >= limit - limit / 16))
            }
            (Version::Two, Controller::Memory) => count(&self.folder, "memory.events", "oom") > 0,
            (Version::One | Version::Two, Controller::Cpu) => false,
        }
    }

    /// How often a limit of this group was come up against.
    fn times(&self, controller: Controller) -> u64 {
        let Some((file, word)) = self.version.events(controller) else { return 0 };
        let count = |folder: &Utf8Path| count(folder, file, word);
        match self.version {
            // It counts what happens below, too.
            Version::Two => count(&self.folder),
            Version::One => count(&self.folder) + count(&self.folder.join(INSIDE)),
        }
    }
}

/// The number behind a word in a file of a group.
fn count(folder: &Utf8Path, file: &str, word: &str) -> u64 {
    let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(name, _)| *name == word).and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
}

fn write(path: &Utf8Path, value: &str) -> Result<(), RunError> {
    let opened = File::options().write(true).open(path);
    opened.and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes())).map_err(failed("set", path))
}

fn failed(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> RunError {
    let path = path.to_owned();
    move |source| RunError::Group { action, path, source }
}

/// Removes a group with the one in it. The kernel does so only when nobody lives in them.
fn remove(folder: &Utf8Path) -> Result<(), RunError> {
    for group in [&folder.join(INSIDE), folder] {
        match std::fs::remove_dir(group) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", group)(source));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Removes the groups of a run that is dead, as it noted them; `id` is the run's. The lock of the run is ours by now.
pub(super) fn sweep(root: &Utf8Path, id: &str) -> Result<(), RunError> {
    let Ok(note) = std::fs::read_to_string(root.join(NOTE)) else { return Ok(()) };
    let name = format!("{PREFIX}{id}");
    let ours = note.lines().map(Utf8Path::new).filter(|folder| folder.file_name() == Some(&name));
    remove_all(ours)
}

/// Removes them all, also when one cannot be removed; the first error is told.
fn remove_all<'a>(folders: impl Iterator<Item = &'a Utf8Path>) -> Result<(), RunError> {
    let mut told = Ok(());
    for folder in folders {
        told = told.and(remove(folder));
    }
    told
}
