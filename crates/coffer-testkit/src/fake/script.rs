//! Scripted failures: what goes wrong, for which requests, how often.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::watch;

/// A barrier that a scripted request waits at until the test opens it.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn passed(&self) {
        // An error means that every sender is gone; we hold one ourselves.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answer with this status and body instead of doing the work.
    Status(u16, String),
    /// Close the connection without doing the work and without an answer.
    Drop,
    /// Do the work (tokens are rotated), then close the connection without an answer.
    DropAfterWork,
    /// Wait at the gate, then do the work and answer.
    Hold(Gate),
    /// Do the work (tokens are rotated), then wait at the gate before answering.
    HoldAfterWork(Gate),
    /// Do the work (tokens are rotated), then answer so much later, as a server far away does.
    Slow(Duration),
    /// Send the first half of the answer's body, wait at the gate, send the rest.
    HoldMidBody(Gate),
    /// Announce the whole answer, send half of it, close the connection.
    Truncate,
    /// Answer 200 with bytes that are neither JSON nor events.
    Garbage,
}

impl Fault {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status(..) => "status",
            Self::Drop => "drop",
            Self::DropAfterWork => "drop_after_work",
            Self::Hold(_) => "hold",
            Self::HoldAfterWork(_) => "hold_after_work",
            Self::Slow(_) => "slow",
            Self::HoldMidBody(_) => "hold_mid_body",
            Self::Truncate => "truncate",
            Self::Garbage => "garbage",
        }
    }
}

/// A failure for the next requests whose path starts with a prefix.
#[derive(Debug, Clone)]
pub struct Rule {
    path: String,
    fault: Fault,
    left: u32,
}

impl Rule {
    /// Applies `fault` to the next request whose path starts with `path`.
    #[must_use]
    pub fn once(path: &str, fault: Fault) -> Self {
        Self::times(path, fault, 1)
    }

    /// Applies `fault` to the next `times` requests whose path starts with `path`.
    #[must_use]
    pub fn times(path: &str, fault: Fault, times: u32) -> Self {
        Self { path: path.to_owned(), fault, left: times }
    }
}

/// The queue of rules; the first one that fits a request is used.
#[derive(Debug, Default)]
pub(crate) struct Script(VecDeque<Rule>);

impl Script {
    pub(crate) fn push(&mut self, rule: Rule) {
        self.0.push_back(rule);
    }

    pub(crate) fn next(&mut self, path: &str) -> Option<Fault> {
        self.0.retain(|rule| rule.left > 0);
        let rule = self.0.iter_mut().find(|rule| path.starts_with(&rule.path))?;
        rule.left -= 1;
        Some(rule.fault.clone())
    }
}
