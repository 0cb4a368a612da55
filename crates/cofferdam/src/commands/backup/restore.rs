//! `coffer backup restore`: a login or a whole account comes back, by the rules of [`super::judge`].

use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::accounts::{Accounts, AccountsError};
use coffer_account::backup::{self, BackupError, Part, Unpacked};
use coffer_account::capture::{Adoption, Captured, Rules};
use coffer_account::client_locks::{ClientLocks, Patience};
use coffer_account::copies::{Copies, Why};
use coffer_account::disk::{Disk, open_folder};
use coffer_account::keeper::LoginPlace;
use coffer_account::layout::{AccountFolder, AccountName};
use coffer_account::lock::AccountLock;
use coffer_account::login_file::{LoginFile, LoginFolder};
use coffer_account::record::AccountRecord;
use coffer_account::seal::{Opener, Seal};
use coffer_ledger::{Event, Filter};
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;
use serde::Serialize;
use tempfile::TempDir;

use super::judge::{Known, Standing};
use super::{account, copies, identities, of_copies, write_down};
use crate::cli::BackupRestoreCommand;
use crate::commands::account::{name, now};
use crate::commands::ledger;
use crate::error::Error;
use crate::exit::Failure;
use crate::keeping::AccountKeeper;
use crate::prepare;
use crate::printer::Printer;

#[cfg(test)]
mod tests;

/// How long a client that holds its own locks is waited for.
const CLIENT_WAIT: Duration = Duration::from_secs(10);

/// What comes back.
struct Found {
    /// By what it is named.
    copy: String,
    login: Option<LoginFile>,
    /// A backup in a file, and where its folders were unpacked.
    file: Option<(Unpacked, TempDir)>,
}

#[derive(Serialize)]
struct Restored {
    schema: u32,
    account: String,
    copy: String,
    fingerprint: Option<String>,
    added: bool,
    state: bool,
}

pub(super) fn restore(
    command: &BackupRestoreCommand,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<u8, Failure> {
    let found = match (&command.copy, &command.from) {
        (Some(copy), _) => of_own(copy, command, facts)?,
        (None, Some(file)) => of_file(file, command, facts)?,
        (None, None) => {
            return Err(usage("neither a copy nor a file is named", "`coffer backup list`").into());
        }
    };
    let made_of = found.file.as_ref().map(|(unpacked, _)| unpacked.manifest.record.clone());
    let account = match (&command.account, &made_of) {
        (Some(text), _) => name(text)?,
        (None, Some(record)) => record.name.clone(),
        (None, None) => account(None)?,
    };
    if command.state && account.is_host() {
        return Err(usage(
            "your own state is never written over",
            "say into which account: `--account NAME`",
        )
        .into());
    }
    let accounts = Accounts::of(&facts.folders.data);
    let is_new = !account.is_host() && accounts.record(&account).map_err(Error::Accounts)?.is_none();
    let secret = found.file.as_ref().and_then(|(unpacked, _)| unpacked.secret.as_ref());
    if secret.is_some() && !is_new {
        return Err(Error::Accounts(AccountsError::Exists { name: account }).into());
    }
    let present = if is_new { None } else { present(&account, facts)? };
    let Some(login) = &found.login else {
        return added(&account, is_new, &found, command, facts, printer);
    };
    let mut standing = judge(login, present.as_ref(), &account, facts)?;
    if let (true, Some(record), Standing::Harmless(_)) = (is_new, &made_of, standing)
        && let asks @ Standing::Asks(_) = comes_with(record, printer)
    {
        standing = asks;
    }
    consent(standing, &account, command, printer)?;
    if is_new {
        let record =
            made_of.ok_or(AccountsError::Unknown { name: account.clone() }).map_err(Error::Accounts)?;
        accounts.add(&of_name(record, &account), secret).map_err(Error::Accounts)?;
    }
    put_back(&account, &found, login, present.as_ref(), command, facts)?;
    printer.tell(&format!("the login of `{account}` is put back\n"));
    told(&account, &found, (is_new, command.state), command.json, facts, printer)?;
    Ok(0)
}

fn usage(message: &str, hint: &str) -> Error {
    Error::Usage { message: message.to_owned(), more: Vec::new(), hint: hint.to_owned() }
}

/// The record of a backup, for an account of this name here.
fn of_name(record: AccountRecord, name: &AccountName) -> AccountRecord {
    AccountRecord { name: name.clone(), marker: None, refused: None, ..record }
}

/// A key or token comes back: its account is added.
fn added(
    account: &AccountName,
    is_new: bool,
    found: &Found,
    command: &BackupRestoreCommand,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<u8, Failure> {
    let Some((unpacked, _)) = found.file.as_ref().filter(|_| is_new) else {
        return Err(Error::NothingToBackUp { account: account.to_string() }.into());
    };
    let record = of_name(unpacked.manifest.record.clone(), account);
    consent(comes_with(&record, printer), account, command, printer)?;
    let accounts = Accounts::of(&facts.folders.data);
    accounts.add(&record, unpacked.secret.as_ref()).map_err(Error::Accounts)?;
    printer.tell(&format!("the account `{account}` is put back\n"));
    told(account, found, (true, false), command.json, facts, printer)?;
    Ok(0)
}

/// What an account that is added brings with it. Whoever knows the recipient could have made the backup, so that
/// a person agrees to what is run on this machine, and to where the agent's words go.
fn comes_with(record: &AccountRecord, printer: &Printer) -> Standing {
    let mut standing = Standing::Harmless("it is added");
    if let Some(url) = &record.base_url {
        printer.insist(&format!("Its API is {}.\n", printable(url)));
        standing = Standing::Asks("the agent's words go to the API that the backup names");
    }
    if let Some(helper) = &record.helper {
        printer.insist(&format!("Its key comes of the command: {}\n", printable(&helper.join(" "))));
        standing = Standing::Asks("each run with it runs the command that the backup names on this machine");
    }
    standing
}

fn told(
    account: &AccountName,
    found: &Found,
    (added, state): (bool, bool),
    json: bool,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<(), Error> {
    let fingerprint = found.login.as_ref().and_then(LoginFile::fingerprint).map(str::to_owned);
    if json {
        let (account, copy) = (account.to_string(), found.copy.clone());
        let fingerprint = fingerprint.clone();
        printer.json(&Restored { schema: 1, account, copy, fingerprint, added, state })?;
    }
    if found.login.is_some() {
        let event =
            Event::LoginAdopted { account: account.to_string(), from: "restore".to_owned(), fingerprint };
        ledger::of(facts).append(now(), event)?;
    }
    write_down(facts, account, "restored", &found.copy)
}

/// One of the account's own copies.
fn of_own(id: &str, command: &BackupRestoreCommand, facts: &HostFacts) -> Result<Found, Error> {
    let account = account(command.account.as_deref())?;
    let copies = copies(&account, facts)?;
    let copy = copies.find(id).map_err(of_copies)?;
    let plain = copies.open(&Opener::of(&facts.folders.data)?, &copy).map_err(of_copies)?;
    let login = LoginFile::new(plain.into_bytes());
    if login.details().is_none() {
        return Err(Error::NothingToBackUp { account: account.to_string() });
    }
    Ok(Found { copy: copy.id, login: Some(login), file: None })
}

/// A backup in a file, or a copy that was kept when its account was removed.
fn of_file(file: &Utf8Path, command: &BackupRestoreCommand, facts: &HostFacts) -> Result<Found, Error> {
    if let (Some(folder), Some(id)) =
        (file.parent(), file.file_name().and_then(|name| name.strip_suffix(".age")))
        && let Ok(copy) = Copies::at(folder.to_owned()).find(id)
    {
        let plain = Copies::at(folder.to_owned()).open(&Opener::of(&facts.folders.data)?, &copy);
        let login = LoginFile::new(plain.map_err(of_copies)?.into_bytes());
        return Ok(Found { copy: file.to_string(), login: Some(login), file: None });
    }
    let failed = |action, path: &Utf8Path| {
        let path = path.to_owned();
        move |source| BackupError::Io { action, path, source }
    };
    let input = File::open(file).map_err(failed("read", file))?;
    let with = identities(&command.open, facts)?;
    let data = &facts.folders.data;
    std::fs::create_dir_all(data).map_err(failed("make", data))?;
    let private = std::fs::Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix(".restore-").permissions(private).tempdir_in(data);
    let folder = folder.map_err(failed("make a folder in", data))?;
    let into = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap_or_default();
    let mut unpacked = backup::read(input, &with, command.state.then_some(into.as_path()))?;
    let login = unpacked.login.take().map(|login| LoginFile::new(login.into_bytes()));
    if login.as_ref().is_some_and(|login| login.details().is_none()) {
        return Err(Error::NothingToBackUp { account: unpacked.manifest.record.name.to_string() });
    }
    Ok(Found { copy: file.to_string(), login, file: Some((unpacked, folder)) })
}

/// Where the account's login is, and what is there now.
fn present(account: &AccountName, facts: &HostFacts) -> Result<Option<LoginFile>, Error> {
    Ok(AccountKeeper::of(account, facts)?.and_then(|keeper| keeper.login()))
}

fn judge(
    login: &LoginFile,
    present: Option<&LoginFile>,
    account: &AccountName,
    facts: &HostFacts,
) -> Result<Standing, Error> {
    let memory = AccountKeeper::of_existing(account, facts)?.map(|keeper| keeper.memory());
    let refused = memory.and_then(|memory| memory.refused).map(|refused| refused.fingerprint);
    let successor = login.fingerprint().map(|own| successor(own, account, facts)).transpose()?.flatten();
    let known = Known {
        copy: login,
        present,
        successor: successor.as_deref(),
        refused: refused.as_deref(),
        now_ms: coffer_host::now_ms(),
    };
    Ok(known.judge())
}

/// The token that grew from this one, by the copies and by the ledger, whosever it is now.
fn successor(own: &str, account: &AccountName, facts: &HostFacts) -> Result<Option<String>, Error> {
    let copies = Copies::of(&AccountFolder::new(&facts.folders.data, account));
    if let Some(grown) = copies.successor(own).map_err(of_copies)? {
        return Ok(Some(grown));
    }
    let events = vec!["refresh_ended".to_owned()];
    let mut grown = None;
    for line in ledger::of(facts).read(Filter { events, ..Filter::default() })? {
        let Ok(line) = line? else { continue };
        let field = |name: &str| line.fields.get(name).and_then(serde_json::Value::as_str);
        if field("before") == Some(own)
            && let Some(after) = field("after").filter(|after| *after != own)
        {
            grown = Some(after.to_owned());
        }
    }
    Ok(grown)
}

/// Says what it means, and has a person agree to it.
fn consent(
    standing: Standing,
    account: &AccountName,
    command: &BackupRestoreCommand,
    printer: &Printer,
) -> Result<(), Error> {
    match standing {
        Standing::Refused(reason) => return Err(Error::RestoreRefused { reason }),
        Standing::Harmless(_) if command.yes => return Ok(()),
        Standing::Harmless(what) | Standing::Asks(what) => {
            printer.insist(&format!("Restoring into `{account}`: {what}.\n"));
        }
    }
    let question = "type the account's name to do it";
    if printer.typed(question).as_deref() == Some(account.as_str()) {
        return Ok(());
    }
    Err(match standing {
        // `--yes` is not enough for these.
        Standing::Asks(_) => Error::RestoreUnconfirmed { account: account.to_string() },
        Standing::Harmless(_) | Standing::Refused(_) => Error::NeedsPerson("nothing was restored"),
    })
}

/// Puts it back under the account's lock. What is there is sealed first.
fn put_back(
    account: &AccountName,
    found: &Found,
    login: &LoginFile,
    looked: Option<&LoginFile>,
    command: &BackupRestoreCommand,
    facts: &HostFacts,
) -> Result<(), Error> {
    let Some(keeper) = AccountKeeper::of(account, facts)? else {
        return Err(Error::NothingToBackUp { account: account.to_string() });
    };
    let place = keeper.place();
    let accounts = Accounts::of(&facts.folders.data);
    let lock = accounts.lock(account).map_err(Error::Accounts)?;
    if accounts.folder(account).journal().exists() {
        return Err(Error::RestoreUnderWay { account: account.to_string() });
    }
    let now_there = keeper.login();
    let same = |one: &LoginFile| looked.is_some_and(|looked| looked.bytes() == one.bytes());
    if now_there.as_ref().is_some_and(|one| !one.bytes().is_empty() && looked.is_some() && !same(one)) {
        return Err(Error::RestoreUnderWay { account: account.to_string() });
    }
    let seal = Seal::open_or_make(&facts.folders.data)?;
    let copies = Copies::of(&accounts.folder(account));
    let keep = |bytes: &[u8]| copies.add(&seal, bytes, Why::BeforeAdoption, coffer_host::now_ms());
    match (&found.file, command.state) {
        (Some((_, folder)), true) => {
            let unpacked = Utf8Path::from_path(folder.path()).unwrap_or(Utf8Path::new("/"));
            adopt(account, login, (place, &lock), unpacked, facts, &|bytes| {
                keep(bytes).map(drop).map_err(|error| error.to_string())
            })?;
        }
        _ => {
            if let Some(present) = now_there.as_ref().filter(|present| !present.bytes().is_empty()) {
                keep(present.bytes()).map_err(of_copies)?;
            }
            replace(place, &lock, login, now_there.as_ref())?;
        }
    }
    copies.add(&seal, login.bytes(), Why::Adopted, coffer_host::now_ms()).map_err(of_copies)?;
    Ok(())
}

/// The login alone, while the client's own locks are held. It takes the place of `present`, which is sealed by
/// now, and of nothing else: a client that was waited for may have refreshed it.
fn replace(
    place: &LoginPlace,
    lock: &AccountLock,
    login: &LoginFile,
    present: Option<&LoginFile>,
) -> Result<(), Error> {
    let failed = |source| BackupError::Io { action: "write", path: place.folder.clone(), source };
    if !place.folder.is_dir() {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().mode(0o700).create(&place.folder).map_err(failed)?;
    }
    let patience = Patience { limit: CLIENT_WAIT, now_ms: &coffer_host::now_ms };
    let held = ClientLocks::take(Disk::real(), &place.folder, &place.client_locks, patience, &mut |_| Ok(()));
    let held = held.map_err(|error| failed(std::io::Error::other(error)))?;
    let folder = LoginFolder::open(Disk::real(), &place.folder, &place.file).map_err(failed)?;
    if folder.read().bytes() != present.map_or(&[][..], LoginFile::bytes) {
        return Err(Error::RestoreUnderWay { account: place.account.to_string() });
    }
    let written = folder.write(lock, login);
    let released = held.release();
    written.map_err(|error| BackupError::Io {
        action: error.action,
        path: folder.file(),
        source: error.source,
    })?;
    released.map_err(|error| failed(std::io::Error::other(error)))?;
    Ok(())
}

/// The login and the state, as a captured state is adopted.
fn adopt(
    account: &AccountName,
    login: &LoginFile,
    (place, lock): (&LoginPlace, &AccountLock),
    unpacked: &Utf8Path,
    facts: &HostFacts,
    keep_former: &dyn Fn(&[u8]) -> Result<(), String>,
) -> Result<(), Error> {
    let accounts = Accounts::of(&facts.folders.data);
    let record = accounts.existing(account).map_err(Error::Accounts)?;
    let agent = prepare::agent(&record.agent, facts)?;
    let rules = Rules { client_locks: place.client_locks.clone(), ..Rules::of(&agent).unwrap_or_default() };
    let state = unpacked.join(Part::State.word());
    let failed = |source| BackupError::Io { action: "read", path: state.clone(), source };
    let state_folder = if state.is_dir() { Some(open_folder(&state).map_err(failed)?) } else { None };
    let adoption = Adoption {
        folder: &accounts.folder(account),
        record: &record,
        rules: &rules,
        keep_former,
        now_ms: &coffer_host::now_ms,
        disk: Disk::real(),
    };
    let captured = Captured {
        state: state_folder.as_ref().map(|folder| folder.as_fd()),
        login: Some(login.bytes()),
        ..Captured::default()
    };
    adoption.adopt(lock, &captured)?;
    // The state that runs share comes back where there is none.
    let (shared, there) = (unpacked.join(Part::Shared.word()), accounts.shared_state(&record.agent, account));
    if shared.is_dir() && !there.exists() {
        let moved = there.parent().map_or(Ok(()), std::fs::create_dir_all);
        let moved = moved.and_then(|()| std::fs::rename(&shared, &there));
        moved.map_err(|source| BackupError::Io { action: "put back", path: there.clone(), source })?;
    }
    Ok(())
}
