//! What a run leaves behind, looked at when all of its processes are gone: a sign-in that was made inside.
//!
//! It is never adopted on its own: the login of an account is a person's to choose, and whoever was at the agent's
//! keyboard may have been the agent.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::beneath;
use coffer_account::layout::{AccountFolder, AccountName};
use coffer_account::made_inside::{MadeInside, email};
use coffer_account::pending;
use coffer_account::seal::Seal;
use coffer_launch::run::Run;
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;

use crate::error::Error;
use crate::prepare;
use crate::printer::Printer;

/// A sign-in that a run left behind.
pub(super) struct Left {
    account: String,
    made: MadeInside,
    email: Option<String>,
    kept: Kept,
}

/// Where it is now.
enum Kept {
    /// With the state, where the next run finds it.
    State,
    /// In the account's folder.
    Pending(Utf8PathBuf),
    /// Nowhere; that was told.
    Lost,
}

/// Looks for a sign-in that was made inside. One in the lease folder, which goes with the run, is taken out.
pub(super) fn look(run: &Run<'_>, facts: &HostFacts) -> (Option<Left>, Option<Error>) {
    let leased = run.lease.as_ref();
    let in_lease = leased.map(|lease| (beneath::look(lease.folder, lease.name), lease.first));
    let in_lease = in_lease.and_then(|(seen, first)| MadeInside::of(seen, Some(first)));
    let in_state = run.state.as_ref().filter(|_| in_lease.is_none());
    let in_state = in_state.map(|state| (beneath::look(state.folder, state.name), state.first));
    let in_state = in_state.and_then(|(seen, first)| MadeInside::of(seen, first));
    let account = run.about.map_or(coffer_account::layout::HOST, |about| &about.account).to_owned();
    let email = address(run, facts);
    match (in_lease, in_state) {
        (Some(made), _) => {
            let (kept, error) = keep(&account, &made, facts);
            (Some(Left { account, made, email, kept }), error)
        }
        (None, Some(made)) => (Some(Left { account, made, email, kept: Kept::State }), None),
        (None, None) => (None, None),
    }
}

fn keep(account: &str, made: &MadeInside, facts: &HostFacts) -> (Kept, Option<Error>) {
    // An account of another name has no folder: what was made there waits with the host's own.
    let name = account.parse().unwrap_or_else(|_| AccountName::host());
    let folder = AccountFolder::new(&facts.folders.data, &name);
    let login = made.login_alone().zip(made.details.fingerprint.as_deref());
    let kept = login.map(|(login, fingerprint)| {
        let seal = Seal::open_or_make(&facts.folders.data).map_err(pending::PendingError::from)?;
        pending::keep(&folder, &seal, &login, fingerprint)
    });
    match kept {
        Some(Ok(path)) => (Kept::Pending(path), None),
        Some(Err(error)) => (Kept::Lost, Some(error.into())),
        None => (Kept::Lost, None),
    }
}

/// The address in the agent's own file of the state.
fn address(run: &Run<'_>, facts: &HostFacts) -> Option<String> {
    let agent = prepare::agent(&run.about?.agent, facts).ok()?;
    let file = agent.settings.mcp?.state_file;
    email(beneath::look(run.state.as_ref()?.folder, &file).content()?)
}

/// The command that adopts it. The user's own login is the client's to make, so that it becomes another account.
fn adopting(account: &str, path: &Utf8Path) -> String {
    match account {
        coffer_account::layout::HOST => {
            format!(
                "`coffer account import NAME {path}` makes it an account of its own, with a name of your choice"
            )
        }
        name => format!("`coffer account import {name} {path}` adopts it"),
    }
}

impl Left {
    /// Says whose it is and what can be done with it.
    pub(super) fn report(&self, printer: &Printer) {
        let details = &self.made.details;
        let mut about = vec![format!("scopes {}", details.scopes.join(" "))];
        about.extend(details.subscription.iter().map(|subscription| format!("subscription {subscription}")));
        about.extend(details.fingerprint.iter().cloned());
        about.extend(self.email.iter().map(|email| format!("{email}, as it says itself")));
        let mut text = format!("A sign-in was made inside this run: {}\n", printable(&about.join("; ")));
        match &self.kept {
            Kept::State => text.push_str(
                "It stays in this state, where the next run finds it, and is no account of Cofferdam's.\n",
            ),
            Kept::Pending(path) => text.push_str(&format!(
                "It was not adopted. It waits in `{path}`.\nhint: {}\n",
                adopting(&self.account, path)
            )),
            Kept::Lost => {}
        }
        printer.insist(&text);
    }
}
