//! The lab, run for real with the genuine CLI: what it says of ways that are known to lose is the positive
//! control for what it says of ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use coffer_testkit::{netns, require};
use serde_json::Value;

use crate::support::{Stage, run, sandboxes};

/// `coffer lab` with this CLI, as JSON, and its exit code.
fn lab(claude: &Path, words: &[&str]) -> (Option<i32>, Value) {
    let stage = Stage::new();
    let mut command: Command = stage.command(env!("CARGO_BIN_EXE_coffer"));
    command.arg("lab").args(words).arg("--json").arg("--claude").arg(claude);
    let ran = run(&mut command);
    let json = serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    (ran.code, json)
}

fn row<'a>(report: &'a Value, column: &str, text: &str) -> &'a Value {
    let rows = report["tables"][0]["rows"].as_array().unwrap();
    rows.iter().find(|row| row[column] == text).unwrap_or_else(|| panic!("no `{text}` in {report:#}"))
}

fn possible() -> bool {
    sandboxes() && require::capability("netns", netns::available())
}

/// One round of all ways but the slow ones, with three sandboxes.
fn race_is_lost_by_copies_alone(claude: Option<PathBuf>, shares: bool) {
    let (Some(claude), Some(native)) = (claude, require::claude_native()) else { return };
    if !possible() {
        return;
    }
    // No line is of this name: it only tells the version.
    let (_, none) = lab(&claude, &["race", "--only", "no such way"]);
    let version = none["clients"][0]["version"].as_str().unwrap();
    let (copies, coffer) = (format!("{version} separate copies"), format!("{version} coffer"));
    let mut words = vec!["race", "--rounds", "1", "--sandboxes", "3", "--only", &copies, "--only", &coffer];
    // The keeper may need another client than the sandboxes have.
    let native = native.to_str().unwrap();
    if !shares {
        words.extend(["--claude", native]);
    }
    let (code, report) = lab(&claude, &words);
    // Each copy spends the one token, some clients twice, and one of them is first.
    let copies = row(&report, "how", "separate copies");
    assert!(copies["token_requests"].as_u64() >= Some(3), "{copies:#}");
    assert_eq!(copies["lost"], 2, "{copies:#}");
    let ways = ["coffer lease", "coffer shared", "coffer lease and shared mixed"];
    for (how, outside) in ways.into_iter().flat_map(|how| [(how, false), (how, true)]) {
        let how = if outside { format!("{how}, and one outside") } else { how.to_owned() };
        let ours = row(&report, "how", &how);
        assert_eq!(ours["as_it_must_be"], true, "{ours:#}");
        // Where all are refused and nobody is outside, nobody asks.
        let asked = u64::from(shares || how != "coffer shared");
        assert_eq!((&ours["token_requests"], &ours["lost"]), (&asked.into(), &0.into()), "{ours:#}");
    }
    // Its exit code is its verdict.
    assert_eq!((report["well"].as_bool(), code), (Some(true), Some(0)), "{report:#}");
}

#[test]
fn race_is_lost_by_copies_alone_genuine_native() {
    race_is_lost_by_copies_alone(require::claude_native(), true);
}

#[test]
fn race_is_lost_by_copies_alone_genuine_js() {
    race_is_lost_by_copies_alone(require::claude_js(), false);
}

#[test]
fn genuine_mounts_that_cannot_save_burn_the_login() {
    let Some(claude) = require::claude_native().filter(|_| possible()) else { return };
    let (code, report) = lab(&claude, &["mounts"]);
    assert_eq!(code, Some(0));
    for (how, burned) in [
        ("folder, read-write", false),
        ("folder, read-only", false),
        ("single file, read-only", true),
        ("symbolic link to the file", true),
        ("copy of the file", true),
    ] {
        assert_eq!(row(&report, "how", how)["burned"], burned, "{how}: {report:#}");
        assert_eq!(row(&report, "how", how)["host_good_after_it"], !burned, "{how}: {report:#}");
    }
}

#[test]
fn genuine_question_at_a_closed_door_refreshes_without_a_model_call() {
    let Some(claude) = require::claude_native().filter(|_| possible()) else { return };
    let (code, report) = lab(&claude, &["expiry"]);
    assert_eq!(code, Some(0), "{report:#}");
    for (ends, requests) in [("60 s ago", 1), ("in 290 s", 1), ("in 310 s", 0), ("not there", 0)] {
        assert_eq!(row(&report, "expiresAt", ends)["token_requests"], requests, "{ends}: {report:#}");
    }
}
