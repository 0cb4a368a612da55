//! What a tool answered, kept as long as nothing changes on which its answer depends.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::ToolEntry;
use coffer_plan::tool::{Ask, Tool};
use rustix::fs::{AtFlags, CWD, statat};
use serde::{Deserialize, Serialize};

use crate::cache;
use crate::project::sha256;
use crate::read::read_file;
use crate::search::Program;

/// Largest file that is believed, in bytes.
const MAX_REMEMBERED: usize = 1024 * 1024;

/// What is asked, and of what the answer depends.
pub(super) struct Question {
    /// Digest of the data file and the environment.
    words: String,
    stamps: Vec<Stamp>,
}

/// What tells one file from another; zeros where there is none.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stamp {
    path: Utf8PathBuf,
    dev: u64,
    ino: u64,
    size: i64,
    /// Nanoseconds since 1970, as text: JSON numbers are too short for some clocks.
    modified: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    words: String,
    stamps: Vec<Stamp>,
    /// Files that only the answer told of.
    more: Vec<Stamp>,
    entries: Vec<ToolEntry>,
    failed: Option<String>,
}

impl Question {
    pub(super) fn new(
        tool: &Tool,
        ask: &Ask,
        environment: &[(String, String)],
        program: &Program,
        watched: &[Utf8PathBuf],
    ) -> Self {
        let files = [&program.path, &program.fact.resolved].into_iter().chain(watched);
        Self {
            words: sha256(format!("{tool:?} {ask:?} {environment:?}").as_bytes()),
            stamps: files.map(|path| stamp(path)).collect(),
        }
    }
}

fn stamp(path: &Utf8Path) -> Stamp {
    let mut stamp = Stamp { path: path.to_owned(), dev: 0, ino: 0, size: 0, modified: String::new() };
    if let Ok(stat) = statat(CWD, path.as_str(), AtFlags::empty()) {
        stamp.dev = stat.st_dev;
        stamp.ino = stat.st_ino;
        stamp.size = stat.st_size;
        stamp.modified = format!("{}.{:09}", stat.st_mtime, stat.st_mtime_nsec);
    }
    stamp
}

/// Where one answer is kept.
pub(super) struct Memory(Utf8PathBuf);

impl Memory {
    pub(super) fn new(folder: &Utf8Path, tool: &Tool, ask: &Ask) -> Self {
        let at = tool.asks.iter().position(|other| other == ask).unwrap_or_default();
        Self(folder.join(format!("tool-{}-{at}.json", tool.name)))
    }

    /// The answer to this question, if nothing has changed since.
    pub(super) fn recall(&self, question: &Question) -> Option<(Vec<ToolEntry>, Option<String>)> {
        let found = read_file(&self.0, MAX_REMEMBERED).ok()?;
        let known: Remembered = serde_json::from_slice(&found.content).ok()?;
        let same = known.words == question.words
            && known.stamps == question.stamps
            && known.more.iter().all(|known| *known == stamp(&known.path));
        same.then_some((known.entries, known.failed))
    }

    /// Keeps it. A full disc or a read-only home: the next start asks again.
    pub(super) fn keep(
        &self,
        question: &Question,
        more: &[Utf8PathBuf],
        entries: &[ToolEntry],
        failed: Option<&str>,
    ) {
        let mut more = more.to_vec();
        more.sort();
        more.dedup();
        let text = serde_json::json!({
            "words": question.words,
            "stamps": question.stamps,
            "more": more.iter().map(|path| stamp(path)).collect::<Vec<_>>(),
            "entries": entries,
            "failed": failed,
        });
        let _ = cache::replace(&self.0, text.to_string().as_bytes());
    }
}
