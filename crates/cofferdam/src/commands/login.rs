//! `coffer login`: the agent's own sign-in in a clean sandbox, whose state is adopted at its end.
//!
//! The plan is made, checked, lowered and run like that of any run: a fresh state, no credential, an empty
//! project. However the run ends, what it left is looked at when all of its processes are gone.

mod debug_log;
mod sign_in;
mod unsandboxed;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_launch::run::{RunError, run, step_aside};
use coffer_plan::agent::SignInLayout;
use coffer_plan::config::{Flags, Settings};
use coffer_plan::plan::{AuthMode, StateMode};
use coffer_plan::show::audit;

use super::exec_launch::conclude;
use crate::adoption::{Attempt, Target};
use crate::cli::LoginCommand;
use crate::error::Error;
use crate::exit::Failure;
use crate::gateway::Gatekeeper;
use crate::prepare::{gather, lower, prepare_sign_in};
use crate::printer::Printer;
use crate::resolver::{NoKeeper, Resolver};
use debug_log::DebugLog;
use sign_in::SignIn;

pub(crate) fn login(command: &LoginCommand, printer: &Printer) -> Result<u8, Failure> {
    Ok(sign_in(command, printer)?)
}

fn sign_in(command: &LoginCommand, printer: &Printer) -> Result<u8, Error> {
    let said = Flags {
        settings: Settings {
            agent: command.agent.clone(),
            account: command.account.clone(),
            ..Settings::default()
        },
        ..Flags::default()
    };
    let chosen = gather(&said, None)?;
    let agent = &chosen.inputs.agent;
    let layout = agent.login.as_ref().and_then(|login| login.sign_in.clone());
    let layout = layout.ok_or_else(|| Error::NoSignIn { agent: agent.name.clone() })?;
    let mut target = Target::new(&chosen.merged.account.value, agent, &chosen.facts)?;
    target.rules.leave_out.extend(layout.debug_file.iter().cloned());
    if command.unsandboxed {
        return unsandboxed::sign_in(&target, agent, &layout, &chosen.facts, printer);
    }
    // Relative to where the command was given, and open before anything else is done.
    let log = command.debug_log.as_deref().map(|path| DebugLog::open(&chosen.facts.project.start.join(path)));
    let mut log = log.transpose()?;
    let project = empty_project()?;
    let flags = flags(command, &agent.name, &layout);
    let prepared = prepare_sign_in(&flags, log.is_some())?;
    if prepared.facts.project.path != *project.path() {
        let path = prepared.facts.project.path;
        return Err(Error::Project { path });
    }
    let launch = lower(&prepared)?;
    printer.tell(&audit::audit(&prepared.plan, printer.style()));
    printer.tell(&format!("Sign in to the account `{}`; what you do here is its login.\n", target.name));
    if let Some(log) = &mut log {
        log.say(&audit::audit(&prepared.plan, audit::Style { color: false }));
    }
    let gatekeeper = Gatekeeper::new(&launch).map_err(RunError::Gateway)?;
    let debug_file = layout.debug_file.as_deref().filter(|_| log.is_some());
    let company = SignIn::new(&target, &prepared.facts, &gatekeeper, debug_file);
    let resolver = Resolver::new(&prepared.facts, &NoKeeper);
    crate::memory::no_dumps_of_programs();
    let aside = step_aside(&launch).map_err(Error::from)?;
    let ran = run(&launch, &resolver, &company);
    drop(aside);
    let left = company.into_left();
    if let Some(log) = &mut log {
        log.conclude(&target, &left)?;
    }
    let ended = ran.map_err(Error::from).and_then(|ran| conclude(ran, &launch, &prepared.facts, printer));
    report(&target, left.attempt, ended, printer)
}

/// What came of it. That the agent was ended by a signal, or said no at its end, is no matter when it signed in.
fn report(
    target: &Target,
    attempt: Option<Attempt>,
    ended: Result<u8, Error>,
    printer: &Printer,
) -> Result<u8, Error> {
    let Some(Attempt { adopted, waits }) = attempt else {
        // It never came to an end that could be looked at.
        return Err(ended.err().unwrap_or(Error::NeedsPerson("nobody signed in")));
    };
    match (adopted, ended) {
        (Ok(adopted), ended) => {
            printer.tell(&target.words(&adopted));
            if let Err(error) = ended {
                printer.failure(&error);
            }
            Ok(0)
        }
        (Err(Error::Capture(error)), Err(ended)) if error.is_no_login() => {
            drop(error);
            Err(ended)
        }
        (Err(error), _) => {
            if let Some(path) = waits {
                printer.insist(&format!(
                    "The sign-in is not lost: it waits in `{path}`.\nhint: `coffer account import {} --pending`\n",
                    target.name
                ));
            }
            Err(error)
        }
    }
}

/// The sign-in as the strongest config layer: nothing of it is up to files.
fn flags(command: &LoginCommand, agent: &str, layout: &SignInLayout) -> Flags {
    Flags {
        settings: Settings {
            backend: command.backend,
            image: command.image.clone(),
            agent: Some(agent.to_owned()),
            account: Some(coffer_account::layout::HOST.to_owned()),
            auth: Some(AuthMode::None),
            state: Some(StateMode::Fresh),
            unattended: Some(false),
            ..Settings::default()
        },
        agent_args: layout.args.clone(),
        ..Flags::default()
    }
}

/// An empty private folder in which this process then is; it goes at the end.
struct Project {
    path: Utf8PathBuf,
    _folder: tempfile::TempDir,
}

impl Project {
    fn path(&self) -> &Utf8Path {
        &self.path
    }
}

fn empty_project() -> Result<Project, Error> {
    let parent = std::env::temp_dir();
    let failed = |source| {
        let path = Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap_or_default();
        Error::Store { action: "make an empty folder in", path, source }
    };
    let folder = tempfile::Builder::new().prefix("coffer-login-").tempdir_in(parent).map_err(failed)?;
    let path = folder.path().canonicalize().map_err(failed)?;
    let path =
        Utf8PathBuf::from_path_buf(path).map_err(|_| failed(std::io::ErrorKind::InvalidFilename.into()))?;
    std::env::set_current_dir(&path).map_err(failed)?;
    Ok(Project { path, _folder: folder })
}

impl Drop for Project {
    fn drop(&mut self) {
        // Out of the folder before it goes.
        drop(std::env::set_current_dir("/"));
    }
}
