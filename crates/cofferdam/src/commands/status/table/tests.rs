use super::{Screen, relative, table};
use crate::commands::status::look::judge;

#[test]
fn spans_are_told_in_their_two_largest_units() {
    let (minute, hour, day) = (60_000, 3_600_000, 86_400_000);
    for (ms, text) in [
        (0, "in 0 min"),
        (59_999, "in 0 min"),
        (5 * minute, "in 5 min"),
        (3 * hour + 12 * minute, "in 3 h 12 min"),
        (21 * day + 5 * hour + 59 * minute, "in 21 d 5 h"),
        (-4 * hour, "4 h 0 min ago"),
    ] {
        assert_eq!(relative(ms), text);
    }
    assert!(relative(i64::MIN).ends_with(" ago") && relative(i64::MAX).starts_with("in "));
}

#[test]
fn a_screen_that_is_too_narrow_gets_the_accounts_below_each_other() {
    let facts = include_str!("../../../../../coffer-plan/tests/golden/plain/facts.json");
    let mut facts = coffer_host::load(facts, "plain").unwrap();
    facts.folders.data = "/nonexistent/cofferdam".into();
    let looked = judge(facts, coffer_plan::built_in::agent("claude").unwrap());
    let drawn = |width: Option<usize>, color| {
        table(&looked, None, None, Screen { style: coffer_plan::show::audit::Style { color }, width })
    };
    let wide = drawn(None, false);
    assert!(wide.starts_with("ACCOUNT") && wide.contains("host *"), "{wide}");
    assert_eq!(drawn(Some(200), false), wide);
    let narrow = drawn(Some(40), false);
    assert!(
        narrow.starts_with("host *  ") && narrow.contains("\n  kind          subscription\n"),
        "{narrow}"
    );
    // Without colour all is there as well.
    assert_eq!(drawn(Some(40), true).replace("\u{1b}[32m", "").replace("\u{1b}[0m", ""), narrow);
}
