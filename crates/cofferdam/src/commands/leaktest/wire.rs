//! Reads along what crosses the loopback of a sandbox's network: from outside, by a socket that was made in it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, eth, recv, socket_with, sockopt};

use super::search::{Patterns, Searched, Searcher};
use crate::sight::{Kind, Place, Sink};

/// How much may wait to be read, in bytes.
const BUFFER: usize = 64 * 1024 * 1024;
/// Larger than any packet of a loopback.
const LARGEST: usize = 256 * 1024;
/// Of an Ethernet frame, which loopback packets pretend to be.
const ETHERNET: usize = 14;
const TCP: u8 = 6;

/// A socket that sees every packet in the network of this process.
///
/// # Errors
/// When it is not ours to look into.
pub(crate) fn tap(pid: u32) -> io::Result<OwnedFd> {
    let network = std::fs::File::open(format!("/proc/{pid}/ns/net"))?;
    // A thread of its own: it is in that network for the rest of its life.
    let made = thread::Builder::new().name("tap".to_owned()).spawn(move || -> io::Result<OwnedFd> {
        let kind = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), kind)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, Some(eth::ALL))?;
        if sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).is_err() {
            // As large as it may be; what is missed is counted.
            sockopt::set_socket_recv_buffer_size(&socket, BUFFER)?;
        }
        Ok(socket)
    })?;
    made.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

/// Reads along until it is stopped.
pub(crate) struct Wire {
    stop: Arc<OwnedFd>,
    thread: thread::JoinHandle<(Searched, u64)>,
}

impl Wire {
    /// Begins.
    pub(crate) fn follow(socket: OwnedFd, patterns: &Arc<Patterns>) -> io::Result<Self> {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let (stops, patterns) = (Arc::clone(&stop), Arc::clone(patterns));
        let thread = thread::Builder::new().name("wire".to_owned());
        let thread = thread.spawn(move || follow(&socket, &stops, &patterns))?;
        Ok(Self { stop, thread })
    }

    /// Ends; what was found, and how many segments were missed.
    pub(crate) fn end(self) -> io::Result<(Searched, u64)> {
        rustix::io::write(&*self.stop, &1_u64.to_ne_bytes())?;
        self.thread.join().map_err(|_| io::ErrorKind::Other.into())
    }
}

/// A direction of a connection.
type Flow = (SocketAddr, SocketAddr);

/// The connections that were seen.
pub(crate) struct Flows {
    searchers: BTreeMap<Flow, (u32, Searcher)>,
    patterns: Arc<Patterns>,
    missed: u64,
}

fn follow(socket: &OwnedFd, stop: &OwnedFd, patterns: &Arc<Patterns>) -> (Searched, u64) {
    let mut flows = Flows::new(patterns);
    let mut buffer = vec![0_u8; LARGEST];
    loop {
        match recv(socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((count, _)) => flows.packet(buffer.get(..count).unwrap_or_default()),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut waits = [PollFd::new(socket, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
                let woken = poll(&mut waits, None);
                // All that came before is read by then.
                if woken.is_ok() && waits[0].revents().is_empty() && !waits[1].revents().is_empty() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    flows.finish()
}

impl Flows {
    pub(crate) fn new(patterns: &Arc<Patterns>) -> Self {
        Self { searchers: BTreeMap::new(), patterns: Arc::clone(patterns), missed: 0 }
    }

    /// One packet, as it was read from the loopback.
    pub(crate) fn packet(&mut self, frame: &[u8]) {
        let Some(segment) = Segment::read(frame) else { return };
        let Segment { from, to, sequence, begins, payload } = segment;
        let patterns = &self.patterns;
        let (next, searcher) =
            self.searchers.entry((from, to)).or_insert_with(|| (sequence, Searcher::new(patterns)));
        if begins {
            *next = sequence.wrapping_add(1);
        }
        let start = if begins { sequence.wrapping_add(1) } else { sequence };
        // Each packet of a loopback is seen as it leaves and as it arrives.
        let ahead = start.wrapping_sub(*next).cast_signed();
        let known = usize::try_from(-i64::from(ahead)).unwrap_or_default();
        if payload.len() <= known {
            return;
        }
        let place = Place::of(Kind::Connection, format!("{from} to {to}"));
        if ahead > 0 {
            self.missed += 1;
        }
        if ahead > 0 || searcher.is_new() {
            // Memory takes whatever comes.
            let _ = searcher.begin(&place);
        }
        let _ = searcher.bytes(payload.get(known..).unwrap_or_default());
        *next = start.wrapping_add(u32::try_from(payload.len()).unwrap_or_default());
    }

    pub(crate) fn finish(self) -> (Searched, u64) {
        let empty = Searcher::new(&self.patterns).finish();
        let all = self.searchers.into_values().map(|(_, searcher)| searcher.finish());
        (all.fold(empty, Searched::and), self.missed)
    }
}

/// A TCP segment.
struct Segment<'a> {
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    /// Whether it opens the connection.
    begins: bool,
    payload: &'a [u8],
}

impl<'a> Segment<'a> {
    fn read(frame: &'a [u8]) -> Option<Self> {
        let packet = frame.get(ETHERNET..)?;
        let (from, to, rest) = match packet.first()? >> 4 {
            4 => {
                let header = usize::from(packet.first()? & 0xf) * 4;
                // Offloaded packets may say nothing of their length.
                let length = usize::from(number(packet, 2)?);
                let end = if length == 0 { packet.len() } else { length.min(packet.len()) };
                (*packet.get(9)? == TCP).then_some(())?;
                let address = |at: usize| <[u8; 4]>::try_from(packet.get(at..at + 4)?).ok().map(IpAddr::from);
                (address(12)?, address(16)?, packet.get(header..end)?)
            }
            6 => {
                (*packet.get(6)? == TCP).then_some(())?;
                let address =
                    |at: usize| <[u8; 16]>::try_from(packet.get(at..at + 16)?).ok().map(IpAddr::from);
                (address(8)?, address(24)?, packet.get(40..)?)
            }
            _ => return None,
        };
        let header = usize::from(rest.get(12)? >> 4) * 4;
        Some(Self {
            from: SocketAddr::new(from, number(rest, 0)?),
            to: SocketAddr::new(to, number(rest, 2)?),
            sequence: u32::from_be_bytes(rest.get(4..8)?.try_into().ok()?),
            begins: rest.get(13)? & 0x02 != 0,
            payload: rest.get(header..)?,
        })
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
