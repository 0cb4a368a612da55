//! What a run does with a state of ours: it writes in it, or has a working copy of its own.
//!
//! The working copy lies beside the states, in a folder that goes with the run. Laid over the state it is in its
//! place only in the namespaces in which the backend begins; the host works in it by the overlay's descriptor.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::WorkingCopyFact;
use coffer_plan::plan::CopyWay;
use coffer_sys::overlay::{Layers, Overlay};
use rustix::fs::{Mode, OFlags, ioctl_ficlone, openat};

use super::RunError;
use super::beneath::Folder;
use super::claim::Claim;
use super::copy_tree::{Originals, Tell, copy_tree, create};
use super::folder::make_own;
use super::ground::{self, Reader, Writer, beside};
use super::merge::{self, Began, Kept};

/// Where working copies lie, beside the states.
const COPIES: &str = ".copies";
/// Where the changes of one go that could not be merged.
const SAVED: &str = ".kept";
/// The folders of one.
const COPY: &str = "copy";
const UPPER: &str = "upper";
const WORK: &str = "work";

/// What a run does with a state of ours.
#[derive(Debug)]
pub(super) enum StateUse {
    /// It has none, or one of its own.
    None,
    /// It writes in it.
    Writes(#[expect(dead_code, reason = "held until the run is over")] Writer),
    /// It has a working copy of it.
    Copy(WorkingCopy),
}

/// A working copy of a state.
#[derive(Debug)]
pub(super) struct WorkingCopy {
    of: Utf8PathBuf,
    claim: Claim,
    made: Made,
}

#[derive(Debug)]
enum Made {
    Over { overlay: Overlay, reader: Reader },
    Copied(Originals),
}

impl WorkingCopy {
    /// Makes one.
    pub(super) fn make(of: &Utf8Path, way: CopyWay, tell: Tell<'_>) -> Result<Self, RunError> {
        let claim = Claim::new(&beside(of, COPIES))?;
        let copy = claim.root().join(COPY);
        make_own(&copy)?;
        let made = match way {
            CopyWay::Overlay => {
                let reader = ground::read(of)?.ok_or_else(|| RunError::StateInUse { path: of.to_owned() })?;
                let overlay = mount(reader.folder(), claim.root())?;
                Made::Over { overlay, reader }
            }
            CopyWay::Reflink | CopyWay::Copy => {
                make_own(of)?;
                let (from, to) = (Folder::open(of)?, Folder::open(&copy)?);
                let copied = copy_tree(from.descriptor(), to.descriptor(), tell);
                let failed = |source| RunError::CopyState { path: of.to_owned(), source };
                Made::Copied(copied.map_err(failed)?)
            }
        };
        Ok(Self { of: of.to_owned(), claim, made })
    }

    /// Where the sandbox finds it.
    pub(super) fn path(&self) -> Utf8PathBuf {
        self.claim.root().join(COPY)
    }

    /// The copy as the agent sees it.
    pub(super) fn folder(&self) -> Result<Folder, RunError> {
        match &self.made {
            Made::Over { overlay, .. } => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let opened = openat(overlay.tree(), ".", flags, Mode::empty());
                let failed = |errno: rustix::io::Errno| RunError::State {
                    action: "open",
                    path: self.path(),
                    source: errno.into(),
                };
                Ok(Folder::of(opened.map_err(failed)?, self.path()))
            }
            Made::Copied(_) => Folder::open(&self.path()),
        }
    }

    /// Whether the backend begins in namespaces that were made for it.
    pub(super) fn is_mounted(&self) -> bool {
        matches!(self.made, Made::Over { .. })
    }

    /// Lets the backend begin where the copy is.
    pub(super) fn enter(&self, backend: &mut Command) -> Result<(), RunError> {
        match &self.made {
            Made::Over { overlay, .. } => {
                overlay.enter(backend).map_err(|source| RunError::Overlay { action: "enter", source })
            }
            Made::Copied(_) => Ok(()),
        }
    }

    /// Merges what was done in it back; the sandbox is gone by now. What cannot be merged is put aside.
    pub(super) fn keep(&self, run: &str, never: &[String], tell: Tell<'_>) -> Result<Kept, RunError> {
        let (changes, reader) = match &self.made {
            Made::Over { reader, .. } => (self.claim.root().join(UPPER), Some(reader)),
            Made::Copied(_) => (self.path(), None),
        };
        let merged = ground::merge(&self.of, reader, tell).and_then(|merging| {
            let began = match &self.made {
                Made::Over { reader, .. } => Began::Folder(reader.folder().as_fd()),
                Made::Copied(originals) => Began::Copy(originals),
            };
            let changed = Folder::open(&changes)?;
            let merged = merge::merge(&changed, &began, &merging, &merge::How { run, never });
            let named = |kept| Kept { run: run.to_owned(), state: self.of.clone(), ..kept };
            merged.map(named).map_err(|source| RunError::Merge { path: self.of.clone(), source })
        });
        merged.map_err(|error| self.put_aside(&changes, run, error))
    }

    /// Nothing that was to be kept goes with the run.
    fn put_aside(&self, changes: &Utf8Path, run: &str, error: RunError) -> RunError {
        let saved = beside(&self.of, SAVED);
        let name = format!("{}.{run}", self.of.file_name().unwrap_or_default());
        let put = make_own(&saved).and_then(|()| {
            let failed = |source| RunError::State { action: "put aside", path: changes.to_owned(), source };
            std::fs::rename(changes, saved.join(&name)).map_err(failed)
        });
        match put {
            Ok(()) => RunError::NotMerged { saved: saved.join(name), source: Box::new(error) },
            Err(second) => RunError::Both { run: Box::new(error), clean_up: Box::new(second) },
        }
    }

    /// Removes it, with what was done in it.
    pub(super) fn remove(self) -> Result<(), RunError> {
        let ended = match self.made {
            Made::Over { overlay, reader } => {
                drop(overlay);
                ground::ended(&self.of, reader)
            }
            Made::Copied(_) => Ok(()),
        };
        self.claim.remove().and(ended)
    }
}

fn mount(lower: &File, root: &Utf8Path) -> Result<Overlay, RunError> {
    let [upper, work] = [UPPER, WORK].map(|name| root.join(name));
    make_own(&upper)?;
    make_own(&work)?;
    let (upper, work) = (Folder::open(&upper)?, Folder::open(&work)?);
    let target = root.join(COPY);
    let layers = Layers {
        lower: lower.as_fd(),
        upper: upper.descriptor(),
        work: work.descriptor(),
        target: target.as_std_path(),
    };
    Overlay::mount(&layers)
        .map_err(|error| RunError::Overlay { action: error.step.word(), source: error.source })
}

/// Looks how a working copy of a state could be made, by mounting one and taking it away again.
///
/// # Errors
/// When nothing can be made beside the state.
pub fn look_at_state(of: &Utf8Path) -> Result<WorkingCopyFact, RunError> {
    let claim = Claim::new(&beside(of, COPIES))?;
    make_own(&claim.root().join(COPY))?;
    // A plan alone makes no state.
    let place = if of.is_dir() { of.to_owned() } else { claim.root().join("lower") };
    make_own(&place)?;
    let lower = Folder::open(&place)?;
    let lower = lower.descriptor().try_clone_to_owned();
    let mounted = lower
        .map_err(|source| RunError::State { action: "open", path: of.to_owned(), source })
        .and_then(|lower| mount(&File::from(lower), claim.root()).map(drop));
    let no_overlay = mounted.err().map(|error| match &error {
        RunError::Overlay { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    });
    let reflinks = no_overlay.is_some() || ground::is_written(of);
    let reflinks = reflinks && shares_blocks(claim.root());
    let fact = WorkingCopyFact { of: of.to_owned(), no_overlay, reflinks, in_use: ground::is_written(of) };
    claim.remove()?;
    Ok(fact)
}

fn shares_blocks(folder: &Utf8Path) -> bool {
    let try_it = || -> std::io::Result<()> {
        let folder = File::open(folder)?;
        let mode = Mode::RUSR | Mode::WUSR;
        let from = create(folder.as_fd(), Utf8Path::new("one"), mode)?;
        rustix::io::write(&from, b"x")?;
        let to = create(folder.as_fd(), Utf8Path::new("other"), mode)?;
        let from = openat(&folder, "one", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(ioctl_ficlone(&to, &from)?)
    };
    try_it().is_ok()
}
