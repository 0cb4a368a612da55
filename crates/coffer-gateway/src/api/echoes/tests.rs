use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use coffer_account::secret::Secret;
use proptest::prelude::*;

use super::Echoes;

const SECRET: &str = "sk-ant-api03-FAKE+echo/of?a=secret";

fn echoes(secret: &str) -> Echoes {
    Echoes::of(&Secret::new(secret.as_bytes().to_vec()))
}

#[test]
fn a_secret_is_found_in_each_of_its_forms() {
    let echoes = echoes(SECRET);
    let escaped: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    assert!(echoes.are_in(format!("you said {SECRET}!").as_bytes()));
    assert!(echoes.are_in(format!("?key={escaped}&x").as_bytes()));
    for before in ["", "a", "ab", "abc", "abcd"] {
        for after in ["", "z", "yz"] {
            let said = format!("{before}{SECRET}{after}");
            assert!(echoes.are_in(STANDARD.encode(&said).as_bytes()), "{said}");
            assert!(echoes.are_in(URL_SAFE_NO_PAD.encode(&said).as_bytes()), "{said}");
        }
    }
}

#[test]
fn what_is_no_secret_is_not_found() {
    let echoes = echoes(SECRET);
    for text in ["", "sk-ant-api03-FAKE", "sk-ant-api03-FAKE+echo/of?a=secre", "data: {\"type\":\"ping\"}"] {
        assert!(!echoes.are_in(text.as_bytes()), "{text}");
        // In base64 what stands for the last bytes depends on what follows, so it is not asked for.
        let most = text.get(..text.len().min(20)).unwrap();
        assert!(!echoes.are_in(STANDARD.encode(most).as_bytes()), "{most}");
    }
    // What is so short would be found in everything.
    assert!(!self::echoes("short").are_in(b"a short text"));
}

proptest! {
    /// However it is cut into portions: what was let go never holds the secret, and all of it comes where there is
    /// none.
    #[test]
    fn portions_hide_nothing_and_lose_nothing(
        before in "[a-z-]{0,20}(sk-ant-){0,2}",
        said in any::<bool>(),
        after in "[a-z-]{0,20}(sk-ant-api03-FAKE)?",
        cuts in prop::collection::vec(1_usize..12, 0..40),
    ) {
        let echoes = echoes(SECRET);
        let text = format!("{before}{}{after}", if said { SECRET } else { "" }).into_bytes();
        let (mut held, mut out, mut rest, mut cut) = (Vec::new(), Vec::new(), text.as_slice(), false);
        let mut sizes = cuts.into_iter();
        while !rest.is_empty() {
            let (portion, more) = rest.split_at(sizes.next().unwrap_or(rest.len()).min(rest.len()));
            rest = more;
            held.extend_from_slice(portion);
            if echoes.are_in(&held) {
                cut = true;
                break;
            }
            let at = echoes.begins_at(&held);
            out.extend(held.drain(..at));
        }
        prop_assert_eq!(cut, said);
        prop_assert!(!echoes.are_in(&out));
        if !cut {
            out.extend(held);
            prop_assert_eq!(out, text);
        }
    }
}

/// What does not even begin like a secret is never held back: pings and events pass at once.
#[test]
fn an_ordinary_end_is_not_held_back() {
    let echoes = echoes("sk-ant-api03-FAKE-secret");
    let text = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";
    assert_eq!(echoes.begins_at(text), text.len());
    assert_eq!(echoes.begins_at(b"data: sk-an"), "data: ".len());
}
