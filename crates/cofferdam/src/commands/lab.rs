//! `coffer lab`: experiments with the genuine agent in a network of its own, against the practice API.
//! Nothing in the tables is known beforehand: each row is measured in this very run.

mod expiry;
mod identity;
mod mounts;
mod practice;
mod priority;
mod race;
mod table;
mod volume;

use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use coffer_plan::config::Flags;
use coffer_testkit::netns;

use crate::cli::{Experiment, LabCommand};
use crate::error::Error;
use crate::exit::{Failure, NO};
use crate::prepare::gather;
use crate::printer::Printer;
use practice::{Client, Practice};
use table::{Report, Table};

/// Hosts that the agent talks to; in the private network they are the practice API.
const HOSTS: [&str; 3] = ["api.anthropic.com", "platform.claude.com", "console.anthropic.com"];

pub(crate) fn lab(command: &LabCommand, printer: &Printer) -> Result<u8, Failure> {
    match &command.inside {
        None => enter(command, printer),
        Some(coffer) => experiment(command, coffer, printer),
    }
}

/// What an experiment may use.
pub(crate) struct Lab<'a> {
    /// The practice API, at 443 of the private loopback.
    pub(crate) practice: Practice,
    /// The genuine agents to experiment with.
    pub(crate) clients: Vec<Client>,
    /// Our own program.
    pub(crate) coffer: &'a Path,
    printer: &'a Printer,
}

impl Lab<'_> {
    /// A line on stderr, above a bar that may be drawn.
    pub(crate) fn tell(&self, bar: &indicatif::ProgressBar, text: &str) {
        bar.suspend(|| self.printer.tell(text));
    }

    /// A bar on stderr; nothing is drawn where nobody looks.
    pub(crate) fn progress(&self, steps: usize, what: &str) -> indicatif::ProgressBar {
        if self.printer.is_quiet() {
            return indicatif::ProgressBar::hidden();
        }
        let bar = indicatif::ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
        bar.set_message(what.to_owned());
        if let Ok(style) = indicatif::ProgressStyle::with_template("{msg} [{bar:24}] {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        bar
    }
}

/// Starts ourselves again where there is nothing but loopback, and passes the end on.
fn enter(command: &LabCommand, printer: &Printer) -> Result<u8, Failure> {
    if !netns::available() {
        return Err(Error::NoPrivateNetwork.into());
    }
    let gathered = gather(&Flags::default(), None)?;
    let (facts, agent) = (gathered.facts, gathered.inputs.agent);
    let mut clients = command.claude.clone();
    if clients.is_empty() {
        let install = agent.install_hint.unwrap_or_default();
        let found = facts.agent.ok_or(Error::ToolMissing { program: agent.name, install })?;
        clients.push(found.path.into_std_path_buf());
    }
    let hosts = netns::hosts_file(&HOSTS).map_err(failed("the hosts file"))?;
    let mut again = netns::command(hosts.path(), facts.coffer.as_std_path().as_os_str());
    again.args(["lab", &word(command.experiment), "--inside", facts.coffer.as_str()]);
    again.args(["--rounds", &command.rounds.to_string(), "--sandboxes", &command.sandboxes.to_string()]);
    again.args(command.only.iter().flat_map(|only| ["--only", only]));
    for client in clients {
        again.arg("--claude").arg(std::path::absolute(&client).map_err(failed("the agent's path"))?);
    }
    if let Some(out) = &command.out {
        again.arg("--out").arg(std::path::absolute(out).map_err(failed("the path of the page"))?);
    }
    again.args(command.json.then_some("--json")).args(printer.is_quiet().then_some("--quiet"));
    let status = again.status().map_err(failed("starting `unshare`"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(NO))
}

fn word(experiment: Experiment) -> String {
    experiment.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// The experiments themselves, in the private network.
fn experiment(command: &LabCommand, coffer: &Path, printer: &Printer) -> Result<u8, Failure> {
    let practice = Practice::start()?;
    let clients = command.claude.iter().map(|path| Client::found(path)).collect::<Result<Vec<_>, _>>()?;
    let lab = Lab { practice, clients, coffer, printer };
    let mut tables: Vec<Table> = Vec::new();
    let one = |wanted: Experiment| command.experiment == wanted || command.experiment == Experiment::All;
    if one(Experiment::Expiry) {
        tables.extend(expiry::tables(&lab)?);
    }
    if one(Experiment::Mounts) {
        tables.push(mounts::table(&lab)?);
    }
    if one(Experiment::Volume) {
        tables.push(volume::table(&lab)?);
    }
    if one(Experiment::Priority) {
        tables.extend(priority::tables(&lab)?);
    }
    if one(Experiment::Identity) {
        tables.push(identity::table(&lab)?);
    }
    if one(Experiment::Race) {
        tables.push(race::table(&lab, command.rounds, command.sandboxes, &command.only)?);
    }
    let report = Report::of(&word(command.experiment), &lab.clients, tables);
    if let Some(path) = &command.out {
        write_page(path, &report.page())?;
    }
    if command.json {
        printer.json(&report.json())?;
    } else {
        printer.data(&report.text())?;
    }
    Ok(if report.well() { 0 } else { NO })
}

fn write_page(path: &PathBuf, page: &str) -> Result<(), Error> {
    std::fs::write(path, page).map_err(failed(&format!("writing `{}`", path.display())))
}

/// What was tried, for an error.
pub(crate) fn failed(action: &str) -> impl FnOnce(std::io::Error) -> Error {
    let action = action.to_owned();
    move |source| Error::Lab { action, source }
}
