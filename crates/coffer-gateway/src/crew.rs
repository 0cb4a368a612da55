//! The threads that serve: each connection stays with one of them, and none gets many more than another. Whoever wakes
//! first takes all who wait, so it hands them on.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Somebody who came in.
pub(crate) enum Connection {
    /// By an address.
    Tcp(TcpStream),
    /// By a path.
    Unix(UnixStream),
}

/// Somebody who came in by a door, and has a seat.
pub(crate) struct Arrived {
    /// The door's number.
    pub(crate) door: usize,
    pub(crate) connection: Connection,
    pub(crate) seat: Seat,
}

/// All threads that serve.
pub(crate) struct Crew {
    /// How many connections each of them has.
    loads: Vec<AtomicUsize>,
    to: Vec<UnboundedSender<Arrived>>,
}

/// The right to one of the connections that there may be, at one of the threads.
pub(crate) struct Seat {
    crew: Arc<Crew>,
    thread: usize,
    _permit: OwnedSemaphorePermit,
}

impl Crew {
    /// So many, and where each of them hears who has arrived.
    pub(crate) fn new(threads: usize) -> (Arc<Self>, Vec<UnboundedReceiver<Arrived>>) {
        let (to, hear) = (0..threads).map(|_| unbounded_channel()).unzip();
        let loads = (0..threads).map(|_| AtomicUsize::new(0)).collect();
        (Arc::new(Self { loads, to }), hear)
    }

    /// Hands somebody to the thread that has the fewest; of those `own`, if it is one.
    pub(crate) fn hand(
        self: &Arc<Self>,
        own: usize,
        door: usize,
        connection: Connection,
        permit: OwnedSemaphorePermit,
    ) {
        let load = |thread: &usize| {
            let load = self.loads.get(*thread).map_or(usize::MAX, |load| load.load(Ordering::Relaxed));
            (load, *thread != own)
        };
        let thread = (0..self.loads.len()).min_by_key(load).unwrap_or(own);
        if let (Some(load), Some(to)) = (self.loads.get(thread), self.to.get(thread)) {
            load.fetch_add(1, Ordering::Relaxed);
            let seat = Seat { crew: self.clone(), thread, _permit: permit };
            // A thread that has ended takes nobody: the connection is closed.
            let _ = to.send(Arrived { door, connection, seat });
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(load) = self.crew.loads.get(self.thread) {
            load.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
