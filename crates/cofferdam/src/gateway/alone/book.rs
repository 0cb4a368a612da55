//! Which token stands for what, as the file of the tokens says it at each moment.
//!
//! The file is looked at for each request (one `stat`), so that what was changed counts from the next request on. What
//! stands behind a token (its account's credential, whom it may reach) is made when the token is first shown, and made
//! anew when the token, the account's record or the user's configuration has changed: these are looked at as well.

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::layout::AccountFolder;
use coffer_account::secret::Secret;
use coffer_account::tokens::{Token, TokenHash, Tokens, TokensError, Worth};
use coffer_gateway::alone::{Bearer, Look, Turned};
use coffer_gateway::api::Tls;
use coffer_gateway::setup::{Capability, Limits, Setup};
use coffer_launch::launch::{Gateway, Injected};
use coffer_plan::facts::{CofferFolders, HostFacts};
use tokio::sync::watch;

use super::super::holder::Holder;
use super::super::record::Recorder;
use super::super::serve::{Unable, injected_by, more_roots, overrides, reach};
use crate::error::Error;
use crate::{account_facts, prepare};

/// All tokens, and what stands behind them.
pub(crate) struct Book {
    data: Utf8PathBuf,
    config: Utf8PathBuf,
    tokens: Tokens,
    file: Utf8PathBuf,
    record: Recorder,
    pages: RwLock<Pages>,
    /// Who has credentials, by the account's record: tokens of one account share one.
    holders: Mutex<Vec<(Stamp, Weak<Holder>)>>,
    /// One at a time is made.
    making: Mutex<()>,
}

/// By what a file is known to be the one that was read.
type Stamp = Option<(u64, u64, i64, i64, i64, i64, i64)>;

#[derive(Default)]
struct Pages {
    /// Of the file that was read last.
    stamp: Option<Stamp>,
    /// Why it cannot be read.
    broken: Option<String>,
    entries: Vec<Entry>,
}

struct Entry {
    token: Token,
    /// True once it counts no more.
    over: watch::Sender<bool>,
    made: Option<Made>,
}

/// What stands behind a token, and what it was made of.
struct Made {
    bearer: Arc<Bearer>,
    of: Vec<(Utf8PathBuf, Stamp)>,
}

impl Entry {
    /// What stands behind the token, if it is still made of what is there.
    fn bearer(&self) -> Option<&Arc<Bearer>> {
        let made = self.made.as_ref()?;
        made.of.iter().all(|(file, known)| stamp(file) == *known).then_some(&made.bearer)
    }
}

impl Book {
    /// Of this user.
    ///
    /// # Errors
    /// When the tokens cannot be read.
    pub(super) fn open(folders: &CofferFolders, record: Recorder) -> Result<Self, TokensError> {
        let (data, config) = (folders.data.clone(), folders.config.clone());
        let tokens = Tokens::of(&data);
        tokens.read()?;
        let file = tokens.file();
        let (pages, holders, making) = Default::default();
        Ok(Self { data, config, tokens, file, record, pages, holders, making })
    }

    /// Ends what tokens opened that count no more; when the next one ends, Unix ms.
    pub(crate) fn turn(&self, now_ms: i64) -> Option<i64> {
        self.renew(stamp(&self.file));
        let mut pages = self.write();
        let mut next = None;
        for entry in &mut pages.entries {
            match entry.token.worth(now_ms) {
                Worth::Good => {
                    let ends = entry.token.ends_at_ms;
                    next = Some(next.map_or(ends, |next: i64| next.min(ends)));
                }
                Worth::Ended | Worth::TooEarly => {
                    entry.over.send_replace(true);
                    entry.made = None;
                }
            }
        }
        next
    }

    fn read(&self) -> RwLockReadGuard<'_, Pages> {
        self.pages.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Pages> {
        self.pages.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file, if it is another one than the one that was read.
    fn renew(&self, stamp: Stamp) {
        let mut pages = self.write();
        if pages.stamp == Some(stamp) {
            return;
        }
        // The stamp was taken before: what is written meanwhile has another one.
        match self.tokens.read() {
            Ok(tokens) => {
                pages.take(tokens);
                pages.broken = None;
            }
            Err(error) => pages.broken = Some(error.to_string()),
        }
        pages.stamp = Some(stamp);
    }

    /// What stands behind a token.
    fn make(&self, token: &Token, over: watch::Receiver<bool>) -> Result<Made, Turned> {
        let turned = |reason: String, hint: Option<String>| Turned {
            reason: hint.map_or(reason.clone(), |hint| format!("{reason}; {hint}")),
            transient: false,
            record: Some(Arc::new(self.record.of(&token.id))),
        };
        let unable = |Unable { message, hint }: Unable| turned(message, hint);
        let failed = |error: &Error| {
            let first = error.findings().into_iter().next();
            let (reason, hint) = first.map(|finding| (finding.message, finding.hint)).unwrap_or_default();
            turned(format!("the account `{}` cannot be used: {reason}", token.account), hint)
        };
        let account = AccountFolder::new(&self.data, &token.account);
        // Taken before they are read: what is written meanwhile has other ones.
        let of: Vec<(Utf8PathBuf, Stamp)> =
            [account.record(), self.config.clone()].map(|file| (file.clone(), stamp(&file))).into();
        let (facts, alone) = prepare::prepare_alone(&token.account, token.network, &token.allow)
            .map_err(|error| failed(&error))?;
        // Whoever was trusted with an account was not trusted with another one that has got its name.
        let record = account_facts::record(&account).map_err(|error| failed(&error))?;
        if record.is_some_and(|record| record.created_at_ms > token.created_at_ms) {
            let reason =
                format!("the account `{}` is another one than when the token was made", token.account);
            return Err(turned(reason, None));
        }
        let gateway = Gateway::alone(&alone);
        let injected = gateway.injection.clone();
        let injected = injected.ok_or_else(|| turned("it has no credential".to_owned(), None))?;
        let as_recorded = of.first().and_then(|(_, stamp)| *stamp);
        let holder = self.holder(as_recorded, injected, &facts);
        let capability = Capability::hashed(*token.sha256.bytes());
        let setup = Setup {
            reach: reach(&gateway),
            overrides: overrides(&gateway),
            more_roots: more_roots(&gateway).map_err(unable)?,
            injection: Some(injected_by(holder, capability, &facts).map_err(unable)?),
            limits: Limits::default(),
            record: Arc::new(self.record.of(&token.id)),
            inside: None,
            run: Some(token.id.clone()),
            tls: Tls::default(),
        };
        let bearer = Bearer { id: token.id.clone(), setup: Arc::new(setup), over };
        Ok(Made { bearer: Arc::new(bearer), of })
    }

    /// Who has this credential of an account with this record.
    fn holder(&self, as_recorded: Stamp, injected: Injected, facts: &HostFacts) -> Arc<Holder> {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.retain(|(_, holder)| holder.strong_count() > 0);
        let known = holders.iter().filter(|(known, _)| *known == as_recorded);
        let mut known = known.filter_map(|(_, holder)| holder.upgrade());
        if let Some(known) = known.find(|holder| *holder.injected() == injected) {
            return known;
        }
        let holder = Arc::new(Holder::new(facts.clone(), injected));
        holders.push((as_recorded, Arc::downgrade(&holder)));
        holder
    }
}

impl Pages {
    /// The tokens of the file in place of those that were known. What stands behind those that are the same, stays.
    fn take(&mut self, tokens: Vec<Token>) {
        let mut known = std::mem::take(&mut self.entries);
        for token in tokens {
            let is_it = |entry: &Entry| entry.token.id == token.id && entry.token.sha256.is(&token.sha256);
            let entry = match known.iter().position(is_it) {
                Some(at) => {
                    let mut entry = known.swap_remove(at);
                    entry.made = entry.made.filter(|_| entry.token == token);
                    Entry { token, ..entry }
                }
                None => Entry { token, over: watch::channel(false).0, made: None },
            };
            self.entries.push(entry);
        }
        for gone in known {
            gone.over.send_replace(true);
        }
    }

    /// The entry of a token; each one is compared, so that nothing is learned from how long it takes.
    fn entry(&self, hash: &TokenHash) -> Option<&Entry> {
        let mut found = None;
        for entry in &self.entries {
            if entry.token.sha256.is(hash) {
                found = Some(entry);
            }
        }
        found
    }
}

impl coffer_gateway::alone::Tokens for Book {
    fn look(&self, shown: &Secret) -> Result<Look, Turned> {
        let stamp = stamp(&self.file);
        let mut pages = self.read();
        if pages.stamp != Some(stamp) {
            drop(pages);
            self.renew(stamp);
            pages = self.read();
        }
        if let Some(broken) = &pages.broken {
            return Err(Turned { reason: broken.clone(), transient: true, record: None });
        }
        let Some(entry) = pages.entry(&TokenHash::of(shown.expose())) else {
            return Err(Turned::unknown("this is no token of this gateway"));
        };
        let id = &entry.token.id;
        let turned = |reason: String| {
            Err(Turned { reason, transient: false, record: Some(Arc::new(self.record.of(id))) })
        };
        match entry.token.worth(coffer_host::now_ms()) {
            Worth::Good => Ok(match entry.bearer() {
                Some(bearer) => Look::Ready(bearer.clone()),
                None => Look::Unprepared(id.clone()),
            }),
            Worth::Ended => turned(format!("the token `{id}` has ended")),
            Worth::TooEarly => turned(format!("the clock stands before the making of the token `{id}`")),
        }
    }

    fn prepare(&self, id: &str) -> Result<Arc<Bearer>, Turned> {
        let gone = || Turned::unknown("this is no token of this gateway any more");
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let (token, over) = {
            let mut pages = self.write();
            let entry = pages.entries.iter_mut().find(|entry| entry.token.id == id).ok_or_else(gone)?;
            if let Some(bearer) = entry.bearer() {
                return Ok(bearer.clone());
            }
            // It counted no more for a while: the clock was elsewhere. What it opened before stays closed.
            if *entry.over.borrow() {
                entry.over = watch::channel(false).0;
            }
            (entry.token.clone(), entry.over.subscribe())
        };
        let made = self.make(&token, over)?;
        let bearer = made.bearer.clone();
        let mut pages = self.write();
        let entry = pages.entries.iter_mut().find(|entry| entry.token.id == id).ok_or_else(gone)?;
        if entry.token == token && !*bearer.over.borrow() {
            entry.made = Some(made);
        }
        Ok(bearer)
    }
}

/// By what the file is known now.
fn stamp(file: &Utf8Path) -> Stamp {
    let stat = rustix::fs::stat(file.as_str()).ok()?;
    let nanoseconds = |of: u64| i64::try_from(of).unwrap_or_default();
    Some((
        stat.st_dev,
        stat.st_ino,
        stat.st_size,
        stat.st_mtime,
        nanoseconds(stat.st_mtime_nsec),
        stat.st_ctime,
        nanoseconds(stat.st_ctime_nsec),
    ))
}
