//! A home of a test's own, so that no test ever sees the user's.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A folder or file of the scratch home could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make `{}`", .0.display())]
pub struct ScratchError(pub PathBuf, #[source] pub std::io::Error);

/// A temporary home, XDG folders and a project; gone when dropped.
#[derive(Debug)]
pub struct Scratch {
    root: TempDir,
    home: PathBuf,
    runtime: PathBuf,
    /// Folders that lie elsewhere, and go with the rest.
    apart: Vec<TempDir>,
}

impl Scratch {
    /// Makes the folders below the system's folder for temporary files.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn new() -> Result<Self, ScratchError> {
        Self::below(&std::env::temp_dir())
    }

    /// Makes the folders below a folder of the caller's choice.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn below(parent: &Path) -> Result<Self, ScratchError> {
        let root = folder_in(parent)?;
        let (home, runtime) = (root.path().join("home"), root.path().join("run"));
        Self { root, home, runtime, apart: Vec::new() }.made()
    }

    /// As on a machine in use: homes and the folders of sessions lie below these, and only the rest is below the system's
    /// folder for temporary files.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn apart(homes: &Path, runtimes: &Path) -> Result<Self, ScratchError> {
        let (root, homes, runtimes) =
            (folder_in(&std::env::temp_dir())?, folder_in(homes)?, folder_in(runtimes)?);
        let (home, runtime) = (homes.path().to_owned(), runtimes.path().to_owned());
        Self { root, home, runtime, apart: vec![homes, runtimes] }.made()
    }

    fn made(self) -> Result<Self, ScratchError> {
        for folder in [self.project(), self.runtime(), self.tmp()] {
            private_folder(&folder)?;
        }
        for (_, folder) in self.xdg() {
            private_folder(&folder)?;
        }
        Ok(self)
    }

    /// Leaves the folders where they are.
    pub fn keep(self) {
        // Kept on purpose; the path is known by then.
        let _ = self.root.keep();
        self.apart.into_iter().for_each(|folder| drop(folder.keep()));
    }

    /// The folder that holds everything else.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// `HOME`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.home.clone()
    }

    /// A project folder inside the home.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.home().join("work/project")
    }

    /// `XDG_RUNTIME_DIR`.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.runtime.clone()
    }

    /// `TMPDIR`.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.root().join("tmp")
    }

    fn xdg(&self) -> [(&'static str, PathBuf); 4] {
        let home = self.home();
        [
            ("XDG_CONFIG_HOME", home.join(".config")),
            ("XDG_DATA_HOME", home.join(".local/share")),
            ("XDG_STATE_HOME", home.join(".local/state")),
            ("XDG_CACHE_HOME", home.join(".cache")),
        ]
    }

    /// The whole environment for a command that is tried: these folders, the host's `PATH`, and nothing else of it.
    #[must_use]
    pub fn env(&self) -> Vec<(OsString, OsString)> {
        let mut env: Vec<(OsString, OsString)> = vec![
            ("HOME".into(), self.home().into()),
            ("XDG_RUNTIME_DIR".into(), self.runtime().into()),
            ("TMPDIR".into(), self.tmp().into()),
            ("LANG".into(), "C.UTF-8".into()),
            ("TERM".into(), "dumb".into()),
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into())),
        ];
        env.extend(self.xdg().map(|(name, folder)| (name.into(), folder.into())));
        env
    }

    /// A command with exactly [`Self::env`], started in the project.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.env()).current_dir(self.project());
        command
    }

    /// Writes a file (0600) at a path relative to the home, with its folders; an older one is replaced.
    ///
    /// # Errors
    /// When the folder or the file cannot be written.
    pub fn write_home(&self, relative: &str, content: &str) -> Result<PathBuf, ScratchError> {
        let path = self.home().join(relative);
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .map_err(|error| ScratchError(path.clone(), error))?;
        Ok(path)
    }
}

fn folder_in(parent: &Path) -> Result<TempDir, ScratchError> {
    tempfile::Builder::new()
        .prefix("coffer-test-")
        .tempdir_in(parent)
        .map_err(|error| ScratchError(parent.to_owned(), error))
}

fn private_folder(path: &Path) -> Result<(), ScratchError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| ScratchError(path.to_owned(), error))
}

#[cfg(test)]
mod tests;
