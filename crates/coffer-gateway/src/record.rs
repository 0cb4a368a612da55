//! What was decided, for the ledger and for the list at the end of a run. No path, no body, no secret.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use coffer_plan::host::Endpoint;

use crate::refusal::Refusal;

/// Writes down what is decided. It is called on the threads that serve: it must not block.
pub trait Record: Send + Sync {
    /// Somebody asked for something, and this is what came of it.
    fn decided(&self, decision: &Decision);
}

/// One answer of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who was asked for; `None` when the request did not get as far as to say.
    pub endpoint: Option<Arc<Endpoint>>,
    /// What came of it.
    pub verdict: Verdict,
    /// Who allowed it, in words.
    pub rule: Option<Arc<str>>,
    /// The credential that was put in.
    pub credential: Option<Arc<str>>,
    /// Status of the answer; 0 for tunnels.
    pub status: u16,
    /// Bytes of bodies or tunnels that went out.
    pub sent: u64,
    /// Bytes that came in.
    pub received: u64,
    /// From the head of the request to the last byte of the answer.
    pub milliseconds: u64,
}

/// A decision whose end is still to come: it is written down when this is dropped.
pub struct Pending {
    record: Arc<dyn Record>,
    since: Instant,
    /// As far as it is known.
    pub decision: Decision,
    sent: Rc<Cell<u64>>,
    received: Rc<Cell<u64>>,
}

impl Pending {
    /// Begins now.
    pub fn begin(record: &Arc<dyn Record>, endpoint: Option<Arc<Endpoint>>) -> Self {
        let decision = Decision {
            endpoint,
            verdict: Verdict::Allowed,
            rule: None,
            credential: None,
            status: 0,
            sent: 0,
            received: 0,
            milliseconds: 0,
        };
        let (sent, received) = (Rc::default(), Rc::default());
        Self { record: record.clone(), since: Instant::now(), decision, sent, received }
    }

    /// Counts the bytes that go out. Whoever counts may outlive this, or the other way round.
    pub(crate) fn sent(&self) -> Rc<Cell<u64>> {
        self.sent.clone()
    }

    /// Counts the bytes that come in.
    pub(crate) fn received(&self) -> Rc<Cell<u64>> {
        self.received.clone()
    }

    /// So many more bytes came in.
    pub(crate) fn receives(&self, length: usize) {
        self.received.set(self.received.get() + length as u64);
    }

    /// Refused, or broken off.
    pub fn refused(&mut self, refusal: &Refusal) {
        self.decision.verdict = refusal.verdict();
        self.decision.status = refusal.status().as_u16();
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.decision.sent = self.sent.get();
        self.decision.received = self.received.get();
        self.decision.milliseconds = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.record.decided(&self.decision);
    }
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It went through.
    Allowed,
    /// Nobody allowed it.
    Denied,
    /// The name leads to an address that it must not lead to.
    PrivateAddress,
    /// The TLS handshake named somebody else than the request.
    NameMismatch,
    /// The capability was missing or wrong.
    Unauthorized,
    /// Somebody came in by a unix socket whose id is none of those that may.
    ForeignPeer,
    /// The answer held the credential, and was cut.
    Echoed,
    /// It was no request that a gateway passes on.
    Malformed,
    /// The host did not answer, or not well.
    Failed,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::PrivateAddress => "private_address",
            Self::NameMismatch => "name_mismatch",
            Self::Unauthorized => "unauthorized",
            Self::ForeignPeer => "foreign_peer",
            Self::Echoed => "echoed",
            Self::Malformed => "malformed",
            Self::Failed => "failed",
        }
    }
}
