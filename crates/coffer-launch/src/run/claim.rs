//! A folder of one run under a random name, locked while the run lives. The lock is the proof of life: what stands
//! there without one is left over from a run that was killed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use camino::{Utf8Path, Utf8PathBuf};

use super::RunError;
use super::folder::{make_own, remove, remove_file, sweep};

/// A claimed folder.
#[derive(Debug)]
pub(super) struct Claim {
    root: Utf8PathBuf,
    lock_path: Utf8PathBuf,
    /// Held until the run is over; it closes on exec.
    _lock: File,
}

impl Claim {
    /// Claims a new folder in `all`, and sweeps what dead runs left there.
    pub(super) fn new(all: &Utf8Path) -> Result<Self, RunError> {
        make_own(all)?;
        sweep(all);
        loop {
            let id = random_id()?;
            let lock_path = all.join(format!("{id}.lock"));
            let locked = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&lock_path);
            let lock = locked.map_err(|source| RunError::MakeFolder { path: lock_path.clone(), source })?;
            let claimed = match lock.try_lock() {
                // A sweep may have come between making and locking it; then it is gone, and a new name is due.
                Ok(()) => lock.metadata().is_ok_and(|found| found.nlink() == 1),
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(source)) => return Err(RunError::Lock { path: lock_path, source }),
            };
            if claimed {
                let root = all.join(id);
                make_own(&root)?;
                return Ok(Self { root, lock_path, _lock: lock });
            }
        }
    }

    pub(super) fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Removes it. The sandbox is gone by now; links in what it left are not followed.
    pub(super) fn remove(self) -> Result<(), RunError> {
        remove(&self.root)?;
        remove_file(&self.lock_path)
    }
}

/// Sixteen hex digits.
pub(super) fn random_id() -> Result<String, RunError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| RunError::Random(io::Error::other(error)))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
