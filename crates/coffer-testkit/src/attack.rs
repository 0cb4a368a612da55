//! The attacker: a table of harmless attacks on a sandbox, a probe that makes them, and a stage on which each is first
//! made without any sandbox. What does not succeed there proves nothing inside, and counts as unproven.
//!
//! - [`table`]: the attacks, as data: what each tries, its class, what would explain its success.
//! - [`probe`]: makes them, each in a process of its own, and says a JSON line about each.
//! - [`world`]: a machine of the test's own, by namespaces: its network has nothing but what listens there.
//! - [`scene`]: what lies in that machine: a home with canaries, a project, a process, sockets, keys.
//! - [`mod@column`]: one way to start the probe: without a sandbox, or in one.
//! - [`report`]: the table of verdicts.

pub mod brief;
pub mod column;
mod deeds;
mod listeners;
pub mod probe;
pub mod report;
pub mod scene;
pub mod table;
#[cfg(test)]
mod tests;
pub mod world;

use std::io;

use serde::{Deserialize, Serialize};

pub use brief::Brief;
pub use table::{Attack, Class, Grant, attacks};

/// What came of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was refused, or found nothing.
    Blocked,
    /// It succeeded on something that is the sandbox's own.
    Private,
    /// It succeeded.
    Allowed,
    /// It was not made: what it needs is not there.
    Untried,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Private => "private",
            Self::Allowed => "allowed",
            Self::Untried => "untried",
        }
    }
}

/// What the probe says of one attack: a line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The attack's name.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
    /// In words.
    pub detail: String,
}

/// What an attack came to, as seen by itself.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It did what it tries, or so it seems from inside.
    Done(String),
    /// It did it to something of the sandbox's own.
    Own(String),
    /// It was refused, or found nothing.
    Refused(String),
    /// What it needs is not there.
    Untried(String),
}

impl Outcome {
    /// A call that succeeds is the attack.
    pub(crate) fn of<T>(result: io::Result<T>) -> Self {
        match result {
            Ok(_) => Self::Done("it was done".to_owned()),
            Err(error) => Self::refused(&error),
        }
    }

    /// A call that says that there is no such thing was let through, to an empty place of the sandbox's own.
    pub(crate) fn or_own<T>(result: io::Result<T>) -> Self {
        match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::Own("there is none here".to_owned())
            }
            result => Self::of(result),
        }
    }

    pub(crate) fn refused(error: &io::Error) -> Self {
        // Without the number: it differs between architectures, and the words do not.
        let text = error.to_string();
        let words = text.split(" (os error").next().unwrap_or_default().to_lowercase();
        Self::Refused(words)
    }

    fn line(self, name: &str) -> Line {
        let (verdict, detail) = match self {
            Self::Done(detail) => (Verdict::Allowed, detail),
            Self::Own(detail) => (Verdict::Private, detail),
            Self::Refused(detail) => (Verdict::Blocked, detail),
            Self::Untried(detail) => (Verdict::Untried, detail),
        };
        Line { name: name.to_owned(), verdict, detail }
    }
}

impl From<io::Error> for Outcome {
    fn from(error: io::Error) -> Self {
        Self::refused(&error)
    }
}
