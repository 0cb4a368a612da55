//! Bubblewrap: each operation of the plan in bwrap's words, in the plan's order.

mod diagnosis;
mod etc;
mod guards;
mod points;
#[cfg(test)]
mod tests;
pub(super) mod verify;
pub(super) mod walls;

use coffer_plan::facts::{HostFacts, ToolFact};
use coffer_plan::plan::{
    Access, CheckedPlan, EnvValue, FileContent, Mount, MountOp, Namespace, Reference, RunFolder, Source,
    StateSeed,
};

use super::BackendError;
use crate::launch::{
    About, Gateway, HostPath, KeyAgents, Launch, Limits, Place, Preparation, SeedContent, Word,
};
pub use diagnosis::diagnose;

/// The source of a login among the credentials.
const LOGIN: &str = "login";
/// First version that binds by descriptor (`--bind-fd`).
const BINDS_BY_DESCRIPTOR: [u32; 2] = [0, 10];

/// Whether bubblewrap is here and may make user namespaces.
///
/// # Errors
/// With the fix, when it is not or may not.
pub fn supports(facts: &HostFacts) -> Result<&ToolFact, BackendError> {
    let tool = facts.bubblewrap.as_ref().ok_or(BackendError::Missing)?;
    let off = |switch, setting| Err(BackendError::NoUserNamespaces { switch, setting });
    if facts.user_namespaces.max == Some(0) {
        return off("user.max_user_namespaces is 0", "user.max_user_namespaces=15000");
    }
    if facts.user_namespaces.unprivileged_clone == Some(false) && facts.user.uid != 0 {
        return off("kernel.unprivileged_userns_clone is 0", "kernel.unprivileged_userns_clone=1");
    }
    Ok(tool)
}

/// Lowers a checked plan.
///
/// # Errors
/// As [`supports`].
pub fn lower(plan: &CheckedPlan, facts: &HostFacts) -> Result<Launch, BackendError> {
    let tool = supports(facts)?;
    let by_descriptor = tool.version.as_deref().is_some_and(binds_by_descriptor);
    let mut preparations = preparations(plan);
    preparations.extend(guards::preparations(plan, facts));
    let mut lowering = Lowering {
        options: Vec::new(),
        preparations,
        by_descriptor,
        covers_proc_sys: plan.hardening.read_only_proc_sys,
    };
    lowering.identity(plan);
    let guarded = guards::guarded(plan, facts);
    let etc = etc::together(plan, facts);
    for (at, mount) in plan.mounts.iter().enumerate() {
        match &etc {
            Some(etc) if etc.contains(&at) => {
                lowering.preparations.extend(etc::part(mount).map(Preparation::Part))
            }
            Some(_) | None if guarded.contains(&at) => {}
            Some(_) | None => lowering.mount(mount),
        }
    }
    if etc.is_some() {
        // Last of all: bubblewrap goes through the table of mounts for each bind, and what is in there makes it long.
        lowering.preparations.push(Preparation::Folder(RunFolder::Etc));
        lowering.bind(&Source::Run { folder: RunFolder::Etc }, Access::Ro, "/etc");
    }
    if plan.hardening.read_only_root {
        lowering.option(["--remount-ro", "/"]);
    }
    for entry in &plan.environment {
        let value = match &entry.value {
            EnvValue::Value { value } => Word::Text(value.clone()),
            EnvValue::Reference { reference, label: _ } => Word::Ref(reference.clone()),
        };
        lowering.words([Word::from("--setenv"), Word::Text(entry.name.clone()), value]);
    }
    lowering.option(["--chdir", plan.command.workdir.as_str()]);
    let init = [coffer_plan::derive::INIT, "--control-fd"].map(Word::from);
    let mut inside: Vec<Word> = init.into_iter().chain([Word::Control]).collect();
    let gateway = Gateway::of(plan);
    if let Some(gateway) = &gateway {
        inside.extend([Word::from("--gateway-fd"), Word::Gateway]);
        inside.extend(gateway.inside().flat_map(|at| [Word::from("--listen"), Word::Text(at.to_string())]));
    }
    inside.extend(verify::demands(plan));
    inside.extend(walls::words(plan));
    inside.push(Word::from("--"));
    inside.extend(plan.command.argv.iter().map(|word| Word::Text(word.clone())));
    Ok(Launch {
        runtime: facts.folders.runtime.clone(),
        about: Some(about(plan, facts)),
        gateway,
        key_agents: KeyAgents::of(plan, &facts.project.path),
        limits: Limits::of(plan),
        engine: None,
        environment: Vec::new(),
        preparations: lowering.preparations,
        program: tool.path.clone(),
        options: lowering.options,
        inside,
    })
}

/// What is written down about the run.
pub(super) fn about(plan: &CheckedPlan, facts: &HostFacts) -> About {
    About {
        agent: plan.command.agent.clone(),
        project: facts.project.path.clone(),
        account: plan.credential.account.clone(),
        auth: plan.credential.mode.to_string(),
        backend: plan.backend.kind.to_string(),
        login_wins: plan.sign_in.winner.as_deref() == Some(LOGIN),
    }
}

fn binds_by_descriptor(version: &str) -> bool {
    let numbers: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    numbers.as_slice() >= BINDS_BY_DESCRIPTOR.as_slice()
}

/// What the plan's state and lease need on the host, and the mount points in folders that agents write.
pub(super) fn preparations(plan: &CheckedPlan) -> Vec<Preparation> {
    let mut out = Vec::new();
    for mount in &plan.mounts {
        match mount.bind() {
            Some((source @ Source::Own { path }, _)) if plan.state.source.as_ref() == Some(source) => {
                out.push(Preparation::State(path.clone()));
            }
            Some((Source::Own { path }, _)) => out.push(Preparation::Own(path.clone())),
            // Made below.
            Some((Source::Run { folder: RunFolder::Copy }, _)) => {}
            Some((Source::Run { folder }, _)) => out.push(Preparation::Folder(*folder)),
            Some((Source::Host { .. }, _)) | None => {}
        }
    }
    if let Some(copy) = &plan.state.copy {
        out.push(Preparation::Copy { of: copy.of.clone(), way: copy.way });
        out.extend(copy.keep.then(|| Preparation::Keep(copy.never_kept.clone())));
    }
    if let Some(content) = &plan.credential.reference
        && let Some(file) = &plan.credential.file
        && let Some(name) = file.file_name()
    {
        // What the gateway has stays outside; the sandbox gets the word of its run in its place.
        let account = plan.credential.account.clone();
        let content = match &plan.credential.injection {
            Some(_) => Reference::CapabilityLogin { account, file: file.clone() },
            None => content.clone(),
        };
        out.push(Preparation::Lease { name: name.to_owned(), content });
    }
    if let Some(place) = plan.state.source.as_ref().map(place_of) {
        out.extend(plan.state.seeds.iter().map(|seed| self::seed(&place, seed)));
        out.extend(plan.state.links.iter().map(|link| Preparation::Link {
            place: place.clone(),
            name: link.name.clone(),
            to: link.to.clone(),
        }));
        out.extend(
            plan.state
                .login
                .iter()
                .map(|file| Preparation::Login { place: place.clone(), file: file.clone() }),
        );
    }
    out.extend(points::points(plan));
    out
}

fn seed(place: &Place, seed: &StateSeed) -> Preparation {
    let content = match &seed.content {
        FileContent::Text { text } => SeedContent::Text(text.clone()),
        FileContent::Reference { reference, label: _ } => SeedContent::Ref(reference.clone()),
    };
    Preparation::Seed { place: place.clone(), file: seed.file.clone(), content }
}

fn place_of(source: &Source) -> Place {
    match source {
        Source::Host { path, .. } | Source::Own { path } => Place::Path(path.clone()),
        Source::Run { folder } => Place::Run(*folder),
    }
}

struct Lowering {
    options: Vec<Word>,
    preparations: Vec<Preparation>,
    by_descriptor: bool,
    covers_proc_sys: bool,
}

impl Lowering {
    fn option<const N: usize>(&mut self, words: [&str; N]) {
        self.words(words.map(Word::from));
    }

    fn words(&mut self, words: impl IntoIterator<Item = Word>) {
        self.options.extend(words);
    }

    fn identity(&mut self, plan: &CheckedPlan) {
        for namespace in &plan.hardening.namespaces {
            match namespace {
                Namespace::User => self.option(["--unshare-user"]),
                // Bubblewrap always makes one.
                Namespace::Mount => {}
                Namespace::Pid => self.option(["--unshare-pid"]),
                Namespace::Ipc => self.option(["--unshare-ipc"]),
                Namespace::Uts => self.option(["--unshare-uts", "--hostname", &plan.identity.hostname]),
                Namespace::Cgroup => self.option(["--unshare-cgroup"]),
                Namespace::Net => self.option(["--unshare-net"]),
            }
        }
        let (uid, gid) = (plan.identity.uid.to_string(), plan.identity.gid.to_string());
        self.option(["--uid", &uid, "--gid", &gid, "--cap-drop", "ALL"]);
        for capability in &plan.hardening.capabilities {
            self.option(["--cap-add", capability]);
        }
        if plan.hardening.die_with_parent {
            self.option(["--die-with-parent"]);
        }
        self.option(["--as-pid-1"]);
    }

    fn mount(&mut self, mount: &Mount) {
        let target = mount.target.as_str();
        match &mount.op {
            MountOp::Bind { source, access } => self.bind(source, *access, target),
            // It is in its place when bubblewrap begins.
            MountOp::Overlay { source: _, access } => {
                self.bind(&Source::Run { folder: RunFolder::Copy }, *access, target);
            }
            MountOp::Tmpfs { mode } => self.option(["--perms", &format!("{mode:04o}"), "--tmpfs", target]),
            // As root bubblewrap leaves `core_pattern` and the like writable.
            MountOp::Proc => {
                self.option(["--proc", target]);
                if self.covers_proc_sys {
                    self.option(["--ro-bind", "/proc/sys", "/proc/sys"]);
                }
            }
            MountOp::Dev => self.option(["--dev", target]),
            MountOp::Symlink { source } => self.option(["--symlink", source, target]),
            MountOp::Mask { folder: true } => {
                self.option(["--perms", "0000", "--tmpfs", target, "--remount-ro", target]);
            }
            MountOp::Mask { folder: false } => self.data(Word::Data(String::new()), "0000", target),
            // A guard that is mounted before bubblewrap begins; a plan has none where that cannot be.
            MountOp::GitConfig { .. } => {}
            MountOp::Placeholder { text: None } => {
                self.option(["--perms", "0555", "--tmpfs", target, "--remount-ro", target]);
            }
            MountOp::Placeholder { text: Some(text) }
            | MountOp::File { content: FileContent::Text { text } } => {
                self.data(Word::Data(text.clone()), "0644", target);
            }
            MountOp::File { content: FileContent::Reference { reference, label: _ } } => {
                self.data(Word::DataRef(reference.clone()), "0600", target);
            }
        }
    }

    fn data(&mut self, content: Word, mode: &str, target: &str) {
        self.option(["--perms", mode]);
        self.words([Word::from("--ro-bind-data"), content, Word::from(target)]);
    }

    fn bind(&mut self, source: &Source, access: Access, target: &str) {
        let by_path = match access {
            Access::Ro => "--ro-bind",
            Access::Rw => "--bind",
        };
        match source {
            Source::Host { path, dev, ino, folder: _ } => {
                let seen = HostPath { path: path.clone(), dev: *dev, ino: *ino };
                if self.by_descriptor {
                    let option = Word::Text(format!("{by_path}-fd"));
                    self.words([option, Word::Open(seen), Word::from(target)]);
                } else {
                    self.preparations.push(Preparation::Expect(seen));
                    self.option([by_path, path.as_str(), target]);
                }
            }
            Source::Own { path } => self.option([by_path, path.as_str(), target]),
            Source::Run { folder } => {
                let reference = Reference::Folder(*folder);
                self.words([Word::from(by_path), Word::Ref(reference), Word::from(target)]);
            }
        }
    }
}
