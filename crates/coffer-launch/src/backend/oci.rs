//! Podman and Docker: each operation of the plan in the words of their command line, or refused by name.
//!
//! An engine sorts mounts by their depth, and takes each target once. So what a later operation covers is left out
//! here: a hidden folder hides what was shown in it, and nothing shows it again.

mod diagnosis;
#[cfg(test)]
mod tests;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::derive::INIT;
use coffer_plan::facts::{EngineFacts, EngineTrouble, HostFacts, ImageFact};
use coffer_plan::path::is_within;
use coffer_plan::plan::{
    Access, BackendKind, CheckedPlan, EnvValue, FileContent, Mount, MountOp, NetworkTier, Source,
};

use super::BackendError;
use super::bwrap::{about, preparations, verify, walls};
use crate::launch::{
    Engine, Gateway, HostPath, KeyAgents, Launch, Limits, Made, Preparation, SeedContent, Word,
};

pub use diagnosis::diagnose;

/// Where the folder with the control socket is inside.
const SOCKETS: &str = "/run/coffer/host";
/// The control socket in that folder.
pub const CONTROL: &str = "control";
/// The label that says whose containers are.
pub const LABEL: &str = "cofferdam.runtime";
/// The first Podman that has `pasta` and takes it where nothing else is said.
const PODMAN_WITH_PASTA: u32 = 5;

/// Whether the engine is here, and can make a container of the image.
///
/// # Errors
/// With the fix, when it is not or cannot.
pub fn supports(kind: BackendKind, facts: &HostFacts) -> Result<(&EngineFacts, &ImageFact), BackendError> {
    let missing = || BackendError::EngineMissing { kind };
    let engine = facts.engine.as_ref().filter(|engine| engine.kind == kind).ok_or_else(missing)?;
    if engine.program.is_none() {
        return Err(missing());
    }
    let user = || facts.user.name.clone();
    match &engine.trouble {
        None => {}
        Some(EngineTrouble::Remote { at, by }) => {
            return Err(BackendError::Remote { kind, at: at.clone(), by: by.clone() });
        }
        Some(EngineTrouble::Down { at }) => return Err(BackendError::Down { kind, at: at.clone() }),
        Some(EngineTrouble::NotPermitted { at }) => {
            return Err(BackendError::NotPermitted { kind, at: at.clone(), user: user() });
        }
        Some(EngineTrouble::NoSubordinateIds) => {
            return Err(BackendError::NoSubordinateIds { user: user() });
        }
        Some(EngineTrouble::Imitation { of }) => {
            return Err(BackendError::Imitation { kind, of: of.clone() });
        }
        Some(EngineTrouble::Failed { asked, said }) => {
            return Err(BackendError::Engine { kind, asked: asked.clone(), said: said.clone() });
        }
    }
    let image = engine.image.as_ref().ok_or(BackendError::ImageMissing { kind, image: None })?;
    Ok((engine, image))
}

/// Lowers a checked plan.
///
/// # Errors
/// As [`supports`]; also when the engine has no word for an operation, or for a path.
pub fn lower(plan: &CheckedPlan, facts: &HostFacts) -> Result<Launch, BackendError> {
    let kind = plan.backend.kind;
    let name = plan.backend.image.as_ref().map(|image| image.name.clone());
    let (engine, image) = supports(kind, facts).map_err(|error| match error {
        BackendError::ImageMissing { kind, image: None } => {
            BackendError::ImageMissing { kind, image: name.clone() }
        }
        other => other,
    })?;
    let machine = &facts.kernel.machine;
    if architecture(machine) != image.architecture {
        let (image, of) = (name.unwrap_or_default(), image.architecture.clone());
        return Err(BackendError::Architecture { image, of, machine: machine.clone() });
    }
    let mut lowering = Lowering {
        kind,
        options: Vec::new(),
        preparations: preparations(plan),
        files: 0,
        masked: Vec::new(),
        user: (plan.identity.uid, plan.identity.gid),
    };
    lowering.words(engine.connection.iter().map(|word| Word::Text(word.clone())));
    lowering.option(["run", "--rm", "--name"]);
    lowering.words([Word::Name]);
    lowering.option(["--label", &format!("{LABEL}={}", facts.folders.runtime)]);
    lowering.fixed(engine, plan);
    lowering.limits(plan);
    for mount in effective(plan) {
        lowering.mount(mount)?;
    }
    lowering.masks();
    let sockets = format!("type=bind,target={SOCKETS},readonly");
    lowering.made(Made::Sockets, sockets);
    // What is made for the run lies there.
    plain(kind, &facts.folders.runtime)?;
    lowering.option(["--entrypoint", INIT, &image.id]);
    let gateway = Gateway::of(plan);
    Ok(Launch {
        runtime: facts.folders.runtime.clone(),
        about: Some(about(plan, facts)),
        inside: inside(plan, gateway.as_ref(), &engine.mounted),
        gateway,
        key_agents: KeyAgents::of(plan, &facts.project.path),
        limits: Limits::of(plan),
        engine: Some(Engine { kind, connection: engine.connection.clone() }),
        environment: environment(plan),
        preparations: lowering.preparations,
        program: engine.program.clone().unwrap_or_default(),
        options: lowering.options,
    })
}

/// The machine as Go names it.
fn architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Init with its options, and the command.
fn inside(plan: &CheckedPlan, gateway: Option<&Gateway>, mounted: &[Utf8PathBuf]) -> Vec<Word> {
    let control = format!("{SOCKETS}/{CONTROL}");
    let mut words: Vec<Word> = [INIT, "--control-socket", &control].map(Word::from).into();
    let doors = gateway.into_iter().flat_map(Gateway::inside);
    words.extend(doors.flat_map(|at| [Word::from("--listen"), Word::Text(at.to_string())]));
    words.extend(verify::demands(plan));
    words.extend(foreseen(plan, mounted));
    words.extend(walls::words(plan));
    words.push(Word::from("--"));
    words.extend(plan.command.argv.iter().map(|word| Word::Text(word.clone())));
    words
}

/// What may be mounted besides what is demanded: what every container has, and what this machine has mounted in a
/// writable folder.
fn foreseen(plan: &CheckedPlan, mounted: &[Utf8PathBuf]) -> Vec<Word> {
    let word = |option: &str, path: &Utf8Path| [Word::from(option), Word::Text(path.to_string())];
    let mut out: Vec<Word> = word("--may-mount", Utf8Path::new(SOCKETS)).into();
    let of_plan = |path: &Utf8Path| plan.mounts.iter().any(|mount| mount.target == path);
    let engine = plan.backend.image.iter().flat_map(|image| &image.engine_mounts);
    // What the plan mounts there itself stands below, or is demanded.
    for mount in engine.filter(|mount| mount.below || !of_plan(&mount.path)) {
        let option = if mount.below { "--may-mount-below" } else { "--may-mount" };
        out.extend(word(option, &mount.path));
    }
    for mount in effective(plan) {
        if mount.origin.common_group().is_some() && !mount.target.starts_with("/proc") {
            out.extend(word("--may-mount", &mount.target));
        }
        if let Some((Source::Host { path, folder: true, .. }, Access::Rw)) = mount.bind() {
            let below = mounted.iter().filter_map(|point| point.strip_prefix(path).ok());
            let below = below.filter(|below| *below != "").map(|below| mount.target.join(below));
            out.extend(below.flat_map(|target| word("--may-mount", &target)));
        }
    }
    out
}

/// All of it, as init sets it: what the engine and the image would set is not the agent's.
fn environment(plan: &CheckedPlan) -> Vec<(String, Word)> {
    let entry = |name: &String, value: &EnvValue| {
        let word = match value {
            EnvValue::Value { value } => Word::Text(value.clone()),
            EnvValue::Reference { reference, label: _ } => Word::Ref(reference.clone()),
        };
        (name.clone(), word)
    };
    plan.environment.iter().map(|variable| entry(&variable.name, &variable.value)).collect()
}

/// The operations whose effect can be seen: no later one is at their place or around it.
fn effective(plan: &CheckedPlan) -> impl Iterator<Item = &Mount> {
    let mounts = &plan.mounts;
    mounts.iter().enumerate().filter_map(|(at, mount)| {
        let covered = mounts[at + 1..].iter().any(|later| is_within(&mount.target, &later.target));
        (!covered).then_some(mount)
    })
}

/// A path that the engine's lists can hold: they are parted by commas, and quoted.
fn plain(kind: BackendKind, path: &Utf8Path) -> Result<&str, BackendError> {
    let odd = path.as_str().chars().find(|character| ",\"\n\r".contains(*character));
    match odd {
        None => Ok(path.as_str()),
        Some(character) => Err(BackendError::Path { kind, path: path.to_owned(), character }),
    }
}

struct Lowering {
    kind: BackendKind,
    options: Vec<Word>,
    preparations: Vec<Preparation>,
    /// How many files are made for the run.
    files: usize,
    /// Paths of `/proc` that the engine shall hide.
    masked: Vec<Utf8PathBuf>,
    user: (u32, u32),
}

impl Lowering {
    fn option<const N: usize>(&mut self, words: [&str; N]) {
        self.words(words.map(Word::from));
    }

    fn words(&mut self, words: impl IntoIterator<Item = Word>) {
        self.options.extend(words);
    }

    /// What does not depend on the mounts.
    fn fixed(&mut self, engine: &EngineFacts, plan: &CheckedPlan) {
        self.option(["--pull", "never", "--read-only", "--cap-drop", "ALL"]);
        self.option(["--security-opt", "no-new-privileges", "--ipc", "private", "--cgroupns", "private"]);
        if engine.selinux {
            // It could read nothing of the user's, and nothing of theirs is labelled anew.
            self.option(["--security-opt", "label=disable"]);
        }
        self.option(["--hostname", &plan.identity.hostname, "--log-driver", "none", "--no-healthcheck"]);
        // Our init is the first process, it makes the terminal, and signals come by the control socket.
        self.option(["--init=false", "--detach-keys=", "--sig-proxy=false"]);
        let (uid, gid) = self.user;
        self.option(["--user", &format!("{uid}:{gid}"), "--workdir", plan.command.workdir.as_str()]);
        match self.kind {
            BackendKind::Podman => {
                self.option(["--read-only-tmpfs=false", "--http-proxy=false", "--systemd=false"]);
                self.option(["--passwd=false", "--image-volume", "ignore"]);
                // The user's containers.conf could say something else.
                self.option(["--pid", "private", "--uts", "private"]);
                if engine.rootless && uid != 0 {
                    self.option(["--userns", "keep-id"]);
                }
            }
            BackendKind::Docker if engine.remaps_ids => self.option(["--userns", "host"]),
            BackendKind::Docker | BackendKind::Bwrap | BackendKind::Kubernetes => {}
        }
        self.network(engine, plan.network.tier);
    }

    fn network(&mut self, engine: &EngineFacts, tier: NetworkTier) {
        let network = match tier {
            NetworkTier::None | NetworkTier::Agent | NetworkTier::Dev | NetworkTier::Learn => "none",
            NetworkTier::Full if self.kind == BackendKind::Podman && engine.rootless => {
                let major =
                    engine.version.as_deref().and_then(|version| version.split('.').next()?.parse().ok());
                if major.is_some_and(|major: u32| major >= PODMAN_WITH_PASTA) {
                    "pasta:--no-map-gw,-t,none,-u,none,-T,none,-U,none"
                } else {
                    "slirp4netns:allow_host_loopback=false"
                }
            }
            NetworkTier::Full => "bridge",
        };
        self.option(["--network", network]);
        if self.kind == BackendKind::Podman && tier != NetworkTier::Full {
            self.option(["--no-hosts"]);
        }
    }

    fn limits(&mut self, plan: &CheckedPlan) {
        let Some(Limits { memory, pids, cpus, means: _ }) = Limits::of(plan) else { return };
        if let Some(memory) = memory {
            // Swap counts: both together.
            self.option(["--memory", &memory.to_string(), "--memory-swap", &memory.to_string()]);
        }
        // Podman has a limit of its own where nothing is said.
        let pids = pids.map_or_else(|| "-1".to_owned(), |pids| pids.to_string());
        self.option(["--pids-limit", &pids]);
        if let Some(cpus) = plan.limits.cpus.value.filter(|_| cpus.is_some()) {
            self.option(["--cpus", &cpus.to_string()]);
        }
    }

    fn mount(&mut self, mount: &Mount) -> Result<(), BackendError> {
        let target = mount.target.as_path();
        match &mount.op {
            MountOp::Bind { source, access } => self.bind(source, *access, target),
            MountOp::Tmpfs { mode } => self.tmpfs("rw,exec", *mode, target),
            // The engine makes them, with the kernel's switches read-only.
            MountOp::Proc | MountOp::Dev => Ok(()),
            MountOp::Mask { folder: false } if target.starts_with("/proc") => {
                self.masked.push(target.to_owned());
                Ok(())
            }
            MountOp::Mask { folder: true } => self.tmpfs("ro", 0, target),
            MountOp::Mask { folder: false } => self.file(SeedContent::Text(String::new()), 0, target),
            MountOp::Placeholder { text: None } => {
                self.hold(target, None);
                self.tmpfs("ro", 0o555, target)
            }
            MountOp::Placeholder { text: Some(text) } => {
                self.hold(target, Some(text));
                self.file(SeedContent::Text(text.clone()), 0o644, target)
            }
            MountOp::File { content: FileContent::Text { text } } => {
                self.file(SeedContent::Text(text.clone()), 0o644, target)
            }
            MountOp::File { content: FileContent::Reference { reference, label: _ } } => {
                self.file(SeedContent::Ref(reference.clone()), 0o600, target)
            }
            MountOp::Overlay { .. } => Err(self.no_word("overlay", mount)),
            MountOp::Symlink { .. } => Err(self.no_word("symlink", mount)),
            MountOp::GitConfig { .. } => Err(self.no_word("git_config", mount)),
        }
    }

    fn no_word(&self, op: &'static str, mount: &Mount) -> BackendError {
        let (target, origin) = (mount.target.clone(), mount.origin.clone());
        BackendError::NoWord { kind: self.kind, op, target, origin }
    }

    fn hold(&mut self, target: &Utf8Path, text: Option<&String>) {
        self.preparations.push(Preparation::Hold { path: target.to_owned(), text: text.cloned() });
    }

    /// A folder in memory that belongs to the user inside.
    fn tmpfs(&mut self, how: &str, mode: u32, target: &Utf8Path) -> Result<(), BackendError> {
        let path = plain(self.kind, target)?;
        if path.contains(':') {
            return Err(BackendError::Path { kind: self.kind, path: target.to_owned(), character: ':' });
        }
        let (uid, gid) = self.user;
        let owner = match self.kind {
            // Else it would begin with what the image has there.
            BackendKind::Podman => "notmpcopyup,U".to_owned(),
            BackendKind::Docker | BackendKind::Bwrap | BackendKind::Kubernetes => {
                format!("uid={uid},gid={gid}")
            }
        };
        self.option(["--tmpfs", &format!("{path}:{how},nosuid,nodev,mode={mode:04o},{owner}")]);
        Ok(())
    }

    /// A file that is made for the run.
    fn file(&mut self, content: SeedContent, mode: u32, target: &Utf8Path) -> Result<(), BackendError> {
        let name = self.files.to_string();
        self.files += 1;
        let rest = format!("type=bind,target={},readonly", plain(self.kind, target)?);
        self.preparations.push(Preparation::File { name: name.clone(), mode, content });
        self.made(Made::File(name), rest);
        Ok(())
    }

    fn made(&mut self, made: Made, rest: String) {
        self.words([Word::from("--mount"), Word::Mount { made, rest }]);
    }

    fn bind(&mut self, source: &Source, access: Access, target: &Utf8Path) -> Result<(), BackendError> {
        let folder = match source {
            Source::Host { folder, .. } => *folder,
            Source::Own { .. } | Source::Run { .. } => true,
        };
        let how = match access {
            Access::Rw => "",
            // What is mounted below would stay writable, so it is not shown.
            Access::Ro if folder => ",readonly,bind-nonrecursive=true",
            Access::Ro => ",readonly",
        };
        let rest = format!("type=bind,target={}{how}", plain(self.kind, target)?);
        let path = match source {
            Source::Run { folder } => {
                self.made(Made::Folder(*folder), rest);
                return Ok(());
            }
            Source::Own { path } => path,
            Source::Host { path, dev, ino, folder: _ } => {
                let seen = HostPath { path: path.clone(), dev: *dev, ino: *ino };
                self.preparations.push(Preparation::Expect(seen));
                path
            }
        };
        let word = format!("{rest},source={}", plain(self.kind, path)?);
        self.option(["--mount", &word]);
        Ok(())
    }

    /// What the engine hides in `/proc`. Docker hides these by itself.
    fn masks(&mut self) {
        if self.kind == BackendKind::Podman && !self.masked.is_empty() {
            let paths: Vec<&str> = self.masked.iter().map(|path| path.as_str()).collect();
            let mask = format!("mask={}", paths.join(":"));
            self.option(["--security-opt", &mask]);
        }
    }
}
