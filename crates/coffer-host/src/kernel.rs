//! The kernel, and what restricts user namespaces.

use camino::Utf8Path;
use coffer_plan::facts::{KernelFacts, Terminals, UserNamespaceFacts};

use crate::read::read_kernel;

/// `uname`.
pub(crate) fn kernel() -> KernelFacts {
    let uname = rustix::system::uname();
    KernelFacts {
        release: uname.release().to_string_lossy().into_owned(),
        machine: uname.machine().to_string_lossy().into_owned(),
        filters_system_calls: coffer_sys::confine::filters_system_calls(),
        mounts_trees: coffer_sys::guards::available(),
        inside_coffer: Utf8Path::new(coffer_plan::derive::INIT).exists(),
    }
}

/// The switches below `/proc/sys`; each kernel has some of them.
pub(crate) fn user_namespaces(proc: &Utf8Path) -> UserNamespaceFacts {
    let number =
        |name: &str| -> Option<u64> { read_kernel(&proc.join("sys").join(name))?.trim().parse().ok() };
    let switch = |name: &str| number(name).map(|value| value != 0);
    UserNamespaceFacts {
        max: number("user/max_user_namespaces"),
        unprivileged_clone: switch("kernel/unprivileged_userns_clone"),
        apparmor_restricts: switch("kernel/apparmor_restrict_unprivileged_userns"),
    }
}

/// Which of our own 0, 1 and 2 are terminals.
pub(crate) fn terminals() -> Terminals {
    Terminals {
        stdin: rustix::termios::isatty(std::io::stdin()),
        stdout: rustix::termios::isatty(std::io::stdout()),
        stderr: rustix::termios::isatty(std::io::stderr()),
    }
}

#[cfg(test)]
mod tests;
