//! What goes along with a run on the host: the record of it, the renewal of its lease, and a look at what it
//! leaves behind.
//!
//! Nothing of it ends a run that works, and nothing of it prints while the agent has the terminal: what went wrong
//! is told at the end. When a login is dead for good, the agent says so itself at its next request, and `coffer`
//! says at the end what to do. An agent without a person at it would retry for a long time; it is ended (`SIGTERM`)
//! once its token has been dead for [`GRACE_MS`].

mod gateway;
mod git_config;
pub(crate) mod inventory;
pub(crate) mod kept;
mod settle;
#[cfg(test)]
mod tests;
pub(crate) mod unseen;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use camino::Utf8Path;
use coffer_account::beneath::look;
use coffer_account::lease::Mark;
use coffer_account::publish::{Published, Publisher};
use coffer_account::renewal::{Next, Told, follow, renew_in_time};
use coffer_account::secret::Secret;
use coffer_launch::launch::{About, Gateway, KeyAgents, Launch};
use coffer_launch::run::{Companion, Kept, Leased, Run, RunError};
use coffer_launch::supervise::Ended;
use coffer_ledger::{Event, Ledger};
use coffer_plan::facts::HostFacts;
use coffer_plan::plan::Reference;
use indicatif::{ProgressBar, ProgressStyle};
use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

use crate::commands::exec_launch::code_of;
use crate::error::Error;
use crate::gateway::{Gatekeeper, Heard};
use crate::key_agents::KeyGuard;
use crate::prepare;
use crate::printer::Printer;
use crate::quarantine::Quarantine;
use crate::resolver::read_login;
use crate::upkeep::look_after;
use inventory::{Inventory, Watch};
use settle::Left;

/// How long an agent without a person at it goes on with a dead token.
const GRACE_MS: i64 = 15_000;
/// No login is due earlier than this before its token ends: until then the keeper is not asked.
const EARLY_MS: i64 = 25 * 60_000;
/// How soon the end of a token is looked at again that should have been renewed by then.
const AGAIN_MS: i64 = 10_000;

/// Goes along with one run.
pub(crate) struct RunCompanion<'a> {
    facts: &'a HostFacts,
    ledger: Ledger,
    /// Whether the agent is ended when it can do nothing any more.
    may_end: bool,
    host: HostSide,
    /// What is to be told at the end.
    trouble: Mutex<Vec<Error>>,
    /// What the run left behind.
    left: Mutex<Vec<Left>>,
    /// Shown while a state is copied, on a terminal.
    copying: Mutex<Option<ProgressBar>>,
    gatekeeper: &'a Gatekeeper,
    /// The filters in front of the user's keys.
    keys: KeyGuard,
    /// What the gateway did.
    heard: Mutex<Option<Heard>>,
    /// Whether everybody could be reached, so that the user learns who was.
    learns: bool,
    /// What of the project is looked at again, where it was looked at before.
    watch: Option<Watch>,
    started_ms: i64,
    /// What the run did to git's configuration.
    configs: Mutex<Vec<git_config::Settled>>,
    /// What appeared in the project.
    inventory: Mutex<Inventory>,
    /// The end of the run, until it is written down.
    ended: Mutex<Option<(jiff::Timestamp, Event)>>,
}

/// The clock, and the way to end the run.
#[derive(Clone, Copy)]
struct HostSide {
    now_ms: fn() -> i64,
    end: fn() -> Result<(), Errno>,
}

impl Default for HostSide {
    fn default() -> Self {
        // To ourselves: the supervisor passes it on, as if a person had typed `kill`.
        Self { now_ms: coffer_host::now_ms, end: || kill_process(getpid(), Signal::TERM) }
    }
}

impl<'a> RunCompanion<'a> {
    /// For a run on this machine.
    ///
    /// Only the agent itself is ended, and only where no person is at it: another command may have other work than
    /// to ask the API.
    pub(crate) fn new(
        launch: &Launch,
        facts: &'a HostFacts,
        attended: bool,
        gatekeeper: &'a Gatekeeper,
    ) -> Self {
        let ledger = crate::commands::ledger::of(facts);
        let may_end = !attended && runs_agent(launch, facts);
        Self {
            facts,
            ledger,
            may_end,
            host: HostSide::default(),
            trouble: Mutex::default(),
            left: Mutex::default(),
            copying: Mutex::default(),
            gatekeeper,
            keys: KeyGuard::default(),
            heard: Mutex::default(),
            learns: launch.gateway().is_some_and(|gateway| gateway.open),
            watch: None,
            started_ms: coffer_host::now_ms(),
            configs: Mutex::default(),
            inventory: Mutex::default(),
            ended: Mutex::default(),
        }
    }

    /// The project is looked at again at the end.
    pub(crate) fn watching(self, watch: Option<Watch>) -> Self {
        Self { watch, ..self }
    }

    /// What the run did to what the host runs later.
    fn look_at_project(&self, run: &Run<'_>) {
        let Some(about) = run.about else { return };
        let mut quarantine = Quarantine::new(self.facts, run.id, &about.project);
        for copy in &run.configs {
            match git_config::settle(copy, self.facts, &mut quarantine) {
                Ok(settled) => {
                    self.configs.lock().unwrap_or_else(PoisonError::into_inner).extend(settled);
                }
                Err(error) => self.trouble(error),
            }
        }
        let Some(watch) = &self.watch else { return };
        match inventory::take(self.facts, watch, self.started_ms, run.places, &mut quarantine) {
            Ok(found) => {
                *self.inventory.lock().unwrap_or_else(PoisonError::into_inner) = found;
            }
            Err(error) => self.trouble(error),
        }
    }

    /// Writes down that a working copy was merged back.
    pub(crate) fn kept(&self, kept: &Kept) {
        let Kept { run, state, added, changed, removed, conflicts, stays, skipped } = kept;
        self.note(Event::StateKept {
            run: run.clone(),
            state: state.clone(),
            added: added.len() as u64,
            changed: changed.len() as u64,
            removed: removed.len() as u64,
            conflicts: conflicts.len() as u64,
            skipped: (stays.len() + skipped.len()) as u64,
        });
    }

    /// The terminal is the agent's from here on, or the shell's.
    fn copied(&self) {
        if let Some(bar) = self.copying.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }

    /// Tells what went wrong, and what the run left behind. Why the gateway could not begin is the caller's to tell.
    pub(crate) fn report(self, printer: &Printer) -> Option<Error> {
        self.copied();
        // A run that never came so far as to settle leaves it to us.
        let heard = self.heard.into_inner().unwrap_or_else(PoisonError::into_inner);
        let heard = heard.or_else(|| self.gatekeeper.close());
        self.keys.close();
        self.keys.report(printer);
        let unable = heard.and_then(|heard| gateway::report(&heard, self.learns, printer));
        for error in self.trouble.into_inner().unwrap_or_else(PoisonError::into_inner) {
            printer.failure(&error);
        }
        for settled in self.configs.into_inner().unwrap_or_else(PoisonError::into_inner) {
            settled.report(printer);
        }
        self.inventory.into_inner().unwrap_or_else(PoisonError::into_inner).report(printer);
        for left in self.left.into_inner().unwrap_or_else(PoisonError::into_inner) {
            left.report(printer);
        }
        unable
    }

    /// Each kind of trouble is told once, with its first cause.
    fn trouble(&self, error: Error) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = |error: &Error| error.findings().first().map(|finding| finding.code);
        if trouble.iter().all(|known| kind(known) != kind(&error)) {
            trouble.push(error);
        }
    }

    /// Writes an event down. A ledger that cannot be written stops no run.
    fn note(&self, event: Event) {
        self.note_at(self.now(), event);
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond((self.host.now_ms)()).unwrap_or_default()
    }

    fn note_at(&self, at: jiff::Timestamp, event: Event) {
        if let Err(error) = self.ledger.append(at, event) {
            self.trouble(Error::Ledger(error));
        }
    }

    /// Keeps the lease as good as the login is, until the run ends.
    fn renew(&self, run: &Run<'_>, lease: &Leased<'_>) {
        let Reference::Lease { file, .. } = lease.source else { return };
        let mut publisher = match Publisher::new(lease.folder, lease.name, lease.first) {
            Ok(publisher) => publisher,
            Err(source) => return self.trouble(Error::LeaseRenewal(Box::new(source))),
        };
        std::thread::scope(|scope| {
            let renews = || {
                let mut keep = || self.keep_all(run, lease);
                if let Err(source) = renew_in_time(&mut keep, run.stop) {
                    self.trouble(Error::LeaseRenewal(Box::new(source)));
                }
            };
            if let Err(source) = std::thread::Builder::new().spawn_scoped(scope, renews) {
                self.trouble(Error::Run(RunError::Companion(source)));
            }
            let tell = |told| self.tell(run, told);
            let account = run.about.map_or(coffer_account::layout::HOST, |about| &about.account);
            if let Err(source) = follow(&mut publisher, file, &|| read(account, file), run.stop, &tell) {
                self.trouble(Error::LeaseRenewal(Box::new(source)));
            }
        });
    }

    fn tell(&self, run: &Run<'_>, told: Told) {
        match told {
            Told::Published(Published::Replaced { expires_at_ms }) => self.note(Event::LeasePublished {
                run: run.id.to_owned(),
                account: run.about.map_or_else(String::new, |about| about.account.clone()),
                expires_at_ms,
            }),
            // The agent's own affair; a sign-in is seen at the end.
            Told::Published(Published::Unchanged | Published::LeftAlone(_)) => {}
            Told::NotPublished(source) => self.trouble(Error::LeaseRenewal(Box::new(source))),
            Told::NotWatched(source) => self.trouble(Error::LeaseRenewal(Box::new(source))),
        }
    }

    /// Sees to the login, and then to the agent.
    fn keep_all(&self, run: &Run<'_>, lease: &Leased<'_>) -> Next {
        let due = self.renew_login(run, lease);
        match (self.keep(run, lease), due) {
            (Next::At(at_ms), Some(due)) => Next::At(at_ms.min(due)),
            (next, _) => next,
        }
    }

    /// Lets the keeper renew the account's login when it is due; when to ask again, Unix ms. What comes of it is
    /// published by whoever follows the file.
    fn renew_login(&self, run: &Run<'_>, lease: &Leased<'_>) -> Option<i64> {
        let now_ms = (self.host.now_ms)();
        let ahead = token_end(lease)?.saturating_sub(EARLY_MS);
        if ahead > now_ms {
            return Some(ahead);
        }
        let account = run.about?.account.parse().ok()?;
        let looked = look_after(&account, self.facts, false);
        if let Some(Err(error)) = looked.outcome {
            self.trouble(error);
        }
        // Not at once again, whatever the clock says.
        looked.next_ms.map(|next| next.max(now_ms + AGAIN_MS))
    }

    /// Sees to the end of the token that the agent has, and ends an agent that nobody looks at and whose token is dead.
    fn keep(&self, run: &Run<'_>, lease: &Leased<'_>) -> Next {
        let now_ms = (self.host.now_ms)();
        let Some(end_ms) = token_end(lease) else { return Next::Never };
        if end_ms > now_ms {
            return Next::At(end_ms);
        }
        if !self.may_end || !wins(run) {
            // It may still be renewed, and then ends anew; but nobody has to be ended.
            return Next::At(now_ms + AGAIN_MS);
        }
        if end_ms + GRACE_MS > now_ms {
            return Next::At(end_ms + GRACE_MS);
        }
        if let Err(errno) = (self.host.end)() {
            self.trouble(Error::LeaseRenewal(Box::new(std::io::Error::from(errno))));
        }
        Next::Never
    }
}

impl Companion for RunCompanion<'_> {
    fn open_gateway(&self, run: &str, gateway: &Gateway, init: OwnedFd) -> Result<(), RunError> {
        self.gatekeeper.open(run, gateway, init)
    }

    fn open_key_agents(&self, run: &str, folder: BorrowedFd<'_>, agents: &KeyAgents) -> Result<(), RunError> {
        self.keys.open(run, folder, agents)
    }

    fn copying(&self, files: u64) {
        let mut bar = self.copying.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bar.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} copying the state: {human_pos} files");
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        bar.set_position(files);
    }

    fn accompany(&self, run: &Run<'_>) {
        self.copied();
        if let Some(About { agent, project, account, auth, .. }) = run.about.cloned() {
            self.note(Event::RunStarted { run: run.id.to_owned(), agent, project, account, auth });
        }
        if let Some(lease) = &run.lease {
            self.renew(run, lease);
        }
    }

    fn settle(&self, run: &Run<'_>, ended: Option<&Ended>) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = self.gatekeeper.close();
        self.keys.close();
        if run.about.is_some() {
            let code = i32::from(ended.map_or(crate::exit::BEFORE_START, code_of));
            let event = Event::RunEnded { run: run.id.to_owned(), code };
            *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some((self.now(), event));
        }
        self.look_at_project(run);
        let (left, error) = settle::look(run, self.facts);
        error.into_iter().for_each(|error| self.trouble(error));
        if left.is_none()
            && let Some(lease) = &run.lease
            && wins(run)
            && let Some(about) = run.about
            && token_end(lease).is_some_and(|end_ms| end_ms <= (self.host.now_ms)())
        {
            let agent = prepare::agent(&about.agent, self.facts).ok();
            let mend = agent.map(|agent| agent.sign_in_command(&about.account));
            self.trouble(Error::LoginEnded { account: about.account.clone(), mend });
        }
        self.left.lock().unwrap_or_else(PoisonError::into_inner).extend(left);
    }

    /// What is synced to the disk would hold up whatever is removed meanwhile: so it comes last.
    fn over(&self) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((at, event)) = ended {
            self.note_at(at, event);
        }
    }
}

/// When the token ends that the agent has now; `None` when it does not, or is none of ours.
fn token_end(lease: &Leased<'_>) -> Option<i64> {
    let seen = look(lease.folder, lease.name);
    Mark::of(seen.content()?).ok()?.expires_at_ms
}

/// The account's login file; nothing when it cannot be read this moment. In a named account's folder another
/// run, which shares the login, may have put a link to somebody else's: it is not followed.
fn read(account: &str, file: &Utf8Path) -> Option<Secret> {
    let content = read_login(&account.parse().ok()?, file).ok()?;
    Some(Secret::new(content.to_vec()))
}

/// Whether the account's login is what the agent uses.
fn wins(run: &Run<'_>) -> bool {
    run.about.is_some_and(|about| about.login_wins)
}

/// Whether the agent itself is run, and no other command.
fn runs_agent(launch: &Launch, facts: &HostFacts) -> bool {
    let agent = launch.about().and_then(|about| prepare::agent(&about.agent, facts).ok());
    let program = agent.and_then(|agent| agent.command.into_iter().next());
    let command = launch.command();
    command.as_deref().and_then(|path| Utf8Path::new(path).file_name()) == program.as_deref()
}
