//! The keeper: the one that refreshes a login, exactly once, and never loses it.
//!
//! A refresh token is single-use. Between the server's answer and the file that holds the new token nothing
//! can be undone, so everything is arranged around that instant:
//!
//! 1. Fresh enough? Then nothing is done, and no lock is taken.
//! 2. Our lock ([`crate::lock`]). Whoever waited for it looks again: somebody else has refreshed.
//! 3. What a killed keeper left is brought to its end ([`Keeper::recover`]).
//! 4. The present login is sealed, and the journal says what is about to be spent. Both are on the disc
//!    before anything is spent; a disc that takes neither is a reason not to begin.
//! 5. Under the client's own locks the file is read once more, and only the access token's end is set to
//!    now, so that the client finds it due. (The account `host` is used in place: there the client's own
//!    window, the last 300 s, is waited for instead.)
//! 6. The genuine client refreshes. It inherits our lock, so that the lock stays when we are killed; it is
//!    shielded from the terminal's signals and from our end.
//! 7. The file is read, not the client's answer: changed → sealed again, done; unchanged → the end is put
//!    back; wiped → the server refused for good, which is remembered for this token, and what was in the
//!    file is put back, so that no file stays wiped or half-written.
//!
//! What a crash leaves, step by step: before 4 nothing; after 4 a journal over an untouched login; after 5 a
//! login with an early end, which every client can use and refresh; in 6 the client ends by itself and
//! holds the lock until then; after 6 the new login in its place, unsealed. Each is brought to its end by
//! the next keeper. The one loss that nobody can mend is a client that dies while the server's answer is on
//! its way: the next attempt is refused, and the account then says so.

mod error;
mod recover;
#[cfg(test)]
mod tests;

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_ledger::{Event, Ledger, Outcome as Recorded};
use coffer_plan::sign_in::shape::LoginDetails;
use coffer_plan::sign_in::verify::RefusedBecause;

use crate::capture;
use crate::client_locks::{self, ClientLockError, ClientLocks, Held, Patience};
use crate::disk::Disk;
use crate::journal::{Journal, Memory, Pending};
use crate::layout::{AccountFolder, AccountName};
use crate::lock::AccountLock;
use crate::login_file::{LoginFile, LoginFolder};
use crate::process::Process;
use crate::secret::Secret;

pub use error::KeeperError;

/// A login of ours is renewed this long before its access token ends.
const AHEAD_MS: i64 = 20 * 60_000;
/// At most this much earlier or later, so that not all accounts of a machine are due at once.
const JITTER_MS: i64 = 2 * 60_000;
/// The host's login is renewed inside the client's own window, which is 300 s wide (measured: 299 to 305 s).
const WINDOW_MS: i64 = 290_000;
/// How long another keeper, or the client that one has left behind, is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(90);
/// How long a client that holds its own locks is waited for.
const CLIENT_LOCK_WAIT: Duration = Duration::from_secs(15);

/// The login that is kept.
#[derive(Debug, Clone)]
pub struct LoginPlace {
    /// Whose.
    pub account: AccountName,
    /// The folder of Cofferdam's own files of the account; it exists.
    pub own: Utf8PathBuf,
    /// The keeper's lock.
    pub lock: Utf8PathBuf,
    /// The login folder.
    pub folder: Utf8PathBuf,
    /// The login's name in it.
    pub file: String,
    /// Names of the client's own locks, in its order.
    pub client_locks: Vec<String>,
    /// Scopes without which the login is none for the agent: it is not refreshed then.
    pub scopes: Vec<String>,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A token that lives for this many ms at least. For the account `host` the client's own window counts
    /// where that is shorter.
    EndsNotWithin(i64),
    /// A newer token than the present one: a person typed it.
    Newer,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was fresh enough.
    Fresh,
    /// The client refreshed.
    Refreshed,
    /// Somebody else had refreshed.
    Adopted,
    /// It may work later.
    Transient {
        /// When to try again, in ms from now.
        retry_after_ms: i64,
        /// Why, in words.
        reason: String,
    },
    /// It will not work again with this token: a person has to sign in.
    Permanent(RefusedBecause),
    /// There is nothing that could be renewed: no login, or one without refresh token.
    NotRenewable,
}

/// How the genuine client ended. Its exit code says nothing about the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildEnd {
    /// By itself.
    Exited(i32),
    /// By a signal.
    Signaled(i32),
    /// It did not end in time and was made to.
    TookTooLong,
}

/// What the genuine client is to work on.
pub struct Job<'a> {
    /// The login folder.
    pub folder: &'a Utf8Path,
    /// The client inherits it.
    pub lock: &'a AccountLock,
    /// To be told the client's process number as soon as it runs.
    pub started: &'a dyn Fn(i32),
}

/// Why the genuine client could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct RefresherError {
    /// In words, without any secret.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Starts the genuine client and waits for its end.
pub trait Refresher {
    /// Whether there is a client that could be started; asked before anything is touched.
    ///
    /// # Errors
    /// Why there is none.
    fn ready(&self) -> Result<(), RefresherError> {
        Ok(())
    }

    /// Lets the genuine client refresh the login in the job's folder.
    ///
    /// # Errors
    /// When it could not be started.
    fn refresh(&self, job: &Job<'_>) -> Result<ChildEnd, RefresherError>;
}

/// Seals copies of a login.
pub trait Vault {
    /// Seals a copy; on return it is on the disc.
    ///
    /// # Errors
    /// Why not, in words.
    fn seal(&self, login: &[u8], why: Sealed, now_ms: i64) -> Result<(), String>;
    /// The newest sealed login file with this refresh token.
    ///
    /// # Errors
    /// Why it cannot be opened, in words.
    fn newest(&self, fingerprint: &str) -> Result<Option<Secret>, String>;
    /// Whether a login that grew from this refresh token was ever sealed.
    fn has_successor(&self, fingerprint: &str) -> bool;
}

/// Why a copy is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// It is about to be spent.
    BeforeRefresh,
    /// It has just come.
    AfterRefresh,
    /// It does not read; kept for people to look at.
    Corrupted,
}

/// Keeps one login.
pub struct Keeper<'a> {
    /// Which one.
    pub place: &'a LoginPlace,
    /// Seals copies.
    pub vault: &'a dyn Vault,
    /// Writes down what happens.
    pub ledger: &'a Ledger,
    /// Starts the genuine client.
    pub refresher: &'a dyn Refresher,
    /// The wall clock, Unix ms.
    pub now_ms: &'a dyn Fn() -> i64,
    /// How files are written.
    pub disk: Disk<'a>,
}

impl Keeper<'_> {
    /// Sees to it that the login is as it is needed.
    ///
    /// # Errors
    /// When the account's own files cannot be locked, read or written: nothing was spent then.
    pub fn keep(&self, need: Need) -> Result<Outcome, KeeperError> {
        let login = self.open()?;
        // What we and the client put in its place would be ours, and its owner would be signed out.
        if let Some(uid) = login.foreign_owner() {
            return Err(KeeperError::ForeignOwner { path: login.file(), uid });
        }
        let journal = self.journal()?;
        let first = login.read();
        // A journal that is there is somebody's to end, and under the lock it is ours.
        let idle = journal.pending().is_ok_and(|pending| pending.is_none());
        if idle && self.is_fresh(&first, need) && !self.dates_ahead(&journal.memory()) {
            return Ok(Outcome::Fresh);
        }
        let lock = AccountLock::take(&self.place.lock, LOCK_WAIT)?;
        let account = AccountFolder::at(self.place.own.clone());
        capture::recover(self.disk, &lock, &account, &self.place.file).map_err(Box::new)?;
        // An adoption may have put another folder in its place.
        let login = self.open()?;
        journal.sweep(&lock);
        login.sweep(&lock);
        client_locks::sweep(self.disk, &self.place.folder, &self.place.client_locks);
        self.recover(&lock, &journal, &login)?;
        let present = login.read();
        if let Some(outcome) = self.settled(&first, &present, need, &journal.memory()) {
            if outcome == Outcome::Adopted {
                self.adopted(&lock, &journal, &first, &present)?;
            }
            return Ok(outcome);
        }
        self.spend(&lock, &journal, &login, present, need)
    }

    /// What needs no refresh, or cannot have one.
    fn settled(
        &self,
        first: &LoginFile,
        present: &LoginFile,
        need: Need,
        memory: &Memory,
    ) -> Option<Outcome> {
        let Some(details) = present.details() else { return Some(Outcome::NotRenewable) };
        let newer = first.details().is_some() && !present.same_access(first);
        if newer && self.is_fresh(present, Need::EndsNotWithin(self.bounded(need))) {
            return Some(Outcome::Adopted);
        }
        if self.is_fresh(present, need) && !self.dates_ahead(memory) {
            return Some(Outcome::Fresh);
        }
        let Some(fingerprint) = &details.fingerprint else { return Some(Outcome::NotRenewable) };
        if self.place.scopes.iter().any(|scope| !details.scopes.contains(scope)) {
            return Some(Outcome::NotRenewable);
        }
        let now_ms = (self.now_ms)();
        if let Some(refused) = memory.refused.as_ref().filter(|refused| refused.fingerprint == *fingerprint) {
            return Some(Outcome::Permanent(refused.because));
        }
        if details.login_expires_at_ms.is_some_and(|end| end <= now_ms) {
            return Some(Outcome::Permanent(RefusedBecause::Expired));
        }
        match (need, memory.wait_ms(now_ms)) {
            (Need::EndsNotWithin(_), Some(retry_after_ms)) => {
                let last = memory.last.as_ref().and_then(|last| last.error.clone());
                let reason = last.unwrap_or_else(|| "the last attempt failed".to_owned());
                Some(Outcome::Transient { retry_after_ms, reason })
            }
            (Need::EndsNotWithin(_) | Need::Newer, _) => None,
        }
    }

    fn adopted(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        first: &LoginFile,
        present: &LoginFile,
    ) -> Result<(), KeeperError> {
        let now_ms = (self.now_ms)();
        // Whoever refreshed outside of a keeper sealed nothing.
        self.seal(present, Sealed::AfterRefresh, now_ms)?;
        let mut memory = journal.memory();
        memory.works(now_ms, Recorded::Adopted);
        journal.remember(lock, &memory)?;
        self.record(Recorded::Adopted, first.fingerprint(), present.fingerprint(), None);
        Ok(())
    }

    /// Spends the refresh token.
    fn spend(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        login: &LoginFolder<'_>,
        present: LoginFile,
        need: Need,
    ) -> Result<Outcome, KeeperError> {
        let Some(before) = present.fingerprint().map(str::to_owned) else { return Ok(Outcome::NotRenewable) };
        self.refresher.ready().map_err(KeeperError::NoClient)?;
        let now_ms = (self.now_ms)();
        self.seal(&present, Sealed::BeforeRefresh, now_ms)?;
        let edits = !self.place.account.is_host() || need == Need::Newer;
        let mut pending = Pending {
            before: before.clone(),
            end_before: None,
            end_set: None,
            held: Vec::new(),
            child: None,
            begun_at_ms: now_ms,
        };
        if edits && let Some(end) = present.end_text() {
            pending.end_before = Some(end);
            pending.end_set = Some(now_ms);
        }
        if pending.end_set.is_none() {
            // Nothing of ours is written there, and a client that cannot save the new token has lost it.
            login.prove_room(lock, &present)?;
        }
        journal.begin(lock, &pending)?;
        self.record_start(&before);
        if pending.end_set.is_some()
            && let Some(outcome) = self.make_due(lock, journal, login, &present, &pending)?
        {
            self.recover(lock, journal, login)?;
            return Ok(outcome);
        }
        let started = |pid: i32| {
            let told = Pending { child: Process::of(pid), ..pending.clone() };
            // Only for people who look: the lock itself tells whether the client lives.
            drop(journal.begin(lock, &told));
        };
        let job = Job { folder: &self.place.folder, lock, started: &started };
        let ended = self.refresher.refresh(&job);
        self.conclude(lock, journal, login, &present, ended)
    }

    /// Sets the access token's end to now, under the client's own locks; an outcome when there is nothing
    /// left to be done, or it cannot be done now.
    fn make_due(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        login: &LoginFolder<'_>,
        present: &LoginFile,
        pending: &Pending,
    ) -> Result<Option<Outcome>, KeeperError> {
        let held = match self.client_locks(lock, journal, pending) {
            Ok(held) => held,
            Err(error) => {
                let reason = error.to_string();
                return Ok(Some(Outcome::Transient { retry_after_ms: CLIENT_LOCK_WAIT_MS, reason }));
            }
        };
        let again = login.read();
        if !again.same_access(present) || again.fingerprint() != present.fingerprint() {
            return Ok(Some(Outcome::Adopted));
        }
        let end = pending.end_set.map(|end| end.to_string()).unwrap_or_default();
        if let Some(due) = again.with_end(&end) {
            login.write(lock, &due)?;
        }
        held.release()?;
        Ok(None)
    }

    /// The client's own locks; ours are written down before, each of others' that had to be removed after.
    fn client_locks(
        &self,
        lock: &AccountLock,
        journal: &Journal<'_>,
        pending: &Pending,
    ) -> Result<ClientLocks<'_>, ClientLockError> {
        let place = self.place;
        let patience = Patience { limit: CLIENT_LOCK_WAIT, now_ms: self.now_ms };
        let mut write_down = |held: &[Held]| {
            let pending = Pending { held: held.to_vec(), ..pending.clone() };
            journal.begin(lock, &pending).map_err(std::io::Error::other)
        };
        let names = &place.client_locks;
        let held = ClientLocks::take(self.disk, &place.folder, names, patience, &mut write_down)?;
        for swept in &held.swept {
            self.write_down(Event::LockSwept { path: swept.path.clone(), proof: swept.proof.clone() });
        }
        Ok(held)
    }

    fn is_fresh(&self, login: &LoginFile, need: Need) -> bool {
        let Some(details) = login.details() else { return false };
        match need {
            Need::Newer => false,
            // Measured: an end that is no number is never treated as one.
            Need::EndsNotWithin(_) => details
                .expires_at_ms
                .is_none_or(|end| end.saturating_sub((self.now_ms)()) >= self.bounded(need)),
        }
    }

    /// Whether the end of the present token says nothing. The host's own login is the client's affair.
    fn dates_ahead(&self, memory: &Memory) -> bool {
        !self.place.account.is_host() && memory.dates_ahead((self.now_ms)())
    }

    /// How long a token has to live, with the client's own window for the host's login.
    fn bounded(&self, need: Need) -> i64 {
        match need {
            Need::EndsNotWithin(ms) if self.place.account.is_host() => ms.min(WINDOW_MS),
            Need::EndsNotWithin(ms) => ms,
            Need::Newer => 0,
        }
    }

    fn open(&self) -> Result<LoginFolder<'_>, KeeperError> {
        let folder = &self.place.folder;
        LoginFolder::open(self.disk, folder, &self.place.file)
            .map_err(|source| KeeperError::LoginFolder { path: folder.clone(), source })
    }

    fn journal(&self) -> Result<Journal<'_>, KeeperError> {
        Ok(Journal::open(self.disk, &self.place.own)?)
    }

    fn seal(&self, login: &LoginFile, why: Sealed, now_ms: i64) -> Result<(), KeeperError> {
        self.vault
            .seal(login.bytes(), why, now_ms)
            .map_err(|reason| KeeperError::Seal { account: self.place.account.clone(), reason })
    }

    fn record_start(&self, before: &str) {
        let account = self.place.account.to_string();
        self.write_down(Event::RefreshStarted { account, fingerprint: Some(before.to_owned()) });
    }

    fn record(&self, outcome: Recorded, before: Option<&str>, after: Option<&str>, error: Option<String>) {
        let text = |fingerprint: Option<&str>| fingerprint.map(str::to_owned);
        let account = self.place.account.to_string();
        let (before, after) = (text(before), text(after));
        self.write_down(Event::RefreshEnded { account, outcome, before, after, error });
    }

    /// A ledger that cannot be written must not cost a login: `doctor` tells of it.
    fn write_down(&self, event: Event) {
        if let Ok(at) = jiff::Timestamp::from_millisecond((self.now_ms)()) {
            drop(self.ledger.append(at, event));
        }
    }
}

const CLIENT_LOCK_WAIT_MS: i64 = 15_000;

/// When the login is due to be renewed, Unix ms; `None` when it never ends or cannot be renewed.
/// `refreshed_at_ms` is when the present access token was got, where that is known: a token with a short
/// life is renewed in its last quarter.
pub fn due_at_ms(account: &AccountName, login: &LoginDetails, refreshed_at_ms: Option<i64>) -> Option<i64> {
    let end = login.expires_at_ms?;
    let fingerprint = login.fingerprint.as_deref()?;
    if account.is_host() {
        return Some(end.saturating_sub(WINDOW_MS));
    }
    let life = refreshed_at_ms.map(|at| end.saturating_sub(at)).filter(|life| *life > 0);
    let ahead = life.map_or(AHEAD_MS, |life| AHEAD_MS.min(life / 4));
    // From the token itself: the same at each look, another one for each token.
    let digits = fingerprint.bytes().fold(0_i64, |sum, byte| (sum * 31 + i64::from(byte)) % 1009);
    let jitter = (digits * 2 - 1009) * JITTER_MS.min(ahead / 10) / 1009;
    Some(end.saturating_sub(ahead).saturating_add(jitter))
}
