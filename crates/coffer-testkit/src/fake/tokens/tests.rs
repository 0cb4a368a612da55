use super::*;

const NOW: u64 = 1_790_000_000_000;

fn book(revoke_family_on_reuse: bool) -> TokenBook {
    let rules = TokenRules { access_ttl: 28_800, revoke_family_on_reuse, refresh_ends_old_access: false };
    TokenBook::new(rules, [7; 16])
}

fn refresh_token(login: &IssuedLogin) -> &str {
    login.refresh_token.as_deref().unwrap()
}

#[test]
fn a_refresh_token_is_good_for_one_use() {
    let mut book = book(false);
    let first = book.issue(&LoginSpec::expired(), NOW);
    assert_eq!(book.accepts(&first.access_token, NOW), Err("OAuth token has expired"));
    let second = book.refresh(refresh_token(&first), NOW).unwrap();
    assert_eq!(book.accepts(&second.access_token, NOW), Ok(()));
    assert_ne!(second.refresh_token, first.refresh_token);
    assert_eq!(book.refresh(refresh_token(&first), NOW).unwrap_err(), SPENT);
    book.refresh(refresh_token(&second), NOW).unwrap();
}

#[test]
fn reuse_revokes_the_family_when_told_so() {
    let mut book = book(true);
    let first = book.issue(&LoginSpec::default(), NOW);
    let second = book.refresh(refresh_token(&first), NOW).unwrap();
    assert_eq!(book.refresh(refresh_token(&first), NOW).unwrap_err(), SPENT);
    assert_eq!(book.refresh(refresh_token(&second), NOW).unwrap_err(), SPENT);
    assert_eq!(book.accepts(&second.access_token, NOW), Err("OAuth token has been revoked"));
}

#[test]
fn a_token_ends_on_time() {
    let mut book = book(false);
    let login = book.issue(&LoginSpec { expires_in: 10, ..LoginSpec::default() }, NOW);
    assert_eq!(book.accepts(&login.access_token, NOW + 9_999), Ok(()));
    assert_eq!(book.accepts(&login.access_token, NOW + 10_000), Err("OAuth token has expired"));
}

#[test]
fn a_code_is_good_once_and_only_with_its_verifier() {
    let mut book = book(false);
    // RFC 7636, appendix B
    let (verifier, challenge) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let code = book.issue_code(LoginSpec::default(), Some(challenge.to_owned()));
    book.redeem(&code, verifier, NOW).unwrap();
    assert_eq!(book.redeem(&code, verifier, NOW).unwrap_err().1, "invalid_grant");
    let other = book.issue_code(LoginSpec::default(), Some(challenge.to_owned()));
    assert_eq!(book.redeem(&other, "wrong", NOW).unwrap_err().2, "code_verifier does not match");
}

#[test]
fn keys_are_known_until_revoked() {
    let mut book = book(false);
    let key = book.issue_key("sk-ant-api03");
    assert!(key.starts_with("sk-ant-api03-FAKE-"), "{key}");
    assert_eq!(book.accepts(&key, NOW), Ok(()));
    assert!(book.revoke(&key));
    assert_eq!(book.accepts(&key, NOW), Err("API key was revoked"));
    assert_eq!(book.accepts("sk-ant-api03-unknown", NOW), Err("invalid credential"));
}

#[test]
fn a_login_without_refresh_token_says_so_in_its_file() {
    let mut book = book(false);
    let file: Value =
        serde_json::from_str(&book.issue(&LoginSpec::refreshless(), NOW).credentials_json()).unwrap();
    assert!(file["claudeAiOauth"].get("refreshToken").is_none());
    assert_eq!(file["claudeAiOauth"]["expiresAt"], NOW + 28_800_000);
}
