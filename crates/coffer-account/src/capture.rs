//! Adoption: a login that was made or captured elsewhere becomes an account's, with the state around it, or
//! nothing changes.
//!
//! What an agent could write is copied by [`crate::tree`] into a staging folder of the account and looked at
//! there, where no agent can change it any more. Only then, under the account's lock, and with the former login
//! sealed, one rename of a small file makes it so ([`exchange`]): before it, a crash leaves the account as it was
//! (and a folder that the next adoption removes); after it, whoever comes next under the lock brings it to its
//! end ([`recover`]).
//!
//! The login file goes to the login folder alone, as it is: keys that nobody knows stay, and so do the logins
//! of MCP servers in it, which are never part of a state. Everything else goes to the state, but for the
//! client's locks and half-written files.

mod error;
mod exchange;
#[cfg(test)]
mod tests;
mod verify;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use camino::Utf8Path;
use coffer_plan::agent::Agent;
use coffer_plan::sign_in::shape::{LoginDetails, MAX_LOGIN_BYTES};

use crate::disk::Disk;
use crate::layout::AccountFolder;
use crate::lock::AccountLock;
use crate::made_inside::email;
use crate::read;
use crate::record::AccountRecord;
use crate::tree::{self, CopyOptions, Limits, Progress, SkippedList, Walk};

pub use error::CaptureError;
pub use exchange::recover;

/// How long a client that holds its own locks on the present login is waited for.
const CLIENT_LOCK_WAIT: Duration = Duration::from_secs(15);
/// Largest file that is looked at as JSON, in bytes: it also holds histories.
const MAX_JSON_BYTES: usize = 32 * 1024 * 1024;

/// What is known of the agent whose login it is.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The login file's name.
    pub login_file: String,
    /// Files of the state that have to be JSON objects where they are there.
    pub json_files: Vec<String>,
    /// The one of them that names the address of who signed in.
    pub address_file: Option<String>,
    /// Scopes without which a login is of no use.
    pub scopes: Vec<String>,
    /// Names of the client's own locks on the login folder, in its order.
    pub client_locks: Vec<String>,
    /// More names at the top of the state that are left out.
    pub leave_out: Vec<String>,
}

impl Rules {
    /// As the agent's data file has it; `None` for agents without a login file.
    pub fn of(agent: &Agent) -> Option<Self> {
        let login = agent.login.as_ref()?;
        let mcp = agent.settings.mcp.as_ref().map(|mcp| mcp.state_file.clone());
        let name = |path: &String| Utf8Path::new(path).file_name().unwrap_or_default().to_owned();
        let mut json_files: Vec<String> = agent.seeds.iter().map(|seed| seed.file.clone()).collect();
        json_files.extend(agent.settings.user.iter().cloned());
        json_files.extend(agent.settings.project.iter().map(name));
        json_files.extend(mcp.clone());
        json_files.sort();
        json_files.dedup();
        Some(Self {
            login_file: login.file.clone(),
            json_files,
            address_file: mcp,
            scopes: login.scopes.clone(),
            client_locks: login.locks.clone(),
            leave_out: Vec::new(),
        })
    }

    /// Whether an entry of the state is taken: not the login, and neither locks nor half-written files.
    fn takes(&self, path: &Utf8Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        let of_login = name == self.login_file || name.starts_with(&format!("{}.", self.login_file));
        let lock = name.ends_with(".lock") || name.ends_with(".lock.owner");
        let left_out = path.components().count() == 1 && self.leave_out.iter().any(|left| left == name);
        !of_login && !lock && !left_out
    }
}

/// What is to be adopted.
#[derive(Clone, Copy, Default)]
pub struct Captured<'a> {
    /// A state, with the login in it unless `login` says otherwise. An agent could write in it.
    pub state: Option<BorrowedFd<'a>>,
    /// The login file's bytes.
    pub login: Option<&'a [u8]>,
    /// Files that belong to the state and lay elsewhere; what the state has itself comes first.
    pub beside: &'a [(&'a str, &'a [u8])],
    /// Told while the state is copied.
    pub progress: Option<&'a dyn Fn(Progress)>,
}

/// How it is adopted.
pub struct Adoption<'a> {
    /// The account.
    pub folder: &'a AccountFolder,
    /// What it is afterwards, but for the marker and a refusal of the former login.
    pub record: &'a AccountRecord,
    /// What is known of the agent.
    pub rules: &'a Rules,
    /// Keeps a copy of the former login, sealed.
    pub keep_former: &'a dyn Fn(&[u8]) -> Result<(), String>,
    /// The wall clock, Unix ms.
    pub now_ms: &'a dyn Fn() -> i64,
    /// How files are written.
    pub disk: Disk<'a>,
}

/// What was adopted, without any token.
#[derive(Debug)]
pub struct Adopted {
    /// What the login says.
    pub details: LoginDetails,
    /// The address that the state names; an agent can write anything there.
    pub email: Option<String>,
    /// The fingerprint of the login before.
    pub former: Option<String>,
    /// How much state came with it.
    pub state: Progress,
    /// What of the state was left behind.
    pub skipped: SkippedList,
}

/// A login and its state, copied to where no agent can write, and verified.
struct Staged {
    login: read::Found,
    details: LoginDetails,
    email: Option<String>,
    walked: tree::Walked,
    has_state: bool,
}

/// Looks at what would be adopted, as far as the login goes.
///
/// # Errors
/// When it is no login that could be kept: the same words as those of [`Adoption::adopt`].
pub fn look(login: &[u8], rules: &Rules, now_ms: i64) -> Result<LoginDetails, CaptureError> {
    verify::login(login, rules, now_ms)
}

impl Adoption<'_> {
    /// Adopts it. The account's folder exists, since its lock lies there.
    ///
    /// # Errors
    /// Nothing was adopted, but for [`CaptureError::Unfinished`]: that is adopted with the next command.
    pub fn adopt(&self, lock: &AccountLock, captured: &Captured<'_>) -> Result<Adopted, CaptureError> {
        let root = exchange::open_root(self.folder)?;
        exchange::recover_in(self.disk, lock, &root, &self.rules.login_file)?;
        let staged = self.stage(root.as_fd(), captured);
        let staged = match staged {
            Ok(staged) => staged,
            Err(error) => {
                exchange::discard(self.disk, self.folder);
                return Err(error);
            }
        };
        let former = self.exchange(lock, root.as_fd(), &staged);
        match former {
            Ok(former) => Ok(Adopted {
                details: staged.details,
                email: staged.email,
                former,
                state: staged.walked.progress,
                skipped: staged.walked.skipped,
            }),
            Err(error) => {
                if !matches!(error, CaptureError::Unfinished { .. }) {
                    exchange::discard(self.disk, self.folder);
                }
                Err(error)
            }
        }
    }

    /// Copies it into the staging folder, and verifies what is there then.
    fn stage(&self, root: BorrowedFd<'_>, captured: &Captured<'_>) -> Result<Staged, CaptureError> {
        let stage = exchange::Stage::make(self.disk, root)?;
        let login = match (captured.login, captured.state) {
            (Some(bytes), _) => read::Found { content: bytes.to_vec().into(), uid: 0, mode: 0o600 },
            (None, Some(state)) => read::file(state, &self.rules.login_file, MAX_LOGIN_BYTES)
                .map_err(|unread| CaptureError::no_login(unread, &self.rules.login_file))?,
            (None, None) => return Err(CaptureError::nothing()),
        };
        let details = verify::login(&login.content, self.rules, (self.now_ms)())?;
        stage.login(&login.content)?;
        let mut walked = tree::Walked::default();
        if let Some(state) = captured.state {
            walked = self.copy_state(&stage, state, captured)?;
        }
        let mut address = None;
        if captured.state.is_some() {
            let copied = stage.state()?;
            address = verify::state(copied.as_fd(), self.rules)?.and_then(|content| email(&content));
        }
        Ok(Staged { login, details, email: address, walked, has_state: captured.state.is_some() })
    }

    fn copy_state(
        &self,
        stage: &exchange::Stage<'_>,
        state: BorrowedFd<'_>,
        captured: &Captured<'_>,
    ) -> Result<tree::Walked, CaptureError> {
        let to: OwnedFd = stage.make_state()?;
        let takes = |path: &Utf8Path| self.rules.takes(path);
        let how = Walk { limits: Limits::default(), filter: Some(&takes), progress: captured.progress };
        let before = |action: &'static str| self.disk.ask(action);
        let options = CopyOptions { before: Some(&before), keep_executable: false, sync: true };
        let mut walked = tree::copy(state, to.as_fd(), &how, options).map_err(CaptureError::Copy)?;
        for (name, content) in captured.beside {
            if stage.add_to_state(to.as_fd(), name, content)? {
                walked.progress.files += 1;
                walked.progress.bytes += content.len() as u64;
            }
        }
        Ok(walked)
    }

    /// Seals the former login, and makes the staged one the account's.
    fn exchange(
        &self,
        lock: &AccountLock,
        root: BorrowedFd<'_>,
        staged: &Staged,
    ) -> Result<Option<String>, CaptureError> {
        let store = exchange::login_folder(self.disk, root)?;
        let marker = exchange::marker(self.disk, root, &self.folder.login())?;
        let record = AccountRecord { marker: Some(marker), refused: None, ..self.record.clone() };
        let mut fingerprint = None;
        let mut seal = || {
            fingerprint = self.seal_former(store.as_fd(), staged)?;
            Ok(())
        };
        exchange::commit(self, lock, root, (&record, staged.has_state), &mut seal)?;
        Ok(fingerprint)
    }

    /// Seals the login that is about to give way; its fingerprint. While the client's own locks are ours: before,
    /// a client could refresh it yet, and what it got would be sealed by nobody.
    fn seal_former(&self, store: BorrowedFd<'_>, staged: &Staged) -> Result<Option<String>, CaptureError> {
        let former = read::file(store, &self.rules.login_file, MAX_LOGIN_BYTES).ok();
        let Some(former) = former.filter(|former| !former.content.is_empty()) else { return Ok(None) };
        if former.content != staged.login.content {
            (self.keep_former)(&former.content).map_err(|reason| CaptureError::Seal { reason })?;
        }
        let shape = coffer_plan::sign_in::shape::read(&former.content);
        Ok(shape.details().and_then(|details| details.fingerprint.clone()))
    }
}
