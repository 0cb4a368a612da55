//! Real container engines for tests: podman of root and of an ordinary user, and docker.
//!
//! Nothing of the machine's own engines is used or changed: storage, run folders, configuration and daemon are in
//! folders of the test's or of the run's own, and go with it, also when it is killed ([`place`] says how). A program under
//! test gets [`Engine::env`] and [`Engine::path`] and then finds the engine as it would find a user's: by the search path
//! and by variables, without a flag.
//!
//! An engine that this machine does not have makes the test skip (capabilities `podman`, `docker`, `runc`, `root`, `user`,
//! `subids`, `rootfs`, `busybox`).

mod docker;
mod images;
mod place;
mod podman;
mod user;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use docker::Docker;
pub use images::Image;
use podman::Podman;
pub use user::User;

use crate::require;

/// The folders in which a program under test may look for programs.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// An engine could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file or folder of the engine's place.
    #[error("cannot use `{}`", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// The process that ends what is left.
    #[error("cannot start the keeper of an engine's folder")]
    Keeper(#[source] io::Error),
    /// The daemon of docker.
    #[error("`dockerd` does not say that it is ready; its log:\n{log}")]
    Daemon {
        /// What it wrote.
        log: String,
        /// How the waiting ended.
        source: io::Error,
    },
    /// A command could not be started.
    #[error("cannot start `{0}`")]
    Start(String, #[source] io::Error),
    /// A command failed.
    #[error("`{words}` ended with {status}:\n{stderr}")]
    Failed {
        /// The command.
        words: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// The user's ids could not be read.
    #[error("`id` says no number for `{0}`")]
    User(String),
}

/// Which engine it is, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Podman, run by root.
    PodmanOfRoot,
    /// Podman, run by an ordinary user: rootless.
    PodmanOfUser,
    /// Docker, its daemon run by root.
    Docker,
}

/// All of them.
pub const KINDS: [Kind; 3] = [Kind::PodmanOfRoot, Kind::PodmanOfUser, Kind::Docker];

#[derive(Debug)]
enum Made {
    Podman(Podman),
    Docker(Docker),
}

/// An engine that is ready for containers. What was started in it ends when it is dropped, but for the daemon of the
/// run and its containers: they end with the run, so a test removes its own.
#[derive(Debug)]
pub struct Engine {
    kind: Kind,
    made: Made,
}

impl Engine {
    /// One of this kind; `None` when the machine has none: the test skips. Docker's daemon is shared by the tests of a run.
    ///
    /// # Errors
    /// When it is there and cannot be made ready.
    pub fn new(kind: Kind) -> Result<Option<Self>, EngineError> {
        let made = match kind {
            Kind::PodmanOfRoot if podman_is_there() && require::root() => Made::Podman(Podman::new(None)?),
            Kind::PodmanOfUser if podman_is_there() => {
                let Some(user) = User::ordinary()? else { return Ok(None) };
                Made::Podman(Podman::new(Some(user))?)
            }
            Kind::Docker if docker_is_there() => Made::Docker(Docker::shared()?),
            Kind::PodmanOfRoot | Kind::PodmanOfUser | Kind::Docker => return Ok(None),
        };
        Ok(Some(Self { kind, made }))
    }

    /// Docker with a daemon of the test's own, which ends with it; for tests that count containers, or end the daemon.
    ///
    /// # Errors
    /// When it is there and cannot be made ready.
    pub fn docker_apart() -> Result<Option<Self>, EngineError> {
        if !docker_is_there() {
            return Ok(None);
        }
        Ok(Some(Self { kind: Kind::Docker, made: Made::Docker(Docker::apart()?) }))
    }

    /// One of this kind with nothing that other tests have: for a machine of namespaces, in which whatever is shared by a
    /// run would have to begin.
    ///
    /// # Errors
    /// When it is there and cannot be made ready.
    pub fn apart(kind: Kind) -> Result<Option<Self>, EngineError> {
        let user = match kind {
            Kind::Docker => return Self::docker_apart(),
            Kind::PodmanOfRoot if podman_is_there() && require::root() => None,
            Kind::PodmanOfUser if podman_is_there() => {
                let Some(user) = User::ordinary()? else { return Ok(None) };
                Some(user)
            }
            Kind::PodmanOfRoot | Kind::PodmanOfUser => return Ok(None),
        };
        Ok(Some(Self { kind, made: Made::Podman(Podman::apart(user)?) }))
    }

    /// Which one it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What `--backend` calls it.
    #[must_use]
    pub const fn backend(&self) -> &'static str {
        match self.made {
            Made::Podman(_) => "podman",
            Made::Docker(_) => "docker",
        }
    }

    /// The engine's command line.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        match &self.made {
            Made::Podman(_) => "podman".into(),
            Made::Docker(_) => docker::program(),
        }
    }

    /// What a program needs in its environment to find this engine, besides [`Self::path`]. It goes before what the program
    /// has otherwise: a rootless engine brings an `XDG_RUNTIME_DIR`.
    #[must_use]
    pub fn env(&self) -> &[(OsString, OsString)] {
        match &self.made {
            Made::Podman(podman) => podman.env(),
            Made::Docker(docker) => docker.env(),
        }
    }

    /// The search path on which a program finds this engine's command line, and no other one.
    #[must_use]
    pub fn path(&self) -> OsString {
        let program = self.program();
        let mut path = OsString::new();
        if let Some(folder) = program.parent().filter(|folder| folder.is_absolute()) {
            path.push(folder);
            path.push(":");
        }
        path.push(PATH);
        path
    }

    /// The ordinary user by whom a rootless engine is run.
    #[must_use]
    pub const fn user(&self) -> Option<&User> {
        match &self.made {
            Made::Podman(podman) => podman.user(),
            Made::Docker(_) => None,
        }
    }

    /// The file in which the daemon says who it is, where there is a daemon.
    #[must_use]
    pub fn pidfile(&self) -> Option<PathBuf> {
        match &self.made {
            Made::Podman(_) => None,
            Made::Docker(docker) => Some(docker.pidfile()),
        }
    }

    /// The folder that the engine's user may write to, or that its client has to itself.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        match &self.made {
            Made::Podman(podman) => podman.folder(),
            Made::Docker(docker) => docker.home(),
        }
    }

    /// Folders in which the engine keeps images, containers and what it knows of them.
    #[must_use]
    pub fn keeps(&self) -> Vec<PathBuf> {
        match &self.made {
            Made::Podman(podman) => podman.keeps(),
            Made::Docker(docker) => docker.keeps(),
        }
    }

    /// The engine's command line, by its user, with nothing of our environment, and nothing on its standard input.
    #[must_use]
    pub fn command(&self) -> Command {
        let home = match &self.made {
            Made::Podman(podman) => podman.home(),
            Made::Docker(docker) => docker.home(),
        };
        command(&self.program(), self.user(), &home, self.env())
    }

    /// Has the image ready, and says its name; `None` when it cannot be made here: the test skips.
    ///
    /// # Errors
    /// When the engine refuses it.
    pub fn image(&self, image: Image) -> Result<Option<&'static str>, EngineError> {
        let loaded = match &self.made {
            Made::Podman(podman) => podman.load(image)?,
            Made::Docker(docker) => docker.load(image)?,
        };
        Ok(loaded.then(|| image.name()))
    }
}

fn podman_is_there() -> bool {
    require::program("podman").is_some() && require::program("runc").is_some()
}

fn docker_is_there() -> bool {
    require::program("dockerd").is_some() && require::program("docker").is_some() && require::root()
}

/// A command of the engine's user, with this environment alone. It starts where everybody may be.
fn command(program: &Path, user: Option<&User>, home: &Path, env: &[(OsString, OsString)]) -> Command {
    let mut words: Vec<OsString> =
        user.map(User::words).unwrap_or_default().into_iter().map(OsString::from).collect();
    words.push(program.into());
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", home)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null());
    command
}

/// Runs a command that has to end well.
fn ran(command: &mut Command) -> Result<Output, EngineError> {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    let words = words.join(" ");
    let output = command.output().map_err(|error| EngineError::Start(words.clone(), error))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(EngineError::Failed {
        words,
        status: output.status,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
