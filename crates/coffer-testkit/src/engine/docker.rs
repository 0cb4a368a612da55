//! Docker with a daemon of the run's own, or of one test's: data, state, socket and process file lie in its place.
//!
//! The daemon shares the host's network, so that `--network host` means what it means to a user, and it writes no rule of
//! the firewall and makes no bridge unless a test asks for a network: two runs on one machine do not meet. Its mounts are
//! its own.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use super::place::{Place, Shared};
use super::{EngineError, Image, command, ran};

/// How long a daemon may take to say that it is ready. Here it takes less than one second.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whose daemon it is.
#[derive(Debug)]
enum Daemon {
    OfRun(Shared),
    OfTest(Place),
}

/// A docker whose daemon runs.
#[derive(Debug)]
pub(super) struct Docker {
    daemon: Daemon,
    /// The command line's configuration and home, of this test alone.
    own: tempfile::TempDir,
    env: Vec<(OsString, OsString)>,
}

impl Docker {
    /// With the daemon of the run; it starts with the first test that wants it.
    pub(super) fn shared() -> Result<Self, EngineError> {
        let ear = OnceCell::new();
        let shared = Shared::of_run("docker", |folder| words(folder, &ear), |folder| wait(folder, &ear))?;
        Self::with(Daemon::OfRun(shared))
    }

    /// With a daemon of the test's own.
    pub(super) fn apart() -> Result<Self, EngineError> {
        let ear = OnceCell::new();
        let place = Place::new("docker", |folder| words(folder, &ear))?;
        wait(place.folder(), &ear)?;
        Self::with(Daemon::OfTest(place))
    }

    fn with(daemon: Daemon) -> Result<Self, EngineError> {
        let own = tempfile::tempdir().map_err(|error| EngineError::Folder(std::env::temp_dir(), error))?;
        let mut docker = Self { daemon, own, env: Vec::new() };
        docker.env = vec![
            ("DOCKER_HOST".into(), format!("unix://{}", docker.socket().display()).into()),
            ("DOCKER_CONFIG".into(), docker.own.path().into()),
        ];
        Ok(docker)
    }

    pub(super) fn env(&self) -> &[(OsString, OsString)] {
        &self.env
    }

    pub(super) fn home(&self) -> PathBuf {
        self.own.path().to_owned()
    }

    /// Where the daemon listens.
    pub(super) fn socket(&self) -> PathBuf {
        self.place().join("docker.sock")
    }

    /// Storage, containers and what is known of them.
    pub(super) fn keeps(&self) -> Vec<PathBuf> {
        vec![self.place().join("data"), self.place().join("exec")]
    }

    /// The file in which the daemon says who it is.
    pub(super) fn pidfile(&self) -> PathBuf {
        self.place().join("pid")
    }

    fn place(&self) -> &Path {
        match &self.daemon {
            Daemon::OfRun(shared) => shared.folder(),
            Daemon::OfTest(place) => place.folder(),
        }
    }

    /// Gives the daemon the image; false if it cannot be made here.
    pub(super) fn load(&self, image: Image) -> Result<bool, EngineError> {
        let Some(archive) = image.archive(self.own.path())? else { return Ok(false) };
        let import = || {
            let mut import = command(&program(), None, self.own.path(), &self.env);
            ran(import.arg("import").arg(&archive).arg(image.name())).map(drop)
        };
        match &self.daemon {
            Daemon::OfRun(shared) => shared.once(image.id(), import)?,
            Daemon::OfTest(_) => import()?,
        }
        Ok(true)
    }
}

/// The client of the daemon's own package, whatever else comes first on the search path.
pub(super) fn program() -> PathBuf {
    let packaged = PathBuf::from("/usr/bin/docker");
    if packaged.is_file() { packaged } else { "docker".into() }
}

/// The words that start the daemon in this folder, and the ear for what it says then.
fn words(folder: &Path, ear: &OnceCell<UnixDatagram>) -> Result<Vec<OsString>, EngineError> {
    let failed = |error| EngineError::Folder(folder.to_owned(), error);
    prepare(folder).map_err(failed)?;
    let path = folder.join("notify");
    let socket = UnixDatagram::bind(&path).map_err(failed)?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    ear.get_or_init(|| socket);
    let notify = format!("NOTIFY_SOCKET={}", path.display());
    let mut words: Vec<OsString> =
        ["unshare", "--mount", "--propagation", "slave", "env", &notify, "dockerd"].map(Into::into).into();
    for (flag, name) in [
        ("--config-file", "daemon.json"),
        ("--data-root", "data"),
        ("--exec-root", "exec"),
        ("--pidfile", "pid"),
    ] {
        words.extend([flag.into(), folder.join(name).into()]);
    }
    words.extend(["--host".into(), format!("unix://{}", folder.join("docker.sock").display()).into()]);
    words.extend(
        ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"].map(Into::into),
    );
    if let Some(limit) = getrlimit(Resource::Nofile).maximum {
        words.push(format!("--default-ulimit=nofile={limit}:{limit}").into());
    }
    Ok(words)
}

/// What the daemon and its end read. The machine's own configuration is not for it, and neither is the key by which it
/// is known.
fn prepare(folder: &Path) -> io::Result<()> {
    let config = serde_json::json!({ "deprecated-key-path": folder.join("key.json") });
    fs::write(folder.join("daemon.json"), config.to_string())?;
    let docker = format!(
        "env HOME={home} DOCKER_HOST=unix://{home}/docker.sock {}",
        program().display(),
        home = folder.display(),
    );
    // Bridges outlive the daemon that made them. Without containers it does not wait when it is told to end.
    fs::write(
        folder.join("end"),
        format!(
            "containers=$({docker} ps --all --quiet) && [ -n \"$containers\" ] && {docker} rm --force $containers\n\
             {docker} network prune --force\n"
        ),
    )
}

/// Waits until the daemon says that it listens, as it does to systemd.
fn wait(folder: &Path, ear: &OnceCell<UnixDatagram>) -> Result<(), EngineError> {
    heard(ear.get()).map_err(|source| EngineError::Daemon {
        log: fs::read_to_string(folder.join("log")).unwrap_or_default(),
        source,
    })
}

fn heard(ear: Option<&UnixDatagram>) -> io::Result<()> {
    let socket = ear.ok_or(io::ErrorKind::NotConnected)?;
    let mut text = [0; 256];
    loop {
        let length = socket.recv(&mut text)?;
        if text[..length].starts_with(b"READY=1") {
            return Ok(());
        }
    }
}
