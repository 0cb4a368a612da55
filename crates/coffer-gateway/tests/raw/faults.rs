//! What goes wrong behind the gateway: whoever asks is told, never takes half of an answer for the whole, and no
//! certificate is believed that should not be.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coffer_gateway::setup::Limits;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::sent::{read, until};
use crate::support::{KEY, Wanted, answer, connected, got, post, says, server};

/// Ends a connection as somebody does who is gone: without an end.
fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}

/// How an answer is heard to its end: everything, and whether it ended in the way in which answers of its kind end.
fn hears(mut stream: TcpStream) -> (String, bool) {
    let mut heard = Vec::new();
    let broken = stream.read_to_end(&mut heard).is_err();
    let heard = String::from_utf8_lossy(&heard).into_owned();
    let (head, body) = heard.split_once("\r\n\r\n").unwrap_or_default();
    let whole = match head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        Some(length) => body.len() == length.parse::<usize>().unwrap(),
        None => body.ends_with("0\r\n\r\n"),
    };
    (heard, whole && !broken)
}

#[test]
fn an_answer_that_breaks_off_is_never_taken_for_a_whole_one() {
    for (name, said, at_end) in [
        ("a length", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf\n", false),
        ("chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhalf\n\r\n", false),
        ("a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf\n", false),
        (
            "events",
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhalf\n\r\n",
            false,
        ),
        (
            "chunks that are none",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhalf\n\r\nxyz\r\n",
            false,
        ),
        ("the end of a connection", "HTTP/1.1 200 OK\r\n\r\nhalf\n", true),
        ("an old version", "HTTP/1.0 200 OK\r\n\r\nhalf\n", true),
    ] {
        for resets in [false, true] {
            if at_end && !resets {
                // This is how such an answer ends.
                continue;
            }
            let (heard_it, ends) = channel::<()>();
            let ends = Mutex::new(ends);
            let (api, _) = server(move |stream| {
                read(stream);
                stream.write_all(said.as_bytes()).unwrap();
                ends.lock().unwrap().recv().unwrap();
                if resets {
                    reset(stream);
                }
            });
            let gateway = Wanted::of(api).starts();
            let get = format!("GET http://{api}/ HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\r\n");
            for (door, text) in [(gateway.api, post("{}")), (gateway.proxy, get)] {
                let mut stream = connected(door);
                stream.write_all(text.as_bytes()).unwrap();
                // What came before passes, and only then it breaks. A word alone could be the beginning of a key.
                until(&mut stream, b"half\n").unwrap();
                heard_it.send(()).unwrap();
                let (heard, whole) = hears(stream);
                assert!(!whole, "{name}, reset: {resets}: {heard}");
            }
            assert_eq!(gateway.decisions.verdicts(2), ["failed", "failed"], "{name}");
        }
    }
}

#[test]
fn an_api_that_says_nothing_well_is_told_as_such() {
    for (name, said) in [
        ("nothing", ""),
        ("half a head", "HTTP/1.1 200 OK\r\nx-a"),
        ("no HTTP", "220 ready\r\n\r\n"),
        ("binary", "\u{15}\u{3}\u{1}\0\u{2}\u{2}F"),
        ("a bad status", "HTTP/1.1 20 OK\r\n\r\n"),
        ("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        ("a zero in a header", "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n"),
    ] {
        let (api, _) = server(move |stream| {
            read(stream);
            let _ = stream.write_all(said.as_bytes());
        });
        let gateway = Wanted::of(api).starts();
        let heard = says(gateway.api, post("{}"));
        assert!(
            heard.starts_with("HTTP/1.1 502") && heard.contains("\"type\":\"api_error\""),
            "{name}: {heard}"
        );
        let get = format!("GET http://{api}/ HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n\r\n");
        let heard = says(gateway.proxy, get);
        assert!(heard.starts_with("HTTP/1.1 502") && heard.contains("cannot reach"), "{name}: {heard}");
        assert_eq!(gateway.decisions.verdicts(2), ["failed", "failed"], "{name}");
    }
    // An endless head ends for us.
    let (api, _) = server(|stream| {
        read(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        let line = format!("x-more: {}\r\n", "a".repeat(8000));
        for _ in 0..10_000 {
            if stream.write_all(line.as_bytes()).is_err() {
                return true;
            }
        }
        false
    });
    let heard = says(Wanted::of(api).starts().api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 502"), "{heard}");
}

/// As long as the client waits, the gateway does: an answer may take minutes. When it goes, the API is left.
#[test]
fn an_api_that_does_not_answer_is_waited_for_as_long_as_somebody_waits() {
    let (asked, was_asked) = channel();
    let asked = Mutex::new(asked);
    let (go_on, waits) = channel::<bool>();
    let waits = Mutex::new(waits);
    let (api, left) = server(move |stream| {
        read(stream);
        asked.lock().unwrap().send(()).unwrap();
        if waits.lock().unwrap().recv().unwrap() {
            stream.write_all(answer("200 OK", "", "at last").as_bytes()).unwrap();
            return false;
        }
        matches!(stream.read(&mut [0]), Ok(0) | Err(_))
    });
    let limits = Limits {
        head_time: Duration::from_secs(1),
        connect_time: Duration::from_secs(1),
        ..Limits::default()
    };
    let gateway = Wanted { limits, ..Wanted::of(api) }.starts();
    let mut stream = connected(gateway.api);
    stream.write_all(post("{}").as_bytes()).unwrap();
    got(&was_asked);
    // Longer than any of the gateway's own limits, by another client's failure at them.
    let mut slow = connected(gateway.api);
    slow.write_all(b"GET / HT").unwrap();
    let _ = slow.read_to_end(&mut Vec::new());
    go_on.send(true).unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert!(heard.ends_with("at last"), "{heard}");
    assert!(!got(&left));
    let mut stream = connected(gateway.api);
    stream.write_all(post("{}").as_bytes()).unwrap();
    got(&was_asked);
    drop(stream);
    go_on.send(false).unwrap();
    assert!(got(&left));
}

#[test]
fn whoever_is_not_there_or_never_greets_is_told_in_time() {
    let limits = Limits { connect_time: Duration::from_millis(300), ..Limits::default() };
    // Somebody takes connections, and says nothing where TLS should begin.
    let (silent, _) = server(|stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let tls = Wanted { upstream: format!("https://{silent}"), limits, ..Wanted::of(silent) }.starts();
    let heard = says(tls.api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 504") && heard.contains("\"timeout_error\""), "{heard}");
    // Nobody takes them: the queue is full, and what is more is not even refused.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let address = full.local_addr().unwrap();
    let queued = fill(address);
    let gateway = Wanted { limits, ..Wanted::of(address) }.starts();
    for (door, text) in [
        (gateway.api, post("{}")),
        (
            gateway.proxy,
            format!("GET http://{address}/ HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
        ),
        (
            gateway.proxy,
            format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
        ),
    ] {
        let heard = says(door, text);
        assert!(heard.starts_with("HTTP/1.1 504") && heard.contains("nobody answered in time"), "{heard}");
    }
    drop(queued);
    // Nobody is there.
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = Wanted::of(nowhere).starts();
    for (door, text) in [
        (gateway.api, post("{}")),
        (
            gateway.proxy,
            format!("GET http://{nowhere}/ HTTP/1.1\r\nHost: {nowhere}\r\nConnection: close\r\n\r\n"),
        ),
        (
            gateway.proxy,
            format!("CONNECT {nowhere} HTTP/1.1\r\nHost: {nowhere}\r\nConnection: close\r\n\r\n"),
        ),
    ] {
        let heard = says(door, text);
        assert!(heard.starts_with("HTTP/1.1 502") && heard.contains("refused"), "{heard}");
    }
}

/// Connects until nobody is taken any more.
fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let mut all = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        all.push(stream);
        assert!(all.len() < 64, "a queue that never fills");
    }
    all
}

#[test]
fn a_tunnel_that_breaks_is_broken_for_both() {
    // The server breaks: whoever reads inside sees that it is no end.
    let (service, _) = server(|stream| {
        stream.read_exact(&mut [0; 2]).unwrap();
        stream.write_all(b"half").unwrap();
        stream.read_exact(&mut [0; 2]).unwrap();
        reset(stream);
    });
    let gateway = Wanted::of(service).starts();
    let mut stream = connected(gateway.proxy);
    stream.write_all(format!("CONNECT {service} HTTP/1.1\r\nHost: {service}\r\n\r\n").as_bytes()).unwrap();
    until(&mut stream, b"\r\n\r\n").unwrap();
    stream.write_all(b"go").unwrap();
    until(&mut stream, b"half").unwrap();
    stream.write_all(b"on").unwrap();
    let ended = stream.read(&mut [0]);
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    // And the other way round.
    let (service, ended) = server(|stream| {
        stream.write_all(b"220\n").unwrap();
        stream.read(&mut [0]).map_err(|error| error.kind())
    });
    let gateway = Wanted::of(service).starts();
    let mut stream = connected(gateway.proxy);
    stream.write_all(format!("CONNECT {service} HTTP/1.1\r\nHost: {service}\r\n\r\n").as_bytes()).unwrap();
    until(&mut stream, b"220\n").unwrap();
    reset(&stream);
    drop(stream);
    assert_eq!(got(&ended), Err(std::io::ErrorKind::ConnectionReset));
}

/// Somebody who vouches for names.
struct Authority {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { root, issuer: Issuer::new(params, key) }
    }

    fn vouches(&self, params: CertificateParams) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().der().clone(), key)
    }
}

/// An API behind TLS that says `fine`.
fn behind_tls(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
) -> (SocketAddr, std::sync::mpsc::Receiver<bool>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    server(move |stream| {
        let mut connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, stream);
        let said = until(&mut stream, b"\r\n\r\n{}");
        let _ = stream.write_all(answer("200 OK", "", "fine").as_bytes());
        said.is_some_and(|said| String::from_utf8_lossy(&said).contains(KEY))
    })
}

#[test]
fn no_key_goes_to_whom_nobody_vouches_for() {
    let (known, unknown) = (Authority::new("known"), Authority::new("unknown"));
    let of = |names: &[&str]| {
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
    };
    let name = &["api.example.org"][..];
    let mut expired = of(name);
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let mut to_come = of(name);
    (to_come.not_before, to_come.not_after) = (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1));
    let mut authority = of(name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = KeyPair::generate().unwrap();
    let by_itself = of(name).self_signed(&own).unwrap().der().clone();
    for (what, (certificate, key), good, words) in [
        ("a good one", known.vouches(of(name)), true, ""),
        ("one for all below", known.vouches(of(&["*.example.org"])), true, ""),
        ("an expired one", known.vouches(expired), false, "expired"),
        ("one to come", known.vouches(to_come), false, "not valid yet"),
        ("another name", known.vouches(of(&["other.example.org"])), false, "not valid for"),
        ("one for all below another", known.vouches(of(&["*.api.example.org"])), false, "not valid for"),
        ("no name", known.vouches(of(&[])), false, "not valid for"),
        ("an address", known.vouches(of(&["127.0.0.1"])), false, "not valid for"),
        ("an authority that nobody knows", unknown.vouches(of(name)), false, "UnknownIssuer"),
        ("itself", (by_itself, own), false, "UnknownIssuer"),
        ("an authority in place of a server", known.vouches(authority), false, "CaUsedAsEndEntity"),
    ] {
        let (api, had_the_key) = behind_tls(certificate, &key);
        let overrides = [("api.example.org".parse().unwrap(), vec![api])].into();
        let wanted = Wanted {
            upstream: "https://api.example.org/base".to_owned(),
            overrides,
            roots: vec![known.root.clone()],
            ..Wanted::of(api)
        };
        let gateway = wanted.starts();
        let heard = says(gateway.api, post("{}"));
        assert_eq!(got(&had_the_key), good, "{what}");
        if good {
            assert!(heard.ends_with("fine"), "{what}: {heard}");
        } else {
            assert!(
                heard.starts_with("HTTP/1.1 502") && heard.contains(words) && heard.contains("TLS"),
                "{what}: {heard}"
            );
        }
        assert_eq!(gateway.decisions.verdicts(1), [if good { "allowed" } else { "failed" }], "{what}");
    }
    // Without the user's word the authority is unknown, too.
    let (certificate, key) = known.vouches(of(name));
    let (api, had_the_key) = behind_tls(certificate, &key);
    let overrides = [("api.example.org".parse().unwrap(), vec![api])].into();
    let gateway =
        Wanted { upstream: "https://api.example.org".to_owned(), overrides, ..Wanted::of(api) }.starts();
    assert!(says(gateway.api, post("{}")).contains("UnknownIssuer"));
    assert!(!got(&had_the_key));
}

/// Who speaks plainly where TLS is expected is not spoken to plainly.
#[test]
fn no_key_goes_out_in_the_open_where_tls_was_asked_for() {
    let (plain, said) = server(|stream| {
        let _ = stream.write_all(answer("200 OK", "", "plain").as_bytes());
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        said
    });
    let gateway = Wanted { upstream: format!("https://{plain}"), ..Wanted::of(plain) }.starts();
    let heard = says(gateway.api, post("{}"));
    assert!(heard.starts_with("HTTP/1.1 502") && !heard.contains("plain"), "{heard}");
    assert!(!got(&said).windows(KEY.len()).any(|window| window == KEY.as_bytes()));
}
