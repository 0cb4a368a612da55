use super::*;

fn book() -> Book {
    Book {
        own: "0123".into(),
        lost: Arc::default(),
        told: BTreeMap::new(),
        refused: HashMap::new(),
        tell: Box::new(|_| {}),
    }
}

fn decision(endpoint: &str, verdict: Verdict) -> Decided {
    decision_of("0123", endpoint, verdict)
}

fn decision_of(whose: &str, endpoint: &str, verdict: Verdict) -> Decided {
    let decision = Decision {
        endpoint: Some(endpoint.parse().unwrap()),
        verdict,
        rule: None,
        credential: None,
        status: 0,
        sent: 3,
        received: 5,
        milliseconds: 7,
    };
    (Timestamp::default(), whose.into(), decision)
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
    let few = book().gather((0..MANY).map(one));
    assert_eq!(summary(&few), vec![(Some("api.example.org"), 1, 3); MANY]);
    let many = book().gather((0..10_000).map(one));
    assert_eq!(many.len(), MANY);
    let summed = summary(&many);
    assert_eq!(summed.iter().map(|(_, times, _)| times).sum::<u64>(), 10_000);
    assert_eq!(summed.iter().map(|(_, _, sent)| sent).sum::<u64>(), 30_000);
}

/// Whoever makes names up fills neither the record nor the list at the end, and hides nobody who is reached.
#[test]
fn a_flood_of_made_up_names_hides_nobody() {
    let mut book = book();
    let junk = (0..20_000).map(|at| decision(&format!("r{at}.example.org:80"), Verdict::Denied));
    let flood = book.gather(junk);
    assert!(flood.len() <= MOST_EVENTS, "{}", flood.len());
    let summed = summary(&flood);
    assert_eq!(summed.iter().map(|(_, times, _)| times).sum::<u64>(), 20_000, "each is counted");
    assert!(summed.iter().any(|(host, times, _)| host.is_none() && *times > 10_000));
    let late = book.gather(std::iter::once(decision("late.example.org:443", Verdict::Allowed)));
    assert_eq!(summary(&late), [(Some("late.example.org"), 1, 3)]);
    assert!(book.told["allowed"].len() == 1 && book.told["denied"].len() == MOST_HOSTS);
}

/// In a gateway that stands alone: each token's decisions are its own, and one that floods blurs no other's record.
#[test]
fn decisions_of_several_are_never_summed_up_together() {
    let mut book = book();
    let both = (0..10_000).map(|at| {
        let whose = if at % 2 == 0 { "tk-1" } else { "tk-2" };
        decision_of(whose, "api.example.org:443", Verdict::Allowed)
    });
    let mut times = BTreeMap::new();
    for (_, event) in book.gather(both) {
        let Event::GatewayDecided { run, times: more, .. } = event else { panic!("{event:?}") };
        *times.entry(run).or_insert(0) += more;
    }
    assert_eq!(times, BTreeMap::from([("tk-1".to_owned(), 5000), ("tk-2".to_owned(), 5000)]));
    let junk =
        (0..MOST_HOSTS * 2).map(|at| decision_of("tk-1", &format!("r{at}.example.org:80"), Verdict::Denied));
    book.gather(junk);
    let late = |whose| decision_of(whose, "late.example.org:443", Verdict::Denied);
    assert_eq!(summary(&book.gather(std::iter::once(late("tk-1")))), [(None, 1, 3)]);
    assert_eq!(summary(&book.gather(std::iter::once(late("tk-2")))), [(Some("late.example.org"), 1, 3)]);
}

#[test]
fn what_found_no_place_is_counted() {
    let mut book = book();
    book.lost.store(12, Ordering::Relaxed);
    let events = book.gather(std::iter::empty());
    assert_eq!(summary(&events), [(None, 12, 0)]);
    assert!(book.gather(std::iter::empty()).is_empty());
}
