//! The leak test of runs in containers: the same search, from inside and from outside.

use std::process::Command;

use coffer_testkit::engine::{Engine, Image, Kind};
use serde_json::json;

use super::{Planted, SEED, leaked, possible, report};
use crate::containers::{Place, stage, with_each};
use crate::support::run;

fn leaktest(place: &Place, words: &[&str]) -> Command {
    let own = ["leaktest", "--json", "--seed", SEED, "--kind", "subscription", "--network", "agent"];
    let backend = ["--backend", place.engine.backend(), "--image", place.image()];
    place.with_engine(place.stage.coffer([&own[..], &backend, words].concat()))
}

/// Root's engines: nobody else can look into a container from outside.
fn with_each_of_root(body: impl Fn(&Place)) {
    if possible() {
        with_each(Image::Tiny, |place| {
            if place.engine.kind() != Kind::PodmanOfUser {
                body(place);
            }
        });
    }
}

#[test]
fn a_container_with_nothing_of_the_login_is_clean() {
    with_each_of_root(|place| {
        for (auth, exposed) in [("gateway", false), ("lease", true)] {
            let command = ["--auth", auth, "--", "sh", "-c", "cat /run/coffer/lease/.c*; sleep 3"];
            let words = if exposed { &command[..] } else { &["--auth", auth, "--", "true"] };
            let ran = run(leaktest(place, words));
            let report = report(&ran, i32::from(exposed));
            let kind = place.engine.kind();
            if exposed {
                // What the agent prints is told, too: this one prints its lease.
                leaked(&report, "access token", ("inside", "output"), "as it is");
                let of_login = |list: &str| report[list].as_array().unwrap().clone();
                let all = of_login("exposed").into_iter().chain(of_login("leaks"));
                assert!(all.into_iter().all(|one| one["what"] == "access token"), "{kind:?}: {report:#}");
            } else {
                assert_eq!((&report["leaks"], &report["exposed"]), (&json!([]), &json!([])), "{kind:?}");
            }
            for (side, count) in
                [("inside", "memory_regions"), ("inside", "files"), ("outside", "memory_regions")]
            {
                assert!(report["searched"][side][count].as_u64() > Some(0), "{kind:?} {side}: {report:#}");
            }
        }
    });
}

#[test]
fn a_leak_that_is_planted_in_a_container_is_found() {
    let planted = Planted::new();
    with_each_of_root(|place| {
        place.stage.project_file("refresh", &planted.refresh);
        let report = report(&run(leaktest(place, &["--auth", "gateway", "--", "true"])), 1);
        leaked(&report, "refresh token", ("inside", "file"), "as it is");
    });
}

#[test]
fn what_cannot_be_looked_into_is_refused_with_the_way_out() {
    let refused = |kind: Kind, flags: &[&str], words: &str, hint: &str| {
        let Some(engine) = Engine::new(kind).unwrap() else { return };
        let Some(stage) = stage(kind) else { return };
        let own = ["leaktest", "--backend", engine.backend(), "--image", "localhost/tiny"];
        let mut command = stage.coffer([&own[..], flags, &["--", "true"]].concat());
        command.env("PATH", engine.path()).envs(engine.env().iter().cloned());
        run(command).refuses(2, "usage", words, hint);
    };
    refused(Kind::PodmanOfUser, &["--network", "agent"], "only root can look into", "--backend bwrap");
    refused(Kind::Docker, &["--network", "full"], "the real ones", "--network agent");
}
