//! Accounts: added, listed, renamed, removed. An account is there as a whole or not at all: it is put together
//! under a name that no account can have, and renamed.

mod error;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::copies::{Copies, Why};
use crate::disk::open_folder;
use crate::layout::{self, AccountFolder, AccountName};
use crate::lock::AccountLock;
use crate::private;
use crate::record::{AccountRecord, LoginMarker, RECORD_SCHEMA};
use crate::seal::{Opener, Seal};
use crate::secret::Secret;

pub use error::AccountsError;

/// The file beside the login folder by which it is known again.
pub const MARKER: &str = ".coffer-marker";
/// Largest login file that is sealed at a removal.
const MAX_LOGIN: usize = coffer_plan::sign_in::shape::MAX_LOGIN_BYTES;
/// Largest record and sealed secret, in bytes.
const MAX_FILE: usize = 256 * 1024;
/// How long whoever works on an account is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// What is kept of removed accounts, below the data folder.
const REMOVED: &str = "removed";
/// What half-made and half-removed accounts are called; no account's name begins like that.
const PARTIAL: &str = ".part-";

/// An account of the list.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub name: AccountName,
    /// What it is; or why that cannot be said.
    pub record: Result<AccountRecord, AccountsError>,
}

/// How an account is removed.
#[derive(Debug, Clone, Copy)]
pub struct Removal<'a> {
    /// Nothing of it is kept.
    pub purge: bool,
    /// The login file's name.
    pub login_file: &'a str,
    /// The live runs that use it.
    pub runs: &'a [String],
    /// The wall clock, Unix ms.
    pub now_ms: i64,
}

/// All accounts below Cofferdam's data folder.
#[derive(Debug, Clone)]
pub struct Accounts {
    data: Utf8PathBuf,
}

impl Accounts {
    /// Below this data folder.
    pub fn of(data: &Utf8Path) -> Self {
        Self { data: data.to_owned() }
    }

    /// The named accounts, in the order of their names; `host` is not among them.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, AccountsError> {
        let root = layout::accounts(&self.data);
        let failed = |source| AccountsError::Io { action: "read", path: root.clone(), source };
        let entries = match root.read_dir_utf8() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().parse::<AccountName>() else { continue };
            if name.is_host() {
                continue;
            }
            // A folder without a record is no account.
            if let Some(record) = self.record(&name).transpose() {
                listed.push(Listed { name, record });
            }
        }
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }

    /// The folder of an account.
    pub fn folder(&self, name: &AccountName) -> AccountFolder {
        AccountFolder::new(&self.data, name)
    }

    /// The record of an account; `None` when there is no such account.
    ///
    /// # Errors
    /// When it does not read, or a newer coffer wrote it.
    pub fn record(&self, name: &AccountName) -> Result<Option<AccountRecord>, AccountsError> {
        let folder = self.folder(name);
        let path = folder.record();
        let found = private::read(folder.root(), file_name(&path), MAX_FILE)
            .map_err(|unread| AccountsError::Read { path: path.clone(), reason: unread.to_string() })?;
        let Some(bytes) = found else { return Ok(None) };
        let broken = |error: serde_json::Error| AccountsError::Broken {
            path: path.clone(),
            reason: format!("line {}, column {}", error.line(), error.column()),
        };
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(broken)?;
        if value.get("schema").and_then(serde_json::Value::as_u64) != Some(RECORD_SCHEMA.into()) {
            return Err(AccountsError::Newer { path: path.clone() });
        }
        let mut record: AccountRecord = serde_json::from_value(value).map_err(|error| {
            if error.to_string().starts_with("unknown field") {
                AccountsError::Newer { path: path.clone() }
            } else {
                AccountsError::Broken {
                    path: path.clone(),
                    reason: "a key is missing or of another kind".to_owned(),
                }
            }
        })?;
        // A rename that was cut short: the folder's name is what counts.
        record.name = name.clone();
        Ok(Some(record))
    }

    /// The record of an account that has to be there.
    ///
    /// # Errors
    /// As [`Accounts::record`], and when there is no such account.
    pub fn existing(&self, name: &AccountName) -> Result<AccountRecord, AccountsError> {
        self.record(name)?.ok_or_else(|| AccountsError::Unknown { name: name.clone() })
    }

    /// Adds an account. Its marker is made here.
    ///
    /// # Errors
    /// When there is one of this name, or it cannot be written; nothing of it is there then.
    pub fn add(&self, record: &AccountRecord, secret: Option<&Secret>) -> Result<(), AccountsError> {
        if record.name.is_host() {
            return Err(AccountsError::Host { action: "added" });
        }
        let root = layout::accounts(&self.data);
        private::folder(&root).map_err(io_failed("make", &root))?;
        let _turn = self.turn()?;
        let folder = self.folder(&record.name);
        if self.record(&record.name)?.is_some() {
            return Err(AccountsError::Exists { name: record.name.clone() });
        }
        let sealed =
            secret.map(|secret| Seal::open_or_make(&self.data)?.seal(secret.expose())).transpose()?;
        let part = root.join(format!("{PARTIAL}{}", random()?));
        let _empty = self.clear_the_way(&folder, &root)?;
        let made = make(&part, &folder, record, sealed.as_deref()).and_then(|()| {
            put(&part, folder.root())?;
            private::sync(&root).map_err(io_failed("sync", &root))
        });
        if made.is_err() {
            // What is left of it is no account; the next change of any account sweeps it.
            let _ = std::fs::remove_dir_all(&part);
        }
        made
    }

    /// Writes the record of an account anew.
    ///
    /// # Errors
    /// When a newer coffer wrote the present one, or it cannot be written.
    pub fn update(&self, _lock: &AccountLock, record: &AccountRecord) -> Result<(), AccountsError> {
        self.existing(&record.name)?;
        write_record(self.folder(&record.name).root(), record)
    }

    /// The account's lock.
    ///
    /// # Errors
    /// When somebody works on the account all the time.
    pub fn lock(&self, name: &AccountName) -> Result<AccountLock, AccountsError> {
        Ok(AccountLock::take(&self.folder(name).lock(), LOCK_WAIT)?)
    }

    /// Renames an account, with its shared state; `runs` are the live ones that use it.
    ///
    /// # Errors
    /// When it is in use, or the new name is, or it cannot be renamed.
    pub fn rename(&self, old: &AccountName, new: &AccountName, runs: &[String]) -> Result<(), AccountsError> {
        if old.is_host() || new.is_host() {
            return Err(AccountsError::Host { action: "renamed" });
        }
        let mut record = self.existing(old)?;
        unused(old, runs)?;
        let _turn = self.turn()?;
        let lock = self.lock(old)?;
        let (from, to) = (self.folder(old), self.folder(new));
        put(from.root(), to.root()).map_err(|error| match error {
            AccountsError::InTheWay { .. } => AccountsError::Exists { name: new.clone() },
            other => other,
        })?;
        let root = layout::accounts(&self.data);
        private::sync(&root).map_err(io_failed("sync", &root))?;
        record.name = new.clone();
        if let Some(marker) = &mut record.marker
            && marker.path == from.login()
        {
            marker.path = to.login();
        }
        self.update(&lock, &record)?;
        let (state, renamed) = (self.shared_state(&record.agent, old), self.shared_state(&record.agent, new));
        if state.is_dir() { put(&state, &renamed) } else { Ok(()) }
    }

    /// Removes an account and its shared state. Unless `purge` is said, what it needs to be had again is kept,
    /// sealed, and this says in which folder.
    ///
    /// # Errors
    /// When it is in use, or cannot be removed or kept.
    pub fn remove(
        &self,
        name: &AccountName,
        how: &Removal<'_>,
    ) -> Result<Option<Utf8PathBuf>, AccountsError> {
        let Removal { purge, login_file, runs, now_ms } = *how;
        if name.is_host() {
            return Err(AccountsError::Host { action: "removed" });
        }
        let record = self.existing(name)?;
        unused(name, runs)?;
        let _turn = self.turn()?;
        let _lock = self.lock(name)?;
        let folder = self.folder(name);
        let root = layout::accounts(&self.data);
        let mut kept = None;
        if purge {
            let part = root.join(format!("{PARTIAL}{}", random()?));
            put(folder.root(), &part)?;
            private::sync(&root).map_err(io_failed("sync", &root))?;
            forget(&AccountFolder::at(part.clone()));
            std::fs::remove_dir_all(&part).map_err(io_failed("remove", &part))?;
        } else {
            self.seal_login(&folder, login_file, now_ms)?;
            let removed = self.data.join(REMOVED);
            private::folder(&removed).map_err(io_failed("make", &removed))?;
            // In one step: whenever we are cut off, either the account is there or what is kept of it.
            let place = removed.join(format!("{name}-{now_ms}"));
            put(folder.root(), &place)?;
            for folder in [&root, &removed] {
                private::sync(folder).map_err(io_failed("sync", folder))?;
            }
            thin(&place).map_err(io_failed("clear", &place))?;
            kept = Some(place);
        }
        let state = self.shared_state(&record.agent, name);
        match std::fs::remove_dir_all(&state) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_failed("remove", &state)(error)),
            Ok(()) | Err(_) => Ok(kept),
        }
    }

    /// The long-lived secret of an account.
    ///
    /// # Errors
    /// When it has none, or that cannot be opened.
    pub fn secret(&self, name: &AccountName) -> Result<Secret, AccountsError> {
        let folder = self.folder(name);
        let path = folder.secret();
        let found = private::read(folder.root(), file_name(&path), MAX_FILE)
            .map_err(|unread| AccountsError::Read { path: path.clone(), reason: unread.to_string() })?;
        let sealed = found.ok_or_else(|| AccountsError::NoSecret { name: name.clone() })?;
        Ok(Opener::of(&self.data)?.open(&sealed)?)
    }

    /// The state that all runs of the account share, with `--state shared`.
    pub fn shared_state(&self, agent: &str, name: &AccountName) -> Utf8PathBuf {
        self.data.join("state").join(agent).join(format!("account-{name}"))
    }

    /// Seals a last copy of the login, if there is one.
    fn seal_login(&self, folder: &AccountFolder, name: &str, now_ms: i64) -> Result<(), AccountsError> {
        let path = folder.login().join(name);
        let found = private::read(&folder.login(), name, MAX_LOGIN)
            .map_err(|unread| AccountsError::Read { path, reason: unread.to_string() })?;
        if let Some(bytes) = found {
            let seal = Seal::open_or_make(&self.data)?;
            Copies::of(folder).add(&seal, &bytes, Why::ByHand, now_ms)?;
        }
        Ok(())
    }

    /// Takes away the folder that a sign-in has left which came to nothing: there is its lock in it, and nothing
    /// else. The lock is held until the account stands in its place.
    fn clear_the_way(
        &self,
        folder: &AccountFolder,
        root: &Utf8Path,
    ) -> Result<Option<AccountLock>, AccountsError> {
        let path = folder.root();
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let in_the_way = || AccountsError::InTheWay { path: path.to_owned() };
        let lock = AccountLock::try_take(&folder.lock()).map_err(|_| in_the_way())?;
        let mut entries = path.read_dir_utf8().map_err(io_failed("read", path))?;
        if !entries.all(|entry| entry.is_ok_and(|entry| entry.path() == folder.lock())) {
            return Err(in_the_way());
        }
        let aside = root.join(format!("{PARTIAL}{}", random()?));
        put(path, &aside)?;
        std::fs::remove_dir_all(&aside).map_err(io_failed("remove", &aside))?;
        Ok(Some(lock))
    }

    /// One change of accounts at a time. What a killed one left is swept.
    fn turn(&self) -> Result<File, AccountsError> {
        let root = layout::accounts(&self.data);
        let path = root.join(".lock");
        let mut options = File::options();
        let opened = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = opened.and_then(|file| file.lock().map(|()| file)).map_err(io_failed("lock", &path))?;
        for entry in root.read_dir_utf8().into_iter().flatten().flatten() {
            if entry.file_name().starts_with(PARTIAL) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        for entry in self.data.join(REMOVED).read_dir_utf8().into_iter().flatten().flatten() {
            let _ = thin(entry.path());
        }
        Ok(lock)
    }
}

/// Leaves of a removed account what it needs to be had again, all of it sealed.
fn thin(removed: &Utf8Path) -> io::Result<()> {
    let place = AccountFolder::at(removed.to_owned());
    let kept = [place.record(), place.secret(), place.sealed()];
    forget(&place);
    for entry in removed.read_dir_utf8()? {
        let entry = entry?;
        if kept.iter().any(|kept| kept == entry.path()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    private::sync(removed)
}

/// Removes the logins of an account that goes, before the rest of it: in a folder that runs have shared, an agent
/// can hinder the removal, and no login may stay for that. Nothing is followed.
fn forget(place: &AccountFolder) {
    for path in [place.login(), place.pending()] {
        let Ok(folder) = open_folder(&path) else { continue };
        for entry in rustix::fs::Dir::read_from(&folder).into_iter().flatten().flatten() {
            // A folder is no login, and is told from a file by the kernel.
            let _ = rustix::fs::unlinkat(&folder, entry.file_name(), rustix::fs::AtFlags::empty());
        }
    }
}

/// Puts an account together in a folder of its own.
fn make(
    part: &Utf8Path,
    place: &AccountFolder,
    record: &AccountRecord,
    sealed: Option<&[u8]>,
) -> Result<(), AccountsError> {
    let parent = part.join(file_name(&place.login_parent()));
    let store = parent.join(file_name(&place.login()));
    let state = part.join(file_name(&place.state()));
    for folder in [part, &parent, &store, &state] {
        private::new_folder(folder).map_err(io_failed("make", folder))?;
    }
    let id = random()?;
    private::write(&parent, MARKER, id.as_bytes())?;
    let owner = store.as_std_path().metadata().map_err(io_failed("look at", &store))?;
    let marker = LoginMarker { path: place.login(), id, uid: owner.uid(), gid: owner.gid() };
    let record = AccountRecord { marker: Some(marker), ..record.clone() };
    if let Some(sealed) = sealed {
        private::write(part, file_name(&place.secret()), sealed)?;
    }
    write_record(part, &record)
}

fn write_record(folder: &Utf8Path, record: &AccountRecord) -> Result<(), AccountsError> {
    let path = folder.join("account.json");
    let mut text = Vec::new();
    serde_json::to_writer_pretty(&mut text, record)
        .map_err(|error| io_failed("write", &path)(error.into()))?;
    writeln!(text).map_err(io_failed("write", &path))?;
    Ok(private::write(folder, file_name(&path), &text)?)
}

/// Renames, never over something that is there.
fn put(from: &Utf8Path, to: &Utf8Path) -> Result<(), AccountsError> {
    let moved = renameat_with(CWD, from.as_std_path(), CWD, to.as_std_path(), RenameFlags::NOREPLACE);
    moved.map_err(|error| match error {
        Errno::EXIST | Errno::NOTEMPTY => AccountsError::InTheWay { path: to.to_owned() },
        other => io_failed("rename", from)(other.into()),
    })
}

fn unused(name: &AccountName, runs: &[String]) -> Result<(), AccountsError> {
    if runs.is_empty() {
        return Ok(());
    }
    Err(AccountsError::InUse { name: name.clone(), runs: runs.to_vec() })
}

fn random() -> Result<String, AccountsError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| AccountsError::NoRandom)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn file_name(path: &Utf8Path) -> &str {
    path.file_name().unwrap_or_default()
}

fn io_failed<'a>(action: &'static str, path: &'a Utf8Path) -> impl Fn(io::Error) -> AccountsError + 'a {
    move |source| AccountsError::Io { action, path: path.to_owned(), source }
}
