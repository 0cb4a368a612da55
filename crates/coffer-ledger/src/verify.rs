//! Whether the chain holds, and if not, where it breaks first and why.
//!
//! What a chain cannot show: that whole lines are missing at its end, or that its last line was changed. Whoever
//! notes the hash of the last line, which `verify` gives, can tell later.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::error::LedgerError;
use crate::journal::Ledger;
use crate::line::{Head, Lines, Next, hash};

#[cfg(test)]
mod tests;

/// A ledger whose chain was followed to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many entries are well.
    pub entries: u64,
    /// Hash of the last of them, which the next one will name.
    pub last: Option<String>,
    /// When that was written.
    pub last_at: Option<Timestamp>,
    /// How often a writer's clock was behind that of the entry before; no fault of the chain.
    pub clock_went_back: u64,
    /// Bytes behind the last whole line: a crash left them, or a writer is at work; no fault either.
    pub unfinished: u64,
    /// The first line that is not as it was written.
    pub broken: Option<Broken>,
}

/// The first line that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Its number in the file, from 1.
    pub line: u64,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Why {
    /// It is no entry: not JSON, without number or hash, or too long.
    NotEntry,
    /// It is not what the next line was chained to, or names another line before it than there is.
    Changed,
    /// Entries that came before this line are gone.
    Removed {
        /// How many.
        entries: u64,
    },
    /// It, or the line before it, was put in: its number was used already.
    PutIn,
    /// It stands before entries that were written earlier.
    Reordered,
}

impl Ledger {
    /// Follows the chain, holding one line at a time. A ledger that was never written to is well.
    ///
    /// # Errors
    /// When the file cannot be read, or is no file of ours.
    pub fn verify(&self) -> Result<Verified, LedgerError> {
        let mut verified = Verified {
            entries: 0,
            last: None,
            last_at: None,
            clock_went_back: 0,
            unfinished: 0,
            broken: None,
        };
        let Some(file) = self.open()? else { return Ok(verified) };
        let failed = |source| self.failed("read", source);
        let mut lines = Lines::new(file).map_err(failed)?;
        let mut previous = hash(b"");
        loop {
            let due = verified.entries;
            let number = due + 1;
            let line = match lines.next().map_err(failed)? {
                Next::End => return Ok(verified),
                Next::Unfinished(bytes) => {
                    verified.unfinished = bytes;
                    return Ok(verified);
                }
                Next::TooLong => {
                    verified.broken = Some(Broken { line: number, why: Why::NotEntry });
                    return Ok(verified);
                }
                Next::Line(line) => line,
            };
            let Some(head) = Head::of(&line) else {
                verified.broken = Some(Broken { line: number, why: Why::NotEntry });
                return Ok(verified);
            };
            if head.seq != due || head.previous != previous {
                verified.broken = Some(blame(&head, due, &line, &mut lines).map_err(failed)?);
                return Ok(verified);
            }
            previous = hash(&line);
            verified.entries += 1;
            verified.clock_went_back += u64::from(verified.last_at.is_some_and(|last| head.at < last));
            verified.last = Some(previous.clone());
            verified.last_at = Some(head.at);
        }
    }
}

/// Why the line `head` does not follow on the one before it, of which number `due` was expected.
fn blame(head: &Head, due: u64, line: &[u8], rest: &mut Lines) -> std::io::Result<Broken> {
    let number = due + 1;
    if head.seq < due {
        return Ok(Broken { line: number, why: Why::PutIn });
    }
    if head.seq > due {
        // The missing ones may come later.
        let missing = head.seq - due;
        let mut late = BTreeSet::new();
        while let Some(found) = next_head(rest)? {
            if (due..head.seq).contains(&found.seq) {
                late.insert(found.seq);
            }
        }
        let why = if late.is_empty() { Why::Removed { entries: missing } } else { Why::Reordered };
        return Ok(Broken { line: number, why });
    }
    // Its number is right and its hash is not: either the line before was changed, or this one. This one is well
    // if the next one is chained to it.
    let is_well = match rest.next()? {
        Next::Line(next) => Head::of(&next).is_none_or(|next| next.previous == hash(line)),
        Next::TooLong | Next::Unfinished(_) | Next::End => true,
    };
    let line = if is_well { number.saturating_sub(1).max(1) } else { number };
    Ok(Broken { line, why: Why::Changed })
}

/// The next line that is an entry.
fn next_head(lines: &mut Lines) -> std::io::Result<Option<Head>> {
    loop {
        match lines.next()? {
            Next::Line(line) => {
                if let Some(head) = Head::of(&line) {
                    return Ok(Some(head));
                }
            }
            Next::TooLong => {}
            Next::Unfinished(_) | Next::End => return Ok(None),
        }
    }
}
