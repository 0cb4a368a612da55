//! `coffer refresh`: one account's login is renewed by the genuine client, if it is due.

use coffer_account::keeper::{Need, Outcome};
use coffer_account::layout::AccountName;
use serde::Serialize;

use crate::cli::RefreshCommand;
use crate::error::Error;
use crate::exit::{Failure, NEEDS_PERSON, NO};
use crate::keeping::AccountKeeper;
use crate::prepare::chosen_account;
use crate::printer::Printer;

/// What is printed as JSON.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    account: &'a str,
    outcome: &'static str,
    /// Why not, in words.
    error: Option<String>,
    /// When it may be tried again, in ms from now.
    retry_after_ms: Option<i64>,
    /// When the access token ends, Unix ms.
    access_expires_at_ms: Option<i64>,
}

pub(crate) fn refresh(command: &RefreshCommand, printer: &Printer) -> Result<u8, Failure> {
    let account = chosen_account(command.account.as_deref())?;
    let account: AccountName = account.parse().map_err(Error::BadAccountName)?;
    let facts = coffer_host::base().map_err(Error::from)?;
    let Some(keeper) = AccountKeeper::of(&account, &facts)? else {
        return Err(Error::NothingToRefresh { account: account.to_string() }.into());
    };
    let need = match (command.now, command.if_expiring) {
        (true, _) => Need::Newer,
        (false, Some(ms)) => Need::EndsNotWithin(ms),
        (false, None) => keeper.ahead(),
    };
    let outcome = keeper.keep(need)?;
    let login = keeper.login();
    let end = login.as_ref().and_then(|login| login.details()?.expires_at_ms);
    let (word, error, retry_after_ms) = match &outcome {
        Outcome::Fresh => ("fresh", None, None),
        Outcome::Refreshed => ("ok", None, None),
        Outcome::Adopted => ("adopted", None, None),
        Outcome::Transient { retry_after_ms, reason } => {
            ("transient", Some(reason.clone()), Some(*retry_after_ms))
        }
        Outcome::Permanent(because) => ("permanent", Some(format!("refused for good: {because}")), None),
        Outcome::NotRenewable => ("not_renewable", Some("there is no login to be renewed".to_owned()), None),
    };
    if command.json {
        let account = account.as_str();
        let access_expires_at_ms = end;
        printer.json(&Document {
            schema: 1,
            account,
            outcome: word,
            error,
            retry_after_ms,
            access_expires_at_ms,
        })?;
    } else {
        printer.tell(&told(account.as_str(), &outcome, end, &keeper.sign_in_command()));
    }
    Ok(match outcome {
        Outcome::Fresh | Outcome::Refreshed | Outcome::Adopted => 0,
        Outcome::Transient { .. } => NO,
        Outcome::Permanent(_) | Outcome::NotRenewable => NEEDS_PERSON,
    })
}

/// The outcome for people.
fn told(account: &str, outcome: &Outcome, end: Option<i64>, login: &str) -> String {
    let left = end.map(|end| end.saturating_sub(coffer_host::now_ms()) / 60_000);
    let lives =
        left.map(|left| format!(" The access token lives for another {left} min.")).unwrap_or_default();
    match outcome {
        Outcome::Fresh => format!("`{account}` is fresh; nothing was done.{lives}\n"),
        Outcome::Refreshed => format!("`{account}` was refreshed.{lives}\n"),
        Outcome::Adopted => format!("`{account}` had just been refreshed by somebody else.{lives}\n"),
        Outcome::Transient { retry_after_ms, reason } => {
            format!(
                "`{account}` could not be refreshed now: {reason}. Again in {} s.{lives}\n",
                retry_after_ms / 1000
            )
        }
        Outcome::Permanent(because) => {
            format!("`{account}` will not be refreshed any more ({because}).{lives}\nhint: {login}\n")
        }
        Outcome::NotRenewable => {
            format!("`{account}` has no login that could be refreshed.{lives}\nhint: {login}\n")
        }
    }
}
