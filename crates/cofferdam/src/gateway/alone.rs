//! The gateway that stands alone: where it listens, and what stands behind each token.

mod book;
mod error;
pub(crate) mod sockets;

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use coffer_gateway::alone::{Alone, Standing, serve};
use coffer_gateway::serve::Socket;
use coffer_plan::facts::HostFacts;

pub(crate) use book::Book;
pub(crate) use error::AloneError;

use super::record::{Writer, recorder};
use super::serve::limits;
use super::{MOST_THREADS, Told};
use crate::commands::ledger;
use crate::printer::Printer;

/// What stands in records of what no token stands behind.
const NOBODYS: &str = "gateway";
/// How long what is under way may take at the end.
const GRACE: Duration = Duration::from_secs(10);

/// A gateway at work.
pub(crate) struct Open {
    standing: Standing,
    writer: Writer,
    /// Which token stands for what.
    pub(crate) book: Arc<Book>,
}

/// Begins to serve.
///
/// # Errors
/// When the tokens cannot be read, or threads cannot be had.
pub(crate) fn open(sockets: Vec<Socket>, facts: &HostFacts, printer: &Printer) -> Result<Open, AloneError> {
    let failed = |action| move |source| AloneError::Serve { action, source };
    let printer = printer.clone();
    let tell = move |told: &Told| {
        if let Told::NotRecorded { message } = told {
            printer.failure(&crate::error::Error::GatewayNotRecorded { message: message.clone() });
        }
    };
    let (recorder, writer) =
        recorder(NOBODYS, ledger::of(facts), tell).map_err(failed("start the thread that records"))?;
    let book = Arc::new(Book::open(&facts.folders, recorder.clone())?);
    let own = facts.user.uid;
    let mut peers = vec![own..own.saturating_add(1), 0..1];
    peers.extend(coffer_host::subordinate_uids(&facts.user));
    let alone = Arc::new(Alone {
        tokens: book.clone(),
        limits: limits(),
        grace: GRACE,
        record: Arc::new(recorder),
        peers,
    });
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let standing = serve(&alone, sockets, threads).map_err(failed("serve"))?;
    Ok(Open { standing, writer, book })
}

impl Open {
    /// Ends it; what is under way has a moment for it.
    pub(crate) fn close(self) {
        let Self { standing, writer, book } = self;
        standing.stop();
        // With it the last one goes who could have something to write down.
        drop(book);
        writer.finish();
    }
}
