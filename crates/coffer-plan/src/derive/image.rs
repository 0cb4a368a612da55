//! What is different when a container engine makes the sandbox: the root folder is an image's, so nothing of the host's
//! system is shown, and the engine has ids, a `/proc` and a network of its own.

use camino::{Utf8Path, Utf8PathBuf};

use super::mounts::MountList;
use super::network;
use crate::agent::names_it;
use crate::built_in::System;
use crate::facts::{EngineFacts, HostFacts, ImageFact, ImageVariable};
use crate::origin::{Origin, OriginLayer};
use crate::path::PathTemplate;
use crate::plan::{
    BackendKind, Controller, FileContent, Identity, Image, MountOp, Namespace, NetworkTier, Note, PlanError,
};
use crate::policy::Policy;

/// The profile with the host's toolchains: an image has its own.
const TOOLCHAINS: &str = "toolchains";
/// What Docker hides in `/proc` by itself (`DefaultLinuxSpec` of moby). It has no word for more.
const HIDDEN_BY_DOCKER: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
];
/// An engine's search path where the image says none (`DefaultPathEnv` of moby, and of podman).
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Variables that the sandbox makes itself, whatever the image says.
const OWN_VARIABLES: &[&str] = &["HOME", "HOSTNAME", "PATH", "PWD", "TERM", "container"];

/// The engine that makes the sandbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Engine<'a> {
    kind: BackendKind,
    facts: Option<&'a EngineFacts>,
    /// Whether it has no rights but the user's.
    rootless: bool,
}

impl<'a> Engine<'a> {
    /// The policy's, if it wants one.
    pub(super) fn of(policy: &Policy, facts: &'a HostFacts) -> Option<Self> {
        let kind = policy.backend.value;
        let known = facts.engine.as_ref().filter(|engine| engine.kind == kind);
        let by_user = kind == BackendKind::Podman && facts.user.uid != 0;
        let rootless = known.map_or(by_user, |engine| engine.rootless);
        kind.is_engine().then_some(Self { kind, facts: known, rootless })
    }

    /// The image, if it is there.
    fn image(&self) -> Option<&'a ImageFact> {
        self.facts?.image.as_ref()
    }

    /// The agent's version in the image, if a label tells.
    pub(super) fn agent_version(&self) -> Option<&'a str> {
        self.image()?.agent_version.as_deref()
    }

    /// What the plan says of the image.
    pub(super) fn plan(&self, policy: &Policy) -> Image {
        Image {
            name: policy.image.value.clone(),
            id: self.image().map(|image| image.id.clone()),
            rootless: self.rootless,
            engine_mounts: policy.system.engine_mounts.clone(),
            origin: policy.image.origin.clone(),
        }
    }

    /// Whether it can hold a limit.
    pub(super) fn holds(&self, controller: Controller) -> bool {
        let known =
            self.facts.is_some_and(|engine| engine.controllers.iter().any(|name| name == controller.word()));
        known || self.facts.is_none()
    }

    /// Namespaces that its container has.
    pub(super) fn namespaces(&self) -> Vec<Namespace> {
        let mut out = if self.rootless { vec![Namespace::User] } else { Vec::new() };
        out.extend([
            Namespace::Mount,
            Namespace::Pid,
            Namespace::Ipc,
            Namespace::Uts,
            Namespace::Cgroup,
            Namespace::Net,
        ]);
        out
    }

    /// What it has no word for.
    pub(super) fn refuse(&self, policy: &Policy, facts: &HostFacts) -> Vec<PlanError> {
        let refuse = |what, reason, mend, origin: &Origin| PlanError::NotOnEngine {
            what,
            kind: self.kind,
            reason,
            mend,
            origin: origin.clone(),
        };
        let mut out = Vec::new();
        if policy.allow_nesting.value {
            out.push(refuse(
                "--allow-nesting",
                "its own filter of system calls keeps namespaces from being made inside",
                "`--backend bwrap`",
                &policy.allow_nesting.origin,
            ));
        }
        if policy.as_root_inside.value && !self.rootless && facts.user.uid != 0 {
            out.push(refuse(
                "--as-root-inside",
                "its root would be root of this machine, and own what it makes in the project",
                "`--backend bwrap`, or `--backend podman` as an ordinary user",
                &policy.as_root_inside.origin,
            ));
        }
        out
    }
}

/// As whom the command runs: always as somebody who is the host's user outside, so that what it makes belongs to them,
/// and what is theirs alone can be read.
pub(super) fn user(engine: Engine<'_>, policy: &Policy, facts: &HostFacts) -> (u32, u32, String, Origin) {
    let user = &facts.user;
    let root = |origin: Origin| (0, 0, "root".to_owned(), origin);
    if engine.rootless && policy.as_root_inside.value {
        root(policy.as_root_inside.origin.clone())
    } else if engine.rootless && engine.kind == BackendKind::Docker {
        root(Origin::built_in("uid 0 of a rootless Docker is you"))
    } else if user.uid == 0 {
        root(Origin::built_in("root, without any capability"))
    } else {
        (user.uid, user.gid, user.name.clone(), Origin::built_in("uid kept"))
    }
}

/// Private folders and the empty home over the image's root folder, and what names the user there.
pub(super) fn mounts(list: &mut MountList<'_>, engine: Engine<'_>, policy: &Policy, identity: &Identity) {
    let made = Origin::built_in("made for the sandbox");
    for (target, text) in users(identity) {
        list.push(MountOp::File { content: FileContent::Text { text } }, target, made.clone());
    }
    // With a network the engine has to write down who is who in it.
    if policy.network.value != NetworkTier::Full {
        let text = super::system::hosts(&identity.hostname);
        list.push(MountOp::File { content: FileContent::Text { text } }, "/etc/hosts", made);
    }
    let private = Origin::built_in("private");
    list.push(MountOp::Proc, "/proc", private.clone());
    for path in hidden(&policy.system, list.facts) {
        if is_hidden_by(engine, &path) {
            list.push(MountOp::Mask { folder: false }, path, Origin::built_in("hidden in /proc"));
        }
    }
    list.push(MountOp::Dev, "/dev", private.clone());
    super::system::private_folders(list, identity, &private);
    volumes(list, engine);
}

/// Docker would make a volume of its own on this machine for each, which stands in no plan.
fn volumes(list: &mut MountList<'_>, engine: Engine<'_>) {
    let declared = engine.image().into_iter().flat_map(|image| &image.volumes);
    for path in declared.filter(|path| path.is_absolute() && path.as_str() != "/") {
        let is_taken = ["/proc", "/sys", "/dev"].iter().any(|of_kernel| path.starts_with(of_kernel));
        if !is_taken && !list.has_target(path) {
            list.push(MountOp::Tmpfs { mode: 0o755 }, path.clone(), Origin::built_in("volume of the image"));
        }
    }
}

/// Who is who in the container.
fn users(identity: &Identity) -> [(&'static str, String); 2] {
    let (passwd, group) = super::system::users(identity, "/bin/sh");
    [("/etc/passwd", passwd), ("/etc/group", group)]
}

fn hidden(system: &System, facts: &HostFacts) -> Vec<Utf8PathBuf> {
    let as_root: &[PathTemplate] = if facts.user.uid == 0 { &system.proc_hidden_from_root } else { &[] };
    let all = system.proc_hidden.iter().chain(as_root).filter_map(|path| path.expand(facts));
    all.filter(|path| facts.exists(path)).collect()
}

fn is_hidden_by(engine: Engine<'_>, path: &Utf8Path) -> bool {
    engine.kind == BackendKind::Podman || HIDDEN_BY_DOCKER.contains(&path.as_str())
}

/// Whether a variable leads the agent, and with it the login, elsewhere, or loads code into it: what a project's
/// settings may not say, an image does not say either. A person can.
fn redirects(policy: &Policy, name: &str) -> bool {
    let of_agent = policy.agent.settings.redirects.iter().filter_map(|key| key.strip_prefix("env."));
    of_agent.chain(["LD_PRELOAD", "LD_AUDIT"]).any(|entry| names_it(entry, name))
}

/// Who sets the variables of an image.
pub(super) fn origin() -> Origin {
    Origin::built_in("image")
}

/// The image's own variables, weaker than all else; `None` stands for a value that only init learns.
pub(super) fn environment<'a>(
    engine: Engine<'a>,
    policy: &'a Policy,
) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
    let all = engine.image().into_iter().flat_map(|image| &image.environment);
    let others = all.filter(|(name, _)| !OWN_VARIABLES.contains(&name.as_str()) && !redirects(policy, name));
    others.filter_map(|(name, fact)| match fact {
        ImageVariable::Value(value) => (!value.is_empty()).then_some((name.as_str(), Some(value.as_str()))),
        ImageVariable::Set => Some((name.as_str(), None)),
        ImageVariable::Secret => None,
    })
}

/// The image's search path, with what is added to it and shown.
pub(super) fn search_path(engine: Engine<'_>, policy: &Policy, list: &MountList<'_>) -> String {
    let image = engine.image().and_then(|image| image.value("PATH")).unwrap_or(SEARCH_PATH);
    let added = policy.path.iter().map(|entry| entry.value.as_str());
    let added = added.filter(|entry| !entry.contains(':') && list.shows(Utf8Path::new(entry)));
    let mut out: Vec<&str> = Vec::new();
    for entry in image.split(':').filter(|entry| entry.starts_with('/')).chain(added) {
        if !out.contains(&entry) {
            out.push(entry);
        }
    }
    out.join(":")
}

/// Whether somebody said it who means the host's own system.
pub(super) fn is_of_host(policy: &Policy, origin: &Origin) -> bool {
    policy.backend.value.is_engine() && origin.layer == OriginLayer::Profile && origin.name == TOOLCHAINS
}

/// What the user should know of the engine.
pub(super) fn notes(engine: Engine<'_>, policy: &Policy, facts: &HostFacts) -> Vec<Note> {
    let kind = engine.kind;
    let origin = &policy.backend.origin;
    let note = |text: String| Note { text, origin: origin.clone() };
    let mut out = Vec::new();
    if !engine.rootless && facts.user.uid == 0 {
        out.push(note(format!(
            "the container's root is root of this machine without any capability: what it is shown of root's it can \
             read, and {kind} keeps the rest from it by mounts and filters alone; an ordinary user's podman has more walls"
        )));
    }
    if engine.facts.is_some_and(|facts| facts.selinux) {
        out.push(note(format!(
            "SELinux does not confine the container (`label=disable`): its label could not read your project, and nothing \
             of yours is labelled anew; without {kind} the agent would have your own label, too"
        )));
    }
    let open: Vec<String> = hidden(&policy.system, facts)
        .into_iter()
        .filter(|path| !is_hidden_by(engine, path))
        .map(|path| format!("`{path}`"))
        .collect();
    if !open.is_empty() {
        out.push(note(format!("{kind} has no word for hiding {}", open.join(", "))));
    }
    let named = |which: &dyn Fn(&str, &ImageVariable) -> bool| -> Vec<String> {
        let all = engine.image().into_iter().flat_map(|image| &image.environment);
        all.filter(|(name, fact)| which(name, fact)).map(|(name, _)| format!("`{name}`")).collect()
    };
    let withheld = named(&|_, fact| *fact == ImageVariable::Secret);
    if !withheld.is_empty() {
        let text = format!(
            "{} of the image looks like a secret, and everybody who has the image can read it; it is not set inside",
            withheld.join(", ")
        );
        out.push(Note { text, origin: policy.image.origin.clone() });
    }
    let leading = named(&|name, fact| *fact != ImageVariable::Secret && redirects(policy, name));
    if !leading.is_empty() {
        let text = format!(
            "{} of the image could lead the agent or its login elsewhere, and is not set inside; `--env NAME=VALUE` sets it",
            leading.join(", ")
        );
        out.push(Note { text, origin: policy.image.origin.clone() });
    }
    if policy.runs_agent && engine.image().is_some() && engine.agent_version().is_none() {
        let text = "no label of the image tells the agent's version; it is taken for the newest".to_owned();
        out.push(Note { text, origin: policy.image.origin.clone() });
    }
    if policy.network.value == NetworkTier::Full && network::is_apart(policy) {
        let text = format!(
            "services that listen on this machine's own addresses are in reach by {kind}'s network, those on its \
             loopback are not"
        );
        out.push(Note { text, origin: policy.network.origin.clone() });
    }
    out
}

#[cfg(test)]
mod tests;
