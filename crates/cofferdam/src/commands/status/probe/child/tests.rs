use super::*;

const SOON: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_secs(60);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn an_answer_comes_whole() {
    let Answer::Ended(said) = answer(shell("printf one; printf two"), LATE).unwrap() else { panic!() };
    assert_eq!(said, b"onetwo");
}

#[test]
fn who_takes_too_long_is_ended_with_all_that_it_started() {
    let pipe = tempfile::tempdir().unwrap();
    let pipe = pipe.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    // Opened without waiting for a writer; read with waiting, until the last writer is gone.
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let reader = rustix::fs::open(&pipe, flags, rustix::fs::Mode::empty()).unwrap();
    let script = format!("(echo in; exec sleep 600) >{} & wait", pipe.display());
    assert!(matches!(answer(shell(&script), SOON).unwrap(), Answer::TookTooLong));
    rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::empty()).unwrap();
    let mut said = String::new();
    std::fs::File::from(reader).read_to_string(&mut said).unwrap();
    assert_eq!(said, "in\n");
}

#[test]
fn who_talks_without_end_is_not_listened_to_for_ever() {
    let Answer::Ended(said) = answer(shell("yes"), LATE).unwrap() else { panic!() };
    assert!(said.len() > MAX_ANSWER && said.len() < 2 * MAX_ANSWER);
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    assert!(answer(Command::new("/nonexistent/program"), LATE).is_err());
}
