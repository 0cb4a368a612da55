//! Copies of git's configuration: each in a folder of the run, and a link to it that is mounted over the original.

use std::os::unix::fs::symlink;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::derive::GIT_COPIES;
use coffer_plan::plan::RunFolder;
use coffer_sys::guards::Guard as Mounted;

use super::RunError;
use super::beneath::Folder;
use super::folder::{RunFolders, make_own};
use crate::launch::{Guard, HostPath};

/// Where the links lie in the run's folder.
const LINKS: &str = "links";
/// The copy's name in its folder.
pub(super) const COPY: &str = "config";

/// Makes what a guard needs, if it is about git's configuration.
pub(super) fn prepare(guard: &Guard, folders: &RunFolders) -> Result<(), RunError> {
    let Guard::GitConfig { config, name, accept: _ } = guard else { return Ok(()) };
    let copy = folders.path(RunFolder::Git)?.join(name);
    make_own(&copy)?;
    let content = original(config)?;
    Folder::open(&copy)?.create(COPY, &content)?;
    let links = folders.root().join(LINKS);
    make_own(&links)?;
    let (link, text) = (links.join(name), format!("{GIT_COPIES}/{name}/{COPY}"));
    symlink(text, &link).map_err(|source| RunError::MakeFolder { path: link, source })
}

/// What the original holds, if it is still the file that the plan saw.
pub(super) fn original(config: &HostPath) -> Result<super::SecretBytes, RunError> {
    let gone = || RunError::Changed { path: config.path.clone(), source: None };
    super::descriptors::same(config)?;
    let (parent, name) = config.path.parent().zip(config.path.file_name()).ok_or_else(gone)?;
    Folder::open(parent)?.read(name)?.ok_or_else(gone)
}

/// The guard as the child mounts it, and its path for messages.
pub(super) fn mounted(guard: &Guard, root: &Utf8Path) -> Result<(Utf8PathBuf, Mounted), RunError> {
    let of = |seen: &HostPath, read_only| {
        Mounted::itself(seen.path.as_std_path(), Some((seen.dev, seen.ino)), read_only)
    };
    let (path, made) = match guard {
        Guard::ReadOnly(seen) => (&seen.path, of(seen, true)),
        Guard::Pin(seen) => (&seen.path, of(seen, false)),
        Guard::Held(path) => (path, Mounted::itself(path.as_std_path(), None, true)),
        Guard::GitConfig { config, name, accept: _ } => {
            let link = root.join(LINKS).join(name);
            let object = (config.dev, config.ino);
            (&config.path, Mounted::link(link.as_std_path(), config.path.as_std_path(), object))
        }
    };
    let failed = |source| RunError::Guard { path: path.clone(), source };
    Ok((path.clone(), made.map_err(failed)?))
}
