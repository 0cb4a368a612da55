//! The genuine client's own locks, honoured and taken in its own order.
//!
//! They are folders, made with `mkdir` (measured, 2.1.330): `.oauth_refresh.lock` in the login folder with a
//! side file `.oauth_refresh.lock.owner`, then the login folder's sibling `<folder>.lock`, then
//! `.storage-write.lock` for the write itself. Older versions know the sibling only. Which there are is in
//! the agent's data file.
//!
//! We hold them for as long as one small file takes to be read and replaced, never while the client works.
//! Ours are made under another name, written down (device and inode), and renamed into place: so the next
//! keeper knows for sure which ones a killed one has left ([`remove_left`]).
//!
//! One that somebody else left is removed only when its owner is proven dead, or when the client itself would
//! break it: it is older than a minute, and did not change while we looked. A lock from the future is never
//! broken by the client and stops it for ever; it goes when it did not change while we looked.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, StatxFlags, openat, statx};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::disk::{Disk, open_folder};
use crate::process::{Life, life, own_namespace};

#[cfg(test)]
mod tests;

/// From this age on the client breaks a lock itself (measured: about 60 s).
const OLD_MS: i64 = 60_000;
/// What the login folder's name stands for in a lock's name.
const FOLDER: &str = "${folder}";
/// What the names have under which ours are made.
const MARK: &str = ".coffer-";
/// Largest side file that is read, in bytes.
const MAX_OWNER_BYTES: usize = 4096;

/// Why the client's locks could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum ClientLockError {
    /// The operating system refused.
    #[error("cannot {action} the client's lock `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The lock.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A client holds it.
    #[error("a client holds its lock `{path}`")]
    Busy {
        /// The lock.
        path: Utf8PathBuf,
    },
}

/// A lock that was removed, and how its owner is known to be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// The lock.
    pub path: Utf8PathBuf,
    /// The proof, in words.
    pub proof: String,
}

/// A lock of ours, known for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Where it is when it is held.
    pub path: Utf8PathBuf,
    /// Where it is made.
    pub made: Utf8PathBuf,
    /// Device number.
    pub dev: (u32, u32),
    /// Inode number.
    pub ino: u64,
    /// When it was made, Unix ms, where the file system tells.
    pub born_ms: Option<i64>,
}

/// Writes down which locks are about to be held; they are taken when it returns well.
pub type WriteDown<'a> = &'a mut dyn FnMut(&[Held]) -> io::Result<()>;

/// How locks are taken.
#[derive(Clone, Copy)]
pub struct Patience<'a> {
    /// How long each is waited for.
    pub limit: Duration,
    /// The wall clock, Unix ms.
    pub now_ms: &'a dyn Fn() -> i64,
}

/// The locks, held; they go when this is dropped.
#[derive(Debug)]
pub struct ClientLocks<'a> {
    disk: Disk<'a>,
    folder: OwnedFd,
    parent: OwnedFd,
    /// Made, and not yet in place.
    made: Vec<Name>,
    taken: Vec<Name>,
    /// What had to be removed on the way.
    pub swept: Vec<Swept>,
}

#[derive(Debug, Clone)]
struct Name {
    name: String,
    /// The name under which ours is made.
    made: String,
    /// In the login folder's parent; else in the login folder.
    beside: bool,
    path: Utf8PathBuf,
}

impl<'a> ClientLocks<'a> {
    /// Takes the locks `names` of a login folder, in order.
    ///
    /// # Errors
    /// When a client holds one all the time, or the file system refuses. None is held then.
    pub fn take(
        disk: Disk<'a>,
        login_folder: &Utf8Path,
        names: &[String],
        patience: Patience<'_>,
        write_down: WriteDown<'_>,
    ) -> Result<Self, ClientLockError> {
        let parent_path = login_folder.parent().unwrap_or(Utf8Path::new("/"));
        let open = |path: &Utf8Path| {
            let failed = |source| ClientLockError::Io { action: "reach", path: path.to_owned(), source };
            open_folder(path).map_err(failed)
        };
        let mut locks = Self {
            disk,
            folder: open(login_folder)?,
            parent: open(parent_path)?,
            made: Vec::new(),
            taken: Vec::new(),
            swept: Vec::new(),
        };
        for name in names {
            let (name, folder, beside) = match name.strip_prefix(FOLDER) {
                Some(suffix) => {
                    (format!("{}{suffix}", login_folder.file_name().unwrap_or_default()), parent_path, true)
                }
                None => (name.clone(), login_folder, false),
            };
            let name = Name { path: folder.join(&name), made: made_name(&name)?, name, beside };
            locks.make(name)?;
        }
        let held: Vec<Held> = locks.made.iter().map(|name| locks.known(name)).collect::<Result<_, _>>()?;
        write_down(&held).map_err(|source| ClientLockError::Io {
            action: "write down",
            path: login_folder.to_owned(),
            source,
        })?;
        while let Some(name) = locks.made.first().cloned() {
            locks.take_one(&name, patience)?;
        }
        Ok(locks)
    }

    /// Gives the locks back.
    ///
    /// # Errors
    /// When one cannot be removed: no client may be started then, it would wait for us.
    pub fn release(mut self) -> Result<(), ClientLockError> {
        while let Some(name) = self.taken.last() {
            let removed = self.disk.remove(self.holder(name), &name.name, AtFlags::REMOVEDIR);
            removed.map_err(|source| {
                let path = name.path.clone();
                ClientLockError::Io { action: "give back", path, source }
            })?;
            self.taken.pop();
        }
        Ok(())
    }

    fn make(&mut self, name: Name) -> Result<(), ClientLockError> {
        let made = self.disk.make_folder(self.holder(&name), &name.made);
        made.map_err(|source| ClientLockError::Io { action: "make", path: name.path.clone(), source })?;
        self.made.push(name);
        Ok(())
    }

    fn known(&self, name: &Name) -> Result<Held, ClientLockError> {
        let folder = name.path.parent().unwrap_or(Utf8Path::new("/"));
        let failed = |source| ClientLockError::Io { action: "look at", path: name.path.clone(), source };
        let found = stat(self.holder(name), &name.made).map_err(|error| failed(error.into()))?;
        Ok(Held {
            path: name.path.clone(),
            made: folder.join(&name.made),
            dev: found.dev,
            ino: found.ino,
            born_ms: found.born_ms,
        })
    }

    fn holder(&self, name: &Name) -> BorrowedFd<'_> {
        if name.beside { self.parent.as_fd() } else { self.folder.as_fd() }
    }

    /// Renames ours into place, when nobody else's is there any more.
    fn take_one(&mut self, name: &Name, patience: Patience<'_>) -> Result<(), ClientLockError> {
        let failed = |action| {
            let path = name.path.clone();
            move |source| ClientLockError::Io { action, path, source }
        };
        let deadline = Instant::now() + patience.limit;
        let mut watch: Option<OwnedFd> = None;
        let mut first_look: Option<Look> = None;
        loop {
            let flags = RenameFlags::NOREPLACE;
            match self.disk.rename_with(self.holder(name), &name.made, &name.name, flags) {
                Ok(()) => {
                    self.taken.push(self.made.remove(0));
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("take")(error)),
            }
            // Watched before it is looked at: what happens in between is an event.
            if watch.is_none() {
                watch = Some(self.watch(name).map_err(failed("watch"))?);
            }
            let Some(look) = self.look(name).map_err(failed("look at"))? else { continue };
            let waited = Instant::now() >= deadline;
            let unchanged = first_look.as_ref() == Some(&look);
            let by_age = || waited.then(|| gone_by_age(&look, unchanged, (patience.now_ms)())).flatten();
            if let Some(proof) = self.dead(&look).or_else(by_age) {
                self.remove(name).map_err(failed("remove"))?;
                self.swept.push(Swept { path: name.path.clone(), proof });
                continue;
            }
            if waited {
                return Err(ClientLockError::Busy { path: name.path.clone() });
            }
            first_look.get_or_insert(look);
            if let Some(watch) = &watch {
                wait(watch, deadline).map_err(failed("wait for"))?;
            }
        }
    }

    fn watch(&self, name: &Name) -> io::Result<OwnedFd> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let folder = name.path.parent().unwrap_or(Utf8Path::new("/"));
        let events = WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::ATTRIB;
        inotify::add_watch(&inotify, folder.as_std_path(), events)?;
        Ok(inotify)
    }

    /// What stands there; `None` when it is gone by now.
    fn look(&self, name: &Name) -> io::Result<Option<Look>> {
        match stat(self.holder(name), &name.name) {
            Ok(found) => Ok(Some(Look { found, owner: self.owner(name) })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What the side file of any of the locks says.
    fn owner(&self, name: &Name) -> Option<Owner> {
        let inside = format!("{}.owner", name.name);
        // The owner of the first lock tells about the sibling, too.
        for side in [inside.as_str(), ".oauth_refresh.lock.owner"] {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let Ok(file) = openat(self.folder.as_fd(), side, flags, Mode::empty()) else { continue };
            let mut text = vec![0; MAX_OWNER_BYTES];
            let Ok(length) = rustix::io::read(&file, &mut text) else { continue };
            if let Ok(owner) = serde_json::from_slice(&text[..length]) {
                return Some(owner);
            }
        }
        None
    }

    /// The proof that the owner is dead, if there is one.
    fn dead(&self, look: &Look) -> Option<String> {
        let owner = look.owner.as_ref()?;
        let born = look.found.born_ms?;
        let same = |told: Option<f64>| told.is_some_and(|told| (told - born as f64).abs() < 2.0);
        // The side file outlives its lock: it speaks of this one only if both were born together.
        // The lock of the write itself is not in the side file. Who refreshes takes it under the other two, and
        // those are ours by now; the side file goes when its client gives them back, so this one was killed.
        let under_others =
            self.taken.len() >= 2 && owner.lock_birthtime_ms.is_some_and(|told| told <= born as f64 + 1.0);
        if !same(owner.lock_birthtime_ms) && !same(owner.legacy_lock_birthtime_ms) && !under_others {
            return None;
        }
        let machine = std::fs::read_to_string("/etc/machine-id").ok()?;
        let here = format!("linux:{}:{}", machine.trim(), own_namespace()?);
        if owner.pid_domain != here {
            return None;
        }
        match life(owner.pid, owner.proc_start.parse().ok()?) {
            Life::Dead => Some(format!("process {} of this pid namespace has ended", owner.pid)),
            Life::Alive | Life::Unknown => None,
        }
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        match self.disk.remove(self.holder(name), &name.name, AtFlags::REMOVEDIR) {
            Err(error) if error.raw_os_error() == Some(Errno::NOTDIR.raw_os_error()) => {
                self.disk.remove(self.holder(name), &name.name, AtFlags::empty())
            }
            other => other,
        }
    }
}

impl Drop for ClientLocks<'_> {
    fn drop(&mut self) {
        // One that cannot be removed is old in a minute, and then the client breaks it.
        while let Some(name) = self.taken.pop() {
            let _ = self.disk.remove(self.holder(&name), &name.name, AtFlags::REMOVEDIR);
        }
        while let Some(name) = self.made.pop() {
            let _ = self.disk.remove(self.holder(&name), &name.made, AtFlags::REMOVEDIR);
        }
    }
}

/// What a lock looked like.
#[derive(Debug, Clone, PartialEq)]
struct Look {
    found: Found,
    owner: Option<Owner>,
}

#[derive(Debug, Clone, PartialEq)]
struct Found {
    dev: (u32, u32),
    ino: u64,
    born_ms: Option<i64>,
    changed_ms: i64,
}

fn stat(folder: BorrowedFd<'_>, name: &str) -> Result<Found, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let found = statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, wanted)?;
    let milliseconds = |time: &rustix::fs::StatxTimestamp| {
        time.tv_sec.saturating_mul(1000).saturating_add(i64::from(time.tv_nsec) / 1_000_000)
    };
    let has_birth = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    Ok(Found {
        dev: (found.stx_dev_major, found.stx_dev_minor),
        ino: found.stx_ino,
        born_ms: has_birth.then(|| milliseconds(&found.stx_btime)),
        changed_ms: milliseconds(&found.stx_mtime),
    })
}

fn made_name(name: &str) -> Result<String, ClientLockError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| ClientLockError::Io {
        action: "name",
        path: name.into(),
        source: io::Error::other(error),
    })?;
    Ok(format!("{name}{MARK}{:016x}", u64::from_le_bytes(random)))
}

/// Removes locks of ours that a killed keeper has made and not even written down. To be called under the
/// account's lock.
pub fn sweep(disk: Disk<'_>, login_folder: &Utf8Path, names: &[String]) {
    let parent = login_folder.parent().unwrap_or(Utf8Path::new("/"));
    for name in names {
        let (folder, prefix) = match name.strip_prefix(FOLDER) {
            Some(suffix) => {
                (parent, format!("{}{suffix}{MARK}", login_folder.file_name().unwrap_or_default()))
            }
            None => (login_folder, format!("{name}{MARK}")),
        };
        let Ok(opened) = open_folder(folder) else { continue };
        let Ok(entries) = rustix::fs::Dir::read_from(&opened) else { continue };
        for entry in entries.flatten() {
            if let Ok(left) = entry.file_name().to_str()
                && left.starts_with(&prefix)
            {
                // It hinders nobody where it is.
                let _ = disk.remove(opened.as_fd(), left, AtFlags::REMOVEDIR);
            }
        }
    }
}

/// Removes the locks of ours that a killed keeper has left, in place or not. To be called under the
/// account's lock: the one who made them is gone then.
pub fn remove_left(disk: Disk<'_>, held: &[Held]) {
    for lock in held {
        let ours = |path: &Utf8Path| {
            stat(CWD, path.as_str()).is_ok_and(|found| {
                (found.dev, found.ino, found.born_ms) == (lock.dev, lock.ino, lock.born_ms)
            })
        };
        for path in [&lock.path, &lock.made] {
            if ours(path) {
                // What cannot be removed is old in a minute, and then every client breaks it.
                let _ = disk.remove(CWD, path.as_str(), AtFlags::REMOVEDIR);
            }
        }
    }
}

/// The client's side file (2.1.330); it stays when the lock goes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    pid: i32,
    /// Field 22 of `/proc/PID/stat`, as text.
    proc_start: String,
    /// `linux:MACHINE-ID:pid:[INODE]`.
    pid_domain: String,
    lock_birthtime_ms: Option<f64>,
    legacy_lock_birthtime_ms: Option<f64>,
}

/// Whether the client itself would break it, or never could.
fn gone_by_age(look: &Look, unchanged: bool, now_ms: i64) -> Option<String> {
    if !unchanged {
        return None;
    }
    match now_ms.saturating_sub(look.found.changed_ms) {
        age if age > OLD_MS => {
            Some(format!("it is {} s old, and the client breaks those itself", age / 1000))
        }
        age if age < -OLD_MS => Some("it is dated in the future and does not change".to_owned()),
        _ => None,
    }
}

/// Waits for an event, or until the deadline.
fn wait(watch: &OwnedFd, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).ok();
    let mut fds = [PollFd::new(watch, PollFlags::IN)];
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut events = [0; 4096];
    // What happened does not matter: it is looked at again.
    while matches!(rustix::io::read(watch, &mut events), Ok(count) if count > 0) {}
    Ok(())
}
