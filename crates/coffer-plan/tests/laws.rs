//! Laws of plans, over generated settings: a project widens nothing, plans are made in one way only, and
//! nothing that was said makes anything panic.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what the tests assume")]

mod common;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::config::{
    AuditMode, EnvSettings, KeyChoice, LimitSettings, MountSpec, ProjectFile, Settings, UpstreamSettings,
    UserFile, merge, parse_project, parse_user,
};
use coffer_plan::facts::{PathFact, PathKind};
use coffer_plan::host::HostRule;
use coffer_plan::path::PathTemplate;
use coffer_plan::plan::{
    Access, AuthMode, BackendKind, CheckedPlan, EnvClass, EnvEntry, ForwardSpec, Mount, MountOp, NetworkTier,
    PublishSpec, Source, StateMode,
};
use coffer_plan::show::{diff, json};
use common::{Case, Made};
use proptest::option::of;
use proptest::prelude::*;

/// What stands in the home and in the project of the machine below.
const THERE: &[&str] = &[
    "/home/ada/data",
    "/home/ada/data/raw",
    "/home/ada/data/raw/deep",
    "/home/ada/Documents",
    "/home/ada/src/app/src",
    "/home/ada/src/app/src/gen",
    "/home/ada/src/app/vendor",
    "/home/ada/src/app/.coffer.toml",
    "/srv",
    "/srv/a",
    "/srv/a/b",
    "/home/ada/.aws",
    "/etc/ssl/private",
    "/home/ada/src",
    "/",
    "/home",
];

/// The golden machine with a few more folders, a link, and variables.
static MACHINE: LazyLock<Case> = LazyLock::new(|| {
    let mut case = common::case("key-and-login");
    for (at, path) in THERE.iter().enumerate() {
        let fact = PathFact {
            kind: PathKind::Folder,
            resolved: (*path).into(),
            link: None,
            dev: 2049,
            ino: 7000 + at as u64,
            uid: 1000,
            mode: 0o755,
        };
        case.facts.paths.insert((*path).into(), fact);
    }
    let mut link = case.facts.paths[Utf8Path::new("/home/ada/data/raw")].clone();
    link.link = Some("../../../data/raw".to_owned());
    let groups = ["cpu", "memory", "pids"].map(|name| (name.to_owned(), format!("/cg/{name}").into()));
    case.facts.cgroups.v1_places = groups.into();
    case.facts.cgroups.memory = Some(16 << 30);
    case.facts.paths.insert("/home/ada/src/app/link".into(), link);
    case
});

/// Paths as they are written, of things that are there and of things that are not.
const WRITTEN: &[&str] = &[
    "~/data",
    "~/data/raw",
    "~/data/raw/deep",
    "~/Documents",
    "src",
    "src/gen",
    "vendor",
    "link",
    ".",
    "..",
    ".coffer.toml",
    ".git",
    "absent",
    "/srv",
    "/srv/a",
    "/srv/a/b",
    "~/.ssh",
    "~/.aws",
    "~/.claude",
    "/etc/ssl",
    "/usr/local/bin",
    "/usr",
    "/etc/hosts",
    "/tmp",
    "/proc",
    "/run",
    "~",
    "/home",
    "/",
    "${CLAUDE_CONFIG_DIR:-~/.claude}/CLAUDE.md",
    "~/.local/bin",
];

fn path() -> impl Strategy<Value = PathTemplate> {
    prop::sample::select(WRITTEN).prop_map(|path| PathTemplate(path.to_owned()))
}

prop_compose! {
    fn mount()(source in path(), target in of(path()), rw in any::<bool>(), optional in any::<bool>()) -> MountSpec {
        MountSpec { source, target, access: if rw { Access::Rw } else { Access::Ro }, optional }
    }
}

fn env() -> impl Strategy<Value = EnvSettings> {
    let name = prop::sample::select(
        &[
            "A",
            "GITHUB_TOKEN",
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_*",
            "HOME",
            "PATH",
            "SSH_*",
            "TERM",
            "*",
            "A=B",
        ][..],
    );
    let value = prop::sample::select(&["x", "", "sk-FAKE", "http://u:p@h/", "a\0b"][..]);
    let pass = prop::collection::vec(name.clone().prop_map(str::to_owned), 0..3);
    let set = prop::collection::btree_map(name.prop_map(str::to_owned), value.prop_map(str::to_owned), 0..3);
    (pass, set).prop_map(|(pass, set)| EnvSettings { pass, set })
}

fn paths(most: usize) -> impl Strategy<Value = Vec<PathTemplate>> {
    prop::collection::vec(path(), 0..most)
}

fn word<T: Clone + std::fmt::Debug + 'static>(words: &'static [T]) -> impl Strategy<Value = Option<T>> {
    of(prop::sample::select(words))
}

/// Whatever a layer may say. `wild` adds what no plan can be made of yet.
fn settings(wild: bool) -> impl Strategy<Value = Settings> {
    use AuthMode as A;
    use NetworkTier as N;
    use StateMode as S;
    let network: &[N] =
        if wild { &[N::None, N::Agent, N::Dev, N::Learn, N::Full] } else { &[N::None, N::Full] };
    let auth: &[A] = if wild { &[A::None, A::Lease, A::Gateway, A::Shared] } else { &[A::None, A::Lease] };
    let state: &[S] =
        if wild { &[S::Project, S::Shared, S::Copy, S::Fresh] } else { &[S::Project, S::Shared, S::Fresh] };
    use BackendKind as B;
    let backend: &[B] = if wild {
        &[B::Bwrap, B::Podman, B::Docker, B::Kubernetes]
    } else {
        &[B::Bwrap, B::Podman, B::Docker]
    };
    let words = (word(network), word(auth), word(state), word(backend), of(any::<bool>()));
    let lists = (prop::collection::vec(mount(), 0..3), paths(2), env(), paths(4), paths(4), paths(2));
    let more =
        (of(any::<bool>()), of(any::<bool>()), word(&[AuditMode::Always, AuditMode::Never]), any::<bool>());
    let scope = prop::sample::select(&["user:inference", "user:profile"][..]).prop_map(str::to_owned);
    let login = (of(any::<bool>()), of(any::<bool>()), prop::collection::vec(scope, 0..2));
    (words, lists, more, login, services(), (keys(wild), limits())).prop_map(
        |(words, lists, more, login, services, rest)| {
            let (keys, limits) = rest;
            let (allow, forward, publish) = services;
            let ([ssh_agent, gpg_agent], [gpg_agent_decrypt, confirm_keys, allow_container_engine]) = keys;
            let (network, auth, state, backend, unattended) = words;
            let (mounts, path, env, hide, readonly, expose) = lists;
            let (trust_folder, as_root_inside, audit, profiles) = more;
            let (allow_host_login, allow_nesting, scopes) = login;
            Settings {
                agent: None,
                account: None,
                auth,
                state,
                network,
                backend,
                image: None,
                audit,
                profiles: profiles.then(|| vec!["toolchains".to_owned()]),
                unattended,
                trust_folder,
                as_root_inside,
                allow_host_login,
                allow_nesting,
                ssh_agent,
                gpg_agent,
                gpg_agent_decrypt,
                confirm_keys,
                allow_container_engine,
                scopes,
                mounts,
                path,
                env,
                hide,
                readonly,
                expose,
                // What is kept from the agent has facts of its own, which these machines have not.
                protect: Vec::new(),
                allow_write: Vec::new(),
                accept_config: None,
                allow,
                forward,
                publish,
                limits,
            }
        },
    )
}

/// What may be said of keys; where a plan shall come of it, none is granted.
fn keys(wild: bool) -> impl Strategy<Value = ([Option<KeyChoice>; 2], [Option<bool>; 3])> {
    let only = || KeyChoice::Only(vec!["deploy".to_owned()]);
    let choices = if wild { vec![KeyChoice::None, KeyChoice::All, only()] } else { vec![KeyChoice::None] };
    let choice = || of(prop::sample::select(choices.clone()));
    let switch = || of(any::<bool>());
    let decrypt = if wild { switch().boxed() } else { Just(None).boxed() };
    ([choice(), choice()], [decrypt, switch().boxed(), switch().boxed()])
}

/// Bounds on resources.
fn limits() -> impl Strategy<Value = LimitSettings> {
    let bound = |text: &'static str| text.parse().ok();
    let memory = prop::sample::select(&["16M", "8G", "none", ""][..]).prop_map(bound);
    let pids = prop::sample::select(&["8", "100000", "none", ""][..]).prop_map(move |text| text.parse().ok());
    let cpus = prop::sample::select(&["0.01", "64", "none", ""][..]).prop_map(move |text| text.parse().ok());
    (memory, pids, cpus).prop_map(|(memory, pids, cpus)| LimitSettings { memory, pids, cpus })
}

/// Hosts, and services in and out.
fn services() -> impl Strategy<Value = (Vec<HostRule>, Vec<ForwardSpec>, Vec<PublishSpec>)> {
    fn some<T: std::str::FromStr + Clone + std::fmt::Debug + 'static>(
        texts: &'static [&'static str],
    ) -> impl Strategy<Value = Vec<T>> {
        let read = |text: &'static str| text.parse().ok().into_iter();
        prop::sample::subsequence(texts, 0..2)
            .prop_map(move |texts| texts.into_iter().flat_map(read).collect())
    }
    (
        some(&["example.org", "*.example.org:80", "10.0.0.1", "localhost:8080"]),
        some(&["8080", "22", "unix:/run/x.sock"]),
        some(&["3000", "8080:3000", "3128"]),
    )
}

/// What a project's file may say: without what only the user's own may.
fn project() -> impl Strategy<Value = ProjectFile> {
    settings(true).prop_map(|settings| ProjectFile {
        settings: Settings {
            expose: Vec::new(),
            trust_folder: None,
            as_root_inside: None,
            allow_host_login: None,
            allow_container_engine: None,
            audit: None,
            ..settings
        },
    })
}

fn user() -> impl Strategy<Value = UserFile> {
    (settings(false), of(settings(false))).prop_map(|(settings, chosen)| UserFile {
        path: "/home/ada/.config/cofferdam/config.toml".to_owned(),
        settings,
        profiles: BTreeMap::new(),
        upstream: UpstreamSettings::default(),
        projects: chosen.map(|chosen| ("/home/ada/src/app".to_owned(), chosen)).into_iter().collect(),
    })
}

/// A user's file that asks for little, so that a plan comes of it more often than not.
fn modest_user() -> impl Strategy<Value = UserFile> {
    let spec = |source: &str, target: Option<&str>, access| MountSpec {
        source: PathTemplate(source.to_owned()),
        target: target.map(|target| PathTemplate(target.to_owned())),
        access,
        optional: false,
    };
    let mounts = vec![
        spec("~/data", None, Access::Rw),
        spec("~/data", Some("/mnt/data"), Access::Ro),
        spec("~/data/raw", Some("/mnt/raw"), Access::Rw),
        spec("/srv", None, Access::Rw),
        spec("/srv/a", Some("/home/ada/src/app/src"), Access::Ro),
    ];
    let some = prop::sample::subsequence(mounts, 0..=5);
    (some, paths(2), paths(2)).prop_map(|(mounts, hide, readonly)| UserFile {
        path: "config.toml".to_owned(),
        settings: Settings { mounts, hide, readonly, ..Settings::default() },
        ..UserFile::default()
    })
}

fn made(user: &UserFile, project: Option<&ProjectFile>, flags: Option<&Settings>) -> Result<Made, String> {
    let mut case = MACHINE.clone();
    case.user = user.clone();
    case.project = project.cloned();
    case.said.settings = flags.cloned().unwrap_or_default();
    case.make()
}

fn value(plan: &CheckedPlan) -> serde_json::Value {
    serde_json::from_str(&json::plan(plan).unwrap()).unwrap()
}

/// What a place inside shows: nothing, or something with or without the right to write.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Nothing,
    Private,
    Host { path: Utf8PathBuf, writable: bool },
}

/// The model: operations in their order, the last one that covers a place decides.
fn seen(mounts: &[Mount], place: &Utf8Path) -> Seen {
    let Some(mount) = mounts.iter().rev().find(|mount| place.starts_with(&mount.target)) else {
        return Seen::Nothing;
    };
    let below = place.strip_prefix(&mount.target).unwrap();
    match &mount.op {
        MountOp::Bind { source: Source::Host { path, .. }, access } => {
            let path = if below == "" { path.clone() } else { path.join(below) };
            Seen::Host { path, writable: *access == Access::Rw }
        }
        MountOp::Bind { source: Source::Own { .. } | Source::Run { .. }, .. } | MountOp::Overlay { .. } => {
            Seen::Private
        }
        MountOp::Mask { .. } => Seen::Nothing,
        MountOp::Tmpfs { .. }
        | MountOp::Proc
        | MountOp::Dev
        | MountOp::Symlink { .. }
        | MountOp::GitConfig { .. }
        | MountOp::Placeholder { .. }
        | MountOp::File { .. } => Seen::Private,
    }
}

/// Every place that either list names, and every known path at every place that shows it.
fn places(plans: &[&CheckedPlan]) -> Vec<Utf8PathBuf> {
    let mut places: Vec<Utf8PathBuf> = THERE.iter().map(Utf8PathBuf::from).collect();
    for mount in plans.iter().flat_map(|plan| &plan.mounts) {
        places.push(mount.target.clone());
        places.push(mount.target.join("x"));
        if let MountOp::Bind { source: Source::Host { path, .. }, .. } = &mount.op {
            let below = THERE.iter().filter_map(|known| Utf8Path::new(known).strip_prefix(path).ok());
            places.extend(below.map(|below| mount.target.join(below)));
        }
    }
    places
}

/// Whether `after` shows no more than `before` at a place.
fn no_more(before: &Seen, after: &Seen) -> bool {
    match (before, after) {
        // What is private holds nothing of the host.
        (_, Seen::Nothing | Seen::Private) => true,
        (Seen::Host { path, writable }, Seen::Host { path: shown, writable: now }) => {
            path == shown && (*writable || !*now)
        }
        (Seen::Nothing | Seen::Private, Seen::Host { .. }) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_global_rejects: 40_000, ..ProptestConfig::default() })]

    #[test]
    fn no_project_widens_anything(user in modest_user(), project in project()) {
        let alone = made(&user, None, None);
        prop_assume!(alone.is_ok());
        let alone = alone.unwrap().plan;
        // It may make the plan impossible: that widens nothing either.
        if let Ok(Made { plan: together, .. }) = made(&user, Some(&project), None) {
            let difference = diff::difference(&value(&alone), &value(&together));
            prop_assert!(!difference.grown, "{:?}", difference);
            for place in places(&[&alone, &together]) {
                let (before, after) = (seen(&alone.mounts, &place), seen(&together.mounts, &place));
                prop_assert!(no_more(&before, &after), "{}: {:?} -> {:?}", place, before, after);
            }
            let was_there = |name: &str| alone.environment.iter().any(|before| before.name == name);
            // In a narrower tier the way to the gateway is set by the sandbox itself.
            let made = |entry: &EnvEntry| entry.class == EnvClass::Sandbox;
            let brought = together.environment.iter().any(|entry| !was_there(&entry.name) && !made(entry));
            prop_assert!(!brought);
            prop_assert!(together.network.tier <= alone.network.tier);
            prop_assert_eq!(&together.identity, &alone.identity);
            prop_assert_eq!(&together.command, &alone.command);
        }
    }

    #[test]
    fn what_is_denied_stays_denied(user in modest_user(), mounts in prop::collection::vec(mount(), 0..3), deny in path()) {
        let mut user = user;
        user.settings.mounts.extend(mounts);
        user.settings.hide.push(deny.clone());
        if let Ok(Made { policy, plan }) = made(&user, None, None) {
            let hidden = &policy.hide.last().unwrap().value;
            let Some(fact) = MACHINE.facts.path(hidden) else { return Ok(()) };
            for place in places(&[&plan]) {
                if place == coffer_plan::derive::INIT || place.starts_with("/run/coffer") { continue; }
                if let Seen::Host { path, .. } = seen(&plan.mounts, &place) {
                    prop_assert!(!path.starts_with(&fact.resolved), "{} shows {}, hidden by {:?}", place, path, deny);
                }
            }
        }
    }

    #[test]
    fn plans_are_made_in_one_way(user in user(), project in of(project()), flags in settings(false)) {
        let one = made(&user, project.as_ref(), Some(&flags));
        let other = made(&user, project.as_ref(), Some(&flags));
        match (one, other) {
            (Ok(one), Ok(other)) => {
                prop_assert_eq!(&one.plan, &other.plan);
                prop_assert_eq!(json::plan(&one.plan).unwrap(), json::plan(&other.plan).unwrap());
                let nothing = diff::difference(&value(&one.plan), &value(&other.plan));
                prop_assert!(nothing.is_empty() && !nothing.grown);
            }
            (one, other) => prop_assert_eq!(one.map(|_| ()), other.map(|_| ())),
        }
    }

    #[test]
    fn no_settings_make_merge_or_derive_panic(
        user in user(), file in project(), trusted in any::<bool>(), flags in settings(true),
    ) {
        let mut case = MACHINE.clone();
        case.user = user;
        case.project = Some(file);
        case.said.trusted = trusted;
        case.said.settings = flags;
        let merged = merge(&case.layers());
        prop_assert!(merged.is_ok());
        let _ = case.make();
    }

    #[test]
    fn no_text_makes_a_config_file_panic(text in "[a-z_.'\"\\[\\]{}=, \n~/]{0,120}") {
        let _ = parse_user("config.toml", &text);
        let _ = parse_project(".coffer.toml", &text);
    }
}

/// The golden machines with the account `work`.
static ACCOUNTS: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let of_account = |case: &Case| case.facts.account.is_some();
    let mut cases: Vec<Case> = common::cases().into_iter().filter(of_account).collect();
    for case in &mut cases {
        case.facts.paths.extend(MACHINE.facts.paths.clone());
        case.facts.environment.extend(MACHINE.facts.environment.clone());
    }
    cases
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever is said: of an account's folder nothing is shown but its login, in the mode `shared` and at
    /// its place; and the only other credentials inside are those that somebody passed by name.
    #[test]
    fn an_account_shows_its_login_only_when_shared(
        at in any::<prop::sample::Index>(), user in user(), flags in settings(false), shared in any::<bool>(),
    ) {
        let mut case = at.get(&ACCOUNTS).clone();
        case.user = user;
        case.said.settings = Settings { account: Some("work".to_owned()), ..flags };
        if shared {
            case.said.settings.auth = Some(AuthMode::Shared);
        }
        let Ok(Made { policy, plan }) = case.make() else { return Ok(()) };
        let accounts = case.facts.folders.data.join("accounts");
        for mount in &plan.mounts {
            let MountOp::Bind { source, .. } = &mount.op else { continue };
            let (Source::Host { path, .. } | Source::Own { path }) = source else { continue };
            let shows = path.starts_with(&accounts) || accounts.starts_with(path);
            let is_login = plan.credential.mode == AuthMode::Shared
                && mount.target == "/run/coffer/login"
                && *path == accounts.join("work/login");
            prop_assert!(!shows || is_login, "{:?}", mount);
        }
        for rule in &policy.agent.credentials {
            let Some(entry) = plan.environment.iter().find(|entry| entry.name == rule.source) else { continue };
            let is_own = entry.origin.to_string() == "account work";
            let named = policy.env_pass.iter().any(|passed| passed.value == rule.source)
                || policy.env_set.iter().any(|set| set.value.0 == rule.source);
            prop_assert!(is_own || named, "{:?}", entry);
        }
    }
}

/// The law above looks at accounts that are shared, and at some that are not.
#[test]
fn the_accounts_give_plans() {
    let modes: Vec<AuthMode> =
        ACCOUNTS.iter().map(|case| case.make().unwrap().plan.credential.mode).collect();
    assert!(modes.contains(&AuthMode::Shared) && modes.contains(&AuthMode::Lease), "{modes:?}");
}

/// The properties above look at plans, not at refusals only.
#[test]
fn the_machine_gives_plans() {
    assert!(made(&UserFile::default(), None, None).is_ok());
    let project =
        parse_project("p", "hide = ['src', '~/data']\nreadonly = ['vendor']\nnetwork = 'none'").unwrap();
    assert!(made(&UserFile::default(), Some(&project), None).is_ok());
}
