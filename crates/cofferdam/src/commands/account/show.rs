//! `coffer account list` and `coffer account show`.

use coffer_account::accounts::{Accounts, AccountsError};
use coffer_account::copies::Copies;
use coffer_account::layout::{AccountFolder, AccountName};
use coffer_account::record::AccountRecord;
use coffer_account::seal::{self, Place, recorded};
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;
use serde::Serialize;

use crate::cli::{AccountListCommand, AccountShowCommand};
use crate::error::Error;
use crate::exit::Failure;
use crate::prepare::chosen_account;
use crate::printer::Printer;

/// One account, without any secret.
#[derive(Serialize)]
struct Shown {
    name: String,
    /// `null` when its record does not read.
    kind: Option<&'static str>,
    agent: Option<String>,
    created_at: Option<jiff::Timestamp>,
    base_url: Option<String>,
    model: Option<String>,
    timeout_ms: Option<u64>,
    helper: Option<Vec<String>>,
    error: Option<String>,
}

#[derive(Serialize)]
struct List {
    schema: u32,
    /// The one that a run here would use; `null` when the configuration does not read.
    chosen: Option<String>,
    accounts: Vec<Shown>,
}

/// Where the identity is that opens what is sealed.
#[derive(Serialize)]
struct Sealing {
    place: Place,
    recipient: String,
    file: Option<String>,
}

#[derive(Serialize)]
struct Document {
    schema: u32,
    #[serde(flatten)]
    account: Shown,
    folder: String,
    copies: usize,
    sealing: Option<Sealing>,
}

fn shown(name: &AccountName, record: Result<Option<AccountRecord>, &AccountsError>) -> Shown {
    let mut shown = Shown {
        name: name.to_string(),
        kind: None,
        agent: None,
        created_at: None,
        base_url: None,
        model: None,
        timeout_ms: None,
        helper: None,
        error: None,
    };
    match record {
        Ok(Some(record)) => {
            shown.kind = Some(record.kind.word());
            shown.agent = Some(record.agent);
            shown.created_at = jiff::Timestamp::from_millisecond(record.created_at_ms).ok();
            (shown.base_url, shown.model) = (record.base_url, record.model);
            (shown.timeout_ms, shown.helper) = (record.timeout_ms, record.helper);
        }
        // The user's own login has no record before something is remembered about it.
        Ok(None) => shown.kind = Some("subscription"),
        Err(error) => shown.error = Some(error.to_string()),
    }
    shown
}

pub(super) fn list(
    command: &AccountListCommand,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<u8, Failure> {
    let accounts = Accounts::of(&facts.folders.data);
    let mut all = vec![shown(&AccountName::host(), Ok(None))];
    for listed in accounts.list().map_err(Error::Accounts)? {
        all.push(match listed.record {
            Ok(record) => shown(&listed.name, Ok(Some(record))),
            Err(error) => shown(&listed.name, Err(&error)),
        });
    }
    let chosen = chosen_account(None).ok();
    if command.json {
        printer.json(&List { schema: 1, chosen, accounts: all })?;
        return Ok(0);
    }
    printer.data(&table(all, chosen.as_deref()))?;
    Ok(0)
}

/// A row an account; the one that a run here would use bears a `*`, as in `coffer status`.
fn table(all: Vec<Shown>, chosen: Option<&str>) -> String {
    let rows = all.into_iter().map(|one| {
        let mark = if chosen == Some(one.name.as_str()) { " *" } else { "" };
        let kind = one.kind.map_or_else(|| one.error.unwrap_or_default(), str::to_owned);
        let more = [one.base_url.unwrap_or("-".to_owned()), one.model.unwrap_or("-".to_owned())];
        [format!("{}{mark}", one.name), kind].into_iter().chain(more).collect::<Vec<_>>()
    });
    let headings = ["ACCOUNT", "KIND", "BASE URL", "MODEL"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(headings).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..4).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{:width$}", printable(cell)));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

pub(super) fn show(
    command: &AccountShowCommand,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<u8, Failure> {
    let name = super::name(&command.name)?;
    let accounts = Accounts::of(&facts.folders.data);
    let record = accounts.record(&name).map_err(Error::Accounts)?;
    if record.is_none() && !name.is_host() {
        return Err(Error::Accounts(AccountsError::Unknown { name }).into());
    }
    let folder = AccountFolder::new(&facts.folders.data, &name);
    let sealing = recorded(&facts.folders.data).map_err(AccountsError::Seal).map_err(Error::Accounts)?;
    let sealing = sealing.map(|recorded| Sealing {
        place: recorded.place,
        recipient: recorded.recipient,
        file: (recorded.place == Place::KeyFile).then(|| seal::key_file(&facts.folders.data).to_string()),
    });
    let copies = Copies::of(&folder).list().map_err(AccountsError::Copies).map_err(Error::Accounts)?.len();
    let document = Document {
        schema: 1,
        account: shown(&name, Ok(record)),
        folder: folder.root().to_string(),
        copies,
        sealing,
    };
    if command.json {
        printer.json(&document)?;
    } else {
        printer.data(&text(&document))?;
    }
    Ok(0)
}

fn text(document: &Document) -> String {
    let one = &document.account;
    let mut lines = vec![("account", one.name.clone())];
    lines.extend(one.kind.map(|kind| ("kind", kind.to_owned())));
    lines.extend(one.agent.clone().map(|agent| ("agent", agent)));
    lines.extend(one.created_at.map(|at| ("added", at.to_string())));
    lines.extend(one.base_url.clone().map(|url| ("base URL", url)));
    lines.extend(one.model.clone().map(|model| ("model", model)));
    lines.extend(one.timeout_ms.map(|ms| ("time-out", span(ms))));
    lines.extend(one.helper.as_ref().map(|words| ("helper", words.join(" "))));
    lines.push(("folder", document.folder.clone()));
    lines.push(("sealed copies", document.copies.to_string()));
    let sealing = document.sealing.as_ref().map_or_else(
        || "nothing was sealed here yet".to_owned(),
        |sealing| {
            let file = sealing.file.as_ref().map(|file| format!(" ({file})")).unwrap_or_default();
            format!("the identity is in {}{file}; recipient {}", sealing.place.words(), sealing.recipient)
        },
    );
    lines.push(("sealing", sealing));
    lines.iter().map(|(key, value)| format!("{key:14} {}\n", printable(value))).collect()
}

/// A time-out in the largest unit that tells it exactly.
fn span(ms: u64) -> String {
    [(3_600_000, "h"), (60_000, "min"), (1_000, "s")]
        .into_iter()
        .find(|(unit, _)| ms >= *unit && ms.is_multiple_of(*unit))
        .map_or_else(|| format!("{ms} ms"), |(unit, word)| format!("{} {word}", ms / unit))
}
