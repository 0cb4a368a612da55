//! The staging folder, and the one step after which what is in it is the account's.
//!
//! `adoption/` in the account's folder holds `login`, `state/` and `account.json`. The file `ready` appears in
//! it by rename when all of that is on the disc: that is the decision. What follows are renames (and one small
//! file beside the login), each of which can be done twice, so that it can be brought to its end by anybody.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::sign_in::shape::MAX_LOGIN_BYTES;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, ResolveFlags, openat2, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{Adoption, CLIENT_LOCK_WAIT, CaptureError};
use crate::client_locks::{ClientLocks, Held, Patience, remove_left};
use crate::disk::{Disk, open_folder};
use crate::layout::AccountFolder;
use crate::lock::AccountLock;
use crate::read::{self, Unread};
use crate::record::{AccountRecord, LoginMarker};
use crate::replace::replace;

const STAGE: &str = "adoption";
const LOGIN: &str = "login";
const STATE: &str = "state";
const RECORD: &str = "account.json";
const READY: &str = "ready";
/// Which of the client's locks are ours meanwhile.
const HELD: &str = "held";
/// The login folder's parent, and the folder in it.
const LOGIN_PARENT: &str = "login";
const LOGIN_STORE: &str = "store";
const MARKER: &str = ".coffer-marker";
/// Largest file of our own here, in bytes.
const MAX_BYTES: usize = 64 * 1024;

const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// What was decided.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ready {
    /// The staged state, by its inode: when the account's state is that one, they were exchanged.
    state: Option<u64>,
}

fn failed(action: &'static str, path: impl Into<Utf8PathBuf>) -> impl FnOnce(io::Error) -> CaptureError {
    let path = path.into();
    move |source| CaptureError::Store { action, path, source }
}

/// Opens the account's folder.
pub(super) fn open_root(folder: &AccountFolder) -> Result<OwnedFd, CaptureError> {
    open_folder(folder.root()).map_err(failed("open", folder.root()))
}

fn folder_in(at: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat2(at, path, flags, Mode::empty(), INSIDE)?)
}

/// Makes the folder where it is missing, and opens it; a link is refused.
fn make_in(disk: Disk<'_>, at: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    match disk.make_folder(at, name) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let folder = folder_in(at, name)?;
    rustix::fs::fchmod(&folder, Mode::RWXU)?;
    Ok(folder)
}

/// The account's login folder, made where it is missing.
pub(super) fn login_folder(disk: Disk<'_>, root: BorrowedFd<'_>) -> Result<OwnedFd, CaptureError> {
    let made = make_in(disk, root, LOGIN_PARENT).and_then(|parent| {
        let store = make_in(disk, parent.as_fd(), LOGIN_STORE)?;
        disk.sync(&parent)?;
        disk.sync(root)?;
        Ok(store)
    });
    made.map_err(failed("make", "login/store"))
}

/// What the login folder is known by: the text beside it, which is made where there is none.
pub(super) fn marker(
    disk: Disk<'_>,
    root: BorrowedFd<'_>,
    login: &Utf8Path,
) -> Result<LoginMarker, CaptureError> {
    let path = "login/.coffer-marker";
    let parent = folder_in(root, LOGIN_PARENT).map_err(failed("open", LOGIN_PARENT))?;
    let known = read::file(parent.as_fd(), MARKER, 256).ok();
    let known = known.and_then(|found| String::from_utf8(found.content.to_vec()).ok());
    let id = match known.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) {
        Some(id) => id,
        None => {
            let mut random = [0; 16];
            let drawn = getrandom::fill(&mut random).map_err(io::Error::other);
            drawn.map_err(failed("name", path))?;
            let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
            replace(disk, parent.as_fd(), MARKER, id.as_bytes())?;
            id
        }
    };
    let store = folder_in(parent.as_fd(), LOGIN_STORE).map_err(failed("open", "login/store"))?;
    let found = rustix::fs::fstat(&store).map_err(|errno| failed("look at", "login/store")(errno.into()))?;
    Ok(LoginMarker { path: login.to_owned(), id, uid: found.st_uid, gid: found.st_gid })
}

/// The staging folder.
pub(super) struct Stage<'a> {
    disk: Disk<'a>,
    folder: OwnedFd,
}

impl<'a> Stage<'a> {
    /// A new one; what is left of an older one was removed.
    pub(super) fn make(disk: Disk<'a>, root: BorrowedFd<'_>) -> Result<Self, CaptureError> {
        let made = disk.make_folder(root, STAGE).and_then(|()| folder_in(root, STAGE));
        Ok(Self { disk, folder: made.map_err(failed("make", STAGE))? })
    }

    /// Stages the login.
    pub(super) fn login(&self, content: &[u8]) -> Result<(), CaptureError> {
        self.write(self.folder.as_fd(), LOGIN, content).map_err(failed("write", "adoption/login"))
    }

    fn write(&self, folder: BorrowedFd<'_>, name: &str, content: &[u8]) -> io::Result<()> {
        let file = self.disk.create(folder, name)?;
        let file = self.disk.write(file, content)?;
        self.disk.sync(file)
    }

    /// Makes the folder of the staged state.
    pub(super) fn make_state(&self) -> Result<OwnedFd, CaptureError> {
        let made = self.disk.make_folder(self.folder.as_fd(), STATE);
        made.map_err(failed("make", "adoption/state"))?;
        self.state()
    }

    /// Opens the staged state.
    pub(super) fn state(&self) -> Result<OwnedFd, CaptureError> {
        folder_in(self.folder.as_fd(), STATE).map_err(failed("open", "adoption/state"))
    }

    /// Adds a file to the staged state, unless it has one of this name.
    pub(super) fn add_to_state(
        &self,
        state: BorrowedFd<'_>,
        name: &str,
        content: &[u8],
    ) -> Result<bool, CaptureError> {
        match self.write(state, name, content).and_then(|()| self.disk.sync(state)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed("write", Utf8Path::new("adoption/state").join(name))(error)),
        }
    }
}

/// Makes what is staged the account's, with this record, and a state if one is staged. `seal` is called once no
/// client can change the former login any more.
pub(super) fn commit(
    adoption: &Adoption<'_>,
    lock: &AccountLock,
    root: BorrowedFd<'_>,
    (record, has_state): (&AccountRecord, bool),
    seal: &mut dyn FnMut() -> Result<(), CaptureError>,
) -> Result<(), CaptureError> {
    let disk = adoption.disk;
    let stage = Stage { disk, folder: folder_in(root, STAGE).map_err(failed("open", STAGE))? };
    let text = serde_json::to_vec_pretty(record).map_err(io::Error::from);
    let written = text.and_then(|text| stage.write(stage.folder.as_fd(), RECORD, &text));
    written.map_err(failed("write", "adoption/account.json"))?;
    let state = match has_state {
        true => Some(inode(stage.folder.as_fd(), STATE).map_err(failed("look at", "adoption/state"))?),
        false => None,
    };
    // A client that refreshes the former login would write it over the new one.
    let store_path = adoption.folder.login();
    let patience = Patience { limit: CLIENT_LOCK_WAIT, now_ms: adoption.now_ms };
    let names = &adoption.rules.client_locks;
    let mut write_down = |held: &[Held]| {
        let text = serde_json::to_vec(held).map_err(io::Error::from)?;
        replace(disk, stage.folder.as_fd(), HELD, &text).map_err(io::Error::other)
    };
    let held = ClientLocks::take(disk, &store_path, names, patience, &mut write_down)?;
    seal()?;
    disk.sync(&stage.folder).map_err(failed("sync", STAGE))?;
    let ready = serde_json::to_vec(&Ready { state }).map_err(io::Error::from);
    let ready = ready.map_err(failed("write", "adoption/ready"))?;
    let decided = replace(disk, stage.folder.as_fd(), READY, &ready);
    let decided = decided.map_err(CaptureError::from).and_then(|()| {
        let login = &adoption.rules.login_file;
        finish(disk, lock, root, login)
    });
    // Only then may go what says that they are ours.
    drop(held);
    let Err(error) = decided else {
        // What is left is the former state; the next adoption removes what stays of it.
        drop(remove_stage(disk, root));
        return Ok(());
    };
    // Nothing of it may have been done yet: then the decision is taken back.
    if !has_begun(root, &adoption.rules.login_file) && take_back(disk, root).is_ok() {
        return Err(error);
    }
    Err(CaptureError::Unfinished { source: Box::new(error) })
}

/// Whether the login has been exchanged: the first of the steps after the decision.
fn has_begun(root: BorrowedFd<'_>, login_file: &str) -> bool {
    let staged = folder_in(root, STAGE).map(|stage| read::file(stage.as_fd(), LOGIN, MAX_LOGIN_BYTES));
    let present =
        folder_in(root, "login/store").map(|store| read::file(store.as_fd(), login_file, MAX_LOGIN_BYTES));
    match (staged, present) {
        (Ok(Ok(staged)), Ok(Ok(present))) => staged.content == present.content,
        (Ok(Ok(_)), Ok(Err(Unread::Missing))) => false,
        _ => true,
    }
}

fn take_back(disk: Disk<'_>, root: BorrowedFd<'_>) -> io::Result<()> {
    let stage = folder_in(root, STAGE)?;
    disk.remove(stage.as_fd(), READY, AtFlags::empty())?;
    disk.sync(&stage)
}

/// Brings an adoption to its end that was decided and cut off; one that was not decided is removed. To be
/// called under the account's lock by whoever works on the login.
///
/// # Errors
/// When it cannot be brought to its end now.
pub fn recover(
    disk: Disk<'_>,
    lock: &AccountLock,
    folder: &AccountFolder,
    login_file: &str,
) -> Result<(), CaptureError> {
    recover_in(disk, lock, &open_root(folder)?, login_file)
}

pub(super) fn recover_in(
    disk: Disk<'_>,
    lock: &AccountLock,
    root: &OwnedFd,
    login_file: &str,
) -> Result<(), CaptureError> {
    let stage = match folder_in(root.as_fd(), STAGE) {
        Ok(stage) => stage,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("open", STAGE)(error)),
    };
    let held = read::file(stage.as_fd(), HELD, MAX_BYTES).ok();
    let held = held.and_then(|found| serde_json::from_slice::<Vec<Held>>(&found.content).ok());
    // Whoever held them is dead: the account's lock is ours.
    remove_left(disk, &held.unwrap_or_default());
    match read::file(stage.as_fd(), READY, MAX_BYTES) {
        Ok(_) => {
            finish(disk, lock, root.as_fd(), login_file)?;
            remove_stage(disk, root.as_fd())
        }
        Err(Unread::Missing) => remove_stage(disk, root.as_fd()),
        Err(unread) => Err(failed("read", "adoption/ready")(io::Error::other(unread.to_string()))),
    }
}

/// The steps after the decision; each can be done again.
fn finish(
    disk: Disk<'_>,
    _lock: &AccountLock,
    root: BorrowedFd<'_>,
    login_file: &str,
) -> Result<(), CaptureError> {
    let stage = folder_in(root, STAGE).map_err(failed("open", STAGE))?;
    let read_own = |name: &str, limit| {
        let unread = |unread: Unread| {
            failed("read", Utf8Path::new(STAGE).join(name))(io::Error::other(unread.to_string()))
        };
        read::file(stage.as_fd(), name, limit).map_err(unread)
    };
    let ready = read_own(READY, MAX_BYTES)?;
    let ready: Ready = serde_json::from_slice(&ready.content)
        .map_err(|error| failed("read", "adoption/ready")(error.into()))?;
    let login = read_own(LOGIN, MAX_LOGIN_BYTES)?;
    let store = login_folder(disk, root)?;
    let present = read::file(store.as_fd(), login_file, MAX_LOGIN_BYTES).ok();
    if present.is_none_or(|present| present.content != login.content) {
        replace(disk, store.as_fd(), login_file, &login.content)?;
    }
    if let Some(state) = ready.state {
        exchange_state(disk, root, state).map_err(failed("exchange", STATE))?;
    }
    if statat(stage.as_fd(), RECORD, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        let renamed = disk.rename(root, "adoption/account.json", RECORD);
        renamed.map_err(failed("replace", RECORD))?;
    }
    disk.sync(root).map_err(failed("sync", "."))?;
    take_back(disk, root).map_err(failed("end", "adoption/ready"))
}

fn inode(at: BorrowedFd<'_>, name: &str) -> io::Result<u64> {
    Ok(statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?.st_ino)
}

/// Makes the staged state the account's; the former one is where the staged one was.
fn exchange_state(disk: Disk<'_>, root: BorrowedFd<'_>, staged: u64) -> io::Result<()> {
    let (from, aside) = ("adoption/state", "adoption/former");
    match inode(root, STATE) {
        Ok(present) if present == staged => return Ok(()),
        Ok(_) => match disk.rename_with(root, from, STATE, RenameFlags::EXCHANGE) {
            // Some file systems cannot: then the former state goes first.
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                disk.rename(root, STATE, aside)?;
            }
            done => return done.and_then(|()| disk.sync(root)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    disk.rename(root, from, STATE)?;
    disk.sync(root)
}

/// Removes what was staged and not decided.
pub(super) fn discard(disk: Disk<'_>, folder: &AccountFolder) {
    if let Ok(root) = open_root(folder) {
        // The next adoption tries again.
        drop(remove_stage(disk, root.as_fd()));
    }
}

/// The staging folder is in a folder where no agent can write; what it holds is plain files of ours.
fn remove_stage(disk: Disk<'_>, root: BorrowedFd<'_>) -> Result<(), CaptureError> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}/{STAGE}", root.as_raw_fd());
    match disk.ask("remove").and_then(|()| std::fs::remove_dir_all(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", STAGE)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
