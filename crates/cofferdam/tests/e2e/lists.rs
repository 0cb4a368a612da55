//! `coffer ps`, `coffer stop` and `coffer logs`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::support::{Stage, run, sandboxes};

/// A run that has said that it is up.
fn up(stage: &Stage, script: &str) -> Child {
    let mut command =
        stage.run(["--network", "none", "--", "sh", "-c", &format!("{script} echo up; exec cat")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    child
}

fn listed(stage: &Stage) -> Vec<serde_json::Value> {
    run(stage.coffer(["ps", "--json"])).json()["runs"].as_array().unwrap().clone()
}

#[test]
fn live_runs_are_listed_and_end_when_they_are_told() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    assert!(run(stage.coffer(["ps"])).ends_with(0).stderr.contains("Nothing runs."));
    let mut children = [up(&stage, ""), up(&stage, "")];
    let found = listed(&stage);
    assert_eq!(found.len(), 2, "{found:?}");
    let project = stage.project();
    for one in &found {
        let words = ["agent", "account", "backend", "status"].map(|name| one[name].as_str().unwrap());
        assert_eq!(words, ["claude", "host", "bwrap", "running"], "{one}");
        assert_eq!(one["project"], project.to_str().unwrap());
        assert!(one["pid"].is_u64() && one["started_at"].as_str().unwrap().ends_with('Z'), "{one}");
    }
    let id = |at: usize| found[at]["id"].as_str().unwrap().to_owned();
    assert!(run(stage.coffer(["ps"])).text().contains(&id(0)));
    // A name that is nobody's ends nobody, also beside one that is somebody's.
    run(stage.coffer(["stop", &id(0), "nobody"])).refuses(2, "no-such-run", "`nobody`", "coffer ps");
    run(stage.coffer(["stop", ""])).refuses(2, "no-such-run", "``", "coffer ps");
    assert_eq!(listed(&stage).len(), 2);
    let begun = run(stage.coffer(["logs", &id(0)[..12]]));
    assert!(
        begun.ends_with(0).text().contains("run_started") && !begun.text().contains("run_ended"),
        "{begun}"
    );
    run(stage.coffer(["logs", "nobody"])).refuses(2, "no-such-run", "`nobody`", "coffer ps");
    run(stage.coffer(["stop", &id(0)[..12]])).ends_with(0);
    // Of one that has ended, by its whole id.
    let events = run(stage.coffer(["logs", &id(0), "--json"])).json()["entries"].clone();
    let last = events.as_array().unwrap().last().unwrap();
    assert_eq!((last["event"].as_str(), last["code"].as_i64()), (Some("run_ended"), Some(143)), "{last}");
    let codes: Vec<_> = children.iter_mut().map(|child| child.try_wait().unwrap()).collect();
    let ended: Vec<_> = codes.iter().flatten().map(|status| status.code()).collect();
    assert_eq!(ended, [Some(143)], "one of them alone");
    assert_eq!(listed(&stage).iter().map(|one| one["id"].as_str().unwrap()).collect::<Vec<_>>(), [id(1)]);
    run(stage.coffer(["stop", &id(1)])).ends_with(0);
    assert!(children.iter_mut().all(|child| child.wait().unwrap().code() == Some(143)));
}

#[test]
fn a_run_that_does_not_end_is_killed_and_the_next_start_removes_what_is_left() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let mut child = up(&stage, "trap '' TERM;");
    let id = listed(&stage)[0]["id"].as_str().unwrap().to_owned();
    let stopped = run(stage.coffer(["stop", "--time", "0", &id]));
    assert!(stopped.ends_with(0).stderr.contains("was killed"), "{stopped}");
    assert!(child.wait().unwrap().code().is_none());
    assert!(listed(&stage).is_empty());
    let runs = stage.scratch.runtime().join("cofferdam/runs");
    let is_clean = || runs.read_dir().unwrap().all(|entry| entry.unwrap().file_name() == ".holds");
    // Its sandbox goes with it, and a start that comes before that leaves the rest to the one after it.
    for _ in 0..20 {
        if is_clean() {
            break;
        }
        stage.inside(&["--network", "none"], "true").ends_with(0);
    }
    assert!(is_clean(), "{:?}", runs.read_dir().unwrap().collect::<Vec<_>>());
    assert!(!stage.project().join(".vscode").exists(), "places that it held are given back");
}
