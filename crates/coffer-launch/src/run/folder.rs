//! Folders of a run: made 0700 under a random name, locked while the run lives, gone after it. What a
//! killed `coffer` left is swept at the next start, when nobody holds its lock any more.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::plan::RunFolder;

use super::RunError;
use super::claim::Claim;
use super::clear::clear;
use super::groups::Groups;
use super::hold;
use super::live::Note;
use super::working_copy::{StateUse, WorkingCopy};
use crate::launch::{About, Limits, Made};

/// Where the control socket is, for a run in a container.
const SOCKETS: &str = "sockets";
/// Where the files are that are made for such a run.
const FILES: &str = "files";

/// The folders of one run.
#[derive(Debug)]
pub(super) struct RunFolders {
    claim: Claim,
    made: Vec<RunFolder>,
    /// What it does with a state of ours: writes in it, or has a working copy of it.
    state: StateUse,
    groups: Option<Groups>,
}

impl RunFolders {
    /// Claims a new run below `runtime`, and sweeps what dead runs left there.
    pub(super) fn new(runtime: &Utf8Path) -> Result<Self, RunError> {
        let claim = Claim::new(&runtime.join("runs"))?;
        Ok(Self { claim, made: Vec::new(), state: StateUse::None, groups: None })
    }

    /// Makes the groups that hold the run's limits. They are written down first, for whoever sweeps a dead run.
    pub(super) fn limit(&mut self, limits: &Limits) -> Result<(), RunError> {
        let path = self.root().join(super::groups::NOTE);
        let places: String =
            Groups::places(limits, self.id()).into_iter().map(|place| format!("{place}\n")).collect();
        let noted = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let noted = noted.and_then(|mut file| io::Write::write_all(&mut file, places.as_bytes()));
        noted.map_err(|source| RunError::MakeFolder { path, source })?;
        self.groups = Some(Groups::make(limits, self.id())?);
        Ok(())
    }

    /// The groups that hold its limits, if it has any.
    pub(super) fn groups(&self) -> Option<&Groups> {
        self.groups.as_ref()
    }

    /// What the run does with a state of ours.
    pub(super) fn state(&mut self) -> &mut StateUse {
        &mut self.state
    }

    /// The run's working copy of a state, if it has one.
    pub(super) fn copy(&self) -> Option<&WorkingCopy> {
        match &self.state {
            StateUse::Copy(copy) => Some(copy),
            StateUse::None | StateUse::Writes(_) => None,
        }
    }

    /// Makes one of the run's folders.
    pub(super) fn make(&mut self, folder: RunFolder) -> Result<(), RunError> {
        make_own(&self.root().join(folder.word()))?;
        self.made.push(folder);
        Ok(())
    }

    /// Where one of the run's folders is.
    pub(super) fn path(&self, folder: RunFolder) -> Result<Utf8PathBuf, RunError> {
        if let (RunFolder::Copy, Some(copy)) = (folder, self.copy()) {
            Ok(copy.path())
        } else if self.made.contains(&folder) {
            Ok(self.root().join(folder.word()))
        } else {
            Err(RunError::NoFolder(folder))
        }
    }

    /// The folder in which init finds the control socket.
    pub(super) fn sockets(&self) -> Result<Utf8PathBuf, RunError> {
        let path = self.root().join(SOCKETS);
        make_own(&path).map(|()| path)
    }

    /// Makes a file among those of the run.
    pub(super) fn make_file(&self, name: &str, mode: u32, content: &[u8]) -> Result<(), RunError> {
        let files = self.root().join(FILES);
        make_own(&files)?;
        let path = files.join(name);
        let failed = |source| RunError::MakeFolder { path: path.clone(), source };
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = made.map_err(failed)?;
        io::Write::write_all(&mut file, content).map_err(failed)?;
        file.set_permissions(Permissions::from_mode(mode)).map_err(failed)
    }

    /// Where something that is made for the run lies.
    pub(super) fn made(&self, made: &Made) -> Result<Utf8PathBuf, RunError> {
        match made {
            Made::Folder(folder) => self.path(*folder),
            Made::Sockets => Ok(self.root().join(SOCKETS)),
            Made::File(name) => Ok(self.root().join(FILES).join(name)),
        }
    }

    /// Writes down what the run is about, for other commands; an older note is replaced. Nothing inside sees it.
    pub(super) fn note(&self, about: &About, pid: Option<u32>) -> Result<(), RunError> {
        let id = self.id().to_owned();
        let note = Note {
            schema: super::live::NOTE_SCHEMA,
            run: id,
            pid,
            coffer: Some(std::process::id()),
            about: about.clone(),
        };
        let path = self.root().join(super::live::NOTE);
        let failed = |source| RunError::MakeFolder { path: path.clone(), source };
        let text = serde_json::to_vec(&note).map_err(|error| failed(error.into()))?;
        let new = path.with_extension("new");
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new);
        opened.and_then(|mut file| io::Write::write_all(&mut file, &text)).map_err(failed)?;
        std::fs::rename(&new, &path).map_err(failed)
    }

    /// The run's id.
    pub(super) fn id(&self) -> &str {
        self.root().file_name().unwrap_or_default()
    }

    pub(super) fn root(&self) -> &Utf8Path {
        self.claim.root()
    }

    /// Removes everything of the run. The sandbox is gone by now; links in what it left are not followed.
    pub(super) fn remove(self) -> Result<(), RunError> {
        let of_groups = self.groups.map_or(Ok(()), Groups::remove);
        let of_state = match self.state {
            StateUse::None | StateUse::Writes(_) => Ok(()),
            StateUse::Copy(copy) => copy.remove(),
        };
        let held = hold::release(self.claim.root());
        let has_container = super::container::may_be_left(self.claim.root());
        if of_groups.is_ok() && !has_container {
            return self.claim.remove().and(of_state).and(held);
        }
        // Their notes stay, so that a sweep can try again; whatever else the run had does not.
        for entry in self.claim.root().read_dir_utf8().into_iter().flatten().flatten() {
            if ![super::groups::NOTE, super::container::NOTE, hold::RECORD].contains(&entry.file_name()) {
                drop(remove(entry.path()));
            }
        }
        // Of the container the run has told already.
        of_groups
    }
}

/// A folder of Cofferdam's own: made with its parents, 0700, where it is missing; ours in any case.
pub(super) fn make_own(path: &Utf8Path) -> Result<(), RunError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| RunError::MakeFolder { path: path.to_owned(), source })?;
    let found = std::fs::symlink_metadata(path);
    let found = found.map_err(|source| RunError::MakeFolder { path: path.to_owned(), source })?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(RunError::ForeignFolder { path: path.to_owned() });
    }
    // An agent can close its own state to us; it is ours all the same.
    if found.mode() & 0o7777 != 0o700 {
        let opened = std::fs::set_permissions(path, Permissions::from_mode(0o700));
        opened.map_err(|source| RunError::MakeFolder { path: path.to_owned(), source })?;
    }
    Ok(())
}

/// Removes what runs left whose lock nobody holds. What cannot be removed stays for the next sweep: a
/// new run must not fail because of an old one.
pub(super) fn sweep(runs: &Utf8Path) {
    let Ok(entries) = runs.read_dir_utf8() else { return };
    let mut containers = super::container::Sweep::default();
    for entry in entries.flatten() {
        let Some(id) = entry.file_name().strip_suffix(".lock") else { continue };
        let Ok(lock) = File::open(entry.path()) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        let root = runs.join(id);
        // What cannot be given back keeps its record, so that the next sweep finds it.
        // Whatever runs in there is ended before the folders that it sees go.
        let gone = containers.sweep(&root, id);
        let given_back = gone.and_then(|()| super::groups::sweep(&root, id)).and(hold::release(&root));
        if given_back.is_ok() && remove(&root).is_ok() {
            drop(remove_file(entry.path()));
        }
    }
}

/// Removes a folder with all that is in it.
pub(super) fn remove(path: &Utf8Path) -> Result<(), RunError> {
    gone(clear(path), path)
}

pub(super) fn remove_file(path: &Utf8Path) -> Result<(), RunError> {
    gone(std::fs::remove_file(path), path)
}

fn gone(removed: io::Result<()>, path: &Utf8Path) -> Result<(), RunError> {
    match removed {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(RunError::Remove { path: path.to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
