//! `coffer account`: named logins, keys and tokens.

pub(super) mod add;
pub(crate) mod choose;
mod import;
mod show;

use coffer_account::accounts::{Accounts, Removal};
use coffer_account::layout::AccountName;
use coffer_launch::run::live_runs;
use coffer_ledger::Event;
use coffer_plan::facts::HostFacts;
use serde::Serialize;

use crate::cli::{AccountCommand, AccountRemoveCommand, AccountRenameCommand, AccountVerb};
use crate::commands::ledger;
use crate::error::Error;
use crate::exit::Failure;
use crate::prepare;
use crate::printer::Printer;

pub(crate) fn account(command: &AccountCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base()?;
    match &command.verb {
        AccountVerb::Add(command) => add::add(command, &facts, printer),
        AccountVerb::Import(command) => import::import(command, printer),
        AccountVerb::List(command) => show::list(command, &facts, printer),
        AccountVerb::Show(command) => show::show(command, &facts, printer),
        AccountVerb::Remove(command) => remove(command, &facts, printer),
        AccountVerb::Rename(command) => rename(command, &facts, printer),
        AccountVerb::Use(command) => choose::choose(command, &facts, printer),
    }
}

/// What a change came to, as JSON.
#[derive(Serialize)]
struct Changed<'a> {
    schema: u32,
    account: &'a str,
    change: &'a str,
    /// The new name, the project, or the folder of what was kept.
    to: Option<&'a str>,
}

/// Writes a change down and says it.
fn changed(
    facts: &HostFacts,
    account: &AccountName,
    (change, to): (&str, Option<&str>),
    json: bool,
    printer: &Printer,
) -> Result<(), Error> {
    let event = Event::AccountChanged {
        account: account.to_string(),
        change: change.to_owned(),
        to: to.map(str::to_owned),
    };
    if json {
        printer.json(&Changed { schema: 1, account: account.as_str(), change, to })?;
    }
    // It is done; that it could not be written down is told all the same.
    Ok(ledger::of(facts).append(now(), event).map(drop)?)
}

pub(super) fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(coffer_host::now_ms()).unwrap_or_default()
}

/// An account's name.
pub(super) fn name(text: &str) -> Result<AccountName, Error> {
    text.parse().map_err(|error: coffer_account::layout::BadName| Error::Usage {
        message: error.to_string(),
        more: Vec::new(),
        hint: "`coffer account list`".to_owned(),
    })
}

/// The live runs that use an account.
fn runs(facts: &HostFacts, account: &AccountName) -> Vec<String> {
    let live = live_runs(&facts.folders.runtime).into_iter();
    live.filter(|run| run.about.as_ref().is_none_or(|about| about.account == account.as_str()))
        .map(|run| run.id)
        .collect()
}

fn remove(command: &AccountRemoveCommand, facts: &HostFacts, printer: &Printer) -> Result<u8, Failure> {
    let name = name(&command.name)?;
    let accounts = Accounts::of(&facts.folders.data);
    let agent = if name.is_host() {
        None
    } else {
        let record = accounts.existing(&name).map_err(Error::Accounts)?;
        // An agent whose data file is gone has an account all the same.
        prepare::agent(&record.agent, facts).ok()
    };
    if !command.yes && !name.is_host() {
        let kept =
            if command.purge { "Nothing of it is kept." } else { "A sealed copy of its login is kept." };
        printer.insist(&format!(
            "The account `{name}` goes, with its login, its state and what waits to be adopted. {kept}\n"
        ));
        if printer.typed("type its name to remove it").as_deref() != Some(name.as_str()) {
            return Err(Error::NeedsPerson("nothing was removed").into());
        }
    }
    let login_file = agent.and_then(|agent| agent.login).map(|login| login.file);
    let how = Removal {
        purge: command.purge,
        login_file: login_file.as_deref().unwrap_or(".credentials.json"),
        runs: &runs(facts, &name),
        now_ms: coffer_host::now_ms(),
    };
    let kept = accounts.remove(&name, &how).map_err(Error::Accounts)?;
    match &kept {
        Some(kept) => printer.tell(&format!("`{name}` is removed; what was sealed of it is in {kept}\n")),
        None => printer.tell(&format!("`{name}` is removed\n")),
    }
    let kept = kept.as_ref().map(|kept| kept.as_str());
    changed(facts, &name, ("removed", kept), command.json, printer)?;
    Ok(0)
}

fn rename(command: &AccountRenameCommand, facts: &HostFacts, printer: &Printer) -> Result<u8, Failure> {
    let (old, new) = (name(&command.old)?, name(&command.new)?);
    let accounts = Accounts::of(&facts.folders.data);
    accounts.rename(&old, &new, &runs(facts, &old)).map_err(Error::Accounts)?;
    let followed = choose::follow(facts, &old, &new)?;
    printer.tell(&format!("`{old}` is now `{new}`\n"));
    if followed {
        printer.tell(&format!("your choices in {} follow it\n", facts.folders.config));
    }
    changed(facts, &old, ("renamed", Some(new.as_str())), command.json, printer)?;
    Ok(0)
}
