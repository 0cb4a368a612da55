//! Engines that cannot be used, and containers that dead runs left: each with its reason and the fix.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

use coffer_testkit::engine::{Engine, Image, Kind};

use rustix::process::{Pid, Signal, kill_process};

use super::{Place, Waiting, pipe, with_each};
use crate::support::{Ran, Stage, run};

#[test]
fn an_engine_that_is_not_there_or_elsewhere_is_refused_with_the_fix() {
    let stage = Stage::new();
    let on = |backend: &str| {
        let mut command = stage.run(["--backend", backend, "--image", "x", "--", "true"]);
        command.env("PATH", stage.scratch.root());
        command
    };
    run(&mut on("podman")).refuses(125, "backend-missing", "`podman` is not on the PATH", "install podman");
    run(&mut on("docker")).refuses(125, "backend-missing", "`docker` is not on the PATH", "docker.io");
    // A program of that name, which is never asked when its daemon is another machine's.
    for name in ["podman", "docker"] {
        let program = stage.scratch.root().join(name);
        std::fs::write(&program, "#!/bin/sh\nexit 9\n").unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let remote = run(on("docker").env("DOCKER_HOST", "ssh://elsewhere"));
    remote.refuses(125, "engine-remote", "`ssh://elsewhere` (DOCKER_HOST)", "DOCKER_HOST");
    let remote = run(on("podman").env("CONTAINER_HOST", "ssh://elsewhere/run/x"));
    remote.refuses(125, "engine-remote", "(CONTAINER_HOST)", "CONTAINER_HOST");
    let down = format!("unix://{}", stage.scratch.root().join("none.sock").display());
    run(on("docker").env("DOCKER_HOST", down)).refuses(
        125,
        "engine-down",
        "does not answer",
        "systemctl start",
    );
    run(&mut on("podman")).refuses(125, "engine-failed", "`podman info", "by hand");
}

#[test]
fn a_socket_that_is_not_theirs_is_named_with_the_group() {
    let Some(engine) = Engine::new(Kind::Docker).unwrap() else { return };
    let Some(stage) = Stage::of_ordinary_user() else { return };
    let mut command = stage.run(["--backend", "docker", "--image", "x", "--", "true"]);
    command.env("PATH", engine.path()).envs(engine.env().iter().cloned());
    run(&mut command).refuses(125, "engine-not-permitted", "may not talk to docker", "usermod -aG docker");
}

#[test]
fn nothing_is_pulled() {
    with_each(Image::Tiny, |place| {
        let missing =
            ["--backend", place.engine.backend(), "--image", "localhost/no-such-image", "--", "true"];
        let mut command = place.with_engine(place.stage.run(missing));
        run(&mut command).refuses(125, "image-missing", "`localhost/no-such-image`", "`coffer image build`");
        let default = place.with_engine(place.stage.run(["--backend", place.engine.backend()]));
        run(default).refuses(125, "image-missing", "`localhost/coffer-claude:latest`", "--image REF");
    });
}

/// A container that a run left, and what it wrote down. Its lock is nobody's.
fn left_behind(place: &Place, id: &str, is_ours: bool) -> File {
    let runs = place.runs();
    // The first run makes the folder, as its user.
    place.inside(&["--network", "none"], "true").ends_with(0);
    let name = format!("coffer-{id}");
    let mut container = place.engine.command();
    let label = runs.parent().unwrap().to_str().unwrap().to_owned();
    container.args(["run", "--detach", "--name", &name, "--pull", "never", "--network", "none"]);
    container.args(["--label", &format!("cofferdam.runtime={}", if is_ours { &label } else { "/other" })]);
    run(container.args([place.image, "sleep", "1000"])).ends_with(0);
    let folder = runs.join(id);
    std::fs::create_dir(&folder).unwrap();
    let connection = match place.engine.env().iter().find(|(name, _)| name == "DOCKER_HOST") {
        Some((_, at)) => format!("[\"--host\", {:?}]", at.to_str().unwrap()),
        None => "[]".to_owned(),
    };
    let (program, kind) = (program(place), place.engine.backend());
    let mut variables = BTreeMap::from([("HOME", place.stage.home().to_str().unwrap().to_owned())]);
    variables.insert("PATH", place.engine.path().into_string().unwrap());
    let own = place.engine.env().iter();
    variables.extend(own.map(|(name, value)| (name.to_str().unwrap(), value.to_str().unwrap().to_owned())));
    let variables = serde_json::to_string(&variables).unwrap();
    let engine = format!("{{\"kind\": \"{kind}\", \"connection\": {connection}}}");
    let note = format!(
        "{{\"program\": {program:?}, \"engine\": {engine}, \"name\": \"{name}\", \"label\": {label:?}, \"variables\": {variables}}}"
    );
    std::fs::write(folder.join("container.json"), note).unwrap();
    let lock = File::create(runs.join(format!("{id}.lock"))).unwrap();
    for path in [folder.join("container.json"), folder, runs.join(format!("{id}.lock"))] {
        std::os::unix::fs::chown(path, Some(place.uid()), None).unwrap();
    }
    lock
}

fn program(place: &Place) -> String {
    let named = place.engine.program();
    let path = place.engine.path();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join(&named));
    found.find(|path| path.is_file()).unwrap().to_str().unwrap().to_owned()
}

/// Puts a program of the engine's name first on the PATH, which does this before and after the real one makes a container.
/// Every other command of the engine is as it was.
fn around(place: &Place, before: &str, after: &str) -> OsString {
    let folder = place.stage.scratch.root().join("around");
    std::fs::create_dir_all(&folder).unwrap();
    let wrapper = folder.join(place.engine.backend());
    let real = program(place);
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' run '*) ;; *) exec {real} \"$@\";; esac\n{before}\n{real} \"$@\"\ncode=$?\n{after}\nexit $code\n"
    );
    std::fs::write(&wrapper, script).unwrap();
    std::fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).unwrap();
    std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&place.engine.path()))).unwrap()
}

#[test]
fn an_engines_client_that_hangs_is_ended_and_the_container_removed() {
    with_each(Image::Tiny, |place| {
        // Nobody ever writes there.
        let path = around(place, "", &format!("read word <{}", pipe(place, "never").display()));
        let mut command = place.run(&["--network", "none"]);
        let ran = run(command.env("PATH", path).args(["--", "sh", "-c", "echo here; exit 3"]));
        ran.ends_with(3);
        assert_eq!(ran.text(), "here\n");
        assert_eq!(place.own_containers(), "", "{:?}", place.engine.kind());
    });
}

#[test]
fn ctrl_c_leaves_nothing_at_any_stage() {
    with_each(Image::Tiny, |place| {
        let (there, go, never) = (pipe(place, "begun"), pipe(place, "may-go"), pipe(place, "never"));
        let starts = |path: OsString, script: &str| {
            let mut command = place.run(&["--network", "none"]);
            command.env("PATH", path).args(["--", "sh", "-c", script]);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            assert_eq!(std::fs::read_to_string(&there).unwrap(), "x\n");
            (Pid::from_child(&child), child)
        };
        let left_nothing = |child: Child, code: i32| {
            Ran::from(child.wait_with_output().unwrap()).ends_with(code);
            assert_eq!(
                (place.own_containers().as_str(), place.live()),
                ("", Vec::new()),
                "{:?}",
                place.engine.kind()
            );
        };
        // The engine has not begun: what it makes then finds nobody at the door.
        let before = format!("echo x >{}; read word <{}", there.display(), go.display());
        let (coffer, child) = starts(around(place, &before, ""), "echo never; read word <never");
        kill_process(coffer, Signal::INT).unwrap();
        std::fs::write(&go, "go\n").unwrap();
        left_nothing(child, 130);
        // The agent runs.
        let (coffer, child) = starts(place.engine.path(), "echo x >begun; read word <never");
        kill_process(coffer, Signal::INT).unwrap();
        left_nothing(child, 130);
        // It has ended, and the engine does not: it is not waited for after the second time.
        let after = format!("echo x >{}; read word <{}", there.display(), never.display());
        let (coffer, child) = starts(around(place, "", &after), "exit 4");
        kill_process(coffer, Signal::INT).unwrap();
        kill_process(coffer, Signal::TERM).unwrap();
        left_nothing(child, 4);
    });
}

#[test]
fn a_paused_container_does_not_keep_its_run_from_ending() {
    for kind in [Kind::PodmanOfRoot, Kind::Docker] {
        let Some(place) = Place::new(kind, Image::Tiny) else { continue };
        let waiting = Waiting::new(&place, &["--network", "none"]);
        let [folder] = &place.live()[..] else { panic!("not one run") };
        let name = format!("coffer-{}", folder.file_name().unwrap().to_str().unwrap());
        run(place.engine.command().args(["pause", &name])).ends_with(0);
        kill_process(Pid::from_child(&waiting.child), Signal::TERM).unwrap();
        let ran = Ran::from(waiting.child.wait_with_output().unwrap());
        ran.ends_with(143);
        assert!(!place.containers().contains(&name), "{}", place.containers());
    }
}

#[test]
fn what_a_dead_run_left_is_removed_at_the_next_start_and_a_live_ones_is_not() {
    with_each(Image::Tiny, |place| {
        let dead = left_behind(place, "00000000deadbeef", true);
        drop(dead);
        // Somebody else's, of a name that our runs have.
        drop(left_behind(place, "000000000ther000", false));
        let live = left_behind(place, "0000000011feb0a7", true);
        live.lock().unwrap();
        place.inside(&["--network", "none"], "true").ends_with(0);
        let containers = place.containers();
        assert!(!containers.contains("coffer-00000000deadbeef"), "{containers}");
        assert!(containers.contains("coffer-0000000011feb0a7"), "{containers}");
        assert!(containers.contains("coffer-000000000ther000"), "{containers}");
        run(place.engine.command().args(["rm", "--force", "coffer-000000000ther000"])).ends_with(0);
        assert!(!Path::new(&place.runs().join("00000000deadbeef")).exists());
        drop(live);
        place.inside(&["--network", "none"], "true").ends_with(0);
        assert!(!place.containers().contains("coffer-0000000011feb0a7"), "{}", place.containers());
    });
}
