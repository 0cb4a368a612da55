use super::*;

const LOGIN: &str = r#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-FAKE-Aa1","refreshToken":"plain word token"},
    "mcpOAuth":{"server":{"accessToken":"canary-of-mcp"}}}"#;

#[test]
fn no_text_of_the_login_and_nothing_that_looks_like_a_token_stays() {
    let text = "got sk-ant-oat01-FAKE-Aa1, then plain word token and canary-of-mcp;
        code=Zm9vYmFyYmF6cXV4cXV1eA state=b0b1b2b3b4b5b6b7b8b9b0 sk-ant-x Bearer abcdefghijKLMNOPQRSTuvwx";
    let clean = redacted(text, &texts(LOGIN.as_bytes()));
    for secret in ["FAKE", "plain word token", "canary-of-mcp", "Zm9v", "b0b1", "sk-ant-x", "KLMN"] {
        assert!(!clean.contains(secret), "{secret}: {clean}");
    }
    assert!(clean.contains("code=[redacted] state=[redacted]"), "{clean}");
}

#[test]
fn what_is_no_token_can_still_be_read() {
    let text = "2026-11-23T21:00:00.000Z [DEBUG] POST https://platform.claude.com/v1/oauth/token 200\n";
    assert_eq!(redacted(text, &texts(LOGIN.as_bytes())), text);
    let text = "not adopted [capture-unfit]: the login is of no use user:inference\n";
    assert_eq!(redacted(text, &texts(LOGIN.as_bytes())), text);
}
