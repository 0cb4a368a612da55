//! What can be seen of processes and files, by whoever looks: a program inside the sandbox, which does not know what
//! is looked for, and the host outside. Whatever is seen goes to a [`Sink`].

pub(crate) mod files;
pub(crate) mod frames;
pub(crate) mod probe;
pub(crate) mod processes;
#[cfg(test)]
mod tests;

use std::io;

use serde::{Deserialize, Serialize};

/// The variable in which each tested run has a mark: a search that does not find it finds nothing.
pub(crate) const MARK: &str = "COFFER_LEAKTEST_MARK";

/// What kind of place it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A variable of a process.
    Variable,
    /// The command line of a process.
    CommandLine,
    /// What else `/proc` says of a process.
    Process,
    /// Memory of a process.
    Memory,
    /// An open file of a process.
    Descriptor,
    /// The content of a file, or the text of a link.
    File,
    /// The names in a folder.
    Names,
    /// What the agent printed.
    Output,
    /// Bytes of a connection.
    Connection,
    /// A part of a request that reached the API.
    Request,
}

/// Where bytes were seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Place {
    /// What kind of place.
    pub(crate) kind: Kind,
    /// A variable's name, a path, a part of memory.
    pub(crate) name: String,
    /// Whose it is.
    pub(crate) process: Option<(u32, String)>,
    /// Where a part of memory begins.
    pub(crate) at: u64,
}

impl Place {
    /// A place that is no process's.
    pub(crate) fn of(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), process: None, at: 0 }
    }
}

/// Takes what is seen.
pub(crate) trait Sink {
    /// The next bytes are from here, and do not go on from those before.
    fn begin(&mut self, place: &Place) -> io::Result<()>;
    /// More bytes of the place.
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Something was not looked at.
    fn left_out(&mut self, what: &str, why: &str) -> io::Result<()>;

    /// A place of which all bytes are here.
    fn whole(&mut self, place: &Place, bytes: &[u8]) -> io::Result<()> {
        self.begin(place)?;
        self.bytes(bytes)
    }
}
