//! Whom a TLS handshake names. A tunnel that was opened to one host must not greet another: behind one address there
//! may be many.

use std::io;
use std::time::Duration;

use coffer_plan::host::Host;
use rustls::server::Acceptor;
use tokio::time::timeout;

use crate::tunnel::Stream;

/// With it each TLS connection begins: the type of a record with a handshake.
const HANDSHAKE: u8 = 22;
/// Other records of TLS. Some servers pass over them, and would read the greeting that follows.
const OTHER_RECORDS: [u8; 4] = [20, 21, 23, 24];
/// Longest greeting that is read, in bytes.
const MAX_HELLO: usize = 64 * 1024;
/// How much is read at once, in bytes.
const PORTION: usize = 4 * 1024;

/// Reads what the client says first, `ahead` of which was read already; nothing of it has been passed on. `None` when
/// it greets somebody else than `host`, or nobody where `host` is a name. What is not TLS goes through.
///
/// # Errors
/// When the client breaks off, or does not come to the end of its greeting in time.
pub(super) async fn first_bytes<S: Stream>(
    client: &S,
    ahead: &[u8],
    host: Option<&Host>,
    patience: Duration,
) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = ahead.to_vec();
    // For the first byte it has all the time there is: the server may be the one to begin.
    if bytes.is_empty() && !more(client, &mut bytes).await? {
        return Ok(Some(bytes));
    }
    if bytes.first().is_some_and(|first| OTHER_RECORDS.contains(first)) {
        return Ok(None);
    }
    if bytes.first() != Some(&HANDSHAKE) {
        return Ok(Some(bytes));
    }
    let greeting = timeout(patience, greeted(client, &mut bytes)).await;
    let greeted = greeting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(fits(greeted.as_deref(), host).then_some(bytes))
}

async fn more<S: Stream>(client: &S, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut portion = [0; PORTION];
    let length = client.read(&mut portion).await?;
    bytes.extend_from_slice(portion.get(..length).unwrap_or_default());
    Ok(length > 0)
}

/// Reads until the greeting is whole; the name in it.
async fn greeted<S: Stream>(client: &S, bytes: &mut Vec<u8>) -> io::Result<Option<String>> {
    let broken = |reason: &'static str| io::Error::new(io::ErrorKind::InvalidData, reason);
    let mut acceptor = Acceptor::default();
    let mut seen = 0;
    loop {
        let mut fresh = bytes.get(seen..).unwrap_or_default();
        while !fresh.is_empty() {
            acceptor.read_tls(&mut fresh)?;
            match acceptor.accept() {
                Ok(Some(accepted)) => return Ok(accepted.client_hello().server_name().map(str::to_owned)),
                Ok(None) => {}
                Err(_) => return Err(broken("no greeting of TLS")),
            }
        }
        seen = bytes.len();
        if seen > MAX_HELLO {
            return Err(broken("a greeting that does not end"));
        }
        if !more(client, bytes).await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Whether the greeting is for this host. Addresses are never named in it.
fn fits(greeted: Option<&str>, host: Option<&Host>) -> bool {
    match (greeted, host) {
        (Some(name), Some(host)) => name.parse::<Host>().is_ok_and(|named| named == *host),
        (None, Some(Host::Address(_))) => true,
        (None, Some(Host::Name(_))) | (_, None) => false,
    }
}

#[cfg(test)]
mod tests;
