//! What `coffer` may be started in: containers, odd `/proc`s, full limits. It works there, or stops with the fix.
//!
//! Each surrounding is made of namespaces and limits of the test's own, and without it the same run is the control.

use std::process::{Command, Stdio};

use coffer_testkit::require;

use crate::support::{Ran, Stage, run, sandboxes};
use crate::system_calls::nested;

/// Gets a `/proc` of its own, with `$1` for its options, and does `$2` to it.
const PROC: &str =
    r#"mount --make-rprivate / && mount -t proc -o "$1" proc /proc && eval "$2" && shift 2 && exec "$@""#;

/// Starts the rest behind a filter of system calls as container engines have it for those without capabilities.
const FILTER: &str = r#"
import ctypes, os, struct, sys
X = os.uname().machine == "x86_64"
libc = ctypes.CDLL(None, use_errno=True)
def step(code, value, yes=0, no=0): return struct.pack("HBBI", code, yes, no, value)
LOAD, EQUALS, HAS, RETURN, EPERM, ENOSYS, ALLOW = 0x20, 0x15, 0x45, 0x06, 0x50001, 0x50026, 0x7fff0000
refused = [272, 165, 166, 308, 155] if X else [97, 40, 39, 268, 41]  # unshare, mount, umount2, setns, pivot_root
steps = [step(LOAD, 0), step(EQUALS, 435, 0, 1), step(RETURN, ENOSYS)]  # clone3
for number in refused + [428, 429, 430, 431, 432, 442]:  # and the newer calls for mounts
    steps += [step(EQUALS, number, 0, 1), step(RETURN, EPERM)]
steps += [step(EQUALS, 56 if X else 220, 0, 3), step(LOAD, 16), step(HAS, 0x7e020000, 0, 1), step(RETURN, EPERM)]
steps += [step(RETURN, ALLOW)]
code = ctypes.create_string_buffer(b"".join(steps))
class Program(ctypes.Structure): _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
program = Program(len(steps), ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"#;

/// Of root's capabilities those that Docker leaves.
const CAPABILITIES: &str = "--bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,\
                            +setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";

/// Fills the mount namespace up to the kernel's limit, and begins in the folder `$1`.
const FILL: &str = r#"
mount --make-rprivate / && mount -t tmpfs tmpfs "$PWD" && cd "$PWD" && mkdir many more || exit 9
mount --bind many many && mount --make-private many
for i in $(seq 20); do mkdir many/$i more/$i; done
for i in $(seq 20); do mount --rbind many many/$i 2>/dev/null || break; done
for i in $(seq 20 -1 1); do mount --rbind many/$i more/$i 2>/dev/null; done
until ! mount --bind more more 2>/dev/null; do :; done
cd "$1" && shift && exec "$@""#;

/// A command with these words before it.
fn around(words: &[&str], inner: &Command) -> Command {
    let (first, rest) = words.split_first().unwrap();
    let mut outer = Command::new(first);
    outer.args(rest).arg(inner.get_program()).args(inner.get_args()).env_clear().stdin(Stdio::null());
    outer.current_dir(inner.get_current_dir().unwrap());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
}

/// A run that says who it is and writes in the project, with these words before it.
fn ran(stage: &Stage, words: &[&str], tier: &str) -> Ran {
    let script = "echo ran; echo kept > kept";
    let command = stage.run(["--auth", "none", "--network", tier, "--", "sh", "-c", script]);
    run(around(words, &command))
}

fn works(stage: &Stage, words: &[&str]) {
    for tier in ["none", "dev"] {
        let kept = stage.project().join("kept");
        let _ = std::fs::remove_file(&kept);
        ran(stage, words, tier).prints("ran\n");
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "kept\n");
    }
}

/// Whoever runs the tests, and the ordinary user.
fn stages() -> Vec<Stage> {
    if !sandboxes() {
        return Vec::new();
    }
    [Some(Stage::new()), Stage::of_ordinary_user()].into_iter().flatten().collect()
}

/// In a pid namespace of its own: the options of a `/proc` belong to all who see that one.
fn with_proc<'a>(options: &'a str, change: &'a str) -> Vec<&'a str> {
    vec!["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", PROC, "sh", options, change]
}

#[test]
fn behind_a_containers_filter_the_way_out_is_named() {
    if require::program("python3").is_none() {
        return;
    }
    for stage in stages() {
        let filtered = ["/usr/bin/python3", "-c", FILTER];
        ran(&stage, &filtered, "none").refuses(125, "backend-failed", "namespace", "seccomp=unconfined");
        works(&stage, &["env"]);
    }
}

#[test]
fn where_parts_of_proc_are_covered_the_way_out_is_named() {
    if !require::root() {
        return;
    }
    for stage in stages() {
        let covered = with_proc("rw", "mount --bind /dev/null /proc/timer_list");
        ran(&stage, &covered, "none").refuses(125, "backend-failed", "proc", "systempaths=unconfined");
        works(&stage, &with_proc("rw", "true"));
    }
}

/// A container whose filter and `/proc` are open: its root may make namespaces as everybody may, and mount nothing.
#[test]
fn a_containers_root_runs_without_the_right_to_mount() {
    if !require::root() || !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let bounded = ["setpriv", "--no-new-privs", "--inh-caps=-all", CAPABILITIES];
    let mut control = around(&bounded, &stage.command("unshare"));
    assert_ne!(run(control.args(["--mount", "true"])).code, Some(0), "it may mount");
    works(&stage, &bounded);
    let copied = stage.run(["--auth", "none", "--state", "copy", "--", "echo", "copied"]);
    run(around(&bounded, &copied)).prints("copied\n");
}

#[test]
fn with_no_new_privileges_a_user_runs_as_ever() {
    for stage in stages() {
        works(&stage, &["setpriv", "--no-new-privs"]);
    }
}

#[test]
fn where_processes_of_others_are_hidden_it_runs_as_ever() {
    if !require::root() {
        return;
    }
    for stage in stages() {
        for options in ["hidepid=1", "hidepid=2", "hidepid=4"] {
            works(&stage, &with_proc(options, "true"));
        }
    }
    let Some(stage) = Stage::of_ordinary_user() else { return };
    // The control: root's process beside the user's is seen, and then not.
    let beside = "sleep 100 & echo $! > probe";
    for (options, seen) in [("hidepid=0", "seen\n"), ("hidepid=2", "hidden\n")] {
        let mut command = stage.command("sh");
        command.args(["-c", "if test -d /proc/$(cat probe); then echo seen; else echo hidden; fi"]);
        run(around(&with_proc(options, beside), &command)).prints(seen);
    }
}

#[test]
fn a_proc_of_nothing_but_processes_is_told() {
    if !require::root() {
        return;
    }
    for stage in stages() {
        let words = with_proc("subset=pid", "true");
        ran(&stage, &words, "none").refuses(125, "backend-failed", "/proc/sys", "subset=pid");
    }
}

/// Whatever it is that cannot be started any more.
#[test]
fn a_user_with_too_many_processes_is_told_the_limit() {
    if !sandboxes() {
        return;
    }
    let Some(stage) = Stage::of_ordinary_user() else { return };
    let limited = |most: u32| {
        let mut command = stage.command("prlimit");
        command.arg(format!("--nproc={most}")).arg(stage.program());
        run(command.args(["run", "--audit", "never", "--yes", "--auth", "none", "--", "echo", "ran"]))
    };
    let mut refused = 0;
    for most in 1..=12 {
        let ran = limited(most);
        if ran.code != Some(0) {
            refused += 1;
            ran.ends_with(125);
            assert!(ran.text().is_empty() && ran.stderr.contains("error["), "{most}: {ran}");
            assert!(ran.stderr.contains("hint: there are too many processes"), "{most}: {ran}");
        }
    }
    assert!(refused > 0);
    limited(4000).prints("ran\n");
}

/// The limit is one number for the machine, and each mount namespace is held to it by itself: one is filled.
#[test]
fn a_mount_namespace_that_is_full_is_told_with_the_fix() {
    let most = std::fs::read_to_string("/proc/sys/fs/mount-max").ok();
    let few = most.and_then(|most| most.trim().parse::<u32>().ok()).is_some_and(|most| most <= 200_000);
    if !sandboxes() || !require::root() || !require::capability("mount-max", few) {
        return;
    }
    let stage = Stage::new();
    let project = stage.project();
    let fill = stage.scratch.root().join("fill");
    std::fs::create_dir(&fill).unwrap();
    let command = stage.run(["--auth", "none", "--network", "none", "--", "echo", "ran"]);
    // What bubblewrap says with a little room is in the tests of its diagnosis: it takes minutes to get there.
    let words = ["unshare", "--mount", "sh", "-c", FILL, "sh", project.to_str().unwrap()];
    let mut full = around(&words, &command);
    let ran_full = run(full.current_dir(&fill));
    ran_full.refuses(125, "sandbox-etc", "No space left on device", "fs.mount-max");
    assert!(project.read_dir().unwrap().next().is_none(), "something is left in the project");
    ran(&stage, &["env"], "none").prints("ran\n");
}

/// Root's `/proc` stays covered inside, with `--allow-nesting`, too.
#[test]
fn inside_another_coffer_of_roots_the_way_out_is_named() {
    if sandboxes() && require::root() {
        let stage = Stage::new();
        nested(&stage, &["--allow-nesting"]).refuses(125, "backend-failed", "proc", "as an ordinary user");
    }
}
