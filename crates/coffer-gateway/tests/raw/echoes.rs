//! An API that says back what it was sent, in every place and form: nothing of the key reaches who asked.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::sent::read;
use crate::support::{KEY, Wanted, answer, post, says, server};

/// Everything that would tell the key.
fn forms() -> Vec<String> {
    let escaped: String = KEY.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let shifted = |before: &str| STANDARD.encode(format!("{before}{KEY}"))[4..40].to_owned();
    vec![KEY.to_owned(), escaped, shifted(""), shifted("x"), shifted("xy")]
}

fn chunked(head: &str, chunks: &[&str], trailers: &str) -> String {
    let chunks: String = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect();
    format!("HTTP/1.1 200 OK\r\n{head}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n{trailers}\r\n")
}

#[test]
fn in_whatever_place_and_form_it_comes_back_it_is_cut_off() {
    let (half, rest) = KEY.split_at(15);
    let letters: Vec<String> = KEY.chars().map(String::from).collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    let error = format!("{{\"type\":\"error\",\"error\":{{\"message\":\"invalid key {KEY}\"}}}}");
    let packed = STANDARD.encode(format!("Bearer {KEY}"));
    let packed_too = URL_SAFE_NO_PAD.encode(format!("{{\"k\":\"{KEY}\"}}"));
    let closing = format!("HTTP/1.0 200 OK\r\n\r\nuntil the end {KEY}");
    let trailer = format!("x-seen: {KEY}\r\n");
    for (name, said) in [
        ("a body", answer("200 OK", "", KEY)),
        ("the end of a body", answer("200 OK", "", &format!("{}{KEY}", "a".repeat(200_000)))),
        ("the end of a connection", closing),
        ("the body of an error", answer("400 Bad Request", "", &error)),
        ("the body of a refusal", answer("403 Forbidden", "", &error)),
        ("an overloaded one", answer("529 Overloaded", "", &error)),
        ("a header", answer("200 OK", &format!("x-seen: Bearer {KEY}\r\n"), "fine")),
        ("a header of the connection", answer("200 OK", &format!("keep-alive: {KEY}\r\n"), "fine")),
        ("a cookie", answer("200 OK", &format!("set-cookie: key={KEY}; Path=/\r\n"), "fine")),
        ("a redirection", answer("302 Found", &format!("location: https://example.org/?key={KEY}\r\n"), "")),
        ("the words of the status", answer(&format!("200 {KEY}"), "", "fine")),
        ("one chunk", chunked("", &["before ", KEY, " after"], "")),
        ("two chunks", chunked("", &[half, rest], "")),
        ("a chunk for each letter", chunked("content-type: text/event-stream\r\n", &letters, "")),
        ("what stands behind the last chunk", chunked("trailer: x-seen\r\n", &["fine"], &trailer)),
        ("base64", answer("200 OK", "", &packed)),
        ("base64 for addresses", answer("200 OK", "", &packed_too)),
        ("base64 in a header", answer("200 OK", &format!("x-seen: {packed}\r\n"), "fine")),
        ("base64 in two chunks", chunked("", &[&packed[..20], &packed[20..]], "")),
    ] {
        let (api, _sent) = server(move |stream| {
            read(stream);
            // Who is cut off may not listen to all of it.
            let _ = stream.write_all(said.as_bytes());
        });
        let gateway = Wanted::of(api).starts();
        let heard = says(gateway.api, post("{}"));
        for form in forms() {
            assert!(!heard.contains(&form), "{name}: {heard}");
        }
        // It is not taken for a whole answer either: an error, or a body that breaks off.
        let (head, body) = heard.split_once("\r\n\r\n").unwrap_or_default();
        let whole = match head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
            Some(length) => body.len() == length.parse::<usize>().unwrap(),
            None => body.ends_with("0\r\n\r\n"),
        };
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 502") || !whole, "{name}: {heard}");
        let decision = gateway.decisions.all(1).remove(0);
        assert_eq!(decision.verdict.word(), "echoed", "{name}: {decision:?}");
        assert!(!format!("{decision:?}").contains(KEY), "{decision:?}");
    }
}

/// The client asked for plain text; what is packed all the same could hide anything.
#[test]
fn what_is_packed_though_nobody_wants_it_so_is_not_passed_on() {
    for headers in [
        "content-encoding: gzip\r\n",
        "content-encoding: identity\r\ncontent-encoding: br\r\n",
        "Content-Encoding: Zstd\r\n",
    ] {
        let (api, sent) = server(move |stream| {
            let sent = read(stream);
            let _ = stream.write_all(answer("200 OK", headers, "packed").as_bytes());
            sent
        });
        let gateway = Wanted::of(api).starts();
        let heard = says(gateway.api, crate::support::with_headers("accept-encoding: gzip, br\r\n", "{}"));
        assert!(heard.starts_with("HTTP/1.1 502") && !heard.contains("packed"), "{headers}: {heard}");
        assert_eq!(crate::support::got(&sent).unwrap().values("accept-encoding"), ["identity"]);
        assert_eq!(gateway.decisions.verdicts(1), ["failed"]);
    }
    let (api, _sent) = server(|stream| {
        read(stream);
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n6\r\npacked\r\n0\r\n\r\n",
        );
    });
    let heard = says(Wanted::of(api).starts().api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 502") && !heard.contains("packed"), "{heard}");
}

/// Whatever looks like it for a moment is whole in the end, wherever it is cut.
#[test]
fn what_only_begins_like_a_key_loses_nothing() {
    for length in 0..KEY.len() {
        let begin = &KEY[..length];
        for said in [
            answer("200 OK", "", &format!("{begin}\n{begin}")),
            chunked("", &["x", begin, "z", begin], "").replace("0\r\n\r\n0\r\n", "0\r\n"),
        ] {
            if length == 0 && said.contains("chunked") {
                continue;
            }
            let (api, _sent) = server(move |stream| {
                read(stream);
                stream.write_all(said.as_bytes()).unwrap();
            });
            let gateway = Wanted::of(api).starts();
            let heard = says(gateway.api, post("{}"));
            let (head, body) = heard.split_once("\r\n\r\n").unwrap();
            let text: String = if head.contains("chunked") {
                assert!(body.ends_with("\r\n0\r\n\r\n"), "{length}: {heard} {:?}", gateway.decisions.all(1));
                body.split("\r\n").skip(1).step_by(2).collect()
            } else {
                body.to_owned()
            };
            assert!(
                text == format!("{begin}\n{begin}") || text == format!("x{begin}z{begin}"),
                "{length}: {heard}"
            );
            assert_eq!(gateway.decisions.verdicts(1), ["allowed"]);
        }
    }
}
