//! Files of the project that programs of the host run, and that were written while a sandbox had the project.
//!
//! An agent can give a file any modification time, but not the time of its last change of status: that is the
//! kernel's. So a file belongs to a run when that time lies between the run's start and end in the ledger.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_launch::run::live_runs;
use coffer_ledger::{Event, Filter};

use crate::commands::ledger;
use crate::commands::status::look::Looked;

/// What programs of the host run or read commands from, relative to the project; in folders each file counts.
/// What the agent itself reads there is in its data file.
const PLACES: &[&str] = &[
    ".envrc",
    ".githooks",
    ".git/hooks",
    ".husky",
    ".idea/runConfigurations",
    ".mcp.json",
    ".pre-commit-config.yaml",
    ".vscode/launch.json",
    ".vscode/settings.json",
    ".vscode/tasks.json",
];
/// Git's own configuration of the project.
const GIT_CONFIG: &str = ".git/config";
/// Keys of it whose values git runs.
const RUN_BY_GIT: &[&str] = &[
    "askpass",
    "clean",
    "command",
    "driver",
    "editor",
    "external",
    "fsmonitor",
    "helper",
    "hookspath",
    "include",
    "pager",
    "path",
    "process",
    "program",
    "smudge",
    "sshcommand",
    "textconv",
];
/// Files of a folder that are looked at.
const MOST: usize = 200;
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
    let own = looked.agent.settings.project.iter().map(String::as_str);
    let mut files: Vec<Utf8PathBuf> =
        PLACES.iter().copied().chain(own).flat_map(|place| files(&project.join(place))).collect();
    let config = project.join(GIT_CONFIG);
    let text = coffer_host::read_project_config(&config).ok().flatten();
    files.extend(text.filter(|text| runs_programs(text)).map(|_| config));
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

/// The file itself, or those of a folder that can be run; links are looked at and not followed.
fn files(place: &Utf8Path) -> Vec<Utf8PathBuf> {
    match coffer_host::owned(place) {
        None => Vec::new(),
        Some(owned) if !owned.is_folder => vec![place.to_owned()],
        Some(_) => {
            let entries = place.read_dir_utf8().into_iter().flatten().flatten().take(MOST);
            let files = entries.map(|entry| entry.path().to_owned());
            // Git leaves examples, and runs what may be executed.
            let is_run = |file: &Utf8PathBuf| {
                file.extension() != Some("sample")
                    && coffer_host::owned(file)
                        .is_some_and(|owned| !owned.is_folder && owned.mode & 0o111 != 0)
            };
            files.filter(is_run).collect()
        }
    }
}

/// Whether a configuration of git names something that git runs, or another file that could.
fn runs_programs(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start().to_ascii_lowercase();
        let key = line.split(['=', ' ', '\t']).next().unwrap_or_default();
        let is_alias = line.split_once('=').is_some_and(|(_, value)| value.trim_start().starts_with('!'));
        RUN_BY_GIT.contains(&key) || is_alias || line.starts_with("[include")
    })
}

#[cfg(test)]
mod tests;
