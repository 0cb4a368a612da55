//! What `coffer doctor` says of the engines: what is there, and what is missing with the fix.

use coffer_testkit::engine::{Image, Kind};
use serde_json::{Value, json};

use super::{LOGIN, Waiting, with_each};
use crate::support::{Stage, run};

/// What is said of one engine.
fn of(report: &Value, backend: &str) -> Value {
    let engines = report["engines"].as_array().unwrap();
    engines.iter().find(|engine| engine["backend"] == backend).unwrap().clone()
}

#[test]
fn an_engine_is_told_with_what_is_missing() {
    with_each(Image::Tiny, |place| {
        let mut command = place.stage.coffer(["doctor", "--json"]);
        command.env_remove("CONTAINER_HOST").env_remove("DOCKER_HOST");
        let ran = run(place.with_engine(command));
        let report: Value =
            serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
        let told = of(&report, place.engine.backend());
        let rootless = place.engine.kind() == Kind::PodmanOfUser;
        assert_eq!((&told["usable"], &told["rootless"]), (&json!(true), &json!(rootless)), "{told}");
        assert!(told["program"].is_string() && told["version"].is_string(), "{told}");
        // Nobody has built the agent's image.
        assert!(told["missing"].as_str().unwrap().contains("`localhost/coffer-claude:latest`"), "{told}");
        assert!(told["fix"].as_str().unwrap().contains("`coffer image build`"), "{told}");
        let mut text = place.stage.coffer(["doctor"]);
        text.env_remove("CONTAINER_HOST").env_remove("DOCKER_HOST");
        let text = run(place.with_engine(text)).text();
        assert!(text.contains(&format!("engine {}: usable (", place.engine.backend())), "{text}");
    });
}

#[test]
fn an_engine_that_cannot_be_used_is_told_and_no_failure() {
    let stage = Stage::new();
    let report: Value =
        serde_json::from_slice(&run(stage.coffer(["doctor", "--json"]).env("PATH", stage.home())).stdout)
            .unwrap();
    for backend in ["podman", "docker"] {
        let told = of(&report, backend);
        assert_eq!((&told["program"], &told["usable"]), (&Value::Null, &json!(false)), "{told}");
        assert!(told["fix"].as_str().unwrap().contains("apt-get install"), "{told}");
    }
    for name in ["podman", "docker"] {
        let program = stage.scratch.write_home(name, "#!/bin/sh\nexit 9\n").unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let text = run(stage.coffer(["doctor"]).env("PATH", stage.home())).text();
    assert!(
        text.contains("engine podman: not usable\n  missing: podman works at `unix:///nowhere"),
        "{text}"
    );
    assert!(text.contains("(DOCKER_HOST), and not on this machine"), "{text}");
}

#[test]
fn a_live_container_is_looked_into() {
    with_each(Image::Tiny, |place| {
        place.stage.scratch.write_home(".claude/.credentials.json", LOGIN).unwrap();
        let file = place.stage.home().join(".claude/.credentials.json");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let waiting = Waiting::new(place, &["--network", "none", "--auth", "lease"]);
        let [folder] = &place.live()[..] else { panic!("not one run") };
        let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let ran = run(place.with_engine(place.stage.coffer(["doctor", "--run", &id, "--json"])));
        let told = ran.keeps_secret(&["sk-ant-oat01-FAKE-access", "sk-ant-ort01-FAKE-refresh"]).json();
        let kind = place.engine.kind();
        assert_eq!((&told["run"], &told["uid"]), (&json!(id), &json!(place.uid())), "{kind:?}: {told}");
        let credentials = told["credentials"].as_array().unwrap();
        assert!(!credentials.is_empty(), "{kind:?}: {told}");
        let holds = |one: &Value| one["holds"] == "login" && one["refresh_token"] == false;
        assert!(credentials.iter().all(holds), "{kind:?}: {told}");
        waiting.ends().prints("went on\n");
    });
}
