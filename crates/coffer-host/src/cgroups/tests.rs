use coffer_plan::facts::{CgroupFacts, CgroupPlace};

use super::{Mount, cgroups, look_for_manager};
use crate::scratch::{Scratch, mode, without_privileges};

fn mountinfo(point: &str, root: &str, kind: &str, options: &str) -> String {
    let point = point.replace(' ', "\\040");
    format!("31 23 0:28 {root} {point} rw,relatime shared:9 - {kind} {kind} {options}\n")
}

#[test]
fn our_own_group_of_the_unified_hierarchy() {
    let scratch = Scratch::new();
    let group = scratch.folder("cg roup/user.slice/app");
    scratch.file("cg roup/user.slice/app/cgroup.controllers", "cpu memory pids\n");
    scratch.file("cg roup/user.slice/app/cgroup.procs", "1\n");
    scratch.file("cg roup/user.slice/app/cgroup.type", "domain\n");
    scratch.file("cg roup/user.slice/app/cgroup.subtree_control", "");
    scratch.file("proc/self/cgroup", "0::/user.slice/app\n");
    let mount = mountinfo(scratch.path("cg roup").as_str(), "/", "cgroup2", "rw,nsdelegate");
    scratch.file("proc/self/mountinfo", format!("garbage\n{mount}"));
    let mut wanted = CgroupFacts {
        v2: Some(group.clone()),
        v2_controllers: ["cpu", "memory", "pids"].map(str::to_owned).into(),
        v2_delegated: true,
        v2_places: vec![CgroupPlace {
            folder: group.clone(),
            available: ["cpu", "memory", "pids"].map(str::to_owned).into(),
            enabled: Vec::new(),
            can_enable: false,
            is_ours: true,
        }],
        ..CgroupFacts::default()
    };
    assert_eq!(cgroups(&scratch.path("proc")), wanted);
    mode(&group, 0o555);
    wanted.v2_delegated = false;
    wanted.v2_places = Vec::new();
    assert_eq!(without_privileges(|| cgroups(&scratch.path("proc"))), wanted);
    mode(&group, 0o755);
}

#[test]
fn old_hierarchies_count_when_they_can_be_written() {
    let scratch = Scratch::new();
    scratch.folder("memory/ours");
    let closed = scratch.folder("cpu,cpuacct/ours");
    mode(&closed, 0o555);
    scratch.file(
        "proc/self/cgroup",
        "9:name=systemd:/ours\n8:pids:/ours\n4:memory:/ours\n1:cpu,cpuacct:/ours\n0::/ours\nx\n",
    );
    let mounts = mountinfo(scratch.path("memory").as_str(), "/", "cgroup", "rw,memory")
        + &mountinfo(scratch.path("cpu,cpuacct").as_str(), "/", "cgroup", "rw,cpu,cpuacct");
    scratch.file("proc/self/mountinfo", mounts);
    let facts = without_privileges(|| cgroups(&scratch.path("proc")));
    let wanted = CgroupFacts {
        v1_writable: vec!["memory".to_owned()],
        v1_places: [("memory".to_owned(), scratch.path("memory/ours"))].into(),
        ..CgroupFacts::default()
    };
    assert_eq!(facts, wanted);
}

#[test]
fn a_mount_shows_only_what_is_below_its_root() {
    let line = mountinfo("/sys/fs/cgroup", "/docker/1", "cgroup2", "rw");
    let mount = Mount::parse(line.trim_end()).unwrap();
    assert_eq!(mount.locate("/docker/1").unwrap(), "/sys/fs/cgroup");
    assert_eq!(mount.locate("/docker/1/x").unwrap(), "/sys/fs/cgroup/x");
    assert_eq!(mount.locate("/docker/12"), None);
    assert_eq!(mount.locate("/docker/1/../2"), None);
}

#[test]
fn no_proc_is_no_cgroup() {
    let scratch = Scratch::new();
    assert_eq!(cgroups(&scratch.path("proc")), CgroupFacts::default());
}

/// A group as the kernel shows it.
fn group(scratch: &Scratch, name: &str, processes: &str, handed_on: &str) {
    scratch.file(&format!("{name}/cgroup.controllers"), "memory pids\n");
    scratch.file(&format!("{name}/cgroup.subtree_control"), format!("{handed_on}\n"));
    scratch.file(&format!("{name}/cgroup.procs"), processes);
    if name != "cg" {
        scratch.file(&format!("{name}/cgroup.type"), "domain\n");
    }
}

#[test]
fn the_places_for_groups_are_our_own_and_those_around_it_that_let_us() {
    let scratch = Scratch::new();
    scratch.file("proc/self/cgroup", "0::/a/b\n");
    scratch.file("proc/self/mountinfo", mountinfo(scratch.path("cg").as_str(), "/", "cgroup2", "rw"));
    scratch.file("proc/meminfo", "MemTotal:       24683656 kB\nMemFree: 1 kB\n");
    let places = |own_processes: &str, closed: &[&str]| {
        group(&scratch, "cg", "1\n", "");
        group(&scratch, "cg/a", "", "memory");
        group(&scratch, "cg/a/b", own_processes, "");
        let closed: Vec<_> = closed.iter().map(|name| scratch.path(name)).collect();
        closed.iter().for_each(|path| mode(path, 0o444));
        let facts = without_privileges(|| cgroups(&scratch.path("proc")));
        closed.iter().for_each(|path| mode(path, 0o644));
        assert_eq!(facts.memory, Some(24_683_656 * 1024));
        facts.v2_places
    };
    let shown = |places: Vec<CgroupPlace>| -> Vec<(String, bool, bool)> {
        let name = |place: &CgroupPlace| place.folder.strip_prefix(scratch.path("cg")).unwrap().to_string();
        places.iter().map(|place| (name(place), place.can_enable, place.is_ours)).collect()
    };
    let all = |ours| {
        vec![("a/b".to_owned(), ours, true), ("a".to_owned(), true, false), (String::new(), true, false)]
    };
    let us = format!("{}\n", std::process::id());
    assert_eq!(shown(places(&us, &[])), all(true), "the root has processes and may hand on all the same");
    assert_eq!(shown(places(&format!("{us}1\n"), &[])), all(false), "we are not alone in it");
    assert_eq!(shown(places(&us, &["cg/cgroup.procs"])), all(true)[..2]);
    assert!(!places(&us, &["cg/a/cgroup.subtree_control"])[1].can_enable);
    assert_eq!(places(&us, &[])[1].enabled, ["memory"]);
}

#[test]
fn a_systemd_of_the_user_is_one_that_can_be_asked() {
    let scratch = Scratch::new();
    let controllers = "cg/user.slice/user-1000.slice/user@1000.service/cgroup.controllers";
    scratch.file(controllers, "memory pids\n");
    scratch.file("run/bus", "");
    let program = scratch.file("bin/systemd-run", "#!/bin/sh\n");
    let search_path = scratch.path("bin");
    let look = |uid, runtime: &str| {
        let runtime = scratch.path(runtime);
        look_for_manager(&scratch.path("cg"), uid, Some(&runtime), Some(search_path.as_str()))
    };
    assert_eq!(look(1000, "run"), None, "it cannot be executed");
    mode(&program, 0o755);
    let found = look(1000, "run").unwrap();
    assert_eq!((found.systemd_run, found.controllers.join(" ")), (program, "memory pids".to_owned()));
    assert_eq!(look(1000, "elsewhere"), None);
    assert_eq!(look(1001, "run"), None);
    assert_eq!(look(0, "run"), None);
    assert_eq!(look_for_manager(&scratch.path("cg"), 1000, None, Some(search_path.as_str())), None);
}
