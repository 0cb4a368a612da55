//! A sandbox that takes all it can: it stays bounded, and nobody else notices.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use coffer_gateway::setup::Limits;

use crate::sent::strict;
use crate::support::{Gateway, WORD, Wanted, connected, post, says};

/// Connections that say the beginning of something, as many as there is room for and more.
fn flood(door: SocketAddr, count: usize, says: &str) -> Vec<TcpStream> {
    let one = |_| {
        let mut stream = connected(door);
        stream.write_all(says.as_bytes()).unwrap();
        stream
    };
    (0..count).map(one).collect()
}

fn asks_the_proxy(gateway: &Gateway, host: SocketAddr) -> String {
    says(gateway.proxy, format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

#[test]
fn a_flood_at_one_door_is_not_felt_at_another_or_at_another_gateway() {
    let (api, _sent) = strict();
    let limits = Limits { connections: 16, ..Limits::default() };
    let (flooded, other) =
        (Wanted { limits, ..Wanted::of(api) }.starts(), Wanted { limits, ..Wanted::of(api) }.starts());
    let never_ends =
        format!("POST / HTTP/1.1\r\nHost: a\r\nx-api-key: {WORD}\r\ncontent-length: 100\r\n\r\n");
    for (name, says) in [
        ("nothing", ""),
        ("a head that does not end", "GET / HTTP/1.1\r\nx: "),
        ("a body that does not end", &never_ends),
    ] {
        let held = flood(flooded.proxy, 64, says);
        assert!(crate::support::says(flooded.api, post("{}")).ends_with("fine"), "{name}");
        assert!(asks_the_proxy(&other, api).ends_with("fine"), "{name}");
        drop(held);
        let held = flood(flooded.api, 64, says);
        assert!(asks_the_proxy(&flooded, api).ends_with("fine"), "{name}");
        assert!(crate::support::says(other.api, post("{}")).ends_with("fine"), "{name}");
        drop(held);
        // As soon as they have gone, there is room again.
        assert!(asks_the_proxy(&flooded, api).ends_with("fine"), "{name}");
        assert!(crate::support::says(flooded.api, post("{}")).ends_with("fine"), "{name}");
    }
}

/// One byte at a time does not keep a door busy for ever: those who dawdle are let go, and others come in.
#[test]
fn heads_that_come_byte_by_byte_end_in_time() {
    let (api, _sent) = strict();
    let limits = Limits { connections: 4, head_time: Duration::from_millis(300), ..Limits::default() };
    let gateway = Wanted { limits, ..Wanted::of(api) }.starts();
    for door in [gateway.proxy, gateway.api] {
        let slow = flood(door, 8, "GET / HTTP/1.1\r\n");
        let dawdle = |mut stream: TcpStream| {
            std::thread::spawn(move || {
                // Each byte is new, and the head is late all the same.
                let mut heard = Vec::new();
                stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                for _ in 0..2_000 {
                    let mut portion = [0; 512];
                    match stream.read(&mut portion) {
                        Ok(0) => return (true, heard),
                        Ok(length) => heard.extend_from_slice(&portion[..length]),
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        Err(_) => return (true, heard),
                    }
                    if stream.write_all(b"x").is_err() {
                        return (true, heard);
                    }
                }
                (false, heard)
            })
        };
        let slow: Vec<_> = slow.into_iter().map(dawdle).collect();
        for one in slow {
            let (let_go, heard) = one.join().unwrap();
            let heard = String::from_utf8_lossy(&heard).into_owned();
            assert!(let_go && (heard.is_empty() || heard.starts_with("HTTP/1.1 4")), "{heard}");
        }
    }
    assert!(says(gateway.api, post("{}")).ends_with("fine"));
}

#[test]
fn heads_without_an_end_are_refused_and_little_of_them_is_kept() {
    let (api, sent) = strict();
    let gateway = Wanted::of(api).starts();
    let many: String = (0..90).map(|number| format!("x-{number}: {}\r\n", "a".repeat(700))).collect();
    assert!(many.len() > 60 * 1024);
    let ask = |more: &str| {
        format!("GET / HTTP/1.1\r\nHost: a\r\nx-api-key: {WORD}\r\nConnection: close\r\n{more}\r\n")
    };
    assert!(says(gateway.api, ask(&many)).ends_with("fine"));
    let passed = crate::support::got(&sent).unwrap();
    assert_eq!(
        passed.headers.iter().filter(|(name, _)| name.starts_with("x-") && name != "x-api-key").count(),
        90
    );
    for endless in [
        format!("x: {}", "a".repeat(4 << 20)),
        (0..100_000).map(|number| format!("x-{number}: a\r\n")).collect(),
        "x: a\r\n".repeat(500_000),
    ] {
        for door in [gateway.api, gateway.proxy] {
            let heard = says(door, ask(&endless));
            assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 431"), "{heard}");
        }
    }
    let address = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(1 << 20));
    let heard = says(gateway.api, address);
    assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 4"), "{heard}");
    assert!(sent.try_recv().is_err());
}
