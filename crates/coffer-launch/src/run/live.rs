//! Which runs live, and what they are about: each holds the lock of its folder, in which it wrote that down.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::launch::About;

#[cfg(test)]
mod tests;

/// The note in a run's folder.
pub(super) const NOTE: &str = "about.json";
/// Its format number.
pub(super) const NOTE_SCHEMA: u32 = 1;
/// Longest note that is read, in bytes: a project's path may be long.
const MAX_NOTE: u64 = 64 * 1024;

/// What stands in a run's folder about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) schema: u32,
    pub(super) run: String,
    /// The backend, once it was started.
    pub(super) pid: Option<u32>,
    /// The `coffer` that goes along with it and holds its lock.
    #[serde(default)]
    pub(super) coffer: Option<u32>,
    #[serde(flatten)]
    pub(super) about: About,
}

/// A run that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRun {
    /// Its id.
    pub id: String,
    /// Its folder.
    pub folder: Utf8PathBuf,
    /// When it began, Unix ms.
    pub started_at_ms: i64,
    /// The process of its backend, once that was started.
    pub pid: Option<u32>,
    /// The `coffer` that goes along with it.
    pub(super) coffer: Option<u32>,
    /// What it is about; `None` when it just begins, or is of a version that does not say.
    pub about: Option<About>,
}

impl LiveRun {
    /// The process from which its sandbox is found: the backend's, or the first one of its container, which is no child of
    /// the engine's program.
    pub fn sandbox(&self) -> Option<u32> {
        super::container::first_process(&self.folder, &self.id).or(self.pid)
    }
}

/// The runs whose lock is held, oldest first. What cannot be read counts as not there: somebody else's run, or
/// one that ends this moment.
pub fn live_runs(runtime: &Utf8Path) -> Vec<LiveRun> {
    let runs = runtime.join("runs");
    let entries = runs.read_dir_utf8().into_iter().flatten().flatten();
    let mut live: Vec<LiveRun> = entries
        .filter_map(|entry| {
            let id = entry.file_name().strip_suffix(".lock")?.to_owned();
            let lock = plain_file(entry.path())?;
            match lock.try_lock_shared() {
                Err(TryLockError::WouldBlock) => {}
                // Nobody holds it: the run is dead, and the next start sweeps it.
                Ok(()) | Err(TryLockError::Error(_)) => return None,
            }
            let began = lock.metadata().ok()?;
            let folder = runs.join(&id);
            let note = note(&folder).filter(|note| note.run == id);
            let coffer = note.as_ref().and_then(|note| note.coffer);
            let (pid, about) = note.map_or((None, None), |note| (note.pid, Some(note.about)));
            let started_at_ms = began.mtime() * 1000 + began.mtime_nsec() / 1_000_000;
            Some(LiveRun { id, folder, started_at_ms, pid, coffer, about })
        })
        .collect();
    live.sort_by(|one, other| (one.started_at_ms, &one.id).cmp(&(other.started_at_ms, &other.id)));
    live
}

/// What is left of runs that are dead: their folders, and locks without a folder. The next start sweeps it.
pub fn dead_runs(runtime: &Utf8Path) -> Vec<Utf8PathBuf> {
    let runs = runtime.join("runs");
    let entries = runs.read_dir_utf8().into_iter().flatten().flatten();
    let mut dead: Vec<Utf8PathBuf> = entries
        .filter_map(|entry| {
            let id = entry.file_name().strip_suffix(".lock")?;
            plain_file(entry.path())?.try_lock_shared().ok()?;
            let folder = runs.join(id);
            Some(if folder.symlink_metadata().is_ok() { folder } else { entry.path().to_owned() })
        })
        .collect();
    dead.sort();
    dead
}

/// A run that was killed together with what went along with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnseenRun {
    /// Its id.
    pub id: String,
    /// Its project.
    pub project: Utf8PathBuf,
    /// When it began, Unix ms.
    pub started_at_ms: i64,
}

/// Dead runs that had begun, and whose project nobody has looked at since. The next start sweeps what tells of them.
pub fn unseen_runs(runtime: &Utf8Path) -> Vec<UnseenRun> {
    let of = |folder: Utf8PathBuf| {
        let note = note(&folder).filter(|note| note.pid.is_some())?;
        let began = folder.with_extension("lock").metadata().ok()?;
        let started_at_ms = began.mtime() * 1000 + began.mtime_nsec() / 1_000_000;
        Some(UnseenRun { id: note.run, project: note.about.project, started_at_ms })
    };
    dead_runs(runtime).into_iter().filter_map(of).collect()
}

/// Removes what is left of runs that are dead. What cannot be removed stays.
pub fn sweep_runs(runtime: &Utf8Path) {
    super::folder::sweep(&runtime.join("runs"));
}

fn note(folder: &Utf8Path) -> Option<Note> {
    let mut text = Vec::new();
    plain_file(&folder.join(NOTE))?.take(MAX_NOTE).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// A regular file; neither a link nor a pipe holds anybody up.
pub(super) fn plain_file(path: &Utf8Path) -> Option<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).ok()?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    file.metadata().is_ok_and(|found| found.is_file()).then_some(file)
}
