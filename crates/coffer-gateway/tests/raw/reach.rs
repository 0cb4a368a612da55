//! The forward proxy, byte by byte: who is reached, who is not, and what a tunnel carries.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use crate::support::{Wanted, answer, connected, request, rule, says, server};
use coffer_gateway::setup::{Limits, Ranges};

fn speaks() -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    server(|stream| {
        let said = request(stream);
        stream.write_all(answer("200 OK", "", "reached").as_bytes()).unwrap();
        said
    })
}

/// Opens a tunnel; what came before it.
fn tunnel(proxy: SocketAddr, to: &str) -> (std::net::TcpStream, String) {
    let mut stream = connected(proxy);
    stream.write_all(format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n").as_bytes()).unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).unwrap())
}

#[test]
fn who_is_on_the_list_is_reached_and_nobody_else() {
    let ((granted, requests), (other, others)) = (speaks(), speaks());
    let gateway = Wanted::of(granted).starts();
    let get = |host: &str| {
        says(
            gateway.proxy,
            format!(
                "GET http://{host}/a?b=c HTTP/1.1\r\nHost: {host}\r\nProxy-Connection: x\r\nProxy-Authorization: mine\r\nConnection: close\r\n\r\n"
            ),
        )
    };
    assert!(get(&granted.to_string()).ends_with("reached"));
    let said = requests.recv().unwrap();
    assert!(said.starts_with("GET /a?b=c HTTP/1.1\r\n") && !said.to_lowercase().contains("proxy-"), "{said}");
    // Another spelling of the same address is the same address.
    assert!(get(&format!("127.1:{}", granted.port())).ends_with("reached"));
    for host in [
        other.to_string(),
        "nowhere.example.org".to_owned(),
        format!("[::1]:{}", granted.port()),
        format!("localhost:{}", granted.port()),
    ] {
        let heard = get(&host);
        assert!(
            heard.starts_with("HTTP/1.1 403")
                && heard.contains("coffer allow")
                && heard.contains("--run 0123"),
            "{host}: {heard}"
        );
        let (_, head) =
            tunnel(gateway.proxy, &if host.contains(':') { host.clone() } else { format!("{host}:443") });
        assert!(head.starts_with("HTTP/1.1 403"), "{host}: {head}");
    }
    assert!(others.try_recv().is_err());
}

#[test]
fn what_is_no_request_for_a_proxy_reaches_nobody() {
    let (granted, requests) = speaks();
    let gateway = Wanted::of(granted).starts();
    for (name, text) in [
        ("a path alone", "GET / HTTP/1.1\r\nHost: GRANTED\r\n\r\n"),
        ("another host in the header", "GET http://GRANTED/ HTTP/1.1\r\nHost: other\r\n\r\n"),
        ("no host in the header", "GET http://GRANTED/ HTTP/1.1\r\n\r\n"),
        ("a user", "GET http://user@GRANTED/ HTTP/1.1\r\nHost: GRANTED\r\n\r\n"),
        ("a user and a password", "CONNECT u:p@GRANTED HTTP/1.1\r\nHost: GRANTED\r\n\r\n"),
        ("another scheme", "GET ftp://GRANTED/ HTTP/1.1\r\nHost: GRANTED\r\n\r\n"),
        ("TLS without a tunnel", "GET https://GRANTED/ HTTP/1.1\r\nHost: GRANTED\r\n\r\n"),
        ("a tunnel to no port", "CONNECT 127.0.0.1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a tunnel to port 0", "CONNECT 127.0.0.1:0 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a tunnel to too high a port", "CONNECT 127.0.0.1:65536 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let text = text
            .replace("GRANTED", &granted.to_string())
            .replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let heard = says(gateway.proxy, text);
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 400"), "{name}: {heard}");
    }
    assert!(requests.try_recv().is_err());
}

#[test]
fn a_name_leads_only_where_it_may() {
    let (granted, requests) = speaks();
    let name = format!("localhost:{}", granted.port());
    for (ranges, reached) in [(Ranges::Public, false), (Ranges::Private, false), (Ranges::Any, true)] {
        let gateway = Wanted { rules: vec![rule(&name, ranges)], ..Wanted::of(granted) }.starts();
        let heard = says(
            gateway.proxy,
            format!("GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"),
        );
        assert_eq!(heard.ends_with("reached"), reached, "{heard}");
        let verdict = if reached { "allowed" } else { "private_address" };
        assert_eq!(gateway.decisions.verdicts(1), [verdict]);
        // What would allow it is the address itself.
        assert!(reached || heard.contains(&format!("coffer allow 127.0.0.1:{}", granted.port())), "{heard}");
    }
    assert_eq!(requests.iter().take(1).count(), 1);
}

#[test]
fn a_name_of_the_users_own_means_the_address_that_they_gave() {
    let (granted, _requests) = speaks();
    let overrides = [("api.example.org".parse().unwrap(), vec![granted])].into();
    let rules = vec![rule("*.example.org:80", Ranges::Public)];
    let gateway = Wanted { overrides, rules, ..Wanted::of(granted) }.starts();
    let heard = says(
        gateway.proxy,
        "GET http://API.Example.org./ HTTP/1.1\r\nHost: API.Example.org.\r\nConnection: close\r\n\r\n",
    );
    assert!(heard.ends_with("reached"), "{heard}");
}

#[test]
fn a_tunnel_carries_both_ways_and_each_end_for_itself() {
    let (echo, ended) = server(|stream| {
        // The server is the one to begin.
        stream.write_all(b"220 hello\n").unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
        all.len()
    });
    let gateway = Wanted::of(echo).starts();
    let (mut stream, head) = tunnel(gateway.proxy, &echo.to_string());
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut hello = [0; 10];
    stream.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"220 hello\n");
    let sent = vec![b'x'; 3 << 20];
    stream.write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    assert!(back == sent);
    assert_eq!(ended.recv().unwrap(), sent.len());
    assert_eq!(gateway.decisions.verdicts(1), ["allowed"]);
}

#[test]
fn a_tunnel_that_greets_another_host_ends_before_anybody_hears_it() {
    let (api, heard) = server(|stream| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        all.len()
    });
    let overrides: std::collections::BTreeMap<_, _> =
        [("api.example.org".parse().unwrap(), vec![api])].into();
    for (name, fits) in [("api.example.org", true), ("other.example.org", false)] {
        let rules = vec![rule("api.example.org", Ranges::Public)];
        let gateway = Wanted { overrides: overrides.clone(), rules, ..Wanted::of(api) }.starts();
        let (mut stream, head) = tunnel(gateway.proxy, "api.example.org:443");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let hello = greeting(name);
        stream.write_all(&hello).unwrap();
        if fits {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(heard.recv().unwrap(), if fits { hello.len() } else { 0 }, "{name}");
        assert_eq!(gateway.decisions.verdicts(1), [if fits { "allowed" } else { "name_mismatch" }], "{name}");
    }
}

/// What a TLS client says first.
fn greeting(server: &str) -> Vec<u8> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(server.to_owned()).unwrap();
    let mut connection = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn who_never_comes_to_the_point_is_let_go() {
    let (granted, _requests) = speaks();
    let limits = Limits { head_time: Duration::from_millis(300), ..Limits::default() };
    let gateway = Wanted { limits, ..Wanted::of(granted) }.starts();
    for door in [gateway.proxy, gateway.api] {
        let mut stream = connected(door);
        stream.write_all(b"GET http://exam").unwrap();
        let mut heard = String::new();
        let _ = stream.read_to_string(&mut heard);
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 408"), "{heard}");
    }
}

#[test]
fn a_flood_waits_and_nobody_is_lost() {
    let (granted, _requests) = speaks();
    let limits = Limits { connections: 8, ..Limits::default() };
    let gateway = Wanted { limits, ..Wanted::of(granted) }.starts();
    let idle: Vec<_> = (0..32).map(|_| connected(gateway.proxy)).collect();
    // No room is left: this one is heard when the others have gone.
    let mut late = connected(gateway.proxy);
    let text = format!("GET http://{granted}/ HTTP/1.1\r\nHost: {granted}\r\nConnection: close\r\n\r\n");
    late.write_all(text.as_bytes()).unwrap();
    late.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(late.read(&mut [0]).is_err(), "it waits");
    drop(idle);
    late.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut heard = String::new();
    late.read_to_string(&mut heard).unwrap();
    assert!(heard.ends_with("reached"), "{heard}");
}
