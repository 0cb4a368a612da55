//! Plans in bubblewrap's words. Whole command lines are in coffer-plan's golden folders.

use camino::Utf8Path;
use coffer_plan::config::parse_user;
use coffer_plan::facts::{HostFacts, PathFact, PathKind, ToolFact};

use super::etc::together;
use super::guards::guarded;
use super::{BackendError, diagnose, lower, supports};
use crate::backend::common::{self, Case};
use crate::launch::{Guard, Launch, PartKind, Preparation, Word};

fn facts(change: impl FnOnce(&mut HostFacts)) -> HostFacts {
    let mut facts = common::case("plain").facts;
    change(&mut facts);
    facts
}

fn lowered(case: &Case) -> Launch {
    lower(&case.make().unwrap().plan, &case.facts).unwrap()
}

/// With more folders in the project, and this in the user's config file.
fn with(folders: &[&str], config: &str) -> Case {
    let mut case = common::case("plain");
    for folder in folders {
        let fact = PathFact {
            kind: PathKind::Folder,
            resolved: (*folder).into(),
            link: None,
            dev: 2049,
            ino: 7000,
            uid: 1000,
            mode: 0o755,
        };
        case.facts.paths.insert((*folder).into(), fact);
    }
    case.user = parse_user("config.toml", config).unwrap();
    case
}

fn text(words: &[Word]) -> Vec<&str> {
    words.iter().map(|word| if let Word::Text(text) = word { text.as_str() } else { "?" }).collect()
}

fn has(launch: &Launch, words: &[&str]) -> bool {
    text(&launch.options).windows(words.len()).any(|window| window == words)
}

#[test]
fn a_machine_that_cannot_is_told_the_fix() {
    assert!(supports(&facts(|_| {})).is_ok());
    let missing = supports(&facts(|facts| facts.bubblewrap = None)).unwrap_err();
    assert_eq!((missing.code(), &missing), ("backend-missing", &BackendError::Missing));
    assert!(missing.hint().contains("apt-get install bubblewrap"));
    let none = supports(&facts(|facts| facts.user_namespaces.max = Some(0))).unwrap_err();
    assert_eq!(none.code(), "no-user-namespaces");
    assert!(none.hint().contains("sysctl -w user.max_user_namespaces="));
    let debian = |uid: u32| {
        facts(|facts| {
            facts.user.uid = uid;
            facts.user_namespaces.unprivileged_clone = Some(false);
        })
    };
    assert!(supports(&debian(1000)).unwrap_err().hint().contains("kernel.unprivileged_userns_clone=1"));
    assert!(supports(&debian(0)).is_ok());
}

#[test]
fn binds_go_by_descriptor_where_the_version_allows() {
    for (version, by_descriptor) in [
        (None, false),
        (Some("0.8.0"), false),
        (Some("0.9.9"), false),
        (Some("0.10"), true),
        (Some("0.10.0"), true),
        (Some("0.11.0"), true),
        (Some("1.0"), true),
        (Some("unknown"), false),
    ] {
        let mut case = common::case("plain");
        let path = "/usr/bin/bwrap".into();
        case.facts.bubblewrap = Some(ToolFact { path, version: version.map(str::to_owned) });
        let launch = lowered(&case);
        let opened = launch.options.iter().filter(|word| matches!(word, Word::Open(_))).count();
        let expected =
            launch.preparations.iter().filter(|step| matches!(step, Preparation::Expect(_))).count();
        assert_eq!((opened > 0, expected > 0), (by_descriptor, !by_descriptor), "{version:?}");
        // The project is writable either way.
        let option = if by_descriptor { "--bind-fd" } else { "--bind" };
        let at = text(&launch.options).iter().rposition(|word| *word == "/home/ada/src/app").unwrap();
        let before = &text(&launch.options)[..at];
        assert!(
            before.contains(&option) || has(&launch, &["--bind", "/home/ada/src/app", "/home/ada/src/app"])
        );
    }
}

#[test]
fn every_host_path_is_looked_at_again() {
    for name in ["plain", "by-descriptor", "worktree", "toolchains"] {
        let case = common::case(name);
        let plan = case.make().unwrap().plan;
        let launch = lowered(&case);
        let mut wanted: Vec<String> = Vec::new();
        for mount in &plan.mounts {
            if let coffer_plan::plan::MountOp::Bind {
                source: coffer_plan::plan::Source::Host { path, dev, ino, .. },
                ..
            } = &mount.op
            {
                wanted.push(format!("{dev}:{ino}:{path}"));
            }
        }
        let opened = launch
            .options
            .iter()
            .filter_map(|word| if let Word::Open(path) = word { Some(path) } else { None });
        let expected = launch
            .preparations
            .iter()
            .filter_map(|step| if let Preparation::Expect(path) = step { Some(path) } else { None });
        let put_in = launch.parts().filter_map(|part| match &part.what {
            PartKind::File(seen) | PartKind::Folder(seen) => Some(seen),
            PartKind::Link(_) | PartKind::Text(_) => None,
        });
        let mut found: Vec<String> = opened
            .chain(expected)
            .chain(put_in)
            .map(|seen| format!("{}:{}:{}", seen.dev, seen.ino, seen.path))
            .collect();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{name}");
    }
}

#[test]
fn the_order_of_the_plan_is_the_order_of_the_words_and_of_the_guards() {
    for case in ["offline", "deferred"].map(common::case) {
        let plan = case.make().unwrap().plan;
        let launch = lowered(&case);
        let words = text(&launch.options);
        let guards: Vec<&str> = launch
            .preparations
            .iter()
            .filter_map(|step| if let Preparation::Guard(guard) = step { Some(guard) } else { None })
            .map(|guard| match guard {
                Guard::ReadOnly(path) | Guard::Pin(path) => path.path.as_str(),
                Guard::GitConfig { config, .. } => config.path.as_str(),
                Guard::Held(path) => path.as_str(),
            })
            .collect();
        let guarded = guarded(&plan, &case.facts);
        assert_eq!(guarded.len(), guards.len());
        let etc = together(&plan, &case.facts).unwrap();
        let parts: Vec<_> = launch.parts().map(|part| Utf8Path::new("/etc").join(&part.below)).collect();
        let targets: Vec<_> = plan.mounts[etc.clone()].iter().map(|mount| mount.target.clone()).collect();
        assert_eq!(parts, targets);
        let (mut words, mut guards) = (words.iter(), guards.iter());
        for (at, mount) in plan.mounts.iter().enumerate().filter(|(at, _)| !etc.contains(at)) {
            let among = if guarded.contains(&at) { guards.by_ref() } else { words.by_ref() };
            let target = mount.target.as_str();
            assert!(among.any(|word| *word == target), "{target} is not there in order");
        }
    }
}

#[test]
fn etc_is_put_together_only_where_every_entry_can_be() {
    let bound = ["--ro-bind", "/etc/ssl/certs", "/etc/ssl/certs"];
    let plain = lowered(&common::case("plain"));
    assert!(plain.parts().count() > 5 && !has(&plain, &bound));
    let mut old_kernel = common::case("plain");
    old_kernel.facts.kernel.mounts_trees = false;
    let mut app_armor = common::case("plain");
    app_armor.facts.user_namespaces.apparmor_restricts = Some(true);
    // What a person asks for comes later than what is around it, and may need a mount point made.
    let hidden = with(&[], "hide = ['/etc/ssl/certs']");
    let inside = with(
        &["/home/ada/src/app/more"],
        "[[mount]]\nsource = '/home/ada/src/app/more'\ntarget = '/etc/ssl/certs/more'\naccess = 'ro'",
    );
    let written = with(
        &["/home/ada/src/app/more"],
        "[[mount]]\nsource = '/home/ada/src/app/more'\ntarget = '/etc/more'\naccess = 'rw'",
    );
    let beside = with(
        &["/home/ada/src/app/more"],
        "[[mount]]\nsource = '/home/ada/src/app/more'\ntarget = '/etc/more'\naccess = 'ro'",
    );
    for case in [old_kernel, app_armor, hidden, inside, written, beside] {
        let launch = lowered(&case);
        assert!(launch.parts().count() == 0 && has(&launch, &bound), "{:?}", text(&launch.options));
    }
}

#[test]
fn what_is_hidden_can_be_neither_read_nor_written() {
    let case = with(&["/home/ada/src/app/keys"], "hide = ['keys']");
    let target = "/home/ada/src/app/keys";
    assert!(has(&lowered(&case), &["--perms", "0000", "--tmpfs", target, "--remount-ro", target]));
}

#[test]
fn the_root_folder_is_read_only_and_proc_sys_too() {
    let launch = lowered(&common::case("plain"));
    assert!(has(&launch, &["--remount-ro", "/"]));
    assert!(has(&launch, &["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"]));
    assert!(has(&launch, &["--cap-drop", "ALL", "--die-with-parent", "--as-pid-1"]));
    // Namespaces by name: `--unshare-all` would add what a later version invents.
    assert!(!text(&launch.options).contains(&"--unshare-all") && has(&launch, &["--unshare-net"]));
    assert!(!has(&lowered(&with(&[], "network = 'full'")), &["--unshare-net"]));
}

#[test]
fn inside_runs_our_init_with_the_command() {
    let launch = lowered(&common::case("unattended-root"));
    assert_eq!(launch.program(), "/usr/bin/bwrap");
    assert_eq!(text(&launch.inside)[..2], ["/run/coffer/coffer-init", "--control-fd"]);
    assert_eq!(launch.inside[2], Word::Control);
    let end = text(&launch.inside).iter().position(|word| *word == "--").unwrap();
    let command = ["claude", "--dangerously-skip-permissions", "-p", "say \"hi\" && exit"];
    assert_eq!(text(&launch.inside)[end + 1..], command);
}

#[test]
fn secrets_cross_as_references_only() {
    let launch = lowered(&common::case("key-and-login"));
    let at = text(&launch.options).iter().position(|word| *word == "ANTHROPIC_API_KEY").unwrap();
    let Word::Ref(reference) = &launch.options[at + 1] else { panic!("no reference") };
    assert_eq!(reference.to_string(), "@ref:env:ANTHROPIC_API_KEY");
}

/// Bubblewrap follows links when it makes mount points: in folders that an agent writes, the host makes
/// them.
#[test]
fn mount_points_in_writable_folders_are_made_by_the_host() {
    let points = |case: &Case| -> Vec<String> {
        let launch = lowered(case);
        let words = launch.words();
        let pairs = words.windows(2).filter(|pair| pair[0].starts_with("--point"));
        pairs.map(|pair| pair.join(" ")).collect()
    };
    assert!(points(&common::case("plain")).is_empty());
    let inside = with(
        &["/home/ada/src/app/vendor", "/home/ada/data"],
        "readonly = ['vendor']\n[[mount]]\nsource = '~/data'\ntarget = 'data/x'\n[[mount]]\nsource = '~/data'\ntarget = '/mnt'\n",
    );
    assert_eq!(
        points(&inside),
        ["--point-folder /home/ada/src/app//data/x", "--point-folder /home/ada/src/app//vendor"]
    );
    let state = points(&common::case("user-config"));
    let own = "/home/ada/.local/share/cofferdam/state/claude/projects/app-5289543d4663";
    assert!(state.contains(&format!("--point-file {own}//CLAUDE.md")), "{state:?}");
    assert!(state.contains(&format!("--point-folder {own}//commands")), "{state:?}");
    assert!(state.contains(&format!("--point-file {own}//settings.json")), "{state:?}");
}

#[test]
fn a_state_of_the_run_is_prepared_in_the_run() {
    let mut case = common::case("plain");
    case.said.settings.state = Some(coffer_plan::plan::StateMode::Fresh);
    let words = lowered(&case).words().join(" ");
    assert!(
        words.contains("--folder state") && words.contains("--seed @ref:run:state//.claude.json="),
        "{words}"
    );
    assert!(!words.contains("--own"), "{words}");
}

#[test]
fn bubblewraps_refusals_have_their_fix() {
    let ubuntu = facts(|facts| facts.user_namespaces.apparmor_restricts = Some(true));
    let plain = facts(|_| {});
    for words in [
        "bwrap: setting up uid map: Permission denied",
        "bwrap: No permissions to create new namespace, likely because the kernel does not allow it",
        "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted",
    ] {
        let hint = diagnose(words, &ubuntu).unwrap();
        assert!(hint.contains("profile bwrap /usr/bin/bwrap") && hint.contains("userns,"), "{hint}");
        assert!(hint.contains("apparmor_parser -r /etc/apparmor.d/bwrap"), "{hint}");
        assert_eq!(diagnose(words, &plain), None);
    }
    let container = facts(|facts| facts.kernel.filtered = true);
    for words in [
        "bwrap: No permissions to creating new namespace, likely because the kernel does not allow it",
        "Creating new namespace failed: Operation not permitted (os error 1)",
    ] {
        let hint = diagnose(words, &container).unwrap();
        assert!(hint.contains("seccomp=unconfined") && hint.contains("outside"), "{hint}");
    }
    // A filter that let the namespaces be made is not what was in the way.
    assert_eq!(diagnose("bwrap: setting up uid map: Permission denied", &container), None);
    let full = "bwrap: Creating new namespace failed: No space left on device";
    assert!(diagnose(full, &plain).unwrap().contains("user.max_user_namespaces"));
    let depth = "bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)";
    assert!(diagnose(depth, &plain).unwrap().contains("user.max_user_namespaces"));
    for words in [
        "Can't mount tmpfs on /newroot/dev",
        "Can't bind mount /oldroot/x on /newroot/x",
        "Failed to mount tmpfs",
    ] {
        let hint = diagnose(&format!("bwrap: {words}: No space left on device"), &plain).unwrap();
        assert!(hint.contains("fs.mount-max"), "{hint}");
    }
    assert!(
        diagnose("bwrap: Can't read /proc/sys/kernel/overflowuid: x", &plain).unwrap().contains("subset=pid")
    );
    let covered = "bwrap: Can't mount proc on /newroot/proc: Operation not permitted";
    assert!(diagnose(covered, &plain).unwrap().contains("systempaths=unconfined"));
    let inner = facts(|facts| facts.kernel.inside_coffer = true);
    assert!(diagnose(covered, &inner).unwrap().contains("as an ordinary user"));
    for words in
        ["", "bwrap: Can't find source path /x: No such file or directory", "No space left on device"]
    {
        assert_eq!(diagnose(words, &ubuntu), None, "{words}");
    }
}
