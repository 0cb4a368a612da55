//! Bytes both ways, as they are.
//!
//! A tunnel that is idle or talks little costs one small buffer. From some amount on the kernel moves the bytes from one
//! socket to the other by itself, and they are never copied here.

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use coffer_plan::host::{Endpoint, Host};
use rustix::net::Shutdown;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest};
use tokio::net::{TcpSocket, TcpStream, UnixStream};

use crate::record::{Pending, Verdict};
use crate::serve::Desk;

/// How much is carried at once, in bytes.
const PORTION: usize = 16 * 1024;
/// After so many full portions the kernel carries the rest.
const PORTIONS_BY_HAND: u32 = 16;
/// How much the kernel carries at once, in bytes; less, where a user may have no more.
const PIPE: usize = 1024 * 1024;
/// What one side has still to say when the other does not listen any more, is heard for so long.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// A socket on which bytes go both ways.
pub(crate) trait Stream: AsFd {
    /// Does something as soon as the socket is ready for it.
    async fn io<T>(&self, interest: Interest, act: impl FnMut() -> io::Result<T>) -> io::Result<T>;

    /// Reads what is there, or waits for it; 0 at the end.
    async fn read(&self, portion: &mut [u8]) -> io::Result<usize> {
        self.io(Interest::READABLE, || Ok(rustix::io::read(self, &mut *portion)?)).await
    }

    /// Writes all of it.
    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let length = self.io(Interest::WRITABLE, || Ok(rustix::io::write(self, bytes)?)).await?;
            bytes = bytes.get(length..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Stream for TcpStream {
    async fn io<T>(&self, interest: Interest, act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.async_io(interest, act).await
    }
}

impl Stream for UnixStream {
    async fn io<T>(&self, interest: Interest, act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.async_io(interest, act).await
    }
}

/// Carries bytes until the end, and passes that on.
async fn stream<A: Stream, B: Stream>(from: &A, to: &B, count: &Cell<u64>) -> io::Result<()> {
    let mut portion = vec![0_u8; PORTION];
    let mut full = 0;
    loop {
        let length = from.read(&mut portion).await?;
        let Some(bytes) = portion.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
        to.write(bytes).await?;
        count.set(count.get() + length as u64);
        full = if length == PORTION { full + 1 } else { 0 };
        if full == PORTIONS_BY_HAND
            && let Ok((receiver, sender)) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
        {
            drop(std::mem::take(&mut portion));
            // Without it the pipe is smaller.
            let _ = fcntl_setpipe_size(&sender, PIPE);
            in_the_kernel(from, to, (&receiver, &sender), count).await?;
            break;
        }
    }
    Ok(rustix::net::shutdown(to, Shutdown::Write)?)
}

/// The same by a pipe, which is empty before and after.
async fn in_the_kernel<A: Stream, B: Stream>(
    from: &A,
    to: &B,
    (receiver, sender): (&OwnedFd, &OwnedFd),
    count: &Cell<u64>,
) -> io::Result<()> {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    loop {
        let into = || Ok(splice(from, None, sender, None, PIPE, flags)?);
        let mut left = from.io(Interest::READABLE, into).await?;
        if left == 0 {
            return Ok(());
        }
        while left > 0 {
            let out = || Ok(splice(receiver, None, to, None, left, flags)?);
            let length = to.io(Interest::WRITABLE, out).await?;
            left = left.saturating_sub(length);
            count.set(count.get() + length as u64);
        }
    }
}

/// From the one who opened the tunnel. When nobody listens any more, what the other one says still goes through.
pub(crate) async fn up<A: Stream, B: Stream>(
    client: &A,
    server: &B,
    ahead: &[u8],
    count: &Cell<u64>,
) -> io::Result<()> {
    let carried = async {
        server.write(ahead).await?;
        count.set(count.get() + ahead.len() as u64);
        stream(client, server, count).await
    };
    let ended = carried.await;
    if ended.is_err() {
        tokio::time::sleep(LAST_WORDS).await;
    }
    ended
}

/// To the one who opened the tunnel.
pub(crate) async fn down<A: Stream, B: Stream>(server: &A, client: &B, count: &Cell<u64>) -> io::Result<()> {
    stream(server, client, count).await
}

/// Carries bytes from one to the other until the end, which is passed on.
pub(crate) async fn one_way<R, W>(from: &mut R, to: &mut W) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut portion = vec![0_u8; PORTION];
    loop {
        let length = from.read(&mut portion).await?;
        let Some(bytes) = portion.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
        to.write_all(bytes).await?;
        // What is not a socket may keep it.
        to.flush().await?;
    }
    to.shutdown().await
}

/// A service by its port on a loopback, for the record.
fn service(desk: &Desk, port: u16, rule: &str) -> Pending {
    let host = Host::Address(Ipv4Addr::LOCALHOST.into());
    let mut pending = Pending::begin(&desk.setup.record, Some(Arc::new(Endpoint { host, port })));
    pending.decision.rule = Some(format!("{rule} {port}").into());
    pending
}

/// Both ways until both have ended, or one breaks.
async fn both_ways<A: Stream, B: Stream>(one: A, other: B, pending: Pending) {
    let (sent, received): (Rc<Cell<u64>>, _) = (pending.sent(), pending.received());
    // What breaks is gone for both: the streams are dropped with this function.
    let _ = tokio::try_join!(up(&one, &other, &[], &sent), down(&other, &one, &received));
}

/// Carries bytes to a service of the host's loopback.
pub(crate) async fn forward<S: Stream>(desk: &Desk, port: u16, stream: S) {
    let mut pending = service(desk, port, "--forward");
    let addresses =
        [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
    let connecting = tokio::time::timeout(desk.setup.limits.connect_time, TcpStream::connect(&addresses[..]));
    // Whoever connects inside sees what they would see outside: nobody there.
    let Ok(Ok(service)) = connecting.await else {
        pending.decision.verdict = Verdict::Failed;
        return;
    };
    let _ = service.set_nodelay(true);
    both_ways(stream, service, pending).await;
}

/// Carries bytes to a port inside the sandbox.
pub(crate) async fn publish<S: Stream>(desk: &Desk, port: u16, stream: S) {
    let mut pending = service(desk, port, "--publish");
    pending.decision.verdict = Verdict::Failed;
    let Some(inside) = desk.setup.inside.clone() else { return };
    let sockets = tokio::task::spawn_blocking(move || inside.sockets()).await;
    let Ok(Ok([v4, v6])) = sockets else { return };
    let addresses =
        [(v4, SocketAddr::from((Ipv4Addr::LOCALHOST, port))), (v6, (Ipv6Addr::LOCALHOST, port).into())];
    for (socket, address) in addresses {
        if let Ok(service) = connect_inside(socket, address).await {
            let _ = service.set_nodelay(true);
            pending.decision.verdict = Verdict::Allowed;
            both_ways(stream, service, pending).await;
            return;
        }
    }
}

async fn connect_inside(socket: OwnedFd, address: SocketAddr) -> io::Result<TcpStream> {
    TcpSocket::from_std_stream(std::net::TcpStream::from(socket)).connect(address).await
}
