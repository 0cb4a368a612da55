//! What `--fix` can do: small things, on our own files only, that can be undone by hand.

use std::io;
use std::time::Duration;

use camino::Utf8PathBuf;
use coffer_account::client_locks::{ClientLocks, Patience, Swept};
use coffer_account::disk::Disk;
use coffer_account::lock::AccountLock;
use coffer_launch::launch::quote;
use coffer_ledger::{Event, Ledger};
use rustix::fs::{FileType, Mode, OFlags, fchmod, fstat, open};

/// How long a lock is waited for, and watched for a change.
const PATIENCE: Duration = Duration::from_secs(3);

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
    /// A lock of the agent's whose owner is gone goes, as the keeper would do it.
    Unlock(Box<Unlock>),
}

/// An abandoned lock, and what is needed to remove it rightly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unlock {
    /// The lock.
    pub(super) path: Utf8PathBuf,
    /// The login folder that it is about.
    pub(super) folder: Utf8PathBuf,
    /// The agent's locks of it, in the agent's order.
    pub(super) names: Vec<String>,
    /// The account's own lock.
    pub(super) account: Utf8PathBuf,
    /// The folder of the ledger.
    pub(super) ledger: Utf8PathBuf,
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
            Self::Unlock(unlock) => {
                format!("`rmdir {}`, if nobody holds it any more", quote(unlock.path.as_str()))
            }
        }
    }

    /// Applies it, or says what could not be changed and why.
    pub(crate) fn apply(&self) -> Result<(), (Utf8PathBuf, io::Error)> {
        match self {
            Self::Close { path, mode, was: _ } => close(path, *mode).map_err(|error| (path.clone(), error)),
            Self::Unlock(unlock) => unlock.apply().map_err(|error| (unlock.path.clone(), error)),
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

impl Unlock {
    /// Takes the agent's locks as the keeper does, which removes those whose owner is proven dead and those that
    /// the agent itself would break; writes that down, and gives them back.
    fn apply(&self) -> io::Result<()> {
        let _account = AccountLock::take(&self.account, PATIENCE).map_err(io::Error::other)?;
        let patience = Patience { limit: PATIENCE, now_ms: &coffer_host::now_ms };
        // Killed in between, ours are old in a minute, and then every client breaks them.
        let taken = ClientLocks::take(Disk::real(), &self.folder, &self.names, patience, &mut |_| Ok(()));
        let locks = taken.map_err(io::Error::other)?;
        let swept = locks.swept.clone();
        locks.release().map_err(io::Error::other)?;
        let ledger = Ledger::new(&self.ledger);
        for Swept { path, proof } in swept {
            let at = jiff::Timestamp::from_millisecond(coffer_host::now_ms()).map_err(io::Error::other)?;
            ledger.append(at, Event::LockSwept { path, proof }).map_err(io::Error::other)?;
        }
        Ok(())
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
