//! Other processes, variables, and descriptors that were left open.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;

use coffer_sys::{attempts, descriptors};
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, Resource, Signal, getppid, pidfd_getfd, pidfd_open, pidfd_send_signal,
    prlimit, setpriority_process,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::judged;
use crate::attack::scene::{CANARY_VARIABLE, CLOUD_VARIABLE};
use crate::attack::{Brief, Outcome, probe};

/// The lowest priority.
const LOWEST: i32 = 19;
/// Descriptors of the first process that are looked at.
const FIRST_DESCRIPTORS: std::ops::Range<i32> = 0..32;

fn pid(number: i32) -> io::Result<Pid> {
    Pid::from_raw(number).ok_or_else(|| io::ErrorKind::NotFound.into())
}

pub(crate) fn see(brief: &Brief) -> Outcome {
    let command = fs::read(format!("/proc/{}/cmdline", brief.process.pid));
    match command {
        Ok(words) if String::from_utf8_lossy(&words).contains(probe::VICTIM) => {
            Outcome::Done("it is seen".to_owned())
        }
        Ok(_) => Outcome::Own("another process has its number".to_owned()),
        Err(error) => Outcome::refused(&error),
    }
}

pub(crate) fn signal(brief: &Brief) -> Outcome {
    Outcome::of(probe::wave(brief.process.pid))
}

pub(crate) fn signal_by_descriptor(brief: &Brief) -> Outcome {
    Outcome::of(pid(brief.process.pid).and_then(|pid| {
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(pidfd_send_signal(process, Signal::WINCH)?)
    }))
}

pub(crate) fn trace(brief: &Brief) -> Outcome {
    Outcome::of(attempts::seize(brief.process.pid))
}

pub(crate) fn trace_first(brief: &Brief) -> Outcome {
    Outcome::of(attempts::seize(brief.first))
}

pub(crate) fn read_memory(brief: &Brief) -> Outcome {
    let process = brief.process;
    attempts::read_memory(process.pid, process.address, brief.canary.len())
        .map_or_else(Outcome::from, |text| judged(&text, brief))
}

pub(crate) fn read_memory_file(brief: &Brief) -> Outcome {
    let mut text = vec![0; brief.canary.len()];
    let address = u64::try_from(brief.process.address).unwrap_or_default();
    let read = File::open(format!("/proc/{}/mem", brief.process.pid))
        .and_then(|memory| memory.read_exact_at(&mut text, address));
    read.map_or_else(Outcome::from, |()| judged(&text, brief))
}

pub(crate) fn take_descriptor(brief: &Brief) -> Outcome {
    let taken = pid(brief.process.pid).and_then(|pid| {
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        let file = pidfd_getfd(process, brief.process.descriptor, PidfdGetfdFlags::empty())?;
        let mut text = vec![0; 4096];
        let count = File::from(file).read_at(&mut text, 0)?;
        text.truncate(count);
        Ok(text)
    });
    taken.map_or_else(Outcome::from, |text| judged(&text, brief))
}

pub(crate) fn compare(brief: &Brief) -> Outcome {
    Outcome::of(attempts::compare_with(brief.process.pid))
}

pub(crate) fn slow_down(brief: &Brief) -> Outcome {
    Outcome::of(pid(brief.process.pid).and_then(|pid| Ok(setpriority_process(Some(pid), LOWEST)?)))
}

/// To what it is already.
pub(crate) fn limit(brief: &Brief) -> Outcome {
    let limit = rustix::process::getrlimit(Resource::Core);
    Outcome::of(pid(brief.process.pid).and_then(|pid| Ok(prlimit(Some(pid), Resource::Core, limit)?)))
}

pub(crate) fn enter_namespaces(brief: &Brief) -> Outcome {
    let entered = File::open(format!("/proc/{}/ns/uts", brief.process.pid)).and_then(|namespace| {
        Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::HostNameAndNISDomainName))?)
    });
    Outcome::of(entered)
}

pub(crate) fn first_environment(brief: &Brief) -> Outcome {
    match fs::read(format!("/proc/{}/environ", brief.first)) {
        Ok(text) if text.is_empty() => Outcome::Own("it is empty".to_owned()),
        Ok(text) => judged(&text, brief),
        Err(error) => Outcome::refused(&error),
    }
}

pub(crate) fn first_memory(brief: &Brief) -> Outcome {
    let first = brief.first;
    let opened = fs::read_to_string(format!("/proc/{first}/maps")).and_then(|maps| {
        let start = maps.split('-').next().and_then(|start| u64::from_str_radix(start, 16).ok());
        let start = start.ok_or(io::ErrorKind::PermissionDenied)?;
        File::open(format!("/proc/{first}/mem"))?.read_exact_at(&mut [0], start)
    });
    Outcome::of(opened)
}

pub(crate) fn first_descriptors(brief: &Brief) -> Outcome {
    let first = brief.first;
    let taken = pid(first).and_then(|pid| {
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for number in FIRST_DESCRIPTORS {
            match pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
                Ok(descriptor) => return Ok(descriptor),
                // That number is not in use.
                Err(rustix::io::Errno::BADF) => {}
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    });
    Outcome::of(taken)
}

fn variable(name: &str, brief: &Brief) -> Outcome {
    match std::env::var(name) {
        Ok(value) => judged(value.as_bytes(), brief),
        Err(_) => Outcome::Refused("it is not set".to_owned()),
    }
}

pub(crate) fn cloud_variable(brief: &Brief) -> Outcome {
    variable(CLOUD_VARIABLE, brief)
}

pub(crate) fn any_variable(brief: &Brief) -> Outcome {
    variable(CANARY_VARIABLE, brief)
}

pub(crate) fn agent_socket_variable(brief: &Brief) -> Outcome {
    variable("SSH_AUTH_SOCK", brief)
}

pub(crate) fn session_bus_variable(brief: &Brief) -> Outcome {
    variable("DBUS_SESSION_BUS_ADDRESS", brief)
}

/// All but ourselves and who started us: what they have we have, and that is another attack's.
pub(crate) fn others_environment(brief: &Brief) -> Outcome {
    let own = std::process::id();
    let parent = getppid().map_or(0, |pid| pid.as_raw_pid().unsigned_abs());
    let mut seen = 0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if pid == own || pid == parent {
            continue;
        }
        let Ok(text) = fs::read(entry.path().join("environ")) else { continue };
        seen += 1;
        if let Outcome::Done(_) = judged(&text, brief) {
            return Outcome::Done("the canary stands in one".to_owned());
        }
    }
    Outcome::Refused(if seen == 0 { "none can be read" } else { "the canary stands in none" }.to_owned())
}

fn inherited(brief: &Brief, index: usize) -> Result<OwnedFd, Outcome> {
    let Some(number) = brief.descriptors.get(index) else {
        return Err(Outcome::Untried("none was left open".to_owned()));
    };
    descriptors::take_inherited(*number).map_err(|error| Outcome::refused(&error))
}

pub(crate) fn inherited_file(brief: &Brief) -> Outcome {
    let file = match inherited(brief, 0) {
        Ok(file) => File::from(file),
        Err(outcome) => return outcome,
    };
    let mut text = vec![0; 4096];
    file.read_at(&mut text, 0).map_or_else(Outcome::from, |_| judged(&text, brief))
}

pub(crate) fn inherited_folder(brief: &Brief) -> Outcome {
    use rustix::fs::{Mode, OFlags, openat};
    let folder = match inherited(brief, 1) {
        Ok(folder) => folder,
        Err(outcome) => return outcome,
    };
    let mut text = Vec::new();
    let read = openat(&folder, ".ssh/id_ed25519", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(io::Error::from)
        .and_then(|file| File::from(file).read_to_end(&mut text));
    read.map_or_else(Outcome::from, |_| judged(&text, brief))
}

pub(crate) fn inherited_socket(brief: &Brief) -> Outcome {
    match inherited(brief, 2) {
        Ok(socket) => Outcome::of(rustix::net::sockopt::socket_type(&socket).map_err(io::Error::from)),
        Err(outcome) => outcome,
    }
}
