//! The lab, run for real with the genuine CLI: what it says of ways that are known to lose is the positive
//! control for what it says of ours.

use std::path::Path;
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

#[test]
fn genuine_race_loses_with_copies_and_not_with_shared_logins() {
    let Some(claude) = require::claude_native().filter(|_| possible()) else { return };
    let (code, report) = lab(
        &claude,
        &["race", "--rounds", "1", "--sandboxes", "3", "--only", "copies", "--only", "coffer shared"],
    );
    // Each copy spends the one token, and one of them is first.
    let copies = row(&report, "how", "separate copies");
    assert_eq!((&copies["token_requests"], &copies["lost"]), (&3.into(), &2.into()), "{copies:#}");
    for how in ["coffer shared", "coffer shared, and one outside"] {
        let ours = row(&report, "how", how);
        assert_eq!(
            (&ours["lost"], &ours["wiped"], &ours["dead"]),
            (&0.into(), &0.into(), &0.into()),
            "{ours:#}"
        );
    }
    // Its exit code is its verdict.
    assert_eq!(report["well"], code == Some(0), "{report:#}");
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
