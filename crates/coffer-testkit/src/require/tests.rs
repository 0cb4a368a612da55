use super::*;

#[test]
fn required_capabilities_are_matched_by_whole_name() {
    assert!(requires("claude, bwrap", "bwrap"));
    assert!(requires("all", "bwrap"));
    assert!(!requires("bwrap2,xbwrap", "bwrap"));
    assert!(!requires("", "bwrap"));
}

#[test]
fn a_forbidden_skip_fails_and_an_allowed_one_is_counted() {
    // The variables are those of a child of our own; a test's environment is never changed.
    if env::var_os("SKIP_CHILD").is_some() {
        skip("magic", "there is none");
        return;
    }
    let log = tempfile::NamedTempFile::new().unwrap();
    let child = |required: &str| {
        Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "require::tests::a_forbidden_skip_fails_and_an_allowed_one_is_counted",
                "--nocapture",
            ])
            .env("SKIP_CHILD", "1")
            .env("COFFER_TEST_REQUIRE", required)
            .env("COFFER_TEST_SKIP_LOG", log.path())
            .output()
            .unwrap()
    };
    assert!(!child("magic").status.success());
    assert!(!child("all").status.success());
    assert_eq!(std::fs::read_to_string(log.path()).unwrap(), "");
    let skipped = child("other");
    assert!(skipped.status.success(), "{skipped:?}");
    assert!(String::from_utf8_lossy(&skipped.stderr).contains("magic: there is none"), "{skipped:?}");
    assert_eq!(std::fs::read_to_string(log.path()).unwrap().lines().count(), 1);
}
