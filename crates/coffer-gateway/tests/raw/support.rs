//! A gateway in this process, with the test behind it as the world.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use coffer_account::secret::Secret;
use coffer_gateway::api::{Echoes, Tls};
use coffer_gateway::record::{Decision, Record};
use coffer_gateway::serve::{Serving, Socket, serve};
use coffer_gateway::setup::{
    Capability, Credential, Door, Injection, Keyholder, Limits, NoCredential, Ranges, Reach, Rule, Setup,
    Upstream, header,
};

/// What the sandbox shows.
pub(crate) const WORD: &str = "coffer-run-FAKE-word";
/// What the gateway has.
pub(crate) const KEY: &str = "sk-ant-api03-FAKE-key-of-the-gateway";
/// What it has after a renewal.
pub(crate) const RENEWED: &str = "sk-ant-api03-FAKE-key-once-renewed";
/// In place of a key: whoever keeps it knows that there will be none.
pub(crate) const DEAD: &str = "dead";
/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Remembers what was decided.
#[derive(Default)]
pub(crate) struct Decisions(Mutex<Vec<Decision>>, Condvar);

impl Record for Decisions {
    fn decided(&self, decision: &Decision) {
        self.0.lock().unwrap().push(decision.clone());
        self.1.notify_all();
    }
}

impl Decisions {
    /// All of them, once there are so many.
    pub(crate) fn all(&self, count: usize) -> Vec<Decision> {
        let all = self.0.lock().unwrap();
        let (all, late) = self.1.wait_timeout_while(all, PATIENCE, |all| all.len() < count).unwrap();
        assert!(!late.timed_out(), "{all:?}");
        all.clone()
    }

    /// The verdicts, once there are so many.
    pub(crate) fn verdicts(&self, count: usize) -> Vec<&'static str> {
        self.all(count).iter().map(|decision| decision.verdict.word()).collect()
    }
}

/// Has a key, and another one for whoever was refused.
pub(crate) struct Keys(pub(crate) Mutex<Vec<&'static str>>);

impl Keys {
    fn credential(key: &'static str) -> Arc<Credential> {
        let secret = Secret::new(key.as_bytes().to_vec());
        let name = "x-api-key".parse().unwrap();
        let value = header(&name, &secret).unwrap();
        Arc::new(Credential {
            headers: vec![(name, value)],
            echoes: Echoes::of(&secret),
            fingerprint: key[13..].into(),
        })
    }
}

impl Keyholder for Keys {
    fn at_hand(&self) -> Option<Arc<Credential>> {
        self.0.lock().unwrap().first().map(|key| Self::credential(key))
    }

    fn current(&self) -> Result<Arc<Credential>, NoCredential> {
        self.at_hand().ok_or(NoCredential { reason: "type `coffer login`".to_owned(), transient: false })
    }

    fn refused(&self, _: &Credential) -> Result<Option<Arc<Credential>>, NoCredential> {
        let mut keys = self.0.lock().unwrap();
        if keys.len() < 2 {
            return Ok(None);
        }
        keys.remove(0);
        match keys[0] {
            DEAD => {
                Err(NoCredential { reason: "it is dead; type `coffer login`".to_owned(), transient: false })
            }
            key => Ok(Some(Self::credential(key))),
        }
    }
}

/// A gateway.
pub(crate) struct Gateway {
    pub(crate) proxy: SocketAddr,
    pub(crate) api: SocketAddr,
    pub(crate) decisions: Arc<Decisions>,
    _serving: Serving,
}

/// What a gateway shall be.
pub(crate) struct Wanted {
    pub(crate) upstream: String,
    pub(crate) keys: Vec<&'static str>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) overrides: BTreeMap<coffer_plan::host::Host, Vec<SocketAddr>>,
    pub(crate) roots: Vec<rustls::pki_types::CertificateDer<'static>>,
    pub(crate) limits: Limits,
}

impl Wanted {
    pub(crate) fn of(upstream: SocketAddr) -> Self {
        Self {
            upstream: format!("http://{upstream}/base"),
            keys: vec![KEY, RENEWED],
            rules: vec![rule(&upstream.to_string(), Ranges::Any)],
            overrides: BTreeMap::new(),
            roots: Vec::new(),
            limits: Limits { connect_time: PATIENCE, ..Limits::default() },
        }
    }

    pub(crate) fn starts(self) -> Gateway {
        let decisions = Arc::new(Decisions::default());
        let setup = Arc::new(Setup {
            reach: Reach::listed(self.rules),
            overrides: self.overrides,
            more_roots: self.roots,
            injection: Some(Injection {
                upstream: Upstream::read(&self.upstream, Ranges::Any).unwrap(),
                capability: Capability::new(Secret::new(WORD.as_bytes().to_vec())),
                strip: ["authorization", "x-api-key", "cookie"].map(|name| name.parse().unwrap()).to_vec(),
                strip_query: vec!["api_key".to_owned()],
                keyholder: Arc::new(Keys(Mutex::new(self.keys))),
            }),
            limits: self.limits,
            record: decisions.clone(),
            inside: None,
            run: Some("0123".to_owned()),
            tls: Tls::default(),
        });
        let sockets = [Door::Proxy, Door::Api].map(|door| (door, TcpListener::bind("127.0.0.1:0").unwrap()));
        let [proxy, api] = [0, 1].map(|at: usize| sockets[at].1.local_addr().unwrap());
        let doors = sockets.into_iter().map(|(door, socket)| (door, Socket::Tcp(socket))).collect();
        Gateway { proxy, api, decisions, _serving: serve(&setup, doors, 2).unwrap() }
    }
}

/// A rule for this host and port.
pub(crate) fn rule(endpoint: &str, ranges: Ranges) -> Rule {
    let rule: coffer_plan::host::HostRule = endpoint.parse().unwrap();
    Rule { pattern: rule.host, port: rule.port, origin: "test".into(), ranges }
}

/// A server that does this with each connection, and what it returns, in order.
pub(crate) fn server<T: Send + 'static>(
    serves: impl Fn(&mut TcpStream) -> T + Send + Sync + 'static,
) -> (SocketAddr, std::sync::mpsc::Receiver<T>) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let serves = Arc::new(serves);
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            let (serves, sender) = (serves.clone(), sender.clone());
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let _ = sender.send(serves(&mut stream));
            });
        }
    });
    (address, receiver)
}

/// What a server has returned. One that fell over returns nothing.
#[track_caller]
pub(crate) fn got<T>(returned: &std::sync::mpsc::Receiver<T>) -> T {
    returned.recv_timeout(PATIENCE).unwrap()
}

/// Reads a request: its head, and as much of a body as the head says.
pub(crate) fn request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        text.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&text).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    // Whoever closes with a body unread resets the connection, and the answer may be lost with it.
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        while !body.ends_with(b"0\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
            body.push(byte[0]);
        }
    }
    head + &String::from_utf8_lossy(&body)
}

/// An answer with this body, the last one of its connection: most of these servers go away after it, and a gateway
/// that was told nothing of that may ask on the old connection once more.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    more_to_come(status, &format!("connection: close\r\n{headers}"), body)
}

/// An answer after which the connection can take another question.
pub(crate) fn more_to_come(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// Says something and returns everything that comes until the end.
pub(crate) fn says(to: SocketAddr, text: impl AsRef<[u8]>) -> String {
    let mut stream = connected(to);
    let _ = stream.write_all(text.as_ref());
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    let _ = stream.shutdown(Shutdown::Both);
    String::from_utf8_lossy(&heard).into_owned()
}

/// A connection on which nothing takes forever.
pub(crate) fn connected(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A request to the API with the word of the run, and the end of the connection after it.
pub(crate) fn post(body: &str) -> String {
    with_headers("", body)
}

/// The same with more headers.
pub(crate) fn with_headers(more: &str, body: &str) -> String {
    format!(
        "POST /v1/messages?beta=true&api_key=mine HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {WORD}\r\n\
         anthropic-beta: some-beta\r\nConnection: close\r\n{more}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
