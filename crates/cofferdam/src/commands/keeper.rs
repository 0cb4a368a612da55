//! `coffer keeper`: what stands beside the services of a generated compose file. It is the keeper's loop and the
//! gateway, each in a process of its own, and sees to it that each service's token is good and lies behind its door.
//!
//! It ends when it is told to, or with the first of the two: whoever started it starts it anew.

mod doors;

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::process::{Command, Stdio};

use camino::Utf8Path;
use coffer_account::layout::{AccountFolder, accounts};
use coffer_account::waiter::Waiter;
use coffer_account::watch::LoginWatch;
use coffer_host::now_ms;
use coffer_plan::facts::HostFacts;
use coffer_plan::stack::SOCKET;
use coffer_sys::signals::SignalEvents;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process};

use super::stack_error::StackError;
use crate::cli::KeeperCommand;
use crate::error::Error;
use crate::exit::Failure;
use crate::gateway::alone::AloneError;
use crate::printer::Printer;
use doors::Doors;

/// The longest sleep: what could not be watched is looked at again.
const LONGEST_MS: i64 = 10 * 60_000;
/// The signals that end it, and its children's ends.
const SIGNALS: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::CHILD];

pub(crate) fn keeper(command: &KeeperCommand, printer: &Printer) -> Result<u8, Failure> {
    if command.check {
        return check(&command.doors);
    }
    let facts = coffer_host::base().map_err(Error::from)?;
    // Before any thread or process is made, so that all of them leave the signals to us.
    let signals = SignalEvents::block(&SIGNALS).map_err(|source| Error::Watch { source })?;
    coffer_sys::signals::heed_children();
    let mut doors = Doors::open(command, &facts, printer).map_err(AloneError::from)?;
    let mut crew = Crew { members: Vec::new() };
    let kept = crew.start(command, &facts).and_then(|()| keep(&mut doors, &mut crew, &signals, &facts));
    // Whatever happened: none of the two goes on alone.
    let ended = crew.end(&signals);
    let code = kept?;
    ended?;
    Ok(code)
}

/// Until it is told to end, or one of the two ends by itself.
fn keep(
    doors: &mut Doors<'_>,
    crew: &mut Crew,
    signals: &SignalEvents,
    facts: &HostFacts,
) -> Result<u8, Error> {
    let watching = |source| Error::Watch { source };
    let waiter = Waiter::new().map_err(watching)?;
    let folder = accounts(&facts.folders.data);
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|source| Error::Store { action: "make", path: folder, source })?;
    loop {
        // Watched before they are looked at: no change goes unseen. An account that is new is another watch then.
        let watches = watches(doors, facts);
        let next_ms = doors.look();
        loop {
            match signals.next().map_err(watching)? {
                Some(caught) if caught.signal == Signal::CHILD.as_raw() => {
                    if let Some(name) = crew.reap()? {
                        return Err(StackError::MemberLost { name }.into());
                    }
                }
                Some(_) => return Ok(0),
                None => break,
            }
        }
        let mut others = vec![signals.as_fd()];
        others.extend(watches.iter().map(|watch| watch.as_fd()));
        let at_ms = next_ms.min(now_ms().saturating_add(LONGEST_MS));
        waiter.until(Some(at_ms), &others).map_err(watching)?;
    }
}

/// What tells that an account has changed: its record, and that it is made or taken away.
fn watches(doors: &Doors<'_>, facts: &HostFacts) -> Vec<LoginWatch> {
    let folder = |account| AccountFolder::new(&facts.folders.data, account);
    let records = doors.accounts().map(|account| folder(account).record());
    let made = doors.accounts().map(|account| folder(account).root().to_owned());
    records.chain(made).filter_map(|path| LoginWatch::new(&path).ok()).collect()
}

/// The keeper's loop and the gateway.
struct Crew {
    /// Those who are at work.
    members: Vec<(&'static str, Pid)>,
}

impl Crew {
    fn start(&mut self, command: &KeeperCommand, facts: &HostFacts) -> Result<(), Error> {
        let mut gateway = vec!["gateway".to_owned()];
        for served in &command.services {
            let socket = command.doors.join(served.service.as_str()).join(SOCKET);
            gateway.extend(["--listen".to_owned(), format!("unix:{socket}")]);
        }
        for (name, words) in [("serve", vec!["serve".to_owned()]), ("gateway", gateway)] {
            let mut member = Command::new(&facts.coffer);
            member.args(words).stdin(Stdio::null());
            // By it the child starts with no signal blocked; and no key of a terminal is meant for it.
            coffer_sys::process::new_session(&mut member, None);
            let child = member.spawn();
            let child = child.map_err(|source| Error::Store {
                action: "start",
                path: facts.coffer.clone(),
                source,
            })?;
            // Who has ended is learned by us alone, together with what others left to a container's first process.
            self.members
                .extend(i32::try_from(child.id()).ok().and_then(Pid::from_raw).map(|pid| (name, pid)));
        }
        Ok(())
    }

    /// Takes in who has ended; the first one that is ours.
    fn reap(&mut self) -> Result<Option<&'static str>, Error> {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, _))) => {
                    if let Some(at) = self.members.iter().position(|(_, member)| *member == pid) {
                        return Ok(Some(self.members.remove(at).0));
                    }
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(Errno::CHILD) => return Ok(None),
                Err(errno) => return Err(Error::Watch { source: errno.into() }),
            }
        }
    }

    /// Asks those who are left to end, and waits for that: a renewal that is under way comes to its end.
    fn end(&mut self, signals: &SignalEvents) -> Result<(), Error> {
        let failed = |source: io::Error| Error::Watch { source };
        for (_, pid) in &self.members {
            kill_process(*pid, Signal::TERM).map_err(|errno| failed(errno.into()))?;
        }
        let waiter = Waiter::new().map_err(failed)?;
        while !self.members.is_empty() {
            if self.reap()?.is_none() {
                waiter.until(None, &[signals.as_fd()]).map_err(failed)?;
                while signals.next().map_err(failed)?.is_some() {}
            }
        }
        Ok(())
    }
}

/// Whether the gateway answers at every door.
fn check(doors: &Utf8Path) -> Result<u8, Failure> {
    let failed = |source| Error::Store { action: "read", path: doors.to_owned(), source };
    let mut found = 0;
    for entry in doors.read_dir_utf8().map_err(failed)? {
        let socket = entry.map_err(failed)?.path().join(SOCKET);
        super::enter::answers(&socket)?;
        found += 1;
    }
    match found {
        0 => Err(StackError::NoDoor { folder: doors.to_owned() }.into()),
        _ => Ok(0),
    }
}
