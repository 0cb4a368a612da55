//! Engines that cannot be used, and containers that dead runs left: each with its reason and the fix.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use coffer_testkit::engine::{Engine, Image, Kind};

use super::{Place, with_each};
use crate::support::{Stage, run};

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
fn left_behind(place: &Place, id: &str) -> File {
    let runs = place.runs();
    // The first run makes the folder, as its user.
    place.inside(&["--network", "none"], "true").ends_with(0);
    let name = format!("coffer-{id}");
    let mut container = place.engine.command();
    container.args(["run", "--detach", "--name", &name, "--pull", "never", "--network", "none"]);
    run(container.args([place.image, "sleep", "1000"])).ends_with(0);
    let folder = runs.join(id);
    std::fs::create_dir(&folder).unwrap();
    let connection = match place.engine.env().iter().find(|(name, _)| name == "DOCKER_HOST") {
        Some((_, at)) => format!("[\"--host\", {:?}]", at.to_str().unwrap()),
        None => "[]".to_owned(),
    };
    let (program, kind) = (program(place), place.engine.backend());
    let note = format!(
        "{{\"program\": {program:?}, \"engine\": {{\"kind\": \"{kind}\", \"connection\": {connection}}}, \"name\": \"{name}\"}}"
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

#[test]
fn what_a_dead_run_left_is_removed_at_the_next_start_and_a_live_ones_is_not() {
    with_each(Image::Tiny, |place| {
        let dead = left_behind(place, "00000000deadbeef");
        drop(dead);
        let live = left_behind(place, "0000000011feb0a7");
        live.lock().unwrap();
        place.inside(&["--network", "none"], "true").ends_with(0);
        let containers = place.containers();
        assert!(!containers.contains("coffer-00000000deadbeef"), "{containers}");
        assert!(containers.contains("coffer-0000000011feb0a7"), "{containers}");
        assert!(!Path::new(&place.runs().join("00000000deadbeef")).exists());
        drop(live);
        place.inside(&["--network", "none"], "true").ends_with(0);
        assert!(!place.containers().contains("coffer-0000000011feb0a7"), "{}", place.containers());
    });
}
