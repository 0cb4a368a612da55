//! Writers that are processes of their own: many at once, killed, out of room, and under odd umasks.
//!
//! A test starts itself again as a writer: what it is to do stands in the environment.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_ledger::{Event, Filter, Ledger, LedgerError};
use coffer_testkit::require;
use jiff::Timestamp;

const FOLDER: &str = "COFFER_LEDGER_TEST_FOLDER";
const NAME: &str = "COFFER_LEDGER_TEST_NAME";
const COUNT: &str = "COFFER_LEDGER_TEST_COUNT";
/// How large the ledger may get: the write that would pass it is cut short, and the next one is refused.
const LIMIT: &str = "COFFER_LEDGER_TEST_LIMIT";

fn event(name: &str, number: usize) -> Event {
    Event::LockSwept { path: Utf8PathBuf::from(format!("/{name}/{number}")), proof: "x".repeat(number % 50) }
}

/// Does what a writer is to do, and says each number behind its entry. False: we are no writer, but the test.
fn writes() -> bool {
    let (Ok(folder), Ok(name)) = (std::env::var(FOLDER), std::env::var(NAME)) else { return false };
    let count: usize = std::env::var(COUNT).unwrap().parse().unwrap();
    let ledger = Ledger::new(Utf8Path::new(&folder));
    if let Ok(limit) = std::env::var(LIMIT) {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let limit = Some(limit.parse().unwrap());
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
        setrlimit(Resource::Fsize, Rlimit { current: limit, maximum: limit }).unwrap();
    }
    for number in 0..count {
        match ledger.append(Timestamp::UNIX_EPOCH, event(&name, number)) {
            Ok(_) => say(&format!("wrote {number}")),
            Err(LedgerError::Io { source, .. }) => {
                say(&format!("failed {number} {}", source.raw_os_error().unwrap()));
                return true;
            }
            Err(error) => panic!("{error}"),
        }
    }
    true
}

/// The test runner's own words stand on the same stream, so a line is begun anew.
fn say(words: &str) {
    std::io::stdout().write_all(format!("\n{words}\n").as_bytes()).unwrap();
}

fn writer(test: &str, folder: &Path, name: &str, count: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    describe(&mut command, folder, name, count);
    command.args([test, "--exact", "--nocapture"]).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// The same behind a shell script, whose `"$@"` is the writer.
fn scripted(test: &str, folder: &Path, name: &str, count: usize, script: &str) -> Command {
    let mut command = Command::new("sh");
    describe(&mut command, folder, name, count);
    command.args(["-euc", script, "sh"]).arg(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

fn describe(command: &mut Command, folder: &Path, name: &str, count: usize) {
    command.env(FOLDER, folder).env(NAME, name).env(COUNT, count.to_string());
}

/// What a writer said that it wrote, up to its end or to `enough`.
fn acknowledged(child: &mut Child, enough: usize) -> Vec<usize> {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
    let numbers = lines.filter_map(|line| line.strip_prefix("wrote ").and_then(|n| n.parse().ok()));
    numbers.take(enough).collect()
}

fn ledger(folder: &Path) -> Ledger {
    Ledger::new(&Utf8PathBuf::from_path_buf(folder.to_owned()).unwrap())
}

/// All events in the ledger, as text, after it was verified.
fn events(ledger: &Ledger) -> Vec<String> {
    let verified = ledger.verify().unwrap();
    assert_eq!(verified.broken, None);
    let lines = ledger.read(Filter::default()).unwrap().map(|line| line.unwrap().unwrap());
    let events: Vec<String> = lines.map(|line| line.text("path").unwrap_or(&line.event).to_owned()).collect();
    assert_eq!(events.len() as u64, verified.entries);
    events
}

fn count(events: &[String], name: &str, number: usize) -> usize {
    events.iter().filter(|event| **event == format!("/{name}/{number}")).count()
}

#[test]
fn eight_writers_at_once_lose_nothing_and_write_nothing_twice() {
    if writes() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "eight_writers_at_once_lose_nothing_and_write_nothing_twice";
    let names: Vec<String> = (0..8).map(|number| format!("w{number}")).collect();
    let children: Vec<Child> =
        names.iter().map(|name| writer(test, folder.path(), name, 200).spawn().unwrap()).collect();
    for mut child in children {
        assert_eq!(acknowledged(&mut child, usize::MAX).len(), 200);
        assert!(child.wait().unwrap().success());
    }
    let events = events(&ledger(folder.path()));
    assert_eq!(events.len(), 1600);
    for name in &names {
        let own: Vec<&String> =
            events.iter().filter(|event| event.starts_with(&format!("/{name}/"))).collect();
        let due: Vec<String> = (0..200).map(|number| format!("/{name}/{number}")).collect();
        assert!(own.iter().copied().eq(due.iter()), "{name}: each once and in its order");
    }
}

#[test]
fn writers_that_are_killed_leave_what_they_told_and_a_chain_that_holds() {
    if writes() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "writers_that_are_killed_leave_what_they_told_and_a_chain_that_holds";
    let ledger = ledger(folder.path());
    let mut told = Vec::new();
    for round in 0..20 {
        let names = [format!("a{round}"), format!("b{round}")];
        let children: Vec<Child> =
            names.iter().map(|name| writer(test, folder.path(), name, 100_000).spawn().unwrap()).collect();
        for (name, mut child) in names.iter().zip(children) {
            // The instant is as random as two processes on one lock are.
            let mut numbers = acknowledged(&mut child, 1 + (round * 7) % 23);
            child.kill().unwrap();
            numbers.extend(acknowledged(&mut child, usize::MAX));
            assert_eq!(child.wait().unwrap().signal(), Some(9));
            told.extend(numbers.into_iter().map(|number| (name.clone(), number)));
        }
        ledger.append(Timestamp::UNIX_EPOCH, event("control", round)).unwrap();
        let events = events(&ledger);
        assert_eq!(count(&events, "control", round), 1);
    }
    let events = events(&ledger);
    for (name, number) in told {
        assert_eq!(count(&events, &name, number), 1, "{name} {number}");
    }
}

#[test]
fn a_writer_killed_in_the_middle_of_a_line_is_recovered_from() {
    if writes() {
        return;
    }
    let test = "a_writer_killed_in_the_middle_of_a_line_is_recovered_from";
    for length in [1, 2, 40, 100, 150] {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        ledger.append(Timestamp::UNIX_EPOCH, event("before", 0)).unwrap();
        let size = ledger.path().metadata().unwrap().len();
        // The kernel ends the first write after so many bytes; the second one brings SIGXFSZ, which kills.
        let mut child = writer(test, folder.path(), "killed", 1);
        let mut child = child.env(LIMIT, (size + length).to_string()).spawn().unwrap();
        assert!(acknowledged(&mut child, 1).is_empty());
        assert_eq!(child.wait().unwrap().signal(), Some(25));
        assert_eq!(ledger.verify().unwrap().unfinished, length);
        ledger.append(Timestamp::UNIX_EPOCH, event("after", 0)).unwrap();
        assert_eq!(events(&ledger), ["/before/0", "recovered", "/after/0"]);
    }
}

#[test]
fn a_write_that_is_refused_half_way_is_taken_back() {
    if writes() {
        return;
    }
    let test = "a_write_that_is_refused_half_way_is_taken_back";
    for length in [0, 1, 100, 150] {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        ledger.append(Timestamp::UNIX_EPOCH, event("before", 0)).unwrap();
        let before = std::fs::read(ledger.path()).unwrap();
        let limit = before.len() + length;
        let mut child = scripted(test, folder.path(), "refused", 1, "trap '' XFSZ; exec \"$@\"");
        let output = child.env(LIMIT, limit.to_string()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("failed 0 27"), "EFBIG: {said}");
        assert_eq!(std::fs::read(ledger.path()).unwrap(), before);
        ledger.append(Timestamp::UNIX_EPOCH, event("after", 0)).unwrap();
        assert_eq!(events(&ledger), ["/before/0", "/after/0"]);
    }
}

#[test]
fn a_full_disk_is_told_and_the_chain_holds() {
    if writes() {
        return;
    }
    if !require::root() {
        return;
    }
    let test = "a_full_disk_is_told_and_the_chain_holds";
    let folder = tempfile::tempdir().unwrap();
    let kept = tempfile::tempdir().unwrap();
    // The disk is gone with the namespace, so a copy is kept of it.
    let script = format!(
        "exec unshare --mount --propagation private sh -euc 'mount -t tmpfs -o size=32k none \"$1\"; shift; \
         \"$@\"; cp \"${FOLDER}\"/ledger.jsonl {}' sh {} \"$@\"",
        kept.path().display(),
        folder.path().display()
    );
    let output = scripted(test, &folder.path().join("ledger"), "full", 10_000, &script).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let wrote = said.lines().filter(|line| line.starts_with("wrote ")).count();
    assert!(wrote > 50 && said.contains(&format!("failed {wrote} 28")), "ENOSPC after {wrote}: {said}");
    let ledger = ledger(kept.path());
    assert_eq!(events(&ledger).len(), wrote);
    assert_eq!(ledger.verify().unwrap().unfinished, 0);
    ledger.append(Timestamp::UNIX_EPOCH, event("after", 0)).unwrap();
    assert_eq!(events(&ledger).len(), wrote + 1);
}

#[test]
fn a_ledger_on_a_read_only_disk_can_be_read_and_not_written() {
    if writes() {
        return;
    }
    if !require::root() {
        return;
    }
    let test = "a_ledger_on_a_read_only_disk_can_be_read_and_not_written";
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    ledger.append(Timestamp::UNIX_EPOCH, event("before", 0)).unwrap();
    let script = format!(
        "exec unshare --mount --propagation private sh -euc 'mount --bind \"$1\" \"$1\"; \
         mount -o remount,ro,bind \"$1\"; shift; exec \"$@\"' sh {} \"$@\"",
        folder.path().display()
    );
    let output = scripted(test, folder.path(), "refused", 1, &script).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("failed 0 30"), "EROFS: {said}");
    assert_eq!(events(&ledger), ["/before/0"]);
}

#[test]
fn folders_and_file_are_private_whatever_the_umask() {
    if writes() {
        return;
    }
    let test = "folders_and_file_are_private_whatever_the_umask";
    for umask in ["000", "022", "077", "777"] {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        let folder = data.join("ledger");
        let script = format!("umask {umask}; exec \"$@\"");
        let output = scripted(test, &folder, "masked", 2, &script).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("wrote 1"), "{umask}: {said}");
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o7777;
        let modes = [mode(&data), mode(&folder), mode(&folder.join("ledger.jsonl"))];
        assert_eq!(modes, [0o700, 0o700, 0o600], "umask {umask}");
    }
}
