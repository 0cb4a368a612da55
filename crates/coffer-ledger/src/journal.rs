//! The journal: one file, many writers.
//!
//! A writer holds the file's lock from reading the last line until its own line is on the disc. A crash in
//! between leaves a line without its end, which the next writer takes away and says so.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::event::Event;

/// Format number of a line.
const SCHEMA: u32 = 1;
/// Longest line that is looked for at the end of the file, in bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Format number.
    pub schema: u32,
    /// Counts from 0.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// SHA-256 (hex) of the line before, without its line break; of nothing for the first.
    pub previous: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Why the ledger could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The operating system refused.
    #[error("cannot {action} the ledger `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An event cannot be said in JSON.
    #[error("cannot write the event as JSON")]
    Json(#[source] serde_json::Error),
    /// The last line is none of ours, so nothing can be chained to it.
    #[error("the ledger `{path}` ends with a line that is no entry")]
    Broken {
        /// The file.
        path: Utf8PathBuf,
    },
}

/// The journal in a folder.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: Utf8PathBuf,
}

impl Ledger {
    /// The journal `ledger.jsonl` in `folder`, which need not exist yet.
    pub fn new(folder: &Utf8Path) -> Self {
        Self { path: folder.join("ledger.jsonl") }
    }

    /// The file.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Writes an event down; on return it is on the disc.
    ///
    /// # Errors
    /// When the file cannot be locked, read or written, or its last line is no entry.
    pub fn append(&self, at: Timestamp, event: Event) -> Result<Entry, LedgerError> {
        let failed = |action| move |source| LedgerError::Io { action, path: self.path.clone(), source };
        let folder = self.path.parent().unwrap_or(Utf8Path::new("/"));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("make"))?;
        let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path);
        let mut file = opened.map_err(failed("open"))?;
        file.lock().map_err(failed("lock"))?;
        let (last, torn) = last_line(&mut file).map_err(failed("read"))?;
        let mut previous = match last {
            None => None,
            Some(line) => {
                let entry: Entry = serde_json::from_slice(&line)
                    .map_err(|_| LedgerError::Broken { path: self.path.clone() })?;
                Some((entry.seq, line))
            }
        };
        if let Some((keep, bytes)) = torn {
            file.set_len(keep).map_err(failed("repair"))?;
            let (_, line) = self.write(&mut file, previous.as_ref(), at, Event::Recovered { bytes })?;
            previous = Some((previous.map_or(0, |(seq, _)| seq + 1), line));
        }
        let (entry, _) = self.write(&mut file, previous.as_ref(), at, event)?;
        Ok(entry)
    }

    fn write(
        &self,
        file: &mut File,
        previous: Option<&(u64, Vec<u8>)>,
        at: Timestamp,
        event: Event,
    ) -> Result<(Entry, Vec<u8>), LedgerError> {
        let entry = Entry {
            schema: SCHEMA,
            seq: previous.map_or(0, |(seq, _)| seq + 1),
            at,
            previous: hash(previous.map_or(&[][..], |(_, line)| line)),
            event,
        };
        let mut line = serde_json::to_vec(&entry).map_err(LedgerError::Json)?;
        line.push(b'\n');
        let written = file.write_all(&line).and_then(|()| file.sync_data());
        written.map_err(|source| LedgerError::Io { action: "write", path: self.path.clone(), source })?;
        line.pop();
        Ok((entry, line))
    }
}

fn hash(line: &[u8]) -> String {
    Sha256::digest(line).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The last whole line, and what comes after it: where that begins, and its length.
type Tail = (Option<Vec<u8>>, Option<(u64, u64)>);

fn last_line(file: &mut File) -> io::Result<Tail> {
    let size = file.metadata()?.len();
    let from = size.saturating_sub(2 * MAX_LINE_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(2 * MAX_LINE_BYTES).read_to_end(&mut tail)?;
    let Some(end) = tail.iter().rposition(|byte| *byte == b'\n') else {
        let torn = (!tail.is_empty()).then_some((0, size));
        return Ok((None, torn));
    };
    let begin = tail[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
    let keep = from + end as u64 + 1;
    Ok((Some(tail[begin..end].to_vec()), (keep < size).then_some((keep, size - keep))))
}
