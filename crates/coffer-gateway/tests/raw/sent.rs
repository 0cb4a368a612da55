//! What somebody behind the gateway was sent, read as strictly as can be: whatever two readers could take for two
//! things fails the test.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::Receiver;

use crate::support::{answer, server};

/// One request in the one way in which it can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The request line.
    pub(crate) line: String,
    /// Names as they came, and values; in order.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// The body, without chunks around it.
    pub(crate) body: Vec<u8>,
    /// What stands behind the last chunk.
    pub(crate) trailers: Vec<(String, Vec<u8>)>,
    /// Whether the body came to its end.
    pub(crate) whole: bool,
}

impl Sent {
    /// The values of a header, in order.
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The one value of a header, or nothing.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let mut all = self.values(name);
        assert!(all.len() < 2, "`{name}` is said more than once: {self:?}");
        all.pop()
    }
}

/// A server that reads one request strictly, says `fine`, and returns what it was sent: `None` when nothing came.
/// Whatever comes after the request fails the test, too.
pub(crate) fn strict() -> (SocketAddr, Receiver<Option<Sent>>) {
    server(|stream| {
        // Whoever falls over says why, and is not taken for somebody whom nothing was sent.
        let strictly = std::panic::AssertUnwindSafe(|| {
            let sent = read(stream);
            if sent.as_ref().is_some_and(|sent| sent.whole) {
                let _ = stream.write_all(answer("200 OK", "", "fine").as_bytes());
                let mut more = Vec::new();
                let _ = stream.read_to_end(&mut more);
                assert!(more.is_empty(), "after the request: {:?}", String::from_utf8_lossy(&more));
            }
            sent
        });
        std::panic::catch_unwind(strictly).unwrap_or_else(|_| Some(Sent::default()))
    })
}

/// Reads one request.
pub(crate) fn read(stream: &mut TcpStream) -> Option<Sent> {
    let head = until(stream, b"\r\n\r\n")?;
    let text = head.strip_suffix(b"\r\n\r\n").unwrap_or_else(|| panic!("a head breaks off: {head:?}"));
    let mut lines = split(text, b"\r\n").into_iter();
    let line = String::from_utf8(lines.next().unwrap().to_vec()).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    assert!(matches!(words[..], [_, _, "HTTP/1.1"]), "{line:?}");
    assert!(
        words[0].bytes().all(is_token) && words[1].bytes().all(|byte| byte > b' ' && byte != 0x7f),
        "{line:?}"
    );
    let headers: Vec<_> = lines.map(field).collect();
    let mut sent = Sent { line, headers, body: Vec::new(), trailers: Vec::new(), whole: true };
    assert!(sent.value("host").is_some(), "no host: {sent:?}");
    match (sent.value("transfer-encoding"), sent.value("content-length")) {
        (None, None) => {}
        (None, Some(length)) => {
            assert!(length.bytes().all(|byte| byte.is_ascii_digit()), "{sent:?}");
            let length: usize = length.parse().unwrap();
            sent.body = vec![0; length];
            sent.whole = stream.read_exact(&mut sent.body).is_ok();
        }
        (Some(coding), None) => {
            assert_eq!(coding, "chunked", "{sent:?}");
            sent.whole = chunks(stream, &mut sent).is_some();
        }
        (Some(_), Some(_)) => panic!("two ends: {sent:?}"),
    }
    Some(sent)
}

/// Reads chunks to the last; `None` when they break off.
fn chunks(stream: &mut TcpStream, sent: &mut Sent) -> Option<()> {
    loop {
        let line = until(stream, b"\r\n")?;
        let size = line.strip_suffix(b"\r\n")?;
        let size = std::str::from_utf8(size).unwrap();
        assert!(!size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit()), "{size:?}");
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).ok()?;
        assert!(chunk.ends_with(b"\r\n"), "{chunk:?}");
        sent.body.extend_from_slice(&chunk[..size]);
    }
    loop {
        let line = until(stream, b"\r\n")?;
        match line.strip_suffix(b"\r\n")? {
            b"" => return Some(()),
            line => sent.trailers.push(field(line)),
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// One header.
fn field(line: &[u8]) -> (String, Vec<u8>) {
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or_else(|| panic!("no header: {line:?}"));
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    assert!(!name.is_empty() && name.iter().copied().all(is_token), "{line:?}");
    assert!(value.iter().all(|byte| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f), "{line:?}");
    (String::from_utf8(name.to_vec()).unwrap(), value.trim_ascii().to_vec())
}

/// Everything up to and with this; what there is when the end comes first, and `None` when that is nothing.
pub(crate) fn until(stream: &mut impl std::io::Read, end: &[u8]) -> Option<Vec<u8>> {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(end) && stream.read(&mut byte).unwrap_or(0) > 0 {
        text.push(byte[0]);
    }
    (!text.is_empty()).then_some(text)
}

fn split<'a>(text: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.windows(by.len()).position(|window| window == by) {
        parts.push(&rest[..at]);
        rest = &rest[at + by.len()..];
    }
    parts.push(rest);
    parts
}
