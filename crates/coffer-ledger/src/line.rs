//! A line of the journal, as bytes and as what they say. A newer Cofferdam may write events that this one does
//! not know, so whatever chains or verifies looks at the head of a line only.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Take};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::event::Event;

/// Format number of a line.
pub(crate) const SCHEMA: u32 = 1;
/// Longest line, in bytes, its end included.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// An entry as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Format number.
    pub schema: u32,
    /// Counts from 0.
    pub seq: u64,
    /// When it was written, by the writer's clock; clocks jump, so only `seq` gives the order.
    pub at: Timestamp,
    /// SHA-256 (hex) of the line before, without its line break; of nothing for the first.
    pub previous: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What all lines have, whatever happened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) previous: String,
}

impl Head {
    /// The head of a line; `None` when it is no entry.
    pub(crate) fn of(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

/// An entry as it is read, also of an event that this version does not know.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Counts from 0.
    pub seq: u64,
    /// When it was written, by the writer's clock.
    pub at: Timestamp,
    /// The event's word, for example `run_started`.
    pub event: String,
    /// What else the event says.
    pub fields: Map<String, Value>,
}

impl Line {
    /// Reads a line; `None` when it is no entry.
    pub(crate) fn of(line: &[u8]) -> Option<Self> {
        let Head { seq, at, .. } = Head::of(line)?;
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(line) else { return None };
        let Some(Value::String(event)) = fields.shift_remove("event") else { return None };
        for key in ["schema", "seq", "at", "previous"] {
            fields.shift_remove(key);
        }
        Some(Self { seq, at, event, fields })
    }

    /// A field that is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.fields.get(key).and_then(Value::as_str)
    }

    /// The event, if this version knows it.
    pub fn known(&self) -> Option<Event> {
        let mut fields = self.fields.clone();
        fields.insert("event".to_owned(), Value::String(self.event.clone()));
        serde_json::from_value(Value::Object(fields)).ok()
    }
}

/// SHA-256 in hex.
pub(crate) fn hash(line: &[u8]) -> String {
    Sha256::digest(line).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One line after the other, none of them kept, and never more in memory than the longest line may have.
#[derive(Debug)]
pub(crate) struct Lines {
    reader: BufReader<Take<File>>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A whole line, without its end.
    Line(Vec<u8>),
    /// A line that is longer than any of ours; the rest of it is skipped.
    TooLong,
    /// Bytes without an end: a crash left them, or a writer is at work.
    Unfinished(u64),
    /// Nothing.
    End,
}

impl Lines {
    /// The lines that are there now; what is added meanwhile is left for another time.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { reader: BufReader::new(file.take(size)) })
    }

    pub(crate) fn next(&mut self) -> io::Result<Next> {
        let mut line = Vec::new();
        let limit = MAX_LINE_BYTES as u64;
        let count = self.reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if line.last() == Some(&b'\n') {
            line.pop();
            return Ok(Next::Line(line));
        }
        if count < MAX_LINE_BYTES {
            return Ok(if count == 0 { Next::End } else { Next::Unfinished(count as u64) });
        }
        self.skip_line(limit)
    }

    /// Goes behind the end of a line of which `read` bytes are already gone.
    fn skip_line(&mut self, mut read: u64) -> io::Result<Next> {
        loop {
            let part = self.reader.fill_buf()?;
            if part.is_empty() {
                return Ok(Next::Unfinished(read));
            }
            let end = part.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(part.len(), |at| at + 1);
            self.reader.consume(used);
            read += used as u64;
            if end.is_some() {
                return Ok(Next::TooLong);
            }
        }
    }
}
