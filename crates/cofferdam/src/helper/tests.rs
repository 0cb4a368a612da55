use std::time::Duration;

use camino::Utf8Path;

use super::{HelperError, MAX_BYTES, run, run_within};

fn shell(script: &str) -> Result<Vec<u8>, HelperError> {
    run(Utf8Path::new("/bin/sh"), &["-c".to_owned(), script.to_owned()]).map(|key| key.to_vec())
}

#[test]
fn what_it_prints_is_the_key() {
    assert_eq!(shell("echo sk-ant-api03-FAKE-1").unwrap(), b"sk-ant-api03-FAKE-1");
    assert_eq!(shell("printf ' x '").unwrap(), b"x");
}

#[test]
fn it_has_no_input_to_read() {
    assert_eq!(shell("cat; echo x").unwrap(), b"x");
}

#[test]
fn what_is_no_key_is_refused_without_being_repeated() {
    assert!(matches!(shell("true"), Err(HelperError::Nothing)));
    assert!(matches!(shell("echo CANARY; exit 3"), Err(HelperError::Failed(_))));
    assert!(matches!(shell("echo CANARY; echo CANARY"), Err(HelperError::TooMuch)));
    let endless = shell("while :; do echo CANARY; done");
    assert!(matches!(endless, Err(HelperError::TooMuch)));
    let long = format!("head -c {} /dev/zero | tr '\\0' x", MAX_BYTES + 1);
    assert!(matches!(shell(&long), Err(HelperError::TooMuch)));
    let error = shell("echo CANARY; exit 3").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("CANARY"));
    assert!(matches!(run(Utf8Path::new("/nowhere"), &[]), Err(HelperError::Start(_))));
}

#[test]
fn one_that_does_not_end_is_ended() {
    let script = ["-c".to_owned(), "exec sleep 1000".to_owned()];
    let slow = run_within(Utf8Path::new("/bin/sh"), &script, Duration::from_millis(50));
    assert!(matches!(slow, Err(HelperError::TooSlow)));
}
