//! Using up what all share: only as far as a limit is known to be set, and never more than the machine can bear.

use std::io;
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::mounts::lower_oom_score;
use crate::attack::{Brief, Outcome};

/// Processes that are made at most.
const MOST_PROCESSES: u64 = 2048;
/// Memory that is taken at most, in bytes.
const MOST_MEMORY: u64 = 1024 * 1024 * 1024;
/// How far beyond a limit it goes.
const BEYOND: u64 = 16;
const MEBIBYTE: u64 = 1024 * 1024;

fn unlimited() -> Outcome {
    Outcome::Untried("no limit is known to be set".to_owned())
}

pub(crate) fn processes(brief: &Brief) -> Outcome {
    let Some(limit) = brief.limits.pids.filter(|limit| *limit < MOST_PROCESSES) else { return unlimited() };
    let mut children: Vec<Child> = Vec::new();
    let mut refused = None;
    while (children.len() as u64) < limit + BEYOND {
        match Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn() {
            Ok(child) => children.push(child),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    for child in &mut children {
        // Without its input it ends; this way it ends at once.
        let _ = child.kill();
        let _ = child.wait();
    }
    refused.map_or(Outcome::Done("all were made".to_owned()), |error| Outcome::refused(&error))
}

pub(crate) fn memory(brief: &Brief) -> Outcome {
    let Some(limit) = brief.limits.memory.filter(|limit| *limit < MOST_MEMORY) else { return unlimited() };
    let mut held: Vec<Vec<u8>> = Vec::new();
    for _ in 0..limit / MEBIBYTE + BEYOND {
        let mut part = Vec::new();
        if part.try_reserve_exact(MEBIBYTE as usize).is_err() {
            return Outcome::Refused("there is no more".to_owned());
        }
        // Written to, so that it is really there.
        part.resize(MEBIBYTE as usize, 1);
        held.push(part);
    }
    Outcome::Done(format!("{} MiB were taken", held.len()))
}

/// Of this process alone.
pub(crate) fn raise(_: &Brief) -> Outcome {
    let now = getrlimit(Resource::Nofile);
    let Some(most) = now.maximum else { return Outcome::Untried("it has no limit".to_owned()) };
    let more = Rlimit { current: now.current, maximum: Some(most + 1) };
    Outcome::of(setrlimit(Resource::Nofile, more).map_err(io::Error::from))
}

/// Of this process alone.
pub(crate) fn oom(_: &Brief) -> Outcome {
    Outcome::of(lower_oom_score())
}
