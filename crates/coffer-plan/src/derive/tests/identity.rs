use crate::fixture::Machine;
use crate::plan::{FileContent, MountOp, Namespace, NetworkTier, Plan};

fn file(plan: &Plan, target: &str) -> String {
    match &crate::fixture::mounts_on(plan, target)[..] {
        [crate::plan::Mount { op: MountOp::File { content: FileContent::Text { text } }, .. }] => {
            text.clone()
        }
        other => panic!("{target}: {other:?}"),
    }
}

/// Who is who inside: host user, flag → uid, gid, name, whether the files of the host belong to them.
#[test]
fn ids_are_kept_but_roots() {
    let root_inside = |machine: Machine| machine.flags(|flags| flags.settings.as_root_inside = Some(true));
    for (machine, uid, name, host) in [
        (Machine::ada(), 1000, "ada", 1000),
        (Machine::root(), 1000, "agent", 0),
        (root_inside(Machine::ada()), 0, "root", 1000),
        (root_inside(Machine::root()), 0, "root", 0),
    ] {
        let plan = machine.plan();
        let identity = &plan.identity;
        assert_eq!((identity.uid, identity.gid, identity.user.as_str()), (uid, uid, name));
        assert_eq!((identity.host_uid, identity.host_gid), (host, host));
        assert_eq!(identity.home, machine.facts.user.home.clone().unwrap());
        assert!(plan.hardening.capabilities.is_empty());
        let passwd = file(&plan, "/etc/passwd");
        let line = format!("{name}:x:{uid}:{uid}:{name}:{}:/bin/bash\n", identity.home);
        assert!(passwd.contains(&line), "{passwd}");
        assert_eq!(passwd.matches(":x:0:").count(), 1, "{passwd}");
        assert_eq!(file(&plan, "/etc/group").matches(":x:0:").count(), 1);
    }
}

#[test]
fn the_origin_says_who_chose_the_ids() {
    let chosen = Machine::ada().config("as_root_inside = true").plan();
    assert!(chosen.identity.origin.to_string().starts_with("user file"));
    assert_eq!(Machine::root().plan().identity.origin.name, "unprivileged inside");
    assert_eq!(Machine::ada().plan().identity.origin.name, "uid kept");
}

#[test]
fn every_sandbox_has_namespaces_of_its_own() {
    use Namespace::{Cgroup, Ipc, Mount, Net, Pid, User, Uts};
    let tier = |tier| Machine::ada().flags(|flags| flags.settings.network = Some(tier)).plan();
    assert_eq!(tier(NetworkTier::Full).hardening.namespaces, [User, Mount, Pid, Ipc, Uts, Cgroup]);
    let none = tier(NetworkTier::None);
    assert_eq!(none.hardening.namespaces, [User, Mount, Pid, Ipc, Uts, Cgroup, Net]);
    assert!(
        none.hardening.no_new_privileges && none.hardening.read_only_root && none.hardening.die_with_parent
    );
}

#[test]
fn without_bash_the_shell_is_sh() {
    let machine = Machine::ada().with(|facts| {
        facts.paths.remove(camino::Utf8Path::new("/bin/bash"));
        facts.paths.remove(camino::Utf8Path::new("/usr/bin/bash"));
    });
    assert_eq!(crate::fixture::value(&machine.plan(), "SHELL"), Some("/bin/sh"));
}

#[test]
fn the_committers_name_is_quoted_as_git_reads_it() {
    let identity = |name: &str| {
        let machine = Machine::ada().with(|facts| {
            facts.git_identity = Some(crate::facts::GitIdentity { name: Some(name.to_owned()), email: None });
        });
        file(&machine.plan(), "/home/ada/.gitconfig")
    };
    for (name, text) in [
        ("Ada", "[user]\n\tname = \"Ada\"\n"),
        ("A \"B\" \\ #;é", "[user]\n\tname = \"A \\\"B\\\" \\\\ #;é\"\n"),
        // No section of its own: a name is one line.
        ("A\n[core]\n\thooksPath = /x", "[user]\n\tname = \"A\\n[core]\\n hooksPath = /x\"\n"),
    ] {
        assert_eq!(identity(name), text);
    }
    let none = Machine::ada().with(|facts| facts.git_identity = None).plan();
    assert!(crate::fixture::mounts_on(&none, "/home/ada/.gitconfig").is_empty());
}
