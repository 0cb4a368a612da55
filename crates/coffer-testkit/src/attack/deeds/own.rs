//! Cofferdam's own parts.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::files::{beginning, may_write};
use crate::attack::scene::{ACCESS_TOKEN, LEASED, LED, STATE_LINK};
use crate::attack::{Brief, Outcome};

/// How long a process may take to die.
const DEATH: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

fn no_neighbour() -> Outcome {
    Outcome::Untried("there is no other run".to_owned())
}

pub(crate) fn neighbour_files(brief: &Brief) -> Outcome {
    if brief.neighbour.is_empty() {
        return no_neighbour();
    }
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for path in &brief.neighbour {
        let regular = fs::metadata(path).and_then(|found| {
            if found.is_file() { beginning(path) } else { Err(io::ErrorKind::IsADirectory.into()) }
        });
        match regular {
            Ok(_) => return Outcome::Done("one was read".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
            Err(error) => last = error,
        }
    }
    Outcome::refused(&last)
}

pub(crate) fn neighbour_sockets(brief: &Brief) -> Outcome {
    if brief.neighbour.is_empty() {
        return no_neighbour();
    }
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for path in &brief.neighbour {
        if !fs::metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            continue;
        }
        match UnixStream::connect(path) {
            Ok(_) => return Outcome::Done("one let us in".to_owned()),
            Err(error) => last = error,
        }
    }
    Outcome::refused(&last)
}

pub(crate) fn list_runs(brief: &Brief) -> Outcome {
    let runs = fs::read_dir(brief.runtime.join("cofferdam/runs"));
    match runs.map(|mut runs| runs.next().is_some()) {
        Ok(true) => Outcome::Done("they are seen".to_owned()),
        Ok(false) => Outcome::Own("there is none here".to_owned()),
        Err(error) => Outcome::refused(&error),
    }
}

fn leased(brief: &Brief, word: &str) -> Outcome {
    match beginning(&brief.lease.join(LEASED)) {
        Ok(text) if String::from_utf8_lossy(&text).contains(word) => Outcome::Done("it is there".to_owned()),
        Ok(_) => Outcome::Refused("it is not in there".to_owned()),
        Err(error) => Outcome::refused(&error),
    }
}

pub(crate) fn read_lease(brief: &Brief) -> Outcome {
    leased(brief, ACCESS_TOKEN)
}

pub(crate) fn refresh_token(brief: &Brief) -> Outcome {
    leased(brief, "refreshToken")
}

/// And back again.
pub(crate) fn swap_lease_folder(brief: &Brief) -> Outcome {
    if !brief.lease.exists() {
        return Outcome::Refused("there is no lease".to_owned());
    }
    let aside = brief.lease.with_extension("aside");
    let swapped = fs::rename(&brief.lease, &aside).and_then(|()| symlink(&brief.stage, &brief.lease));
    if swapped.is_ok() {
        // If this fails, what comes after finds no lease, and says so.
        let _ = fs::remove_file(&brief.lease).and_then(|()| fs::rename(&aside, &brief.lease));
    }
    Outcome::of(swapped)
}

/// Whether the host writes through it is for the host to say: it stays.
pub(crate) fn link_in_lease(brief: &Brief) -> Outcome {
    lead(&brief.lease.join(LEASED), "link-in-lease", brief)
}

/// The same in the agent's state.
pub(crate) fn links_in_state(brief: &Brief) -> Outcome {
    lead(&brief.home.join(STATE_LINK), "links-in-state", brief)
}

fn lead(link: &Path, attack: &str, brief: &Brief) -> Outcome {
    match fs::remove_file(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Outcome::refused(&error),
        _ => {}
    }
    Outcome::of(symlink(brief.stage.join(LED).join(attack), link))
}

/// The program by which we ourselves were started.
pub(crate) fn replace_init(_: &Brief) -> Outcome {
    fs::read_link("/proc/self/exe").map_or_else(Outcome::from, |program| may_write(&program))
}

/// Outside that is the other process, which nobody needs after this.
pub(crate) fn end_first(brief: &Brief) -> Outcome {
    let ended = || -> io::Result<bool> {
        let pid = Pid::from_raw(brief.first).ok_or(io::ErrorKind::NotFound)?;
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        kill_process(pid, Signal::KILL)?;
        let mut waits = [PollFd::new(&process, PollFlags::IN)];
        Ok(poll(&mut waits, Some(&DEATH))? > 0)
    };
    match ended() {
        Ok(true) => Outcome::Done("it has ended".to_owned()),
        Ok(false) => Outcome::Refused("it goes on".to_owned()),
        Err(error) => Outcome::refused(&error),
    }
}
