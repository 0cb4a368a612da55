//! Reading the journal: one entry after the other, those that are asked for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::error::LedgerError;
use crate::event::{Event, Outcome};
use crate::journal::Ledger;
use crate::line::{Line, Lines, Next};

#[cfg(test)]
mod tests;

/// Which entries are asked for; the default is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this account, the starts and ends of its runs included.
    pub account: Option<String>,
    /// Of this run.
    pub run: Option<String>,
    /// Written then or later.
    pub since: Option<Timestamp>,
    /// With one of these words; none means all.
    pub events: Vec<String>,
}

/// Entries of the journal that fit a filter.
#[derive(Debug)]
pub struct Entries<'a> {
    ledger: &'a Ledger,
    lines: Option<Lines>,
    filter: Filter,
    number: u64,
    /// Runs of the account that is asked for.
    runs: BTreeSet<String>,
}

/// A line that is no entry, with its number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread(pub u64);

/// How a login was refreshed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRefresh {
    /// When that was written down.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not refreshed.
    pub error: Option<String>,
}

impl Ledger {
    /// The entries that fit, in the order in which they were written. Lines that are no entries come as
    /// [`Unread`], so that whoever reads can say so and go on.
    ///
    /// # Errors
    /// When the file cannot be opened, or is no file of ours.
    pub fn read(&self, filter: Filter) -> Result<Entries<'_>, LedgerError> {
        let lines = match self.open()? {
            Some(file) => Some(Lines::new(file).map_err(|source| self.failed("read", source))?),
            None => None,
        };
        Ok(Entries { ledger: self, lines, filter, number: 0, runs: BTreeSet::new() })
    }

    /// How each account's login was refreshed last.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn last_refreshes(&self) -> Result<BTreeMap<String, LastRefresh>, LedgerError> {
        const WORD: &[u8] = b"refresh_ended";
        let mut last = BTreeMap::new();
        let Some(file) = self.open()? else { return Ok(last) };
        let failed = |source| self.failed("read", source);
        let mut lines = Lines::new(file).map_err(failed)?;
        loop {
            let bytes = match lines.next().map_err(failed)? {
                Next::Line(bytes) => bytes,
                Next::TooLong => continue,
                Next::Unfinished(_) | Next::End => break,
            };
            // Most lines are about something else, and reading them takes ten times as long.
            if !bytes.windows(WORD.len()).any(|part| part == WORD) {
                continue;
            }
            let Some(line) = Line::of(&bytes) else { continue };
            if let Some(Event::RefreshEnded { account, outcome, error, .. }) = line.known() {
                last.insert(account, LastRefresh { at: line.at, outcome, error });
            }
        }
        Ok(last)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Result<Line, Unread>, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let lines = self.lines.as_mut()?;
            let next = match lines.next() {
                Ok(next) => next,
                Err(source) => {
                    self.lines = None;
                    return Some(Err(self.ledger.failed("read", source)));
                }
            };
            self.number += 1;
            let bytes = match next {
                Next::Line(bytes) => bytes,
                Next::TooLong => return Some(Ok(Err(Unread(self.number)))),
                Next::Unfinished(_) | Next::End => {
                    self.lines = None;
                    return None;
                }
            };
            match Line::of(&bytes) {
                None => return Some(Ok(Err(Unread(self.number)))),
                Some(line) if self.fits(&line) => return Some(Ok(Ok(line))),
                Some(_) => {}
            }
        }
    }
}

impl Entries<'_> {
    fn fits(&mut self, line: &Line) -> bool {
        let Filter { account, run, since, events } = &self.filter;
        let by_account = account.as_deref().is_none_or(|account| {
            let own = line.text("account") == Some(account) || line.text("to") == Some(account);
            match line.text("run") {
                Some(run) if own => self.runs.insert(run.to_owned()) || own,
                // The end of a run names no account.
                Some(run) if line.text("account").is_none() => self.runs.contains(run),
                Some(_) | None => own,
            }
        });
        by_account
            && run.as_deref().is_none_or(|run| line.text("run") == Some(run))
            && since.is_none_or(|since| line.at >= since)
            && (events.is_empty() || events.contains(&line.event))
    }
}
