//! `coffer serve`: keeps the logins of all accounts fresh, the user's own among them, until it is ended.
//!
//! It sleeps until the first login is due, an account or a login changes, the clock is set, or it is told to end.
//! Accounts that are due at the same time are renewed side by side: one whose token server does not answer keeps
//! nobody waiting. While that goes on, `SIGTERM` waits: a refresh that is under way is never cut off.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::keeper::Outcome;
use coffer_account::layout::{AccountFolder, AccountName, HOST, accounts};
use coffer_account::lock::{AccountLock, LockError};
use coffer_account::waiter::Waiter;
use coffer_account::watch::LoginWatch;
use coffer_host::now_ms;
use coffer_plan::facts::HostFacts;
use coffer_sys::signals::SignalEvents;
use rustix::process::Signal;
use sd_notify::NotifyState;

use crate::cli::ServeCommand;
use crate::error::Error;
use crate::exit::Failure;
use crate::printer::Printer;
use crate::upkeep::{Looked, look_after};

/// The lock of the one that serves, below the data folder.
const LOCK: &str = "serve.lock";
/// The longest sleep: folders that could not be watched are looked at again.
const LONGEST_MS: i64 = 60 * 60_000;
/// The shortest time between two looks at an account that nobody had reason to ask for.
const SHORTEST_MS: i64 = 1_000;
/// The unit; what is in braces is filled in.
const UNIT: &str = include_str!("serve/coffer.service");

pub(crate) fn serve(command: &ServeCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base().map_err(Error::from)?;
    if command.unit {
        printer.data(&UNIT.replace("{coffer}", &quoted(&facts.coffer)))?;
        return Ok(0);
    }
    // Before any thread is made, so that all of them leave the signals to us.
    let signals = SignalEvents::block(&[Signal::TERM, Signal::INT, Signal::HUP]);
    let signals = signals.map_err(|source| Error::Watch { source })?;
    let _lock = alone(&facts.folders.data)?;
    let mut station = Station {
        facts: &facts,
        printer,
        next: BTreeMap::new(),
        held: BTreeMap::new(),
        given_up: BTreeMap::new(),
        watches: BTreeMap::new(),
        again: false,
    };
    let waiter = Waiter::new().map_err(|source| Error::Watch { source })?;
    let mut first = true;
    loop {
        station.look(first)?;
        notify(&[NotifyState::Status(&station.status())]);
        if std::mem::take(&mut first) {
            // For a person at a terminal; systemd is told each time.
            printer.tell(&format!("{}\n", station.status()));
            notify(&[NotifyState::Ready]);
        }
        if signals.next().map_err(|source| Error::Watch { source })?.is_some() {
            break;
        }
        let wake_ms = station.wake_ms();
        let mut others = vec![signals.as_fd()];
        others.extend(station.watches.values().map(AsFd::as_fd));
        waiter.until(Some(wake_ms), &others).map_err(|source| Error::Watch { source })?;
    }
    notify(&[NotifyState::Stopping]);
    Ok(0)
}

/// Nobody else serves this data folder as long as the lock is held.
fn alone(data: &Utf8Path) -> Result<AccountLock, Error> {
    AccountLock::try_take(&data.join(LOCK)).map_err(|source| match source {
        LockError::Busy { .. } => Error::ServedAlready { data: data.to_owned(), source },
        LockError::Io { action, path, source } => Error::Store { action, path, source },
    })
}

/// Tells systemd, where it asked to be told. That it cannot be told is no reason to stop.
pub(super) fn notify(states: &[NotifyState<'_>]) {
    drop(sd_notify::notify(states));
}

/// A path in a unit: percent signs and what a shell would take apart.
pub(super) fn quoted(path: &Utf8Path) -> String {
    let text = path.as_str().replace('%', "%%").replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

/// All accounts of a data folder.
struct Station<'a> {
    facts: &'a HostFacts,
    printer: &'a Printer,
    /// When each account is to be looked at next, Unix ms.
    next: BTreeMap<AccountName, Option<i64>>,
    /// Those that could not be renewed are left alone until then, whatever happens in their folders meanwhile:
    /// the attempt itself is one of those events.
    held: BTreeMap<AccountName, i64>,
    /// What was said of each account that nobody can renew: it is said once.
    given_up: BTreeMap<AccountName, String>,
    /// What wakes us: the folder of the accounts, and each login.
    watches: BTreeMap<Utf8PathBuf, LoginWatch>,
    /// A watch is new: what happened before it was there is still to be looked at.
    again: bool,
}

impl Station<'_> {
    /// Looks at all accounts, and renews what is due.
    fn look(&mut self, first: bool) -> Result<(), Error> {
        let data = &self.facts.folders.data;
        let folder = accounts(data);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| Error::Store { action: "make", path: folder.clone(), source })?;
        self.again = false;
        self.watches.retain(|_, watch| watch.changed().is_ok());
        self.watch(&folder.join(HOST));
        let names = names(&folder)?;
        self.next.retain(|name, _| names.contains(name));
        let now_ms = now_ms();
        // A clock that was set back must not hold anybody for longer.
        self.held.retain(|_, until_ms| (now_ms..now_ms + LONGEST_MS).contains(until_ms));
        let looked: Vec<(&AccountName, Looked)> = std::thread::scope(|scope| {
            let facts = self.facts;
            let one = |name| {
                let unfinished = first && AccountFolder::new(data, name).journal().exists();
                scope.spawn(move || (name, look_after(name, facts, unfinished)))
            };
            let free = names.iter().filter(|name| !self.held.contains_key(*name));
            let threads: Vec<_> = free.map(one).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        for (name, looked) in looked {
            self.tell(name, &looked);
            self.next.insert(name.clone(), looked.next_ms);
            if let (Some(Err(_) | Ok(Outcome::Transient { .. } | Outcome::Permanent(_))), Some(next_ms)) =
                (&looked.outcome, looked.next_ms)
            {
                self.held.insert(name.clone(), next_ms);
            }
            self.watch(&looked.file.unwrap_or_else(|| AccountFolder::new(data, name).record()));
        }
        Ok(())
    }

    /// Watches the folder of this path, or where it will be made.
    fn watch(&mut self, path: &Utf8Path) {
        let is_there = |path: &&Utf8Path| path.parent().is_some_and(Utf8Path::is_dir);
        let Some(path) = path.ancestors().find(is_there) else { return };
        if !self.watches.contains_key(path)
            && let Ok(watch) = LoginWatch::new(path)
        {
            self.watches.insert(path.to_owned(), watch);
            self.again = true;
        }
    }

    /// When to wake up at the latest, Unix ms.
    fn wake_ms(&self) -> i64 {
        let now_ms = now_ms();
        if self.again {
            return now_ms;
        }
        let next = self.next.values().flatten().copied().min();
        next.map_or(now_ms + LONGEST_MS, |next| next.clamp(now_ms + SHORTEST_MS, now_ms + LONGEST_MS))
    }

    fn tell(&mut self, name: &AccountName, looked: &Looked) {
        let given_up = self.given_up.remove(name);
        let text = match &looked.outcome {
            None | Some(Ok(Outcome::Fresh | Outcome::NotRenewable)) => return,
            Some(Err(error)) => return self.printer.failure(error),
            Some(Ok(Outcome::Refreshed)) => "was refreshed".to_owned(),
            Some(Ok(Outcome::Adopted)) => "was refreshed by somebody else".to_owned(),
            Some(Ok(Outcome::Transient { reason, .. })) => format!("could not be refreshed now: {reason}"),
            Some(Ok(Outcome::Permanent(because))) => {
                let more = format!("`coffer status --account {name}` says what to do");
                let text = format!("will not be refreshed any more ({because}); {more}");
                let is_known = given_up.as_ref() == Some(&text);
                self.given_up.insert(name.clone(), text.clone());
                if is_known {
                    return;
                }
                text
            }
        };
        self.printer.tell(&format!("`{name}` {text}\n"));
    }

    /// One line for `systemctl status`.
    fn status(&self) -> String {
        let first = self.next.iter().filter_map(|(name, next)| Some(((*next)?, name))).min();
        let due =
            first.and_then(|(at_ms, name)| Some((jiff::Timestamp::from_millisecond(at_ms).ok()?, name)));
        let kept = self.next.values().flatten().count();
        match due {
            Some((at, name)) => {
                format!("keeps {kept} of {} accounts; next: {name} at {at:.0}", self.next.len())
            }
            None => format!("none of {} accounts has a login to be kept", self.next.len()),
        }
    }
}

/// The accounts that are there, the user's own first.
fn names(folder: &Utf8Path) -> Result<Vec<AccountName>, Error> {
    let failed = |source| Error::Store { action: "read", path: folder.to_owned(), source };
    let mut names: Vec<AccountName> = HOST.parse().into_iter().collect();
    for entry in folder.read_dir_utf8().map_err(failed)? {
        let Ok(name) = entry.map_err(failed)?.file_name().parse::<AccountName>() else { continue };
        if !name.is_host() {
            names.push(name);
        }
    }
    Ok(names)
}
