//! The API door, byte by byte: what the gateway puts in and takes out, and requests that no client sends.

use std::io::{Read as _, Write as _};
use std::sync::mpsc::channel;

use crate::support::{
    DEAD, KEY, RENEWED, WORD, Wanted, answer, connected, got, post, request, says, server, with_headers,
};

#[test]
fn the_real_key_goes_out_and_nothing_from_inside_does() {
    let (api, requests) = server(|stream| {
        let said = request(stream);
        stream.write_all(answer("200 OK", "x-more: 1\r\n", "fine").as_bytes()).unwrap();
        said
    });
    let gateway = Wanted::of(api).starts();
    let heard =
        says(gateway.api, with_headers("Cookie: mine\r\nx-api-key: mine\r\nX-Unknown: kept\r\n", "{}"));
    assert!(
        heard.starts_with("HTTP/1.1 200 OK") && heard.contains("x-more: 1") && heard.ends_with("fine"),
        "{heard}"
    );
    let said = requests.recv().unwrap();
    assert!(said.starts_with("POST /base/v1/messages?beta=true HTTP/1.1\r\n"), "{said}");
    for kept in [
        &format!("x-api-key: {KEY}"),
        "anthropic-beta: some-beta",
        "x-unknown: kept",
        "accept-encoding: identity",
    ] {
        assert!(said.to_lowercase().contains(&kept.to_lowercase()), "{kept}: {said}");
    }
    assert!(
        !said.contains(WORD) && !said.contains("mine") && !said.to_lowercase().contains("authorization"),
        "{said}"
    );
    assert!(said.contains(&format!("host: {api}")), "{said}");
    assert_eq!(gateway.decisions.verdicts(1), ["allowed"]);
}

#[test]
fn without_the_word_of_the_run_nobody_is_asked() {
    let (api, requests) = server(|stream| {
        let said = request(stream);
        stream.write_all(answer("200 OK", "", "").as_bytes()).unwrap();
        said
    });
    let gateway = Wanted::of(api).starts();
    for shown in [
        "",
        "Authorization: Bearer coffer-run-of-another\r\n",
        "x-api-key: guess\r\n",
        "Authorization: Bearer \r\n",
    ] {
        let heard = says(
            gateway.api,
            format!("POST / HTTP/1.1\r\nHost: a\r\n{shown}Connection: close\r\ncontent-length: 0\r\n\r\n"),
        );
        assert!(
            heard.starts_with("HTTP/1.1 401") && heard.contains("authentication_error"),
            "{shown}: {heard}"
        );
    }
    assert_eq!(gateway.decisions.verdicts(4), ["unauthorized"; 4]);
    assert!(requests.try_recv().is_err());
    // Who only asks whether anybody is there needs no word, and gets no key.
    let heard = says(gateway.api, "HEAD /api/hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
    assert!(!requests.recv().unwrap().contains("x-api-key"));
}

#[test]
fn what_can_be_read_in_two_ways_reaches_nobody() {
    let (api, requests) = server(request);
    let gateway = Wanted::of(api).starts();
    let auth = format!("Authorization: Bearer {WORD}\r\nConnection: close\r\n");
    for (name, text) in [
        (
            "two lengths",
            format!("POST / HTTP/1.1\r\nHost: a\r\n{auth}content-length: 2\r\ncontent-length: 3\r\n\r\nabc"),
        ),
        (
            "chunks that are none",
            format!("POST / HTTP/1.1\r\nHost: a\r\n{auth}transfer-encoding: chunked, identity\r\n\r\n"),
        ),
        (
            "a folded header",
            format!("POST / HTTP/1.1\r\nHost: a\r\n{auth}X-A: b\r\n c\r\ncontent-length: 0\r\n\r\n"),
        ),
        (
            "a space before the colon",
            format!("POST / HTTP/1.1\r\nHost: a\r\n{auth}X-A : b\r\ncontent-length: 0\r\n\r\n"),
        ),
        (
            "a bare line feed in a value",
            format!("POST / HTTP/1.1\r\nHost: a\r\n{auth}X-A: b\rc\r\ncontent-length: 0\r\n\r\n"),
        ),
        ("two hosts", format!("POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n{auth}content-length: 0\r\n\r\n")),
        ("no host", format!("POST / HTTP/1.1\r\n{auth}content-length: 0\r\n\r\n")),
        ("another host", format!("POST http://b/ HTTP/1.1\r\nHost: a\r\n{auth}content-length: 0\r\n\r\n")),
        (
            "chunks of an old version",
            format!("POST / HTTP/1.0\r\nHost: a\r\n{auth}transfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        ("a negative length", format!("POST / HTTP/1.1\r\nHost: a\r\n{auth}content-length: -1\r\n\r\n")),
        ("no HTTP at all", "\u{16}\u{3}\u{1}hello\r\n\r\n".to_owned()),
    ] {
        let heard = says(gateway.api, text);
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 400"), "{name}: {heard}");
    }
    assert!(requests.try_recv().is_err(), "nobody was asked");
    // The same words in one way are asked for.
    let fine = says(gateway.api, format!("POST / HTTP/1.1\r\nHost: a\r\n{auth}content-length: 2\r\n\r\nab"));
    assert!(requests.recv().is_ok(), "{fine}");
}

/// Whoever reads it behind us sees one end of the body.
#[test]
fn what_says_twice_where_it_ends_goes_on_and_says_it_once() {
    let (api, requests) = server(|stream| {
        let said = request(stream);
        stream.write_all(answer("200 OK", "", "").as_bytes()).unwrap();
        said.to_lowercase()
    });
    let gateway = Wanted::of(api).starts();
    let auth = format!("Authorization: Bearer {WORD}\r\nConnection: close\r\n");
    for twice in [
        "content-length: 2\r\ncontent-length: 2\r\n\r\nab",
        "content-length: 50\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 50\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    ] {
        let heard = says(gateway.api, format!("POST / HTTP/1.1\r\nHost: a\r\n{auth}{twice}"));
        assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
        let said = requests.recv().unwrap();
        let ends = said.matches("content-length").count() + said.matches("transfer-encoding").count();
        assert_eq!(ends, 1, "{said}");
    }
}

#[test]
fn long_heads_pass_and_endless_ones_do_not() {
    let (api, requests) = server(|stream| {
        let said = request(stream);
        stream.write_all(answer("200 OK", "", "").as_bytes()).unwrap();
        said.len()
    });
    let gateway = Wanted::of(api).starts();
    let long = |size: usize| format!("X-Long: {}\r\n", "a".repeat(size));
    assert!(says(gateway.api, with_headers(&long(64 * 1024), "{}")).starts_with("HTTP/1.1 200"));
    assert!(requests.recv().unwrap() > 64 * 1024);
    let heard = says(gateway.api, with_headers(&long(1024 * 1024), "{}"));
    assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 431"), "{heard}");
    assert!(requests.try_recv().is_err());
}

#[test]
fn a_key_that_comes_back_is_cut_off() {
    for (said, headers, whole) in [
        (format!("you sent {KEY}"), "", false),
        (format!("eyJrZXkiOiI{}", base64_of(&format!("x{KEY}"))), "", false),
        ("nothing".to_owned(), "x-echo: KEY\r\n", false),
        ("nothing".to_owned(), "", true),
        (KEY[..KEY.len() - 1].to_owned(), "", true),
    ] {
        let answers = answer("200 OK", &headers.replace("KEY", KEY), &said);
        let (api, _requests) = server(move |stream| {
            request(stream);
            stream.write_all(answers.as_bytes()).unwrap();
        });
        let gateway = Wanted::of(api).starts();
        let heard = says(gateway.api, post("{}"));
        assert!(!heard.contains(KEY) && !heard.contains(&base64_of(&format!("x{KEY}"))[4..40]), "{heard}");
        assert_eq!(heard.ends_with(&said), whole, "{heard}");
        assert_eq!(gateway.decisions.verdicts(1), [if whole { "allowed" } else { "echoed" }], "{heard}");
    }
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn an_answer_that_cannot_be_looked_into_is_not_passed_on() {
    let (api, _requests) = server(|stream| {
        request(stream);
        stream.write_all(answer("200 OK", "content-encoding: gzip\r\n", "packed").as_bytes()).unwrap();
    });
    let heard = says(Wanted::of(api).starts().api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 502") && !heard.contains("packed"), "{heard}");
}

#[test]
fn a_refused_key_is_renewed_once_and_the_same_request_is_sent_again() {
    let (api, requests) = server(|stream| {
        let mut all = Vec::new();
        for _ in 0..2 {
            let said = request(stream);
            if said.is_empty() {
                break;
            }
            let status = if said.contains(RENEWED) { "200 OK" } else { "401 Unauthorized" };
            stream.write_all(answer(status, "", "said").as_bytes()).unwrap();
            all.push(said);
        }
        all
    });
    let gateway = Wanted::of(api).starts();
    let heard = says(gateway.api, post("{\"body\": 1}"));
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
    drop(gateway);
    let all: Vec<String> = requests.iter().take(1).flatten().collect();
    assert!(all.iter().all(|said| said.ends_with("{\"body\": 1}")), "{all:?}");
    // A key that nobody can renew: the API's own words reach the agent.
    let (api, _requests) = server(|stream| {
        request(stream);
        stream.write_all(answer("401 Unauthorized", "", "the API's own words").as_bytes()).unwrap();
    });
    let heard = says(Wanted { keys: vec![KEY], ..Wanted::of(api) }.starts().api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 401") && heard.ends_with("the API's own words"), "{heard}");
}

#[test]
fn whoever_keeps_the_key_knows_better_than_the_api_what_to_type() {
    let (api, requests) = server(|stream| {
        let said = request(stream);
        let answers = answer("401 Unauthorized", "", "the API's own words");
        stream.write_all(answers.as_bytes()).unwrap();
        said
    });
    let gateway = Wanted { keys: vec![KEY, DEAD], ..Wanted::of(api) }.starts();
    let heard = says(gateway.api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 401") && heard.contains("x-should-retry: false"), "{heard}");
    let (_, body) = heard.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["type"], &body["error"]["type"]), (&"error".into(), &"authentication_error".into()));
    assert!(body["error"]["message"].as_str().unwrap().contains("`coffer login`"), "{body}");
    got(&requests);
    assert!(requests.try_recv().is_err(), "asked once");
}

#[test]
fn without_a_key_the_agent_hears_what_to_type() {
    let (api, requests) = server(request);
    let heard = says(Wanted { keys: Vec::new(), ..Wanted::of(api) }.starts().api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 401") && heard.contains("coffer login"), "{heard}");
    assert!(heard.contains("x-should-retry: false") && heard.contains("\"type\":\"error\""), "{heard}");
    assert!(requests.try_recv().is_err());
}

/// Each event reaches the client before the next one is said.
#[test]
fn events_pass_one_by_one() {
    let (goes_on, waits) = channel::<()>();
    let waits = std::sync::Mutex::new(waits);
    let (api, _requests) = server(move |stream| {
        request(stream);
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
            )
            .unwrap();
        for _ in 0..5 {
            stream.write_all(b"c\r\nevent: ping\n\r\n").unwrap();
            waits.lock().unwrap().recv().unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    });
    let gateway = Wanted::of(api).starts();
    let mut stream = connected(gateway.api);
    stream.write_all(post("{}").as_bytes()).unwrap();
    let (mut heard, mut byte) = (String::new(), [0]);
    for number in 1..=5 {
        while heard.matches("event: ping\n").count() < number {
            assert_eq!(stream.read(&mut byte).unwrap(), 1, "{heard}");
            heard.push(char::from(byte[0]));
        }
        goes_on.send(()).unwrap();
    }
    stream.read_to_string(&mut heard).unwrap();
    assert!(heard.ends_with("0\r\n\r\n"), "{heard}");
}

#[test]
fn whoever_goes_away_is_missed_by_the_api() {
    let (asked, heard) = channel();
    let asked = std::sync::Mutex::new(asked);
    let (api, ended) = server(move |stream| {
        request(stream);
        asked.lock().unwrap().send(()).unwrap();
        // Nothing more comes, and then the end.
        stream.read(&mut [0]).unwrap()
    });
    let gateway = Wanted::of(api).starts();
    let mut stream = connected(gateway.api);
    stream.write_all(post("{}").as_bytes()).unwrap();
    // Whoever goes away before is asked for nothing at all.
    got(&heard);
    drop(stream);
    assert_eq!(got(&ended), 0);
}

#[test]
fn an_api_that_is_down_or_breaks_off_is_told_as_such() {
    let (gone, _) = server(|_| ());
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let heard = says(Wanted::of(nowhere).starts().api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 502") && heard.contains("cannot reach"), "{heard}");
    let heard = says(Wanted::of(gone).starts().api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 502"), "{heard}");
    let (broken, _) = server(|stream| {
        request(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").unwrap();
    });
    let gateway = Wanted::of(broken).starts();
    let heard = says(gateway.api, post("{}"));
    let (_, body) = heard.split_once("\r\n\r\n").unwrap_or_default();
    assert!(body.len() < 100, "{heard}");
    assert_eq!(gateway.decisions.verdicts(1), ["failed"]);
}

#[test]
fn uploads_stream_through_with_what_is_asked_for_first() {
    const SIZE: usize = 50 * 1024 * 1024;
    let (api, sizes) = server(|stream| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let (mut left, mut portion) = (SIZE, vec![0; 1 << 20]);
        while left > 0 {
            let length = stream.read(&mut portion).unwrap();
            assert!(length > 0, "{left} left");
            left -= length;
        }
        stream.write_all(answer("200 OK", "", "all").as_bytes()).unwrap();
        SIZE
    });
    let gateway = Wanted::of(api).starts();
    let mut stream = connected(gateway.api);
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nHost: a\r\nx-api-key: {WORD}\r\nConnection: close\r\nExpect: 100-continue\r\ncontent-length: {SIZE}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100 Continue"));
    let portion = vec![b'x'; 1 << 20];
    for _ in 0..50 {
        stream.write_all(&portion).unwrap();
    }
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert!(heard.ends_with("all"), "{heard}");
    assert_eq!(sizes.recv().unwrap(), SIZE);
}
