//! What a plan for a container has, and what it has not.

use crate::facts::{EngineFacts, ImageFact, ImageVariable, PathKind};
use crate::fixture::{Machine, mounts_on, value, variable};
use crate::landlock::{Reach, reach_of, rules};
use crate::plan::{BackendKind, EnvValue, Means, MountOp, Namespace, NetworkTier, PlanError, Reference};

/// An engine with an image that has variables.
fn engine(kind: BackendKind, rootless: bool) -> EngineFacts {
    let plain = |value: &str| ImageVariable::Value(value.to_owned());
    let environment = [
        ("PATH", plain("/opt/tool/bin:/usr/bin:/bin")),
        ("GOPATH", plain("/opt/go")),
        ("MY_WORD", ImageVariable::Set),
        ("HOME", plain("/nowhere")),
        ("NPM_TOKEN", ImageVariable::Secret),
        ("ANTHROPIC_BASE_URL", ImageVariable::Set),
        ("LD_PRELOAD", ImageVariable::Set),
    ];
    EngineFacts {
        kind,
        program: Some(format!("/usr/bin/{kind}").into()),
        version: Some("4.3.1".to_owned()),
        connection: Vec::new(),
        rootless,
        remaps_ids: false,
        controllers: vec!["memory".to_owned(), "pids".to_owned()],
        selinux: false,
        mounted: Vec::new(),
        image: Some(ImageFact {
            id: "0123456789ab".to_owned(),
            architecture: "amd64".to_owned(),
            environment: environment.map(|(name, fact)| (name.to_owned(), fact)).into(),
            volumes: vec!["/data".into(), "/proc/odd".into(), "/tmp".into()],
            agent_version: None,
        }),
        trouble: None,
    }
}

fn on(machine: Machine, kind: BackendKind, rootless: bool) -> Machine {
    let machine = machine.with(|facts| facts.engine = Some(engine(kind, rootless)));
    machine.flags(|flags| flags.settings.backend = Some(kind))
}

fn podman() -> Machine {
    on(Machine::ada(), BackendKind::Podman, true)
}

#[test]
fn nothing_of_the_hosts_system_is_shown() {
    let plan = podman().plan();
    for target in ["/usr", "/bin", "/lib", "/etc/ssl/certs", "/home/ada/.local/bin/claude"] {
        assert!(mounts_on(&plan, target).is_empty(), "{target}");
    }
    for target in ["/tmp", "/run", "/home/ada"] {
        assert!(matches!(mounts_on(&plan, target)[..], [mount] if matches!(mount.op, MountOp::Tmpfs { .. })));
    }
    assert_eq!(mounts_on(&plan, "/home/ada/src/app").len(), 1);
    let image = plan.backend.image.as_ref().unwrap();
    assert_eq!(
        (image.name.as_str(), image.id.as_deref()),
        ("localhost/coffer-claude:latest", Some("0123456789ab"))
    );
}

#[test]
fn the_images_variables_are_in_the_plan_or_told() {
    let plan = podman().plan();
    assert_eq!(value(&plan, "PATH"), Some("/opt/tool/bin:/usr/bin:/bin"));
    assert_eq!((value(&plan, "GOPATH"), value(&plan, "HOME")), (Some("/opt/go"), Some("/home/ada")));
    // Only init learns what else there is.
    let by_name = variable(&plan, "MY_WORD").map(|entry| &entry.value);
    assert!(
        matches!(by_name, Some(EnvValue::Reference { reference: Reference::ImageEnv(name), .. }) if name == "MY_WORD")
    );
    assert!(variable(&plan, "NPM_TOKEN").is_none());
    assert!(plan.notes.iter().any(|note| note.text.contains("`NPM_TOKEN` of the image looks like a secret")));
    // What could lead the login elsewhere is a person's to say.
    assert!(variable(&plan, "ANTHROPIC_BASE_URL").is_none() && variable(&plan, "LD_PRELOAD").is_none());
    let told = "`ANTHROPIC_BASE_URL`, `LD_PRELOAD` of the image could lead the agent";
    assert!(plan.notes.iter().any(|note| note.text.contains(told)), "{:?}", plan.notes);
    // The user's word is stronger.
    let set = |flags: &mut crate::config::Flags| {
        flags.settings.env.set.insert("MY_WORD".to_owned(), "/mine".to_owned());
    };
    assert_eq!(value(&podman().flags(set).plan(), "MY_WORD"), Some("/mine"));
}

#[test]
fn what_selinux_does_not_do_is_told() {
    let labels = |plan: &crate::plan::Plan| {
        plan.notes.iter().any(|note| note.text.contains("SELinux does not confine"))
    };
    assert!(!labels(&podman().plan()));
    assert!(labels(&podman().with(|facts| facts.engine.as_mut().unwrap().selinux = true).plan()));
}

#[test]
fn a_volume_of_the_image_is_a_folder_in_memory() {
    let plan = podman().plan();
    assert!(matches!(mounts_on(&plan, "/data")[..], [mount] if matches!(mount.op, MountOp::Tmpfs { .. })));
    assert!(mounts_on(&plan, "/proc/odd").is_empty());
    assert_eq!(mounts_on(&plan, "/tmp").len(), 1);
}

#[test]
fn the_agent_may_be_in_the_image_alone() {
    let without = |machine: Machine| machine.with(|facts| facts.agent = None);
    assert!(without(Machine::ada()).codes().contains(&"agent-missing"));
    assert_eq!(without(podman()).codes(), Vec::<&str>::new());
    let told = |version: Option<&str>| {
        let version = version.map(str::to_owned);
        let machine = without(podman()).with(|facts| {
            facts.engine.as_mut().unwrap().image.as_mut().unwrap().agent_version = version;
        });
        value(&machine.plan(), "CLAUDE_SECURESTORAGE_CONFIG_DIR").map(str::to_owned)
    };
    assert_eq!(told(Some("2.1.330")).as_deref(), Some(crate::derive::LEASE));
    assert_eq!(told(None).as_deref(), Some(crate::derive::LEASE));
    assert_eq!(told(Some("2.1.100")), None);
}

#[test]
fn whoever_runs_inside_is_the_user_outside() {
    let ids = |machine: Machine| {
        let identity = machine.plan().identity.clone();
        (identity.uid, identity.host_uid, identity.user)
    };
    let uid = Machine::ada().facts.user.uid;
    assert_eq!(ids(podman()), (uid, uid, "ada".to_owned()));
    assert_eq!(ids(on(Machine::ada(), BackendKind::Docker, false)), (uid, uid, "ada".to_owned()));
    assert_eq!(ids(on(Machine::ada(), BackendKind::Docker, true)), (0, uid, "root".to_owned()));
    assert_eq!(ids(on(Machine::root(), BackendKind::Podman, false)), (0, 0, "root".to_owned()));
    let as_root = |machine: Machine| machine.flags(|flags| flags.settings.as_root_inside = Some(true));
    assert_eq!(ids(as_root(podman())), (0, uid, "root".to_owned()));
    // Its root would be the machine's.
    assert_eq!(as_root(on(Machine::ada(), BackendKind::Docker, false)).codes(), ["not-on-engine"]);
}

#[test]
fn what_an_engine_has_no_word_for_is_refused() {
    let nesting = podman().flags(|flags| flags.settings.allow_nesting = Some(true)).refusals();
    assert!(matches!(nesting[..], [PlanError::NotOnEngine { what: "--allow-nesting", .. }]), "{nesting:?}");
}

#[test]
fn docker_says_what_it_cannot_hide() {
    let there =
        |machine: Machine| machine.has("/proc/keys", PathKind::File).has("/proc/key-users", PathKind::File);
    let hidden = |machine: &Machine| {
        let plan = machine.plan();
        ["/proc/keys", "/proc/key-users"].map(|path| mounts_on(&plan, path).len())
    };
    assert_eq!(hidden(&there(podman())), [1, 1]);
    let docker = there(on(Machine::ada(), BackendKind::Docker, false));
    assert_eq!(hidden(&docker), [1, 0]);
    let told = "docker has no word for hiding `/proc/key-users`";
    assert!(docker.plan().notes.iter().any(|note| note.text == told));
}

#[test]
fn a_container_has_a_network_of_its_own_in_every_tier() {
    let full = |machine: Machine| {
        machine.flags(|flags| {
            flags.settings.network = Some(NetworkTier::Full);
            flags.settings.forward = vec!["8080".parse().unwrap()];
        })
    };
    let plan = full(podman()).plan();
    assert!(plan.hardening.namespaces.contains(&Namespace::Net));
    assert!(plan.network.doors[0].listen.is_some());
    // The engine writes down who is who there.
    assert!(mounts_on(&plan, "/etc/hosts").is_empty());
    assert_eq!(full(Machine::ada()).codes(), ["not-in-tier"]);
}

#[test]
fn the_engine_holds_limits_or_refuses() {
    let plan = podman().plan();
    assert_eq!((&plan.limits.means, plan.limits.pids.value.is_some()), (&Means::Engine, true));
    let cpus = |flags: &mut crate::config::Flags| flags.settings.limits.cpus = "2".parse().ok();
    let refused = podman().flags(cpus).refusals();
    assert!(matches!(&refused[..], [PlanError::NoLimit { limit: "cpus", .. }]), "{refused:?}");
    let none = podman().with(|facts| facts.engine.as_mut().unwrap().controllers.clear());
    let plan = none.plan();
    assert_eq!((&plan.limits.means, plan.limits.pids.value), (&Means::None, None));
    assert!(plan.limits.lacks.iter().any(|lack| lack.text.contains("podman has no controller `pids`")));
}

#[test]
fn the_second_wall_lets_the_image_be_read_and_no_more() {
    let plan = podman().plan();
    let rules = rules(&plan);
    assert_eq!(reach_of(&rules, "/usr/bin/env".into()), Some(Reach::Read));
    assert_eq!(reach_of(&rules, "/home/ada/src/app/x".into()), Some(Reach::Write));
}

#[test]
fn gits_configuration_is_read_only() {
    let plan = on(Machine::deferred(), BackendKind::Podman, true).plan();
    assert!(!plan.mounts.iter().any(|mount| matches!(mount.op, MountOp::GitConfig { .. })));
    let because = "a container engine has no mount for a copy of it";
    assert!(plan.notes.iter().any(|note| note.text.ends_with(because)));
}
