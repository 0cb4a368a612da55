//! Streams of events through a gateway: how much later each comes, and what a thousand that wait cost.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::upstream::now_us;

/// No event is waited for longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one stream showed, in microseconds.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    /// From the request to the first byte of the answer.
    pub(super) first_byte_us: f64,
    /// From the upstream's write to the client's read, for each event.
    pub(super) delays_us: Vec<f64>,
}

fn request(path: &str, word: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {word}\r\n\r\n")
}

fn connected(to: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Reads one stream of events on a connection of its own.
pub(super) fn one(to: SocketAddr, word: &str) -> std::io::Result<Stream> {
    let mut stream = connected(to)?;
    let begun = Instant::now();
    stream.write_all(request("/events", word).as_bytes())?;
    let mut first = [0_u8; 1];
    stream.read_exact(&mut first)?;
    let first_byte_us = begun.elapsed().as_secs_f64() * 1e6;
    let mut delays_us = Vec::new();
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 || line == "0\r\n" {
            break;
        }
        let sent = line.trim_end().strip_prefix("data: {\"sent\":").and_then(|rest| rest.strip_suffix('}'));
        if let Some(sent) = sent.and_then(|sent| sent.trim_start_matches('0').parse::<u64>().ok()) {
            // Far below 2^53.
            #[expect(clippy::cast_precision_loss, reason = "a delay in µs fits a double exactly")]
            delays_us.push(now_us().saturating_sub(sent) as f64);
        }
    }
    Ok(Stream { first_byte_us, delays_us })
}

/// Opens streams that have had their first event and wait for more.
pub(super) fn waiting(to: SocketAddr, word: &str, count: usize) -> std::io::Result<Vec<TcpStream>> {
    let open = |_| {
        let mut stream = connected(to)?;
        stream.write_all(request("/waits", word).as_bytes())?;
        let mut seen = Vec::new();
        let mut portion = [0_u8; 512];
        while !seen.ends_with(b"{}\n\n\r\n") {
            let length = stream.read(&mut portion)?;
            if length == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            seen.extend_from_slice(&portion[..length]);
        }
        Ok(stream)
    };
    (0..count).map(open).collect()
}

/// Asks for `/small` at an even pace on several connections; returns how many were answered.
pub(super) fn paced(to: SocketAddr, word: &str, per_second: u32, lasts: Duration) -> std::io::Result<u64> {
    const CONNECTIONS: u32 = 10;
    let each = || -> std::io::Result<u64> {
        let mut stream = connected(to)?;
        let text = request("/small", word);
        let every = Duration::from_secs(1) * CONNECTIONS / per_second;
        let begun = Instant::now();
        let mut answered = 0_u32;
        let mut answer = vec![0_u8; 8192];
        while begun.elapsed() < lasts {
            stream.write_all(text.as_bytes())?;
            let mut seen = 0;
            let mut whole = None;
            while whole.is_none_or(|whole| seen < whole) {
                let length = stream.read(&mut answer[seen..])?;
                if length == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                seen += length;
                let head = answer[..seen].windows(4).position(|window| window == b"\r\n\r\n");
                whole = head.map(|head| head + 4 + 1024);
            }
            if !answer.starts_with(b"HTTP/1.1 200") {
                return Err(std::io::ErrorKind::InvalidData.into());
            }
            answered += 1;
            #[expect(clippy::disallowed_methods, reason = "the pace is kept by the clock")]
            std::thread::sleep((every * answered).saturating_sub(begun.elapsed()));
        }
        Ok(u64::from(answered))
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(each)).collect();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(std::io::Error::other("a client fell over"))));
        ended.sum()
    })
}
