//! What can go wrong in a run besides the agent itself.

use std::io;

use camino::Utf8PathBuf;
use coffer_plan::plan::{Reference, RunFolder};

use super::ResolveError;
use crate::supervise::SuperviseError;

/// What to do where no process can be started any more.
pub const NO_PROCESS_LEFT: &str = "there are too many processes: end some, or raise the limit, which is that of your \
                                   user (`ulimit -u`) or that of the group around this shell (`pids.max` of the \
                                   group in `/proc/self/cgroup`)";

/// What to do where no mount can be made any more.
pub const NO_MOUNT_LEFT: &str = "no more mounts can be made: `sudo sysctl -w fs.mount-max=200000`";

/// What can go wrong in a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Inherited descriptors cannot be kept from the sandbox.
    #[error("cannot close inherited descriptors")]
    CloseDescriptors(#[source] io::Error),
    /// A folder of Cofferdam's own cannot be made.
    #[error("cannot make the folder `{path}`")]
    MakeFolder {
        /// The folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder of Cofferdam's own belongs to somebody else, or is none.
    #[error("`{path}` is not a folder of yours")]
    ForeignFolder {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// Somebody writes in the state by now.
    #[error("another run writes in `{path}` since the plan was made")]
    StateInUse {
        /// The state.
        path: Utf8PathBuf,
    },
    /// The working copy cannot be laid over the state.
    #[error("cannot {action}")]
    Overlay {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The state cannot be copied.
    #[error("cannot copy `{path}`")]
    CopyState {
        /// The state.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A working copy cannot be merged back.
    #[error("cannot merge the working copy into `{path}`")]
    Merge {
        /// The state.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A working copy was not merged back, or not as a whole; what was done in it is put aside.
    #[error("the working copy was not merged back; what was done in it is in `{saved}`")]
    NotMerged {
        /// Where it is now.
        saved: Utf8PathBuf,
        /// Why.
        source: Box<RunError>,
    },
    /// The folder of a run cannot be claimed.
    #[error("cannot lock `{path}`")]
    Lock {
        /// The lock file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No random number is to be had.
    #[error("cannot make a name for the run")]
    Random(#[source] io::Error),
    /// The launch names a folder of the run that it did not make.
    #[error("the run has no folder `{0}`")]
    NoFolder(RunFolder),
    /// A source vanished or was exchanged since the plan was made.
    #[error("`{path}` is not what it was when the plan was made")]
    Changed {
        /// The source.
        path: Utf8PathBuf,
        /// Why it could not be opened, if so.
        source: Option<io::Error>,
    },
    /// Something that an agent can write is not what it should be (a link, a pipe …).
    #[error("`{path}` is not usable: {reason}")]
    Tampered {
        /// The path.
        path: Utf8PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// A file of the state cannot be read or written.
    #[error("cannot {action} `{path}`")]
    State {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the state is no JSON object; it is left as it is.
    #[error("`{path}` is no JSON object")]
    StateNotJson {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The state has a login of its own where the lease would have to be.
    #[error(
        "`{path}` holds a login that was made inside, and this version of the agent knows no other place"
    )]
    StateHasLogin {
        /// The file.
        path: Utf8PathBuf,
    },
    /// What the host would run later cannot be kept from the agent.
    #[error("cannot keep `{path}` from the agent")]
    Guard {
        /// The path.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A live run cannot be told to end.
    #[error("cannot end the run `{run}`")]
    Stop {
        /// Its id.
        run: String,
        /// Why.
        source: io::Error,
    },
    /// The run's own `/etc` cannot be put together.
    #[error("cannot put `{path}` into the sandbox's `/etc`")]
    Assemble {
        /// What could not be put in.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A place cannot be held, or not be given back.
    #[error("cannot hold the place of `{path}`")]
    Hold {
        /// The place.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A reference leads nowhere.
    #[error("cannot resolve `{reference}`")]
    Resolve {
        /// The reference.
        reference: Reference,
        /// Why.
        source: ResolveError,
    },
    /// A word of the backend's command line holds a zero byte.
    #[error("a value for the sandbox holds a zero byte")]
    ZeroByte,
    /// Memory for a descriptor's content cannot be had.
    #[error("cannot hand data to the sandbox")]
    Data(#[source] io::Error),
    /// The control socket cannot be made.
    #[error("cannot make the control socket")]
    Control(#[source] io::Error),
    /// The thread that goes along with the run cannot be started.
    #[error("cannot start what goes along with the run")]
    Companion(#[source] io::Error),
    /// The gateway of the run cannot be started.
    #[error("cannot start the gateway of the run")]
    Gateway(#[source] io::Error),
    /// The filters in front of the user's agents for keys cannot be started.
    #[error("cannot start the filter in front of your keys")]
    KeyAgents(#[source] io::Error),
    /// A group that holds the run's limits cannot be made.
    #[error("cannot {action} `{path}`, which holds the run's limits")]
    Group {
        /// What was tried.
        action: &'static str,
        /// The group, or a file of it.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The backend's program cannot be started.
    #[error("cannot start `{program}`")]
    StartBackend {
        /// The program.
        program: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A container has more mounts than the plan.
    #[error("the container engine has put something into the container that is not in the plan: {found}")]
    Unforeseen {
        /// What init found.
        found: String,
    },
    /// A container cannot be removed.
    #[error("cannot remove the container `{name}`")]
    Container {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The backend got no namespaces to begin in.
    #[error("the backend got no namespaces to begin in")]
    Namespaces {
        /// Why.
        source: io::Error,
    },
    /// The backend was started without a place for its messages.
    #[error("the backend has no standard error")]
    NoDiagnostics,
    /// The run could not be supervised.
    #[error("cannot supervise the run")]
    Supervise(#[source] SuperviseError),
    /// A folder of the run cannot be removed.
    #[error("cannot remove `{path}`")]
    Remove {
        /// The folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The run failed, and something of it was left behind, too.
    #[error("{run}; and its clean-up failed, too")]
    Both {
        /// What failed first.
        run: Box<RunError>,
        /// What failed afterwards.
        #[source]
        clean_up: Box<RunError>,
    },
}

impl RunError {
    /// The stable code of `error[CODE]`.
    pub fn code(&self) -> &'static str {
        match self {
            _ if self.is_for_want_of_processes() => "no-process",
            Self::CloseDescriptors(_)
            | Self::Companion(_)
            | Self::Gateway(_)
            | Self::KeyAgents(_)
            | Self::Control(_)
            | Self::Data(_)
            | Self::NoDiagnostics
            | Self::Random(_) => "run-setup",
            Self::MakeFolder { .. } | Self::ForeignFolder { .. } | Self::Lock { .. } | Self::NoFolder(_) => {
                "run-folder"
            }
            Self::StateInUse { .. } => "state-in-use",
            Self::Overlay { .. } => "overlay",
            Self::CopyState { .. } => "state-copy",
            Self::Merge { .. } | Self::NotMerged { .. } => "not-merged",
            Self::Guard { .. } | Self::Hold { .. } => "deferred-execution",
            Self::Stop { .. } => "run-not-stopped",
            Self::Assemble { .. } => "sandbox-etc",
            Self::Changed { .. } => "source-changed",
            Self::Unforeseen { .. } => "not-in-the-plan",
            Self::Tampered { .. } => "tampered",
            Self::State { .. } | Self::StateNotJson { .. } | Self::StateHasLogin { .. } => "state",
            Self::Resolve { .. } | Self::ZeroByte => "reference",
            Self::Group { .. } => "limits",
            Self::StartBackend { .. } => "backend-start",
            Self::Namespaces { .. } => "backend-failed",
            Self::Supervise(SuperviseError::Unfit { .. }) => "stdio",
            Self::Supervise(_) => "supervise",
            Self::Remove { .. } | Self::Container { .. } => "clean-up",
            Self::Both { run, .. } => run.code(),
        }
    }

    /// Whether no process or thread could be started because there are too many.
    fn is_for_want_of_processes(&self) -> bool {
        match self {
            Self::StartBackend { source, .. } | Self::Companion(source) | Self::Gateway(source) => {
                source.raw_os_error() == Some(rustix::io::Errno::AGAIN.raw_os_error())
            }
            _ => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            _ if self.is_for_want_of_processes() => Some(NO_PROCESS_LEFT.to_owned()),
            Self::Group { action: "remove", path, .. } => Some(format!("`rmdir {path}`, once nothing runs in it")),
            Self::Group { .. } => Some(
                "let your systemd or container make groups that are yours (`coffer doctor` says how), or go on \
                 without limits: `--memory none --pids none --cpus none`"
                    .to_owned(),
            ),
            Self::MakeFolder { path, source } => {
                Some(match source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
                    Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
                        "make room on the disk".to_owned()
                    }
                    Some(_) | None => format!(
                        "make `{path}` writable, or set COFFER_HOME and COFFER_RUNTIME_DIR to folders that are"
                    ),
                })
            }
            Self::ForeignFolder { path } => {
                Some(format!("remove `{path}`, or set COFFER_HOME and COFFER_RUNTIME_DIR"))
            }
            Self::StateInUse { .. } => Some("run it again; it then gets a copy of its own".to_owned()),
            Self::Overlay { .. } => Some("`--state project` or `--state fresh`".to_owned()),
            Self::NotMerged { saved, .. } => Some(format!("take from `{saved}` what you need")),
            Self::CopyState { source, .. } | Self::Merge { source, .. }
                if source.kind() == io::ErrorKind::StorageFull =>
            {
                Some("make room on the disk".to_owned())
            }
            Self::Changed { .. } => Some("run it again; the plan is then made anew".to_owned()),
            Self::Unforeseen { .. } => Some(
                "take it out of the engine's configuration (`volumes`, `mounts` and `devices` in containers.conf, hooks of \
                 vendors), and ask for what you need: `coffer run --mount PATH`"
                    .to_owned(),
            ),
            Self::Stop { source, .. } if source.kind() == io::ErrorKind::Unsupported => {
                Some("it has not begun yet, or is of an older `coffer`; end its agent instead".to_owned())
            }
            Self::Stop { .. } => Some("`coffer ps` lists the runs that are yours to end".to_owned()),
            Self::Assemble { source, .. } | Self::Guard { source, .. } if is_no_room(source) => {
                Some(NO_MOUNT_LEFT.to_owned())
            }
            Self::Assemble { path, .. } => Some(format!("look at `{path}`, which could not be mounted")),
            Self::Guard { path, source } if is_stale(source) => {
                Some(format!("`{path}` was exchanged; run it again, and the plan is made anew"))
            }
            Self::Guard { path, .. } => {
                Some(format!("Linux 5.12 and later can do it; `--allow-write {path}` leaves it open"))
            }
            Self::Hold { path, .. } => {
                Some(format!("look at `{path}`; `--allow-write {path}` leaves it open"))
            }
            Self::Tampered { path, .. } => {
                Some(format!("look at `{path}` and remove it, or run with `--state fresh`"))
            }
            Self::StateNotJson { path } => {
                Some(format!("mend or remove `{path}`, or run with `--state fresh`"))
            }
            Self::StateHasLogin { path } => {
                Some(format!("use that login with `--auth none`, or remove `{path}`"))
            }
            Self::State { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("make room on the disk".to_owned())
            }
            Self::Resolve { source, .. } => source.hint.clone(),
            Self::StartBackend { program, .. } => Some(match program.file_name() {
                Some(name @ ("podman" | "docker")) => format!("install `{name}` again, or `--backend bwrap`"),
                Some(_) | None => "`sudo apt-get install --reinstall bubblewrap`".to_owned(),
            }),
            Self::Container { name, .. } => {
                Some(format!("`podman rm --force {name}` or `docker rm --force {name}`; the next run tries it, too"))
            }
            Self::Both { run, .. } => run.hint(),
            Self::Supervise(error) => error.hint(),
            Self::Remove { path, .. } => Some(format!("`rm -rf {path}`")),
            Self::ZeroByte => Some("look at the variables of your settings file".to_owned()),
            Self::State { .. }
            | Self::CopyState { .. }
            | Self::Merge { .. }
            | Self::CloseDescriptors(_)
            | Self::Lock { .. }
            | Self::Random(_)
            | Self::NoFolder(_)
            | Self::Data(_)
            | Self::Companion(_)
            | Self::Gateway(_)
            | Self::KeyAgents(_)
            | Self::Control(_)
            | Self::Namespaces { .. }
            | Self::NoDiagnostics => None,
        }
    }
}

fn is_no_room(source: &io::Error) -> bool {
    source.raw_os_error() == Some(rustix::io::Errno::NOSPC.raw_os_error())
}

fn is_stale(source: &io::Error) -> bool {
    let stale = [rustix::io::Errno::STALE, rustix::io::Errno::NOENT, rustix::io::Errno::LOOP];
    stale.iter().any(|errno| source.raw_os_error() == Some(errno.raw_os_error()))
}
