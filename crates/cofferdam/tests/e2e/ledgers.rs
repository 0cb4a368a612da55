//! `coffer ledger`: what is printed of it, and what its verdict is.

use camino::Utf8PathBuf;
use coffer_ledger::{Event, Ledger, Outcome};
use jiff::Timestamp;
use serde_json::json;

use crate::support::{Ran, Stage, run};

/// A ledger with three entries of two accounts.
fn filled(stage: &Stage) -> Ledger {
    let ledger = Ledger::new(&Utf8PathBuf::from_path_buf(stage.data().join("ledger")).unwrap());
    for (second, account) in [(0, "host"), (1, "dev"), (2, "host")] {
        let event = Event::RefreshEnded {
            account: account.to_owned(),
            outcome: Outcome::Transient,
            before: Some("sha256:0123456789ab".to_owned()),
            after: None,
            error: Some(format!("try \u{1b}[2J {second}")),
        };
        ledger.append(Timestamp::from_second(1_700_000_000 + second).unwrap(), event).unwrap();
    }
    ledger
}

fn ledger(stage: &Stage, words: &[&str]) -> Ran {
    run(stage.coffer(["ledger"]).args(words))
}

#[test]
fn the_ledger_is_shown_by_account_and_time() {
    let stage = Stage::new();
    ledger(&stage, &["show"]).prints("");
    ledger(&stage, &["verify"]).ends_with(0);
    filled(&stage);
    let ran = ledger(&stage, &["show", "--account", "host"]);
    ran.ends_with(0);
    assert_eq!(ran.text().lines().count(), 2, "{ran}");
    assert!(ran.text().starts_with("2023-11-14T22:13:20Z  refresh_ended  account=host"), "{ran}");
    assert!(!ran.text().contains('\u{1b}'), "{ran}");
    let shown = ledger(&stage, &["show", "--json", "--since", "2023-11-14T22:13:21Z"]).json();
    assert_eq!((&shown["schema"], &shown["unreadable"]), (&json!(1), &json!([])));
    assert_eq!(shown["entries"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown["entries"][0]["account"], "dev");
    ledger(&stage, &["show", "--since", "1h"]).prints("");
    ledger(&stage, &["show", "--since", "soon"]).refuses(2, "usage", "`soon` is no time", "--since 2h");
}

#[test]
fn a_changed_ledger_is_found_and_its_line_named() {
    let stage = Stage::new();
    let place = filled(&stage);
    let well = ledger(&stage, &["verify", "--json"]).json();
    assert_eq!((&well["ok"], &well["entries"], &well["broken"]), (&json!(true), &json!(3), &json!(null)));
    let text = std::fs::read_to_string(place.path()).unwrap();
    std::fs::write(place.path(), text.replacen("\"dev\"", "\"eve\"", 1)).unwrap();
    let ran = ledger(&stage, &["verify"]);
    ran.ends_with(1);
    assert!(ran.text().contains("broken at line 2: it was changed"), "{ran}");
    let ran = ledger(&stage, &["verify", "--json"]);
    ran.ends_with(1);
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(report["broken"], json!({"line": 2, "why": {"kind": "changed"}}));
    // A link in its place is named and not followed.
    std::fs::remove_file(place.path()).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.path()).unwrap();
    ledger(&stage, &["verify"]).refuses(1, "ledger", "is a link", "ls -ld");
    ledger(&stage, &["show"]).refuses(1, "ledger", "is a link", "ls -ld");
}
