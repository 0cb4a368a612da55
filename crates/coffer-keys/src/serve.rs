//! Serves a filter on a socket: as many connections as there may be, each on a thread of its own.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::gpg::Grips;
use crate::{gpg, ssh};

#[cfg(test)]
mod tests;

/// The most connections of one sandbox to one filter; who comes then is turned away. Each has three frames at most.
pub const MAX_CONNECTIONS: usize = 16;
/// How long a sandbox may take to read an answer.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long an agent may take: it may ask a person, or wait for a touch of a key.
const AGENT_PATIENCE: Duration = Duration::from_secs(180);

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The agent did it.
    Allowed,
    /// It is not granted.
    Denied,
    /// A person said no, or nobody could be asked.
    Declined,
    /// The agent did not do it.
    Failed,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Declined => "declined",
            Self::Failed => "failed",
        }
    }
}

/// A request and what came of it; nothing of what was signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// What was asked for: `list`, `sign`, `decrypt`, `bind`, `look`, `other`.
    pub what: &'static str,
    /// By which key: its fingerprint, or its keygrip where nothing else is known.
    pub key: Option<String>,
    /// What came of it.
    pub verdict: Verdict,
}

/// A connection.
pub trait Connection: Read + Write {}

impl<T: Read + Write> Connection for T {}

/// What a filter needs of the outside.
pub trait Outside {
    /// A connection to the agent.
    type Agent: Connection;

    /// Connects to the agent.
    ///
    /// # Errors
    /// When it is not there.
    fn connect(&self) -> io::Result<Self::Agent>;

    /// Whether a person agrees; also true where none has to be asked.
    fn agrees(&self, to: &str, key: &str) -> bool;

    /// Writes down what came of a request.
    fn used(&self, used: &Used);
}

/// Who decides and writes down, for any number of filters.
pub trait Warden: Send + Sync {
    /// Asks a person; `agent` is `ssh` or `gpg`.
    fn agrees(&self, agent: &'static str, to: &str, key: &str) -> bool;

    /// Writes down.
    fn used(&self, agent: &'static str, used: &Used);
}

/// What a filter lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// SSH keys by fingerprint, and what people call them.
    Ssh(BTreeMap<String, String>),
    /// GnuPG keys.
    Gpg(Grips),
}

impl Keys {
    fn agent(&self) -> &'static str {
        match self {
            Self::Ssh(_) => "ssh",
            Self::Gpg(_) => "gpg",
        }
    }
}

/// A filter.
pub struct Filter {
    /// What it lets through.
    pub keys: Keys,
    /// Where the agent listens.
    pub agent: PathBuf,
    /// Who is asked and told.
    pub warden: Arc<dyn Warden>,
}

impl Outside for Filter {
    type Agent = UnixStream;

    fn connect(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(&self.agent)?;
        stream.set_read_timeout(Some(AGENT_PATIENCE))?;
        stream.set_write_timeout(Some(WRITE_PATIENCE))?;
        Ok(stream)
    }

    fn agrees(&self, to: &str, key: &str) -> bool {
        self.warden.agrees(self.keys.agent(), to, key)
    }

    fn used(&self, used: &Used) {
        self.warden.used(self.keys.agent(), used);
    }
}

/// Serves until the process ends.
///
/// # Errors
/// When no thread can be started.
pub fn serve(listener: UnixListener, filter: Filter) -> io::Result<()> {
    let filter = Arc::new(filter);
    let connections = Arc::new(AtomicUsize::new(0));
    let thread = thread::Builder::new().name(format!("{}-filter", filter.keys.agent()));
    thread.spawn(move || {
        for stream in listener.incoming().flatten() {
            let Some(place) = Place::take(&connections) else { continue };
            let filter = filter.clone();
            // Who cannot be served is hung up on, and may come again.
            let _ = thread::Builder::new().name("connection".to_owned()).spawn(move || {
                // A connection that breaks is the sandbox's own affair.
                let _ = talk(stream, &filter);
                drop(place);
            });
        }
    })?;
    Ok(())
}

fn talk(mut stream: UnixStream, filter: &Filter) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE_PATIENCE))?;
    match &filter.keys {
        Keys::Ssh(keys) => ssh::talk(&mut stream, filter, keys),
        Keys::Gpg(grips) => gpg::talk(&mut stream, filter, grips),
    }
}

/// One of the connections that there may be.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>) -> Option<Self> {
        let free = |taken: usize| (taken < MAX_CONNECTIONS).then_some(taken + 1);
        taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).ok()?;
        Some(Self(taken.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
