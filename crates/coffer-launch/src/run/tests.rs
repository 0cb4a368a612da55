//! What a run does on the host before and after: folders, state, leases, descriptors.

mod beneath;
mod companions;
mod descriptors;
mod folders;
mod prepare;
mod seeds;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::plan::Reference;

use super::{Resolve, ResolveError, SecretBytes};

/// A folder of the test's own.
pub(super) struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Links followed, so that a linked folder for temporary files is no link on the way.
    pub(super) fn path(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().canonicalize_utf8().unwrap()
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Utf8PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(super) fn link(&self, name: &str, to: impl AsRef<std::path::Path>) -> Utf8PathBuf {
        let path = self.path().join(name);
        std::os::unix::fs::symlink(to, &path).unwrap();
        path
    }

    pub(super) fn names(&self) -> Vec<String> {
        names(&self.path())
    }
}

pub(super) fn names(folder: &Utf8Path) -> Vec<String> {
    let entries = folder.read_dir_utf8().unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().to_owned()).collect();
    names.sort();
    names
}

pub(super) fn read(path: &Utf8Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

pub(super) fn fifo(path: &Utf8Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path.as_std_path(), rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

/// References of the environment by name; nothing else is known.
struct Known(&'static [(&'static str, &'static [u8])]);

impl Resolve for Known {
    fn resolve(&self, reference: &Reference) -> Result<SecretBytes, ResolveError> {
        let value = match reference {
            Reference::HostEnv(name) => self.0.iter().find(|(known, _)| known == name),
            _ => None,
        };
        value.map(|(_, value)| SecretBytes::from(value.to_vec())).ok_or_else(|| ResolveError {
            reason: "it is not there any more".to_owned(),
            hint: Some("set it".to_owned()),
        })
    }
}
