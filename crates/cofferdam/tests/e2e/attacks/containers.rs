//! The same attacks on containers. The engine is in the machine that is attacked, with its daemon and all it keeps: what
//! comes through one of its walls meets nothing of the real machine.

use coffer_testkit::attack::scene::hosts;
use coffer_testkit::attack::world;
use coffer_testkit::engine::{Engine, Image, Kind};
use expect_test::expect_file;

use super::{ROOTS_ALONE, judged};
use crate::containers::stage;
use crate::support::run;

fn attacked(test: &str, kind: Kind) -> Option<String> {
    if !world::inside(test, &hosts()) {
        return None;
    }
    let engine = Engine::apart(kind).unwrap()?;
    let image = engine.image(Image::Debian).unwrap()?;
    let stage = stage(kind)?;
    let words = ["doctor", "--attack", "--inside", "--json", "--backend", engine.backend(), "--image", image];
    let mut command = stage.coffer(words);
    command.env_remove("CONTAINER_HOST").env("PATH", engine.path()).envs(engine.env().iter().cloned());
    let also = if kind == Kind::PodmanOfUser { ROOTS_ALONE } else { &[] };
    Some(judged(&stage, run(command), also))
}

#[test]
fn roots_podman_holds_but_for_what_the_plan_grants() {
    let test = "attacks::containers::roots_podman_holds_but_for_what_the_plan_grants";
    if let Some(table) = attacked(test, Kind::PodmanOfRoot) {
        expect_file!["../../golden/attacks-in-podman-of-root.txt"].assert_eq(&table);
    }
}

#[test]
fn a_users_podman_holds_but_for_what_the_plan_grants() {
    let test = "attacks::containers::a_users_podman_holds_but_for_what_the_plan_grants";
    if let Some(table) = attacked(test, Kind::PodmanOfUser) {
        expect_file!["../../golden/attacks-in-podman-of-user.txt"].assert_eq(&table);
    }
}

#[test]
fn docker_holds_but_for_what_the_plan_grants() {
    let test = "attacks::containers::docker_holds_but_for_what_the_plan_grants";
    if let Some(table) = attacked(test, Kind::Docker) {
        expect_file!["../../golden/attacks-in-docker.txt"].assert_eq(&table);
    }
}
