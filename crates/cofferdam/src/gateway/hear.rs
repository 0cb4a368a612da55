//! What a gateway tells while it works: a line for each new thing, so that it is known even if it is killed.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::ChildStdout;

use serde::{Deserialize, Serialize};

/// The most hosts of one verdict that are remembered.
const MOST_HOSTS: usize = 500;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub(crate) enum Told {
    /// Connections are taken.
    Serving,
    /// It cannot begin.
    Failed {
        /// Why.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Somebody was asked for the first time, and this came of it.
    Met {
        /// `HOST:PORT`.
        endpoint: String,
        /// The verdict's word.
        verdict: String,
    },
    /// What it did cannot be written down.
    NotRecorded {
        /// Why.
        message: String,
    },
}

/// Everything that was heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Why it could not begin.
    pub(crate) failed: Option<(String, Option<String>)>,
    /// Whom somebody asked for, and what came of it first.
    pub(crate) met: BTreeSet<(String, String)>,
    /// What went wrong with the record.
    pub(crate) not_recorded: Option<String>,
    /// Whether it ended by itself.
    pub(crate) lost: bool,
}

impl Heard {
    /// Whom this came of.
    pub(crate) fn endpoints<'a>(&'a self, verdict: &'a str) -> impl Iterator<Item = &'a str> {
        self.met.iter().filter(move |(_, known)| known == verdict).map(|(endpoint, _)| endpoint.as_str())
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Serving => {}
            Told::Failed { message, hint } => self.failed = Some((message, hint)),
            Told::Met { endpoint, verdict } => {
                if self.endpoints(&verdict).count() < MOST_HOSTS {
                    self.met.insert((endpoint, verdict));
                }
            }
            Told::NotRecorded { message } => self.not_recorded = Some(message),
        }
    }
}

/// Hears until the gateway has ended.
pub(super) fn everything(output: ChildStdout) -> Heard {
    let mut heard = Heard::default();
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { break };
        if let Ok(told) = serde_json::from_str(&line) {
            heard.take(told);
        }
    }
    heard
}
