//! What counts as a sign-in that was made inside.

use super::{MadeInside, email};
use crate::beneath::Seen;
use crate::lease::lease;
use crate::publish::tests::login;
use crate::secret::Secret;

fn seen(content: &str) -> Seen {
    Seen::File { identity: (1, 1), content: Secret::new(content.as_bytes().to_vec()) }
}

#[test]
fn a_refresh_token_where_there_was_none_is_a_sign_in() {
    let first = lease(login("one", 1000).as_bytes()).unwrap();
    let found = MadeInside::of(seen(&login("inside", 2000)), Some(first.expose())).unwrap();
    assert!(found.details.fingerprint.is_some());
    assert!(MadeInside::of(seen(&login("inside", 2000)), None).is_some());
    assert!(MadeInside::of(seen(&login("inside", 2000)), Some(b"")).is_some());
}

#[test]
fn leases_earlier_sign_ins_and_what_is_no_login_are_none() {
    let renewed = lease(login("two", 2000).as_bytes()).unwrap();
    let renewed = String::from_utf8(renewed.expose().to_vec()).unwrap();
    assert!(MadeInside::of(seen(&renewed), None).is_none());
    let earlier = login("earlier", 1000);
    assert!(MadeInside::of(seen(&login("refreshed", 2000)), Some(earlier.as_bytes())).is_none());
    for none in ["", "{}", "x", r#"{"claudeAiOauth":{"accessToken":"","refreshToken":"FAKE"}}"#] {
        assert!(MadeInside::of(seen(none), None).is_none(), "{none}");
    }
    assert!(MadeInside::of(Seen::Missing, None).is_none());
    assert!(MadeInside::of(Seen::Strange("a link"), None).is_none());
}

#[test]
fn logins_of_other_servers_stay_behind() {
    let mut file: serde_json::Value = serde_json::from_str(&login("inside", 2000)).unwrap();
    file["mcpOAuth"] = serde_json::json!({"server": {"refreshToken": "FAKE-mcp"}});
    let found = MadeInside::of(seen(&file.to_string()), None).unwrap();
    let alone = String::from_utf8(found.login_alone().unwrap().expose().to_vec()).unwrap();
    assert!(!alone.contains("FAKE-mcp") && alone.contains("ort01-FAKE-inside"));
}

#[test]
fn an_address_is_text_of_a_sane_length() {
    let file = |email: &str| format!(r#"{{"oauthAccount": {{"emailAddress": {email}}}}}"#);
    assert_eq!(email(file(r#""ada@example.invalid""#).as_bytes()).unwrap(), "ada@example.invalid");
    for odd in ["1", "null", "[]", &format!("\"{}\"", "a".repeat(255))] {
        assert_eq!(email(file(odd).as_bytes()), None);
    }
    assert_eq!(email(b"not json"), None);
}
