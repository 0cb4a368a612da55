//! One look at an account: its login is renewed when it is due, and when to look again.
//!
//! `coffer serve` looks at all accounts, a live run at its own. However many look at once, one keeper renews and
//! the others adopt.

use camino::Utf8PathBuf;
use coffer_account::keeper::Outcome;
use coffer_account::layout::AccountName;
use coffer_plan::facts::HostFacts;

use crate::error::Error;
use crate::keeping::AccountKeeper;

/// How soon an account is looked at again whose login is still due after a look: it could not be renewed, for a
/// reason that the keepers do not remember.
const STILL_DUE_MS: i64 = 60_000;

/// What a look found.
pub(crate) struct Looked {
    /// What came of it; `None` when the login was not due.
    pub(crate) outcome: Option<Result<Outcome, Error>>,
    /// When to look again, Unix ms; `None` when nothing is to be renewed as the login is now.
    pub(crate) next_ms: Option<i64>,
    /// Where its login is; `None` for an account without one.
    pub(crate) file: Option<Utf8PathBuf>,
}

/// Looks at an account. `unfinished`: a refresh that was cut off is brought to its end, due or not.
pub(crate) fn look_after(account: &AccountName, facts: &HostFacts, unfinished: bool) -> Looked {
    let now_ms = coffer_host::now_ms();
    let keeper = match AccountKeeper::of(account, facts) {
        Ok(Some(keeper)) => keeper,
        // A folder in the making has no record yet.
        Ok(None) | Err(Error::NoAccount { .. }) => {
            return Looked { outcome: None, next_ms: None, file: None };
        }
        Err(error) => {
            return Looked { outcome: Some(Err(error)), next_ms: Some(now_ms + STILL_DUE_MS), file: None };
        }
    };
    let file = Some(keeper.login_path());
    let due = keeper.due_at_ms();
    if !unfinished && due.is_none_or(|due| due > now_ms) {
        return Looked { outcome: None, next_ms: due, file };
    }
    let outcome = keeper.keep(keeper.ahead());
    let now_ms = coffer_host::now_ms();
    let next_ms = match (&outcome, keeper.due_at_ms()) {
        // Nothing is left to be tried, until somebody signs in or the clock is set.
        (Ok(Outcome::Permanent(_) | Outcome::NotRenewable), _) => None,
        (Ok(_), due) => due.map(|due| if due > now_ms { due } else { now_ms + STILL_DUE_MS }),
        (Err(_), _) => Some(now_ms + STILL_DUE_MS),
    };
    Looked { outcome: Some(outcome), next_ms, file }
}
