use super::findings;
use crate::promises::parse;

const PROMISES: &str = "1. Nothing is read. Test: pending.\n2. Nothing is written. Test: pending.\n";
const ATTACKS: [[&str; 2]; 3] = [["read-key", "reading"], ["read-log", "reading"], ["write-key", "writing"]];

fn found(rows: &str) -> Vec<String> {
    findings(&format!("| promise | attacks |\n|---|---|\n{rows}"), &parse(PROMISES), &ATTACKS)
}

#[test]
fn a_class_stands_for_all_its_attacks() {
    assert_eq!(
        found("| 1. Nothing is read | `reading/` |\n| 2. Nothing | `write-key` |\n"),
        Vec::<String>::new()
    );
}

#[test]
fn what_is_lost_or_wrong_is_named() {
    let found = found("| 2. Nothing is read | `read-key` `writing/` `gone` `gone/` |\n");
    let has = |words: &str| found.iter().any(|finding| finding.contains(words));
    assert!(
        has("no promise `2. Nothing is read`") && has("no attack `gone`") && has("no attack `gone/`"),
        "{found:?}"
    );
    assert!(has("`read-log` stands behind no promise"), "{found:?}");
    assert_eq!(found.len(), 4, "{found:?}");
}
