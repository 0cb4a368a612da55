use coffer_plan::facts::CgroupFacts;

use super::{Mount, cgroups};
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
    scratch.file("cg roup/user.slice/app/cgroup.procs", "");
    scratch.file("proc/self/cgroup", "0::/user.slice/app\n");
    let mount = mountinfo(scratch.path("cg roup").as_str(), "/", "cgroup2", "rw,nsdelegate");
    scratch.file("proc/self/mountinfo", format!("garbage\n{mount}"));
    let mut wanted = CgroupFacts {
        v2: Some(group.clone()),
        v2_controllers: ["cpu", "memory", "pids"].map(str::to_owned).into(),
        v2_delegated: true,
        v1_writable: Vec::new(),
    };
    assert_eq!(cgroups(&scratch.path("proc")), wanted);
    mode(&group, 0o555);
    wanted.v2_delegated = false;
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
    let wanted = CgroupFacts { v1_writable: vec!["memory".to_owned()], ..CgroupFacts::default() };
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
