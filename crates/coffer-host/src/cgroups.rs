//! Resource controllers: our own groups (`/proc/self/cgroup`) and where they are mounted
//! (`/proc/self/mountinfo`).

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::CgroupFacts;
use rustix::fs::Access;

use crate::read::{may, read_kernel};

/// What could bound a run's memory, processes and processors.
pub(crate) fn cgroups(proc: &Utf8Path) -> CgroupFacts {
    let own = read_kernel(&proc.join("self/cgroup")).unwrap_or_default();
    let mounts = read_kernel(&proc.join("self/mountinfo")).unwrap_or_default();
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let mut facts = CgroupFacts::default();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if controllers.is_empty() {
            unified(&mut facts, &mounts, group);
        } else {
            for name in controllers.split(',').filter(|name| !name.starts_with("name=")) {
                let folder =
                    mounts.iter().filter(|mount| mount.holds(name)).find_map(|mount| mount.locate(group));
                if folder.is_some_and(|folder| writable(&folder)) {
                    facts.v1_writable.push(name.to_owned());
                }
            }
        }
    }
    facts.v1_writable.sort_unstable();
    facts
}

fn unified(facts: &mut CgroupFacts, mounts: &[Mount], group: &str) {
    let folder = mounts.iter().filter(|mount| mount.kind == "cgroup2").find_map(|mount| mount.locate(group));
    let Some(folder) = folder else {
        return;
    };
    facts.v2_controllers = read_kernel(&folder.join("cgroup.controllers"))
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    facts.v2_delegated = writable(&folder) && may(&folder.join("cgroup.procs"), Access::WRITE_OK);
    facts.v2 = Some(folder);
}

fn writable(folder: &Utf8Path) -> bool {
    may(folder, Access::WRITE_OK | Access::EXEC_OK)
}

/// A mounted hierarchy.
struct Mount {
    /// Which group stands at the mount point.
    root: String,
    point: Utf8PathBuf,
    /// `cgroup` or `cgroup2`.
    kind: String,
    /// Of the hierarchy itself: version 1 names its controllers here.
    options: String,
}

impl Mount {
    /// A line of mountinfo (proc_pid_mountinfo(5)), if it is of a group hierarchy.
    fn parse(line: &str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        let kind = right.next()?;
        if kind != "cgroup" && kind != "cgroup2" {
            return None;
        }
        let options = right.nth(1)?;
        let mut left = left.split(' ').skip(3);
        Some(Self {
            root: unescape(left.next()?),
            point: unescape(left.next()?).into(),
            kind: kind.to_owned(),
            options: options.to_owned(),
        })
    }

    fn holds(&self, controller: &str) -> bool {
        self.kind == "cgroup" && self.options.split(',').any(|option| option == controller)
    }

    /// Where a group is in the file system; `None` when this mount does not show it.
    fn locate(&self, group: &str) -> Option<Utf8PathBuf> {
        let below = Utf8Path::new(group).strip_prefix(&self.root).ok()?;
        if below.components().any(|part| part.as_str() == "..") {
            return None;
        }
        Some(match below.as_str() {
            "" => self.point.clone(),
            _ => self.point.join(below),
        })
    }
}

/// Space, tab, newline and backslash stand as octal numbers in mountinfo.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests;
