//! Signals as events.

use rustix::process::Signal;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// How many signals Linux has.
const SIGNALS: libc::c_int = 64;

/// The kernel's set of them, one bit each.
const MASK_BYTES: usize = 8;

/// A signal that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caught {
    /// Its number.
    pub signal: i32,
    /// Whether the kernel made it (a key of the controlling terminal, a hang-up, a child's end) and no `kill`.
    pub from_kernel: bool,
}

/// Signals that are blocked and come in as readable events instead. Dropping it restores the mask; children made
/// by this crate start with an empty one.
#[derive(Debug)]
pub struct SignalEvents {
    descriptor: OwnedFd,
    previous: Mask,
}

#[derive(Clone, Copy)]
struct Mask(libc::sigset_t);

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask")
    }
}

impl Mask {
    fn empty() -> Self {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the pointer is valid for writing a `sigset_t`.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: `sigemptyset` has initialised all of it.
        Self(unsafe { set.assume_init() })
    }

    fn of(signals: &[Signal]) -> Self {
        let mut mask = Self::empty();
        for signal in signals {
            // SAFETY: the set is initialised, and a named signal is a valid number.
            unsafe { libc::sigaddset(&raw mut mask.0, signal.as_raw()) };
        }
        mask
    }

    fn full() -> Self {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the pointer is valid for writing a `sigset_t`.
        unsafe { libc::sigfillset(set.as_mut_ptr()) };
        // SAFETY: `sigfillset` has initialised all of it.
        Self(unsafe { set.assume_init() })
    }

    /// Changes this thread's mask and says what it was.
    fn change(self, how: libc::c_int) -> io::Result<Self> {
        let mut previous = Self::empty();
        // SAFETY: both pointers are to initialised sets that live through the call.
        let error = unsafe { libc::pthread_sigmask(how, &raw const self.0, &raw mut previous.0) };
        if error == 0 { Ok(previous) } else { Err(io::Error::from_raw_os_error(error)) }
    }
}

impl SignalEvents {
    /// Blocks `signals` in this thread, which must be the only one that lets them through.
    ///
    /// # Errors
    /// As `signalfd(2)`.
    pub fn block(signals: &[Signal]) -> io::Result<Self> {
        let mask = Mask::of(signals);
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the set is initialised and -1 asks for a new descriptor.
        let descriptor = unsafe { libc::signalfd(-1, &raw const mask.0, flags) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made it, and nobody else knows the number.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let previous = mask.change(libc::SIG_BLOCK)?;
        Ok(Self { descriptor, previous })
    }

    /// The next signal, if one is there.
    ///
    /// # Errors
    /// As `read(2)`.
    pub fn next(&self) -> io::Result<Option<Caught>> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the buffer is valid for writing `size` bytes.
        let read = unsafe { libc::read(self.descriptor.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        if read < 0 {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            };
        }
        if usize::try_from(read) != Ok(size) {
            return Ok(None);
        }
        // SAFETY: a plain structure of integers, zeroed and then filled by the kernel.
        let info = unsafe { info.assume_init() };
        let signal = i32::try_from(info.ssi_signo).unwrap_or_default();
        Ok(Some(Caught { signal, from_kernel: info.ssi_code > 0 }))
    }
}

impl AsFd for SignalEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for SignalEvents {
    fn drop(&mut self) {
        // A mask that was in force before cannot be refused.
        let _ = self.previous.change(libc::SIG_SETMASK);
    }
}

/// Signals that wait as long as this lives: work that must not be cut off in the middle is done meanwhile.
#[derive(Debug)]
pub struct Held {
    previous: Mask,
}

impl Held {
    /// Holds `signals` back in this thread, which must be the only one that lets them through. A program started
    /// meanwhile would start with them blocked, unless it is started by this crate.
    ///
    /// # Errors
    /// As `sigprocmask(2)`.
    pub fn block(signals: &[Signal]) -> io::Result<Self> {
        Ok(Self { previous: Mask::of(signals).change(libc::SIG_BLOCK)? })
    }

    /// Holds every signal back in this thread. A thread that is started meanwhile lets none through for good, so
    /// that all of them still come to the one that heeds them.
    ///
    /// # Errors
    /// As `sigprocmask(2)`.
    pub fn block_all() -> io::Result<Self> {
        Ok(Self { previous: Mask::full().change(libc::SIG_BLOCK)? })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A mask that was in force before cannot be refused.
        let _ = self.previous.change(libc::SIG_SETMASK);
    }
}

/// Who shall stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopScope {
    /// This process alone.
    Process,
    /// Our whole process group, as the terminal's own key would do it: a shell shows a pipeline as stopped only
    /// when all of it is.
    Group,
}

/// Stops as `signal` stops by default, and returns when continued. Returns at once where the kernel or our parent
/// wants no stop: in an orphaned process group, or with the signal ignored.
///
/// # Errors
/// As `kill(2)` and `sigprocmask(2)`.
pub fn stop_self(signal: Signal, scope: StopScope) -> io::Result<()> {
    // Blocked while it is sent, so that it is delivered to us inside the second call, whatever we do here.
    let only_this = Mask::of(&[signal]);
    let previous = only_this.change(libc::SIG_BLOCK)?;
    let sent = match scope {
        StopScope::Process => rustix::process::kill_process(rustix::process::getpid(), signal),
        StopScope::Group => rustix::process::kill_current_process_group(signal),
    };
    only_this.change(libc::SIG_UNBLOCK)?;
    previous.change(libc::SIG_SETMASK)?;
    Ok(sent?)
}

/// Every signal at its default and none blocked: what a program expects that was started by a shell. Fit for the
/// moment between fork and exec: async-signal-safe, allocates nothing.
///
/// # Errors
/// As `sigprocmask(2)`.
pub fn to_defaults() -> io::Result<()> {
    // The kernel's `sigaction` all zero is the default action. Asked for directly, because the C library refuses
    // the two signals that it uses itself, and they too may come to us ignored.
    let default = [0_u64; 4];
    let nothing: *mut libc::c_void = std::ptr::null_mut();
    for number in 1..=SIGNALS {
        // KILL and STOP refuse; that is as it should be.
        // SAFETY: the kernel reads a `sigaction` of at most 32 bytes and writes none; no handler is installed.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, number, &raw const default, nothing, MASK_BYTES) };
    }
    Mask::empty().change(libc::SIG_SETMASK)?;
    Ok(())
}

/// Lets children be waited for, also when our parent left `SIGCHLD` ignored: their ends would go unnoticed.
pub fn heed_children() {
    // SAFETY: no handler function is installed, only the default action. It cannot fail for this signal.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}
