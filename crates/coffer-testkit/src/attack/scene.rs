//! What lies on the stage: a home with canaries, a project, another process, sockets, keys, another live run. Each
//! column gets one of its own, as fresh as the last.

use std::ffi::{CString, OsString};
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coffer_sys::attempts;

use super::brief::{Brief, Process};
use super::column::Probe;
use super::deeds::gateway::UNLISTED;
use super::deeds::ipc::queue_name;
use super::listeners::{self, Ports};
use super::probe::VICTIM;
use super::{Attack, attacks};
use crate::Scratch;

/// A variable with a canary, of which nobody knows that it is secret.
pub const CANARY_VARIABLE: &str = "COFFER_ATTACK_CANARY";
/// A variable with a canary that everybody knows to be secret.
pub const CLOUD_VARIABLE: &str = "AWS_SECRET_ACCESS_KEY";
/// The display of the stage.
const DISPLAY: &str = ":213";
/// The login file in a lease.
pub(super) const LEASED: &str = ".credentials.json";
/// The access token of the stage's login.
pub(super) const ACCESS_TOKEN: &str = "sk-ant-oat01-FAKE-attacked-access-token";
/// Where links of an attack would lead the host.
pub(super) const LED: &str = "led";
/// A link in the agent's state.
pub(super) const STATE_LINK: &str = ".claude/led";
/// How long the login lasts: longer than any test.
const LOGIN: Duration = Duration::from_secs(8 * 3600);
/// Where the folders of sessions are on a machine in use.
const SESSIONS: &str = "/run/user";
/// The key of segment, queue and semaphore.
const IPC_KEY: i32 = 0x0c0f_fe12;

/// Canary files below the home folder.
const SECRETS: [&str; 18] = [
    ".ssh/id_ed25519",
    ".aws/credentials",
    ".config/gcloud/credentials.db",
    ".kube/config",
    ".gnupg/private-keys-v1.d/key",
    ".netrc",
    ".git-credentials",
    ".config/gh/hosts.yml",
    ".npmrc",
    ".docker/config.json",
    ".bash_history",
    ".mozilla/firefox/profile/cookies.sqlite",
    ".local/share/keyrings/login.keyring",
    ".claude/history.jsonl",
    ".local/share/cofferdam/accounts/other/login/store/.credentials.json",
    "work/other/.env",
    "letters/private.txt",
    ".local/bin/own",
];

/// Files of the project that are there already.
const PROJECT: [(&str, &str); 9] = [
    (".git/HEAD", "ref: refs/heads/main\n"),
    (".git/config", "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"),
    (".git/info/exclude", ""),
    (".git/modules/sub/HEAD", "ref: refs/heads/main\n"),
    ("vendor/nested/.git/HEAD", "ref: refs/heads/main\n"),
    ("vendor/nested/.git/config", "[core]\n\trepositoryformatversion = 0\n"),
    (".claude/settings.json", "{}\n"),
    (".vscode/settings.json", "{}\n"),
    ("src/lib.rs", "// What the agent works on.\n"),
];
/// Folders of the project that are there already.
const FOLDERS: [&str; 7] = [
    ".git/hooks",
    ".git/objects",
    ".git/refs/heads",
    ".git/modules/sub/hooks",
    ".git/modules/sub/objects",
    "vendor/nested/.git/hooks",
    "vendor/nested/.git/objects",
];

/// Names that lead to the stage's own machine.
#[must_use]
pub fn hosts() -> Vec<&'static str> {
    vec![UNLISTED]
}

/// What is there once in a machine.
#[derive(Debug)]
pub struct Ground {
    canary: String,
    ports: Ports,
    abstract_name: String,
    key: Option<(i32, String)>,
    homes: Option<PathBuf>,
    // It is there as long as somebody has it open.
    _queue: Option<std::os::fd::OwnedFd>,
}

impl Ground {
    /// Listens, and lays keys and memory. `canary` is a random word.
    ///
    /// # Errors
    /// When somebody listens already: this is not a machine of our own.
    pub fn new(canary: &str) -> io::Result<Self> {
        let abstract_name = format!("coffer-attack-{canary}");
        let ports = listeners::start(canary, &abstract_name)?;
        let key = CString::new(abstract_name.as_str()).ok();
        // Kernels are built without one or the other; then nothing is proven about it.
        let key = key.and_then(|name| attempts::add_user_key(&name, canary.as_bytes()).ok());
        let _ = attempts::new_shared_memory(IPC_KEY, canary.as_bytes());
        let _ = attempts::new_message_queue(IPC_KEY);
        let _ = attempts::new_semaphores(IPC_KEY);
        let queue = queue_name(canary).and_then(|name| attempts::new_posix_queue(&name).ok());
        for path in ["/run/docker.sock", "/run/dbus/system_bus_socket"] {
            listeners::at(Path::new(path), canary)?;
        }
        fs::write("/run/coffer-attack/note", canary)?;
        fs::write(Path::new("/dev/shm").join(canary), canary)?;
        let key = key.map(|number| (number, abstract_name.clone()));
        Ok(Self { canary: canary.to_owned(), ports, abstract_name, key, homes: None, _queue: queue })
    }

    /// With homes below this folder and the folders of sessions below `/run`, as on a machine in use: where a sandbox
    /// treats the folder for temporary files in a way of its own, that must not decide about the home.
    ///
    /// # Errors
    /// When there can be no folders of sessions.
    pub fn with_homes(mut self, homes: &Path) -> io::Result<Self> {
        fs::create_dir_all(SESSIONS)?;
        self.homes = Some(homes.to_owned());
        Ok(self)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some((key, _)) = &self.key {
            // The kernel takes it away by itself, too.
            let _ = attempts::revoke_key(*key);
        }
    }
}

/// One stage.
#[derive(Debug)]
pub struct Scene {
    /// What the probe is told.
    pub brief: Brief,
    scratch: Scratch,
    process: Child,
    neighbour: Option<Child>,
}

impl Scene {
    /// Lays everything anew, with another process that the probe's program is.
    ///
    /// # Errors
    /// When something of it cannot be laid.
    pub fn lay(ground: &Ground, probe: &Probe) -> io::Result<Self> {
        let scratch = match &ground.homes {
            Some(homes) => Scratch::apart(homes, Path::new(SESSIONS)),
            None => Scratch::new(),
        };
        let scratch = scratch.map_err(io::Error::other)?;
        let canary = &ground.canary;
        for file in SECRETS {
            scratch.write_home(file, canary).map_err(io::Error::other)?;
        }
        let login = login(canary);
        scratch.write_home(".claude/.credentials.json", &login).map_err(io::Error::other)?;
        let (stage, project) = (scratch.root().to_owned(), scratch.project());
        for (file, text) in PROJECT {
            laid(&project.join(file), text)?;
        }
        for folder in FOLDERS {
            fs::create_dir_all(project.join(folder))?;
        }
        fs::create_dir_all(stage.join(LED))?;
        laid(&stage.join("note"), canary)?;
        laid(&scratch.runtime().join("note"), canary)?;
        laid(&stage.join("lease").join(LEASED), &login)?;
        sockets(&scratch, canary)?;
        let secret = scratch.home().join(".ssh/id_ed25519");
        let (process, seen) = other_process(&scratch, probe, &secret, canary)?;
        let handle = CString::new(secret.as_os_str().as_bytes()).ok();
        let brief = Brief {
            canary: canary.clone(),
            home: scratch.home(),
            project,
            runtime: scratch.runtime(),
            lease: stage.join("lease"),
            stage,
            process: seen,
            first: seen.pid,
            program: probe.program.clone(),
            port: ground.ports.tcp,
            udp_port: ground.ports.udp,
            abstract_name: ground.abstract_name.clone(),
            key: ground.key.clone(),
            ipc: IPC_KEY,
            system: attacks().filter_map(Attack::of_machine).filter_map(of_system).collect(),
            handle: handle.and_then(|path| attempts::file_handle(&path).ok()),
            ..Brief::default()
        };
        Ok(Self { brief, scratch, process, neighbour: None })
    }

    /// The environment of whoever starts the probe: the stage's, with canaries.
    #[must_use]
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let canary = &self.brief.canary;
        let mut environment = self.scratch.env();
        let bus = format!("unix:path={}/bus,guid={canary}", self.brief.runtime.display());
        let agent = self.brief.path("${stage}/${canary}/ssh-agent");
        environment.extend([
            (CANARY_VARIABLE.into(), canary.into()),
            (CLOUD_VARIABLE.into(), canary.into()),
            ("DBUS_SESSION_BUS_ADDRESS".into(), bus.into()),
            ("SSH_AUTH_SOCK".into(), agent.into()),
            ("DISPLAY".into(), DISPLAY.into()),
        ]);
        environment
    }

    /// A command in this environment, in the project.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.environment()).current_dir(&self.brief.project);
        command
    }

    /// Lets another run live beside the one that is attacked; it says a line when it is there, and ends when its
    /// standard input does. Its files are below `runs`.
    ///
    /// # Errors
    /// When it cannot be started, or ends before it says anything.
    pub fn add_neighbour(&mut self, mut command: Command, runs: &Path) -> io::Result<()> {
        let folder = self.brief.home.join("work/neighbour");
        fs::create_dir_all(&folder)?;
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let said = first_line(&mut child);
        self.neighbour = Some(child);
        if said?.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.brief.neighbour = below(runs);
        Ok(())
    }

    /// What a host does that trusts what a sandbox wrote: it writes through whatever lies in the lease and the state.
    pub fn be_careless(&self) {
        for path in [self.brief.lease.join(LEASED), self.brief.home.join(STATE_LINK)] {
            // Without a link it writes a file of the stage's, which nobody looks for.
            let _ = fs::write(path, &self.brief.canary);
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in self.neighbour.iter_mut().chain([&mut self.process]) {
            drop(child.stdin.take());
            // Without its input it ends by itself; a stubborn one is ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A file of the machine's system, if there is one, and which one it is.
fn of_system(path: &str) -> Option<(PathBuf, (u64, u64))> {
    let found = fs::metadata(path).ok()?;
    Some((path.into(), (found.dev(), found.ino())))
}

fn laid(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text)
}

/// A login that lasts; the canary is in what no sandbox may have.
fn login(canary: &str) -> String {
    let end = SystemTime::now() + LOGIN;
    let end = end.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let end = u64::try_from(end).unwrap_or_default();
    serde_json::json!({"claudeAiOauth": {
        "accessToken": ACCESS_TOKEN,
        "refreshToken": format!("sk-ant-ort01-FAKE-{canary}"),
        "expiresAt": end,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
        "rateLimitTier": "default_claude_max_5x",
    }})
    .to_string()
}

fn sockets(scratch: &Scratch, canary: &str) -> io::Result<()> {
    let (root, runtime) = (scratch.root(), scratch.runtime());
    let paths = [
        root.join("socket"),
        root.join(canary).join("ssh-agent"),
        scratch.home().join(".gnupg/S.gpg-agent"),
        runtime.join("wayland-0"),
        runtime.join("bus"),
        runtime.join("pipewire-0"),
        runtime.join("podman/podman.sock"),
        runtime.join("systemd/private"),
    ];
    for path in paths {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        listeners::at(&path, canary)?;
    }
    Ok(())
}

fn other_process(
    scratch: &Scratch,
    probe: &Probe,
    file: &Path,
    canary: &str,
) -> io::Result<(Child, Process)> {
    let mut command = probe.command();
    command.arg(VICTIM).arg(file).env_clear().envs(scratch.env()).env(CANARY_VARIABLE, canary);
    command.current_dir(scratch.project()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let seen = serde_json::from_str(&first_line(&mut child)?)?;
    Ok((child, seen))
}

fn first_line(child: &mut Child) -> io::Result<String> {
    let mut line = String::new();
    let output = child.stdout.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
    BufReader::new(output).read_line(&mut line)?;
    Ok(line)
}

/// Every file and socket below a folder, whatever folder it is in.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}
