//! `coffer doctor --attack`: every attack of the table, first without a sandbox and then in a run of each network tier.
//!
//! All of it happens in a machine made of namespaces ([`world`]), with a home, a login and services that are made up:
//! nothing of the user's takes part, and nothing leaves the machine. What is tried is what Cofferdam does here by
//! default, with this kernel and this bubblewrap.

mod document;
mod error;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Command;

use coffer_plan::derive::{INIT, LEASE};
use coffer_testkit::attack::brief::Limits;
use coffer_testkit::attack::column::{Column, Probe};
use coffer_testkit::attack::scene::{Ground, Scene, hosts};
use coffer_testkit::attack::{Brief, probe, world};
use coffer_testkit::netns::hosts_file;

use crate::cli::DoctorCommand;
use crate::error::Error;
use crate::exit::NO;
use crate::printer::Printer;
use document::{Run, document, text};
pub(crate) use document::{granted_by, schema};
pub(crate) use error::AttackError;

/// The runs that are attacked: a name, the network tier, the auth mode.
const RUNS: [[&str; 3]; 5] = [
    ["none", "none", "lease"],
    ["agent", "agent", "lease"],
    ["dev", "dev", "lease"],
    ["full", "full", "lease"],
    ["gateway", "agent", "gateway"],
];
/// The neighbour says that it is there, and waits.
const NEIGHBOUR: [&str; 3] = ["sh", "-c", "echo up; read line"];

pub(super) fn attack(command: &DoctorCommand, printer: &Printer) -> Result<u8, Error> {
    if command.inside { test(command, printer) } else { enter(command) }
}

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| AttackError::Step { action, source }.into()
}

/// Starts ourselves again in a machine of our own.
fn enter(command: &DoctorCommand) -> Result<u8, Error> {
    if !world::available() {
        return Err(AttackError::NoStage.into());
    }
    let coffer = coffer_host::base()?.coffer;
    let hosts = hosts_file(&hosts()).map_err(failed("write a hosts file"))?;
    let mut again = world::command(hosts.path(), coffer.as_std_path().as_os_str());
    again.args(["doctor", "--attack", "--inside"]);
    again.args(command.json.then_some("--json"));
    let status = again.status().map_err(failed("start `unshare`"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(NO))
}

/// Attacks, in the machine of our own.
fn test(command: &DoctorCommand, printer: &Printer) -> Result<u8, Error> {
    let coffer = coffer_host::base()?.coffer;
    let probe =
        Probe { program: coffer.into_std_path_buf(), called: crate::INIT_NAME, words: &[probe::VERB] };
    let ground = Ground::new(&canary()?).map_err(failed("lay the stage"))?;
    let runs =
        RUNS.into_iter().map(|run| run_of(&ground, &probe, run)).collect::<Result<Vec<Run>, Error>>()?;
    // What all runs are limited to bounds what is used up without a sandbox, too.
    let limits = runs.first().map(|run| run.limits).unwrap_or_default();
    let outside = outside(&ground, &probe, limits)?;
    let document = document(&outside, &runs);
    if command.json {
        printer.json(&document)?;
    } else {
        printer.data(&text(&document))?;
    }
    Ok(if document.well { 0 } else { NO })
}

fn canary() -> Result<String, Error> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| failed("make a canary")(io::Error::other(error)))?;
    Ok(format!("canary-{:016x}", u64::from_be_bytes(bytes)))
}

/// The positive control, as the same user.
fn outside(ground: &Ground, probe: &Probe, limits: Limits) -> Result<Column, Error> {
    let mut scene = Scene::lay(ground, probe).map_err(failed("lay the stage"))?;
    add_neighbour(&mut scene, &probe.program)?;
    scene.brief.limits = limits;
    let environment = scene.environment();
    let mut column = Column::attacked("outside", &mut scene, |brief| {
        let mut command = probe.command();
        command.arg(word(brief)).env_clear().envs(environment).current_dir(&brief.project);
        command
    })
    .map_err(failed("attack without a sandbox"))?;
    scene.be_careless();
    column.look(&scene.brief);
    Ok(column)
}

/// One run of ours.
fn run_of(ground: &Ground, probe: &Probe, [name, tier, auth]: [&'static str; 3]) -> Result<Run, Error> {
    let mut scene = Scene::lay(ground, probe).map_err(failed("lay the stage"))?;
    add_neighbour(&mut scene, &probe.program)?;
    let flags = ["--network", tier, "--auth", auth];
    let mut plan = scene.command(&probe.program);
    plan.args(["plan", "--json"]).args(flags).args(["--", "true"]);
    let plan = plan.output().map_err(failed("make the plan"))?;
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).map_err(|error| {
        let said = String::from_utf8_lossy(&plan.stderr).into_owned();
        failed("make the plan")(io::Error::new(io::ErrorKind::InvalidData, format!("{error}: {said}")))
    })?;
    let limits = document::limits(&plan);
    scene.brief.limits = limits;
    scene.brief.first = 1;
    scene.brief.lease = LEASE.into();
    let mut command = scene.command(&probe.program);
    let column = Column::attacked(name, &mut scene, |brief| {
        command.args(["run", "--audit", "never", "--yes"]).args(flags);
        command.args(["--", INIT, probe::VERB]).arg(word(brief));
        command
    });
    let column = column.map_err(failed("attack a run"))?;
    Ok(Run { column, plan, limits, network: tier, auth })
}

/// Another run of the same user, in another project.
fn add_neighbour(scene: &mut Scene, coffer: &Path) -> Result<(), Error> {
    let mut command: Command = scene.command(coffer);
    command.args(["run", "--audit", "never", "--yes", "--network", "agent", "--auth", "lease", "--"]);
    command.args(NEIGHBOUR);
    let runs = scene.brief.runtime.join("cofferdam/runs");
    scene.add_neighbour(command, &runs).map_err(failed("start another run"))
}

fn word(brief: &Brief) -> OsString {
    // Paths, words and numbers: there is nothing in it that JSON cannot say but a path that is no UTF-8, and the
    // folders of a test are.
    serde_json::to_string(brief).unwrap_or_default().into()
}
