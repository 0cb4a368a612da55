use super::*;

const NOW: i64 = 1_700_000_000_000;

#[test]
fn moments_read_as_people_type_them() {
    for (text, second) in [
        ("0s", 1_700_000_000),
        ("90m", 1_699_994_600),
        ("2h", 1_699_992_800),
        ("3d", 1_699_740_800),
        ("1w", 1_699_395_200),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
        ("2023-11-14", 1_699_920_000),
    ] {
        assert_eq!(since(text, NOW).unwrap().as_second(), second, "{text}");
    }
    for text in ["", "h", "-2h", "2", "2y", "yesterday", "99999999999999999h", "ä", "9223372036854775807d"] {
        assert!(since(text, NOW).is_err(), "{text}");
    }
}

#[test]
fn what_a_line_says_cannot_steer_a_terminal() {
    let fields = serde_json::json!({"path": "/a\u{1b}[2J b", "code": 3, "to": null});
    let serde_json::Value::Object(fields) = fields else { panic!() };
    let at = Timestamp::from_millisecond(NOW + 1).unwrap();
    let shown = text(&Line { seq: 0, at, event: "x".to_owned(), fields });
    assert!(shown.starts_with("2023-11-14T22:13:20Z  x  path="), "{shown}");
    assert!(shown.contains("code=3") && !shown.contains('\u{1b}') && !shown.contains("to="), "{shown}");
}
