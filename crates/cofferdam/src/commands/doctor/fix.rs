//! What `--fix` can do: small things, on our own files only, that can be undone by hand.

use std::io;

use camino::Utf8PathBuf;
use coffer_launch::launch::quote;
use rustix::fs::{FileType, Mode, OFlags, fchmod, fstat, open};

/// A fix that can be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fix {
    /// Others may not read a file or folder of ours any more.
    Close {
        /// Which.
        path: Utf8PathBuf,
        /// What its permissions shall be.
        mode: u32,
        /// What they were.
        was: u32,
    },
    /// What dead runs left goes.
    Sweep {
        /// Where runs have their folders.
        runtime: Utf8PathBuf,
        /// What is left there.
        left: Vec<Utf8PathBuf>,
    },
}

impl Fix {
    /// The same as a command, for people.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Close { path, mode, was } => {
                format!("`chmod {mode:04o} {}` (it is {was:04o})", quote(path.as_str()))
            }
            Self::Sweep { left, .. } => {
                let left: Vec<String> = left.iter().map(|path| quote(path.as_str())).collect();
                format!("`rm -r {}`", left.join(" "))
            }
        }
    }

    /// Applies it.
    pub(crate) fn apply(&self) -> Result<(), (Utf8PathBuf, io::Error)> {
        match self {
            Self::Close { path, mode, was: _ } => close(path, *mode).map_err(|error| (path.clone(), error)),
            Self::Sweep { runtime, left } => {
                coffer_launch::run::sweep_runs(runtime);
                for probe in left.iter().filter(|path| path.parent() == Some(runtime)) {
                    std::fs::remove_dir_all(probe).map_err(|error| (probe.clone(), error))?;
                }
                match left.iter().find(|path| path.symlink_metadata().is_ok()) {
                    None => Ok(()),
                    Some(path) => Err((path.clone(), io::Error::other("it is still there"))),
                }
            }
        }
    }
}

/// By descriptor, so that what is changed is what was looked at: our own file or folder, and no link.
fn close(path: &Utf8PathBuf, mode: u32) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = open(path.as_str(), flags, Mode::empty())?;
    let found = fstat(&file)?;
    let kind = FileType::from_raw_mode(found.st_mode);
    let ours = found.st_uid == rustix::process::geteuid().as_raw();
    if !ours || !matches!(kind, FileType::RegularFile | FileType::Directory) {
        return Err(io::Error::other("it is no file or folder of yours"));
    }
    Ok(fchmod(&file, Mode::from_raw_mode(mode))?)
}
