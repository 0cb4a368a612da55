//! Who a process is beyond its number: numbers are used again, and mean something else in another pid
//! namespace, after a reboot, and on another machine.

use serde::{Deserialize, Serialize};

/// A process, known for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number in its pid namespace.
    pub pid: i32,
    /// When it started, in clock ticks since the boot: field 22 of `/proc/PID/stat`.
    pub start: u64,
    /// The pid namespace, as `/proc/PID/ns/pid` reads.
    pub namespace: String,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
}

/// Whether a process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It does.
    Alive,
    /// Proven: no such process, another one under its number, or another boot.
    Dead,
    /// It is in another pid namespace, or `/proc` does not tell.
    Unknown,
}

impl Process {
    /// This process; `None` where `/proc` is not there.
    pub fn own() -> Option<Self> {
        Self::of(rustix::process::getpid().as_raw_pid())
    }

    /// A process of our own pid namespace.
    pub fn of(pid: i32) -> Option<Self> {
        Some(Self { pid, start: start_of(pid)?, namespace: own_namespace()?, boot: boot()? })
    }

    /// Whether it lives, as far as can be proven from here.
    pub fn life(&self) -> Life {
        let (Some(namespace), Some(boot)) = (own_namespace(), boot()) else { return Life::Unknown };
        if boot != self.boot {
            return Life::Dead;
        }
        if namespace != self.namespace {
            return Life::Unknown;
        }
        life(self.pid, self.start)
    }
}

/// Whether the process of our namespace with this number and start time lives.
pub(crate) fn life(pid: i32, start: u64) -> Life {
    match start_of(pid) {
        Some(found) if found == start => Life::Alive,
        Some(_) => Life::Dead,
        None if is_there(pid) => Life::Unknown,
        // `/proc` that does not even show ourselves proves nothing.
        None if start_of(rustix::process::getpid().as_raw_pid()).is_some() => Life::Dead,
        None => Life::Unknown,
    }
}

/// Whether there is a process that `/proc` does not show: somebody else's, with `hidepid`. A zombie is none.
fn is_there(pid: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return false };
    let answers = rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH);
    answers && !std::fs::exists(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap_or(false)
}

/// Our pid namespace, as its link reads: `pid:[4026531836]`.
pub(crate) fn own_namespace() -> Option<String> {
    std::fs::read_link("/proc/self/ns/pid").ok()?.into_os_string().into_string().ok()
}

fn boot() -> Option<String> {
    Some(std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

/// When a process started; `None` when there is none, or it is a zombie: it does nothing any more.
fn start_of(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    // Field 22 of all, the 19th after the state.
    fields.nth(18)?.parse().ok()
}
