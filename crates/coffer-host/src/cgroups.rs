//! Resource controllers: our own groups (`/proc/self/cgroup`), where they are mounted (`/proc/self/mountinfo`), and
//! in which of them and of those around them we may make groups.

use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{CgroupFacts, CgroupPlace, UserManagerFact};
use coffer_sys::mountinfo::MountLine;
use rustix::fs::Access;

use crate::read::{may, read_kernel};
use crate::search::find;

/// Where the unified hierarchy is found where a user's systemd is looked for.
const UNIFIED: &str = "/sys/fs/cgroup";

/// What could bound a run's memory, processes and processors.
pub(crate) fn cgroups(proc: &Utf8Path) -> CgroupFacts {
    let own = read_kernel(&proc.join("self/cgroup")).unwrap_or_default();
    let mounts = read_kernel(&proc.join("self/mountinfo")).unwrap_or_default();
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let memory = read_kernel(&proc.join("meminfo")).and_then(|text| total(&text));
    let mut facts = CgroupFacts { memory, ..CgroupFacts::default() };
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
                if let Some(folder) = folder.filter(|folder| writable(folder)) {
                    facts.v1_writable.push(name.to_owned());
                    facts.v1_places.insert(name.to_owned(), folder);
                }
            }
        }
    }
    facts.v1_writable.sort_unstable();
    facts
}

/// The machine's memory, in bytes (`MemTotal` of `/proc/meminfo`, in KiB).
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn unified(facts: &mut CgroupFacts, mounts: &[Mount], group: &str) {
    let mount = mounts.iter().filter(|mount| mount.kind == "cgroup2");
    let Some((top, folder)) = mount.filter_map(|mount| Some((&mount.point, mount.locate(group)?))).next()
    else {
        return;
    };
    facts.v2_controllers = words(&folder.join("cgroup.controllers"));
    facts.v2_delegated = writable(&folder) && may(&folder.join("cgroup.procs"), Access::WRITE_OK);
    let around = folder.ancestors().take_while(|around| around.starts_with(top));
    facts.v2_places = around.filter_map(|around| place(around, &folder)).collect();
    facts.v2 = Some(folder);
}

/// A group below which we may make one and move a process of ours there: for that the group that is around both
/// places has to let us write its `cgroup.procs` (cgroups(7)).
fn place(around: &Utf8Path, own: &Utf8Path) -> Option<CgroupPlace> {
    if !(writable(around) && may(&around.join("cgroup.procs"), Access::WRITE_OK)) {
        return None;
    }
    let handed_on = around.join("cgroup.subtree_control");
    // The root of all is the only group without a type, and the only one that may have processes and hand on, too.
    let is_root = read_kernel(&around.join("cgroup.type")).is_none();
    let is_own = around == own;
    let processes = words(&around.join("cgroup.procs"));
    let just_us = || processes == [std::process::id().to_string()];
    let has_room = is_root || processes.is_empty() || (is_own && just_us());
    Some(CgroupPlace {
        folder: around.to_owned(),
        available: words(&around.join("cgroup.controllers")),
        enabled: words(&handed_on),
        can_enable: has_room && may(&handed_on, Access::WRITE_OK),
        is_ours: is_own && !is_root,
    })
}

fn words(file: &Utf8Path) -> Vec<String> {
    read_kernel(file).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// The systemd of this user, if there is one that can be asked: its socket is there, it has a group, and the program
/// that asks is on the PATH.
pub(crate) fn user_manager(
    uid: u32,
    runtime: Option<&Utf8Path>,
    path: Option<&str>,
) -> Option<UserManagerFact> {
    look_for_manager(Utf8Path::new(UNIFIED), uid, runtime, path)
}

fn look_for_manager(
    unified: &Utf8Path,
    uid: u32,
    runtime: Option<&Utf8Path>,
    path: Option<&str>,
) -> Option<UserManagerFact> {
    let bus = runtime?.join("bus");
    if uid == 0 || !bus.exists() {
        return None;
    }
    let group = unified.join(format!("user.slice/user-{uid}.slice/user@{uid}.service"));
    let controllers = words(&group.join("cgroup.controllers"));
    let systemd_run = find(path?, "systemd-run")?.fact.resolved;
    (!controllers.is_empty()).then_some(UserManagerFact { systemd_run, controllers })
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
    /// A line of mountinfo, if it is of a group hierarchy.
    fn parse(line: &str) -> Option<Self> {
        let MountLine { root, point, kind, options, read_only: _ } = MountLine::parse(line.as_bytes())?;
        if kind != "cgroup" && kind != "cgroup2" {
            return None;
        }
        let text = |word: OsString| word.into_string().ok();
        Some(Self { root: text(root)?, point: text(point)?.into(), kind, options })
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

#[cfg(test)]
mod tests;
