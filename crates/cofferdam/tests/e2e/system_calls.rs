//! Which system calls an agent is refused, and with which answer. Each probe is asked on the host, too, where it has to
//! get another answer; none of them does anything, since its arguments are wrong or it is a process's own affair.
//! What the filters say about calls that nobody should make in a test is in coffer-init's own tests.

use coffer_testkit::require;

use crate::support::{Ran, Stage, run, sandboxes};

/// Prints each probe and its errno (0: it succeeded).
const PROBES: &str = r#"
import ctypes, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
X = os.uname().machine == "x86_64"
def call(name, x86_64, aarch64, *arguments):
    child = os.fork()
    if child == 0:
        ctypes.set_errno(0)
        libc.syscall(ctypes.c_long(x86_64 if X else aarch64), *[ctypes.c_ulong(a & 2**64 - 1) for a in arguments])
        os._exit(ctypes.get_errno())
    print(name, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
USER = 0x10000000
root = ctypes.create_string_buffer(b"/")
call("unshare", 272, 97, USER)
call("unshare-upper-half", 272, 97, USER | 1 << 32)
call("clone", 56, 220, USER | 0x200, 0, 0, 0, 0)
call("clone3", 435, 435, 0, 0)
call("setns", 308, 268, -1, 0)
call("open_tree", 428, 428, -100, ctypes.addressof(root), 0)
call("keyctl", 250, 219, 0, -3, 0)
call("add_key", 248, 217, 0, 0, 0, 0, 0)
call("request_key", 249, 218, 0, 0, 0, 0)
call("io_uring_setup", 425, 425, 0, 0)
call("io_uring_register", 427, 427, -1, 99, 0, 0)
call("userfaultfd", 323, 282, 0xffff)
call("perf_event_open", 298, 241, 0, 0, -1, -1, 0)
call("tiocsti", 16, 29, -1, 0x5412, 0)
call("tiocsti-upper-half", 16, 29, -1, 0x5412 | 1 << 32, 0)
call("tioclinux", 16, 29, -1, 0x541c, 0)
call("clock_settime", 227, 112, 99, 0)
call("ioctl-of-another-kind", 16, 29, -1, 0x5413, 0)
call("ptrace", 101, 117, 0, 0, 0, 0)
if X:
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))  # getpid of i386
    child = os.fork()
    if child == 0:
        got = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        os._exit(0 if got > 0 else -got)
    print("i386", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"#;
const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

/// Answers by the probe's name.
fn answers(ran: &Ran) -> Vec<(String, i32)> {
    ran.ends_with(0);
    let text = ran.text();
    let lines = text.lines().map(|line| line.split_once(' ').unwrap());
    lines.map(|(name, answer)| (name.to_owned(), answer.parse().unwrap())).collect()
}

fn of(answers: &[(String, i32)], name: &str) -> Option<i32> {
    answers.iter().find(|(known, _)| known == name).map(|(_, answer)| *answer)
}

/// The answers on the host and inside, with these flags.
fn both(stage: &Stage, flags: &[&str]) -> [Vec<(String, i32)>; 2] {
    let outside = run(stage.command("/usr/bin/python3").args(["-c", PROBES]));
    let inside = run(stage.run(flags).args(["--", "/usr/bin/python3", "-c", PROBES]));
    [answers(&outside), answers(&inside)]
}

const REFUSED: [(&str, i32); 18] = [
    ("unshare", EPERM),
    ("unshare-upper-half", EPERM),
    ("clone", EPERM),
    ("clone3", ENOSYS),
    ("setns", EPERM),
    ("open_tree", ENOSYS),
    ("keyctl", ENOSYS),
    ("add_key", ENOSYS),
    ("request_key", ENOSYS),
    ("io_uring_setup", ENOSYS),
    ("io_uring_register", ENOSYS),
    ("userfaultfd", EPERM),
    ("perf_event_open", EPERM),
    ("tiocsti", EPERM),
    ("tiocsti-upper-half", EPERM),
    ("tioclinux", EPERM),
    ("clock_settime", EPERM),
    ("i386", ENOSYS),
];

/// Lifted by `--allow-nesting`.
const NESTING: [&str; 6] = ["unshare", "unshare-upper-half", "clone", "clone3", "setns", "open_tree"];

pub(crate) fn are_refused_as_programs_expect(stage: &Stage) {
    let [outside, inside] = both(stage, &[]);
    let [_, nesting] = both(stage, &["--allow-nesting"]);
    for (name, wanted) in REFUSED {
        let control = of(&outside, name);
        // There is no i386 on aarch64, and a kernel without it ends the probe; then there is nothing to take away.
        if name == "i386" && control != Some(0) {
            continue;
        }
        let control = control.unwrap_or_else(|| panic!("{name} was not tried: {outside:?}"));
        assert_ne!(control, wanted, "no positive control for {name}");
        assert_eq!(of(&inside, name), Some(wanted), "{name}");
        let lifted = NESTING.contains(&name);
        assert_eq!(of(&nesting, name) != Some(wanted), lifted, "{name} with nesting: {nesting:?}");
    }
    for name in ["ioctl-of-another-kind", "ptrace"] {
        assert_eq!(of(&inside, name), of(&outside, name), "{name}");
    }
}

#[test]
fn each_is_refused_as_programs_expect() {
    if sandboxes() && require::program("python3").is_some() {
        are_refused_as_programs_expect(&Stage::new());
    }
}

#[test]
fn no_line_of_a_virtual_machine_to_its_host_is_there_in_any_tier() {
    if !sandboxes() || require::program("python3").is_none() {
        return;
    }
    let stage = Stage::new();
    let probe =
        "import socket\ntry:\n socket.socket(40, socket.SOCK_STREAM)\nexcept OSError as e: print(e.errno)";
    for tier in ["none", "full"] {
        let ran = run(stage.run(["--network", tier, "--", "/usr/bin/python3", "-c", probe]));
        ran.prints("97\n");
    }
}

/// A debugger starts, steps and ends a program, as it does outside.
#[test]
fn debuggers_work_inside() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let on_both = |script: &str, words: &str| {
        for ran in [run(stage.command("sh").args(["-c", script])), stage.inside(&[], script)] {
            assert!(ran.code == Some(0) && (ran.text() + &ran.stderr).contains(words), "{script}: {ran}");
        }
    };
    if require::program("strace").is_some() {
        on_both("strace -f -e trace=execve sh -c '/bin/true; true' 2>&1", "exited with 0");
    }
    if require::program("gdb").is_some() {
        let counter = if cfg!(target_arch = "x86_64") { "rip " } else { "pc " };
        let script = "gdb -nx -batch -ex starti -ex stepi -ex 'info registers' -ex kill /bin/true 2>&1";
        on_both(script, counter);
    }
}

#[test]
fn everyday_programs_start_threads_and_children() {
    if !sandboxes() || require::program("python3").is_none() {
        return;
    }
    let stage = Stage::new();
    let script = "import subprocess, threading, multiprocessing as m\n\
                  t = threading.Thread(target=lambda: subprocess.check_call(['true'])); t.start(); t.join()\n\
                  p = m.Process(target=print, args=('child',)); p.start(); p.join()\nprint(p.exitcode)";
    run(stage.run(["--", "/usr/bin/python3", "-c", script])).prints("child\n0\n");
}

#[test]
fn the_printed_line_has_the_filter() {
    if !sandboxes() || require::program("python3").is_none() {
        return;
    }
    let stage = Stage::new();
    let probe = stage.project_file("probe.py", PROBES).display().to_string();
    let words = ["run", "--dry-run=command", "--", "/usr/bin/python3", &probe];
    let line = run(stage.coffer(words)).text();
    assert!(line.contains("--system-calls strict"), "{line}");
    let pasted = answers(&run(stage.command("sh").args(["-c", &line])));
    assert_eq!((of(&pasted, "keyctl"), of(&pasted, "unshare")), (Some(ENOSYS), Some(EPERM)));
}

#[test]
fn with_no_new_privs_set_already_nothing_is_different() {
    if !sandboxes() || require::program("setpriv").is_none() {
        return;
    }
    let stage = Stage::new();
    let coffer = stage.program().display().to_string();
    let words = ["--no-new-privs", &coffer, "run", "--audit", "never", "--yes", "--", "sh", "-c"];
    let script = "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; ! unshare -U true 2>/dev/null";
    run(stage.command("setpriv").args(words).arg(script)).prints("NoNewPrivs:\t1\nSeccomp:\t2\n");
}

/// `coffer run` inside `coffer run`, with these flags for the outer one.
pub(crate) fn nested(stage: &Stage, flags: &[&str]) -> Ran {
    let program = stage.program().display().to_string();
    let script = format!("{program} run --audit never --yes --network none -- echo within");
    let mount = format!("--mount={}", stage.program().parent().unwrap().display());
    stage.inside(&[flags, &[&mount, "--network", "none"]].concat(), &script)
}

#[test]
fn inside_another_coffer_the_way_out_is_named() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    nested(&stage, &[]).refuses(125, "backend-failed", "namespace", "--allow-nesting");
}
