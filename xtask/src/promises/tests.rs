use super::{Sources, findings, parse};

fn sources() -> Sources {
    let files = [
        ("crates/coffer-plan/src/check/tests.rs", "#[test]\nfn later_bind_is_refused() {}\n"),
        ("crates/coffer-plan/tests/golden/plain/plan.json", ""),
        ("crates/cofferdam/tests/run.rs", "#[test]\nfn exit_code_is_the_agents_own() {}\n"),
    ];
    Sources(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
}

#[test]
fn tests_may_be_named_by_module_file_function_in_a_file_or_folder() {
    let page = "\
# Promises
1. One. Test: `coffer_plan::check::tests::later_bind_is_refused`.
2. Two, over
   two lines. Tests: `crates/cofferdam/tests/run.rs`,
   `crates/cofferdam/tests/run.rs::exit_code_is_the_agents_own`.
3. Three. Test: `crates/coffer-plan/tests/golden/plain`.
4. Four. Test: pending.
";
    assert_eq!(findings(page, &sources()), Vec::<String>::new());
}

#[test]
fn a_name_that_only_begins_like_a_test_is_no_test() {
    let page = "1. One. Tests: `coffer_plan::check::tests::later_bind`, `cofferdam::later_bind_is_refused`,
   `crates/cofferdam/tests/gone.rs`, `crates/cofferdam/tests/run.rs::gone`.";
    let found = findings(page, &sources());
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.iter().all(|finding| finding.contains("no test `")), "{found:?}");
}

#[test]
fn a_promise_says_something_about_its_test() {
    let found = findings("1. One, which is pending.\n2. Two. Test: some day.\n", &sources());
    assert_eq!(
        found,
        [
            "docs/promises.md: promise 1 has no `Test: …`",
            "docs/promises.md: promise 2 names no test and does not say `pending`"
        ]
    );
}

#[test]
fn numbers_follow_one_another() {
    let found = findings("1. One. Test: pending\n3. Three. Test: pending\n", &sources());
    assert_eq!(found, ["docs/promises.md: promise 3 stands where 2 is due"]);
}

#[test]
fn a_page_without_promises_is_not_a_kept_promise() {
    assert_eq!(findings("# Promises\n", &sources()), ["docs/promises.md: no numbered promise found"]);
}

#[test]
fn a_heading_ends_an_item() {
    let promises = parse("1. One.\n## Later\nTest: pending\n");
    assert_eq!(promises.len(), 1);
    assert_eq!(promises[0].text, "One.");
}
