use super::relative;

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
