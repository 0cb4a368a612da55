use super::{LeaseError, lease};

#[test]
fn a_lease_has_the_access_token_and_no_other_secret() {
    let file =
        br#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-FAKE-1","refreshToken":"sk-ant-ort01-FAKE-2",
        "expiresAt":1790000000000,"scopes":["user:inference"],"subscriptionType":"max","rateLimitTier":"t",
        "someNewToken":"FAKE-3"},"mcpOAuth":{"server":{"refreshToken":"FAKE-4"}},"other":1}"#;
    let lease = lease(file).unwrap();
    let expected = concat!(
        r#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-FAKE-1","expiresAt":1790000000000,"#,
        r#""scopes":["user:inference"],"subscriptionType":"max","rateLimitTier":"t"}}"#
    );
    assert_eq!(std::str::from_utf8(lease.expose()).unwrap(), expected);
    assert_eq!(format!("{lease:?}"), "Secret");
}

#[test]
fn what_is_no_login_gives_no_lease() {
    for file in [&b""[..], b"{}", b"null", b"[]", b"\xef\xbb\xbf{}", b"{\"claudeAiOauth\":1}"] {
        assert_eq!(lease(file).unwrap_err(), LeaseError::NoLogin);
    }
    for file in [&br#"{"claudeAiOauth":{}}"#[..], br#"{"claudeAiOauth":{"accessToken":""}}"#] {
        assert_eq!(lease(file).unwrap_err(), LeaseError::NoToken);
    }
}
