//! `coffer backup create`.

use std::fs::File;
use std::io::IsTerminal as _;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::accounts::{Accounts, AccountsError};
use coffer_account::backup::{self, BackupError, Content, Manifest, Packed, Part, Recipients};
use coffer_account::copies::Why;
use coffer_account::disk::open_folder;
use coffer_account::layout::AccountName;
use coffer_account::login_file::LoginFile;
use coffer_account::record::AccountRecord;
use coffer_account::seal::Seal;
use coffer_account::tree::Progress;
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;
use indicatif::ProgressBar;
use serde::Serialize;

use super::{account, copies, of_copies, passphrase, record, write_down};
use crate::cli::BackupCreateCommand;
use crate::error::Error;
use crate::exit::Failure;
use crate::keeping::AccountKeeper;
use crate::printer::Printer;

#[derive(Serialize)]
struct Created {
    schema: u32,
    account: String,
    /// The copy's id, or the file.
    copy: String,
    fingerprint: Option<String>,
    files: u64,
    bytes: u64,
    skipped: u64,
}

pub(super) fn create(
    command: &BackupCreateCommand,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<u8, Failure> {
    let account = account(command.account.as_deref())?;
    let record = record(&account, facts)?;
    let accounts = Accounts::of(&facts.folders.data);
    // Nobody refreshes while the login is read.
    let lock = accounts.lock(&account).map_err(Error::Accounts)?;
    let login = AccountKeeper::of(&account, facts)?.and_then(|keeper| keeper.login());
    let login = login.filter(|login| login.details().is_some());
    let fingerprint = login.as_ref().and_then(|login| login.fingerprint()).map(str::to_owned);
    let mut created = Created {
        schema: 1,
        account: account.to_string(),
        copy: String::new(),
        fingerprint: fingerprint.clone(),
        files: 0,
        bytes: 0,
        skipped: 0,
    };
    match &command.to {
        None => {
            let login = login.ok_or_else(|| Error::NothingToBackUp { account: account.to_string() })?;
            let seal = Seal::open_or_make(&facts.folders.data)?;
            let copies = copies(&account, facts)?;
            let added = copies.add(&seal, login.bytes(), Why::ByHand, coffer_host::now_ms());
            created.copy = added.map_err(of_copies)?;
        }
        Some(to) => {
            // A passphrase and a large state take their time, and a token ends meanwhile.
            drop(lock);
            let place = place(to, &account);
            let packed = to_file(command, &record, login.as_ref(), &place, facts)?;
            created.copy = place.to_string();
            (created.files, created.bytes) = (packed.progress.files, packed.progress.bytes);
            for (part, skipped) in &packed.skipped {
                created.skipped += skipped.more + skipped.listed.len() as u64;
                for one in &skipped.listed {
                    let line = format!("left out: {}/{} ({})", part.word(), one.path, one.why);
                    printer.tell(&format!("{}\n", printable(&line)));
                }
            }
        }
    }
    printer.tell(&format!("`{account}` is sealed: {}\n", created.copy));
    if command.json {
        printer.json(&created)?;
    }
    write_down(facts, &account, "sealed", &created.copy)?;
    Ok(0)
}

/// The file that was named, or one in the folder that was.
fn place(to: &Utf8Path, account: &AccountName) -> Utf8PathBuf {
    if to.is_dir() {
        to.join(format!("{account}-{}.coffer.age", coffer_host::now_ms()))
    } else {
        to.to_owned()
    }
}

fn to_file(
    command: &BackupCreateCommand,
    record: &AccountRecord,
    login: Option<&LoginFile>,
    place: &Utf8Path,
    facts: &HostFacts,
) -> Result<Packed, Error> {
    let accounts = Accounts::of(&facts.folders.data);
    let secret = match accounts.secret(&record.name) {
        Ok(secret) => Some(secret),
        Err(AccountsError::NoSecret { .. }) => None,
        Err(error) => return Err(Error::Accounts(error)),
    };
    if login.is_none() && secret.is_none() && !command.state {
        return Err(Error::NothingToBackUp { account: record.name.to_string() });
    }
    let to = if command.passphrase {
        Recipients::passphrase(&passphrase(true)?)
    } else {
        Recipients::also(&Seal::open_or_make(&facts.folders.data)?, &command.recipient)?
    };
    let mut folders = Vec::new();
    if command.state {
        let own = accounts.folder(&record.name).state();
        let shared = accounts.shared_state(&record.agent, &record.name);
        for (part, path) in [(Part::State, own), (Part::Shared, shared)] {
            match open_folder(&path) {
                Ok(folder) => folders.push((part, folder)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(BackupError::Io { action: "read", path, source }.into()),
            }
        }
    }
    let fingerprint = login.and_then(|login| login.fingerprint()).map(str::to_owned);
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let tell = |progress: Progress| {
        bar.set_message(format!("{} files, {} MiB", progress.files, progress.bytes >> 20));
        bar.tick();
    };
    let content = Content {
        manifest: Manifest::new(record.clone(), fingerprint, command.state, coffer_host::now_ms()),
        login: login.map(LoginFile::bytes),
        secret: secret.as_ref(),
        folders,
        progress: Some(&tell),
    };
    let packed = written(place, |file| backup::create(file, &to, &content));
    bar.finish_and_clear();
    Ok(packed?)
}

/// Writes a file (0600) that must not be there yet; it is there as a whole or not at all.
fn written<T>(
    place: &Utf8Path,
    write: impl FnOnce(&File) -> Result<T, BackupError>,
) -> Result<T, BackupError> {
    let failed = |source| BackupError::Io { action: "write", path: place.to_owned(), source };
    let folder = place.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let done = write(file.as_file())?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(place).map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(done)
}
