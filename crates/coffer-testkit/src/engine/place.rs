//! Where an engine keeps what it has: a folder with a keeper, a process that outlives the owner of the folder, and then
//! ends what runs there and removes it, however the owner ended.
//!
//! A place belongs to a test, or to the whole run of tests: nextest gives each test a process of its own, and a daemon
//! or an image for each would take longer than the tests. The owner of what is shared is therefore nextest itself,
//! the ancestor of all of them; no test need know whether it is the last. Without nextest it is the process of the tests.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, getpid, kill_process};

use super::EngineError;

const KEEP: &str = include_str!("keep.sh");
/// The owner's end is our end of the keeper's standard input.
const BY_PIPE: &str = "-";
/// Others may go through, and see nothing.
const MODE: u32 = 0o711;
/// A file of a shared place that says that it is whole.
const READY: &str = "ready";

/// A place of one test: gone when dropped.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    keeper: Child,
}

impl Place {
    /// A folder, and a daemon if there are words for one: they are asked for with the folder's path.
    pub(super) fn new(
        name: &str,
        daemon: impl FnOnce(&Path) -> Result<Vec<OsString>, EngineError>,
    ) -> Result<Self, EngineError> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("coffer-{name}-"))
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(MODE))
            .tempdir()
            .map_err(|error| EngineError::Folder(std::env::temp_dir(), error))?;
        let words = daemon(folder.path())?;
        let keeper = keeper(folder.path(), BY_PIPE, words)?;
        // From here on it is the keeper's to remove.
        Ok(Self { folder: folder.keep(), keeper })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // There is nothing to do about a keeper that cannot be waited for.
        let _ = self.keeper.wait();
    }
}

/// A place of the whole run of tests.
#[derive(Debug)]
pub(super) struct Shared {
    folder: PathBuf,
}

impl Shared {
    /// The run's place of this name; made by whoever comes first, while the others wait. `ready` says when the daemon
    /// can be used, and prepares the folder where there is none.
    pub(super) fn of_run(
        name: &str,
        daemon: impl FnOnce(&Path) -> Result<Vec<OsString>, EngineError>,
        ready: impl FnOnce(&Path) -> Result<(), EngineError>,
    ) -> Result<Self, EngineError> {
        Self::of(Owner::of_this_run()?, name, daemon, ready)
    }

    fn of(
        owner: Owner,
        name: &str,
        daemon: impl FnOnce(&Path) -> Result<Vec<OsString>, EngineError>,
        ready: impl FnOnce(&Path) -> Result<(), EngineError>,
    ) -> Result<Self, EngineError> {
        let run = std::env::temp_dir().join(format!("coffer-engines-{}-{}", owner.pid, owner.started));
        folder(&run)?;
        let shared = Self { folder: run.join(name) };
        let _lock = lock(shared.folder.with_added_extension("lock"))?;
        if shared.folder.join(READY).exists() {
            return Ok(shared);
        }
        folder(&shared.folder)?;
        let words = daemon(&shared.folder)?;
        let keeper = keeper(&shared.folder, &owner.pid.to_string(), words)?;
        if let Err(error) = ready(&shared.folder) {
            end(keeper);
            return Err(error);
        }
        shared.note(READY)?;
        Ok(shared)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Does something once in the run; who wants the same waits, and nobody else.
    pub(super) fn once(
        &self,
        what: &str,
        deed: impl FnOnce() -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let _lock = lock(self.folder.join(what).with_added_extension("lock"))?;
        if self.folder.join(what).exists() {
            return Ok(());
        }
        deed()?;
        self.note(what)
    }

    fn note(&self, what: &str) -> Result<(), EngineError> {
        let path = self.folder.join(what);
        File::create(&path).map(drop).map_err(|error| EngineError::Folder(path, error))
    }
}

/// A process that lives as long as the run; its start tells it from a later one of the same id.
#[derive(Debug, Clone, Copy)]
struct Owner {
    pid: i32,
    started: u64,
}

impl Owner {
    fn of_this_run() -> Result<Self, EngineError> {
        let own = getpid().as_raw_pid();
        let mut pid = own;
        while pid > 1 {
            let process = Process::read(pid)?;
            if process.name == "cargo-nextest" {
                return Ok(Self { pid, started: process.started });
            }
            pid = process.parent;
        }
        Ok(Self { pid: own, started: Process::read(own)?.started })
    }
}

/// What `/proc/PID/stat` says.
struct Process {
    name: String,
    parent: i32,
    started: u64,
}

impl Process {
    fn read(pid: i32) -> Result<Self, EngineError> {
        let path = PathBuf::from(format!("/proc/{pid}/stat"));
        let text = fs::read_to_string(&path).map_err(|error| EngineError::Folder(path.clone(), error))?;
        Self::parse(&text).ok_or_else(|| EngineError::Folder(path, io::ErrorKind::InvalidData.into()))
    }

    /// The name stands in brackets, and may hold some itself.
    fn parse(stat: &str) -> Option<Self> {
        let (head, rest) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let mut fields = rest.split_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        Some(Self { name, parent, started })
    }
}

/// A session of its own: what ends a test by its process group leaves the keeper to do its work.
fn keeper(folder: &Path, owner: &str, daemon: Vec<OsString>) -> Result<Child, EngineError> {
    let script = folder.join("keep.sh");
    fs::write(&script, KEEP).map_err(|error| EngineError::Folder(script.clone(), error))?;
    Command::new("setsid")
        .arg("sh")
        .arg(script)
        .arg(folder)
        .arg(owner)
        .args(daemon)
        .current_dir("/")
        .stdin(if owner == BY_PIPE { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(EngineError::Keeper)
}

fn end(mut keeper: Child) {
    if let Some(pid) = i32::try_from(keeper.id()).ok().and_then(Pid::from_raw) {
        // It has ended by itself then.
        let _ = kill_process(pid, Signal::TERM);
    }
    let _ = keeper.wait();
}

/// Held until it is dropped.
fn lock(path: PathBuf) -> Result<File, EngineError> {
    let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| EngineError::Folder(path, error))
}

fn folder(path: &Path) -> Result<(), EngineError> {
    match DirBuilder::new().mode(MODE).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(EngineError::Folder(path.to_owned(), error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
