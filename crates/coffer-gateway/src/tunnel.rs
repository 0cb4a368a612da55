//! Bytes both ways, as they are.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::serve::Desk;

/// How much is carried at once, in bytes.
const PORTION: usize = 256 * 1024;

/// How many bytes went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// From the one who opened the tunnel.
    pub(crate) sent: u64,
    /// To them.
    pub(crate) received: u64,
}

/// Carries bytes from one to the other until the end, which is passed on; what is ahead goes first.
pub(crate) async fn one_way<R, W>(from: &mut R, to: &mut W, ahead: &[u8], count: &mut u64) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    if !ahead.is_empty() {
        to.write_all(ahead).await?;
        *count += ahead.len() as u64;
    }
    // It grows with what comes: an idle tunnel costs little.
    let mut portion = vec![0_u8; 8 * 1024];
    loop {
        let length = from.read(&mut portion).await?;
        let Some(bytes) = portion.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
        to.write_all(bytes).await?;
        *count += length as u64;
        if length == portion.len() && length < PORTION {
            portion.resize(length * 2, 0);
        }
    }
    to.shutdown().await
}

/// Both ways until both have ended, or one breaks.
pub(crate) async fn both_ways<A, B>(one: A, other: B) -> Carried
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let mut carried = Carried::default();
    let (mut one_read, mut one_write) = tokio::io::split(one);
    let (mut other_read, mut other_write) = tokio::io::split(other);
    // What breaks is gone for both: the streams are dropped with this function.
    let _ = tokio::try_join!(
        one_way(&mut one_read, &mut other_write, &[], &mut carried.sent),
        one_way(&mut other_read, &mut one_write, &[], &mut carried.received),
    );
    carried
}

/// Carries bytes to a service of the host's loopback.
pub(crate) async fn forward<S>(desk: &Desk, port: u16, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let addresses =
        [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
    let connecting = tokio::time::timeout(desk.setup.limits.connect_time, TcpStream::connect(&addresses[..]));
    // Whoever connects inside sees what they would see outside: nobody there.
    let Ok(Ok(service)) = connecting.await else { return };
    let _ = service.set_nodelay(true);
    both_ways(stream, service).await;
}

/// Carries bytes to a port inside the sandbox.
pub(crate) async fn publish<S>(desk: &Desk, port: u16, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(inside) = desk.setup.inside.clone() else { return };
    let sockets = tokio::task::spawn_blocking(move || inside.sockets()).await;
    let Ok(Ok([v4, v6])) = sockets else { return };
    let addresses =
        [(v4, SocketAddr::from((Ipv4Addr::LOCALHOST, port))), (v6, (Ipv6Addr::LOCALHOST, port).into())];
    for (socket, address) in addresses {
        if let Ok(service) = connect_inside(socket, address).await {
            let _ = service.set_nodelay(true);
            both_ways(stream, service).await;
            return;
        }
    }
}

async fn connect_inside(socket: OwnedFd, address: SocketAddr) -> io::Result<TcpStream> {
    TcpSocket::from_std_stream(std::net::TcpStream::from(socket)).connect(address).await
}
