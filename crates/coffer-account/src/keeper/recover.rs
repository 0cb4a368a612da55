//! After the client: what the file says now, and what a killed keeper left.

use coffer_ledger::Outcome as Recorded;
use coffer_plan::sign_in::verify::RefusedBecause;
use zeroize::Zeroizing;

use super::{ChildEnd, Keeper, KeeperError, Outcome, RefresherError, Sealed};
use crate::client_locks;
use crate::journal::{Journal, Pending};
use crate::lock::AccountLock;
use crate::login_file::{LoginFile, LoginFolder};

/// What a client left in the file.
enum Left {
    /// Another token than before.
    New,
    /// The token from before.
    Same,
    /// The client emptied it: the server refused for good.
    Wiped,
    /// No login, and not by the client's will.
    Broken,
}

impl Keeper<'_> {
    /// Reads what the client left, and brings it to an end.
    pub(super) fn conclude(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        login: &LoginFolder<'_>,
        before: &LoginFile,
        ended: Result<ChildEnd, RefresherError>,
    ) -> Result<Outcome, KeeperError> {
        let after = login.read();
        let spent = before.fingerprint();
        match left(&after, before) {
            Left::New => self.renewed(lock, journal, spent, &after).map(|()| Outcome::Refreshed),
            Left::Wiped => self.refused(lock, journal, login, before),
            Left::Same => {
                self.put_back(lock, journal, login)?;
                self.failed(lock, journal, spent, words(&ended))
            }
            Left::Broken => {
                self.seal_broken(&after);
                self.restore(lock, journal, login, before)?;
                let reason = format!("{}, and left no login; the one before was put back", words(&ended));
                self.failed(lock, journal, spent, reason)
            }
        }
    }

    /// Brings to its end what a killed keeper began. The client that it started has ended: it would still
    /// hold the lock. Doing it twice does no harm.
    pub(super) fn recover(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        login: &LoginFolder<'_>,
    ) -> Result<(), KeeperError> {
        let Some(pending) = journal.pending()? else { return Ok(()) };
        client_locks::remove_left(self.disk, &pending.held);
        let present = login.read();
        let spent = Some(pending.before.as_str());
        match present.details() {
            Some(_) if present.fingerprint() != spent || has_new_end(&present, &pending) => {
                self.renewed(lock, journal, spent, &present)
            }
            Some(_) => {
                self.put_back(lock, journal, login)?;
                Ok(journal.end(lock)?)
            }
            // The user's own file is left as the client left it.
            None if self.place.account.is_host() => {
                if present.shape.is_wiped() {
                    self.remember_refusal(lock, journal, &pending.before, None)?;
                }
                Ok(journal.end(lock)?)
            }
            None => {
                self.seal_broken(&present);
                let sealed = self.unseal(&pending)?;
                if present.shape.is_wiped() {
                    self.remember_refusal(lock, journal, &pending.before, Some(&sealed))?;
                }
                self.restore(lock, journal, login, &sealed)?;
                Ok(journal.end(lock)?)
            }
        }
    }

    fn unseal(&self, pending: &Pending) -> Result<LoginFile, KeeperError> {
        let lost = |reason| KeeperError::Unrecovered { account: self.place.account.clone(), reason };
        match self.vault.newest(&pending.before).map_err(lost)? {
            Some(secret) => Ok(LoginFile::new(Zeroizing::new(secret.expose().to_vec()))),
            None => Err(lost("there is none".to_owned())),
        }
    }

    /// A new token is there: it is sealed before anything says that all is well.
    fn renewed(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        spent: Option<&str>,
        after: &LoginFile,
    ) -> Result<(), KeeperError> {
        let now_ms = (self.now_ms)();
        self.seal(after, Sealed::AfterRefresh, now_ms)?;
        let mut memory = journal.memory();
        memory.works(now_ms, Recorded::Ok);
        journal.remember(lock, &memory)?;
        self.record(Recorded::Ok, spent, after.fingerprint(), None);
        Ok(journal.end(lock)?)
    }

    fn refused(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        login: &LoginFolder<'_>,
        before: &LoginFile,
    ) -> Result<Outcome, KeeperError> {
        let spent = before.fingerprint().unwrap_or_default().to_owned();
        // Remembered first: what is put back then is known to be dead.
        let because = self.remember_refusal(lock, journal, &spent, Some(before))?;
        if !self.place.account.is_host() {
            self.restore(lock, journal, login, before)?;
        }
        journal.end(lock)?;
        Ok(Outcome::Permanent(because))
    }

    fn remember_refusal(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        spent: &str,
        before: Option<&LoginFile>,
    ) -> Result<RefusedBecause, KeeperError> {
        let now_ms = (self.now_ms)();
        let end = before.and_then(|login| login.details()).and_then(|details| details.login_expires_at_ms);
        // The client does not tell why. What is known from elsewhere does.
        let because = if end.is_some_and(|end| end <= now_ms) {
            RefusedBecause::Expired
        } else if self.vault.has_successor(spent) {
            RefusedBecause::Reused
        } else {
            RefusedBecause::Revoked
        };
        let mut memory = journal.memory();
        memory.refuse(spent.to_owned(), because, now_ms);
        journal.remember(lock, &memory)?;
        self.record(Recorded::Permanent, Some(spent), None, Some(because.to_string()));
        Ok(because)
    }

    fn failed(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        spent: Option<&str>,
        reason: String,
    ) -> Result<Outcome, KeeperError> {
        let mut random = [0; 8];
        // Without random bytes all wait equally long, which is no harm.
        let _ = getrandom::fill(&mut random);
        let mut memory = journal.memory();
        let retry_after_ms = memory.failed((self.now_ms)(), reason.clone(), u64::from_le_bytes(random));
        journal.remember(lock, &memory)?;
        self.record(Recorded::Transient, spent, spent, Some(reason.clone()));
        journal.end(lock)?;
        Ok(Outcome::Transient { retry_after_ms, reason })
    }

    /// Puts the access token's end back as it was, under the client's locks, if it is still the same login
    /// with the end that we set.
    fn put_back(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        login: &LoginFolder<'_>,
    ) -> Result<(), KeeperError> {
        let Some(pending) = journal.pending()? else { return Ok(()) };
        let Pending { before, end_before: Some(end), end_set: Some(set), .. } = &pending else {
            return Ok(());
        };
        // A client that holds its locks all the time only makes the token look older than it is.
        let Ok(held) = self.client_locks(lock, journal, &pending) else { return Ok(()) };
        let present = login.read();
        let ours = present.fingerprint() == Some(before.as_str())
            && present.end_text().is_some_and(|text| text == set.to_string());
        if let Some(as_before) = present.with_end(end).filter(|_| ours) {
            login.write(lock, &as_before)?;
        }
        Ok(held.release()?)
    }

    fn restore(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        login: &LoginFolder<'_>,
        before: &LoginFile,
    ) -> Result<(), KeeperError> {
        let pending = journal.pending()?;
        let held = pending.map(|pending| self.client_locks(lock, journal, &pending));
        // Looked at once more: while the locks were waited for, their holder may have signed in or refreshed.
        // Also when it holds them still: what is no login holds nothing that it could lose.
        if login.read().details().is_none() {
            login.write(lock, before)?;
        }
        match held {
            Some(Ok(held)) => Ok(held.release()?),
            Some(Err(_)) | None => Ok(()),
        }
    }

    /// A copy for people; that it cannot be made must not keep the login from being put back.
    fn seal_broken(&self, login: &LoginFile) {
        if !login.bytes().is_empty() && !login.shape.is_wiped() {
            drop(self.vault.seal(login.bytes(), Sealed::Corrupted, (self.now_ms)()));
        }
    }
}

fn left(after: &LoginFile, before: &LoginFile) -> Left {
    match after.details() {
        Some(_) if after.fingerprint() != before.fingerprint() || !after.same_access(before) => Left::New,
        Some(_) => Left::Same,
        None if after.shape.is_wiped() => Left::Wiped,
        None => Left::Broken,
    }
}

/// Whether the access token's end is neither the one from before nor ours: servers may keep a refresh token.
fn has_new_end(present: &LoginFile, pending: &Pending) -> bool {
    let (Some(end), Some(set), Some(before)) = (present.end_text(), pending.end_set, &pending.end_before)
    else {
        return false;
    };
    end != *before && end != set.to_string()
}

/// Why nothing came of it.
fn words(ended: &Result<ChildEnd, RefresherError>) -> String {
    match ended {
        Ok(ChildEnd::Exited(code)) => format!("the client ended with {code} and did not refresh"),
        Ok(ChildEnd::Signaled(signal)) => format!("signal {signal} ended the client"),
        Ok(ChildEnd::TookTooLong) => "the client took too long".to_owned(),
        Err(error) => error.reason.clone(),
    }
}
