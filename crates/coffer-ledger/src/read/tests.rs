use super::*;
use camino::Utf8PathBuf;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn started(run: &str, account: &str) -> Event {
    Event::RunStarted {
        run: run.to_owned(),
        agent: "claude".to_owned(),
        project: "/p".into(),
        account: account.to_owned(),
        auth: "lease".to_owned(),
    }
}

fn refreshed(account: &str, outcome: Outcome, error: Option<&str>) -> Event {
    Event::RefreshEnded {
        account: account.to_owned(),
        outcome,
        before: None,
        after: None,
        error: error.map(str::to_owned),
    }
}

fn filled() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(&Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap());
    let ended = |run: &str| Event::RunEnded { run: run.to_owned(), code: 0 };
    let renamed = Event::AccountChanged {
        account: "old".to_owned(),
        change: "renamed".to_owned(),
        to: Some("dev".to_owned()),
    };
    let events = [
        started("a", "dev"),
        started("b", "host"),
        refreshed("dev", Outcome::Ok, None),
        ended("b"),
        ended("a"),
        refreshed("dev", Outcome::Transient, Some("503")),
        refreshed("host", Outcome::Adopted, None),
        renamed,
    ];
    for (second, event) in events.into_iter().enumerate() {
        ledger.append(at(second as i64), event).unwrap();
    }
    (folder, ledger)
}

fn found(ledger: &Ledger, filter: Filter) -> Vec<u64> {
    ledger.read(filter).unwrap().map(|line| line.unwrap().unwrap().seq).collect()
}

#[test]
fn filters_leave_what_is_asked_for() {
    let (_folder, ledger) = filled();
    let all = Filter::default();
    assert_eq!(found(&ledger, all.clone()), (0..8).collect::<Vec<_>>());
    let dev = Filter { account: Some("dev".to_owned()), ..all.clone() };
    assert_eq!(found(&ledger, dev.clone()), [0, 2, 4, 5, 7], "the end of its run is among them");
    assert_eq!(found(&ledger, Filter { run: Some("b".to_owned()), ..all.clone() }), [1, 3]);
    assert_eq!(found(&ledger, Filter { since: Some(at(6)), ..all.clone() }), [6, 7]);
    // A run that began before the time that is asked for still is the account's.
    assert_eq!(found(&ledger, Filter { since: Some(at(4)), ..dev }), [4, 5, 7]);
    let refreshes = Filter { events: vec!["refresh_ended".to_owned()], ..all };
    assert_eq!(found(&ledger, refreshes), [2, 5, 6]);
}

#[test]
fn the_last_refresh_of_each_account_is_found() {
    let (_folder, ledger) = filled();
    let last = ledger.last_refreshes().unwrap();
    let dev = LastRefresh { at: at(5), outcome: Outcome::Transient, error: Some("503".to_owned()) };
    assert_eq!(last.get("dev"), Some(&dev));
    assert_eq!(last.get("host").map(|last| last.outcome), Some(Outcome::Adopted));
    assert_eq!(last.len(), 2);
}

#[test]
fn lines_that_are_no_entries_are_counted_and_passed_by() {
    let (_folder, ledger) = filled();
    let mut text = std::fs::read_to_string(ledger.path()).unwrap();
    text = text.replacen("{\"schema\":1,\"seq\":3", "{\"schema\":1,\"seq\":\"three\"", 1);
    text.push_str("half a li");
    std::fs::write(ledger.path(), text).unwrap();
    let lines: Vec<_> = ledger.read(Filter::default()).unwrap().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 8);
    assert_eq!(lines[3], Err(Unread(4)));
    assert!(lines.iter().enumerate().all(|(number, line)| number == 3 || line.is_ok()));
}
