//! The filters are run here as the kernel runs them, for both machines and without making one of the calls.

use super::{Instruction, SystemCalls, compiled};

const X86_64: u32 = 0xc000_003e;
const AARCH64: u32 = 0xc000_00b7;
const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;
const EAFNOSUPPORT: u32 = 0x0005_0061;

/// What a filter looks at.
#[derive(Clone, Copy)]
struct Call {
    machine: u32,
    number: u32,
    arguments: [u64; 6],
}

impl Call {
    fn load(&self, offset: u32) -> u32 {
        let half = |value: u64, upper: bool| (value >> if upper { 32 } else { 0 }) as u32;
        match offset {
            0 => self.number,
            4 => self.machine,
            16..64 => {
                let at = offset - 16;
                half(self.arguments[at as usize / 8], !at.is_multiple_of(8))
            }
            other => panic!("nothing is loaded from {other}"),
        }
    }
}

/// What the kernel answers by this filter; the few instructions that seccompiler uses.
fn answer(filter: &[Instruction], call: Call) -> u32 {
    let (mut at, mut accumulator) = (0_usize, 0_u32);
    loop {
        let Instruction { code, jt, jf, k } = filter[at].clone();
        at += 1;
        let mut branch = |taken: bool| at += usize::from(if taken { jt } else { jf });
        match code {
            0x20 => accumulator = call.load(k),
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => branch(accumulator == k),
            0x25 => branch(accumulator > k),
            0x35 => branch(accumulator >= k),
            0x06 => return k,
            other => panic!("an instruction that nobody knows: {other:#x}"),
        }
    }
}

struct Kernel {
    filter: &'static [Instruction],
    machine: u32,
}

impl Kernel {
    #[track_caller]
    fn answers(&self, number: u32, arguments: &[u64], wanted: u32) {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        let got = answer(self.filter, Call { machine: self.machine, number, arguments: all });
        assert_eq!(got, wanted, "call {number} with {arguments:x?} gives {got:#x}");
    }
}

fn kernels(nesting: bool) -> [Kernel; 2] {
    let (x86_64, aarch64) = if nesting {
        (compiled::X86_64_NESTING, compiled::AARCH64_NESTING)
    } else {
        (compiled::X86_64_STRICT, compiled::AARCH64_STRICT)
    };
    [Kernel { filter: x86_64, machine: X86_64 }, Kernel { filter: aarch64, machine: AARCH64 }]
}

/// Numbers of x86_64 and of aarch64.
type Numbers = [u32; 2];
const CLONE: Numbers = [56, 220];
const CLONE3: Numbers = [435, 435];
const UNSHARE: Numbers = [272, 97];
const SETNS: Numbers = [308, 268];
const MOUNT: Numbers = [165, 40];
const PIVOT_ROOT: Numbers = [155, 41];
const MOVE_MOUNT: Numbers = [429, 429];
const IOCTL: Numbers = [16, 29];
const SOCKET: Numbers = [41, 198];
const KEYCTL: Numbers = [250, 219];
const IO_URING_SETUP: Numbers = [425, 425];
const BPF: Numbers = [321, 280];
const PERF_EVENT_OPEN: Numbers = [298, 241];
const USERFAULTFD: Numbers = [323, 282];
const REBOOT: Numbers = [169, 142];
const CLOCK_SETTIME: Numbers = [227, 112];
const FINIT_MODULE: Numbers = [313, 273];
const KEXEC_LOAD: Numbers = [246, 104];

#[track_caller]
fn both(nesting: bool, numbers: Numbers, arguments: &[u64], wanted: u32) {
    for (kernel, number) in kernels(nesting).iter().zip(numbers) {
        kernel.answers(number, arguments, wanted);
    }
}

#[test]
fn everyday_calls_are_allowed() {
    // read, openat, execve, ptrace, fork's clone, mmap; seccomp and Landlock for sandboxes inside.
    for numbers in [[0, 63], [257, 56], [59, 221], [101, 117], [9, 222], [317, 277], [444, 444], [446, 446]] {
        both(false, numbers, &[], ALLOW);
        both(true, numbers, &[], ALLOW);
    }
    both(false, CLONE, &[0x0120_0011], ALLOW);
    both(false, CLONE, &[0x003d_0f00], ALLOW);
    // CLONE_FILES and CLONE_FS alone make no namespace.
    both(false, UNSHARE, &[0x600], ALLOW);
    both(false, SOCKET, &[1], ALLOW);
    both(false, SOCKET, &[2], ALLOW);
    for tty in [0x5401, 0x5413, 0x5410] {
        both(false, IOCTL, &[0, tty], ALLOW);
    }
}

#[test]
fn each_rule_answers_with_what_programs_expect() {
    for numbers in [
        SETNS,
        MOUNT,
        PIVOT_ROOT,
        BPF,
        PERF_EVENT_OPEN,
        USERFAULTFD,
        REBOOT,
        CLOCK_SETTIME,
        FINIT_MODULE,
        KEXEC_LOAD,
    ] {
        both(false, numbers, &[], EPERM);
    }
    for numbers in [CLONE3, MOVE_MOUNT, KEYCTL, IO_URING_SETUP] {
        both(false, numbers, &[], ENOSYS);
    }
    both(false, SOCKET, &[40], EAFNOSUPPORT);
    kernels(false)[0].answers(172, &[3], EPERM); // iopl, which aarch64 does not have
}

#[test]
fn no_kind_of_namespace_can_be_made_whatever_else_is_asked_for() {
    for bit in [17, 25, 26, 27, 28, 29, 30] {
        let flag = 1_u64 << bit;
        for flags in [flag, flag | 0x11, flag | 0x0120_0000, flag | 0xffff_ffff_0000_0000] {
            both(false, CLONE, &[flags], EPERM);
            both(false, UNSHARE, &[flags], EPERM);
            both(true, CLONE, &[flags], ALLOW);
            both(true, UNSHARE, &[flags], ALLOW);
        }
    }
    // CLONE_NEWTIME lies among the bits of the exit signal, where `clone` takes it for one.
    both(false, UNSHARE, &[0x80], EPERM);
    both(false, CLONE, &[0x80], ALLOW);
}

#[test]
fn typing_into_a_terminal_is_refused_whatever_stands_in_the_upper_half() {
    for request in [0x5412, 0x541c] {
        for upper in [0, 1 << 32, 0xffff_ffff_0000_0000] {
            both(false, IOCTL, &[0, upper | request], EPERM);
            both(true, IOCTL, &[0, upper | request], EPERM);
        }
    }
}

#[test]
fn nesting_lifts_namespaces_and_mounts_and_nothing_else() {
    for numbers in [CLONE3, SETNS, MOUNT, PIVOT_ROOT, MOVE_MOUNT] {
        both(true, numbers, &[0x1000_0000], ALLOW);
    }
    for numbers in [BPF, PERF_EVENT_OPEN, USERFAULTFD, REBOOT, CLOCK_SETTIME, FINIT_MODULE, KEXEC_LOAD] {
        both(true, numbers, &[], EPERM);
    }
    both(true, KEYCTL, &[], ENOSYS);
    both(true, IO_URING_SETUP, &[], ENOSYS);
    both(true, SOCKET, &[40], EAFNOSUPPORT);
}

#[test]
fn calls_of_the_other_machines_that_a_kernel_runs_are_not_there() {
    for nesting in [false, true] {
        let [x86_64, aarch64] = kernels(nesting);
        for number in 0..1024 {
            Kernel { machine: 0x4000_0003, ..x86_64 }.answers(number, &[], ENOSYS);
            Kernel { machine: 0x4000_0028, ..aarch64 }.answers(number, &[], ENOSYS);
            // The calls of x32 have numbers of their own.
            x86_64.answers(0x4000_0000 | number, &[], ENOSYS);
        }
    }
}

#[test]
fn the_filter_of_this_machine_is_the_one_that_is_used() {
    let own = if cfg!(target_arch = "x86_64") { X86_64 } else { AARCH64 };
    for system_calls in [SystemCalls::Strict, SystemCalls::Nesting] {
        let kernel = Kernel { filter: system_calls.filter(), machine: own };
        kernel.answers(IO_URING_SETUP[0], &[], ENOSYS);
        let lifted = system_calls == SystemCalls::Nesting;
        kernel.answers(CLONE3[0], &[], if lifted { ALLOW } else { ENOSYS });
    }
}
