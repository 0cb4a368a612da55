//! Publishes a renewed lease into the lease folder of a live run.
//!
//! The agent can write in that folder at any moment: it may sign in there, or swap the file for a link, a pipe or
//! a folder. So everything goes by the descriptor of the folder, which was opened before the agent started, and
//! only what we published ourselves is replaced: the new file and the present one are *exchanged*
//! (`RENAME_EXCHANGE`), and what came out is looked at. If that is not what was there a moment before, it goes
//! back. So the name is never empty, and a sign-in that comes between looking and replacing is not lost.
//!
//! One thing cannot be noticed: a client that had opened the old file before, and writes into it after it came
//! out. Clients that write in place (2.1.112 and older) do so only to sign in.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, RenameFlags, statat};
use serde_json::{Map, Value};

use crate::beneath::{Seen, look};
use crate::disk::Disk;
use crate::lease::{LOGIN_KEY, LeaseError, Mark, lease};
use crate::secret::Secret;

#[cfg(test)]
pub(crate) mod tests;

/// How often somebody else's change in the same instant is tried again.
const ATTEMPTS: usize = 8;

/// Publishes leases of one run.
#[derive(Debug)]
pub struct Publisher<'a> {
    folder: BorrowedFd<'a>,
    name: &'a str,
    last: Mark,
    disk: Disk<'a>,
}

/// What came of publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The run has the newer token.
    Replaced {
        /// When it ends, Unix ms.
        expires_at_ms: Option<i64>,
    },
    /// The run has this token already, or a newer one.
    Unchanged,
    /// What lies there is not of ours, and stays.
    LeftAlone(Foreign),
}

/// What lies in place of a lease of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// Nothing: the agent signed out.
    Missing,
    /// Something that is no plain file, in words.
    Strange(&'static str),
    /// Another login, or no login any more.
    Other,
    /// It changed again and again while we looked.
    Busy,
}

/// Why a lease was not published. The run keeps the one that it has.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is nothing to publish.
    #[error("there is no lease to publish")]
    Lease(#[from] LeaseError),
    /// The new file cannot be written.
    #[error("cannot write the renewed lease")]
    Write(#[source] io::Error),
    /// The new file cannot take its place.
    #[error("cannot put the renewed lease in its place")]
    Exchange(#[source] io::Error),
    /// No random number is to be had.
    #[error("cannot make a name for the renewed lease")]
    Random(#[source] io::Error),
}

/// Between what a test's agent may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The file was looked at, and the new one lies beside it.
    Written,
    /// They were exchanged.
    Exchanged,
    /// What came out was put back.
    PutBack,
}

impl<'a> Publisher<'a> {
    /// For the lease folder of a run, in which the file `name` holds `first`.
    ///
    /// # Errors
    /// When that is no lease.
    pub fn new(folder: BorrowedFd<'a>, name: &'a str, first: &[u8]) -> Result<Self, LeaseError> {
        Ok(Self { folder, name, last: Mark::of(first)?, disk: Disk::real() })
    }

    /// Writes by way of this.
    #[cfg(test)]
    pub(crate) fn on(self, disk: Disk<'a>) -> Self {
        Self { disk, ..self }
    }

    /// What was published last.
    pub fn last(&self) -> &Mark {
        &self.last
    }

    /// Publishes the access token of a login file, if it is newer than what the run has.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(&mut self, login_file: &[u8]) -> Result<Published, PublishError> {
        self.publish_watched(login_file, &mut |_| {})
    }

    /// As [`Self::publish`]; `at` is called at the moments in which an agent could act.
    pub(crate) fn publish_watched(
        &mut self,
        login_file: &[u8],
        at: &mut dyn FnMut(Moment),
    ) -> Result<Published, PublishError> {
        let mark = Mark::of(login_file)?;
        if !mark.follows(&self.last) {
            return Ok(Published::Unchanged);
        }
        let lease = lease(login_file)?;
        for _ in 0..ATTEMPTS {
            let present = look(self.folder, self.name);
            let new = match &present {
                Seen::Missing => return Ok(Published::LeftAlone(Foreign::Missing)),
                Seen::Strange(what) => return Ok(Published::LeftAlone(Foreign::Strange(what))),
                Seen::File { content, .. } => match self.renewed(content.expose(), &lease) {
                    Some(new) => new,
                    None => return Ok(Published::LeftAlone(Foreign::Other)),
                },
            };
            let temporary = self.write(&new)?;
            at(Moment::Written);
            let done = self.exchange(&temporary, &present, at);
            // After an error nobody knows which of the two lies there: it may be the agent's own, and stays.
            if matches!(done, Ok(false)) {
                self.remove(&temporary);
            }
            if done? {
                let expires_at_ms = mark.expires_at_ms;
                self.last = mark;
                return Ok(Published::Replaced { expires_at_ms });
            }
        }
        Ok(Published::LeftAlone(Foreign::Busy))
    }

    /// The present file with the new lease in it, if it still is of ours: it holds our token and no refresh token.
    /// What the agent keeps beside the login (logins of MCP servers) stays.
    fn renewed(&self, present: &[u8], lease: &Secret) -> Option<Secret> {
        let Ok(Value::Object(mut file)) = serde_json::from_slice::<Value>(present) else { return None };
        let login = file.get(LOGIN_KEY).and_then(Value::as_object)?;
        let is_ours = Mark::of(present).is_ok_and(|mark| mark.is_same_token(&self.last));
        if !is_ours || has_refresh_token(login) {
            return None;
        }
        let Ok(Value::Object(mut lease)) = serde_json::from_slice(lease.expose()) else { return None };
        file.insert(LOGIN_KEY.to_owned(), lease.remove(LOGIN_KEY)?);
        Some(Secret::new(Value::Object(file).to_string().into_bytes()))
    }

    /// Writes a file under a new name; it need not outlive a crash, because no lease does.
    fn write(&self, content: &Secret) -> Result<String, PublishError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| PublishError::Random(io::Error::other(error)))?;
        let temporary = format!(".{}.{:016x}", self.name, u64::from_le_bytes(random));
        let file = self.disk.create(self.folder, &temporary).map_err(PublishError::Write)?;
        if let Err(error) = self.disk.write(file, content.expose()) {
            self.remove(&temporary);
            return Err(PublishError::Write(error));
        }
        Ok(temporary)
    }

    /// Exchanges the new file for the present one. False if somebody else had put something there meanwhile: that
    /// lies there again then.
    fn exchange(
        &self,
        temporary: &str,
        present: &Seen,
        at: &mut dyn FnMut(Moment),
    ) -> Result<bool, PublishError> {
        let mut put_in = self.identity(temporary);
        if !self.swap(temporary)? {
            return Ok(false);
        }
        at(Moment::Exchanged);
        let came_out = look(self.folder, temporary);
        if is_same(&came_out, present) {
            self.remove(temporary);
            return Ok(true);
        }
        // What came out is newer than what we put in, so it goes back; and so does what was written meanwhile.
        for _ in 0..ATTEMPTS {
            let newer = self.identity(temporary);
            if !self.swap(temporary)? {
                // Somebody removed the one or the other.
                return Ok(false);
            }
            at(Moment::PutBack);
            if self.identity(temporary) == put_in {
                return Ok(false);
            }
            put_in = newer;
        }
        Ok(false)
    }

    /// False if one of the two is not there.
    fn swap(&self, temporary: &str) -> Result<bool, PublishError> {
        match self.disk.rename_with(self.folder, temporary, self.name, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(PublishError::Exchange(error)),
        }
    }

    /// Device and inode of whatever stands there.
    fn identity(&self, name: &str) -> Option<(u64, u64)> {
        let found = statat(self.folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some((found.st_dev, found.st_ino))
    }

    /// What cannot be removed goes with the folder.
    fn remove(&self, name: &str) {
        let _ = self.disk.remove(self.folder, name, AtFlags::empty());
    }
}

/// Whether both are one file that was not written meanwhile.
fn is_same(one: &Seen, other: &Seen) -> bool {
    match (one, other) {
        (Seen::File { identity: one, content: first }, Seen::File { identity: other, content: second }) => {
            one == other && first.expose() == second.expose()
        }
        _ => false,
    }
}

/// Whether a login could be refreshed.
pub(crate) fn has_refresh_token(login: &Map<String, Value>) -> bool {
    match login.get("refreshToken") {
        None | Some(Value::Null) => false,
        Some(Value::String(token)) => !token.is_empty(),
        Some(_) => true,
    }
}
