//! The duties of a gateway in front of the API: what passes as it is, what passes at once, and who waits for whom.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use crate::sent::{read, strict, until};
use crate::support::{
    KEY, PATIENCE, WORD, Wanted, answer, connected, got, more_to_come, post, request, says, server,
    with_headers,
};

/// An API that says this to everybody.
fn saying(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = answer.into();
    server(move |stream| {
        read(stream);
        stream.write_all(&answer).unwrap();
    })
    .0
}

#[test]
fn headers_that_nobody_knows_pass_in_both_directions_and_repeated_ones_in_their_order() {
    let (api, sent) = server(|stream| {
        let sent = read(stream);
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\nset-cookie: b=2; Path=/\r\nX-New: 1\r\nrequest-id: req_1\r\nset-cookie: a=1\r\n\
                  anthropic-ratelimit-unified-status: allowed\r\nx-latin: \xe9\r\nx-empty:\r\nset-cookie: c=3\r\n\
                  Connection: close, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\ncontent-length: 2\r\n\r\nok",
            )
            .unwrap();
        sent
    });
    let gateway = Wanted::of(api).starts();
    let mut stream = connected(gateway.api);
    let head = format!(
        "POST /v1/messages?beta=true HTTP/1.1\r\nHost: a\r\nX-Many: 2\r\nauthorization: Bearer {WORD}\r\nanthropic-beta: some, more\r\n\
         X-Many: 1\r\nanthropic-version: 2023-06-01\r\nanthropic-beta: third\r\nAccept: application/json\r\nUser-Agent: one/1\r\n\
         accept-encoding: gzip, br\r\nX-Latin: \u{e9}\r\nX-Empty:\r\nX-Many: 3\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    let head: Vec<u8> = head.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect();
    stream.write_all(&head).unwrap();
    let heard = until(&mut stream, b"\r\n\r\n").unwrap();
    let sent = got(&sent).unwrap();
    let mut names: Vec<&str> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "accept-encoding",
        "anthropic-beta",
        "anthropic-beta",
        "anthropic-version",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-api-key",
        "x-empty",
        "x-latin",
        "x-many",
        "x-many",
        "x-many",
    ];
    assert_eq!(names, expected, "nothing is missing and nothing is added");
    for (name, values) in [
        ("x-many", &["2", "1", "3"][..]),
        ("anthropic-beta", &["some, more", "third"]),
        ("anthropic-version", &["2023-06-01"]),
        ("user-agent", &["one/1"]),
        ("x-empty", &[""]),
        ("accept-encoding", &["identity"]),
        ("x-api-key", &[KEY]),
    ] {
        assert_eq!(sent.values(name), values, "{name}");
    }
    assert!(sent.headers.contains(&("x-latin".to_owned(), vec![0xe9])), "{sent:?}");
    // And back.
    let heard: String = heard.iter().map(|byte| char::from(*byte)).collect();
    let mut lines: Vec<&str> = heard.trim_end().lines().filter(|line| !line.starts_with("date: ")).collect();
    assert_eq!(lines.remove(0), "HTTP/1.1 200 OK");
    let cookies: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("set-cookie")).collect();
    assert_eq!(cookies, ["set-cookie: b=2; Path=/", "set-cookie: a=1", "set-cookie: c=3"]);
    lines.sort_unstable();
    let expected = [
        "anthropic-ratelimit-unified-status: allowed",
        "content-length: 2",
        "request-id: req_1",
        "set-cookie: a=1",
        "set-cookie: b=2; Path=/",
        "set-cookie: c=3",
        "x-empty: ",
        "x-latin: \u{e9}",
        "x-new: 1",
    ];
    assert_eq!(lines, expected, "{heard}");
}

#[test]
fn what_the_api_says_went_wrong_is_heard_byte_for_byte() {
    let overloaded =
        "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n";
    for (status, headers, body) in [
        ("400 Bad Request", "request-id: req_2\r\n", "{\"type\":\"error\", \"error\":  {}}"),
        ("401 Unauthorized", "www-authenticate: Bearer\r\n", "{\"error\":\"no\"}"),
        ("403 Forbidden", "", "<html>not here</html>"),
        ("404 Not Found", "x-should-retry: false\r\n", ""),
        ("413 Payload Too Large", "", "\u{0}\u{1}\n\r\n"),
        (
            "429 Too Many Requests",
            "retry-after: 17\r\nanthropic-ratelimit-requests-remaining: 0\r\n",
            overloaded,
        ),
        ("500 Internal Server Error", "", overloaded),
        ("503 Service Unavailable", "retry-after: Fri, 27 Nov 2026 23:59:59 GMT\r\n", ""),
        ("529 ", "x-should-retry: true\r\nretry-after: 3\r\n", overloaded),
    ] {
        let api = saying(answer(status, headers, body));
        let gateway = Wanted { keys: vec![KEY], ..Wanted::of(api) }.starts();
        let heard = says(gateway.api, post("{}"));
        let (head, said) = heard.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {}", &status[..3])), "{status}: {head}");
        for header in headers.lines() {
            assert!(head.contains(&format!("\r\n{header}")), "{status}: {head}");
        }
        assert_eq!(said, body, "{status}");
        let decision = gateway.decisions.all(1).remove(0);
        assert_eq!(
            (decision.verdict.word(), decision.status.to_string()),
            ("allowed", status[..3].to_owned())
        );
    }
}

#[test]
fn chunks_pass_both_ways_and_what_stands_behind_the_last_one_too() {
    let (api, sent) = server(|stream| {
        let sent = read(stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nTrailer: x-sum\r\n\r\n4\r\nsk-a\r\n5;e=1\r\nnt-ap\r\n0\r\nX-Sum: 9\r\n\r\n")
            .unwrap();
        sent
    });
    let gateway = Wanted::of(api).starts();
    let text = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nx-api-key: {WORD}\r\nTE: trailers\r\nConnection: close, TE\r\nTrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n\
         3\r\none\r\n3;e=1\r\ntwo\r\n0\r\nX-Sum: 6\r\n\r\n"
    );
    let heard = says(gateway.api, text);
    let sent = got(&sent).unwrap();
    assert_eq!(
        (sent.body.as_slice(), &sent.trailers),
        (&b"onetwo"[..], &vec![("x-sum".to_owned(), b"6".to_vec())])
    );
    // The API learns that they are welcome.
    assert_eq!(sent.values("te"), ["trailers"]);
    assert_eq!(sent.values("connection"), ["te"]);
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked") && head.contains("trailer: x-sum"), "{heard}");
    // What looked like the beginning of the key was held back for a moment, and is not lost.
    let said: String = body.split("\r\n").skip(1).step_by(2).collect();
    assert!(said.starts_with("sk-ant-ap"), "{heard}");
    assert!(body.ends_with("0\r\nx-sum: 9\r\n\r\n"), "{heard}");
}

#[test]
fn what_is_said_before_an_answer_is_not_taken_for_it() {
    for before in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </b>\r\n\r\n",
    ] {
        let api = saying(format!("{before}{}", answer("200 OK", "x-real: 1\r\n", "fine")));
        let heard = says(Wanted::of(api).starts().api, post("{}"));
        assert!(
            heard.starts_with("HTTP/1.1 200 OK")
                && heard.contains("x-real: 1")
                && heard.ends_with("\r\n\r\nfine"),
            "{heard}"
        );
    }
    // Nobody asked for another protocol.
    let api =
        saying("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\nwhatever");
    let heard = says(Wanted::of(api).starts().api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 502") && !heard.contains("whatever"), "{heard}");
}

#[test]
fn who_asks_before_an_upload_hears_yes_or_the_refusal_and_nothing_twice() {
    let (api, sent) = strict();
    let gateway = Wanted::of(api).starts();
    let head = |word: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nx-api-key: {word}\r\nExpect: 100-continue\r\nConnection: close\r\ncontent-length: 2\r\n\r\n"
        )
    };
    let mut stream = connected(gateway.api);
    stream.write_all(head(WORD).as_bytes()).unwrap();
    let go_on = until(&mut stream, b"\r\n\r\n").unwrap();
    assert_eq!(go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ab").unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("fine"), "{heard}");
    let sent = got(&sent).unwrap();
    assert_eq!((sent.value("expect"), sent.body.as_slice()), (None, &b"ab"[..]));
    // Who is refused is not asked to send anything first.
    let heard = says(gateway.api, head("another"));
    assert!(heard.starts_with("HTTP/1.1 401"), "{heard}");
}

#[test]
fn the_beginning_of_an_upload_is_heard_before_its_end_is_said_and_little_of_it_is_kept() {
    const PORTION: usize = 1 << 20;
    const PORTIONS: usize = 50;
    for chunked in [false, true] {
        let (began, beginning) = channel();
        let began = Mutex::new(began);
        let (api, sizes) = server(move |stream| {
            until(stream, b"\r\n\r\n");
            let (mut size, mut portion, mut end) = (0, vec![0; PORTION], Vec::new());
            // Chunks have lines around them; the last one is known by its end.
            while size < PORTION * PORTIONS || chunked && !end.ends_with(b"0\r\n\r\n") {
                let length = stream.read(&mut portion).unwrap();
                assert!(length > 0, "it breaks off after {size} bytes");
                size += portion[..length].iter().filter(|byte| **byte == b'~').count();
                end.extend_from_slice(&portion[length.saturating_sub(8)..length]);
                let _ = began.lock().unwrap().send(());
            }
            stream.write_all(answer("200 OK", "", "all").as_bytes()).unwrap();
            size
        });
        let gateway = Wanted::of(api).starts();
        let before = peak();
        let mut stream = connected(gateway.api);
        let framing = if chunked {
            "transfer-encoding: chunked".to_owned()
        } else {
            format!("content-length: {}", PORTION * PORTIONS)
        };
        let head = format!(
            "POST /v1/files HTTP/1.1\r\nHost: a\r\nx-api-key: {WORD}\r\nConnection: close\r\n{framing}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let portion = vec![b'~'; PORTION];
        for number in 0..PORTIONS {
            if number == 1 {
                got(&beginning);
            }
            if chunked {
                stream.write_all(format!("{PORTION:x}\r\n").as_bytes()).unwrap();
            }
            stream.write_all(&portion).unwrap();
            if chunked {
                stream.write_all(b"\r\n").unwrap();
            }
        }
        if chunked {
            stream.write_all(b"0\r\n\r\n").unwrap();
        }
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        assert!(heard.ends_with("all"), "{heard}");
        assert_eq!(got(&sizes), PORTION * PORTIONS);
        let grown = peak() - before;
        assert!(grown < 30 << 20, "{grown} bytes more");
    }
}

/// The most memory that this process has had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// A server that gives up while it is being sent something is heard.
#[test]
fn an_answer_that_comes_before_the_end_of_an_upload_is_heard() {
    let (api, _sent) = server(|stream| {
        until(stream, b"\r\n\r\n");
        stream.write_all(answer("413 Payload Too Large", "", "too much").as_bytes()).unwrap();
        // It reads what is on its way, so that its answer is not lost by a reset.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let gateway = Wanted::of(api).starts();
    let mut stream = connected(gateway.api);
    let head =
        format!("POST / HTTP/1.1\r\nHost: a\r\nx-api-key: {WORD}\r\ncontent-length: 52428800\r\n\r\nab");
    stream.write_all(head.as_bytes()).unwrap();
    let heard = String::from_utf8(until(&mut stream, b"too much").unwrap()).unwrap();
    assert!(heard.starts_with("HTTP/1.1 413") && heard.ends_with("too much"), "{heard}");
}

/// Says as much as goes through before nobody listens any more: how much that was. Without a limit it would be all.
fn says_until_nobody_listens(stream: &mut TcpStream, most: usize) -> usize {
    let portion = vec![b' '; 64 * 1024];
    stream.set_nonblocking(true).unwrap();
    let mut said = 0;
    while said < most {
        match stream.write(&portion[..portion.len().min(most - said)]) {
            Ok(length) => said += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut waits = [rustix::event::PollFd::new(&*stream, rustix::event::PollFlags::OUT)];
                let moment = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
                if rustix::event::poll(&mut waits, Some(&moment)).unwrap() == 0 {
                    break;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    stream.set_nonblocking(false).unwrap();
    said
}

/// More than all buffers on the way hold, and less than one would like to keep in memory.
const MUCH: usize = 96 << 20;
const BUFFERS: usize = 64 << 20;

#[test]
fn an_api_that_is_not_listened_to_has_to_wait() {
    let (told, held) = channel();
    let told = Mutex::new(told);
    let (api, _done) = server(move |stream| {
        until(stream, b"\r\n\r\n{}");
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {MUCH}\r\n\r\n").as_bytes()).unwrap();
        let said = says_until_nobody_listens(stream, MUCH);
        told.lock().unwrap().send(said).unwrap();
        let portion = vec![b' '; 64 * 1024];
        let mut left = MUCH - said;
        while left > 0 {
            left -= stream.write(&portion[..portion.len().min(left)]).unwrap();
        }
    });
    let gateway = Wanted::of(api).starts();
    let mut stream = connected(gateway.api);
    stream.write_all(post("{}").as_bytes()).unwrap();
    let said = got(&held);
    assert!(said < BUFFERS, "{said} bytes went somewhere");
    // Who begins to listen hears everything.
    until(&mut stream, b"\r\n\r\n").unwrap();
    assert_eq!(std::io::copy(&mut stream, &mut std::io::sink()).unwrap(), MUCH as u64);
}

#[test]
fn who_sends_what_nobody_listens_to_has_to_wait() {
    let (go_on, waits) = channel::<()>();
    let waits = Mutex::new(waits);
    let (api, sizes) = server(move |stream| {
        until(stream, b"\r\n\r\n");
        waits.lock().unwrap().recv().unwrap();
        let size = std::io::copy(&mut stream.take(MUCH as u64), &mut std::io::sink()).unwrap();
        stream.write_all(answer("200 OK", "", "all").as_bytes()).unwrap();
        size
    });
    let gateway = Wanted::of(api).starts();
    let mut stream = connected(gateway.api);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nx-api-key: {WORD}\r\nConnection: close\r\ncontent-length: {MUCH}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let said = says_until_nobody_listens(&mut stream, MUCH);
    assert!(said < BUFFERS, "{said} bytes went somewhere");
    go_on.send(()).unwrap();
    let portion = vec![b' '; 64 * 1024];
    let mut left = MUCH - said;
    while left > 0 {
        left -= stream.write(&portion[..portion.len().min(left)]).unwrap();
    }
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert!(heard.ends_with("all"), "{heard}");
    assert_eq!(got(&sizes), MUCH as u64);
}

#[test]
fn tunnels_make_both_sides_wait_for_each_other() {
    let (go_on, waits) = channel::<()>();
    let waits = Mutex::new(waits);
    let (told, held) = channel();
    let told = Mutex::new(told);
    let (service, sizes) = server(move |stream| {
        let said = says_until_nobody_listens(stream, MUCH);
        told.lock().unwrap().send(said).unwrap();
        waits.lock().unwrap().recv().unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut portion = vec![0; 1 << 20];
        let mut size = 0;
        while let length @ 1.. = stream.read(&mut portion).unwrap() {
            size += length;
        }
        size
    });
    let gateway = Wanted::of(service).starts();
    let mut stream = connected(gateway.proxy);
    stream.write_all(format!("CONNECT {service} HTTP/1.1\r\nHost: {service}\r\n\r\n").as_bytes()).unwrap();
    until(&mut stream, b"\r\n\r\n").unwrap();
    let heard = got(&held);
    let said = says_until_nobody_listens(&mut stream, MUCH);
    assert!(heard < BUFFERS && said < BUFFERS, "{heard} and {said} bytes went somewhere");
    go_on.send(()).unwrap();
    // Each end is for itself: the service has ended, and still hears everything.
    assert_eq!(std::io::copy(&mut stream, &mut std::io::sink()).unwrap(), heard as u64);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(got(&sizes), said);
}

#[test]
fn whoever_goes_away_in_the_middle_is_missed_by_the_api() {
    // In the middle of an answer, though the API is silent for the moment.
    let (api, ended) = server(|stream| {
        until(stream, b"\r\n\r\n{}");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\nc\r\nevent: ping\n\r\n")
            .unwrap();
        !matches!(stream.read(&mut [0]), Ok(1..))
    });
    let gateway = Wanted::of(api).starts();
    let mut stream = connected(gateway.api);
    stream.write_all(post("{}").as_bytes()).unwrap();
    until(&mut stream, b"event: ping\n").unwrap();
    drop(stream);
    assert!(got(&ended));
    gateway.decisions.all(1);
    // In the middle of an upload: the API sees that it is not whole.
    let (api, sent) = server(read);
    let gateway = Wanted::of(api).starts();
    for framing in ["content-length: 100\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let mut stream = connected(gateway.api);
        stream
            .write_all(format!("POST / HTTP/1.1\r\nHost: a\r\nx-api-key: {WORD}\r\n{framing}").as_bytes())
            .unwrap();
        drop(stream);
        assert!(got(&sent).is_none_or(|sent| !sent.whole), "{framing}");
    }
}

#[test]
fn who_has_said_everything_still_hears_the_answer_of_the_proxy() {
    let (granted, _sent) = strict();
    let gateway = Wanted::of(granted).starts();
    let mut stream = connected(gateway.proxy);
    stream
        .write_all(format!("GET http://{granted}/ HTTP/1.1\r\nHost: {granted}\r\n\r\n").as_bytes())
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("fine"), "{heard}");
}

#[test]
fn clients_of_an_old_version_hear_no_chunks() {
    let api = saying("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n");
    let gateway = Wanted::of(api).starts();
    let heard = says(gateway.api, format!("GET / HTTP/1.0\r\nx-api-key: {WORD}\r\n\r\n"));
    assert!(heard.starts_with("HTTP/1.0 200") && heard.ends_with("\r\n\r\nfine"), "{heard}");
    assert!(!heard.contains("transfer-encoding"), "{heard}");
    let heard = says(gateway.proxy, format!("GET http://{api}/ HTTP/1.0\r\nHost: {api}\r\n\r\n"));
    assert!(heard.starts_with("HTTP/1.0 200") && heard.ends_with("\r\n\r\nfine"), "{heard}");
    // And a server of an old version, whose answer ends with its connection.
    let api = saying("HTTP/1.0 200 OK\r\n\r\nfine");
    let gateway = Wanted::of(api).starts();
    let heard = says(gateway.api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("4\r\nfine\r\n0\r\n\r\n"), "{heard}");
    let get = format!("GET http://{api}/ HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\r\n");
    let heard = says(gateway.proxy, get);
    assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("4\r\nfine\r\n0\r\n\r\n"), "{heard}");
}

#[test]
fn connections_are_used_again_and_answers_come_in_the_order_of_the_questions() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counts = connections.clone();
    let (api, _) = server(move |stream| {
        counts.fetch_add(1, Ordering::Relaxed);
        while let Some(sent) = read(stream) {
            let path = sent.line.split(' ').nth(1).unwrap().to_owned();
            stream.write_all(more_to_come("200 OK", "", &format!("<{path}>")).as_bytes()).unwrap();
        }
    });
    let gateway = Wanted::of(api).starts();
    let ask = |number: usize, more: &str| {
        format!(
            "POST /{number} HTTP/1.1\r\nHost: a\r\nx-api-key: {WORD}\r\n{more}content-length: 2\r\n\r\nab"
        )
    };
    // One after the other, on one connection.
    let mut stream = connected(gateway.api);
    for number in 0..5 {
        stream.write_all(ask(number, "").as_bytes()).unwrap();
        until(&mut stream, format!("</base/{number}>").as_bytes()).unwrap();
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    // All at once.
    let all: String =
        (5..10).map(|number| ask(number, if number == 9 { "Connection: close\r\n" } else { "" })).collect();
    stream.write_all(all.as_bytes()).unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    let order: Vec<&str> =
        heard.match_indices('<').filter_map(|(at, _)| heard[at + 1..].split('>').next()).collect();
    assert_eq!(order, ["/base/5", "/base/6", "/base/7", "/base/8", "/base/9"], "{heard}");
    // Another client has the same connection.
    let heard = says(gateway.api, ask(10, "Connection: close\r\n"));
    assert!(heard.ends_with("</base/10>"), "{heard}");
    assert!(connections.load(Ordering::Relaxed) <= 2, "a connection for each thread at the most");
}

/// Requests of one connection to the proxy are each for whom they name.
#[test]
fn requests_of_one_connection_go_to_different_hosts() {
    let ((one, at_one), (other, at_other)) = (strict(), strict());
    let rules =
        [one, other].map(|host| crate::support::rule(&host.to_string(), coffer_gateway::setup::Ranges::Any));
    let gateway = Wanted { rules: rules.to_vec(), ..Wanted::of(one) }.starts();
    let get =
        |host: SocketAddr, more: &str| format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
    let heard = says(
        gateway.proxy,
        get(one, "") + &get("127.0.0.1:9".parse().unwrap(), "") + &get(other, "Connection: close\r\n"),
    );
    let statuses: Vec<&str> =
        heard.match_indices("HTTP/1.1 ").map(|(at, text)| &heard[at + text.len()..][..3]).collect();
    assert_eq!(statuses, ["200", "403", "200"], "{heard}");
    assert_eq!(got(&at_one).unwrap().value("host"), Some(one.to_string()));
    assert_eq!(got(&at_other).unwrap().value("host"), Some(other.to_string()));
    assert_eq!(gateway.decisions.verdicts(3), ["allowed", "denied", "allowed"]);
}

/// A connection that the API has closed while nobody used it is not a fault of whoever asks next.
#[test]
fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let (closed, closes) = channel();
    let closed = Mutex::new(closed);
    let (api, _) = server(move |stream| {
        request(stream);
        stream.write_all(more_to_come("200 OK", "", "fine").as_bytes()).unwrap();
        // It is kept alive by its words, and then closed.
        stream.shutdown(Shutdown::Both).unwrap();
        closed.lock().unwrap().send(()).unwrap();
    });
    let gateway = Wanted::of(api).starts();
    for _ in 0..20 {
        let heard = says(gateway.api, with_headers("", "{}"));
        assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
        closes.recv_timeout(PATIENCE).unwrap();
    }
}
