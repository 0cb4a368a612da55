//! What is behind the gateways that are measured: a thread for each connection, as little work as can be.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Between two events of a stream.
const BETWEEN: Duration = Duration::from_millis(5);
/// How many events one stream has.
pub(super) const EVENTS: u32 = 200;
/// Longest request that it takes: a head and nothing else.
const MOST_HEAD: usize = 16 * 1024;
const CHUNK: usize = 256 * 1024;

/// Listens until the process ends.
pub(super) fn start() -> std::io::Result<SocketAddr> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        for stream in socket.incoming().flatten() {
            // A client that goes away ends its thread.
            std::thread::spawn(move || drop(serve(stream)));
        }
    });
    Ok(address)
}

/// Microseconds since this process first asked; clients in this process read the same clock.
pub(super) fn now_us() -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(BEGIN.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (small, large) = (plain(1024), plain(1024 * 1024));
    let mut head = Vec::with_capacity(MOST_HEAD);
    loop {
        head.clear();
        let mut portion = [0_u8; 4096];
        while !head.ends_with(b"\r\n\r\n") {
            let length = stream.read(&mut portion)?;
            if length == 0 || head.len() > MOST_HEAD {
                return Ok(());
            }
            head.extend_from_slice(&portion[..length]);
        }
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let path = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        match path {
            b"/small" => stream.write_all(&small)?,
            b"/large" => stream.write_all(&large)?,
            b"/events" => events(&mut stream)?,
            b"/waits" => waits(&mut stream)?,
            b"/endless" => return endless(&mut stream),
            _ => stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?,
        }
    }
}

fn plain(length: usize) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
            .into_bytes();
    answer.resize(answer.len() + length, b'x');
    answer
}

const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// Events that say when they were sent.
fn events(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(STREAM)?;
    let begun = Instant::now();
    for number in 1..=EVENTS {
        let event = format!("event: ping\ndata: {{\"sent\":{:020}}}\n\n", now_us());
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the pace is kept by the clock, not by what the client does"
        )]
        std::thread::sleep((BETWEEN * number).saturating_sub(begun.elapsed()));
    }
    stream.write_all(b"0\r\n\r\n")
}

/// One event, and then nothing more until the client goes.
fn waits(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(STREAM)?;
    stream.write_all(b"16\r\nevent: ping\ndata: {}\n\n\r\n")?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest)?;
    Ok(())
}

/// Bytes until the client goes.
fn endless(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\nconnection: close\r\n\r\n",
    )?;
    let chunk = vec![b'x'; CHUNK];
    loop {
        stream.write_all(&chunk)?;
    }
}
