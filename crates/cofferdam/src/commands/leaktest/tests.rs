use std::sync::Arc;

use base64::Engine as _;

use super::search::{Patterns, Searched, Searcher, Secret};
use super::wire::Flows;
use super::words;
use crate::sight::{Kind, Place, Sink as _};

const TOKEN: &str = "sk-ant-oat01-FAKE-0123456789abcdef+/=?&\"\\fedcba98";

fn patterns() -> Arc<Patterns> {
    Arc::new(Patterns::of(&[Secret::new("token", TOKEN)]).unwrap())
}

/// What is found in portions of one place.
fn search(portions: &[&[u8]]) -> Searched {
    let mut searcher = Searcher::new(&patterns());
    searcher.begin(&Place::of(Kind::File, "file")).unwrap();
    for portion in portions {
        searcher.bytes(portion).unwrap();
    }
    searcher.finish()
}

fn forms(searched: &Searched) -> Vec<(&'static str, bool)> {
    searched.hits.iter().map(|(hit, whole)| (hit.form, *whole)).collect()
}

#[test]
fn a_secret_is_found_in_each_form_wherever_it_is_cut_into_portions() {
    let standard = base64::engine::general_purpose::STANDARD;
    let urls = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let json = serde_json::Value::from(TOKEN).to_string();
    let url: String = form_of(TOKEN);
    let wide: Vec<u8> = TOKEN.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut texts: Vec<(&str, Vec<u8>)> = vec![
        ("as it is", TOKEN.into()),
        ("in JSON", json.into()),
        ("url-encoded", url.into()),
        ("UTF-16", wide),
        ("hexadecimal", hex.to_uppercase().into()),
        ("hexadecimal", hex.into()),
    ];
    for shift in 0..3 {
        let text = format!("{}{TOKEN} and more", "x".repeat(shift));
        texts.push(("base64", standard.encode(&text).into()));
        texts.push(("base64 for URLs", urls.encode(&text).into()));
    }
    for (form, text) in texts {
        let text = [&b"before "[..], &text, b" after"].concat();
        for cut in 0..text.len() {
            let (first, second) = text.split_at(cut);
            let found = forms(&search(&[first, second]));
            let names: Vec<&str> = found.iter().map(|(form, _)| *form).collect();
            // The alphabets differ in two characters only.
            let is_form = |name: &&str| *name == form || form.starts_with(*name);
            assert!(names.iter().any(is_form), "{form}, cut at {cut}: {found:?}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(forms(&search(&bytes)), forms(&search(&[&text])), "{form}, byte by byte");
    }
}

fn form_of(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'*' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[test]
fn a_part_is_told_from_the_whole_and_what_all_have_in_common_is_nothing() {
    assert_eq!(forms(&search(&[TOKEN.as_bytes()])).first(), Some(&("as it is", true)));
    let part = &TOKEN.as_bytes()[TOKEN.len() - 12..];
    assert_eq!(forms(&search(&[part])).first(), Some(&("as it is", false)));
    assert!(search(&[b"sk-ant-oat01-FAKE-"]).hits.is_empty());
    // Two places do not run into each other.
    let mut searcher = Searcher::new(&patterns());
    let (first, second) = TOKEN.as_bytes().split_at(TOKEN.len() - 4);
    for (name, bytes) in [("one", &first[first.len() - 4..]), ("two", second)] {
        searcher.whole(&Place::of(Kind::File, name), bytes).unwrap();
    }
    assert!(searcher.finish().hits.is_empty());
}

#[test]
fn a_second_look_is_not_counted_again() {
    let mut searcher = Searcher::new(&patterns());
    for _ in 0..2 {
        for name in ["one", "two"] {
            searcher.whole(&Place::of(Kind::File, name), b"12345").unwrap();
        }
        searcher.looked();
    }
    let counts = searcher.finish().counts;
    assert_eq!((counts.files, counts.bytes), (2, 10));
}

/// A segment on a loopback, as it would be read from there.
fn segment(port: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut tcp = Vec::new();
    tcp.extend(port.to_be_bytes());
    tcp.extend(8377_u16.to_be_bytes());
    tcp.extend(sequence.to_be_bytes());
    tcp.extend([0, 0, 0, 0, 5 << 4, flags, 0, 0, 0, 0, 0, 0]);
    tcp.extend(payload);
    let length = u16::try_from(20 + tcp.len()).unwrap();
    let mut frame = vec![0; 14];
    frame.extend([0x45, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
    frame.extend(tcp);
    frame
}

#[test]
fn a_secret_is_found_across_segments_that_each_come_twice() {
    const SYN: u8 = 2;
    let (first, second) = TOKEN.as_bytes().split_at(30);
    let begin = u32::MAX - 9;
    let after = |bytes: u32| begin.wrapping_add(1 + bytes);
    let mut flows = Flows::new(&patterns());
    for frame in [
        segment(40_000, begin, SYN, b""),
        segment(40_000, after(0), 0, first),
        // Another connection between them.
        segment(40_001, 7, 0, b"something else"),
        segment(40_000, after(30), 0, second),
    ] {
        flows.packet(&frame);
        flows.packet(&frame);
    }
    let (searched, missed) = flows.finish();
    assert_eq!(missed, 0);
    assert!(forms(&searched).contains(&("as it is", true)), "{:?}", forms(&searched));
    let bytes = TOKEN.len() as u64 + 14;
    assert_eq!((searched.counts.connections, searched.counts.bytes), (2, bytes));
}

#[test]
fn a_segment_that_is_missed_is_counted_and_half_a_packet_harms_nobody() {
    let mut flows = Flows::new(&patterns());
    flows.packet(&segment(40_000, 1, 0, b"12345"));
    flows.packet(&segment(40_000, 100, 0, b"12345"));
    let whole = segment(40_000, 105, 0, b"12345");
    for length in 0..whole.len() {
        flows.packet(&whole[..length]);
    }
    assert_eq!(flows.finish().1, 1);
}

#[test]
fn what_was_typed_is_passed_on_with_the_folder_and_the_seed_said_once() {
    let typed = "coffer --color never leaktest --json --seed 1 --auth none -- sh --seed 2 -- leaktest";
    let passed = words(typed.split(' ').map(Into::into), "/folder".into(), "ab");
    let passed: Vec<&str> = passed.iter().map(|word| word.to_str().unwrap()).collect();
    let expected =
        "--color never leaktest --inside /folder --seed ab --json --auth none -- sh --seed 2 -- leaktest";
    assert_eq!(passed.join(" "), expected);
}
