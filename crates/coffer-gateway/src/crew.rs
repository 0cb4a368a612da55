//! The threads that serve: each connection stays with one of them, and none gets many more than another. Whoever wakes
//! first takes all who wait, so it hands on those that are too many for it.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Somebody who came in, on the thread that waits for what they say.
pub(crate) enum Connection {
    /// By an address.
    Tcp(TcpStream),
    /// By a path.
    Unix(UnixStream),
}

/// Somebody who is on the way from one thread to another.
enum Moving {
    Tcp(StdTcpStream),
    Unix(StdUnixStream),
}

impl Connection {
    fn leave(self) -> io::Result<Moving> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(Moving::Tcp),
            Self::Unix(stream) => stream.into_std().map(Moving::Unix),
        }
    }
}

/// Somebody who came in by a door, and has a seat.
pub(crate) struct Arrived {
    /// The door's number.
    pub(crate) door: usize,
    pub(crate) connection: Connection,
    pub(crate) seat: Seat,
}

/// The same, sent by another thread.
pub(crate) struct Sent {
    door: usize,
    connection: Moving,
    seat: Seat,
}

impl Sent {
    /// On the thread that serves it.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub(crate) fn arrive(self) -> io::Result<Arrived> {
        let Self { door, connection, seat } = self;
        let connection = match connection {
            Moving::Tcp(stream) => Connection::Tcp(TcpStream::from_std(stream)?),
            Moving::Unix(stream) => Connection::Unix(UnixStream::from_std(stream)?),
        };
        Ok(Arrived { door, connection, seat })
    }
}

/// All threads that serve.
pub(crate) struct Crew {
    /// How many connections each of them has.
    loads: Vec<AtomicUsize>,
    to: Vec<UnboundedSender<Sent>>,
}

/// The right to one of the connections that there may be, at one of the threads.
pub(crate) struct Seat {
    crew: Arc<Crew>,
    thread: usize,
    _permit: OwnedSemaphorePermit,
}

impl Crew {
    /// So many, and where each of them hears who is sent to it.
    pub(crate) fn new(threads: usize) -> (Arc<Self>, Vec<UnboundedReceiver<Sent>>) {
        let (to, hear) = (0..threads).map(|_| unbounded_channel()).unzip();
        let loads = (0..threads).map(|_| AtomicUsize::new(0)).collect();
        (Arc::new(Self { loads, to }), hear)
    }

    /// Seats somebody at the thread that has the fewest: at `own`, if it is one of those, and then it is given back.
    pub(crate) fn seat(
        self: &Arc<Self>,
        own: usize,
        door: usize,
        connection: Connection,
        permit: OwnedSemaphorePermit,
    ) -> Option<Arrived> {
        let load = |thread: &usize| {
            let load = self.loads.get(*thread).map_or(usize::MAX, |load| load.load(Ordering::Relaxed));
            (load, *thread != own)
        };
        let thread = (0..self.loads.len()).min_by_key(load).unwrap_or(own);
        self.loads.get(thread)?.fetch_add(1, Ordering::Relaxed);
        let seat = Seat { crew: self.clone(), thread, _permit: permit };
        if thread == own {
            return Some(Arrived { door, connection, seat });
        }
        if let (Ok(connection), Some(to)) = (connection.leave(), self.to.get(thread)) {
            // A thread that has ended takes nobody: the connection is closed.
            let _ = to.send(Sent { door, connection, seat });
        }
        None
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(load) = self.crew.loads.get(self.thread) {
            load.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
