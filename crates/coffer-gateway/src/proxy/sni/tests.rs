use std::io;
use std::sync::Arc;
use std::time::Duration;

use coffer_plan::host::Host;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::AsyncWriteExt as _;

use super::first_bytes;

/// What a TLS client says first to this server.
fn greeting(server: &str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let name = ServerName::try_from(server.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

/// What comes of these portions, of which the first was read with the request.
fn judged(portions: &[&[u8]], host: &str) -> io::Result<Option<Vec<u8>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (here, mut there) = tokio::net::UnixStream::pair().unwrap();
        let host: Host = host.parse().unwrap();
        let (ahead, rest) = portions.split_first().unwrap();
        let says = async {
            for portion in rest {
                // Whoever judges may stop to listen.
                if there.write_all(portion).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            judged = first_bytes(&here, ahead, Some(&host), Duration::from_secs(2)) => judged,
            () = says => unreachable!(),
        }
    })
}

#[test]
fn a_greeting_is_for_the_host_that_was_asked_for() {
    let hello = greeting("api.example.org");
    for cut in [0, 1, 5, 60, hello.len()] {
        let (ahead, rest) = hello.split_at(cut);
        let passed = judged(&[ahead, rest], "api.example.org").unwrap();
        // All that was read goes on, and nothing is said twice.
        assert!(
            passed.is_some_and(|passed| hello.starts_with(&passed) && passed.len() > hello.len() / 2),
            "{cut}"
        );
        assert!(judged(&[ahead, rest], "other.example.org").unwrap().is_none(), "{cut}");
    }
    assert!(judged(&[&greeting("API.Example.ORG")], "api.example.org").unwrap().is_some());
}

#[test]
fn a_greeting_without_a_name_is_for_addresses_only() {
    let hello = greeting("192.0.2.7");
    assert!(judged(&[&hello], "192.0.2.7").unwrap().is_some());
    assert!(judged(&[&hello], "api.example.org").unwrap().is_none());
    assert!(judged(&[&greeting("api.example.org")], "192.0.2.7").unwrap().is_none());
}

#[test]
fn what_is_not_tls_goes_through() {
    for first in [&b"SSH-2.0-OpenSSH\r\n"[..], b"GET / HTTP/1.1\r\n", b"\0"] {
        assert_eq!(judged(&[first], "example.org").unwrap().unwrap(), first);
        assert_eq!(judged(&[b"", first], "example.org").unwrap().unwrap(), first);
    }
}

#[test]
fn a_greeting_that_is_none_or_never_ends_is_not_passed_on() {
    let hello = greeting("api.example.org");
    // It stops in the middle: the time runs out.
    let cut = judged(&[&hello[..40]], "api.example.org");
    assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::TimedOut);
    let mut broken = hello.clone();
    broken[5] = 99;
    assert!(judged(&[&broken], "api.example.org").is_err());
    let mut endless = vec![22, 3, 1, 0xff, 0xff];
    endless.resize(200_000, 1);
    assert!(judged(&[&endless], "api.example.org").is_err());
}
