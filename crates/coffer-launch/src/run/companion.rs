//! What goes along with a run on the host: it renews the lease while the agent works, and looks at what the run
//! leaves once all of its processes are gone.
//!
//! It is given descriptors that were opened before the agent started, and works on a thread that lets no signal
//! through: they all belong to the supervisor. Its failures never end a run.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

use camino::Utf8Path;
use coffer_plan::plan::{Reference, RunFolder};
use coffer_sys::signals::Held;
use rustix::event::{EventfdFlags, eventfd};

use super::beneath::Folder;
use super::folder::RunFolders;
use super::prepare::open;
use super::standing::Standing;
use super::{RunError, SecretBytes, git_copies, hold};
use crate::launch::{About, Gateway, Guard, KeyAgents, Launch, Preparation};
use crate::supervise::Ended;

/// Goes along with a run.
pub trait Companion: Sync {
    /// From before the agent's start until [`Run::stop`] can be read: the agent has ended then, and this has to
    /// return soon. All signals are blocked in its thread.
    fn accompany(&self, run: &Run<'_>);

    /// Starts the gateway that the launch asks for. It talks to init by the socket, and the agent starts when it says
    /// that it serves. It has to end with the run.
    ///
    /// # Errors
    /// When it cannot be started; then nothing of the sandbox is.
    fn open_gateway(&self, _run: &str, _gateway: &Gateway, _init: OwnedFd) -> Result<(), RunError> {
        Err(RunError::Gateway(std::io::ErrorKind::Unsupported.into()))
    }

    /// Starts the filters in front of the user's agents for keys; their sockets have to be in the folder, which the
    /// sandbox sees, when this returns. They have to end with the run.
    ///
    /// # Errors
    /// When they cannot be started; then nothing of the sandbox is.
    fn open_key_agents(
        &self,
        _run: &str,
        _folder: BorrowedFd<'_>,
        _agents: &KeyAgents,
    ) -> Result<(), RunError> {
        Err(RunError::KeyAgents(std::io::ErrorKind::Unsupported.into()))
    }

    /// A state is being copied; so many files are done. Never while the agent runs.
    fn copying(&self, _files: u64) {}

    /// After the run's last process is gone, and before its folders are removed. `ended` is missing when the run
    /// could not be supervised.
    fn settle(&self, run: &Run<'_>, ended: Option<&Ended>);

    /// After the run's folders are removed; signals are still held back.
    fn over(&self) {}
}

/// Nobody goes along.
#[derive(Debug, Clone, Copy)]
pub struct Alone;

impl Companion for Alone {
    fn accompany(&self, _: &Run<'_>) {}

    fn settle(&self, _: &Run<'_>, _: Option<&Ended>) {}
}

/// A run, as its companion sees it.
pub struct Run<'a> {
    /// Its id.
    pub id: &'a str,
    /// What it is about.
    pub about: Option<&'a About>,
    /// Its lease, if it has one.
    pub lease: Option<Leased<'a>>,
    /// Where the agent keeps a login that is made inside, when that is not the lease.
    pub state: Option<InState<'a>>,
    /// Copies of git's configuration.
    pub configs: Vec<GitConfigCopy<'a>>,
    /// What stood at the places that it holds when it began.
    pub places: &'a [Standing],
    /// Can be read once the agent has ended; it stays so.
    pub stop: BorrowedFd<'a>,
}

/// A copy of a repository's configuration. The agent could write in it.
pub struct GitConfigCopy<'a> {
    /// The original.
    pub path: &'a Utf8Path,
    /// The original's folder, opened before the agent started.
    pub git_dir: BorrowedFd<'a>,
    /// The copy's folder.
    pub copy: BorrowedFd<'a>,
    /// The copy's name in it.
    pub name: &'static str,
    /// What the original held before the agent started.
    pub first: &'a [u8],
    /// The original, as it stood when the run began; `None` when it was gone already.
    pub standing: Option<&'a Standing>,
    /// Whether every change reaches the host.
    pub accept: bool,
}

/// The lease of a run.
pub struct Leased<'a> {
    /// The lease folder. The agent can write in it.
    pub folder: BorrowedFd<'a>,
    /// The file in it.
    pub name: &'a str,
    /// What it was resolved from.
    pub source: &'a Reference,
    /// What it held before the agent started.
    pub first: &'a [u8],
}

/// The place of a login in the state.
pub struct InState<'a> {
    /// The state. The agent can write in it, and so can other runs that share it.
    pub folder: BorrowedFd<'a>,
    /// The file in it.
    pub name: &'a str,
    /// What it held before the agent started; `None` when it was missing or a link.
    pub first: Option<&'a [u8]>,
}

/// What a companion is given, opened.
pub(super) struct Company<'a> {
    launch: &'a Launch,
    id: String,
    lease: Option<OpenLease<'a>>,
    state: Option<OpenState<'a>>,
    configs: Vec<OpenConfig<'a>>,
    places: Vec<Standing>,
    stop: OwnedFd,
}

struct OpenConfig<'a> {
    path: &'a Utf8Path,
    git_dir: Folder,
    copy: Folder,
    first: SecretBytes,
    standing: Option<Standing>,
    accept: bool,
}

struct OpenLease<'a> {
    folder: Folder,
    name: &'a str,
    source: &'a Reference,
    first: SecretBytes,
}

struct OpenState<'a> {
    folder: Folder,
    name: &'a str,
    first: Option<SecretBytes>,
}

impl OpenConfig<'_> {
    fn borrow(&self) -> GitConfigCopy<'_> {
        GitConfigCopy {
            path: self.path,
            git_dir: self.git_dir.descriptor(),
            copy: self.copy.descriptor(),
            name: git_copies::COPY,
            first: &self.first,
            standing: self.standing.as_ref(),
            accept: self.accept,
        }
    }
}

impl<'a> Company<'a> {
    /// Opens what the preparations have made.
    pub(super) fn new(launch: &'a Launch, folders: &RunFolders) -> Result<Self, RunError> {
        let (mut lease, mut state, mut configs) = (None, None, Vec::new());
        for preparation in &launch.preparations {
            match preparation {
                Preparation::Lease { name, content } => {
                    let folder = Folder::open(&folders.path(RunFolder::Lease)?)?;
                    let first = folder.read(name)?.unwrap_or_default();
                    lease = Some(OpenLease { folder, name, source: content, first });
                }
                Preparation::Login { place, file } => {
                    let folder = open(place, folders)?;
                    // A link is the way to the lease; what else cannot be read is no login either.
                    let first = folder.read(file).ok().flatten();
                    state = Some(OpenState { folder, name: file, first });
                }
                Preparation::Guard(Guard::GitConfig { config, name, accept }) => {
                    let git_dir = Folder::open(config.path.parent().unwrap_or(&config.path))?;
                    let copy = Folder::open(&folders.path(RunFolder::Git)?.join(name))?;
                    let first = copy.read(git_copies::COPY)?.unwrap_or_default();
                    let (path, standing) = (&config.path, Standing::now(&config.path));
                    configs.push(OpenConfig { path, git_dir, copy, first, standing, accept: *accept });
                }
                Preparation::Own(_)
                | Preparation::State(_)
                | Preparation::Copy { .. }
                | Preparation::Keep(_)
                | Preparation::Folder(_)
                | Preparation::File { .. }
                | Preparation::Seed { .. }
                | Preparation::Link { .. }
                | Preparation::Point { .. }
                | Preparation::Expect(_)
                | Preparation::Part(_)
                | Preparation::Guard(_)
                | Preparation::Hold { .. } => {}
            }
        }
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let stop = stop.map_err(|errno| RunError::Companion(errno.into()))?;
        let (id, places) = (folders.id().to_owned(), hold::standing(folders.root()));
        Ok(Self { launch, id, lease, state, configs, places, stop })
    }

    /// Does `work`, which starts the agent and waits for its end, with the companion along.
    pub(super) fn along(
        &self,
        companion: &dyn Companion,
        work: impl FnOnce() -> Result<Ended, RunError>,
    ) -> Result<Ended, RunError> {
        let run = self.run();
        thread::scope(|scope| {
            let held = Held::block_all().map_err(RunError::Companion)?;
            let along = thread::Builder::new()
                .name("companion".to_owned())
                .spawn_scoped(scope, || companion.accompany(&run))
                .map_err(RunError::Companion)?;
            drop(held);
            let ended = work();
            // A counter that starts at 0 takes a 1.
            let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
            // It ends because it was told to; if it fell over, the standard library has said so.
            drop(along.join());
            companion.settle(&run, ended.as_ref().ok());
            ended
        })
    }

    fn run(&self) -> Run<'_> {
        Run {
            id: &self.id,
            about: self.launch.about.as_ref(),
            lease: self.lease.as_ref().map(|lease| Leased {
                folder: lease.folder.descriptor(),
                name: lease.name,
                source: lease.source,
                first: &lease.first,
            }),
            state: self.state.as_ref().map(|state| InState {
                folder: state.folder.descriptor(),
                name: state.name,
                first: state.first.as_deref(),
            }),
            configs: self.configs.iter().map(OpenConfig::borrow).collect(),
            places: &self.places,
            stop: self.stop.as_fd(),
        }
    }
}
