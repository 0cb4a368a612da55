//! System calls that a sandbox shall refuse, for those who test sandboxes. Each is made in a way that changes nothing
//! beyond this process and objects of the caller's own: what needs a right is asked for with arguments that the kernel
//! turns down only after it has looked at the right.

mod ipc;
mod keys;
mod others;
mod tables;
mod terminals;
#[cfg(test)]
mod tests;

pub use ipc::{
    has_message_queue, has_semaphores, new_message_queue, new_posix_queue, new_semaphores, new_shared_memory,
    open_posix_queue, shared_memory,
};
pub use keys::{add_user_key, find_user_key, read_key, revoke_key};
pub use others::{compare_with, file_handle, open_by_handle, read_memory, seize};
pub use terminals::{console_state, push_input};

use std::io;

/// A call that asks for a right, or opens a large part of the kernel to whoever makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `bpf(BPF_MAP_CREATE)`: an array of one number.
    BpfMap,
    /// `bpf(BPF_PROG_LOAD)`: a socket filter that keeps nothing.
    BpfProgram,
    /// `perf_event_open` for this process.
    PerfEvent,
    /// `userfaultfd`, for faults of user mode alone.
    UserFault,
    /// `io_uring_setup` with one entry.
    IoUring,
    /// `kexec_load` with flags that there are not.
    Kexec,
    /// `kexec_file_load` with flags that there are not.
    KexecFile,
    /// `reboot` without its magic numbers.
    Reboot,
    /// `adjtimex` with a tick that is out of bounds.
    Clock,
    /// `swapon` of a file that is not there.
    Swap,
    /// `acct` to a file that is not there.
    Accounting,
    /// The kernel's log by `syslog`.
    KernelLog,
    /// `fanotify_init` with the right to hold up others.
    Fanotify,
    /// All I/O ports of the machine, for this process.
    IoPorts,
    /// `getpid` by the x32 table, past a filter that only knows the other numbers.
    X32,
    /// A user namespace by the x32 table.
    X32Users,
    /// `getpid` by `int 0x80`, whose table is that of i386.
    I386,
    /// A user namespace by `int 0x80`.
    I386Users,
}

/// `FAN_CLASS_CONTENT`.
const CLASS_CONTENT: usize = 4;
/// `UFFD_USER_MODE_ONLY`.
const USER_MODE_ONLY: usize = 1;
/// `SYSLOG_ACTION_READ_ALL`.
const READ_ALL: usize = 3;
/// `ADJ_TICK`.
const ADJUST_TICK: u64 = 0x4000;
/// A path that is nowhere.
const NOWHERE: &std::ffi::CStr = c"/coffer-attack-nowhere/file";

/// Whether the kernel let us: the call succeeded, or was turned down for its arguments only after the right was there.
///
/// # Errors
/// The kernel's refusal.
pub fn call(what: Call) -> io::Result<()> {
    match what {
        Call::BpfMap => bpf(0, [2 | 4 << 32, 4 | 1 << 32, 0, 0, 0, 0, 0, 0]),
        Call::BpfProgram => {
            // `r0 = 0` and `exit`.
            let program: [u64; 2] = [0xb7, 0x95];
            let licence = c"GPL";
            bpf(
                5,
                [
                    1 | 2 << 32,
                    program.as_ptr().expose_provenance() as u64,
                    licence.as_ptr().expose_provenance() as u64,
                    0,
                    0,
                    0,
                    0,
                    0,
                ],
            )
        }
        Call::PerfEvent => {
            // A clock of the software, without the kernel's and the hypervisor's part.
            let mut attributes: [u64; 8] = [1 | 64 << 32, 0, 0, 0, 0, 0b110_0000, 0, 0];
            made(number(libc::SYS_perf_event_open, &mut attributes, [0, usize::MAX, usize::MAX, 0]))
        }
        Call::UserFault => made(plain(libc::SYS_userfaultfd, [USER_MODE_ONLY | O_CLOEXEC, 0, 0, 0, 0])),
        Call::IoUring => {
            let mut parameters = [0_u64; 15];
            // SAFETY: the kernel reads and writes a structure of 120 bytes, for which there is room.
            let answer = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
            made(answered(answer))
        }
        Call::Kexec => {
            after_the_right(plain(libc::SYS_kexec_load, [0, 0, 0, usize::MAX, 0]), &[libc::EINVAL])
        }
        Call::KexecFile => {
            let answer = plain(libc::SYS_kexec_file_load, [usize::MAX, usize::MAX, 0, 0, usize::MAX]);
            after_the_right(answer, &[libc::EINVAL, libc::EBADF])
        }
        Call::Reboot => after_the_right(plain(libc::SYS_reboot, [0; 5]), &[libc::EINVAL]),
        Call::Clock => {
            let mut timex = [0_u64; 26];
            timex[0] = ADJUST_TICK;
            timex[11] = 1;
            after_the_right(number(libc::SYS_adjtimex, &mut timex, [0; 4]), &[libc::EINVAL])
        }
        Call::Swap => after_the_right(
            plain(libc::SYS_swapon, [NOWHERE.as_ptr().expose_provenance(), 0, 0, 0, 0]),
            &[libc::ENOENT],
        ),
        Call::Accounting => after_the_right(
            plain(libc::SYS_acct, [NOWHERE.as_ptr().expose_provenance(), 0, 0, 0, 0]),
            &[libc::ENOENT],
        ),
        Call::KernelLog => {
            let mut log = [0_u8; 64];
            // SAFETY: the kernel writes at most as many bytes as it is told that there is room for.
            let answer = unsafe { libc::syscall(libc::SYS_syslog, READ_ALL, log.as_mut_ptr(), log.len()) };
            answered(answer).map(drop)
        }
        Call::Fanotify => made(plain(libc::SYS_fanotify_init, [CLASS_CONTENT, 0, 0, 0, 0])),
        Call::IoPorts => io_ports(),
        Call::X32 => tables::x32(),
        Call::X32Users => tables::x32_users(),
        Call::I386 => tables::i386(),
        Call::I386Users => tables::i386_users(),
    }
}

const O_CLOEXEC: usize = libc::O_CLOEXEC as usize;

/// A new user namespace for this thread's process, and these others.
///
/// # Errors
/// As `unshare(2)`; `EINVAL` where there are several threads.
pub fn unshare(namespaces: &[Namespace]) -> io::Result<()> {
    let flags = namespaces.iter().fold(0, |flags, namespace| flags | namespace.flag());
    // SAFETY: namespaces alone are given up, neither descriptors nor memory.
    let answer = unsafe { libc::unshare(flags) };
    answered(answer.into()).map(drop)
}

/// A kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Users.
    User,
    /// Mounts.
    Mount,
    /// Network.
    Network,
    /// Process numbers.
    Process,
    /// IPC.
    Ipc,
}

impl Namespace {
    fn flag(self) -> libc::c_int {
        match self {
            Self::User => libc::CLONE_NEWUSER,
            Self::Mount => libc::CLONE_NEWNS,
            Self::Network => libc::CLONE_NEWNET,
            Self::Process => libc::CLONE_NEWPID,
            Self::Ipc => libc::CLONE_NEWIPC,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn io_ports() -> io::Result<()> {
    plain(libc::SYS_iopl, [3, 0, 0, 0, 0]).map(drop)
}

#[cfg(not(target_arch = "x86_64"))]
fn io_ports() -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

fn bpf(command: usize, mut attributes: [u64; 8]) -> io::Result<()> {
    let pointer = attributes.as_mut_ptr();
    let size = size_of_val(&attributes);
    // SAFETY: the kernel reads `size` bytes of the attributes, and the program and licence that they name, all alive.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size) };
    made(answered(answer))
}

/// A call without memory of ours but, at most, the address of a static that the kernel reads.
fn plain(number: libc::c_long, words: [usize; 5]) -> io::Result<i64> {
    let [a, b, c, d, e] = words;
    // SAFETY: the callers above pass numbers, null and addresses of statics; none of these calls writes through them.
    answered(unsafe { libc::syscall(number, a, b, c, d, e) })
}

/// A call whose first argument is a structure of numbers that is as large as the kernel's.
fn number(call: libc::c_long, structure: &mut [u64], words: [usize; 4]) -> io::Result<i64> {
    let [b, c, d, e] = words;
    // SAFETY: the callers above pass structures of the sizes that the kernel reads and writes.
    answered(unsafe { libc::syscall(call, structure.as_mut_ptr(), b, c, d, e) })
}

/// What was made is a descriptor; it goes at once.
fn made(answer: io::Result<i64>) -> io::Result<()> {
    let descriptor = answer?.try_into().map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it for us, and nobody else knows its number.
    drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(descriptor) });
    Ok(())
}

/// These errors come after the kernel has looked at the right: the right is there.
fn after_the_right(answer: io::Result<i64>, errors: &[i32]) -> io::Result<()> {
    match answer {
        Err(error) if error.raw_os_error().is_some_and(|number| errors.contains(&number)) => Ok(()),
        answer => answer.map(drop),
    }
}

fn answered(answer: libc::c_long) -> io::Result<i64> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}
