//! What a process takes from itself for good, and from whatever it starts.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// One instruction of a filter.
pub use seccompiler::sock_filter as Instruction;

/// What a program is started with; neither can be undone.
#[derive(Debug)]
pub struct Confinement {
    /// A filter of system calls; nothing is refused where it is empty.
    pub filter: &'static [Instruction],
    /// A Landlock ruleset.
    pub ruleset: Option<OwnedFd>,
}

impl Confinement {
    /// Confines this thread. Only system calls are made, and nothing is allocated: it is meant for between fork and
    /// exec. The ruleset comes first, since a filter may refuse the call for it.
    ///
    /// # Errors
    /// The kernel's, and `EPERM` without `no_new_privs`.
    pub(crate) fn apply(&self) -> io::Result<()> {
        if let Some(ruleset) = &self.ruleset {
            // SAFETY: the descriptor is open as long as `self` is; the kernel reads no memory of ours.
            let answer =
                unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
            if answer != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        if self.filter.is_empty() {
            return Ok(());
        }
        seccompiler::apply_filter(self.filter).map_err(|error| match error {
            seccompiler::Error::Prctl(cause) | seccompiler::Error::Seccomp(cause) => cause,
            // Neither has anything to do with one thread that brings a filter.
            _ => io::Error::from_raw_os_error(libc::EINVAL),
        })
    }
}

/// Whether the kernel takes filters of system calls that answer with an error number.
pub fn filters_system_calls() -> bool {
    let answer = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the kernel reads the four bytes of `answer`, which outlives the call, and changes nothing.
    let known =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const answer) };
    known == 0
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_answer_agrees_with_the_kernels_list_of_actions() {
        let Ok(actions) = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail") else {
            return;
        };
        assert_eq!(super::filters_system_calls(), actions.split_whitespace().any(|name| name == "errno"));
    }
}
