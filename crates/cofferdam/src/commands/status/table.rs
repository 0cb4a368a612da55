//! Status for people: a small table, legible without colour, and what to know about it below.

use coffer_ledger::Outcome;
use coffer_plan::show::audit::printable;
use coffer_plan::sign_in::verify::Verdict;

use super::document::Probe;
use super::look::{AccountSeen, Looked};
use crate::printer::Screen;

#[cfg(test)]
mod tests;

const HEADINGS: [&str; 7] =
    ["ACCOUNT", "KIND", "VERDICT", "ACCESS ENDS", "LOGIN ENDS", "RUNS", "LAST REFRESH"];
/// The column that is coloured.
const VERDICT: usize = 2;

/// The table with its notes. The account that is chosen here bears a `*`.
pub(crate) fn table(looked: &Looked, only: Option<&str>, probe: Option<&Probe>, screen: Screen) -> String {
    let now_ms = looked.facts.now_ms;
    let shown =
        || looked.accounts.iter().filter(|account| only.is_none_or(|only| account.name.as_str() == only));
    let rows: Vec<[String; 7]> = shown().map(|account| row(account, &looked.chosen, now_ms)).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; 7] = std::array::from_fn(width);
    let needed = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
    let fits = screen.width.is_none_or(|width| needed <= width);
    let mut text = String::new();
    if fits {
        text.push_str(&line(&HEADINGS.map(str::to_owned), &widths, None));
    }
    for (row, account) in rows.iter().zip(shown()) {
        let color = screen.style.color.then_some(match account.verified.verdict {
            Verdict::Ready => "32",
            Verdict::Expiring => "33",
            Verdict::Expired | Verdict::LoginNeeded => "31",
        });
        text.push_str(&if fits { line(row, &widths, color) } else { block(row, color) });
    }
    text.push('\n');
    let winner = looked.winner.winner.as_deref().unwrap_or("none");
    text.push_str(&format!("Sign-in: {}: {}\n", printable(winner), printable(&looked.winner.reason)));
    if let Some(probe) = probe {
        let (account, words) = (&probe.account, probe.result.words());
        text.push_str(&format!("Probe: {account}: {words}: {}\n", printable(&probe.reason)));
    }
    for warning in looked.winner.warning.iter().chain(&looked.unread) {
        text.push_str(&format!("! {}\n", printable(warning)));
    }
    for account in shown() {
        for finding in &account.verified.findings {
            let word = finding.cause.meaning().trigger.map_or("note", |trigger| trigger.word());
            let hint = finding.cause.hint(account.name.as_str(), &looked.agent);
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            text.push_str(&format!("! {}: {word}: {}{hint}\n", account.name, printable(&finding.text)));
        }
    }
    text
}

fn line(cells: &[String; 7], widths: &[usize; 7], color: Option<&str>) -> String {
    let mut text = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let padded = format!("{cell:<width$}");
        match color.filter(|_| column == VERDICT) {
            Some(color) => text.push_str(&format!("\u{1b}[{color}m{padded}\u{1b}[0m  ")),
            None => text.push_str(&format!("{padded}  ")),
        }
    }
    format!("{}\n", text.trim_end())
}

/// An account below each other, for screens that are too narrow for the table.
fn block(cells: &[String; 7], color: Option<&str>) -> String {
    let verdict = match color {
        Some(color) => format!("\u{1b}[{color}m{}\u{1b}[0m", cells[VERDICT]),
        None => cells[VERDICT].clone(),
    };
    let mut text = format!("{}  {verdict}\n", cells[0]);
    for (column, (heading, cell)) in HEADINGS.iter().zip(cells).enumerate() {
        if column != 0 && column != VERDICT && cell != "-" {
            text.push_str(&format!("  {:13} {cell}\n", heading.to_lowercase()));
        }
    }
    text
}

fn row(account: &AccountSeen, chosen: &str, now_ms: i64) -> [String; 7] {
    let mark = if account.name.as_str() == chosen { " *" } else { "" };
    let end = |end: Option<i64>| end.map_or("-".to_owned(), |end| relative(end.saturating_sub(now_ms)));
    let last = account.last_refresh.as_ref().map_or("-".to_owned(), |last| {
        let word = match last.outcome {
            Outcome::Ok => "ok",
            Outcome::Adopted => "adopted",
            Outcome::Transient => "transient",
            Outcome::Permanent => "permanent",
        };
        format!("{word} {}", relative(last.at.as_millisecond().saturating_sub(now_ms)))
    });
    [
        format!("{}{mark}", account.name),
        word(account.kind),
        account.verified.verdict.to_string(),
        end(account.verified.access_expires_at_ms),
        end(account.verified.login_expires_at_ms),
        account.runs.to_string(),
        last,
    ]
}

/// The word that JSON has.
fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A span of time in its two largest units, to the minute.
fn relative(ms: i64) -> String {
    let minutes = ms.unsigned_abs() / 60_000;
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let span = match (days, hours) {
        (0, 0) => format!("{rest} min"),
        (0, hours) => format!("{hours} h {rest} min"),
        (days, hours) => format!("{days} d {hours} h"),
    };
    if ms < 0 { format!("{span} ago") } else { format!("in {span}") }
}
