//! What ends: a token's tunnels with it, and a gateway with what is under way.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, Sender, channel};

use coffer_testkit::{FakeApi, netns};

use super::{Gateway, Stream, account_with_key, connect, connected, head, post, token};
use crate::support::{Stage, run};

fn inside(test: &str, scenario: impl Fn(&Stage, &FakeApi)) {
    if netns::inside(&format!("alone::ends::{test}"), &[]) {
        scenario(&Stage::new(), &FakeApi::builder().start().unwrap());
    }
}

/// A service that says back what it hears.
pub(super) fn echo() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut reads = stream.try_clone().unwrap();
                let _ = std::io::copy(&mut reads, &mut stream);
            });
        }
    });
    port
}

/// An API that tells when a request has come, and answers when it is told to.
fn held() -> (String, Receiver<()>, Sender<()>) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let ((came, arrived), (go, goes)) = (channel(), channel());
    std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().unwrap();
        head(&mut stream);
        came.send(()).unwrap();
        goes.recv().unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate").unwrap();
        // Until the other end is done with it.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    (url, arrived, go)
}

/// An open tunnel to a service that echoes.
#[track_caller]
fn tunnel(gateway: &Gateway, port: u16, word: &str) -> Box<dyn Stream> {
    let mut stream = gateway.connected();
    stream.write_all(connect(&format!("127.0.0.1:{port}"), word).as_bytes()).unwrap();
    let head = head(&mut *stream);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    echoes(&mut *stream);
    stream
}

#[track_caller]
fn echoes(stream: &mut dyn Stream) {
    stream.write_all(b"ping").unwrap();
    let mut heard = [0; 4];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"ping");
}

/// The end comes by itself; the test waits for nothing else.
#[track_caller]
fn is_ended(mut stream: Box<dyn Stream>) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(0) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        other => panic!("{other:?}: {rest:?}"),
    }
}

/// Moves a token's end to a moment from now: whatever was opened with it, was opened in its time.
fn comes_to_its_end_soon(stage: &Stage, id: &str) {
    let file = stage.data().join("gateway/tokens.json");
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let mut tokens = text["tokens"].as_array_mut().unwrap().iter_mut();
    let soon = jiff::Timestamp::now().as_millisecond() + 200;
    tokens.find(|token| token["id"] == id).unwrap()["ends_at_ms"] = soon.into();
    let other = file.with_extension("new");
    std::fs::write(&other, text.to_string()).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(other, file).unwrap();
}

#[test]
fn a_tunnel_ends_with_its_token_and_no_other_does() {
    inside("a_tunnel_ends_with_its_token_and_no_other_does", |stage, api| {
        account_with_key(stage, "work", &api.add_api_key(), &api.base_url());
        let port = echo();
        let allow = format!("127.0.0.1:{port}");
        let (revoked, first) = token(stage, "work", &["--allow", &allow]);
        let (_, second) = token(stage, "work", &["--allow", &allow]);
        let gateway = Gateway::on_a_port(stage);
        let (doomed, mut other) = (tunnel(&gateway, port, &first), tunnel(&gateway, port, &second));
        // Somebody who is allowed more keeps what is open.
        run(stage.coffer(["allow", "--run", &revoked, "example.org"])).ends_with(0);
        run(stage.coffer(["gateway", "token", "revoke", &revoked])).ends_with(0);
        is_ended(doomed);
        echoes(&mut *other);
        // One whose time comes, ends as well.
        let (id, short) = token(stage, "work", &["--allow", &allow]);
        let open = tunnel(&gateway, port, &short);
        comes_to_its_end_soon(stage, &id);
        is_ended(open);
        let answer = gateway.hears(&post(&short));
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("has ended"), "{answer}");
        echoes(&mut *other);
        drop(other);
        gateway.ends();
        let decided = crate::support::record::Record::of(stage).events("gateway_decided");
        let of = |verdict: &str| {
            decided.iter().filter(|event| event["run"] == id.as_str() && event["verdict"] == verdict).count()
        };
        assert_eq!((of("allowed"), of("unauthorized")), (1, 1), "{decided:?}");
        let tokens = run(stage.coffer(["gateway", "token", "list", "--json"])).json();
        let worth = tokens["tokens"].as_array().unwrap().iter().find(|token| token["id"] == id.as_str());
        assert_eq!(worth.unwrap()["worth"], "ended");
    });
}

#[test]
fn an_end_lets_what_is_under_way_come_to_its_own() {
    inside("an_end_lets_what_is_under_way_come_to_its_own", |stage, api| {
        let (url, arrived, go) = held();
        account_with_key(stage, "work", &api.add_api_key(), &url);
        let (_, word) = token(stage, "work", &[]);
        let gateway = Gateway::on_a_port(stage);
        let mut under_way = gateway.connected();
        under_way.write_all(post(&word).as_bytes()).unwrap();
        arrived.recv().unwrap();
        let mut idle = gateway.connected();
        idle.write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert!(head(&mut *idle).starts_with("HTTP/1.1 200 "));
        gateway.shall_end();
        // Whoever waits for nothing is let go at once.
        is_ended(idle);
        // Nobody is let in any more; who came in between has no answer.
        if let Ok(mut late) = connected(gateway.place()) {
            let _ = late.write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            is_ended(late);
        }
        go.send(()).unwrap();
        let mut answer = String::new();
        under_way.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("late"), "{answer}");
        gateway.has_ended();
    });
}
