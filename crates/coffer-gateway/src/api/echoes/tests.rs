use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::{BufMut as _, Bytes};
use coffer_account::secret::Secret;
use proptest::prelude::*;

use super::{Echoes, Sieve};

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

/// A login looks like this: nothing in it but what every credential has.
const LOGIN: &str = "sk-ant-oat01-FAKE-echo_of-a-login";

/// What comes through of these portions, and whether it was cut.
fn sifted<'a>(echoes: &Echoes, portions: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, bool) {
    let (mut sieve, mut out) = (Sieve::default(), Vec::new());
    for portion in portions {
        match sieve.sift(echoes, Bytes::copy_from_slice(portion)) {
            Some(passed) => out.put(passed),
            None => return (out, true),
        }
        assert!(sieve.held.len() < echoes.longest);
    }
    out.extend_from_slice(&sieve.held);
    (out, false)
}

/// A text in portions of these sizes; the last takes what is left.
fn portions<'a>(mut text: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter();
    std::iter::from_fn(move || {
        let size = sizes.next().copied().unwrap_or(text.len()).min(text.len());
        let (portion, rest) = text.split_at(size);
        text = rest;
        (!portion.is_empty()).then_some(portion)
    })
}

proptest! {
    /// However it is cut into portions: what was let go never holds the secret, and all of it comes where there is
    /// none.
    #[test]
    fn portions_hide_nothing_and_lose_nothing(
        secret in prop_oneof![Just(SECRET), Just(LOGIN)],
        before in "[a-z -]{0,150}(sk-ant-){0,2}",
        form in 0_usize..5,
        after in "[a-z -]{0,150}(sk-ant-api03-FAKE)?",
        sizes in prop_oneof![
            prop::collection::vec(1_usize..12, 0..60),
            prop::collection::vec(1_usize..200, 0..6),
        ],
    ) {
        let echoes = echoes(secret);
        let said = match form {
            0 => String::new(),
            1 => secret.to_owned(),
            2 => STANDARD.encode(format!("{before}{secret}{after}")),
            3 => url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            _ => secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
        };
        let text = format!("{before}{said}{after}").into_bytes();
        let (out, cut) = sifted(&echoes, portions(&text, &sizes));
        prop_assert_eq!(cut, form > 0);
        prop_assert!(!echoes.are_in(&out));
        prop_assert!(text.starts_with(&out));
        prop_assert!(cut || out.len() == text.len());
    }

    /// Where a text is parted tells nothing of the secret: with another one of the same kind it is parted there, too.
    #[test]
    fn where_a_text_is_parted_tells_nothing(text in "[a-zA-Z0-9 -]{0,20}(sk-ant-oat01-FAKE-ec)?[a-z ]{0,3}") {
        let other = "sk-ant-oat01-FAKE-ABCDEFGHIJKLMNO";
        prop_assert_eq!(LOGIN.len(), other.len());
        let held = [LOGIN, other].map(|secret| {
            let mut sieve = Sieve::default();
            sieve.sift(&echoes(secret), Bytes::from(text.clone())).unwrap();
            sieve.held
        });
        prop_assert_eq!(&held[0], &held[1]);
    }
}

/// What cannot be part of a credential is never held back: pings and events pass at once.
#[test]
fn an_ordinary_end_is_not_held_back() {
    let echoes = echoes("sk-ant-api03-FAKE-secret");
    assert_eq!(echoes.open_end(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"), 0);
    assert_eq!(echoes.open_end(b"data: sk-an"), "sk-an".len());
}

/// Other ways in which a server may say it back.
#[test]
fn a_secret_is_found_in_hex_and_escaped_for_json_and_addresses() {
    let echoes = echoes(SECRET);
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    for said in [hex.clone(), hex.to_uppercase(), SECRET.replace('/', "\\/")] {
        assert!(echoes.are_in(format!("{{\"said\": \"{said}\"}}").as_bytes()), "{said}");
    }
    assert!(echoes.are_in(b"key=sk-ant-api03-FAKE%2becho%2fof%3fa%3dsecret"));
}
