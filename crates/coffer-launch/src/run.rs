//! Performs a launch: prepares the host, resolves references, starts the backend, supervises it, and
//! leaves nothing of the run behind.

mod beforehand;
mod beneath;
mod claim;
mod clear;
mod companion;
mod container;
mod copy_tree;
mod descriptors;
mod error;
mod folder;
mod git_copies;
mod ground;
mod groups;
mod hold;
mod live;
mod merge;
mod prepare;
mod secret;
mod seed;
mod standing;
mod stop;
#[cfg(test)]
mod tests;
mod working_copy;

use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio as Redirect};

use coffer_plan::plan::{Reference, RunFolder};
use coffer_sys::control::Channel;

use crate::launch::{Launch, Preparation, Word};
use crate::supervise::{Ended, Stdio, control_pair, hold_signals, supervise};
use beforehand::Beforehand;
use beneath::Folder;
use companion::Company;
pub use companion::{Alone, Companion, GitConfigCopy, InState, Leased, Run};
use descriptors::Inherited;
pub use error::{NO_MOUNT_LEFT, NO_PROCESS_LEFT, RunError};
use folder::RunFolders;
pub use groups::{Aside, Hit, step_aside};
pub use live::{LiveRun, UnseenRun, dead_runs, live_runs, sweep_runs, unseen_runs};
pub use merge::Kept;
pub use secret::SecretBytes;
pub use standing::Standing;
pub use stop::Stopped;
use working_copy::WorkingCopy;
pub use working_copy::look_at_state;

/// Knows what references stand for. The binary implements it over accounts and the environment.
pub trait Resolve {
    /// What the reference stands for.
    ///
    /// # Errors
    /// When it is not there any more; the message names it and holds no secret.
    fn resolve(&self, reference: &Reference) -> Result<SecretBytes, ResolveError>;
}

/// Why a reference leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ResolveError {
    /// In words, without any secret.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Ran {
    /// How the agent ended.
    pub ended: Ended,
    /// What of the run could not be removed; the agent's end counts all the same.
    pub left: Option<RunError>,
    /// The limits that it came up against.
    pub hits: Vec<Hit>,
    /// What became of the changes in a working copy that was to be merged back.
    pub kept: Option<Result<Kept, RunError>>,
}

/// Runs a launch to its end; `companion` goes along with it.
///
/// # Errors
/// When something fails before the agent started, or its supervision fails; nothing of the run is left
/// then, unless the error says so.
pub fn run(launch: &Launch, resolve: &dyn Resolve, companion: &dyn Companion) -> Result<Ran, RunError> {
    // A signal during preparation or clean-up must not leave a lease behind.
    let _held = hold_signals().map_err(RunError::Supervise)?;
    coffer_sys::descriptors::close_all_on_exec().map_err(RunError::CloseDescriptors)?;
    let mut folders = RunFolders::new(&launch.runtime)?;
    let mut hits = Vec::new();
    let ended = perform(launch, resolve, companion, &mut folders, &mut hits);
    let kept = keep(launch, companion, &folders, &ended);
    hits.extend(folders.groups().map(groups::Groups::hits).unwrap_or_default());
    let removed = folders.remove();
    companion.over();
    match (ended, removed) {
        (Ok(ended), left) => Ok(Ran { ended, left: left.err(), hits, kept }),
        (Err(run), Ok(())) => Err(run),
        (Err(run), Err(clean_up)) => Err(RunError::Both { run: Box::new(run), clean_up: Box::new(clean_up) }),
    }
}

/// Merges the working copy back, if that was asked for and an agent has been in it.
fn keep(
    launch: &Launch,
    companion: &dyn Companion,
    folders: &RunFolders,
    ended: &Result<Ended, RunError>,
) -> Option<Result<Kept, RunError>> {
    let never = launch.preparations.iter().find_map(|preparation| match preparation {
        Preparation::Keep(never) => Some(never),
        Preparation::Own(_)
        | Preparation::State(_)
        | Preparation::Copy { .. }
        | Preparation::Folder(_)
        | Preparation::File { .. }
        | Preparation::Lease { .. }
        | Preparation::Seed { .. }
        | Preparation::Link { .. }
        | Preparation::Point { .. }
        | Preparation::Expect(_)
        | Preparation::Part(_)
        | Preparation::Guard(_)
        | Preparation::Hold { .. }
        | Preparation::Login { .. } => None,
    })?;
    let has_run = match ended {
        Ok(Ended::Exited(_) | Ended::Signaled(_) | Ended::Lost { .. }) | Err(RunError::Supervise(_)) => true,
        Ok(
            Ended::ExecFailed { .. }
            | Ended::SetupFailed { .. }
            | Ended::Exchanged { .. }
            | Ended::Unforeseen { .. }
            | Ended::BackendFailed { .. },
        )
        | Err(_) => false,
    };
    let copy = folders.copy().filter(|_| has_run)?;
    Some(copy.keep(folders.id(), never, &|files| companion.copying(files)))
}

fn perform(
    launch: &Launch,
    resolve: &dyn Resolve,
    companion: &dyn Companion,
    folders: &mut RunFolders,
    hits: &mut Vec<Hit>,
) -> Result<Ended, RunError> {
    let stdio = Stdio::of_process().map_err(RunError::Supervise)?;
    if let Some(about) = &launch.about {
        folders.note(about, None)?;
    }
    if let Some(limits) = launch.limits.as_ref().filter(|_| launch.engine.is_none()) {
        folders.limit(limits)?;
    }
    prepare::all(&launch.preparations, folders, resolve, companion)?;
    if let Some(agents) = &launch.key_agents {
        let folder = Folder::open(&folders.path(RunFolder::KeyAgents)?)?;
        companion.open_key_agents(folders.id(), folder.descriptor(), agents)?;
    }
    // What the agent will be able to write is opened before it starts.
    let company = Company::new(launch, folders)?;
    company.along(companion, || match &launch.engine {
        None => start(launch, resolve, companion, folders, &stdio),
        Some(engine) => {
            let ran = container::start(launch, engine, resolve, companion, folders, &stdio)?;
            *hits = ran.hits;
            Ok(ran.ended)
        }
    })
}

/// Starts the backend and stays with it until its end.
fn start(
    launch: &Launch,
    resolve: &dyn Resolve,
    companion: &dyn Companion,
    folders: &RunFolders,
    stdio: &Stdio,
) -> Result<Ended, RunError> {
    let (host, init) = control_pair().map_err(RunError::Control)?;
    let mut inherited = Inherited::default();
    let mut ends = Ends { control: init.as_raw_fd(), gateway: -1 };
    inherited.keep(init);
    if let Some(gateway) = &launch.gateway {
        let (outside, inside) = Channel::pair().map_err(RunError::Control)?;
        let inside = inside.into_descriptor();
        ends.gateway = inside.as_raw_fd();
        inherited.keep(inside);
        companion.open_gateway(folders.id(), gateway, outside.into_descriptor())?;
    }
    let mut options = SecretBytes::default();
    for word in &launch.options {
        append(word, &mut options, folders, resolve, &mut inherited, &ends)?;
        options.append(&[0]);
    }
    let options = inherited.data(&options)?;
    let mut backend = Command::new(&launch.program);
    backend.env_clear().process_group(0);
    backend.stdin(Redirect::null()).stdout(Redirect::null()).stderr(Redirect::piped());
    // First of all: what the backend does from there on counts.
    if let Some(groups) = folders.groups() {
        groups.enter(&mut backend)?;
    }
    backend.args(["--args", &options.to_string(), "--"]);
    for word in &launch.inside {
        let mut bytes = SecretBytes::default();
        append(word, &mut bytes, folders, resolve, &mut inherited, &ends)?;
        backend.arg(std::ffi::OsString::from_vec(bytes.to_vec()));
    }
    inherited.pass_to(&mut backend);
    if let Some(copy) = folders.copy() {
        copy.enter(&mut backend)?;
    }
    let mut beforehand = Beforehand::of(launch, folders)?;
    let report = beforehand.enter(&mut backend, folders.copy().is_some_and(WorkingCopy::is_mounted))?;
    let mut child = backend.spawn().map_err(|source| match report.and_then(|report| report.failed()) {
        Some(failed) => beforehand.failed(failed, source),
        None => RunError::StartBackend { program: launch.program.clone(), source },
    })?;
    drop(backend);
    if let Some(about) = &launch.about
        && let Err(error) = folders.note(about, Some(child.id()))
    {
        // Nobody supervises it yet, so it is ended here; what matters is the first error.
        let _ = child.kill().and_then(|()| child.wait());
        return Err(error);
    }
    let Some(diagnostics) = child.stderr.take() else { return Err(RunError::NoDiagnostics) };
    supervise(child, host, diagnostics.into(), stdio).map_err(RunError::Supervise)
}

/// The numbers of the sockets that init inherits.
struct Ends {
    control: i32,
    gateway: i32,
}

/// Adds what a word stands for.
fn append(
    word: &Word,
    to: &mut SecretBytes,
    folders: &RunFolders,
    resolve: &dyn Resolve,
    inherited: &mut Inherited,
    ends: &Ends,
) -> Result<(), RunError> {
    let resolved = |reference: &Reference| {
        resolve
            .resolve(reference)
            .map_err(|source| RunError::Resolve { reference: reference.clone(), source })
    };
    let mut add = |bytes: &[u8]| {
        // It would end the word, and what follows would be an option of the backend.
        if bytes.contains(&0) {
            return Err(RunError::ZeroByte);
        }
        to.append(bytes);
        Ok(())
    };
    let number = match word {
        Word::Text(text) => return add(text.as_bytes()),
        Word::Ref(Reference::Folder(folder)) => return add(folders.path(*folder)?.as_str().as_bytes()),
        Word::Ref(reference) => return add(&resolved(reference)?),
        Word::Data(text) => inherited.data(text.as_bytes())?,
        Word::DataRef(reference) => {
            let content = resolved(reference)?;
            inherited.data(&content)?
        }
        Word::Open(path) => inherited.open(path)?,
        Word::Name => return add(container::name(folders.id()).as_bytes()),
        Word::Mount { made, rest } => {
            return add(format!("{rest},source={}", folders.made(made)?).as_bytes());
        }
        Word::Control => ends.control,
        Word::Gateway => ends.gateway,
    };
    add(number.to_string().as_bytes())
}
