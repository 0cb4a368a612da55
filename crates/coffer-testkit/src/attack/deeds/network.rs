//! Sockets and the network. Whoever listens on the stage greets with the canary: another's greeting is another's.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::net::{AddressFamily, RawProtocol, SocketType, socket};

use super::judged;
use crate::attack::listeners::X11;
use crate::attack::{Brief, Outcome};

/// How long a listener may take: it is on this machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
/// Where name servers listen.
const NAMES: &str = "127.0.0.1:53";
/// A port of the system.
const LOW: &str = "0.0.0.0:79";

pub(super) fn named_socket(path: &Path, brief: &Brief) -> Outcome {
    UnixStream::connect(path).and_then(|stream| greeted_by(stream, brief)).unwrap_or_else(Outcome::from)
}

pub(crate) fn abstract_socket(brief: &Brief) -> Outcome {
    greeted_at(&brief.abstract_name, brief)
}

pub(crate) fn abstract_x11(brief: &Brief) -> Outcome {
    greeted_at(X11, brief)
}

fn greeted_at(name: &str, brief: &Brief) -> Outcome {
    UnixAddress::from_abstract_name(name)
        .and_then(|address| UnixStream::connect_addr(&address))
        .and_then(|stream| greeted_by(stream, brief))
        .unwrap_or_else(Outcome::from)
}

fn greeted_by(mut stream: UnixStream, brief: &Brief) -> io::Result<Outcome> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = vec![0; 256];
    let count = stream.read(&mut text)?;
    Ok(judged(text.get(..count).unwrap_or_default(), brief))
}

/// The address may name the port of the stage.
pub(super) fn tcp(address: &str, brief: &Brief) -> Outcome {
    let address = address.replace("${port}", &brief.port.to_string());
    let connected = || -> io::Result<Vec<u8>> {
        let address: SocketAddr = address.parse().map_err(io::Error::other)?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        ask(&mut stream, b"GET / HTTP/1.0\r\n\r\n", false)
    };
    connected().map_or_else(Outcome::from, |text| judged(&text, brief))
}

/// Sends this and reads the beginning of the answer; with `head` only to the end of its head.
pub(super) fn ask(stream: &mut TcpStream, request: &[u8], head: bool) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut text = vec![0; 4096];
    let mut filled = 0;
    while filled < text.len() {
        let read = text.get(..filled).unwrap_or_default();
        if head && read.windows(END_OF_HEAD.len()).any(|window| window == END_OF_HEAD) {
            break;
        }
        match stream.read(text.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if filled == 0 => return Err(error),
            // The answer has been given; the connection stays open.
            Err(_) => break,
        }
    }
    text.truncate(filled);
    Ok(text)
}

pub(crate) fn loopback_udp(brief: &Brief) -> Outcome {
    udp(&format!("127.0.0.1:{}", brief.udp_port), b"hello", brief)
}

/// A query for a name that would carry something out.
pub(crate) fn name_server(brief: &Brief) -> Outcome {
    let mut query = b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
    query.extend(b"\x06secret\x07example\x00\x00\x01\x00\x01");
    udp(NAMES, &query, brief)
}

fn udp(address: &str, message: &[u8], brief: &Brief) -> Outcome {
    let asked = || -> io::Result<Vec<u8>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(address)?;
        socket.send(message)?;
        let mut text = vec![0; 512];
        let count = socket.recv(&mut text)?;
        text.truncate(count);
        Ok(text)
    };
    asked().map_or_else(Outcome::from, |text| judged(&text, brief))
}

/// The addresses that the stage gave to its network.
pub(crate) fn interfaces(_: &Brief) -> Outcome {
    match std::fs::read_to_string("/proc/net/fib_trie") {
        Ok(text) if text.contains("10.213.0.1") => Outcome::Done("they are seen".to_owned()),
        Ok(_) => Outcome::Own("another network is there".to_owned()),
        Err(error) => Outcome::refused(&error),
    }
}

pub(crate) fn raw_socket(_: &Brief) -> Outcome {
    let made = socket(AddressFamily::INET, SocketType::RAW, Some(rustix::net::ipproto::ICMP));
    Outcome::of(made.map_err(io::Error::from))
}

pub(crate) fn packet_socket(_: &Brief) -> Outcome {
    let every = RawProtocol::new(0x0300).map(rustix::net::Protocol::from_raw);
    Outcome::of(socket(AddressFamily::PACKET, SocketType::RAW, every).map_err(io::Error::from))
}

pub(crate) fn listen_low(brief: &Brief) -> Outcome {
    match (TcpListener::bind(LOW), interfaces(brief)) {
        (Ok(_), Outcome::Done(_)) => Outcome::Done("it listens".to_owned()),
        (Ok(_), _) => Outcome::Own("in another network".to_owned()),
        (Err(error), _) => Outcome::refused(&error),
    }
}
