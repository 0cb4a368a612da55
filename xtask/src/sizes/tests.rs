use std::collections::BTreeMap;

use super::{Exception, Rules, findings, is_test};

fn rules(exceptions: &[(&str, usize)]) -> Rules {
    let exception = exceptions.iter().map(|(path, lines)| Exception {
        path: (*path).to_owned(),
        lines: *lines,
        reason: "a table".to_owned(),
    });
    Rules { limit: 600, exception: exception.collect() }
}

fn sizes(files: &[(&str, usize)]) -> BTreeMap<String, usize> {
    files.iter().map(|(path, lines)| ((*path).to_owned(), *lines)).collect()
}

#[test]
fn a_file_at_the_limit_passes_and_one_line_more_does_not() {
    let found = findings(&rules(&[]), &sizes(&[("crates/a/src/lib.rs", 600), ("crates/b/src/lib.rs", 601)]));
    assert_eq!(found, ["crates/b/src/lib.rs: 601 lines, 600 are allowed: split it by what its parts do"]);
}

#[test]
fn an_exception_has_a_limit_of_its_own() {
    let files = sizes(&[("a.rs", 700), ("b.rs", 701)]);
    let found = findings(&rules(&[("a.rs", 700), ("b.rs", 700)]), &files);
    assert_eq!(found, ["b.rs: 701 lines, 700 are allowed: split it by what its parts do"]);
}

#[test]
fn an_exception_goes_when_its_file_has_shrunk_or_gone() {
    let found = findings(&rules(&[("a.rs", 700), ("gone.rs", 700)]), &sizes(&[("a.rs", 600)]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|finding| finding.ends_with("needs no exception any more")), "{found:?}");
}

#[test]
fn tests_are_told_by_their_place() {
    assert!(is_test("crates/a/src/plan/tests.rs"));
    assert!(is_test("crates/a/tests/golden.rs"));
    assert!(!is_test("crates/a/src/contests.rs"));
}
