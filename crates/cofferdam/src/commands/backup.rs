//! `coffer backup`: sealed copies of logins, and whole accounts in sealed files.

mod create;
mod judge;
mod restore;
mod verify;

use coffer_account::accounts::{Accounts, AccountsError};
use coffer_account::backup::Identities;
use coffer_account::copies::{Copies, CopiesError, Copy};
use coffer_account::layout::{AccountFolder, AccountName};
use coffer_account::record::{AccountRecord, RECORD_SCHEMA};
use coffer_account::seal::Opener;
use coffer_account::secret::Secret;
use coffer_ledger::Event;
use coffer_plan::agent::CredentialKind;
use coffer_plan::facts::HostFacts;
use serde::Serialize;

use crate::cli::{BackupCommand, BackupListCommand, BackupPruneCommand, BackupVerb, OpenFlags};
use crate::commands::account::{add, name, now};
use crate::commands::ledger;
use crate::error::Error;
use crate::exit::Failure;
use crate::prepare::chosen_account;
use crate::printer::Printer;
use crate::typed;

pub(crate) fn backup(command: &BackupCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base()?;
    match &command.verb {
        BackupVerb::Create(command) => create::create(command, &facts, printer),
        BackupVerb::List(command) => list(command, &facts, printer),
        BackupVerb::Verify(command) => verify::verify(command, &facts, printer),
        BackupVerb::Restore(command) => restore::restore(command, &facts, printer),
        BackupVerb::Prune(command) => prune(command, &facts, printer),
    }
}

/// A copy as it is printed.
#[derive(Serialize)]
struct Shown {
    id: String,
    at: Option<jiff::Timestamp>,
    why: &'static str,
    fingerprint: Option<String>,
    grew_from: Option<String>,
    lineage: Option<String>,
}

impl From<Copy> for Shown {
    fn from(copy: Copy) -> Self {
        let Copy { id, at_ms, why, fingerprint, grew_from, lineage, digest: _ } = copy;
        let at = jiff::Timestamp::from_millisecond(at_ms).ok();
        Self { id, at, why: why.word(), fingerprint, grew_from, lineage }
    }
}

#[derive(Serialize)]
struct List {
    schema: u32,
    account: String,
    copies: Vec<Shown>,
}

/// The account that was named, or else the one that is chosen here.
fn account(named: Option<&str>) -> Result<AccountName, Error> {
    name(&chosen_account(named)?)
}

/// The account's own copies; the account has to be there.
fn copies(account: &AccountName, facts: &HostFacts) -> Result<Copies, Error> {
    record(account, facts)?;
    Ok(Copies::of(&AccountFolder::new(&facts.folders.data, account)))
}

fn of_copies(error: CopiesError) -> Error {
    Error::Accounts(AccountsError::Copies(error))
}

/// What an account is; the user's own login is one without a record, too.
fn record(account: &AccountName, facts: &HostFacts) -> Result<AccountRecord, Error> {
    let accounts = Accounts::of(&facts.folders.data);
    match accounts.record(account).map_err(Error::Accounts)? {
        Some(record) => Ok(record),
        None if account.is_host() => Ok(AccountRecord {
            schema: RECORD_SCHEMA,
            name: account.clone(),
            agent: "claude".to_owned(),
            kind: CredentialKind::Subscription,
            created_at_ms: coffer_host::now_ms(),
            base_url: None,
            model: None,
            timeout_ms: None,
            helper: None,
            marker: None,
            refused: None,
        }),
        None => Err(Error::Accounts(AccountsError::Unknown { name: account.clone() })),
    }
}

fn write_down(facts: &HostFacts, account: &AccountName, change: &str, copy: &str) -> Result<(), Error> {
    let (account, change, copy) = (account.to_string(), change.to_owned(), copy.to_owned());
    Ok(ledger::of(facts).append(now(), Event::Backup { account, change, copy }).map(drop)?)
}

/// A passphrase from stdin, or from a person who types it unseen, and twice when it is a new one.
fn passphrase(is_new: bool) -> Result<Secret, Error> {
    use std::io::IsTerminal as _;
    if !std::io::stdin().is_terminal() {
        return add::checked(add::piped()?);
    }
    let typed = typed::unseen("passphrase (it is not shown): ").map_err(Error::SecretUnread)?;
    if is_new && *typed != *typed::unseen("once more: ").map_err(Error::SecretUnread)? {
        return Err(Error::NeedsPerson("the two passphrases differ"));
    }
    add::checked(typed)
}

/// Who opens files, as it was said.
fn identities(open: &OpenFlags, facts: &HostFacts) -> Result<Identities, Error> {
    match &open.identity {
        Some(file) => Ok(Identities::file(file)?),
        None if open.passphrase => Ok(Identities::passphrase(&passphrase(false)?)),
        None => Ok(Identities::own(&Opener::of(&facts.folders.data)?)),
    }
}

fn list(command: &BackupListCommand, facts: &HostFacts, printer: &Printer) -> Result<u8, Failure> {
    let account = account(command.account.as_deref())?;
    let copies = copies(&account, facts)?.list().map_err(of_copies)?;
    let copies: Vec<Shown> = copies.into_iter().map(Shown::from).collect();
    if command.json {
        printer.json(&List { schema: 1, account: account.to_string(), copies })?;
    } else if copies.is_empty() {
        printer.tell("there are no copies\n");
    } else {
        let line = |copy: &Shown| {
            let at = copy.at.map(|at| at.to_string()).unwrap_or_default();
            let token = copy.fingerprint.as_deref().unwrap_or("no refresh token");
            format!("{}  {:15}  {token}  {}\n", at, copy.why, copy.id)
        };
        printer.data(&copies.iter().map(line).collect::<String>())?;
    }
    Ok(0)
}

#[derive(Serialize)]
struct Pruned {
    schema: u32,
    account: String,
    removed: Vec<String>,
}

fn prune(command: &BackupPruneCommand, facts: &HostFacts, printer: &Printer) -> Result<u8, Failure> {
    let account = account(command.account.as_deref())?;
    let copies = copies(&account, facts)?;
    let _lock = Accounts::of(&facts.folders.data).lock(&account).map_err(Error::Accounts)?;
    let removed = copies.prune(command.keep).map_err(of_copies)?;
    for copy in &removed {
        write_down(facts, &account, "pruned", copy)?;
    }
    printer.tell(&match removed.len() {
        0 => "no copy is removed\n".to_owned(),
        1 => "1 copy is removed\n".to_owned(),
        more => format!("{more} copies are removed\n"),
    });
    if command.json {
        printer.json(&Pruned { schema: 1, account: account.to_string(), removed })?;
    }
    Ok(0)
}
