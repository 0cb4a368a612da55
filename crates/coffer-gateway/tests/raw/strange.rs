//! Requests that no client sends, at both doors. For each: what somebody behind the gateway was sent is nothing, or one
//! request that can be read in one way.

use std::sync::mpsc::Receiver;

use coffer_gateway::setup::Ranges;

use crate::sent::{Sent, strict};
use crate::support::{WORD, Wanted, got, rule, says};

/// What comes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// Nobody is sent anything; who asked is told so with this status, or by the end of the connection.
    Nothing(u16),
    /// One request, as the gateway says it.
    One,
    /// One request that breaks off before its body's end: nobody acts on that.
    Broken,
}
use Comes::{Broken, Nothing, One};

/// Says it at a door, and compares what came of it.
fn look(name: &str, heard: &str, sent: &Receiver<Option<Sent>>, comes: Comes) -> Option<Sent> {
    let refused = heard.is_empty()
        || ["400", "431", "501"].iter().any(|status| heard.starts_with(&format!("HTTP/1.1 {status}")));
    match comes {
        Nothing(status) => {
            let as_told = heard.is_empty() || heard.starts_with(&format!("HTTP/1.1 {status}"));
            assert!(as_told, "{name}: {heard}");
            assert!(sent.try_recv().is_err(), "{name}: somebody was asked");
            None
        }
        One => {
            assert!(
                heard.starts_with("HTTP/1.1 200") || heard.starts_with("HTTP/1.0 200"),
                "{name}: {heard}"
            );
            let sent = got(sent).unwrap();
            assert!(sent.whole, "{name}: {sent:?}");
            Some(sent)
        }
        Broken => {
            assert!(refused || heard.starts_with("HTTP/1.1 502"), "{name}: {heard}");
            // The head went out as it came, before anybody could know.
            let sent = got(sent);
            let broken = sent.as_ref().is_none_or(|sent| !sent.whole && !sent.line.is_empty());
            assert!(broken, "{name}: {sent:?}");
            sent
        }
    }
}

/// A request to the API, with what stands for `HEAD` in it: the word of the run, and the end of the connection after it.
fn with_word(text: &str) -> String {
    text.replace("HEAD", &format!("Host: a\r\nAuthorization: Bearer {WORD}\r\nConnection: close\r\n"))
}

#[test]
fn where_a_body_ends_is_said_once_or_nobody_is_asked() {
    let (api, sent) = strict();
    let gateway = Wanted::of(api).starts();
    for (name, text, comes) in [
        ("two lengths that are one", "content-length: 2\r\ncontent-length: 2\r\n\r\nab", One),
        ("two lengths", "content-length: 2\r\ncontent-length: 3\r\n\r\nabc", Nothing(400)),
        (
            "two lengths, the longer one first",
            "Content-Length: 3\r\nCONTENT-LENGTH: 2\r\n\r\nabc",
            Nothing(400),
        ),
        ("two lengths in one", "content-length: 2, 3\r\n\r\nabc", Nothing(400)),
        ("a length twice in one", "content-length: 2, 2\r\n\r\nab", Nothing(400)),
        ("a length with a sign", "content-length: +2\r\n\r\nab", Nothing(400)),
        ("a negative length", "content-length: -1\r\n\r\n", Nothing(400)),
        ("a length in hex", "content-length: 0x2\r\n\r\nab", Nothing(400)),
        ("a length with a fraction", "content-length: 2.0\r\n\r\nab", Nothing(400)),
        ("no length", "content-length:\r\n\r\n", Nothing(400)),
        ("more than there can be", "content-length: 18446744073709551617\r\n\r\na", Nothing(400)),
        ("a length with leading zeros", "content-length: 0002\r\n\r\nab", One),
        (
            "a length and chunks",
            "content-length: 50\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            One,
        ),
        (
            "chunks and a length",
            "transfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            One,
        ),
        (
            "chunks and two lengths",
            "content-length: 1\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            One,
        ),
        ("chunks in upper case", "Transfer-Encoding: CHUNKED\r\n\r\n2\r\nab\r\n0\r\n\r\n", One),
        (
            "chunks that are not last",
            "transfer-encoding: chunked, identity\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            Nothing(400),
        ),
        (
            "identity before chunks",
            "transfer-encoding: identity, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            Nothing(501),
        ),
        (
            "a packed body in chunks",
            "transfer-encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            Nothing(501),
        ),
        ("chunks twice", "transfer-encoding: chunked, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", Nothing(501)),
        (
            "chunks in two headers",
            "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            Nothing(501),
        ),
        ("chunks by another name", "transfer-encoding: xchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", Nothing(400)),
        ("chunks in quotes", "transfer-encoding: \"chunked\"\r\n\r\n2\r\nab\r\n0\r\n\r\n", Nothing(400)),
        (
            "chunks with a parameter",
            "transfer-encoding: chunked;q=1\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            Nothing(400),
        ),
        ("chunks behind a tabulator", "transfer-encoding:\tchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", One),
        (
            "chunks behind a vertical one",
            "transfer-encoding: \u{b}chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            Nothing(400),
        ),
        ("no chunks", "transfer-encoding: identity\r\ncontent-length: 2\r\n\r\nab", Nothing(400)),
        ("a coding that is empty", "transfer-encoding:\r\ncontent-length: 2\r\n\r\nab", Nothing(400)),
    ] {
        let text = with_word(&format!("POST /v1/messages HTTP/1.1\r\nHEAD{text}"));
        let heard = says(gateway.api, text);
        if let Some(sent) = look(name, &heard, &sent, comes) {
            assert_eq!(sent.body, b"ab", "{name}: {sent:?}");
        }
    }
    let old = with_word("POST / HTTP/1.0\r\nHEADtransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
    look("chunks of an old version", &says(gateway.api, old), &sent, Nothing(400));
}

#[test]
fn chunks_that_are_none_break_off_what_they_began() {
    let (api, sent) = strict();
    let gateway = Wanted::of(api).starts();
    for (name, text, comes) in [
        ("plain", "2\r\nab\r\n0\r\n\r\n", One),
        ("with an extension", "2;name=value\r\nab\r\n0;last\r\n\r\n", One),
        ("with an extension in quotes", "2;a=\"b;c\"\r\nab\r\n0\r\n\r\n", One),
        ("with leading zeros", "0000002\r\nab\r\n000\r\n\r\n", One),
        ("with a space before the end", "2 \r\nab\r\n0\r\n\r\n", One),
        ("with an endless extension", &format!("2;{}\r\nab\r\n0\r\n\r\n", "x".repeat(64 * 1024)), Broken),
        ("with a line feed in an extension", "2;a\nb\r\nab\r\n0\r\n\r\n", Broken),
        ("with a bare line feed", "2\nab\n0\n\n", Broken),
        ("with a bare return", "2\rXab\r\n0\r\n\r\n", Broken),
        ("with a sign", "+2\r\nab\r\n0\r\n\r\n", Broken),
        ("negative", "-2\r\nab\r\n0\r\n\r\n", Broken),
        ("with a prefix", "0x2\r\nab\r\n0\r\n\r\n", Broken),
        ("without a size", "\r\nab\r\n0\r\n\r\n", Broken),
        ("larger than can be", "10000000000000002\r\nab\r\n0\r\n\r\n", Broken),
        ("longer than they say", "2\r\nabc\r\n0\r\n\r\n", Broken),
        ("shorter than they say", "3\r\nab\r\n0\r\n\r\n", Broken),
        ("without an end of one", "2\r\nab0\r\n\r\n", Broken),
        ("in letters", "G\r\nab\r\n0\r\n\r\n", Broken),
    ] {
        let text =
            with_word(&format!("POST /v1/messages HTTP/1.1\r\nHEADtransfer-encoding: chunked\r\n\r\n{text}"));
        let heard = says_and_ends(gateway.api, &text);
        let sent = look(name, &heard, &sent, comes);
        if comes == One {
            assert_eq!(sent.unwrap().body, b"ab", "{name}");
        }
    }
}

/// Says something, and that this is all.
fn says_and_ends(to: std::net::SocketAddr, text: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = crate::support::connected(to);
    stream.write_all(text.as_bytes()).unwrap();
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn heads_that_can_be_read_in_two_ways_reach_nobody() {
    let (api, sent) = strict();
    let gateway = Wanted::of(api).starts();
    for (name, text, comes) in [
        ("plain", "GET /a HTTP/1.1\r\nHEAD\r\n", One),
        ("a folded header", "GET / HTTP/1.1\r\nHEADX-A: b\r\n c\r\n\r\n", Nothing(400)),
        ("a header folded by a tabulator", "GET / HTTP/1.1\r\nHEADX-A: b\r\n\tc\r\n\r\n", Nothing(400)),
        ("a space before the first header", "GET / HTTP/1.1\r\n X-A: b\r\nHEAD\r\n", Nothing(400)),
        ("a space before a colon", "GET / HTTP/1.1\r\nHEADX-A : b\r\n\r\n", Nothing(400)),
        ("a tabulator before a colon", "GET / HTTP/1.1\r\nHEADContent-Length\t: 2\r\n\r\nab", Nothing(400)),
        ("a header without a name", "GET / HTTP/1.1\r\nHEAD: b\r\n\r\n", Nothing(400)),
        ("a header without a colon", "GET / HTTP/1.1\r\nHEADX-A\r\n\r\n", Nothing(400)),
        ("a space in a name", "GET / HTTP/1.1\r\nHEADX A: b\r\n\r\n", Nothing(400)),
        ("a name that is no ASCII", "GET / HTTP/1.1\r\nHEADX-É: b\r\n\r\n", Nothing(400)),
        ("a zero in a name", "GET / HTTP/1.1\r\nHEADX\0A: b\r\n\r\n", Nothing(400)),
        ("a zero in a value", "GET / HTTP/1.1\r\nHEADX-A: b\0c\r\n\r\n", Nothing(400)),
        ("a bare return in a value", "GET / HTTP/1.1\r\nHEADX-A: b\rc: d\r\n\r\n", Nothing(400)),
        ("an escape in a value", "GET / HTTP/1.1\r\nHEADX-A: b\u{1b}[2J\r\n\r\n", Nothing(400)),
        ("bare line feeds", "GET /a HTTP/1.1\nHEAD\n", One),
        ("empty lines before it", "\r\n\r\nGET /a HTTP/1.1\r\nHEAD\r\n", One),
        ("two hosts", "GET / HTTP/1.1\r\nHEADHost: b\r\n\r\n", Nothing(400)),
        ("the same host twice", "GET / HTTP/1.1\r\nHEADHOST: a\r\n\r\n", Nothing(400)),
        ("another host than its address", "GET http://b/a HTTP/1.1\r\nHEAD\r\n", Nothing(400)),
        ("its own host in its address", "GET http://A/a HTTP/1.1\r\nHEAD\r\n", One),
        ("a user in its address", "GET http://u@a/a HTTP/1.1\r\nHEAD\r\n", Nothing(400)),
        ("an address without a path", "OPTIONS * HTTP/1.1\r\nHEAD\r\n", Nothing(400)),
        ("a host alone", "GET a:80 HTTP/1.1\r\nHEAD\r\n", Nothing(400)),
        ("a tunnel", "CONNECT a:443 HTTP/1.1\r\nHEAD\r\n", Nothing(405)),
        ("a fragment", "GET /a#b HTTP/1.1\r\nHEAD\r\n", One),
        ("a path like a host", "GET //b/a HTTP/1.1\r\nHEAD\r\n", One),
        ("a space in its path", "GET /a b HTTP/1.1\r\nHEAD\r\n", Nothing(400)),
        ("a tabulator in its path", "GET /a\tb HTTP/1.1\r\nHEAD\r\n", Nothing(400)),
        ("a bare return in its path", "GET /a\rb HTTP/1.1\r\nHEAD\r\n", Nothing(400)),
        ("a zero in its path", "GET /a\0b HTTP/1.1\r\nHEAD\r\n", Nothing(400)),
        ("an escaped line end in its path", "GET /a%0d%0aX-A:%20b HTTP/1.1\r\nHEAD\r\n", One),
        ("two spaces", "GET  /a HTTP/1.1\r\nHEAD\r\n", Nothing(400)),
        ("a method that is none", "G@T / HTTP/1.1\r\nHEAD\r\n", Nothing(400)),
        ("a method of its own", "get /a HTTP/1.1\r\nHEAD\r\n", One),
        ("a version to come", "GET / HTTP/2.0\r\nHEAD\r\n", Nothing(400)),
        ("a version that never was", "GET / HTTP/1.2\r\nHEAD\r\n", Nothing(400)),
        ("a version in words", "GET / HTTP/one\r\nHEAD\r\n", Nothing(400)),
        ("no version", "GET /\r\nHEAD\r\n", Nothing(400)),
        ("another protocol", "GET / ICAP/1.0\r\nHEAD\r\n", Nothing(400)),
        ("the beginning of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Nothing(400)),
        ("a greeting of TLS", "\u{16}\u{3}\u{1}\0\u{1}hello\r\n\r\n", Nothing(400)),
        (
            "a body that nobody announced",
            "GET /a HTTP/1.1\r\nHEAD\r\nGET /smuggled HTTP/1.1\r\nHEAD\r\n",
            One,
        ),
        ("an expectation that nobody knows", "GET /a HTTP/1.1\r\nHEADExpect: 200-maybe\r\n\r\n", One),
    ] {
        let heard = says(gateway.api, with_word(text));
        if let Some(sent) = look(name, &heard, &sent, comes) {
            assert!(sent.line.contains("/base/") && !sent.line.contains("smuggled"), "{name}: {sent:?}");
            assert_eq!(sent.value("host"), Some(api.to_string()), "{name}");
        }
    }
}

/// Who says that a header belongs to the connection takes it out of the request, but never what says where that ends
/// or whom it is for.
#[test]
fn what_is_called_the_connections_own_does_not_change_the_request() {
    let (api, sent) = strict();
    let gateway = Wanted::of(api).starts();
    let head = format!("Host: a\r\nx-api-key: {WORD}\r\nX-Mine: 1\r\nX-Kept: 1\r\n");
    for (named, gone) in [
        ("close", vec![]),
        ("close, content-length", vec![]),
        ("close, transfer-encoding, host", vec![]),
        ("close, X-Mine", vec!["x-mine"]),
        (",, close ,X-MINE,,", vec!["x-mine"]),
        ("close, \"x-mine\", anthropic-version", vec!["anthropic-version"]),
    ] {
        let text = format!(
            "POST / HTTP/1.1\r\n{head}anthropic-version: 1\r\nTE: gzip\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nProxy-Connection: a\r\nProxy-Authorization: mine\r\nConnection: {named}\r\ncontent-length: 2\r\n\r\nab"
        );
        let sent = look(named, &says(gateway.api, text), &sent, One).unwrap();
        assert_eq!(
            (sent.body.as_slice(), sent.value("content-length").as_deref()),
            (&b"ab"[..], Some("2")),
            "{named}"
        );
        for name in ["x-mine", "x-kept", "anthropic-version"] {
            assert_eq!(sent.value(name).is_none(), gone.contains(&name), "{named}: {name}: {sent:?}");
        }
        for name in ["te", "keep-alive", "upgrade", "proxy-connection", "proxy-authorization", "x-api-key"] {
            assert_eq!(
                sent.value(name).as_deref().filter(|value| *value != crate::support::KEY),
                None,
                "{named}: {name}"
            );
        }
    }
    // Who calls the word of the run the connection's own has not shown it.
    let text = format!("GET / HTTP/1.1\r\n{head}Connection: close, x-api-key\r\n\r\n");
    look("the word", &says(gateway.api, text), &sent, Nothing(401));
}

/// Nothing by which somebody could be known gets out, wherever in a request it stands.
#[test]
fn credentials_from_inside_stay_inside_in_every_place() {
    let (api, sent) = strict();
    let gateway = Wanted::of(api).starts();
    let query = "?a=1&API_KEY=mine&api%5fkey=mine&api_key&api_key=mine=mine&b=2";
    let text = format!(
        "POST /v1/messages{query} HTTP/1.1\r\nHEADX-API-KEY: mine\r\nx-api-key: mine\r\nCookie: mine\r\nTrailer: x-api-key, authorization, x-sum\r\n\
         transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Api-Key: mine\r\nAuthorization: mine\r\nX-Sum: 7\r\n\r\n"
    );
    let sent = look("everywhere", &says(gateway.api, with_word(&text)), &sent, One).unwrap();
    assert_eq!(sent.line, "POST /base/v1/messages?a=1&b=2 HTTP/1.1");
    assert!(
        !format!("{sent:?}{}", String::from_utf8_lossy(&sent.headers.concat_values())).contains("mine"),
        "{sent:?}"
    );
    assert_eq!(sent.trailers, [("x-sum".to_owned(), b"7".to_vec())]);
}

trait ConcatValues {
    fn concat_values(&self) -> Vec<u8>;
}

impl ConcatValues for Vec<(String, Vec<u8>)> {
    fn concat_values(&self) -> Vec<u8> {
        self.iter().flat_map(|(_, value)| value.iter().copied()).collect()
    }
}

#[test]
fn whom_a_request_through_the_proxy_is_for_can_be_read_in_one_way() {
    let (granted, sent) = strict();
    let port = granted.port();
    let rules = vec![
        rule(&format!("127.0.0.1:{port}"), Ranges::Any),
        rule(&format!("api.example.org:{port}"), Ranges::Any),
        rule(&format!("*.wild.example.org:{port}"), Ranges::Any),
        rule(&format!("bücher.example:{port}"), Ranges::Any),
    ];
    let overrides = ["api.example.org", "a.wild.example.org", "xn--bcher-kva.example"]
        .map(|name| (name.parse().unwrap(), vec![granted]))
        .into();
    let gateway = Wanted { rules, overrides, ..Wanted::of(granted) }.starts();
    for (host, comes) in [
        ("127.0.0.1:PORT", One),
        ("api.example.org:PORT", One),
        ("API.Example.ORG:PORT", One),
        ("api.example.org.:PORT", One),
        ("api.example.org..:PORT", Nothing(400)),
        (".api.example.org:PORT", Nothing(400)),
        ("api..example.org:PORT", Nothing(400)),
        ("a.wild.example.org:PORT", One),
        ("wild.example.org:PORT", Nothing(403)),
        ("xwild.example.org:PORT", Nothing(403)),
        ("a.wild.example.org.evil.example:PORT", Nothing(403)),
        ("xn--bcher-kva.example:PORT", One),
        ("XN--BCHER-KVA.example:PORT", One),
        ("bücher.example:PORT", Nothing(400)),
        // A Cyrillic `а`, raw and as DNS would have it.
        ("аpi.example.org:PORT", Nothing(400)),
        ("xn--pi-7kc.example.org:PORT", Nothing(403)),
        ("xn--:PORT", Nothing(400)),
        // Other spellings of the same address mean it; of another one, they do not.
        ("127.1:PORT", One),
        ("0x7f.0.0.1:PORT", One),
        ("2130706433:PORT", One),
        ("[::ffff:127.0.0.1]:PORT", One),
        ("127.0.0.2:PORT", Nothing(403)),
        ("[::1]:PORT", Nothing(403)),
        ("[fe80::1%25lo]:PORT", Nothing(400)),
        ("[fe80::1%lo]:PORT", Nothing(400)),
        ("[::1:PORT", Nothing(400)),
        ("::1:PORT", Nothing(400)),
        ("127%2e0.0.1:PORT", Nothing(400)),
        ("api%2eexample.org:PORT", Nothing(400)),
        ("api.example.org%00:PORT", Nothing(400)),
        ("u@127.0.0.1:PORT", Nothing(400)),
        ("api.example.org:PORT@127.0.0.2:PORT", Nothing(400)),
        ("127.0.0.1:PORT\\@evil.example", Nothing(400)),
        ("127.0.0.1:0", Nothing(400)),
        ("127.0.0.1:65536", Nothing(400)),
        ("127.0.0.1:99999999999", Nothing(400)),
        ("127.0.0.1:+PORT", Nothing(400)),
        ("127.0.0.1:-1", Nothing(400)),
        ("127.0.0.1:PORT:PORT", Nothing(400)),
        ("127.0.0.1:http", Nothing(400)),
        ("127.0.0.1:25", Nothing(403)),
        ("127.0.0.1", Nothing(403)),
        ("", Nothing(400)),
        ("a_b:PORT", Nothing(403)),
        ("a b:PORT", Nothing(400)),
        ("a\tb:PORT", Nothing(400)),
        ("a\rb:PORT", Nothing(400)),
        ("a\0b:PORT", Nothing(400)),
    ] {
        let host = host.replace("PORT", &port.to_string());
        let get = format!("GET http://{host}/a?b HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        if let Some(sent) = look(&host, &says(gateway.proxy, get), &sent, comes) {
            assert_eq!(sent.line, "GET /a?b HTTP/1.1", "{host}");
            assert_eq!(sent.value("host"), Some(host.clone()));
        }
        // A tunnel says nothing by itself: only who is refused can be seen here.
        if let Nothing(status) = comes {
            // Without a port there is no tunnel at all.
            let status = if host == "127.0.0.1" { 400 } else { status };
            let connect = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            look(&format!("a tunnel to {host}"), &says(gateway.proxy, connect), &sent, Nothing(status));
        }
    }
}

#[test]
fn addresses_that_are_no_proxys_reach_nobody() {
    let (granted, sent) = strict();
    let gateway = Wanted::of(granted).starts();
    for (text, comes) in [
        ("GET http://GRANTED/a HTTP/1.1\r\nHost: GRANTED\r\n", One),
        ("GET HTTP://GRANTED/a HTTP/1.1\r\nHost: GRANTED\r\n", One),
        ("GET http://GRANTED HTTP/1.1\r\nHost: GRANTED\r\n", One),
        ("GET http://GRANTED?a HTTP/1.1\r\nHost: GRANTED\r\n", One),
        ("GET http://GRANTED/a HTTP/1.0\r\n", One),
        ("GET http://GRANTED#@evil.example/a HTTP/1.1\r\nHost: GRANTED\r\n", One),
        ("GET http://GRANTED/a HTTP/1.1\r\nHost: evil.example\r\n", Nothing(400)),
        ("GET http://GRANTED/a HTTP/1.1\r\nHost: GRANTED\r\nHost: evil.example\r\n", Nothing(400)),
        ("GET http://GRANTED/a HTTP/1.1\r\nHost:\r\n", Nothing(400)),
        ("GET http://GRANTED/a HTTP/1.1\r\n", Nothing(400)),
        ("GET /a HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("GET //GRANTED/a HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("GET * HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("GET GRANTED HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("GET http:///a HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("GET http:/GRANTED/a HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("GET http:GRANTED HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("GET https://GRANTED/a HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("GET ftp://GRANTED/a HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("GET file:///etc/passwd HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("CONNECT /a HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("CONNECT * HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("CONNECT http://GRANTED/a HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
        ("CONNECT GRANTED/a HTTP/1.1\r\nHost: GRANTED\r\n", Nothing(400)),
    ] {
        let text = format!("{text}Connection: close\r\n\r\n").replace("GRANTED", &granted.to_string());
        let heard = says(gateway.proxy, &text);
        let _ = look(&text, &heard, &sent, comes);
    }
}
