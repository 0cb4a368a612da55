//! The checked-out tree: its files as git sees them, and its crates as cargo sees them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::Error;

/// The workspace on disc.
pub(crate) struct Tree {
    root: PathBuf,
}

/// A crate of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

/// One line of a dependency table.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for an ordinary dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

/// A library, binary, test … of a crate.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

impl Tree {
    /// The tree that this program was built from.
    pub(crate) fn open() -> Result<Self, Error> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        Ok(Self { root: manifest.parent().unwrap_or(manifest).to_path_buf() })
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    pub(crate) fn read(&self, relative: &str) -> Result<String, Error> {
        let path = self.path(relative);
        std::fs::read_to_string(&path).map_err(|source| Error::Read { path, source })
    }

    /// Writes a file and the folders that it lies in.
    pub(crate) fn write(&self, relative: &str, contents: &str) -> Result<(), Error> {
        let path = self.path(relative);
        let folder = path.parent().unwrap_or(&self.root);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, contents))
            .map_err(|source| Error::Write { path, source })
    }

    pub(crate) fn read_toml<T: for<'de> Deserialize<'de>>(&self, relative: &str) -> Result<T, Error> {
        toml::from_str(&self.read(relative)?)
            .map_err(|source| Error::Toml { path: self.path(relative), source: Box::new(source) })
    }

    /// Files that git tracks or would track, relative to the root, sorted; those deleted on disc are left out.
    pub(crate) fn files(&self) -> Result<Vec<String>, Error> {
        let listed = self.output("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        let mut files: Vec<String> = listed
            .split('\0')
            .filter(|file| !file.is_empty() && self.path(file).is_file())
            .map(String::from)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// The crates of the workspace by name.
    pub(crate) fn packages(&self) -> Result<BTreeMap<String, Package>, Error> {
        let json = self.output("cargo", &["metadata", "--format-version", "1", "--no-deps", "--offline"])?;
        let metadata: Metadata = serde_json::from_str(&json).map_err(|source| Error::Metadata { source })?;
        Ok(metadata.packages.into_iter().map(|package| (package.name.clone(), package)).collect())
    }

    /// A path below the root as it is written in messages.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Result<String, Error> {
        let command = || format!("{program} {}", arguments.join(" "));
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.root)
            .output()
            .map_err(|source| Error::Start { command: command(), source })?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Failed { command: command(), stderr });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
