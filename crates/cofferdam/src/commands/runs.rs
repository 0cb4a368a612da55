//! `coffer ps`, `coffer stop` and `coffer logs`: the runs that live, on every backend, and what was written down of one.

use std::time::Duration;

use coffer_launch::run::{LiveRun, Stopped, live_runs, sweep_runs};
use coffer_ledger::Filter;
use coffer_plan::show::audit::printable;
use jiff::Timestamp;
use serde::Serialize;

use super::ledger;
use crate::cli::{LedgerShowCommand, LogsCommand, PsCommand, StopCommand};
use crate::error::Error;
use crate::exit::Failure;
use crate::printer::Printer;

#[derive(Serialize)]
struct Report {
    schema: u32,
    runs: Vec<Shown>,
}

/// A run as it is shown.
#[derive(Serialize)]
struct Shown {
    id: String,
    agent: Option<String>,
    project: Option<String>,
    account: Option<String>,
    auth: Option<String>,
    backend: Option<String>,
    started_at: Option<Timestamp>,
    /// The process of its backend.
    pid: Option<u32>,
    status: &'static str,
}

impl Shown {
    fn of(LiveRun { id, started_at_ms, pid, about, .. }: LiveRun) -> Self {
        let status = if pid.is_some() { "running" } else { "starting" };
        let started_at = Timestamp::from_millisecond(started_at_ms).ok();
        let Some(about) = about else {
            let (agent, project, account, auth, backend) = Default::default();
            return Self { id, agent, project, account, auth, backend, started_at, pid, status };
        };
        Self {
            id,
            agent: Some(about.agent),
            project: Some(about.project.into_string()),
            account: Some(about.account),
            auth: Some(about.auth),
            backend: Some(about.backend),
            started_at,
            pid,
            status,
        }
    }

    fn line(&self) -> String {
        let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
        let started = self.started_at.map_or_else(|| "-".to_owned(), |at| at.strftime("%FT%TZ").to_string());
        format!(
            "{}  {:8}  {}  {:10}  {:7}  {:7}  {}",
            self.id,
            self.status,
            started,
            word(&self.agent),
            word(&self.account),
            word(&self.backend),
            word(&self.project)
        )
    }
}

pub(crate) fn ps(command: &PsCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base().map_err(Error::from)?;
    let runs: Vec<Shown> = live_runs(&facts.folders.runtime).into_iter().map(Shown::of).collect();
    if command.json {
        printer.json(&Report { schema: 1, runs })?;
        return Ok(0);
    }
    for run in &runs {
        printer.data(&printable(&run.line()))?;
    }
    if runs.is_empty() {
        printer.tell("Nothing runs.\n");
    }
    Ok(0)
}

pub(crate) fn stop(command: &StopCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base().map_err(Error::from)?;
    let live = live_runs(&facts.folders.runtime);
    // Nothing is ended before it is clear that all of them are meant.
    let meant = command.runs.iter().map(|word| {
        let mut found = live.iter().filter(|run| run.id.starts_with(word.as_str()));
        match (found.next(), found.next()) {
            (Some(run), None) => Ok(run),
            _ => Err(Error::NoSuchRun { run: word.clone() }),
        }
    });
    let meant = meant.collect::<Result<Vec<_>, _>>()?;
    for run in meant {
        match run.stop(Duration::from_secs(command.time)).map_err(Error::from)? {
            Stopped::Ended | Stopped::Gone => printer.tell(&format!("{} has ended.\n", run.id)),
            Stopped::Killed => {
                sweep_runs(&facts.folders.runtime);
                printer.tell(&format!("{} did not end, and was killed.\n", run.id));
            }
        }
    }
    Ok(0)
}

pub(crate) fn logs(command: &LogsCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base().map_err(Error::from)?;
    let live = live_runs(&facts.folders.runtime);
    let mut begins = live.iter().filter(|run| run.id.starts_with(command.run.as_str()));
    // Of one that has ended only the whole id is known to be meant.
    let run = match (begins.next(), begins.next()) {
        (Some(run), None) => run.id.clone(),
        _ => command.run.clone(),
    };
    let ledger = ledger::of(&facts);
    let of_run = Filter { run: Some(run.clone()), ..Filter::default() };
    if ledger.read(of_run).map_err(Error::from)?.next().is_none() {
        return Err(Error::NoSuchRun { run }.into());
    }
    let (account, since, event, json) = (None, None, Vec::new(), command.json);
    let of_run = LedgerShowCommand { account, run: Some(run), since, event, json };
    ledger::show(&ledger, &of_run, facts.now_ms, printer)
}
