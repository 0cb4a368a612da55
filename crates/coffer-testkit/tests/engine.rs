//! The engines of the tests themselves: containers run in them, as whom they should, and nothing is left behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use coffer_testkit::engine::{Engine, Image, KINDS, Kind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// `run --rm` of this image in a container without network.
fn run(engine: &Engine, image: &str, flags: &[&str], words: &[&str]) -> Output {
    let mut command = engine.command();
    command.args(["run", "--rm", "--pull=never", "--network=none"]).args(flags).arg(image).args(words);
    command.output().unwrap()
}

#[track_caller]
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn words(engine: &Engine, words: &[&str]) -> String {
    said(&engine.command().args(words).output().unwrap())
}

/// How a container is run as the user to whom the project belongs.
fn as_owner(engine: &Engine, uid: u32) -> Vec<String> {
    match engine.kind() {
        Kind::PodmanOfUser => vec!["--userns=keep-id".to_owned()],
        Kind::PodmanOfRoot | Kind::Docker => vec![format!("--user={uid}:{uid}")],
    }
}

/// Runs the test's body with each engine that is there.
fn with_each(body: impl Fn(&Engine)) {
    for kind in KINDS {
        if let Some(engine) = Engine::new(kind).unwrap() {
            body(&engine);
        }
    }
}

fn process(pid: &str) -> OwnedFd {
    pidfd_open(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), PidfdFlags::empty()).unwrap()
}

fn runs(process: &OwnedFd) -> bool {
    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&Timespec::default())).unwrap() == 0
}

#[test]
fn a_container_has_the_uid_of_the_projects_owner_and_reads_what_is_only_theirs() {
    with_each(|engine| {
        let Some(image) = engine.image(Image::Tiny).unwrap() else { return };
        let uid = engine.user().map_or(4711, |user| user.uid);
        let secret = engine.folder().join("secret");
        std::fs::write(&secret, "only theirs\n").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        chown(&secret, Some(uid), Some(uid)).unwrap();
        let mount = format!("--mount=type=bind,source={},target=/secret,readonly", secret.display());
        let mut flags = as_owner(engine, uid);
        flags.push(mount);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let text = said(&run(engine, image, &flags, &["sh", "-c", "id -u; cat /secret"]));
        assert_eq!(text, format!("{uid}\nonly theirs"), "{:?}", engine.kind());
    });
}

#[test]
fn an_image_without_a_shell_runs_its_one_program() {
    with_each(|engine| {
        let Some(image) = engine.image(Image::Distroless).unwrap() else { return };
        let hostname = said(&run(engine, image, &["--hostname=box"], &["/cat", "/proc/sys/kernel/hostname"]));
        assert_eq!(hostname, "box", "{:?}", engine.kind());
        for shell in ["sh", "/bin/sh"] {
            let output = run(engine, image, &[], &[shell]);
            assert_eq!(output.status.code(), Some(127), "{:?}: {output:?}", engine.kind());
        }
    });
}

fn debian_comes_from_the_archive(kind: Kind) {
    let Some(engine) = Engine::new(kind).unwrap() else { return };
    let engine = &engine;
    let Some(image) = engine.image(Image::Debian).unwrap() else { return };
    let release = said(&run(
        engine,
        image,
        &[],
        &["sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME; dpkg --version"],
    ));
    assert!(release.starts_with("bookworm\nDebian 'dpkg'"), "{:?}: {release}", engine.kind());
}

#[test]
fn roots_podman_has_debian_from_the_archive() {
    debian_comes_from_the_archive(Kind::PodmanOfRoot);
}

#[test]
fn a_users_podman_has_debian_from_the_archive() {
    debian_comes_from_the_archive(Kind::PodmanOfUser);
}

#[test]
fn docker_has_debian_from_the_archive() {
    debian_comes_from_the_archive(Kind::Docker);
}

#[test]
fn an_engine_is_what_its_kind_says() {
    with_each(|engine| match engine.kind() {
        Kind::Docker => {
            assert_eq!(words(engine, &["info", "--format={{.Driver}} {{.ServerErrors}}"]), "overlay2 []");
        }
        kind => {
            let rootless = kind == Kind::PodmanOfUser;
            let format =
                "--format={{.Host.Security.Rootless}} {{.Host.ServiceIsRemote}} {{.Store.GraphDriverName}}";
            assert_eq!(words(engine, &["info", format]), format!("{rootless} false overlay"));
        }
    });
}

#[test]
fn a_program_finds_the_engine_by_path_and_variables_alone() {
    with_each(|engine| {
        let Some(image) = engine.image(Image::Tiny).unwrap() else { return };
        let expected = words(engine, &["image", "inspect", "--format={{.Id}}", image]);
        let mut script = engine.user().map_or_else(
            || Command::new("sh"),
            |user| {
                let mut command = Command::new("setpriv");
                command.args([
                    "--reuid",
                    &user.name,
                    "--regid",
                    &user.gid.to_string(),
                    "--init-groups",
                    "sh",
                ]);
                command
            },
        );
        // As somebody with a home of their own.
        let home = engine.folder().join("another-home");
        std::fs::create_dir(&home).unwrap();
        chown(&home, engine.user().map(|user| user.uid), None).unwrap();
        script
            .args(["-c", &format!("{} image inspect --format='{{{{.Id}}}}' {image}", engine.backend())])
            .env_clear()
            .env("HOME", home)
            .env("PATH", engine.path())
            .envs(engine.env().iter().cloned());
        assert_eq!(said(&script.output().unwrap()), expected, "{:?}", engine.kind());
    });
}

/// A container that does not end by itself, in the background; its first process on the host.
fn background(engine: &Engine, image: &str) -> OwnedFd {
    let id = words(engine, &["run", "--detach", "--pull=never", "--network=none", image, "sleep", "1000"]);
    process(&words(engine, &["inspect", "--format={{.State.Pid}}", &id]))
}

#[test]
fn what_runs_in_a_tests_own_podman_ends_with_it() {
    for kind in [Kind::PodmanOfRoot, Kind::PodmanOfUser] {
        let Some(engine) = Engine::new(kind).unwrap() else { continue };
        let Some(image) = engine.image(Image::Tiny).unwrap() else { continue };
        let (container, folder) = (background(&engine, image), engine.folder());
        assert!(runs(&container) && folder.is_dir());
        drop(engine);
        assert!(!runs(&container), "{kind:?}: the container outlives its engine");
        assert!(!folder.exists(), "{kind:?}: {} is left", folder.display());
        assert_eq!(mounts_below(&folder), 0, "{kind:?}");
    }
}

/// How many mounts of ours lie below a folder.
fn mounts_below(folder: &Path) -> usize {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.lines().filter(|line| line.contains(folder.to_str().unwrap())).count()
}

#[test]
fn a_daemon_of_a_tests_own_ends_with_it_and_so_do_its_containers() {
    let Some(engine) = Engine::docker_apart().unwrap() else { return };
    let Some(image) = engine.image(Image::Tiny).unwrap() else { return };
    let container = background(&engine, image);
    let pidfile = engine.pidfile().unwrap();
    let daemon = process(&std::fs::read_to_string(&pidfile).unwrap());
    let place = pidfile.parent().unwrap().to_owned();
    assert!(runs(&container) && runs(&daemon));
    drop(engine);
    assert!(!runs(&daemon), "the daemon is left");
    assert!(!runs(&container), "its container is left");
    assert!(!place.exists(), "{} is left", place.display());
    let left = Command::new("ps").args(["-eo", "args"]).stdin(Stdio::null()).output().unwrap();
    let left = String::from_utf8_lossy(&left.stdout).into_owned();
    let left: Vec<&str> = left.lines().filter(|line| line.contains(place.to_str().unwrap())).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_runs_daemon_is_one_and_a_tests_own_is_another() {
    let Some(first) = Engine::new(Kind::Docker).unwrap() else { return };
    let (second, own) =
        (Engine::new(Kind::Docker).unwrap().unwrap(), Engine::docker_apart().unwrap().unwrap());
    let id = |engine: &Engine| words(engine, &["info", "--format={{.ID}}"]);
    assert_eq!(id(&first), id(&second));
    assert_ne!(id(&first), id(&own));
    assert_eq!(words(&own, &["ps", "--all", "--quiet"]), "");
}

#[test]
fn podmen_of_two_tests_share_images_and_not_containers() {
    for kind in [Kind::PodmanOfRoot, Kind::PodmanOfUser] {
        let Some(first) = Engine::new(kind).unwrap() else { continue };
        let second = Engine::new(kind).unwrap().unwrap();
        let Some(image) = first.image(Image::Tiny).unwrap() else { continue };
        words(&first, &["create", "--pull=never", "--network=none", "--name=mine", image, "true"]);
        assert_eq!(words(&first, &["ps", "--all", "--format={{.Names}}"]), "mine", "{kind:?}");
        assert_eq!(words(&second, &["ps", "--all", "--format={{.Names}}"]), "", "{kind:?}");
        words(&second, &["image", "exists", image]);
    }
}
