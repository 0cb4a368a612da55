use camino::Utf8Path;

use super::{Reach, granted, held_by_mounts_alone, reach_of, rules};
use crate::facts::PathKind;
use crate::fixture::Machine;
use crate::plan::{CheckedPlan, Mount, MountOp};

fn checked(machine: &Machine) -> CheckedPlan {
    machine.checked().unwrap()
}

/// Machines that differ in what lies where.
fn machines() -> Vec<Machine> {
    vec![
        Machine::ada(),
        Machine::root(),
        Machine::ada().config("state = \"fresh\"\nhide = ['secrets']\nreadonly = ['docs']"),
        Machine::ada().has("/srv/data", PathKind::Folder).mount(&["/srv/data:rw"]),
        Machine::ada().has("/srv/data", PathKind::Folder).mount(&["/srv/data:/data:ro"]),
    ]
}

#[test]
fn each_rule_is_a_mounts_and_has_its_origin() {
    for machine in machines() {
        let plan = checked(&machine);
        let made = rules(&plan);
        assert!(made.len() > 5, "{made:?}");
        for rule in &made[1..] {
            let of = |mount: &&Mount| mount.target == rule.path && mount.origin == rule.origin;
            let mount = plan.mounts.iter().find(of).unwrap_or_else(|| panic!("nobody granted {rule:?}"));
            assert_eq!(granted(mount), Some(rule.reach), "{rule:?}");
        }
        // The one rule that is no mount's opens no file.
        assert_eq!((made[0].path.as_str(), made[0].reach), ("/", Reach::List));
    }
}

#[test]
fn both_walls_agree_on_whatever_is_not_below_a_wider_grant() {
    for machine in machines() {
        let plan = checked(&machine);
        let (made, alone) = (rules(&plan), held_by_mounts_alone(&plan));
        for mount in plan.mounts.iter().filter(|mount| !alone.contains(mount)) {
            let allowed = reach_of(&made, &mount.target).unwrap();
            match &mount.op {
                // What it leads to has a rule of its own.
                MountOp::Symlink { .. } => {}
                MountOp::Mask { .. } => assert_eq!(allowed, Reach::List, "{mount:?}"),
                // Both lie in a folder that can be written.
                MountOp::GitConfig { .. } | MountOp::Placeholder { .. } => panic!("not named: {mount:?}"),
                MountOp::Bind { .. }
                | MountOp::Overlay { .. }
                | MountOp::Tmpfs { .. }
                | MountOp::Proc
                | MountOp::Dev
                | MountOp::File { .. } => {
                    let same = Some(allowed) == granted(mount);
                    // `/dev/shm` lies in `/dev`, where everything may be done.
                    assert!(same || mount.target.starts_with("/dev"), "{mount:?} {allowed:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_narrowed_below_a_wider_grant_is_named() {
    let machine =
        Machine::ada().has("/home/ada/src/app/secrets", PathKind::Folder).config("hide = ['secrets']");
    let plan = checked(&machine);
    let alone: Vec<&Utf8Path> =
        held_by_mounts_alone(&plan).iter().map(|mount| mount.target.as_path()).collect();
    // The private home may be written; so Landlock cannot keep what is read-only or hidden in it.
    for path in ["/home/ada/src/app/secrets", "/home/ada/.local/bin", "/run/coffer/coffer-init"] {
        assert!(alone.contains(&Utf8Path::new(path)), "{path} {alone:?}");
    }
    for path in ["/usr", "/etc/passwd", "/home/ada/src/app", "/proc"] {
        assert!(!alone.contains(&Utf8Path::new(path)), "{path}");
    }
}

#[test]
fn what_no_mount_grants_may_not_be_opened() {
    let plan = checked(&Machine::ada());
    let made = rules(&plan);
    for path in ["/srv/secret", "/root/.ssh/id", "/home/eve/file", "/etc/shadow", "/mnt", "/boot"] {
        assert_eq!(reach_of(&made, Utf8Path::new(path)), Some(Reach::List), "{path}");
    }
    for path in ["/usr/bin/sh", "/etc/passwd"] {
        assert_eq!(reach_of(&made, Utf8Path::new(path)), Some(Reach::Read), "{path}");
    }
}

#[test]
fn without_a_second_wall_there_are_no_rules() {
    let mut old = Machine::ada();
    old.facts.landlock_abi = None;
    assert!(rules(&checked(&old)).is_empty());
    let nesting = Machine::ada().flags(|flags| flags.settings.allow_nesting = Some(true));
    assert!(rules(&checked(&nesting)).is_empty());
}
