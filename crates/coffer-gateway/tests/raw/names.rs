//! Names, with a name server of the test's own in a namespace with nothing but loopback: where they lead, who is asked
//! for them, and that the address which was checked is the one that is connected to.
//!
//! Addresses of the open internet that are used here are this namespace's own; no packet leaves it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coffer_gateway::setup::{Limits, Ranges};
use coffer_testkit::netns;

use crate::sent::until;
use crate::support::{Gateway, Wanted, answer, rule, says};

/// Somewhere on the open internet; here it is the namespace's own.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 7);

/// What a name server says about a name.
#[derive(Debug, Clone)]
enum Said {
    /// These addresses.
    Addresses(Vec<IpAddr>),
    /// It is another name.
    Alias(&'static str),
    /// There is no such name.
    Unknown,
    /// Nothing at all.
    Silence,
    /// It cannot say.
    Failure,
}
use Said::{Addresses, Alias, Failure, Silence, Unknown};

/// A name server on this namespace's loopback. What it says about a name changes with each time that it is asked for
/// its addresses of version 4; the last one stays.
struct Server {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn starts(names: &[(&str, Vec<Said>)]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut names: BTreeMap<String, Vec<Said>> =
            names.iter().map(|(name, said)| ((*name).to_owned(), said.clone())).collect();
        let writes = asked.clone();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            loop {
                let (length, who) = socket.recv_from(&mut query).unwrap();
                let (name, kind, end) = question(&query[..length]);
                writes.lock().unwrap().push(name.clone());
                let said = names.get_mut(&name).map_or(Unknown, |said| {
                    if said.len() > 1 && kind == 1 { said.remove(0) } else { said[0].clone() }
                });
                if let Some(reply) = reply(&query[..end], &name, kind, &said) {
                    socket.send_to(&reply, who).unwrap();
                }
            }
        });
        Self { asked }
    }
}

/// Name and kind of a question, and where it ends.
fn question(query: &[u8]) -> (String, u16, usize) {
    let (mut at, mut parts) = (12, Vec::new());
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        parts.push(String::from_utf8(query[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    (parts.join(".").to_lowercase(), u16::from_be_bytes([query[at + 1], query[at + 2]]), at + 5)
}

fn encoded(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for part in name.split('.') {
        out.push(u8::try_from(part.len()).unwrap());
        out.extend_from_slice(part.as_bytes());
    }
    out.push(0);
    out
}

/// The answer to a question of which this is the beginning.
fn reply(query: &[u8], name: &str, kind: u16, said: &Said) -> Option<Vec<u8>> {
    let code = match said {
        Silence => return None,
        Unknown => 3,
        Failure => 2,
        Addresses(_) | Alias(_) => 0,
    };
    let records: Vec<(u16, Vec<u8>)> = match said {
        Addresses(addresses) => addresses
            .iter()
            .filter_map(|address| match (address, kind) {
                (IpAddr::V4(address), 1) => Some((1, address.octets().to_vec())),
                (IpAddr::V6(address), 28) => Some((28, address.octets().to_vec())),
                _ => None,
            })
            .collect(),
        Alias(other) => vec![(5, encoded(other))],
        _ => Vec::new(),
    };
    let mut out = query[..2].to_vec();
    out.extend_from_slice(&[0x81, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    out.extend_from_slice(&query[12..]);
    for (kind, data) in records {
        out.extend_from_slice(&encoded(name));
        out.extend_from_slice(&kind.to_be_bytes());
        // Of class IN, and good for no time at all.
        out.extend_from_slice(&[0, 1, 0, 0, 0, 0]);
        out.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&data);
    }
    Some(out)
}

/// Makes the namespace what the tests need: an address of the open internet, and this as what the system says of name
/// servers.
fn furnish(resolv_conf: &str) {
    let ran = |command: &mut Command| assert!(command.status().unwrap().success(), "{command:?}");
    ran(Command::new("ip").args(["address", "add", &format!("{PUBLIC}/32"), "dev", "lo"]));
    let mut file = tempfile_in_place();
    file.0.write_all(resolv_conf.as_bytes()).unwrap();
    ran(Command::new("mount").arg("--bind").arg(&file.1).arg("/etc/resolv.conf"));
}

/// A file that stays as long as the namespace.
fn tempfile_in_place() -> (std::fs::File, std::path::PathBuf) {
    let path = std::env::temp_dir().join(format!("coffer-resolv-{}", std::process::id()));
    (std::fs::File::create(&path).unwrap(), path)
}

/// A service at every address of the namespace; it says at which one it was reached.
fn everywhere() -> u16 {
    let socket = TcpListener::bind("[::]:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            let mut stream = stream.unwrap();
            until(&mut stream, b"\r\n\r\n");
            let at = stream.local_addr().unwrap().ip().to_canonical();
            let _ = stream.write_all(answer("200 OK", "", &format!("at {at}")).as_bytes());
        }
    });
    port
}

fn get(gateway: &Gateway, name: &str, port: u16) -> String {
    let host = format!("{name}:{port}");
    says(gateway.proxy, format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

fn v4(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn names_lead_to_the_open_internet_and_nowhere_else() {
    if !netns::inside("names::names_lead_to_the_open_internet_and_nowhere_else", &["hosts.example.org"]) {
        return;
    }
    furnish("nameserver 127.0.0.1\nsearch evil.example\noptions timeout:1 attempts:1\n");
    let near = [
        ("loopback", "127.0.0.1"),
        ("all-loopback", "127.9.9.9"),
        ("this-host", "0.0.0.0"),
        ("private", "10.1.2.3"),
        ("private-too", "172.16.0.1"),
        ("home", "192.168.1.1"),
        ("carrier", "100.64.0.1"),
        ("link", "169.254.1.1"),
        ("metadata", "169.254.169.254"),
        ("multicast", "224.0.0.1"),
        ("broadcast", "255.255.255.255"),
        ("loopback6", "::1"),
        ("link6", "fe80::1"),
        ("unique6", "fd00::1"),
        ("mapped6", "::ffff:127.0.0.1"),
        ("nat64", "64:ff9b::7f00:1"),
        ("sixtofour", "2002:7f00:1::"),
        ("multicast6", "ff02::1"),
    ];
    let full = |name: &str| format!("{name}.example.org");
    let names: Vec<(String, Vec<Said>)> = near
        .iter()
        .map(|(name, address)| (full(name), vec![Addresses(vec![v4(address)])]))
        .chain([
            (full("public"), vec![Addresses(vec![PUBLIC.into()])]),
            (full("both"), vec![Addresses(vec![v4("127.0.0.1"), PUBLIC.into(), Ipv6Addr::LOCALHOST.into()])]),
            (full("alias"), vec![Alias("second.example.org")]),
            (full("second"), vec![Alias("third.example.net")]),
            ("third.example.net".to_owned(), vec![Addresses(vec![PUBLIC.into()])]),
            (full("inwards"), vec![Alias("loopback.example.org")]),
            (full("home-alias"), vec![Alias("localhost")]),
            (full("circle"), vec![Alias("circle-too.example.org")]),
            (full("circle-too"), vec![Alias("circle.example.org")]),
            (full("nothing"), vec![Addresses(Vec::new())]),
            (full("failure"), vec![Failure]),
        ])
        .collect();
    let names: Vec<(&str, Vec<Said>)> =
        names.iter().map(|(name, said)| (name.as_str(), said.clone())).collect();
    let server = Server::starts(&names);
    let port = everywhere();
    let rules = vec![rule(&format!("*.example.org:{port}"), Ranges::Public)];
    let gateway = Wanted { rules, ..Wanted::of(SocketAddr::from(([127, 0, 0, 1], port))) }.starts();
    for name in ["public", "both", "alias"] {
        let heard = get(&gateway, &full(name), port);
        assert!(heard.ends_with(&format!("at {PUBLIC}")), "{name}: {heard}");
    }
    for (name, address) in near.iter().chain(&[("inwards", "127.0.0.1"), ("hosts", "127.0.0.1")]) {
        let heard = get(&gateway, &full(name), port);
        assert!(heard.starts_with("HTTP/1.1 403") && heard.contains("leads to"), "{name}: {heard}");
        assert!(heard.contains(address) || *name == "mapped6", "{name}: {heard}");
        let decision = gateway.decisions.all(1).pop().unwrap();
        assert_eq!(decision.verdict.word(), "private_address", "{name}");
    }
    for name in ["unknown", "nothing", "failure", "circle", "home-alias"] {
        let heard = get(&gateway, &full(name), port);
        assert!(
            heard.starts_with("HTTP/1.1 502") || name == "home-alias" && heard.starts_with("HTTP/1.1 403"),
            "{name}: {heard}"
        );
        assert!(!heard.contains("at 1"), "{name}: {heard}");
    }
    // Nobody is asked about a name that is not allowed, and no name is tried in another domain.
    let asked = server.asked.lock().unwrap().len();
    assert!(get(&gateway, "secret-of-the-sandbox.example.net", port).starts_with("HTTP/1.1 403"));
    assert!(get(&gateway, &full("public"), port + 1).starts_with("HTTP/1.1 403"));
    let all = server.asked.lock().unwrap();
    assert_eq!(all.len(), asked, "{all:?}");
    assert!(all.iter().all(|name| !name.contains("evil") && !name.contains("secret")), "{all:?}");
}

/// First it leads outwards, and as soon as that was checked, inwards.
#[test]
fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
    if !netns::inside("names::the_address_that_was_checked_is_the_one_that_is_connected_to", &[]) {
        return;
    }
    furnish("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    let name = "turns.example.org";
    let server =
        Server::starts(&[(name, vec![Addresses(vec![PUBLIC.into()]), Addresses(vec![v4("127.0.0.1")])])]);
    let port = everywhere();
    let rules = vec![rule(&format!("{name}:{port}"), Ranges::Public)];
    let gateway = Wanted { rules, ..Wanted::of(SocketAddr::from(([127, 0, 0, 1], port))) }.starts();
    let heard = get(&gateway, name, port);
    assert!(heard.ends_with(&format!("at {PUBLIC}")), "{heard}");
    // One look for each family, and no second one between the check and the connection.
    let asked = server.asked.lock().unwrap().len();
    assert!(asked <= 2, "asked {asked} times");
    for _ in 0..3 {
        let heard = get(&gateway, name, port);
        assert!(heard.starts_with("HTTP/1.1 403") || heard.ends_with(&format!("at {PUBLIC}")), "{heard}");
        assert!(!heard.contains("at 127"), "{heard}");
    }
}

#[test]
fn without_a_name_server_it_is_said_so() {
    if !netns::inside("names::without_a_name_server_it_is_said_so", &[]) {
        return;
    }
    let limits = Limits { connect_time: Duration::from_secs(2), ..Limits::default() };
    let rules = vec![rule("*.example.org:80", Ranges::Public)];
    let start = || Wanted { rules: rules.clone(), limits, ..Wanted::of(([127, 0, 0, 1], 9).into()) }.starts();
    // Nobody listens there.
    furnish("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    let heard = get(&start(), "a.example.org", 80);
    assert!(heard.starts_with("HTTP/1.1 502") || heard.starts_with("HTTP/1.1 504"), "{heard}");
    assert!(heard.contains("a.example.org"), "{heard}");
    // One that never answers.
    let _server = Server::starts(&[("a.example.org", vec![Silence])]);
    let heard = get(&start(), "a.example.org", 80);
    assert!(heard.starts_with("HTTP/1.1 502") || heard.starts_with("HTTP/1.1 504"), "{heard}");
    // The system says nothing of name servers.
    let path = tempfile_in_place().1;
    std::fs::write(&path, "").unwrap();
    let heard = get(&start(), "a.example.org", 80);
    assert!(heard.starts_with("HTTP/1.1 50"), "{heard}");
}
