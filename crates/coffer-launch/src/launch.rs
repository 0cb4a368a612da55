//! A launch as data: what is prepared on the host, and the backend's command line. Only backends build
//! one, from a checked plan; its text form is what `--dry-run=command` prints and `coffer exec-launch`
//! reads.

mod gateway;
mod key_agents;
mod limits;
#[cfg(test)]
mod tests;
mod text;

use camino::Utf8PathBuf;
use coffer_plan::plan::{BackendKind, CopyWay, Reference, RunFolder};
use serde::{Deserialize, Serialize};

pub use gateway::{Allow, Gateway, Injected};
pub use key_agents::{KeyAgents, KeyFilter};
pub use limits::Limits;
pub use text::{ParseError, quote};

/// The first word of a printed launch after `coffer`.
pub const VERB: &str = "exec-launch";

/// What is prepared on the host, then which program is started with which words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Where folders of a run are made.
    pub(crate) runtime: Utf8PathBuf,
    /// What is written down about the run while it lives.
    pub(crate) about: Option<About>,
    /// What its gateway is told, if it has one.
    pub(crate) gateway: Option<Gateway>,
    /// What the filters in front of the user's agents for keys are told, if there are any.
    pub(crate) key_agents: Option<KeyAgents>,
    /// How much it may use up, if that is limited.
    pub(crate) limits: Option<Limits>,
    /// The engine that makes its container, if one does.
    pub(crate) engine: Option<Engine>,
    /// The agent's whole environment, where init sets it.
    pub(crate) environment: Vec<(String, Word)>,
    /// Done in this order before the start.
    pub(crate) preparations: Vec<Preparation>,
    /// The backend's program.
    pub(crate) program: Utf8PathBuf,
    /// Its options, up to the first `--`.
    pub(crate) options: Vec<Word>,
    /// What it runs inside: our init with its options, `--`, the command.
    pub(crate) inside: Vec<Word>,
}

/// What a run is about, for `status`, `ps` and `doctor`; no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Which agent.
    pub agent: String,
    /// In which project.
    pub project: Utf8PathBuf,
    /// Whose login.
    pub account: String,
    /// Which auth mode.
    pub auth: String,
    /// Which backend.
    pub backend: String,
    /// Whether the account's login is what the agent uses there: nothing that comes before it crosses.
    #[serde(default)]
    pub login_wins: bool,
}

/// One word of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// As it stands.
    Text(String),
    /// Replaced by what the plan's reference stands for.
    Ref(Reference),
    /// Replaced by the number of a descriptor from which this public text can be read.
    Data(String),
    /// Replaced by the number of a descriptor from which what the reference stands for can be read.
    DataRef(Reference),
    /// Replaced by the number of a descriptor that is open on this path, if it is still the same.
    Open(HostPath),
    /// Replaced by the number of the control socket's descriptor.
    Control,
    /// Replaced by the number of the descriptor that leads to the gateway.
    Gateway,
    /// Replaced by the name of the run's container.
    Name,
    /// A mount as engines take it; where what is made for the run lies is added as its source.
    Mount {
        /// What is mounted.
        made: Made,
        /// The rest of the word.
        rest: String,
    },
}

/// Something that is made for the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// A folder of the plan's.
    Folder(RunFolder),
    /// The folder with the control socket.
    Sockets,
    /// A file, by its name among the files of the run.
    File(String),
}

/// The container engine of a launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Which.
    pub kind: BackendKind,
    /// Words that lead its program to exactly this engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connection: Vec<String>,
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A path of the host that was looked at when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPath {
    /// Every link followed.
    pub path: Utf8PathBuf,
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
}

/// The host's folder in which something is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A path of the host.
    Path(Utf8PathBuf),
    /// A folder of this run.
    Run(RunFolder),
}

/// Something done on the host before the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preparation {
    /// A folder of Cofferdam's own exists, 0700, and belongs to us.
    Own(Utf8PathBuf),
    /// A state of ours is there, and this run writes in it.
    State(Utf8PathBuf),
    /// A working copy of a state of ours is the run's copy folder.
    Copy {
        /// The state.
        of: Utf8PathBuf,
        /// How it comes about.
        way: CopyWay,
    },
    /// At the end the working copy is merged back, without these names in its root.
    Keep(Vec<String>),
    /// A folder of this run exists.
    Folder(RunFolder),
    /// A file lies among the files of this run.
    File {
        /// Its name there.
        name: String,
        /// Permission bits.
        mode: u32,
        /// What stands in it.
        content: SeedContent,
    },
    /// The login's lease lies in the run's lease folder under this name.
    Lease {
        /// File name.
        name: String,
        /// What it holds.
        content: Reference,
    },
    /// JSON is merged into a file of the state; keys that are there stay.
    Seed {
        /// The state.
        place: Place,
        /// The file, relative to it.
        file: String,
        /// An object.
        content: SeedContent,
    },
    /// A link lies in the state.
    Link {
        /// The state.
        place: Place,
        /// Its name.
        name: String,
        /// Its text.
        to: Utf8PathBuf,
    },
    /// A mount point exists below a folder that an agent can write, and no link leads there.
    Point {
        /// The folder.
        place: Place,
        /// Relative to it.
        below: Utf8PathBuf,
        /// Whether it is a folder; else a file.
        folder: bool,
    },
    /// The path is still what it was when the plan was made.
    Expect(HostPath),
    /// Something is put into the run's own `/etc`, in namespaces of the backend's own, before it begins.
    Part(Part),
    /// Something is mounted over a path of the host, in namespaces of the backend's own, before it begins.
    Guard(Guard),
    /// A place is held while runs live.
    Hold {
        /// The place.
        path: Utf8PathBuf,
        /// What stands in the file; an empty folder without.
        text: Option<String>,
    },
    /// The agent keeps a login that is made inside in this file of the state; what stands there before the start
    /// is told from what stands there afterwards.
    Login {
        /// The state.
        place: Place,
        /// The file, relative to it.
        file: String,
    },
}

/// An entry of the run's own `/etc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where, relative to the folder.
    pub below: Utf8PathBuf,
    /// What.
    pub what: PartKind,
}

/// The kinds of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// A file of the host.
    File(HostPath),
    /// A folder of the host.
    Folder(HostPath),
    /// A link with this text.
    Link(String),
    /// A file with this public text.
    Text(String),
}

/// What is mounted over a path of the host. Whatever binds a folder around it takes it along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// It cannot be written.
    ReadOnly(HostPath),
    /// It cannot be moved away.
    Pin(HostPath),
    /// A place that is held cannot be written.
    Held(Utf8PathBuf),
    /// A repository's configuration is a copy of the run.
    GitConfig {
        /// The file.
        config: HostPath,
        /// The copy's folder among the run's.
        name: String,
        /// Whether every change reaches the host.
        accept: bool,
    },
}

/// What a seed merges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeedContent {
    /// JSON text.
    Text(String),
    /// What the reference stands for.
    Ref(Reference),
}

impl Launch {
    /// The program that is run inside.
    pub fn command(&self) -> Option<String> {
        let mut words = self.inside.iter().skip_while(|word| **word != Word::from("--"));
        match words.nth(1) {
            Some(Word::Text(program)) => Some(program.clone()),
            Some(
                Word::Ref(_)
                | Word::Data(_)
                | Word::DataRef(_)
                | Word::Open(_)
                | Word::Control
                | Word::Gateway
                | Word::Name
                | Word::Mount { .. },
            )
            | None => None,
        }
    }

    /// What its gateway is told, if it has one.
    pub fn gateway(&self) -> Option<&Gateway> {
        self.gateway.as_ref()
    }

    /// What the filters in front of the user's agents for keys are told, if there are any.
    pub fn key_agents(&self) -> Option<&KeyAgents> {
        self.key_agents.as_ref()
    }

    /// The login that the run needs while it lives, if it needs one: the lease's, or the gateway's.
    pub fn login(&self) -> Option<&Reference> {
        let held = self.gateway.as_ref().and_then(|gateway| gateway.injection.as_ref());
        let held = held.map(|injected| &injected.credential);
        held.filter(|credential| matches!(credential, Reference::Lease { .. })).or_else(|| self.lease())
    }

    /// What the run's lease is resolved from, if it has one.
    pub fn lease(&self) -> Option<&Reference> {
        self.preparations.iter().find_map(|preparation| {
            let Preparation::Lease { content, .. } = preparation else { return None };
            Some(content)
        })
    }

    /// What is mounted before the backend begins, in order.
    pub fn guards(&self) -> impl Iterator<Item = &Guard> {
        self.preparations.iter().filter_map(|preparation| {
            let Preparation::Guard(guard) = preparation else { return None };
            Some(guard)
        })
    }

    /// The engine that makes its container, if one does.
    pub fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    /// What the run's own `/etc` is put together from, in order.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.preparations.iter().filter_map(|preparation| {
            let Preparation::Part(part) = preparation else { return None };
            Some(part)
        })
    }

    /// What the run is about.
    pub fn about(&self) -> Option<&About> {
        self.about.as_ref()
    }

    /// Where folders of a run are made.
    pub fn runtime(&self) -> &camino::Utf8Path {
        &self.runtime
    }

    /// The backend's program.
    pub fn program(&self) -> &camino::Utf8Path {
        &self.program
    }
}
