use proptest::prelude::*;
use serde_json::{Value, json};

use super::{LoginShape, MAX_LOGIN_BYTES, read};

const CANARY: &str = "sk-ant-oat01-FAKE-CANARY";

fn unusable(bytes: &[u8]) -> String {
    match read(bytes) {
        LoginShape::Unusable { reason } => reason,
        other => panic!("{other:?}"),
    }
}

fn login(value: &Value) -> super::LoginDetails {
    match read(value.to_string().as_bytes()) {
        LoginShape::Login(details) => details,
        other => panic!("{value}: {other:?}"),
    }
}

#[test]
fn a_genuine_file_is_a_login() {
    let details = login(&json!({"claudeAiOauth": {"accessToken": CANARY, "refreshToken": CANARY,
        "expiresAt": 1_795_334_400_000_i64, "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max", "rateLimitTier": "x"}, "mcpOAuth": {"s": {"refreshToken": CANARY}}}));
    assert!(details.refresh_token);
    assert_eq!(details.expires_at_ms, Some(1_795_334_400_000));
    assert_eq!(details.scopes, ["user:inference", "user:profile"]);
    assert_eq!(details.subscription.as_deref(), Some("max"));
}

/// What the CLI takes for "Not logged in", or has wiped itself.
#[test]
fn odd_files_are_no_login() {
    let long = vec![b' '; MAX_LOGIN_BYTES + 1];
    for (bytes, reason) in [
        (&b""[..], "the file is empty"),
        (b"\xef\xbb\xbf{\"claudeAiOauth\":{\"accessToken\":\"x\"}}", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"\"x\"", "not a JSON object"),
        (b"{", "not a JSON object"),
        (b"\xff\xfe", "not a JSON object"),
        (b"{}", "no `claudeAiOauth` object"),
        (b"{\"claudeAiOauth\":null}", "no `claudeAiOauth` object"),
        (b"{\"claudeAiOauth\":[]}", "no `claudeAiOauth` object"),
        (b"{\"claudeAiOauth\":{}}", "no access token"),
        (b"{\"claudeAiOauth\":{\"accessToken\":1}}", "the access token is no text"),
        (b"{\"claudeAiOauth\":{\"accessToken\":null}}", "the access token is no text"),
        (
            b"{\"claudeAiOauth\":{\"accessToken\":\"\",\"refreshToken\":\"\",\"expiresAt\":0}}",
            "the access token is empty (a wiped login)",
        ),
        (&long, "larger than 1 MiB"),
    ] {
        assert_eq!(unusable(bytes), reason, "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]));
    }
}

/// Signing out takes the login and leaves what MCP servers signed in to.
#[test]
fn a_file_with_other_things_in_it_is_signed_out() {
    assert_eq!(read(br#"{"mcpOAuth":{"s":{"refreshToken":"FAKE"}}}"#), LoginShape::SignedOut);
}

#[test]
fn only_the_clients_own_wipe_counts_as_wiped() {
    assert!(read(br#"{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0}}"#).is_wiped());
    for bytes in [&b""[..], b"{}", br#"{"mcpOAuth":{}}"#, br#"{"claudeAiOauth":{"accessToken":"x"}}"#] {
        assert!(!read(bytes).is_wiped());
    }
}

#[test]
fn a_file_of_exactly_one_mebibyte_is_read() {
    let mut bytes = br#"{"claudeAiOauth":{"accessToken":"x"}}"#.to_vec();
    bytes.resize(MAX_LOGIN_BYTES, b' ');
    assert!(matches!(read(&bytes), LoginShape::Login(_)));
}

#[test]
fn what_the_cli_tolerates_is_tolerated() {
    let base = login(&json!({"claudeAiOauth": {"accessToken": "x"}}));
    assert_eq!((base.refresh_token, base.expires_at_ms, base.scopes.len()), (false, None, 0));
    for refresh in [json!(""), json!(null), json!(5)] {
        let file = json!({"claudeAiOauth": {"accessToken": "x", "refreshToken": refresh}});
        assert!(!login(&file).refresh_token, "{refresh}");
    }
    for (end, expected) in [
        (json!(null), None),
        (json!("soon"), None),
        (json!(0), Some(0)),
        (json!(1_795_334_400_000.75), Some(1_795_334_400_000)),
        (json!(i64::MIN), Some(i64::MIN)),
        (json!(u64::MAX), Some(i64::MAX)),
        (json!(1e300), Some(i64::MAX)),
    ] {
        let file = json!({"claudeAiOauth": {"accessToken": "x", "expiresAt": end}});
        assert_eq!(login(&file).expires_at_ms, expected, "{end}");
    }
    let file =
        json!({"claudeAiOauth": {"accessToken": "x", "scopes": ["a", 1, null], "subscriptionType": 3}});
    assert_eq!((login(&file).scopes, login(&file).subscription), (vec!["a".to_owned()], None));
    let file = json!({"claudeAiOauth": {"accessToken": "x", "scopes": "user:inference"}});
    assert!(login(&file).scopes.is_empty());
}

/// JSON with a canary wherever a token could stand.
fn odd_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(CANARY)),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let key = prop_oneof![
            Just("claudeAiOauth"),
            Just("accessToken"),
            Just("refreshToken"),
            Just("expiresAt"),
            Just(CANARY),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_token_is_repeated(file in odd_json()) {
        let shape = read(file.to_string().as_bytes());
        prop_assert!(!format!("{shape:?}").contains(CANARY), "{shape:?}");
        prop_assert!(!serde_json::to_string(&shape).unwrap().contains(CANARY));
    }
}
