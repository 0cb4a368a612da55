//! What a run left that programs of the host would run, put where they do not look: a file or folder under another
//! name in its own folder, which is one rename and works on every file system; changes of git's configuration as a text
//! among Cofferdam's own files. Each is on record, and can be taken back.

pub(crate) mod content;
pub(crate) mod git_config;
pub(crate) mod place;

use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_host::read_config;
use coffer_plan::facts::HostFacts;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::store;

/// Format number of a record.
const SCHEMA: u32 = 1;
/// The record in a run's folder.
const RECORD: &str = "record.json";

/// So often another name is tried.
const TRIES: u32 = 8;

/// What one run left.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) schema: u32,
    pub(crate) run: String,
    pub(crate) project: Utf8PathBuf,
    pub(crate) at_ms: i64,
    pub(crate) items: Vec<Item>,
}

/// One thing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    /// The run's id and a number.
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// Where the run left it.
    pub(crate) path: Utf8PathBuf,
    /// Where it is now.
    pub(crate) now: Utf8PathBuf,
    /// Why.
    pub(crate) reason: String,
    /// What stood in it when it was moved (SHA-256), where that could be read. Later runs can write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
}

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A file or folder that was moved.
    Moved,
    /// The configuration of a repository as the run left its copy.
    GitConfig,
}

/// What one run leaves, while it is settled.
pub(crate) struct Quarantine {
    folder: Utf8PathBuf,
    record: Record,
}

impl Quarantine {
    pub(crate) fn new(facts: &HostFacts, run: &str, project: &Utf8Path) -> Self {
        let record = Record {
            schema: SCHEMA,
            run: run.to_owned(),
            project: project.to_owned(),
            at_ms: coffer_host::now_ms(),
            items: Vec::new(),
        };
        Self { folder: all(facts).join(run), record }
    }

    /// Moves something to another name in its folder.
    pub(crate) fn move_aside(&mut self, path: &Utf8Path, reason: &str) -> Result<Item, Error> {
        let failed = |source| Error::Store { action: "move aside", path: path.to_owned(), source };
        let mut tries = 0..TRIES;
        loop {
            let name =
                format!("{}.quarantined-{}", path.file_name().unwrap_or_default(), suffix().map_err(failed)?);
            // On record before it moves: nothing is moved that nobody knows of.
            let item = self.add(Kind::Moved, path, path.with_file_name(name), reason)?;
            match place::rename(path, &item.now) {
                Ok(()) => return self.moved(item),
                Err(source) => {
                    self.take_back()?;
                    // An agent that could guess the name could have made it.
                    if source.kind() != ErrorKind::AlreadyExists || tries.next().is_none() {
                        return Err(failed(source));
                    }
                }
            }
        }
    }

    /// Writes down what was moved.
    fn moved(&mut self, item: Item) -> Result<Item, Error> {
        let item = Item { sha256: content::digest(&item.now), ..item };
        if let Some(last) = self.record.items.last_mut() {
            *last = item.clone();
        }
        self.save()?;
        Ok(item)
    }

    /// Takes the last item from the record; a record without any goes.
    fn take_back(&mut self) -> Result<(), Error> {
        self.record.items.pop();
        if self.record.items.is_empty() {
            let removed = std::fs::remove_dir_all(&self.folder);
            return removed.map_err(|source| Error::Store {
                action: "remove",
                path: self.folder.clone(),
                source,
            });
        }
        self.save()
    }

    /// Keeps the text of a configuration, and what it was before the run.
    pub(crate) fn keep_text(
        &mut self,
        path: &Utf8Path,
        before: &[u8],
        text: &[u8],
        reason: &str,
    ) -> Result<Item, Error> {
        let now = self.folder.join(format!("{}.git-config", self.record.items.len() + 1));
        self.make_folder()?;
        let failed = |source| Error::Store { action: "write", path: now.clone(), source };
        std::fs::write(&now, text).map_err(failed)?;
        std::fs::write(before_of(&now), before).map_err(failed)?;
        self.add(Kind::GitConfig, path, now.clone(), reason)
    }

    fn add(&mut self, kind: Kind, path: &Utf8Path, now: Utf8PathBuf, reason: &str) -> Result<Item, Error> {
        let id = format!("{}/{}", self.record.run, self.record.items.len() + 1);
        let item = Item { id, kind, path: path.to_owned(), now, reason: reason.to_owned(), sha256: None };
        self.record.items.push(item.clone());
        self.make_folder()?;
        self.save()?;
        Ok(item)
    }

    fn make_folder(&self) -> Result<(), Error> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| Error::Store { action: "make", path: self.folder.clone(), source })
    }

    fn save(&self) -> Result<(), Error> {
        save(&self.folder, &self.record)
    }
}

/// Eight hex digits.
fn suffix() -> std::io::Result<String> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    Ok(format!("{:08x}", u32::from_be_bytes(random)))
}

/// Where the text of a configuration is as it was before the run.
pub(crate) fn before_of(now: &Utf8Path) -> Utf8PathBuf {
    now.with_extension("git-config-before")
}

/// Where all of it is on record.
pub(crate) fn all(facts: &HostFacts) -> Utf8PathBuf {
    facts.folders.data.join("quarantine")
}

/// Every record that has something, the newest run last.
pub(crate) fn records(facts: &HostFacts) -> Result<Vec<(Utf8PathBuf, Record)>, Error> {
    let entries = all(facts).read_dir_utf8().into_iter().flatten().flatten();
    let entries = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut out = Vec::new();
    for folder in entries.map(|entry| entry.path().to_owned()) {
        let path = folder.join(RECORD);
        let Some(text) = read_config(&path)? else { continue };
        let record: Record =
            serde_json::from_str(&text).map_err(|source| Error::StoreBroken { path, source })?;
        if !record.items.is_empty() {
            out.push((folder, record));
        }
    }
    out.sort_by_key(|(_, record)| record.at_ms);
    Ok(out)
}

/// Takes an item from its record; the last one takes the record with it.
pub(crate) fn forget(folder: &Utf8Path, record: &mut Record, id: &str) -> Result<(), Error> {
    record.items.retain(|item| item.id != id);
    if record.items.is_empty() {
        let removed = std::fs::remove_dir_all(folder);
        return removed.map_err(|source| Error::Store { action: "remove", path: folder.to_owned(), source });
    }
    save(folder, record)
}

fn save(folder: &Utf8Path, record: &Record) -> Result<(), Error> {
    store::replace(&folder.join(RECORD), &serde_json::to_string_pretty(record).map_err(Error::Json)?)
}
