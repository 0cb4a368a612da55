//! What is kept of an engine's answers.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{HostFacts, ImageFact};
use rustix::fs::{AtFlags, CWD, statat};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Asked, engine_variables};
use crate::cache;
use crate::read::read_file;

/// How long an engine's word of itself counts, in milliseconds.
const LASTS_MS: i64 = 60 * 60 * 1000;
/// Largest cache file, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// What is remembered of one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remembered<T> {
    /// Of all that the answer depends on.
    key: String,
    /// When it was asked, Unix ms.
    asked_at_ms: i64,
    pub(super) engine: T,
    /// The last image that was asked for.
    pub(super) image: Option<RememberedImage>,
}

/// An image, and the list that it was in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RememberedImage {
    pub(super) name: String,
    pub(super) list: String,
    pub(super) fact: ImageFact,
}

impl<T: Serialize + DeserializeOwned> Remembered<T> {
    pub(super) fn new(key: String, facts: &HostFacts, engine: T) -> Self {
        Self { key, asked_at_ms: facts.now_ms, engine, image: None }
    }

    /// What is remembered under the key, if it still counts.
    pub(super) fn recall(facts: &HostFacts, name: &str, key: &str) -> Option<Self> {
        let found = read_file(&file(facts, name)?, MAX_BYTES).ok()?;
        let known: Self = serde_json::from_slice(&found.content).ok()?;
        let age = facts.now_ms.checked_sub(known.asked_at_ms)?;
        (known.key == key && (0..LASTS_MS).contains(&age)).then_some(known)
    }

    /// Remembers it. A full disk or a read-only home: the next start asks again.
    pub(super) fn keep(&self, facts: &HostFacts, name: &str) {
        if let (Some(file), Ok(text)) = (file(facts, name), serde_json::to_vec(self)) {
            let _ = cache::replace(&file, &text);
        }
    }
}

fn file(facts: &HostFacts, name: &str) -> Option<Utf8PathBuf> {
    Some(cache::folder(facts)?.join(format!("engine-{name}.json")))
}

/// A word for all that an engine's answer depends on: its program, what it gets of our environment, where it is, and
/// these files.
pub(super) fn key(asked: &Asked<'_>, connection: &str, files: &[Utf8PathBuf]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text.as_bytes());
        hash.update([0]);
    };
    add(asked.program.as_str());
    add(connection);
    add(&asked.facts.user.uid.to_string());
    for (name, value) in engine_variables() {
        add(&name);
        add(&value);
    }
    for file in std::iter::once(asked.program).chain(files.iter().map(Utf8PathBuf::as_path)) {
        add(&stamp(file).unwrap_or_default());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What tells one state of a file from another; `None` where there is none.
pub(super) fn stamp(file: &Utf8Path) -> Option<String> {
    let stat = statat(CWD, file.as_str(), AtFlags::empty()).ok()?;
    Some(format!("{}:{}:{}.{}:{}", stat.st_dev, stat.st_ino, stat.st_mtime, stat.st_mtime_nsec, stat.st_size))
}
