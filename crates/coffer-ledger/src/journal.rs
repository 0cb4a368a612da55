//! The journal: one file, many writers.
//!
//! A writer holds the file's lock from reading the last line until its own line is on the disc. A crash in
//! between leaves a line without its end, which the next writer takes away and says so. A write that fails is
//! taken back, so that an event is written down if and only if its writer was told so.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use rustix::fd::OwnedFd;

use crate::error::LedgerError;
use crate::event::Event;
use crate::line::{Entry, Head, MAX_LINE_BYTES, SCHEMA, hash};
use crate::place;

#[cfg(test)]
mod tests;

/// The file's name.
const NAME: &str = "ledger.jsonl";
/// How often a file that was moved away under our hands is looked for anew.
const ATTEMPTS: usize = 8;

/// The journal in a folder.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: Utf8PathBuf,
}

impl Ledger {
    /// The journal `ledger.jsonl` in `folder`, which need not exist yet.
    pub fn new(folder: &Utf8Path) -> Self {
        Self { path: folder.join(NAME) }
    }

    /// The file.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Writes an event down; on return it is on the disc.
    ///
    /// # Errors
    /// When the file cannot be locked, read or written, is no file of ours, or its last line is no entry.
    pub fn append(&self, at: Timestamp, event: Event) -> Result<Entry, LedgerError> {
        let (entry, _) = self.write(at, event, Vec::new())?;
        Ok(entry)
    }

    /// Writes several events down at once, in this order, in one write and one sync: all of them or none.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    pub fn append_all(&self, events: Vec<(Timestamp, Event)>) -> Result<Vec<Entry>, LedgerError> {
        let mut events = events.into_iter();
        let Some((at, event)) = events.next() else { return Ok(Vec::new()) };
        let (first, more) = self.write(at, event, events.collect())?;
        Ok(std::iter::once(first).chain(more).collect())
    }

    fn write(
        &self,
        at: Timestamp,
        event: Event,
        more: Vec<(Timestamp, Event)>,
    ) -> Result<(Entry, Vec<Entry>), LedgerError> {
        let folder = place::own_folder(self.folder())?;
        let mut file = self.locked(&folder)?;
        let tail = last_line(&mut file).map_err(|source| self.failed("read", source))?;
        let Tail { last, size, torn } =
            tail.ok_or_else(|| LedgerError::Broken { path: self.path.clone() })?;
        let mut chain = match &last {
            None => Chain { seq: 0, previous: hash(b"") },
            Some(line) => {
                let head = Head::of(line).ok_or_else(|| LedgerError::Broken { path: self.path.clone() })?;
                Chain { seq: head.seq + 1, previous: hash(line) }
            }
        };
        // All lines go down in one write: if it fails, the file is as it was.
        let mut lines = Vec::new();
        if torn > 0 {
            chain.add(at, Event::Recovered { bytes: torn }, &mut lines)?;
            let cut = file.set_len(size);
            cut.map_err(|source| self.failed("repair", source))?;
        }
        let entry = chain.add(at, event, &mut lines)?;
        let more = more.into_iter().map(|(at, event)| chain.add(at, event, &mut lines));
        let more = more.collect::<Result<Vec<_>, _>>()?;
        if let Err(source) = file.write_all(&lines).and_then(|()| file.sync_data()) {
            // If that fails as well, the next writer finds a line without its end.
            let _ = file.set_len(size);
            return Err(self.failed("write", source));
        }
        if size == 0 {
            place::keep_name(&folder).map_err(|source| self.failed("keep", source))?;
        }
        Ok((entry, more))
    }

    /// The file for reading; `None` when nothing was ever written down.
    pub(crate) fn open(&self) -> Result<Option<File>, LedgerError> {
        let missing = |error: &LedgerError| matches!(error, LedgerError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound);
        let opened =
            place::open_folder(self.folder()).and_then(|folder| place::readable(&folder, NAME, &self.path));
        match opened {
            Ok(file) => Ok(Some(file)),
            Err(error) if missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn failed(&self, action: &'static str, source: io::Error) -> LedgerError {
        LedgerError::io(action, &self.path, source)
    }

    fn folder(&self) -> &Utf8Path {
        self.path.parent().unwrap_or(Utf8Path::new("/"))
    }

    /// The file, locked; a new one if it was moved away while somebody else held the lock.
    fn locked(&self, folder: &OwnedFd) -> Result<File, LedgerError> {
        for _ in 0..ATTEMPTS {
            let file = place::writable(folder, NAME, &self.path)?;
            file.lock().map_err(|source| self.failed("lock", source))?;
            if self.is_named(folder, &file)? {
                return Ok(file);
            }
        }
        Err(self.failed("lock", io::Error::other("it is moved away again and again")))
    }

    /// Whether the folder's entry still is this file.
    fn is_named(&self, folder: &OwnedFd, file: &File) -> Result<bool, LedgerError> {
        let seen = |errno: rustix::io::Errno| self.failed("look at", errno.into());
        let own = rustix::fs::fstat(file).map_err(seen)?;
        match rustix::fs::statat(folder, NAME, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) => Ok((named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(errno) => Err(seen(errno)),
        }
    }
}

/// Where the next line goes.
struct Chain {
    seq: u64,
    previous: String,
}

impl Chain {
    /// Makes the next line and puts it behind `lines`.
    fn add(&mut self, at: Timestamp, event: Event, lines: &mut Vec<u8>) -> Result<Entry, LedgerError> {
        let entry =
            Entry { schema: SCHEMA, seq: self.seq, at, previous: std::mem::take(&mut self.previous), event };
        let line = serde_json::to_vec(&entry).map_err(LedgerError::Json)?;
        if line.len() >= MAX_LINE_BYTES {
            return Err(LedgerError::TooLong { bytes: line.len() });
        }
        *self = Self { seq: entry.seq + 1, previous: hash(&line) };
        lines.extend_from_slice(&line);
        lines.push(b'\n');
        Ok(entry)
    }
}

/// The end of the file.
struct Tail {
    /// The last whole line.
    last: Option<Vec<u8>>,
    /// How long the file is up to there.
    size: u64,
    /// How much comes after it.
    torn: u64,
}

/// `None` when the end is longer than anything that a writer of ours could have left.
fn last_line(file: &mut File) -> io::Result<Option<Tail>> {
    let length = file.metadata()?.len();
    let reach = 2 * MAX_LINE_BYTES as u64;
    let from = length.saturating_sub(reach);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(reach).read_to_end(&mut tail)?;
    let last_break = tail.iter().rposition(|byte| *byte == b'\n');
    let whole = last_break.map_or(0, |at| at + 1);
    let torn = tail.len() - whole;
    if torn >= MAX_LINE_BYTES || (last_break.is_none() && from > 0) {
        return Ok(None);
    }
    let size = from + whole as u64;
    let Some(end) = last_break else { return Ok(Some(Tail { last: None, size, torn: torn as u64 })) };
    let begin = match tail[..end].iter().rposition(|byte| *byte == b'\n') {
        Some(before) => before + 1,
        None if from == 0 => 0,
        None => return Ok(None),
    };
    Ok(Some(Tail { last: Some(tail[begin..end].to_vec()), size, torn: torn as u64 }))
}
