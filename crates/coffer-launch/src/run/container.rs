//! A run in a container: the engine's program is started, init comes to a socket in a folder that it is shown, and
//! nothing is left of the container whatever happens to the program.
//!
//! The engine's program is not the container: it can be killed while that lives. So the container is written down
//! before it is made, and taken away by its name where the program did not see its end.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio as Redirect};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::ENGINE_VARIABLES;
use coffer_plan::plan::{BackendKind, Controller, Reference};
use coffer_sys::control::Channel;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use super::beneath::Folder;
use super::descriptors::Inherited;
use super::folder::RunFolders;
use super::{Companion, Ends, Hit, Resolve, RunError, SecretBytes, append};
use crate::backend::oci::{CONTROL, LABEL};
use crate::launch::{Engine, Launch, Word};
use crate::supervise::{Ended, Stdio, Supervised, control_listener, supervise_to_end};

/// What every container of ours is called, with the run's id behind it: a sweep removes no other.
const PREFIX: &str = "coffer-";
/// The file of a run's folder that names its container, for whoever sweeps it.
pub(super) const NOTE: &str = "container.json";
/// Longest note that is read, in bytes.
const MAX_NOTE: u64 = 64 * 1024;
/// How long an engine may take to remove a container, in seconds. One that hangs must not keep every start from
/// beginning; what it leaves is tried again at the next one.
const PATIENCE: i64 = 20;
/// How often an engine is told to remove a container. Each time takes it a tenth of a second or more.
const ATTEMPTS: u32 = 10;
/// The engines' code for a failure of their own.
const ENGINE_FAILED: i32 = 125;
/// What engines say of a container that is not there.
const NOT_THERE: &str = "no such container";

/// A container, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Container {
    /// The engine's program.
    program: Utf8PathBuf,
    /// Which engine.
    engine: Engine,
    /// The container's name.
    name: String,
    /// The value of its label: whose containers these are.
    label: Utf8PathBuf,
    /// What the engine got of the environment: with another one it would be another engine, or none.
    variables: BTreeMap<String, String>,
}

/// What a run's container is called.
pub(super) fn name(id: &str) -> String {
    format!("{PREFIX}{id}")
}

/// The variables that engines get, as they are asked with them: those that are set to something.
fn variables() -> BTreeMap<String, String> {
    let set =
        ENGINE_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    set.filter(|(_, value)| !value.is_empty()).collect()
}

/// What a run in a container came to.
pub(super) struct InContainer {
    pub(super) ended: Ended,
    pub(super) hits: Vec<Hit>,
}

/// Starts the container and stays with it until it is gone.
pub(super) fn start(
    launch: &Launch,
    engine: &Engine,
    resolve: &dyn Resolve,
    companion: &dyn Companion,
    folders: &RunFolders,
    stdio: &Stdio,
) -> Result<InContainer, RunError> {
    let environment = environment(launch, folders, resolve)?;
    let gateway = match &launch.gateway {
        Some(gateway) => {
            let (outside, inside) = Channel::pair().map_err(RunError::Control)?;
            companion.open_gateway(folders.id(), gateway, outside.into_descriptor())?;
            Some(inside.into_descriptor())
        }
        None => None,
    };
    let sockets = Folder::open(&folders.sockets()?)?.into_descriptor();
    let host = control_listener(sockets, CONTROL, environment, gateway).map_err(RunError::Control)?;
    let container = Container {
        program: launch.program.clone(),
        engine: engine.clone(),
        name: name(folders.id()),
        label: launch.runtime.clone(),
        variables: variables(),
    };
    let mut program = command(launch, &container, folders, resolve)?;
    container.note(folders.root())?;
    let spawned = program.spawn();
    drop(program);
    let mut child = spawned.map_err(|source| {
        forget(folders.root());
        RunError::StartBackend { program: launch.program.clone(), source }
    })?;
    if let Some(about) = &launch.about
        && let Err(error) = folders.note(about, Some(child.id()))
    {
        // Nobody supervises it yet, so it is ended here; what matters is the first error.
        let _ = child.kill().and_then(|()| child.wait()).map(|_| container.remove());
        return Err(error);
    }
    let Some(diagnostics) = child.stderr.take() else { return Err(RunError::NoDiagnostics) };
    let supervised = supervise_to_end(child, host, diagnostics.into(), stdio).map_err(RunError::Supervise);
    if !supervised.as_ref().is_ok_and(saw_its_end) {
        container.remove()?;
    }
    if !supervised.as_ref().is_ok_and(may_come_yet) {
        forget(folders.root());
    }
    let Supervised { ended, hits, .. } = supervised?;
    Ok(InContainer { ended, hits: hits.map(|hits| limits(launch, hits)).unwrap_or_default() })
}

/// Nothing is left to sweep: the note says so by not being there.
fn forget(root: &Utf8Path) {
    // A note that stays costs the next start a look.
    let _ = std::fs::remove_file(root.join(NOTE));
}

/// Whether there may be a container that the next start has to remove.
pub(super) fn may_be_left(root: &Utf8Path) -> bool {
    root.join(NOTE).symlink_metadata().is_ok()
}

/// Whether the engine's program stayed until the container was gone. Its code alone does not tell: those of its own
/// failures are codes of programs, too.
fn saw_its_end(supervised: &Supervised) -> bool {
    let has_run = match supervised.ended {
        Ended::Exited(_)
        | Ended::Signaled(_)
        | Ended::ExecFailed { .. }
        | Ended::SetupFailed { .. }
        | Ended::Unforeseen { .. }
        | Ended::Exchanged { .. } => true,
        Ended::BackendFailed { .. } | Ended::Lost { .. } => false,
    };
    has_run && supervised.status.code().is_some_and(|code| code != ENGINE_FAILED)
}

/// Whether the engine may still make the container: its program was killed when it had asked for one, and before init came.
/// It never starts then, and the next start finds it.
fn may_come_yet(supervised: &Supervised) -> bool {
    let began = match supervised.ended {
        Ended::BackendFailed { .. } | Ended::Signaled(_) => false,
        Ended::Exited(_)
        | Ended::ExecFailed { .. }
        | Ended::SetupFailed { .. }
        | Ended::Exchanged { .. }
        | Ended::Unforeseen { .. }
        | Ended::Lost { .. } => true,
    };
    !began && supervised.status.code().is_none()
}

/// The limits that it came up against.
fn limits(launch: &Launch, (memory, pids): (u32, u32)) -> Vec<Hit> {
    let Some(limits) = &launch.limits else { return Vec::new() };
    let counted =
        [(Controller::Memory, limits.memory, memory), (Controller::Pids, limits.pids.map(u64::from), pids)];
    let hits = counted.into_iter().filter_map(|(controller, limit, times)| {
        limit.filter(|_| times > 0).map(|limit| Hit { controller, limit, times: times.into() })
    });
    hits.collect()
}

/// The engine's command line.
fn command(
    launch: &Launch,
    container: &Container,
    folders: &RunFolders,
    resolve: &dyn Resolve,
) -> Result<Command, RunError> {
    let mut program = Command::new(&launch.program);
    program.env_clear().envs(&container.variables).process_group(0);
    program.stdin(Redirect::null()).stdout(Redirect::null()).stderr(Redirect::piped());
    // Nothing can be inherited through an engine, and no word of its stands for a descriptor.
    let mut inherited = Inherited::default();
    let ends = Ends { control: -1, gateway: -1 };
    // The entry point is init already.
    for word in launch.options.iter().chain(launch.inside.iter().skip(1)) {
        let mut bytes = SecretBytes::default();
        append(word, &mut bytes, folders, resolve, &mut inherited, &ends)?;
        program.arg(OsString::from_vec(bytes.to_vec()));
    }
    Inherited::default().pass_to(&mut program);
    Ok(program)
}

/// The agent's environment as init reads it: in memory, and in no file, command line or record of the engine's.
fn environment(
    launch: &Launch,
    folders: &RunFolders,
    resolve: &dyn Resolve,
) -> Result<std::os::fd::OwnedFd, RunError> {
    let mut bytes = SecretBytes::default();
    let mut inherited = Inherited::default();
    let ends = Ends { control: -1, gateway: -1 };
    for (name, value) in &launch.environment {
        bytes.append(name.as_bytes());
        if matches!(value, Word::Ref(Reference::ImageEnv(_))) {
            // A name alone leaves it as the image has it.
            bytes.append(&[0]);
            continue;
        }
        bytes.append(b"=");
        append(value, &mut bytes, folders, resolve, &mut inherited, &ends)?;
        bytes.append(&[0]);
    }
    super::descriptors::in_memory(&bytes)
}

impl Container {
    /// What stands in a run's folder; what does not read names no container of ours.
    fn noted(root: &Utf8Path) -> Option<Self> {
        let mut text = Vec::new();
        std::fs::File::open(root.join(NOTE)).ok()?.take(MAX_NOTE).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn note(&self, root: &Utf8Path) -> Result<(), RunError> {
        let path = root.join(NOTE);
        let failed = |source| RunError::MakeFolder { path: path.clone(), source };
        let text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.and_then(|mut file| file.write_all(&text)).map_err(failed)
    }

    /// Removes it with whatever runs in it; none is there afterwards. One of that name which is not ours stays.
    ///
    /// One that was paused, or that the engine is just removing by itself, is in a state that it does not expect: it
    /// refuses, or says that it is done when it is not. So it is asked whether the container is there, and told again.
    fn remove(&self) -> Result<(), RunError> {
        let mut refusal = String::new();
        for _ in 0..ATTEMPTS {
            let label = format!("{{{{index .Config.Labels {LABEL:?}}}}}");
            let asked = self.tell(&["container", "inspect", "--format", &label])?;
            if asked.refusal.contains(NOT_THERE) || (asked.could && asked.said != self.label.as_str()) {
                return Ok(());
            }
            refusal = self.tell(&self.removal())?.refusal;
        }
        Err(self.failed(io::Error::other(refusal)))
    }

    fn removal(&self) -> Vec<&str> {
        let mut words = vec!["rm", "--force", "--volumes"];
        if self.engine.kind == BackendKind::Podman {
            // Nobody in there is asked first.
            words.extend(["--time", "0"]);
        }
        words
    }

    /// Has the engine do something with it.
    fn tell(&self, words: &[&str]) -> Result<Told, RunError> {
        let failed = |source| self.failed(source);
        let mut engine = Command::new(&self.program);
        engine.env_clear().envs(&self.variables).process_group(0).args(&self.engine.connection);
        engine.args(words).arg(&self.name);
        engine.stdin(Redirect::null()).stdout(Redirect::piped()).stderr(Redirect::piped());
        Inherited::default().pass_to(&mut engine);
        let mut child = engine.spawn().map_err(failed)?;
        drop(engine);
        if !ends_in_time(&mut child).map_err(failed)? {
            return Err(failed(io::ErrorKind::TimedOut.into()));
        }
        let could = child.wait().map_err(failed)?.success();
        let (said, refusal) = (all_of(child.stdout.take()), all_of(child.stderr.take()).to_lowercase());
        Ok(Told { could, said, refusal })
    }

    fn failed(&self, source: io::Error) -> RunError {
        RunError::Container { name: self.name.clone(), source }
    }
}

/// What an engine's program came to.
struct Told {
    could: bool,
    said: String,
    /// In small letters.
    refusal: String,
}

/// What a program wrote before it ended; what cannot be read does not make it fail.
fn all_of(pipe: Option<impl io::Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(MAX_NOTE).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// Waits for the end of an engine's program, and ends it when it takes too long.
fn ends_in_time(child: &mut Child) -> io::Result<bool> {
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let patience = Timespec { tv_sec: PATIENCE, tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&patience))? > 0;
    if !ended {
        child.kill()?;
        child.wait()?;
    }
    Ok(ended)
}

/// The first process of a live run's container, as the host counts; `None` where there is none, or not yet.
pub(super) fn first_process(root: &Utf8Path, id: &str) -> Option<u32> {
    let container = Container::noted(root).filter(|container| container.name == name(id))?;
    let told = container.tell(&["container", "inspect", "--format", "{{.State.Pid}}"]).ok()?;
    let pid: u32 = told.said.parse().ok().filter(|_| told.could)?;
    // Engines say 0 of one that does not run.
    (pid != 0).then_some(pid)
}

/// A look through what dead runs left.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// Engines that did not answer in time. They are not asked again: each question would cost this start as long.
    hanging: BTreeSet<Utf8PathBuf>,
}

impl Sweep {
    /// Removes the container of a run that is dead, as it noted it; `id` is the run's. The lock of the run is ours by now,
    /// which proves that no live `coffer` has the container.
    pub(super) fn sweep(&mut self, root: &Utf8Path, id: &str) -> Result<(), RunError> {
        let noted = Container::noted(root).filter(|container| container.name == name(id));
        let Some(container) = noted else { return Ok(()) };
        if self.hanging.contains(&container.program) {
            return Err(container.failed(io::ErrorKind::TimedOut.into()));
        }
        let removed = container.remove();
        if let Err(RunError::Container { source, .. }) = &removed
            && source.kind() == io::ErrorKind::TimedOut
        {
            self.hanging.insert(container.program);
        }
        removed
    }
}
