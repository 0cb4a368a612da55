//! What is mounted before the backend begins, in namespaces of its own.

use std::process::Command;

use camino::Utf8PathBuf;
use coffer_plan::plan::RunFolder;
use coffer_sys::guards::{Assembly, Failed, Mounts, Part as Entry, Report, enter};

use super::RunError;
use super::folder::RunFolders;
use super::git_copies;
use crate::launch::{HostPath, Launch, Part, PartKind};

/// The mounts, and their paths for messages.
pub(super) struct Beforehand {
    parts: Vec<Utf8PathBuf>,
    guards: Vec<Utf8PathBuf>,
    mounts: Mounts,
}

impl Beforehand {
    pub(super) fn of(launch: &Launch, folders: &RunFolders) -> Result<Self, RunError> {
        let guards = launch.guards().map(|guard| git_copies::mounted(guard, folders.root()));
        let (guards, mounted): (Vec<_>, Vec<_>) = guards.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let (parts, entries): (Vec<_>, Vec<_>) =
            launch.parts().map(entry).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let assembly = if entries.is_empty() {
            None
        } else {
            let at = folders.path(RunFolder::Etc)?;
            let made = Assembly::new(at.as_std_path(), entries);
            Some(made.map_err(|source| RunError::Assemble { path: at, source })?)
        };
        Ok(Self { parts, guards, mounts: Mounts { assembly, guards: mounted } })
    }

    /// Lets the backend begin with them, if there are any; with `parted` it has namespaces of its own already.
    pub(super) fn enter(&mut self, backend: &mut Command, parted: bool) -> Result<Option<Report>, RunError> {
        let mounts = std::mem::take(&mut self.mounts);
        if mounts.is_empty() {
            return Ok(None);
        }
        enter(backend, mounts, parted).map(Some).map_err(RunError::Control)
    }

    /// Why the backend could not begin.
    pub(super) fn failed(&self, failed: Failed, source: std::io::Error) -> RunError {
        let path = |paths: &[Utf8PathBuf], at: usize| paths.get(at).cloned().unwrap_or_default();
        match failed {
            Failed::Parting => RunError::Namespaces { source },
            Failed::Assembly => RunError::Assemble { path: "/etc".into(), source },
            Failed::Part(at) if source.raw_os_error() == Some(STALE) => {
                RunError::Changed { path: path(&self.parts, at), source: None }
            }
            Failed::Part(at) => RunError::Assemble { path: path(&self.parts, at), source },
            Failed::Guard(at) => RunError::Guard { path: path(&self.guards, at), source },
        }
    }
}

/// The error of a part that is another one by now.
const STALE: i32 = rustix::io::Errno::STALE.raw_os_error();

/// An entry as the child puts it in, and its path on the host for messages.
fn entry(Part { below, what }: &Part) -> Result<(Utf8PathBuf, Entry), RunError> {
    let inside = below.as_std_path();
    let bound = |seen: &HostPath, folder| {
        let made = Entry::bind(inside, seen.path.as_std_path(), (seen.dev, seen.ino), folder);
        (seen.path.clone(), made)
    };
    let shown = || camino::Utf8Path::new("/etc").join(below);
    let (path, made) = match what {
        PartKind::File(seen) => bound(seen, false),
        PartKind::Folder(seen) => bound(seen, true),
        PartKind::Link(to) => (shown(), Entry::link(inside, to)),
        PartKind::Text(text) => (shown(), Entry::text(inside, text.clone())),
    };
    match made {
        Ok(made) => Ok((path, made)),
        Err(source) => Err(RunError::Assemble { path, source }),
    }
}
