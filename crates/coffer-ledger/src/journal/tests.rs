use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};

use super::*;
use crate::{Filter, Verified};

fn place() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(&Utf8PathBuf::from_path_buf(folder.path().join("ledger")).unwrap());
    (folder, ledger)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn event(number: i32) -> Event {
    Event::RunEnded { run: format!("run-{number}"), code: number }
}

fn filled(count: i32) -> (tempfile::TempDir, Ledger) {
    let (folder, ledger) = place();
    for number in 0..count {
        ledger.append(at(i64::from(number)), event(number)).unwrap();
    }
    (folder, ledger)
}

fn add(ledger: &Ledger, bytes: &[u8]) {
    std::fs::OpenOptions::new().append(true).open(&ledger.path).unwrap().write_all(bytes).unwrap();
}

#[track_caller]
fn well(ledger: &Ledger) -> Verified {
    let verified = ledger.verify().unwrap();
    assert_eq!(verified.broken, None);
    verified
}

fn words(ledger: &Ledger) -> Vec<String> {
    ledger.read(Filter::default()).unwrap().map(|line| line.unwrap().unwrap().event).collect()
}

#[test]
fn entries_are_numbered_and_chained() {
    let (_folder, ledger) = filled(3);
    let text = std::fs::read_to_string(&ledger.path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let entries: Vec<Entry> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(entries[0].previous, hash(b""));
    assert_eq!(entries[2].previous, hash(lines[1].as_bytes()));
    assert_eq!(entries[1].event, event(1));
    assert_eq!(well(&ledger).last, Some(hash(lines[2].as_bytes())));
}

#[test]
fn half_a_line_of_any_length_is_taken_away_and_told() {
    let (_folder, ledger) = filled(2);
    let whole = std::fs::read(&ledger.path).unwrap();
    let line = whole.split_inclusive(|byte| *byte == b'\n').next_back().unwrap().to_vec();
    for length in 1..line.len() {
        std::fs::write(&ledger.path, &whole).unwrap();
        add(&ledger, &line[..length]);
        assert_eq!(well(&ledger).unfinished, length as u64);
        let entry = ledger.append(at(9), event(9)).unwrap();
        assert_eq!(entry.seq, 3);
        assert_eq!((well(&ledger).entries, well(&ledger).unfinished), (4, 0));
        assert_eq!(words(&ledger), ["run_ended", "run_ended", "recovered", "run_ended"]);
    }
    // A first line can be torn as well.
    std::fs::write(&ledger.path, &line[..5]).unwrap();
    assert_eq!(ledger.append(at(9), event(9)).unwrap().seq, 1);
    assert_eq!(words(&ledger), ["recovered", "run_ended"]);
}

#[test]
fn zeroes_that_a_power_cut_left_are_half_a_line() {
    let (_folder, ledger) = filled(2);
    add(&ledger, &[0; 4096]);
    ledger.append(at(9), event(9)).unwrap();
    assert_eq!(well(&ledger).entries, 4);
}

#[test]
fn nothing_is_chained_to_a_line_that_is_no_entry() {
    for garbage in [&b"hello\n"[..], b"{}\n", b"\n", b"[1]\n", b"\xff\xfe\n"] {
        let (_folder, ledger) = filled(2);
        add(&ledger, garbage);
        let before = std::fs::read(&ledger.path).unwrap();
        assert!(matches!(ledger.append(at(9), event(9)), Err(LedgerError::Broken { .. })));
        assert_eq!(std::fs::read(&ledger.path).unwrap(), before);
    }
}

#[test]
fn an_end_that_no_writer_of_ours_left_is_never_cut_off() {
    for garbage in [vec![b'x'; MAX_LINE_BYTES], vec![b'x'; 3 * MAX_LINE_BYTES], {
        let mut line = vec![b'x'; 3 * MAX_LINE_BYTES];
        line.push(b'\n');
        line
    }] {
        let (_folder, ledger) = filled(2);
        add(&ledger, &garbage);
        let before = std::fs::read(&ledger.path).unwrap();
        assert!(matches!(ledger.append(at(9), event(9)), Err(LedgerError::Broken { .. })));
        assert_eq!(std::fs::read(&ledger.path).unwrap(), before);
    }
    // The control: as long as a line of ours may be.
    let (_folder, ledger) = filled(2);
    add(&ledger, &vec![b'x'; MAX_LINE_BYTES - 1]);
    ledger.append(at(9), event(9)).unwrap();
    assert_eq!(well(&ledger).entries, 4);
}

#[test]
fn an_event_that_is_too_long_is_refused_and_leaves_nothing() {
    let (_folder, ledger) = filled(1);
    let long = |length| Event::LockSwept { path: "/x".into(), proof: "x".repeat(length) };
    assert!(matches!(ledger.append(at(1), long(MAX_LINE_BYTES)), Err(LedgerError::TooLong { .. })));
    assert_eq!(well(&ledger).entries, 1);
    ledger.append(at(1), long(MAX_LINE_BYTES - 300)).unwrap();
    ledger.append(at(1), event(1)).unwrap();
    assert_eq!(well(&ledger).entries, 3);
}

#[test]
fn events_of_a_newer_version_are_chained_verified_and_shown() {
    let (_folder, ledger) = filled(1);
    let text = std::fs::read(&ledger.path).unwrap();
    let newer = format!(
        "{{\"schema\":2,\"seq\":1,\"at\":\"2030-01-01T00:00:00Z\",\"previous\":\"{}\",\"event\":\"moon_landed\",\"account\":\"host\",\"signature\":{{\"by\":[1]}}}}\n",
        hash(text.strip_suffix(b"\n").unwrap())
    );
    add(&ledger, newer.as_bytes());
    assert_eq!(ledger.append(at(2), event(2)).unwrap().seq, 2);
    assert_eq!(well(&ledger).entries, 3);
    assert_eq!(words(&ledger), ["run_ended", "moon_landed", "run_ended"]);
    let lines: Vec<_> = ledger.read(Filter::default()).unwrap().map(|line| line.unwrap().unwrap()).collect();
    assert_eq!((lines[1].known(), lines[1].text("account")), (None, Some("host")));
    assert_eq!(lines[2].known(), Some(event(2)));
}

#[test]
fn clocks_may_jump() {
    let (_folder, ledger) = place();
    for second in [0, 86_400, -86_400, -86_400, 5, -1_700_000_000] {
        ledger.append(at(second), event(1)).unwrap();
    }
    assert_eq!((well(&ledger).entries, well(&ledger).clock_went_back), (6, 2));
}

#[test]
fn whatever_else_stands_there_is_left_alone_and_named() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "mine\n").unwrap();
    type Make = fn(&std::path::Path, &std::path::Path);
    let kinds: [(&str, Make); 4] = [
        ("a link", |path, other| symlink(other, path).unwrap()),
        ("a folder", |path, _| std::fs::create_dir(path).unwrap()),
        ("no file", |path, _| {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        }),
        ("a file with a second name", |path, other| {
            std::fs::copy(other, path.with_extension("other")).unwrap();
            std::fs::hard_link(path.with_extension("other"), path).unwrap();
        }),
    ];
    for (what, make) in kinds {
        let (_folder, ledger) = filled(1);
        std::fs::remove_file(&ledger.path).unwrap();
        make(ledger.path.as_std_path(), secret.path());
        let named = |error: LedgerError| assert!(error.to_string().ends_with(what), "{what}: {error}");
        named(ledger.append(at(1), event(1)).unwrap_err());
        named(ledger.verify().unwrap_err());
        named(ledger.read(Filter::default()).unwrap_err());
    }
    assert_eq!(std::fs::read(secret.path()).unwrap(), b"mine\n");
}

#[test]
fn a_link_instead_of_the_folder_is_not_followed() {
    let (folder, ledger) = place();
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    symlink(&other, folder.path().join("ledger")).unwrap();
    assert!(matches!(ledger.append(at(1), event(1)), Err(LedgerError::Foreign { .. })));
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
}

#[test]
fn permissions_that_are_too_wide_are_tightened() {
    let (folder, ledger) = filled(1);
    let mode = |path: &std::path::Path| path.metadata().unwrap().mode() & 0o7777;
    let inside = folder.path().join("ledger");
    std::fs::set_permissions(&inside, PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::set_permissions(&ledger.path, PermissionsExt::from_mode(0o666)).unwrap();
    ledger.append(at(1), event(1)).unwrap();
    assert_eq!((mode(&inside), mode(ledger.path.as_std_path())), (0o700, 0o600));
}

#[test]
fn a_ledger_that_was_moved_away_is_begun_anew() {
    let (_folder, ledger) = filled(2);
    std::fs::rename(&ledger.path, ledger.path.with_extension("old")).unwrap();
    assert_eq!(ledger.append(at(1), event(1)).unwrap().seq, 0);
    assert_eq!(well(&ledger).entries, 1);
}

#[test]
fn a_ledger_that_was_never_written_is_empty_and_well() {
    let (folder, ledger) = place();
    assert_eq!(well(&ledger).entries, 0);
    assert!(words(&ledger).is_empty() && ledger.last_refreshes().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "looking makes nothing");
}
