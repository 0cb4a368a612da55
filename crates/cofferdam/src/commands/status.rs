//! `coffer status`: what each account is worth, who wins here, and on request what the API itself says.

pub(crate) mod document;
pub(crate) mod look;
mod probe;
mod table;
mod watch;

use coffer_account::layout::{AccountName, HOST};
use coffer_plan::sign_in::verify::{Trigger, Verdict};

use crate::cli::StatusCommand;
use crate::error::Error;
use crate::exit::{Failure, NEEDS_PERSON, NO};
use crate::printer::Printer;
use document::{Probe, ProbeResult};
use look::{Looked, look};

/// Clears the screen, and begins at its top.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J\u{1b}[3J";

pub(crate) fn status(command: &StatusCommand, printer: &Printer) -> Result<u8, Failure> {
    let only = command.account.as_deref().map(str::parse::<AccountName>).transpose();
    let only = only.map_err(|error| unknown(error.to_string()))?;
    if command.watch {
        return Ok(watched(command, only.as_ref(), printer)?);
    }
    let looked = look(only.as_ref().map(AccountName::as_str))?;
    let name = only.as_ref().map_or(looked.chosen.as_str(), AccountName::as_str);
    if looked.account(name).is_none() {
        return Err(Error::NoAccount { account: name.to_owned() }.into());
    }
    let probe = command.probe.then(|| probe::probe(&looked, name)).transpose()?;
    if command.json {
        let document = document::Document { probe: probe.clone(), ..looked.document(only.as_ref()) };
        printer.json(&document)?;
    } else {
        let only = only.as_ref().map(AccountName::as_str);
        printer.data(&table::table(&looked, only, probe.as_ref(), printer.data_screen()))?;
    }
    Ok(code(&looked, only.is_some(), name, probe.as_ref()))
}

fn unknown(message: String) -> Error {
    Error::Usage { message, more: Vec::new(), hint: "`coffer status` lists the accounts".to_owned() }
}

/// 0 signed in, 1 not, 3 when a person is needed. Without `--account` a key that wins over the login counts.
fn code(looked: &Looked, asked: bool, name: &str, probe: Option<&Probe>) -> u8 {
    match probe.map(|probe| probe.result) {
        Some(ProbeResult::SignedIn) => return 0,
        Some(ProbeResult::Refused | ProbeResult::Unreachable) => return NO,
        Some(ProbeResult::NotProbed) | None => {}
    }
    let winner = looked.winner.winner.as_deref();
    if !asked && name == HOST && winner.is_some_and(|winner| winner != document::LOGIN) {
        return 0;
    }
    let Some(verified) = looked.account(name).map(|account| &account.verified) else { return NO };
    match (verified.verdict, verified.trigger) {
        (Verdict::Ready | Verdict::Expiring, _) => 0,
        (Verdict::LoginNeeded, Some(Trigger::MissingCredentials)) => NO,
        (Verdict::Expired | Verdict::LoginNeeded, _) => NEEDS_PERSON,
    }
}

/// Draws until it is ended: the table on a screen, a line of JSON (or the table) after each change elsewhere.
fn watched(command: &StatusCommand, only: Option<&AccountName>, printer: &Printer) -> Result<u8, Error> {
    let mut last = String::new();
    let clear = if printer.is_screen() { CLEAR } else { "" };
    watch::watch(|| {
        let looked = look(only.map(AccountName::as_str))?;
        let text = if command.json {
            serde_json::to_string(&looked.document(only)).map_err(Error::Json)?
        } else {
            let only = only.map(AccountName::as_str);
            format!("{clear}{}", table::table(&looked, only, None, printer.data_screen()))
        };
        if text != last {
            printer.data(&text)?;
            last = text;
        }
        Ok(looked.places())
    })?;
    Ok(0)
}
