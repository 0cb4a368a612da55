//! `coffer doctor --attack`: every attack of the table, first without a sandbox and then in a run of each network tier.
//!
//! All of it happens in a machine made of namespaces ([`world`]), with a home, a login and services that are made up:
//! nothing of the user's takes part, and nothing leaves the machine. What is tried is what Cofferdam does here by
//! default, with this kernel and this bubblewrap.

mod document;
mod error;
pub mod peers;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::process::Command;

use coffer_plan::derive::{INIT, LEASE};
use coffer_plan::plan::BackendKind;
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
/// Limits that are attacked: the name in a plan, the flag, and how much.
const LOW: [[&str; 3]; 2] = [["pids", "--pids", "256"], ["memory", "--memory", "256M"]];
/// Variables of ours by which the engine of the machine is found.
const ENGINE: [&str; 5] = [
    "CONTAINERS_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "CONTAINERS_STORAGE_CONF",
    "DOCKER_CONFIG",
    "DOCKER_HOST",
];
/// The neighbour says that it is there, and waits.
const NEIGHBOUR: [&str; 3] = ["sh", "-c", "echo up; read line"];

pub(super) fn attack(command: &DoctorCommand, printer: &Printer) -> Result<u8, Error> {
    match &command.peers {
        Some(file) => peers::compare(file, command.inside, printer),
        None if command.inside => test(command, printer),
        None => enter(command),
    }
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
    let attacked = Attacked { ground, probe, backend: Backend::of(command) };
    let runs = RUNS.into_iter().map(|run| attacked.run(run)).collect::<Result<Vec<Run>, Error>>()?;
    // What all runs are limited to bounds what is used up without a sandbox, too.
    let limits = runs.first().map(|run| run.limits).unwrap_or_default();
    let outside = attacked.outside(limits)?;
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

/// What makes the sandboxes: flags of their runs, and the variables by which it is found.
#[derive(Default)]
struct Backend {
    flags: Vec<String>,
    variables: Vec<(&'static str, OsString)>,
}

impl Backend {
    fn of(command: &DoctorCommand) -> Self {
        let (Some(engine), Some(image)) = (command.backend, &command.image) else { return Self::default() };
        let kind = BackendKind::from(engine);
        let flags = ["--backend", kind.word(), "--image", image].map(str::to_owned).into();
        let variables = ENGINE
            .into_iter()
            .filter_map(|name| Some((name, OsString::from_vec(coffer_host::variable(name)?.to_vec()))));
        Self { flags, variables: variables.collect() }
    }
}

/// What is attacked, and where.
struct Attacked {
    ground: Ground,
    probe: Probe,
    backend: Backend,
}

impl Attacked {
    /// A stage with another run of the same user, in another project.
    fn scene(&self) -> Result<Scene, Error> {
        let mut scene = Scene::lay(&self.ground, &self.probe).map_err(failed("lay the stage"))?;
        let mut command = self.coffer(&scene, &["run", "--audit", "never", "--yes"]);
        command.args(["--network", "agent", "--auth", "lease", "--"]).args(NEIGHBOUR);
        let runs = scene.brief.runtime.join("cofferdam/runs");
        scene.add_neighbour(command, &runs).map_err(failed("start another run"))?;
        Ok(scene)
    }

    /// `coffer` with these words on the stage, for a run by the backend.
    fn coffer(&self, scene: &Scene, words: &[&str]) -> Command {
        let mut command = scene.command(&self.probe.program);
        command.args(words).args(&self.backend.flags).envs(self.backend.variables.iter().cloned());
        command
    }

    /// The positive control, as the same user.
    fn outside(&self, limits: Limits) -> Result<Column, Error> {
        let mut scene = self.scene()?;
        scene.brief.limits = limits;
        let environment = scene.environment();
        let mut column = Column::attacked("outside", &mut scene, |brief| {
            let mut command = self.probe.command();
            command.arg(word(brief)).env_clear().envs(environment).current_dir(&brief.project);
            command
        })
        .map_err(failed("attack without a sandbox"))?;
        scene.be_careless();
        column.look(&scene.brief);
        Ok(column)
    }

    /// One run of ours.
    fn run(&self, [name, tier, auth]: [&'static str; 3]) -> Result<Run, Error> {
        let mut scene = self.scene()?;
        let mut flags = vec!["--network", tier, "--auth", auth];
        let by_default = self.plan(&scene, &flags)?;
        // Where a limit holds by default it is lowered to what can be used up in a moment.
        for [limit, flag, low] in LOW {
            flags.extend(
                (!by_default["limits"][limit]["value"].is_null()).then_some([flag, low]).iter().flatten(),
            );
        }
        let plan = self.plan(&scene, &flags)?;
        let limits = document::limits(&plan);
        scene.brief.limits = limits;
        scene.brief.first = 1;
        scene.brief.lease = LEASE.into();
        let mut command = self.coffer(&scene, &["run", "--audit", "never", "--yes"]);
        let column = Column::attacked(name, &mut scene, |brief| {
            command.args(&flags).args(["--", INIT, probe::VERB]).arg(word(brief));
            command
        });
        let column = column.map_err(failed("attack a run"))?;
        Ok(Run { column, plan, limits, network: tier, auth })
    }

    /// The plan of a run with these flags.
    fn plan(&self, scene: &Scene, flags: &[&str]) -> Result<serde_json::Value, Error> {
        let mut plan = self.coffer(scene, &["plan", "--json"]);
        let plan = plan.args(flags).args(["--", "true"]).output().map_err(failed("make the plan"))?;
        serde_json::from_slice(&plan.stdout).map_err(|error| {
            let said = String::from_utf8_lossy(&plan.stderr).into_owned();
            failed("make the plan")(io::Error::new(io::ErrorKind::InvalidData, format!("{error}: {said}")))
        })
    }
}

fn word(brief: &Brief) -> OsString {
    // Paths, words and numbers: there is nothing in it that JSON cannot say but a path that is no UTF-8, and the
    // folders of a test are.
    serde_json::to_string(brief).unwrap_or_default().into()
}
