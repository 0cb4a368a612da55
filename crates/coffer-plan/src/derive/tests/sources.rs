//! Where mounts come from: system, toolchains, the agent's program.

use crate::facts::PathKind;
use crate::fixture::{Machine, mounts_on};
use crate::origin::OriginLayer;
use crate::plan::{Access, MountOp, Source};

#[test]
fn a_link_of_the_system_stays_a_link() {
    let plan = Machine::ada().plan();
    assert_eq!(mounts_on(&plan, "/bin")[0].op, MountOp::Symlink { source: "usr/bin".to_owned() });
    assert!(matches!(mounts_on(&plan, "/usr")[0].op, MountOp::Bind { access: Access::Ro, .. }));
    // Where it leads to is not shown, so what is there is.
    let resolv = mounts_on(&plan, "/etc/resolv.conf");
    let MountOp::Bind { source: Source::Host { path, .. }, .. } = &resolv[0].op else { panic!("{resolv:?}") };
    assert_eq!(path, "/run/systemd/resolve/stub-resolv.conf");
}

#[test]
fn etc_is_an_allowlist() {
    let plan = Machine::ada()
        .has("/etc/shadow", PathKind::File)
        .has("/etc/machine-id", PathKind::File)
        .has("/etc/ssh", PathKind::Folder)
        .plan();
    for name in ["shadow", "machine-id", "ssh", "sudoers"] {
        assert!(mounts_on(&plan, &format!("/etc/{name}")).is_empty(), "{name}");
    }
    assert!(plan.mounts.iter().all(|mount| mount.target != "/etc"));
}

#[test]
fn toolchains_are_read_only_and_give_way_to_the_project() {
    let machine = Machine::ada()
        .has("/home/ada/.rustup", PathKind::Folder)
        .has("/home/ada/.cargo/bin", PathKind::Folder)
        .has("/home/ada/.nvm", PathKind::Folder)
        .has("/home/ada/.cargo/credentials.toml", PathKind::File);
    let plan = machine.clone().plan();
    for folder in [".rustup", ".cargo/bin", ".nvm"] {
        let mounts = mounts_on(&plan, &format!("/home/ada/{folder}"));
        assert!(matches!(mounts[0].op, MountOp::Bind { access: Access::Ro, .. }), "{folder}");
        assert_eq!(mounts[0].origin.layer, OriginLayer::Profile);
    }
    assert!(mounts_on(&plan, "/home/ada/.cargo").is_empty());
    // Someone who works on nvm itself gets it writable, once.
    let inside = machine.with(|facts| {
        facts.project.path = "/home/ada/.nvm".into();
        facts.project.start = "/home/ada/.nvm".into();
        facts.project.git = None;
    });
    let plan = inside.plan();
    let mounts = mounts_on(&plan, "/home/ada/.nvm");
    assert!(matches!(mounts[..], [crate::plan::Mount { op: MountOp::Bind { access: Access::Rw, .. }, .. }]));
}

#[test]
fn a_persons_mount_replaces_a_profiles() {
    let machine = Machine::ada()
        .has("/home/ada/.cargo/bin", PathKind::Folder)
        .has("/home/ada/.cargo", PathKind::Folder)
        .mount(&["~/.cargo/bin:rw"]);
    let plan = machine.plan();
    let mounts = mounts_on(&plan, "/home/ada/.cargo/bin");
    assert_eq!(mounts.len(), 1);
    assert_eq!(mounts[0].origin.name, "--mount");
}

#[test]
fn optional_mounts_are_left_out_where_nothing_is() {
    let text = "[[mount]]\nsource = '~/absent'\noptional = true\n[[mount]]\nsource = '${GOPATH}/x'\noptional = true\n\
                [[mount]]\nsource = '~/sock'\noptional = true\n";
    let plan = Machine::ada().has("/home/ada/sock", PathKind::Socket).config(text).plan();
    assert!(mounts_on(&plan, "/home/ada/absent").is_empty());
    assert!(mounts_on(&plan, "/home/ada/sock").is_empty());
    assert!(plan.notes.iter().any(|note| note.text.contains("/home/ada/sock` is left out")));
}

#[test]
fn relative_paths_count_from_the_project_for_files_and_from_here_for_flags() {
    let machine = Machine::ada()
        .has("/home/ada/src/app/sub", PathKind::Folder)
        .has("/home/ada/src/app/sub/data", PathKind::Folder)
        .has("/home/ada/src/app/data", PathKind::Folder)
        .with(|facts| facts.project.start = "/home/ada/src/app/sub".into());
    let source = |machine: &Machine| {
        let mut mounts = machine.policy().mounts.into_iter();
        mounts.find(|mount| mount.origin.layer != OriginLayer::Profile).unwrap().source
    };
    assert_eq!(source(&machine.clone().mount(&["data"])), "/home/ada/src/app/sub/data");
    assert_eq!(source(&machine.clone().mount(&["../data:/data"])), "/home/ada/src/app/data");
    assert_eq!(source(&machine.config("[[mount]]\nsource = 'data'\n")), "/home/ada/src/app/data");
}

#[test]
fn the_agents_program_is_there_wherever_it_lies() {
    let plan = Machine::ada().plan();
    assert!(!mounts_on(&plan, "/home/ada/.local/share/claude/versions/2.1.330").is_empty());
    // In a folder that is not shown, the name that was found is a link to it.
    let elsewhere = Machine::ada().with(|facts| {
        let agent = facts.agent.as_mut().unwrap();
        agent.path = "/opt/agents/bin/claude".into();
    });
    let plan = elsewhere.plan();
    assert!(matches!(mounts_on(&plan, "/opt/agents/bin/claude")[0].op, MountOp::Symlink { .. }));
    assert!(crate::fixture::value(&plan, "PATH").unwrap().contains("/opt/agents/bin"));
}

#[test]
fn a_given_command_needs_no_agent() {
    let machine = Machine::ada()
        .with(|facts| facts.agent = None)
        .flags(|flags| flags.command = Some(vec!["make".to_owned(), "test".to_owned()]));
    let plan = machine.plan();
    assert_eq!(plan.command.argv, ["make", "test"]);
    assert_eq!(plan.command.origin.name, "--");
}

/// Root's own files of `/proc` are root's inside, too: the agent's uid is the host's root there.
#[test]
fn roots_files_of_proc_are_hidden_from_roots_agent() {
    let with_kcore = |machine: Machine| machine.has("/proc/kcore", PathKind::File).plan();
    let plan = with_kcore(Machine::root());
    assert!(matches!(mounts_on(&plan, "/proc/kcore")[0].op, MountOp::Mask { folder: false }));
    assert!(mounts_on(&with_kcore(Machine::ada()), "/proc/kcore").is_empty());
}

/// The kernel shows them to whoever has the user's id, in whichever namespaces.
#[test]
fn the_lists_of_the_users_keys_are_hidden_from_everybody() {
    for machine in [Machine::ada(), Machine::root()] {
        let plan = machine.has("/proc/keys", PathKind::File).has("/proc/key-users", PathKind::File).plan();
        for list in ["/proc/keys", "/proc/key-users"] {
            assert!(matches!(mounts_on(&plan, list)[0].op, MountOp::Mask { folder: false }), "{list}");
        }
    }
}
