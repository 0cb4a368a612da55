//! Bubblewrap: where it is, and which version.
//!
//! Only the program itself knows its version, and starting it costs more than all else that is read. So
//! its answer is kept in the user's cache folder, under what tells one file from another. A cache that is
//! broken or cannot be written costs that start, and nothing else.

use std::io::Read as _;
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{HostFacts, PathFact, ToolFact};
use coffer_plan::path::is_within;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::CWD;
use serde::{Deserialize, Serialize};

use crate::read::read_file;
use crate::{cache, search};

/// How long `bwrap --version` may take before it is given up, in seconds.
const PATIENCE: i64 = 5;

/// Largest answer and largest cache file, in bytes.
const MAX_ANSWER: usize = 4096;

/// A remembered answer and the file it came from.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    path: Utf8PathBuf,
    dev: u64,
    ino: u64,
    /// Nanoseconds since 1970, as text: JSON numbers are too short for some clocks.
    modified: String,
    size: i64,
    version: String,
}

/// The `bwrap` that is first on the PATH.
pub(crate) fn tool(facts: &HostFacts, cache_folder: Option<&Utf8Path>) -> Option<ToolFact> {
    let program = search::find(facts.public_value("PATH")?, "bwrap")?;
    let path = program.fact.resolved.clone();
    // What lies in the project an agent may have written: it is named, and the check refuses it, but it
    // is not started.
    let ours = is_within(&path, &facts.project.path) || is_within(&program.path, &facts.project.path);
    let version = match ours {
        true => None,
        false => version(&program.fact, cache_folder),
    };
    Some(ToolFact { path, version })
}

fn version(program: &PathFact, cache_folder: Option<&Utf8Path>) -> Option<String> {
    let stat = rustix::fs::statat(CWD, program.resolved.as_str(), rustix::fs::AtFlags::empty()).ok()?;
    let mut entry = Remembered {
        path: program.resolved.clone(),
        dev: stat.st_dev,
        ino: stat.st_ino,
        modified: format!("{}.{:09}", stat.st_mtime, stat.st_mtime_nsec),
        size: stat.st_size,
        version: String::new(),
    };
    let file = cache_folder.map(|folder| folder.join("bubblewrap.json"));
    if let Some(known) = file.as_deref().and_then(recall) {
        entry.version.clone_from(&known.version);
        if entry == known {
            return Some(known.version);
        }
    }
    entry.version = ask(&program.resolved)?;
    if let Some(file) = file {
        // A full disk or a read-only home: the next start asks again.
        let _ = serde_json::to_vec(&entry).map(|text| cache::replace(&file, &text));
    }
    Some(entry.version)
}

fn recall(file: &Utf8Path) -> Option<Remembered> {
    let found = read_file(file, MAX_ANSWER).ok()?;
    let known: Remembered = serde_json::from_slice(&found.content).ok()?;
    looks_like_version(&known.version).then_some(known)
}

/// Runs `bwrap --version` with an empty environment.
fn ask(program: &Utf8Path) -> Option<String> {
    let mut child = Command::new(program)
        .arg("--version")
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let answer = child.stdout.take().and_then(read_answer);
    // It has answered, or it never will; either way nobody waits for it longer.
    let _ = child.kill();
    let _ = child.wait();
    let answer = answer?;
    let version = answer.trim().strip_prefix("bubblewrap ")?;
    looks_like_version(version).then(|| version.to_owned())
}

/// All that a child says until it closes its end; `None` when it takes too long or says too much.
fn read_answer(mut out: std::process::ChildStdout) -> Option<String> {
    let mut answer = Vec::new();
    let mut buffer = [0; 512];
    let patience = Timespec { tv_sec: PATIENCE, tv_nsec: 0 };
    loop {
        let mut ready = [PollFd::new(&out, PollFlags::IN)];
        if poll(&mut ready, Some(&patience)).ok()? == 0 {
            return None;
        }
        let count = out.read(&mut buffer).ok()?;
        if count == 0 {
            return String::from_utf8(answer).ok();
        }
        answer.extend_from_slice(&buffer[..count]);
        if answer.len() > MAX_ANSWER {
            return None;
        }
    }
}

/// `0.8.0` and the like: nothing else of what a program says gets into the facts.
fn looks_like_version(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+_~".contains(&byte))
}

#[cfg(test)]
mod tests;
