//! Our lock of an account: one owner per login, over all processes, sandboxes and namespaces.
//!
//! It is an `flock` on a file that is never removed, so it ends with its last holder, however that ends. The
//! genuine client inherits the descriptor while it refreshes: when the keeper is killed, the lock stays until
//! the client has ended, and nobody else begins a refresh meanwhile. For that reason it is never unlocked,
//! only closed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use crate::process::Process;

#[cfg(test)]
mod tests;

/// Why an account could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The lock cannot be opened or taken.
    #[error("cannot {action} the lock `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody held it all the time.
    #[error("the account is locked by {owner}")]
    Busy {
        /// The file.
        path: Utf8PathBuf,
        /// Who, in words.
        owner: String,
    },
}

/// The lock, held. It is an argument of whatever may only be done under it.
#[derive(Debug)]
pub struct AccountLock(File);

impl AccountLock {
    /// Takes the lock; waits up to `limit` for its holder.
    ///
    /// # Errors
    /// When it cannot be opened, or is held all the time.
    pub fn take(path: &Utf8Path, limit: Duration) -> Result<Self, LockError> {
        let deadline = Instant::now() + limit;
        let mut file = open(path, Folder::Made)?;
        loop {
            file = Self::wait(path, file, deadline.saturating_duration_since(Instant::now()))?;
            if is_named(path, &file)? {
                return Ok(Self::held(file));
            }
            file = open(path, Folder::AsItIs)?;
        }
    }

    /// Waits for the lock of a file that is open.
    fn wait(path: &Utf8Path, file: File, limit: Duration) -> Result<File, LockError> {
        let failed = |action| move |source| LockError::Io { action, path: path.to_owned(), source };
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(failed("take")(source)),
        }
        let (sender, taken) = mpsc::channel();
        let waiter = std::thread::Builder::new().name("account-lock".to_owned()).spawn(move || {
            let locked = file.lock();
            // Nobody waits any more: the file is closed right here, and with it the lock.
            let _ = sender.send(locked.map(|()| file));
        });
        drop(waiter.map_err(failed("wait for"))?);
        match taken.recv_timeout(limit) {
            Ok(Ok(file)) => Ok(file),
            Ok(Err(source)) => Err(failed("take")(source)),
            Err(mpsc::RecvTimeoutError::Timeout | mpsc::RecvTimeoutError::Disconnected) => {
                Err(LockError::Busy { path: path.to_owned(), owner: owner(path) })
            }
        }
    }

    /// Takes the lock if nobody holds it.
    ///
    /// # Errors
    /// When it cannot be opened, or is held.
    pub fn try_take(path: &Utf8Path) -> Result<Self, LockError> {
        let mut file = open(path, Folder::Made)?;
        loop {
            match file.try_lock() {
                Ok(()) if is_named(path, &file)? => return Ok(Self::held(file)),
                Ok(()) => file = open(path, Folder::AsItIs)?,
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Busy { path: path.to_owned(), owner: owner(path) });
                }
                Err(TryLockError::Error(source)) => {
                    return Err(LockError::Io { action: "take", path: path.to_owned(), source });
                }
            }
        }
    }

    fn held(mut file: File) -> Self {
        // Only for people: the lock itself holds without it.
        if let Some(text) = Process::own().and_then(|own| serde_json::to_string(&own).ok()) {
            let _ =
                file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
        }
        Self(file)
    }

    /// A second descriptor of the same lock, for a child to inherit: it is held until both are closed.
    ///
    /// # Errors
    /// As `dup(2)`.
    pub fn share(&self) -> io::Result<OwnedFd> {
        self.0.as_fd().try_clone_to_owned()
    }
}

impl AsFd for AccountLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether the path still names the file that was locked: an account may have been renamed or removed while
/// its lock was waited for, and what stands under its name then has a lock of its own.
fn is_named(path: &Utf8Path, file: &File) -> Result<bool, LockError> {
    let failed = |source| LockError::Io { action: "look at", path: path.to_owned(), source };
    let own = file.metadata().map_err(failed)?;
    match path.symlink_metadata() {
        Ok(named) => Ok((named.dev(), named.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// What becomes of the lock's folder where it is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Folder {
    /// It is made (0700).
    Made,
    /// It stays missing: its account is gone.
    AsItIs,
}

/// Opens the lock file.
fn open(path: &Utf8Path, folder: Folder) -> Result<File, LockError> {
    let failed = |source| LockError::Io { action: "open", path: path.to_owned(), source };
    if folder == Folder::Made {
        let folder = path.parent().unwrap_or(Utf8Path::new("/"));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
    let flags = i32::from_ne_bytes(flags.to_ne_bytes());
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
    let file = options.open(path).map_err(failed)?;
    let kind = file.metadata().map_err(failed)?.file_type();
    if kind.is_fifo() || !kind.is_file() {
        return Err(failed(io::Error::other("it is no plain file")));
    }
    Ok(file)
}

/// Who holds it, in words.
fn owner(path: &Utf8Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(4096).read_to_string(&mut text));
    match read.ok().and_then(|_| serde_json::from_str::<Process>(&text).ok()) {
        Some(process) => format!("process {} (or the client that it started)", process.pid),
        None => "another process".to_owned(),
    }
}
