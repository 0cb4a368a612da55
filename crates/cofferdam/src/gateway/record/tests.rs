use super::*;

type Decided = (Arc<str>, Decision);

fn decision(endpoint: &str, verdict: Verdict) -> Decided {
    decision_of("0123", endpoint, verdict)
}

fn decision_of(whose: &str, endpoint: &str, verdict: Verdict) -> Decided {
    let decision = Decision {
        endpoint: Some(Arc::new(endpoint.parse().unwrap())),
        verdict,
        rule: None,
        credential: None,
        status: 0,
        sent: 3,
        received: 5,
        milliseconds: 7,
    };
    (whose.into(), decision)
}

/// The events of a page with these.
fn gather(page: &mut Page, decisions: impl IntoIterator<Item = Decided>) -> Vec<(Timestamp, Event)> {
    for (whose, decision) in decisions {
        page.add(&whose, &decision, Timestamp::default);
    }
    page.turn().sums.into_iter().map(|(at, sum)| (at, sum.event())).collect()
}

/// Hosts, how often, and the bytes that went out.
fn summary(events: &[(Timestamp, Event)]) -> Vec<(Option<&str>, u64, u64)> {
    let mut out = Vec::new();
    for (_, event) in events {
        let Event::GatewayDecided { host, times, sent, .. } = event else { panic!("{event:?}") };
        out.push((host.as_deref(), *times, *sent));
    }
    out
}

#[test]
fn a_few_are_written_each_for_itself_and_many_are_summed_up() {
    let one = |_| decision("api.example.org:443", Verdict::Allowed);
    let few = gather(&mut Page::default(), (0..MANY).map(one));
    assert_eq!(summary(&few), vec![(Some("api.example.org"), 1, 3); MANY]);
    let many = gather(&mut Page::default(), (0..10_000).map(one));
    assert_eq!(many.len(), MANY);
    let summed = summary(&many);
    assert_eq!(summed.iter().map(|(_, times, _)| times).sum::<u64>(), 10_000);
    assert_eq!(summed.iter().map(|(_, _, sent)| sent).sum::<u64>(), 30_000);
}

/// Whoever makes names up fills neither the record nor the list at the end, and hides nobody who is reached.
#[test]
fn a_flood_of_made_up_names_hides_nobody() {
    let mut page = Page::default();
    let junk = (0..20_000).map(|at| decision(&format!("r{at}.example.org:80"), Verdict::Denied));
    let flood = gather(&mut page, junk);
    assert!(flood.len() <= MOST_EVENTS, "{}", flood.len());
    let summed = summary(&flood);
    assert_eq!(summed.iter().map(|(_, times, _)| times).sum::<u64>(), 20_000, "each is counted");
    assert!(summed.iter().any(|(host, times, _)| host.is_none() && *times > 10_000));
    let late = gather(&mut page, [decision("late.example.org:443", Verdict::Allowed)]);
    assert_eq!(summary(&late), [(Some("late.example.org"), 1, 3)]);
    assert!(page.known.told["allowed"].len() == 1 && page.known.told["denied"].len() == MOST_HOSTS);
}

/// In a gateway that stands alone: each token's decisions are its own, and one that floods blurs no other's record.
#[test]
fn decisions_of_several_are_never_summed_up_together() {
    let mut page = Page::default();
    let both = (0..10_000).map(|at| {
        let whose = if at % 2 == 0 { "tk-1" } else { "tk-2" };
        decision_of(whose, "api.example.org:443", Verdict::Allowed)
    });
    let mut times = BTreeMap::new();
    for (_, event) in gather(&mut page, both) {
        let Event::GatewayDecided { run, times: more, .. } = event else { panic!("{event:?}") };
        *times.entry(run).or_insert(0) += more;
    }
    assert_eq!(times, BTreeMap::from([("tk-1".to_owned(), 5000), ("tk-2".to_owned(), 5000)]));
    let junk =
        (0..MOST_HOSTS * 2).map(|at| decision_of("tk-1", &format!("r{at}.example.org:80"), Verdict::Denied));
    gather(&mut page, junk);
    let late = |whose| decision_of(whose, "late.example.org:443", Verdict::Denied);
    assert_eq!(summary(&gather(&mut page, [late("tk-1")])), [(None, 1, 3)]);
    assert_eq!(summary(&gather(&mut page, [late("tk-2")])), [(Some("late.example.org"), 1, 3)]);
}

#[test]
fn what_cannot_be_written_for_long_is_counted() {
    let mut backlog = Backlog::default();
    assert!(backlog.events("0123").is_empty());
    for _ in 0..3 {
        let some = (0..500).map(|at| decision(&format!("r{at}.example.org:80"), Verdict::Allowed));
        backlog.add(gather(&mut Page::default(), some).into_iter());
    }
    let events = backlog.events("0123");
    assert_eq!(events.len(), MOST_EVENTS + 1);
    assert_eq!(summary(&events).last(), Some(&(None, 1500 - MOST_EVENTS as u64, 0)));
}

/// One thread writes while others record; what was recorded before the last of them let go is in the ledger.
#[test]
fn all_that_was_recorded_is_in_the_ledger_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(&camino::Utf8Path::from_path(folder.path()).unwrap().join("ledger"));
    let (recorder, writer) = recorder("0123", ledger.clone(), |_| {}).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let recorder = recorder.of(&format!("tk-{thread}"));
            scope.spawn(move || {
                for _ in 0..1000 {
                    recorder.decided(&decision("api.example.org:443", Verdict::Allowed).1);
                }
            });
        }
    });
    drop(recorder);
    writer.finish();
    let mut times = BTreeMap::new();
    for entry in ledger.read(coffer_ledger::Filter::default()).unwrap() {
        let line = entry.unwrap().unwrap();
        let Some(Event::GatewayDecided { run, times: more, .. }) = line.known() else { panic!("{line:?}") };
        *times.entry(run).or_insert(0) += more;
    }
    let all = (0..4).map(|thread| (format!("tk-{thread}"), 1000)).collect();
    assert_eq!(times, all);
}
