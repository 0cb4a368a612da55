use proptest::prelude::*;

use super::*;
use crate::{Event, MAX_LINE_BYTES};
use camino::Utf8PathBuf;

/// A ledger with `count` entries, and its lines.
fn filled(count: usize) -> (tempfile::TempDir, Ledger, Vec<Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(&Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap());
    for number in 0..count {
        let event = Event::RunEnded { run: format!("run-{number}"), code: 7 };
        ledger.append(Timestamp::from_second(number as i64).unwrap(), event).unwrap();
    }
    let lines = std::fs::read(ledger.path()).unwrap();
    let lines = lines.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    (folder, ledger, lines)
}

fn verify(ledger: &Ledger, lines: &[Vec<u8>]) -> Option<(u64, Why)> {
    std::fs::write(ledger.path(), lines.concat()).unwrap();
    ledger.verify().unwrap().broken.map(|broken| (broken.line, broken.why))
}

fn changed(line: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8(line.to_vec()).unwrap().replace(from, to).into_bytes()
}

#[test]
fn what_was_done_to_a_line_is_named_with_its_number() {
    let (_folder, ledger, lines) = filled(6);
    assert_eq!(verify(&ledger, &lines), None);
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        verify(&ledger, &lines)
    };
    assert_eq!(with(&|lines| lines[2] = changed(&lines[2], "run-2", "run-9")), Some((3, Why::Changed)));
    assert_eq!(with(&|lines| lines[0] = changed(&lines[0], "run-0", "run-9")), Some((1, Why::Changed)));
    // The hash that a line names is a part of the line.
    let named = ledger_hash(&lines[1]);
    let other = ledger_hash(b"other");
    assert_eq!(with(&|lines| lines[2] = changed(&lines[2], &named, &other)), Some((3, Why::Changed)));
    assert_eq!(with(&|lines| drop(lines.remove(3))), Some((4, Why::Removed { entries: 1 })));
    assert_eq!(with(&|lines| drop(lines.drain(0..2))), Some((1, Why::Removed { entries: 2 })));
    assert_eq!(with(&|lines| lines.insert(4, lines[1].clone())), Some((5, Why::PutIn)));
    assert_eq!(with(&|lines| lines.swap(2, 4)), Some((3, Why::Reordered)));
    assert_eq!(with(&|lines| lines.swap(0, 1)), Some((1, Why::Reordered)));
    assert_eq!(with(&|lines| lines[3] = b"gone\n".to_vec()), Some((4, Why::NotEntry)));
    let long = [vec![b'x'; 3 * MAX_LINE_BYTES], b"\n".to_vec()].concat();
    assert_eq!(with(&|lines| lines[3] = long.clone()), Some((4, Why::NotEntry)));
}

#[test]
fn a_forged_entry_that_is_chained_rightly_is_found_by_the_one_after_it() {
    let (_folder, ledger, mut lines) = filled(4);
    let forged = format!(
        "{{\"schema\":1,\"seq\":2,\"at\":\"2026-01-01T00:00:00Z\",\"previous\":\"{}\",\"event\":\"run_ended\",\"run\":\"x\",\"code\":0}}\n",
        ledger_hash(&lines[1])
    );
    lines.insert(2, forged.into_bytes());
    assert_eq!(verify(&ledger, &lines), Some((4, Why::PutIn)));
}

#[test]
fn a_cut_end_is_seen_by_who_noted_the_last_hash_and_by_nobody_else() {
    let (_folder, ledger, mut lines) = filled(4);
    let noted = ledger.verify().unwrap().last;
    lines.truncate(2);
    assert_eq!(verify(&ledger, &lines), None);
    assert_ne!(ledger.verify().unwrap().last, noted);
}

fn ledger_hash(line: &[u8]) -> String {
    hash(line.strip_suffix(b"\n").unwrap_or(line))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any byte of any line but the last, any line taken out, put in again, or moved.
    #[test]
    fn no_change_before_the_last_line_goes_unseen(
        count in 3_usize..9, what in 0_u8..4, first in 0.0_f64..1.0, second in 0.0_f64..1.0, flip in 1_u8..=255,
    ) {
        let (_folder, ledger, mut lines) = filled(count);
        let pick = |of: usize, part: f64| ((of as f64 * part) as usize).min(of - 1);
        let (one, other) = (pick(count - 1, first), pick(count, second));
        match what {
            0 => {
                let byte = pick(lines[one].len(), second);
                lines[one][byte] ^= flip;
            }
            1 => drop(lines.remove(one)),
            2 => {
                let copy = lines[one].clone();
                lines.insert(other, copy);
            }
            _ => {
                prop_assume!(one != other);
                lines.swap(one, other);
            }
        }
        let found = verify(&ledger, &lines);
        prop_assert!(found.is_some());
        // Nothing before the change is blamed.
        let earliest = if what == 1 || what == 0 { one } else { one.min(other) };
        prop_assert!(found.is_some_and(|(line, _)| line >= earliest as u64));
    }
}
