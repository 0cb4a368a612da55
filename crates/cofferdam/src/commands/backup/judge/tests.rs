use coffer_account::login_file::LoginFile;

use super::{Known, Standing};

fn login(refresh: &str) -> LoginFile {
    let text =
        format!(r#"{{"claudeAiOauth":{{"accessToken":"a","refreshToken":"{refresh}","expiresAt":5}}}}"#);
    LoginFile::new(text.into_bytes().into())
}

fn judged(copy: &str, present: Option<&LoginFile>, successor: bool, refused: Option<&LoginFile>) -> Standing {
    let copy = login(copy);
    let refused = refused.and_then(LoginFile::fingerprint);
    let successor = successor.then_some("sha256:1");
    Known { copy: &copy, present, successor, refused, now_ms: 10 }.judge()
}

#[test]
fn a_spent_token_never_takes_the_place_of_its_successor_while_that_works() {
    let (new, old) = (login("new"), login("old"));
    assert!(matches!(judged("old", Some(&new), true, None), Standing::Refused(_)));
    // Once the successor is dead a person may try; and without a successor they are told what gives way.
    assert!(matches!(judged("old", Some(&new), true, Some(&new)), Standing::Asks(_)));
    assert!(matches!(judged("old", None, true, None), Standing::Asks(_)));
    assert!(matches!(judged("old", Some(&new), false, None), Standing::Asks(_)));
    assert!(matches!(judged("old", None, false, Some(&old)), Standing::Asks(_)));
}

#[test]
fn only_what_replaces_nothing_that_works_is_harmless() {
    let (new, wiped) =
        (login("new"), LoginFile::new(b"{\"claudeAiOauth\":{\"accessToken\":\"\"}}".to_vec().into()));
    assert!(matches!(judged("old", None, false, None), Standing::Harmless(_)));
    assert!(matches!(judged("old", Some(&wiped), false, None), Standing::Harmless(_)));
    assert!(matches!(judged("new", Some(&new), true, None), Standing::Harmless(_)));
    let lease =
        LoginFile::new(b"{\"claudeAiOauth\":{\"accessToken\":\"a\",\"expiresAt\":5}}".to_vec().into());
    assert!(matches!(judged("old", Some(&lease), false, None), Standing::Harmless(_)));
}
