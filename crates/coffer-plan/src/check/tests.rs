//! Each law alone, over handmade lists of mounts.

use camino::Utf8Path;
use proptest::prelude::*;

use super::check;
use crate::facts::{PathKind, SettingsFact, SettingsScope};
use crate::fixture::Machine;
use crate::origin::{Origin, OriginLayer};
use crate::plan::{Access, FileContent, Mount, MountOp, Plan, PlanError, RunFolder, Source};

fn bind(source: &str, target: &str, access: Access) -> Mount {
    let source = Source::Host { path: source.into(), dev: 1, ino: 1, folder: true };
    mount(MountOp::Bind { source, access }, target)
}

fn ro(source: &str, target: &str) -> Mount {
    bind(source, target, Access::Ro)
}

fn rw(source: &str, target: &str) -> Mount {
    bind(source, target, Access::Rw)
}

fn mask(target: &str) -> Mount {
    mount(MountOp::Mask { folder: true }, target)
}

fn tmpfs(target: &str) -> Mount {
    mount(MountOp::Tmpfs { mode: 0o755 }, target)
}

fn file(target: &str) -> Mount {
    mount(MountOp::File { content: FileContent::Text { text: String::new() } }, target)
}

fn mount(op: MountOp, target: &str) -> Mount {
    Mount { op, target: target.into(), origin: Origin::flag("--mount") }
}

/// The codes of what the laws say to these mounts alone.
fn codes(machine: &Machine, mounts: Vec<Mount>) -> Vec<&'static str> {
    errors(machine, mounts).iter().map(PlanError::code).collect()
}

fn errors(machine: &Machine, mounts: Vec<Mount>) -> Vec<PlanError> {
    let plan = Plan { mounts, ..machine.derived().unwrap() };
    check(plan, &machine.policy(), &machine.facts).err().unwrap_or_default()
}

#[test]
fn the_order_of_two_operations() {
    let ada = Machine::ada();
    let link = |target: &str| mount(MountOp::Symlink { source: "x".to_owned() }, target);
    for (earlier, later, code) in [
        // The same target: only taking away.
        (rw("/s", "/a"), ro("/s", "/a"), None),
        (ro("/s", "/a"), rw("/s", "/a"), Some("duplicate-target")),
        (rw("/s", "/a"), ro("/t", "/a"), Some("duplicate-target")),
        (rw("/s", "/a"), rw("/s", "/a"), Some("duplicate-target")),
        (ro("/s", "/a"), mask("/a"), None),
        (file("/a"), mask("/a"), None),
        (mask("/a"), ro("/s", "/a"), Some("duplicate-target")),
        (mask("/a"), mask("/a"), Some("duplicate-target")),
        (tmpfs("/a"), ro("/s", "/a"), Some("duplicate-target")),
        (link("/a"), tmpfs("/a"), Some("duplicate-target")),
        // Around an earlier one: only hiding.
        (ro("/s", "/a/b"), ro("/t", "/a"), Some("shadowed-mount")),
        (mask("/a/b"), rw("/t", "/a"), Some("shadowed-mount")),
        (tmpfs("/a/b"), tmpfs("/a"), Some("shadowed-mount")),
        (ro("/s", "/a/b"), mask("/a"), None),
        (mask("/a/b"), mask("/a"), None),
        // Inside of an earlier one: unless it is hidden.
        (ro("/s", "/a"), rw("/t", "/a/b"), None),
        (tmpfs("/a"), ro("/t", "/a/b"), None),
        (mask("/a"), ro("/t", "/a/b"), Some("opens-hidden")),
        (mask("/a"), tmpfs("/a/b"), Some("opens-hidden")),
        (mask("/a"), link("/a/b/c"), Some("opens-hidden")),
        // Side by side.
        (ro("/s", "/a"), ro("/s", "/ab"), None),
        (mask("/a"), ro("/s", "/ab"), None),
    ] {
        let expected: Vec<&str> = code.into_iter().collect();
        let text = format!("{:?} then {:?}", earlier, later);
        assert_eq!(codes(&ada, vec![earlier, later]), expected, "{text}");
    }
}

#[test]
fn both_of_a_pair_are_named() {
    let mut earlier = ro("/s", "/a");
    earlier.origin = Origin::new(OriginLayer::ProjectFile, "first");
    let mut later = ro("/t", "/a");
    later.origin = Origin::new(OriginLayer::UserFile, "second");
    let text = errors(&Machine::ada(), vec![earlier.clone(), later.clone()])[0].to_string();
    assert!(text.contains("project file first") && text.contains("user file second"), "{text}");
    earlier.target = "/a/b".into();
    let text = errors(&Machine::ada(), vec![earlier, later])[0].to_string();
    assert!(text.contains("project file first") && text.contains("user file second"), "{text}");
}

#[test]
fn the_sandboxs_own_places_are_nobodys() {
    let ada = Machine::ada();
    for target in [
        "/proc",
        "/proc/sys",
        "/dev",
        "/dev/null",
        "/run/coffer",
        "/run/coffer/lease",
        "/run/coffer/coffer-init",
    ] {
        assert_eq!(codes(&ada, vec![ro("/s", target)]), ["reserved-target"], "{target}");
    }
    assert!(codes(&ada, vec![ro("/s", "/run/other"), ro("/s", "/process")]).is_empty());
    // Hiding what is around the init hides the init.
    for target in ["/", "/run", "/run/coffer"] {
        assert_eq!(codes(&ada, vec![mask(target)]), ["reserved-target"], "{target}");
    }
    let source = Source::Run { folder: RunFolder::Lease };
    let lease = mount(MountOp::Bind { source, access: Access::Rw }, "/run/coffer/lease");
    assert!(codes(&ada, vec![lease]).is_empty());
    let built_in = Mount { origin: Origin::built_in("init"), ..ro("/s", "/run/coffer/coffer-init") };
    assert!(codes(&ada, vec![built_in]).is_empty());
}

#[test]
fn secrets_are_not_shown() {
    let ada = Machine::ada();
    for source in [
        "/home/ada/.ssh",
        "/home/ada/.ssh/id_ed25519",
        "/home/ada",
        "/home",
        "/",
        "/home/ada/.claude",
        "/home/ada/.claude/.credentials.json",
        "/home/ada/.local/share/cofferdam",
        "/home/ada/.config",
        "/etc",
        "/etc/shadow",
        "/run/user/1000",
        "/run/docker.sock",
        "/run/systemd/resolve",
        "/proc/1",
    ] {
        for bind in [ro(source, "/m"), rw(source, "/m")] {
            assert!(codes(&ada, vec![bind]).contains(&"secret-path"), "{source}");
        }
    }
    for source in [
        "/home/ada/.ssh/known_hosts",
        "/home/ada/.claude/CLAUDE.md",
        "/home/ada/.claude/skills/x",
        "/home/ada/src",
        "/run/systemd/resolve/stub-resolv.conf",
        "/etc/ssl/certs",
        "/usr",
    ] {
        assert!(codes(&ada, vec![ro(source, "/m")]).is_empty(), "{source}");
    }
}

#[test]
fn a_secret_that_is_hidden_again_is_not_shown() {
    let ada = Machine::ada();
    let shows = |mounts| codes(&ada, mounts).contains(&"secret-path");
    assert!(!shows(vec![ro("/home/ada/.config/gh", "/m"), mask("/m")]));
    assert!(!shows(vec![ro("/etc/ssl", "/m"), mask("/m/private")]));
    assert!(!shows(vec![ro("/etc/ssl", "/m"), mask("/m")]));
    // Elsewhere, a part of it, or before it: still shown.
    assert!(shows(vec![ro("/etc/ssl", "/m"), mask("/etc/ssl/private")]));
    assert!(shows(vec![ro("/etc/ssl", "/m"), mask("/m/private/key")]));
    assert!(shows(vec![mask("/m"), ro("/etc/ssl", "/m")]));
    assert!(shows(vec![ro("/etc/ssl", "/m"), tmpfs("/m/private")]));
    // At one of two places.
    assert!(shows(vec![ro("/etc/ssl", "/m"), ro("/etc/ssl", "/n"), mask("/m/private")]));
}

#[test]
fn only_the_users_own_file_exposes_a_secret() {
    let exposed = Machine::ada().config("expose = ['~/.ssh']");
    assert!(codes(&exposed, vec![ro("/home/ada/.ssh", "/home/ada/.ssh")]).is_empty());
    assert_eq!(codes(&exposed, vec![ro("/home/ada/.aws", "/m")]), ["secret-path"]);
    // More than the exposed one.
    assert!(!codes(&exposed, vec![ro("/home/ada", "/m")]).is_empty());
    // A part of a secret does not expose the whole.
    let part = Machine::ada().config("expose = ['~/.ssh/id']");
    assert_eq!(codes(&part, vec![ro("/home/ada/.ssh", "/m")]), ["secret-path"]);
}

#[test]
fn what_the_host_runs_cannot_be_written() {
    let ada = Machine::ada();
    for source in
        ["/usr/local/bin", "/usr/local", "/usr/bin", "/home/ada/.local/bin", "/home/ada/.local/share/claude"]
    {
        let found = errors(&ada, vec![rw(source, "/m")]);
        let hits = found.iter().filter(|error| error.code() == "host-executable").count();
        assert_eq!(hits, 1, "{source}: {found:?}");
        assert!(codes(&ada, vec![ro(source, "/m")]).is_empty(), "{source}");
    }
    // A part of what the agent is made of.
    let npm = Machine::ada().has("/opt/node_modules", PathKind::Folder).with(|facts| {
        let agent = facts.agent.as_mut().unwrap();
        agent.install_root = "/opt/node_modules".into();
        agent.resolved = "/opt/node_modules/claude/cli.js".into();
    });
    assert_eq!(codes(&npm, vec![rw("/opt/node_modules/dep", "/m")]), ["host-executable"]);
    assert!(codes(&npm, vec![rw("/opt/node_modules_other", "/m")]).is_empty());
}

#[test]
fn root_shows_nothing_of_its_own_unasked() {
    let private = |machine: Machine| machine.has_at("/opt/mine", "/opt/mine", PathKind::Folder, 0o700);
    let by = |layer, mut mount: Mount| {
        mount.origin = Origin::new(layer, "x");
        vec![mount]
    };
    use OriginLayer::{Agent, BuiltIn, Flag, PerProject, Profile, ProjectFile, UserFile};
    for (layer, refused) in [
        (Profile, true),
        (Agent, true),
        (ProjectFile, true),
        (UserFile, false),
        (PerProject, false),
        (Flag, false),
        (BuiltIn, false),
    ] {
        let found = codes(&private(Machine::root()), by(layer, ro("/opt/mine", "/m")));
        assert_eq!(found == ["root-only-source"], refused, "{layer:?}: {found:?}");
        assert!(codes(&private(Machine::ada()), by(layer, ro("/opt/mine", "/m"))).is_empty());
    }
}

/// A part of the project that only root reads is the project's: keeping it read-only grants nothing.
#[test]
fn a_part_of_what_is_shown_needs_no_grant() {
    let text = "readonly = ['private']\nhide = ['private/keys/deep']";
    let machine = Machine::root()
        .has_at("/root/src/app/private", "/root/src/app/private", PathKind::Folder, 0o700)
        .has_at("/root/src/app/private/keys", "/root/src/app/private/keys", PathKind::Folder, 0o700)
        .has_at(
            "/root/src/app/private/keys/deep",
            "/root/src/app/private/keys/deep",
            PathKind::Folder,
            0o700,
        );
    assert!(machine.clone().project(text, false).codes().is_empty());
    assert!(machine.project("hide = ['private/keys/deep']", false).codes().is_empty());
    // At another place, or another path at that place, it is something else.
    let private = || Machine::root().has_at("/opt/mine", "/opt/mine", PathKind::Folder, 0o700);
    let mut other = ro("/opt/mine", "/opt/other");
    other.origin = Origin::new(OriginLayer::Profile, "x");
    let around = Mount { origin: Origin::built_in("x"), ..rw("/opt", "/opt") };
    assert_eq!(codes(&private(), vec![around.clone(), other.clone()]), ["root-only-source"]);
    other.target = "/opt/mine".into();
    assert!(codes(&private(), vec![around, other]).is_empty());
}

fn settings(scope: SettingsScope, broken: Option<&str>, redirects: &[&str]) -> SettingsFact {
    SettingsFact {
        file: "/home/ada/src/app/.claude/settings.json".into(),
        scope,
        sha256: "ab".to_owned(),
        broken: broken.map(str::to_owned),
        env: std::collections::BTreeMap::new(),
        redirects: redirects.iter().map(|key| (*key).to_owned()).collect(),
    }
}

#[test]
fn a_projects_settings_redirect_nothing_until_trusted() {
    use SettingsScope::{Project, User};
    for (fact, refused) in [
        (settings(Project, None, &["env.ANTHROPIC_BASE_URL"]), true),
        (settings(Project, Some("no JSON"), &[]), true),
        (settings(Project, None, &[]), false),
        (settings(User, None, &["env.ANTHROPIC_BASE_URL", "apiKeyHelper"]), false),
        (settings(User, Some("no JSON"), &[]), false),
    ] {
        let machine = Machine::ada().with(|facts| facts.settings.push(fact.clone()));
        assert_eq!(machine.codes() == ["project-settings"], refused, "{fact:?}");
        // Trusted is exactly this file with this content.
        let mut trusted = machine.clone();
        trusted.trust.0.insert((fact.file.clone(), fact.sha256.clone()));
        assert!(trusted.codes().is_empty(), "{fact:?}");
        let mut other = machine;
        other.trust.0.insert((fact.file.clone(), "cd".to_owned()));
        assert_eq!(!other.codes().is_empty(), refused);
    }
}

#[test]
fn every_broken_law_is_told() {
    let ada = Machine::ada();
    let found = codes(&ada, vec![ro("/home/ada/.ssh", "/proc/x"), rw("/usr/local/bin", "/a"), tmpfs("/a")]);
    for code in ["secret-path", "reserved-target", "host-executable", "duplicate-target"] {
        assert!(found.contains(&code), "{code} in {found:?}");
    }
}

/// Operations on a few places that lie in and around each other.
fn operations() -> impl Strategy<Value = Vec<Mount>> {
    let place = "(/[ab]){1,3}";
    let operation = (place, place, 0..6_usize).prop_map(|(source, target, kind)| match kind {
        0 => ro(&source, &target),
        1 => rw(&source, &target),
        2 => mask(&target),
        3 => tmpfs(&target),
        4 => file(&target),
        _ => mount(MountOp::Symlink { source }, &target),
    });
    prop::collection::vec(operation, 1..12)
}

/// Some plan around the operations.
static PLAN: std::sync::LazyLock<Plan> = std::sync::LazyLock::new(|| Machine::ada().derived().unwrap());

/// What decides at a place: the last operation on or around it.
fn deciding<'a>(mounts: &'a [Mount], place: &Utf8Path) -> Option<&'a Mount> {
    mounts.iter().rev().find(|mount| place.starts_with(&mount.target))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// A list that the check lets pass shows at every place what its last operation there says, and no
    /// later operation opens, covers or widens an earlier one: it only adds below, or takes away.
    #[test]
    fn a_later_operation_never_widens_an_earlier_denial(mounts in operations()) {
        let mut plan = Plan { mounts: Vec::new(), ..PLAN.clone() };
        for operation in mounts {
            plan.mounts.push(operation);
            if !super::order::check(&plan).is_empty() {
                plan.mounts.pop();
            }
        }
        for (at, denied) in plan.mounts.iter().enumerate() {
            for other in &plan.mounts[at + 1..] {
                let place = &other.target;
                if matches!(denied.op, MountOp::Mask { .. }) && place.starts_with(&denied.target) {
                    let shown = deciding(&plan.mounts, place).map(|mount| &mount.op);
                    prop_assert!(matches!(shown, Some(MountOp::Mask { .. })), "{} is opened", place);
                }
                let read_only = matches!(denied.op, MountOp::Bind { access: Access::Ro, .. });
                if read_only && denied.target.starts_with(place) {
                    prop_assert!(matches!(other.op, MountOp::Mask { .. }), "{} is covered", denied.target);
                }
            }
        }
    }
}

const PARENT: &str = "/home/ada/.local/share/cofferdam/accounts/work/login";

fn own(path: &str, target: &str, origin: Origin) -> Mount {
    let source = Source::Own { path: path.into() };
    Mount { op: MountOp::Bind { source, access: Access::Rw }, target: target.into(), origin }
}

fn of_shared() -> Origin {
    Origin::flag("--auth: auth shared")
}

/// Of Cofferdam's own folders a plan binds states, and nothing else: no account, no key, no ledger.
#[test]
fn of_our_own_folders_only_states_are_bound() {
    let data = "/home/ada/.local/share/cofferdam";
    let work = Machine::ada().account(crate::agent::CredentialKind::Subscription);
    for machine in [Machine::ada(), work.clone(), work.auth(crate::plan::AuthMode::Shared)] {
        for below in
            ["", "/state", "/accounts", "/accounts/work", "/accounts/work/sealed", "/ledger", "/stateful"]
        {
            let mount = own(&format!("{data}{below}"), "/m", Origin::built_in("default: state project"));
            assert_eq!(codes(&machine, vec![mount]), ["secret-path"], "{below}");
        }
        let state = own(&format!("{data}/state/claude/x"), "/m", Origin::built_in("default: state project"));
        assert!(codes(&machine, vec![state]).is_empty());
    }
}

/// The mode `shared` lets one mount pass: of this account, at this place, by this origin.
#[test]
fn only_the_shared_login_itself_is_bound() {
    use crate::agent::CredentialKind::Subscription;
    use crate::plan::AuthMode;
    let work = Machine::ada().account(Subscription);
    let shared = work.clone().auth(AuthMode::Shared);
    let good = || own(PARENT, "/run/coffer/login", of_shared());
    assert!(codes(&shared, vec![good()]).is_empty());
    let other = PARENT.replace("work", "other");
    let whole = PARENT.replace("/login", "");
    for (machine, mount) in [
        // Without the mode, or with it for another account.
        (&work, good()),
        (&Machine::ada(), good()),
        (&shared, own(&other, "/run/coffer/login", of_shared())),
        (&shared, own(&whole, "/run/coffer/login", of_shared())),
        (&shared, own(&format!("{PARENT}/store"), "/run/coffer/login", of_shared())),
        // At another place, or by another origin.
        (&shared, own(PARENT, "/m", of_shared())),
        (&shared, own(PARENT, "/run/coffer/login/store", of_shared())),
        (&shared, own(PARENT, "/run/coffer/login", Origin::flag("--mount"))),
        (&shared, own(PARENT, "/run/coffer/login", Origin::built_in("auth shared"))),
    ] {
        let found = codes(machine, vec![mount.clone()]);
        assert!(found.contains(&"secret-path"), "{mount:?}: {found:?}");
    }
}

/// The user's own login folder passes in the mode that they allowed, whole at its place or a part of it
/// read-only on top.
#[test]
fn only_the_allowed_login_of_the_host_is_bound() {
    use crate::plan::AuthMode;
    let allowed = || Machine::ada().config("allow_host_login = true");
    let shared = allowed().auth(AuthMode::Shared);
    const HOME: &str = "/home/ada/.claude";
    const STORE: &str = "/run/coffer/login/store";
    let by = |origin: Origin, mount: Mount| Mount { origin, ..mount };
    for mount in [rw(HOME, STORE), ro(&format!("{HOME}/settings.json"), &format!("{STORE}/settings.json"))] {
        assert!(codes(&shared, vec![by(of_shared(), mount.clone())]).is_empty(), "{mount:?}");
        // By a flag of the user's, without the mode, or without their word.
        let by_flag = vec![by(Origin::flag("--mount"), mount.clone())];
        assert!(codes(&shared, by_flag).contains(&"secret-path"), "{mount:?}");
        let alone = vec![by(of_shared(), mount.clone())];
        assert!(codes(&allowed(), alone.clone()).contains(&"secret-path"), "{mount:?}");
        let named = Machine::ada()
            .config("allow_host_login = true")
            .account(crate::agent::CredentialKind::Subscription)
            .auth(AuthMode::Shared);
        assert!(codes(&named, alone).contains(&"secret-path"), "{mount:?}");
    }
    for mount in [
        rw(HOME, "/run/coffer/login"),
        rw(HOME, "/m"),
        rw("/home/ada", STORE),
        rw("/home/ada/.ssh", STORE),
        rw(&format!("{HOME}/projects"), &format!("{STORE}/projects")),
        ro(&format!("{HOME}/projects"), &format!("{STORE}/other")),
    ] {
        let found = codes(&shared, vec![by(of_shared(), mount.clone())]);
        assert!(found.contains(&"secret-path"), "{mount:?}: {found:?}");
    }
}
