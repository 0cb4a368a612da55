//! Goes along with a sign-in: when all of its processes are gone, the state that it left is adopted.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use coffer_account::capture::Captured;
use coffer_account::read;
use coffer_account::secret::Secret;
use coffer_launch::launch::Gateway;
use coffer_launch::run::{Companion, Run, RunError};
use coffer_launch::supervise::Ended;
use coffer_ledger::Event;
use coffer_plan::facts::HostFacts;
use coffer_plan::sign_in::shape::MAX_LOGIN_BYTES;

use crate::adoption::{Attempt, Target};
use crate::commands::exec_launch::code_of;
use crate::commands::ledger;
use crate::gateway::Gatekeeper;

/// The ledger's word for where such a login comes from.
pub(super) const FROM: &str = "sign_in";
/// Largest log of the agent that is taken over, in bytes.
const MAX_LOG_BYTES: usize = 16 * 1024 * 1024;

/// What a sign-in left.
#[derive(Default)]
pub(super) struct Left {
    /// What came of the adoption; `None` when there was no state to look at.
    pub(super) attempt: Option<Attempt>,
    /// How the agent ended.
    pub(super) ended: Option<u8>,
    /// The agent's own log.
    pub(super) log: Option<Secret>,
    /// The login as it was made: what must not be in any log.
    pub(super) login: Option<Secret>,
}

/// Goes along with a sign-in.
pub(super) struct SignIn<'a> {
    target: &'a Target,
    facts: &'a HostFacts,
    /// Lets the sign-in out of a container, to the API's hosts and nobody else.
    gatekeeper: &'a Gatekeeper,
    /// The agent's own log in the state, when it is wanted.
    log: Option<&'a str>,
    left: Mutex<Left>,
}

impl<'a> SignIn<'a> {
    pub(super) fn new(
        target: &'a Target,
        facts: &'a HostFacts,
        gatekeeper: &'a Gatekeeper,
        log: Option<&'a str>,
    ) -> Self {
        Self { target, facts, gatekeeper, log, left: Mutex::default() }
    }

    pub(super) fn into_left(self) -> Left {
        self.left.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, event: Event) {
        // A ledger that cannot be written must not cost a login; `doctor` tells of it.
        let at = jiff::Timestamp::from_millisecond(coffer_host::now_ms()).unwrap_or_default();
        drop(ledger::of(self.facts).append(at, event));
    }
}

impl Companion for SignIn<'_> {
    fn open_gateway(&self, run: &str, gateway: &Gateway, init: OwnedFd) -> Result<(), RunError> {
        self.gatekeeper.open(run, gateway, init)
    }

    fn accompany(&self, run: &Run<'_>) {
        if let Some(about) = run.about.cloned() {
            self.note(Event::RunStarted {
                run: run.id.to_owned(),
                agent: about.agent,
                project: about.project,
                account: self.target.name.to_string(),
                auth: about.auth,
            });
        }
    }

    fn settle(&self, run: &Run<'_>, ended: Option<&Ended>) {
        drop(self.gatekeeper.close());
        let code = code_of_end(ended);
        self.note(Event::RunEnded { run: run.id.to_owned(), code: i32::from(code) });
        let Some(state) = &run.state else { return };
        let read = |name: &str, limit| {
            let found = read::file(state.folder, name, limit).ok()?;
            Some(Secret::new(found.content.to_vec()))
        };
        let log = self.log.and_then(|name| read(name, MAX_LOG_BYTES));
        let login = read(&self.target.rules.login_file, MAX_LOGIN_BYTES);
        let captured = Captured { state: Some(state.folder), ..Captured::default() };
        let attempt = Some(self.target.adopt(&captured, FROM, self.facts));
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) =
            Left { attempt, ended: Some(code), log, login };
    }
}

fn code_of_end(ended: Option<&Ended>) -> u8 {
    ended.map_or(crate::exit::BEFORE_START, code_of)
}
