//! Plans in an engine's words. Whole command lines are in coffer-plan's golden folders.

use coffer_plan::config::parse_user;
use coffer_plan::facts::{EngineTrouble, HostFacts, PathFact, PathKind};
use coffer_plan::plan::BackendKind;

use super::{BackendError, diagnose, lower};
use crate::backend::common::{self, Case};
use crate::launch::{Launch, Made, Preparation, Word};

fn case(name: &str, change: impl FnOnce(&mut HostFacts)) -> Case {
    let mut case = common::case(name);
    change(&mut case.facts);
    case
}

fn lowered(case: &Case) -> Result<Launch, BackendError> {
    lower(&case.make().unwrap().plan, &case.facts)
}

fn refused(change: impl FnOnce(&mut HostFacts)) -> BackendError {
    lowered(&case("docker", change)).unwrap_err()
}

/// With a folder of the host, and this in the user's config file.
fn with(folder: &str, config: &str) -> Case {
    let mut case = common::case("podman");
    let fact = PathFact {
        kind: PathKind::Folder,
        resolved: folder.into(),
        link: None,
        dev: 2049,
        ino: 7000,
        uid: 1000,
        mode: 0o755,
    };
    case.facts.paths.insert(folder.into(), fact);
    case.user = parse_user("config.toml", config).unwrap();
    case
}

/// The words behind every `--mount`, `--tmpfs` and the like.
fn values<'a>(launch: &'a Launch, option: &str) -> Vec<&'a str> {
    let pairs = launch.options.windows(2).filter(|pair| pair[0] == Word::from(option));
    pairs
        .map(|pair| match &pair[1] {
            Word::Text(text) => text.as_str(),
            Word::Mount { rest, .. } => rest,
            _ => "?",
        })
        .collect()
}

fn targets(launch: &Launch) -> Vec<&str> {
    let mounts = values(launch, "--mount");
    let of_mounts =
        mounts.into_iter().filter_map(|word| word.split(',').find_map(|part| part.strip_prefix("target=")));
    let of_tmpfs = values(launch, "--tmpfs").into_iter().filter_map(|word| word.split(':').next());
    of_mounts.chain(of_tmpfs).collect()
}

#[test]
fn an_engine_that_cannot_be_used_says_why_and_what_to_do() {
    let trouble = |trouble| refused(|facts| facts.engine.as_mut().unwrap().trouble = Some(trouble));
    let at = || "unix:///var/run/docker.sock".to_owned();
    for (error, code, words, hint) in [
        (refused(|facts| facts.engine = None), "backend-missing", "`docker` is not", "docker.io"),
        (
            trouble(EngineTrouble::Down { at: at() }),
            "engine-down",
            "does not answer",
            "systemctl start docker",
        ),
        (
            trouble(EngineTrouble::NotPermitted { at: at() }),
            "engine-not-permitted",
            "ada may not",
            "usermod -aG docker ada",
        ),
        (
            trouble(EngineTrouble::Remote {
                at: "tcp://10.0.0.1:2375".to_owned(),
                by: "DOCKER_HOST".to_owned(),
            }),
            "engine-remote",
            "`tcp://10.0.0.1:2375` (DOCKER_HOST)",
            "`DOCKER_HOST`",
        ),
        (trouble(EngineTrouble::NoSubordinateIds), "no-subordinate-ids", "/etc/subuid", "--add-subuids"),
        (
            trouble(EngineTrouble::Imitation { of: "podman".to_owned() }),
            "engine-imitation",
            "`docker` here is podman",
            "--backend podman",
        ),
        (
            trouble(EngineTrouble::Failed { asked: "info".to_owned(), said: "it gave up".to_owned() }),
            "engine-failed",
            "`docker info` failed: it gave up",
            "`docker info`",
        ),
        (
            refused(|facts| facts.engine.as_mut().unwrap().image = None),
            "image-missing",
            "`python:3.12`",
            "image build",
        ),
        (
            refused(|facts| facts.kernel.machine = "aarch64".to_owned()),
            "image-architecture",
            "is for amd64, and this machine is aarch64",
            "--image REF",
        ),
    ] {
        let message = error.to_string();
        assert_eq!(error.code(), code, "{message}");
        assert!(message.contains(words), "{message}");
        assert!(error.hint().contains(hint), "{message}: {}", error.hint());
    }
}

#[test]
fn paths_that_the_engines_lists_cannot_hold_are_refused_by_name() {
    for (folder, character) in [("/srv/a,b", ','), ("/srv/a\"b", '"')] {
        let config = format!("[[mount]]\nsource = '{folder}'\n");
        let refused = lowered(&with(folder, &config)).unwrap_err();
        let expected = BackendError::Path { kind: BackendKind::Podman, path: folder.into(), character };
        assert_eq!(refused, expected);
    }
    let hidden = with("/home/ada/src/app/a:b", "hide = ['a:b']\n");
    assert!(matches!(lowered(&hidden), Err(BackendError::Path { character: ':', .. })));
    let runtime = case("podman", |facts| facts.folders.runtime = "/run/a,b".into());
    assert_eq!(lowered(&runtime).unwrap_err().code(), "engine-path");
}

#[test]
fn each_target_is_said_once_and_what_is_hidden_shows_nothing() {
    let folder = "/home/ada/src/app/vendor";
    let config = "hide = ['vendor']\n[[mount]]\nsource = '/home/ada/src/app/vendor'\ntarget = '/mnt/v'\n";
    for case in
        ["podman", "docker", "podman-root"].map(common::case).into_iter().chain([with(folder, config)])
    {
        let launch = lowered(&case).unwrap();
        let mut targets = targets(&launch);
        let count = targets.len();
        targets.sort_unstable();
        targets.dedup();
        assert_eq!(targets.len(), count, "{}", case.name());
    }
    let launch = lowered(&with(folder, config)).unwrap();
    // At both places an empty folder that nobody can enter, and no bind.
    let masks: Vec<&str> = values(&launch, "--tmpfs")
        .into_iter()
        .filter(|word| word.contains(":ro,nosuid,nodev,mode=0000"))
        .collect();
    assert_eq!(
        masks.iter().map(|word| word.split(':').next().unwrap()).collect::<Vec<_>>(),
        [folder, "/mnt/v"]
    );
    assert!(values(&launch, "--mount").iter().all(|word| !word.contains("vendor")));
}

#[test]
fn no_secret_and_no_variable_is_on_the_command_line() {
    for name in ["podman", "docker", "podman-root"] {
        let launch = lowered(&common::case(name)).unwrap();
        for option in ["-e", "--env", "--env-file", "--env-host", "-v", "--volume"] {
            assert!(!launch.options.contains(&Word::from(option)), "{name}: {option}");
        }
        let is_reference = |word: &&Word| matches!(word, Word::Ref(_) | Word::DataRef(_) | Word::Data(_));
        assert_eq!(launch.options.iter().chain(&launch.inside).find(is_reference), None, "{name}");
        assert!(launch.environment.iter().any(|(name, _)| name == "HOME"));
    }
}

#[test]
fn every_host_path_is_expected_to_be_the_same_before_and_verified_after() {
    let launch = lowered(&common::case("podman")).unwrap();
    let project = "/home/ada/src/app";
    let expected = launch
        .preparations
        .iter()
        .any(|preparation| matches!(preparation, Preparation::Expect(seen) if seen.path == project));
    let verified = launch.inside.windows(2).any(|pair| {
        let is_project =
            |word: &Word| matches!(word, Word::Text(text) if text.ends_with(&format!(":{project}")));
        pair[0] == Word::from("--verify") && is_project(&pair[1])
    });
    assert!(expected && verified);
    // Read-only folders bring nothing along that is mounted in them; files cannot.
    let readonly = |source: &str| {
        let ending = format!("source={source}");
        values(&launch, "--mount").into_iter().find(|word| word.ends_with(&ending)).map(str::to_owned)
    };
    let hooks = "/home/ada/src/app/.git/hooks";
    let folder = format!("type=bind,target={hooks},readonly,bind-nonrecursive=true,source={hooks}");
    assert_eq!(readonly(hooks), Some(folder));
    assert!(readonly("/usr/local/bin/coffer").is_some_and(|word| word.contains(",readonly,source")));
}

#[test]
fn the_socket_of_the_run_is_shown_in_a_folder_of_its_own() {
    let launch = lowered(&common::case("docker")).unwrap();
    let sockets =
        Word::Mount { made: Made::Sockets, rest: "type=bind,target=/run/coffer/host,readonly".to_owned() };
    assert!(launch.options.contains(&sockets));
    assert_eq!(launch.inside[1..3], ["--control-socket", "/run/coffer/host/control"].map(Word::from));
    let doors = launch.inside.iter().filter(|word| **word == Word::from("--listen")).count();
    assert_eq!(doors, launch.gateway.as_ref().unwrap().inside().count());
}

#[test]
fn ids_and_networks_are_the_engines_own_words() {
    let has = |launch: &Launch, words: &[&str]| {
        let words: Vec<Word> = words.iter().map(|word| Word::from(*word)).collect();
        launch.options.windows(words.len()).any(|window| window == words)
    };
    let podman = lowered(&common::case("podman")).unwrap();
    assert!(has(&podman, &["--userns", "keep-id"]) && has(&podman, &["--user", "1000:1000"]));
    assert!(has(&podman, &["--network", "none"]) && has(&podman, &["--no-hosts"]));
    let docker = lowered(&common::case("docker")).unwrap();
    assert!(!docker.options.contains(&Word::from("--userns")) && has(&docker, &["--user", "1000:1000"]));
    assert_eq!(docker.options[..3], ["--host", "unix:///var/run/docker.sock", "run"].map(Word::from));
    assert!(has(
        &docker,
        &["--memory", "2147483648", "--memory-swap", "2147483648", "--pids-limit", "200", "--cpus", "1.5"]
    ));
    let remapped = case("docker", |facts| facts.engine.as_mut().unwrap().remaps_ids = true);
    assert!(has(&lowered(&remapped).unwrap(), &["--userns", "host"]));
    let root = lowered(&common::case("podman-root")).unwrap();
    assert!(has(&root, &["--network", "bridge"]) && has(&root, &["--user", "0:0"]));
    let full = |version: &str| {
        let mut case = case("podman", |facts| {
            facts.engine.as_mut().unwrap().version = Some(version.to_owned());
        });
        case.said.settings.network = Some(coffer_plan::plan::NetworkTier::Full);
        values(&lowered(&case).unwrap(), "--network").join(" ")
    };
    assert_eq!(full("4.3.1"), "slirp4netns:allow_host_loopback=false");
    assert!(full("5.2.0").starts_with("pasta:--no-map-gw,-t,none"));
}

#[test]
fn an_engines_words_have_a_fix() {
    let of = |said: &str| diagnose(BackendKind::Podman, said);
    for (said, fix) in [
        ("Error: write /var/lib/x: no space left on device", "`podman system prune`"),
        ("Error: localhost/x: image not known", "`coffer image build`"),
        ("the container name \"coffer-1\" is already in use by 12", "another name"),
        ("runc: setrlimit RLIMIT_NOFILE: Operation not permitted", "default_ulimits"),
        ("exec /sh: exec format error", "another machine"),
        ("lstat /x/.husky: permission denied: OCI permission denied", "`chgrp`"),
    ] {
        assert!(of(said).is_some_and(|hint| hint.contains(fix)), "{said}");
    }
    assert_eq!(of("something else"), None);
}

#[test]
fn init_lets_no_mount_pass_but_the_plans_and_the_engines() {
    let launch = lowered(&case("podman", |facts| {
        let engine = facts.engine.as_mut().unwrap();
        engine.mounted = ["/", "/home", "/home/ada/src/app/disk", "/home/ada/other"].map(Into::into).into();
    }))
    .unwrap();
    let of = |option: &str| -> Vec<&Word> {
        let pairs = launch.inside.windows(2).filter(|pair| pair[0] == Word::from(option));
        pairs.map(|pair| &pair[1]).collect()
    };
    let at = of("--may-mount");
    for path in ["/", "/dev/null", "/tmp", "/etc/passwd", "/run/coffer/host", "/home/ada/src/app/disk"] {
        assert!(at.contains(&&Word::from(path)), "{path}");
    }
    // What the plan binds is demanded already, and what is elsewhere is not shown.
    for path in ["/home", "/home/ada", "/home/ada/other", "/home/ada/src/app"] {
        assert!(!at.contains(&&Word::from(path)), "{path}");
    }
    assert_eq!(of("--may-mount-below"), ["/proc", "/sys"].map(Word::from).iter().collect::<Vec<_>>());
}

#[test]
fn what_selinux_would_keep_from_the_container_is_not_labelled_anew() {
    for name in ["podman", "docker"] {
        let with = |selinux| {
            let launch =
                lowered(&case(name, |facts| facts.engine.as_mut().unwrap().selinux = selinux)).unwrap();
            values(&launch, "--security-opt").contains(&"label=disable")
        };
        assert_eq!((with(true), with(false)), (true, false), "{name}");
    }
}
