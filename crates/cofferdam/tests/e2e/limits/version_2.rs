//! Groups of version 2, as most machines have them and this one may not: on a kernel of its own, User Mode Linux, which
//! is an ordinary process. Its root folder is this machine's, only read; what is written goes to memory.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use coffer_testkit::{Scratch, require};

use crate::support::run;

/// What every kernel starts with, and how it ends. `CASES` stands for what is tried.
const FIRST: &str = r#"#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs none /run; mount -t tmpfs none /srv; mount -t devtmpfs none /dev
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /srv/h/home /srv/h/project /srv/h/run /srv/bin; chmod 700 /srv/h/run; cd /srv/h/project
group=/sys/fs/cgroup
SLEEPERS='i=0; while [ $i -lt 60 ]; do sleep 20 & i=$((i+1)); done; echo made $i'
as() { # GROUP UID COMMAND…: started in that group as that user
    ( echo 0 > "$1/cgroup.procs"; exec setpriv --reuid "$2" --regid "$2" --clear-groups env -i \
        PATH=/srv/bin:/usr/bin:/bin HOME=/srv/h/home XDG_RUNTIME_DIR=/srv/h/run DOLLAR='do$ll%ar' "${@:3}" ) 2>&1
}
coffer_run() { as "$1" "$2" COFFER run --audit never --yes --agent shell --auth none --network none "${@:3}"; }
CASES
echo o > /proc/sysrq-trigger
sleep 60
"#;

/// Boots the kernel and gives what was said; `None` where there is none.
fn boots(cases: &str) -> Option<String> {
    let mut kernel = Command::new(require::program("linux.uml")?);
    // `/run` and `/tmp` are the kernel's own, so it lies elsewhere.
    let scratch = Scratch::below("/var/tmp".as_ref()).unwrap();
    let first = scratch.root().join("first");
    let text = FIRST.replace("CASES", cases).replace("COFFER", env!("CARGO_BIN_EXE_coffer"));
    std::fs::write(&first, text).unwrap();
    std::fs::set_permissions(&first, std::fs::Permissions::from_mode(0o755)).unwrap();
    kernel.args([
        "mem=512M",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        "quiet",
        "con0=null,fd:1",
        "con=null",
    ]);
    kernel.arg(format!("init={}", first.display())).stdin(Stdio::null());
    Some(
        run(kernel.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", scratch.home()))
            .text()
            .replace('\r', ""),
    )
}

#[test]
fn roots_groups_lie_below_the_root_of_all() {
    let cases = r#"
coffer_run $group 0 --pids 30 -- sh -c "$SLEEPERS"
coffer_run $group 0 --pids none -- sh -c "$SLEEPERS"
coffer_run $group 0 --memory 40M -- dd if=/dev/zero of=/dev/null bs=90M count=1 status=none; echo code $?
cat $group/cgroup.subtree_control; ls -d $group/coffer* 2>/dev/null && echo left
"#;
    let Some(said) = boots(cases) else { return };
    assert!(said.contains("limit of 30 processes and threads: the kernel refused"), "{said}");
    assert_eq!(said.matches("made 60").count(), 1, "only without the limit: {said}");
    assert!(said.contains("memory limit of 40M") && said.contains("code 137"), "{said}");
    assert!(said.contains("\nmemory pids\n") && !said.contains("left"), "{said}");
}

#[test]
fn a_user_gets_them_in_a_subtree_by_stepping_aside_or_by_a_scope() {
    let cases = r#"
echo "+memory +pids" > $group/cgroup.subtree_control
chown -R 1001:1001 /srv/h
echo CASE subtree
mkdir -p $group/u/leaf; echo "+memory +pids" > $group/u/cgroup.subtree_control; chown -R 1001:1001 $group/u
coffer_run $group/u/leaf 1001 --pids 30 -- sh -c "$SLEEPERS"
ls -d $group/u/coffer* 2>/dev/null && echo left
echo CASE alone
rmdir $group/u/leaf; echo "-memory -pids" > $group/u/cgroup.subtree_control
coffer_run $group/u 1001 --pids 31 -- sh -c "$SLEEPERS"
ls -d $group/u/*/ 2>/dev/null && echo left
[ -z "$(cat $group/u/cgroup.subtree_control)" ] && echo as it was
echo CASE scope
# It stands for systemd: it makes no scope, but what it starts is in one. Moving there is the manager's right.
manager=$group/user.slice/user-1001.slice/user@1001.service
mkdir -p $manager; touch /srv/h/run/bus
for each in user.slice user.slice/user-1001.slice user.slice/user-1001.slice/user@1001.service; do
    echo "+memory +pids" > $group/$each/cgroup.subtree_control
done
mkdir $manager/run.scope; chown -R 1001:1001 $manager/run.scope
chmod 666 $group/cgroup.procs
printf '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift\necho 0 > %s/cgroup.procs; exec "$@"\n' \
    $manager/run.scope > /srv/bin/systemd-run
chmod 755 /srv/bin/systemd-run
coffer_run $group 1001 --pids 32 --env DOLLAR -- sh -c "echo \"\$DOLLAR\" 'a\$b%24'; $SLEEPERS"
ls -d $manager/run.scope/*/ 2>/dev/null && echo left
echo CASE end
"#;
    let Some(said) = boots(cases) else { return };
    let case = |name: &str| said.split("CASE ").find(|part| part.starts_with(name)).unwrap_or_default();
    for (name, limit) in [("subtree", 30), ("alone", 31), ("scope", 32)] {
        let words = format!("limit of {limit} processes and threads: the kernel refused");
        assert!(case(name).contains(&words) && !case(name).contains("made"), "{name}: {said}");
        assert!(!case(name).contains("left"), "{name}: {said}");
    }
    assert!(case("alone").contains("as it was"), "{said}");
    assert!(case("scope").contains("do$ll%ar a$b%24"), "{said}");
}
