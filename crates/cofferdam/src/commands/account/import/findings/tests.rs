use super::*;

fn details(fingerprint: &str, expires_at_ms: i64) -> LoginDetails {
    LoginDetails {
        refresh_token: true,
        fingerprint: Some(fingerprint.to_owned()),
        expires_at_ms: Some(expires_at_ms),
        login_expires_at_ms: None,
        scopes: Vec::new(),
        subscription: None,
    }
}

#[test]
fn each_place_where_a_login_goes_wrong_is_named_and_a_good_one_is_only_said_to_be_shared() {
    let good = Around { path: Some("/x/login".into()), mode: 0o600, now_ms: 10, ..Around::default() };
    let words = good.words(Some(&details("sha256:1", 20)));
    assert!(words.contains("whoever refreshes first wins") && words.lines().count() == 2, "{words}");
    assert_eq!(good.words(None), "");
    let bad = Around {
        path: Some("/x/login".into()),
        owner: Some(4711),
        mode: 0o644,
        read_only: true,
        bound_alone: true,
        host: Some("sha256:1".to_owned()),
        now_ms: 30,
    };
    let words = bad.words(Some(&details("sha256:1", 20)));
    for word in ["your own login", "burned", "single file", "uid 4711", "0644", "has ended"] {
        assert!(words.contains(word), "{word}: {words}");
    }
}
