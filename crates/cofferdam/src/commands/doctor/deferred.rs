//! Files of the project that programs of the host run, and that were written while a sandbox had the project.
//!
//! An agent can give a file any modification time, but not the time of its last change of status: that is the
//! kernel's. So a file belongs to a run when that time lies between the run's start and end in the ledger.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_launch::run::live_runs;
use coffer_ledger::{Event, Filter};
use coffer_plan::built_in;
use coffer_plan::deferred::GitKeys;
use coffer_plan::deferred::git_changes::running;

use crate::commands::ledger;
use crate::commands::status::look::Looked;
use crate::companion::inventory::{files, is_run};

/// Git's own configuration of the project, and what it runs.
const GIT_CONFIG: &str = ".git/config";
const GIT_HOOKS: &str = ".git/hooks";
/// A run's start is written down beside the start itself.
const SLACK_MS: i64 = 1_000;

/// A file that a run wrote, and that the host runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deferred {
    pub(super) file: Utf8PathBuf,
    pub(super) run: String,
}

/// When a run had the project, Unix ms.
#[derive(Debug)]
struct Span {
    run: String,
    from_ms: i64,
    to_ms: i64,
}

pub(super) fn look(looked: &Looked) -> Vec<Deferred> {
    let project = &looked.facts.project.path;
    let spans = spans(looked, project);
    if spans.is_empty() {
        return Vec::new();
    }
    // The shipped lists parse, as a test shows.
    let Ok(lists) = built_in::deferred() else { return Vec::new() };
    let kept = lists.paths.iter().chain(&looked.agent.deferred).filter(|path| !path.warn);
    let places = kept.map(|path| path.path.as_str()).chain([GIT_HOOKS]);
    let listed = places.flat_map(|place| files(&project.join(place)));
    let mut files: Vec<Utf8PathBuf> = listed.filter(|file| is_run(file)).collect();
    let config = project.join(GIT_CONFIG);
    let text = coffer_host::read_project_config(&config).ok().flatten();
    files.extend(text.filter(|text| runs_programs(text, &lists.git_keys)).map(|_| config));
    let written = files.into_iter().filter_map(|file| {
        let changed_ms = coffer_host::owned(&file)?.changed_ms;
        let span = spans.iter().find(|span| (span.from_ms..=span.to_ms).contains(&changed_ms))?;
        Some(Deferred { file, run: span.run.clone() })
    });
    written.collect()
}

/// The runs in a project, by the ledger; one that nobody saw end counts only while it lives.
fn spans(looked: &Looked, project: &Utf8Path) -> Vec<Span> {
    let words = ["run_started", "run_ended"].map(str::to_owned).to_vec();
    let ledger = ledger::of(&looked.facts);
    let Ok(entries) = ledger.read(Filter { events: words, ..Filter::default() }) else {
        return Vec::new();
    };
    let mut begun: BTreeMap<String, i64> = BTreeMap::new();
    let mut spans = Vec::new();
    for line in entries.flatten().flatten() {
        match line.known() {
            Some(Event::RunStarted { run, project: there, .. }) if there == *project => {
                begun.insert(run, line.at.as_millisecond().saturating_sub(SLACK_MS));
            }
            Some(Event::RunEnded { run, .. }) => {
                if let Some(from_ms) = begun.remove(&run) {
                    spans.push(Span { run, from_ms, to_ms: line.at.as_millisecond() });
                }
            }
            _ => {}
        }
    }
    for live in live_runs(&looked.facts.folders.runtime) {
        if let Some(from_ms) = begun.remove(&live.id) {
            spans.push(Span { run: live.id, from_ms, to_ms: i64::MAX });
        }
    }
    spans
}

/// Whether a configuration of git names something that git runs or follows, or cannot be read.
fn runs_programs(text: &str, keys: &GitKeys) -> bool {
    running(text, keys).is_none_or(|keys| !keys.is_empty())
}

#[cfg(test)]
mod tests;
