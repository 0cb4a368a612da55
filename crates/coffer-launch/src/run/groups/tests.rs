//! What is written where, and groups of the kernel's where this machine lets us make some.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::plan::{Controller, Means, OldGroup};
use coffer_testkit::require;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::setting::{Setting, Version, settings};
use super::{Groups, Hit, sweep};
use crate::launch::Limits;
use crate::run::RunError;

const MEBIBYTE: u64 = 1 << 20;

fn limits(means: Means) -> Limits {
    Limits { memory: Some(64 * MEBIBYTE), pids: Some(20), cpus: Some(1500), means }
}

fn shown(settings: &[Setting]) -> Vec<String> {
    let optional = |setting: &Setting| if setting.optional { "?" } else { "" };
    settings.iter().map(|set| format!("{}={}{}", set.file, set.value, optional(set))).collect()
}

#[test]
fn the_files_of_both_versions_get_what_they_understand() {
    let all = limits(Means::None);
    let of = |version, controller| shown(&settings(version, controller, &all));
    assert_eq!(of(Version::Two, Controller::Memory), ["memory.max=67108864", "memory.swap.max=0?"]);
    assert_eq!(of(Version::Two, Controller::Pids), ["pids.max=20"]);
    assert_eq!(of(Version::Two, Controller::Cpu), ["cpu.max=150000 100000"]);
    assert_eq!(
        of(Version::One, Controller::Memory),
        [
            "memory.use_hierarchy=1?",
            "memory.limit_in_bytes=67108864",
            "memory.memsw.limit_in_bytes=67108864?"
        ]
    );
    assert_eq!(of(Version::One, Controller::Pids), ["pids.max=20"]);
    assert_eq!(of(Version::One, Controller::Cpu), ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=150000"]);
    let none = Limits { memory: None, pids: None, cpus: None, means: Means::None };
    for controller in [Controller::Memory, Controller::Pids, Controller::Cpu] {
        for version in [Version::One, Version::Two] {
            assert_eq!(settings(version, controller, &none), []);
        }
    }
}

#[test]
fn controllers_of_one_hierarchy_share_a_group() {
    let group = |controller, folder: &str| OldGroup { controller, folder: folder.into() };
    let shared = Means::V1 { groups: vec![group(Controller::Memory, "/a"), group(Controller::Pids, "/a")] };
    assert_eq!(Groups::places(&limits(shared), "id"), ["/a/coffer-id"]);
    let apart = Means::V1 { groups: vec![group(Controller::Memory, "/a"), group(Controller::Pids, "/b")] };
    assert_eq!(Groups::places(&limits(apart), "id"), ["/a/coffer-id", "/b/coffer-id"]);
    let v2 = Means::V2 { folder: "/c".into(), enable: Vec::new(), step_aside: false };
    assert_eq!(Groups::places(&limits(v2), "id"), ["/c/coffer-id"]);
}

#[test]
fn groups_that_cannot_be_made_are_an_error_that_names_them() {
    let nowhere = Means::V2 { folder: "/nonexistent".into(), enable: Vec::new(), step_aside: false };
    let error = Groups::make(&limits(nowhere), "id").unwrap_err();
    let RunError::Group { action: "make", path, .. } = &error else { panic!("{error:?}") };
    assert_eq!(path, "/nonexistent/coffer-id");
    assert!(error.hint().unwrap().contains("--memory none"));
}

/// Our own group of a controller of version 1, if groups can be made in it.
fn own_group(controller: &str) -> Option<Utf8PathBuf> {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = own.lines().find_map(|line| line.split_once(&format!(":{controller}:/")))?.1.to_owned();
    let folder = Utf8Path::new("/sys/fs/cgroup").join(controller).join(group);
    let found = rustix::fs::access(folder.as_std_path(), rustix::fs::Access::WRITE_OK).is_ok();
    found.then_some(folder)
}

fn real(id: &str) -> Option<(Limits, Groups)> {
    let groups: Vec<OldGroup> = [Controller::Memory, Controller::Pids]
        .into_iter()
        .filter_map(|controller| Some(OldGroup { controller, folder: own_group(controller.word())? }))
        .collect();
    if !require::capability("cgroups", groups.len() == 2) {
        return None;
    }
    let limits = limits(Means::V1 { groups });
    let made = Groups::make(&limits, id).unwrap();
    Some((limits, made))
}

/// What lives in the groups still; each is readable at its end.
fn living(groups: &Groups) -> Vec<OwnedFd> {
    let folder = &groups.made[0].folder;
    let processes = std::fs::read_to_string(folder.join("inside/cgroup.procs")).unwrap();
    let open = |pid: &str| pidfd_open(Pid::from_raw(pid.parse().unwrap())?, PidfdFlags::empty()).ok();
    processes.lines().filter_map(open).collect()
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn a_process_is_in_its_groups_before_it_is_anything_else() {
    let id = format!("test-enter-{}", std::process::id());
    let Some((limits, groups)) = real(&id) else { return };
    let mut command = shell("cat /proc/self/cgroup");
    groups.enter(&mut command).unwrap();
    let told = String::from_utf8(command.output().unwrap().stdout).unwrap();
    for controller in ["memory", "pids"] {
        let line = told.lines().find(|line| line.contains(&format!(":{controller}:"))).unwrap();
        assert!(line.ends_with(&format!("/coffer-{id}/inside")), "{line}");
    }
    assert_eq!(groups.hits(), []);
    groups.remove().unwrap();
    assert!(Groups::places(&limits, &id).iter().all(|place| !place.exists()));
}

#[test]
fn what_is_beyond_a_limit_is_counted() {
    let id = format!("test-hits-{}", std::process::id());
    let Some((_, groups)) = real(&id) else { return };
    // Forty at most, each of which ends with its input; the shell ends at the first that cannot be started.
    let mut command = shell("exec 3<&0; for i in $(seq 40); do cat <&3 & done");
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    groups.enter(&mut command).unwrap();
    let mut child = command.spawn().unwrap();
    let input = child.stdin.take();
    child.wait().unwrap();
    let ends = living(&groups);
    assert!(!ends.is_empty() && ends.len() <= 20, "{}", ends.len());
    drop(input);
    for end in &ends {
        poll(&mut [PollFd::new(end, PollFlags::IN)], None).unwrap();
    }
    let hits = groups.hits();
    let [Hit { controller: Controller::Pids, limit: 20, times: 1.. }] = hits[..] else { panic!("{hits:?}") };
    groups.remove().unwrap();
}

#[test]
fn a_sweep_removes_the_groups_of_its_run_and_no_others() {
    let id = format!("test-sweep-{}", std::process::id());
    let Some((limits, groups)) = real(&id) else { return };
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    let places = Groups::places(&limits, &id);
    let note: String = places.iter().map(|place| format!("{place}\n")).collect();
    std::fs::write(root.join("groups"), &note).unwrap();
    sweep(root, "another").unwrap();
    assert!(places.iter().all(|place| place.exists()), "the note of one run names no group of another");
    // Somebody lives in it still.
    let mut command = shell("read line");
    command.stdin(Stdio::piped());
    groups.enter(&mut command).unwrap();
    let mut child = command.spawn().unwrap();
    let error = sweep(root, &id).unwrap_err();
    assert!(matches!(error, RunError::Group { action: "remove", .. }), "{error:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    sweep(root, &id).unwrap();
    assert!(places.iter().all(|place| !place.exists()));
    sweep(root, &id).unwrap();
}
