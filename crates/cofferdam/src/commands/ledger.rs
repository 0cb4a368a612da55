//! `coffer ledger`: what was written down, and whether it still is as it was written.

use coffer_ledger::{Filter, Ledger, Line, Unread, Verified, Why};
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::{LedgerCommand, LedgerShowCommand, LedgerVerb, LedgerVerifyCommand};
use crate::error::Error;
use crate::exit::{Failure, NO};
use crate::printer::Printer;

#[cfg(test)]
mod tests;

/// The ledger below Cofferdam's data folder.
pub(crate) fn of(facts: &HostFacts) -> Ledger {
    Ledger::new(&facts.folders.data.join("ledger"))
}

pub(crate) fn ledger(command: &LedgerCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base()?;
    let ledger = of(&facts);
    match &command.verb {
        LedgerVerb::Show(command) => show(&ledger, command, facts.now_ms, printer),
        LedgerVerb::Verify(command) => verify(&ledger, command, printer),
    }
}

/// An entry as it is printed.
#[derive(Serialize)]
struct Shown {
    seq: u64,
    at: Timestamp,
    event: String,
    #[serde(flatten)]
    fields: serde_json::Map<String, serde_json::Value>,
}

/// `coffer ledger show --json`.
#[derive(Serialize)]
struct Entries {
    schema: u32,
    /// Lines that are no entries, by number from 1.
    unreadable: Vec<u64>,
    entries: Vec<Shown>,
}

/// Prints entries.
pub(super) fn show(
    ledger: &Ledger,
    command: &LedgerShowCommand,
    now_ms: i64,
    printer: &Printer,
) -> Result<u8, Failure> {
    let since = command.since.as_deref().map(|text| since(text, now_ms)).transpose()?;
    let (account, run) = (command.account.clone(), command.run.clone());
    let mut document = Entries { schema: 1, unreadable: Vec::new(), entries: Vec::new() };
    for line in ledger.read(Filter { account, run, since, events: command.event.clone() })? {
        match line? {
            Ok(line) if command.json => {
                let Line { seq, at, event, fields } = line;
                document.entries.push(Shown { seq, at, event, fields });
            }
            Ok(line) => printer.data(&text(&line))?,
            Err(Unread(number)) => document.unreadable.push(number),
        }
    }
    if let Some(first) = document.unreadable.first() {
        printer.tell(&format!(
            "{} of its lines are no entries, the first is line {first}: `coffer ledger verify`\n",
            document.unreadable.len()
        ));
    }
    if command.json {
        printer.json(&document)?;
    }
    Ok(0)
}

/// One entry on one line, whatever event it is.
fn text(line: &Line) -> String {
    let mut text = format!("{}  {}", seconds(line.at), line.event);
    for (key, value) in line.fields.iter().filter(|(_, value)| !value.is_null()) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = if value.contains(' ') { format!("{value:?}") } else { value };
        text.push_str(&format!("  {key}={value}"));
    }
    printable(&text)
}

/// A time to the second.
pub(crate) fn seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// `coffer ledger verify --json`.
#[derive(Serialize)]
struct Report {
    schema: u32,
    ok: bool,
    #[serde(flatten)]
    verified: Verified,
}

fn verify(ledger: &Ledger, command: &LedgerVerifyCommand, printer: &Printer) -> Result<u8, Failure> {
    let verified = ledger.verify()?;
    let ok = verified.broken.is_none();
    if command.json {
        printer.json(&Report { schema: 1, ok, verified })?;
    } else {
        printer.data(&summary(ledger, &verified))?;
    }
    Ok(if ok { 0 } else { NO })
}

fn summary(ledger: &Ledger, verified: &Verified) -> String {
    let path = printable(ledger.path().as_str());
    if let Some(broken) = &verified.broken {
        let words = why(&broken.why);
        return format!(
            "{path}: broken at line {}: {words}; the {} entries before are well\n",
            broken.line, verified.entries
        );
    }
    let mut text = match &verified.last {
        Some(last) => format!("{path}: {} entries, all chained; the last is {last}\n", verified.entries),
        None => format!("{path}: no entries yet\n"),
    };
    if verified.unfinished > 0 {
        let bytes = verified.unfinished;
        text.push_str(&format!(
            "  {bytes} bytes at the end are half a line; the next entry takes them away\n"
        ));
    }
    if verified.clock_went_back > 0 {
        let times = verified.clock_went_back;
        text.push_str(&format!("  the clock went back {times} times between two entries\n"));
    }
    text
}

/// What was done to a line, in words.
pub(crate) fn why(why: &Why) -> String {
    match why {
        Why::NotEntry => "it is no entry".to_owned(),
        Why::Changed => "it was changed".to_owned(),
        Why::Removed { entries: 1 } => "an entry before it was removed".to_owned(),
        Why::Removed { entries } => format!("{entries} entries before it were removed"),
        Why::PutIn => "it, or the line before it, was put in".to_owned(),
        Why::Reordered => "it stands before entries that were written earlier".to_owned(),
    }
}

/// A moment as a person types it: so long ago, a day, or a time.
fn since(text: &str, now_ms: i64) -> Result<Timestamp, Error> {
    let ago = || {
        let unit = match text.chars().last()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let count: i64 = text.get(..text.len() - 1)?.parse().ok().filter(|count| *count >= 0)?;
        Timestamp::from_millisecond(now_ms.checked_sub(count.checked_mul(unit)?.checked_mul(1000)?)?).ok()
    };
    let day = || format!("{text}T00:00:00Z").parse().ok();
    ago().or_else(|| text.parse().ok()).or_else(day).ok_or_else(|| Error::Usage {
        message: format!("`{text}` is no time"),
        more: Vec::new(),
        hint: "`--since 2h`, `--since 3d`, `--since 2026-11-23` or `--since 2026-11-23T20:00:00Z`".to_owned(),
    })
}
