//! Requests that nobody would think of: good ones, with pieces of others put in, taken out and moved. Whatever somebody
//! behind the gateway is sent can be read in one way.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use coffer_gateway::setup::Limits;
use proptest::prelude::*;

use crate::sent::{Sent, strict};
use crate::support::{KEY, PATIENCE, WORD, Wanted, connected};

/// Good requests; `HOST` is one that is allowed.
const GOOD: [&str; 5] = [
    "GET http://HOST/a?b=c HTTP/1.1\r\nHost: HOST\r\nX-A: b\r\n\r\n",
    "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\ncontent-length: 5\r\n\r\nhello",
    "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST /v1/messages?beta=true&api_key=mine HTTP/1.1\r\nHost: a\r\nx-api-key: WORD\r\nCookie: mine\r\ncontent-length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nauthorization: Bearer WORD\r\nTrailer: x-sum, cookie\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nx-sum: 1\r\ncookie: mine\r\n\r\n",
];

/// Pieces by which requests have been smuggled.
const PIECES: [&str; 32] = [
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    "\u{b}",
    ":",
    "\r\n ",
    "\r\n\r\n",
    "0\r\n\r\n",
    "5\r\n",
    "0x5",
    "+",
    ";",
    ",",
    "content-length: 3\r\n",
    "Content-Length : 5\r\n",
    "content-length:\r\n",
    "transfer-encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "transfer-encoding: xchunked\r\n",
    "chunked, ",
    "Host: other\r\n",
    "host: \r\n",
    "http://other",
    "@other",
    "#",
    "%0d%0a",
    "HTTP/1.0",
    "Connection: content-length, host\r\n",
    "GET http://other/ HTTP/1.1\r\nHost: other\r\n\r\n",
];

/// One change.
#[derive(Debug, Clone)]
enum Change {
    Insert(prop::sample::Index, &'static str),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (any::<prop::sample::Index>(), prop::sample::select(&PIECES[..])).prop_map(|(at, piece)| Change::Insert(at, piece)),
        1 => (any::<prop::sample::Index>(), 1_usize..12).prop_map(|(at, length)| Change::Remove(at, length)),
        1 => (any::<prop::sample::Index>(), 1_usize..40).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn changed(text: &mut Vec<u8>, change: &Change) {
    if text.is_empty() {
        return;
    }
    match change {
        Change::Insert(at, piece) => {
            let at = at.index(text.len());
            text.splice(at..at, piece.bytes());
        }
        Change::Remove(at, length) => {
            let at = at.index(text.len());
            text.drain(at..(at + length).min(text.len()));
        }
        Change::Repeat(at, length) => {
            let at = at.index(text.len());
            let again = text[at..(at + length).min(text.len())].to_vec();
            text.splice(at..at, again);
        }
    }
}

/// Says it, and hears what there is to be heard until nothing comes for a moment.
fn says(door: SocketAddr, text: &[u8], ends: bool) {
    let mut stream = connected(door);
    let _ = stream.write_all(text);
    if ends {
        let _ = stream.shutdown(Shutdown::Write);
    } else {
        // A body that does not come is waited for by the gateway, and not here.
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    }
    let _ = stream.read_to_end(&mut Vec::new());
}

fn as_it_should_be(sent: &Sent, host: SocketAddr) {
    assert_eq!(sent.value("host"), Some(host.to_string()), "{sent:?}");
    if sent.values("x-api-key") == [KEY] {
        assert!(sent.line.contains(" /base/") || sent.line.contains(" /base?"), "{sent:?}");
        let is_one =
            |name: &String| ["authorization", "cookie", "x-api-key"].contains(&name.to_lowercase().as_str());
        let names = sent.headers.iter().chain(&sent.trailers).map(|(name, _)| name);
        assert_eq!(names.filter(|name| is_one(name)).count(), 1, "{sent:?}");
    }
}

#[test]
fn whatever_is_said_is_passed_on_in_one_reading_or_not_at_all() {
    let (host, sent) = strict();
    // Who does not come to the point is let go at once.
    let limits = Limits { head_time: Duration::from_millis(50), ..Limits::default() };
    let gateway = Wanted { limits, ..Wanted::of(host) }.starts();
    let (proxy, api) = (gateway.proxy, gateway.api);
    let mut config = ProptestConfig::with_cases(400);
    config.failure_persistence = None;
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let whole = std::cell::Cell::new(0);
    let strategy = (0..GOOD.len(), prop::collection::vec(change(), 1..4));
    let outcome = runner.run(&strategy, |(which, changes)| {
        let good = GOOD[which].replace("HOST", &host.to_string()).replace("WORD", WORD);
        let mut text = good.into_bytes();
        for change in &changes {
            changed(&mut text, change);
        }
        // At the API's door an end would mean that nobody waits: the request says that it is the last.
        let (door, ends) = if which < 3 { (proxy, true) } else { (api, false) };
        if !ends {
            let line = text.windows(2).position(|window| window == b"\r\n").map_or(0, |at| at + 2);
            text.splice(line..line, *b"Connection: close\r\n");
        }
        says(door, &text, ends);
        while let Ok(sent) = sent.try_recv() {
            let Some(sent) = sent else { continue };
            whole.set(whole.get() + usize::from(sent.whole));
            as_it_should_be(&sent, host);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    // What is under way is looked at, too.
    while let Ok(sent) = sent.recv_timeout(PATIENCE / 20) {
        if let Some(sent) = sent {
            as_it_should_be(&sent, host);
        }
    }
    assert!(whole.get() > 20, "{} were whole: the changes leave too little to look at", whole.get());
}
