//! `coffer leaktest --json`: field names and words are a contract.

use schemars::JsonSchema;
use serde::Serialize;

use crate::sight::Kind;

/// Everything that `coffer leaktest --json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "coffer leaktest --json", deny_unknown_fields)]
pub(crate) struct Document {
    /// Format number.
    pub(crate) schema: u32,
    /// Whether nothing was found where it must not be, and the search was able to find.
    pub(crate) well: bool,
    /// The project.
    pub(crate) project: String,
    /// The account that the canary stood for.
    pub(crate) account: String,
    /// The kinds of credential that were replaced by canaries and present in the run.
    pub(crate) kinds: Vec<String>,
    /// Which credential won.
    pub(crate) winner: Option<String>,
    /// How the run got to be signed in.
    pub(crate) auth: String,
    /// The network tier.
    pub(crate) network: String,
    /// What was run.
    pub(crate) client: Client,
    /// What was looked for.
    pub(crate) canaries: Vec<Canary>,
    /// In which forms.
    pub(crate) forms: Vec<String>,
    /// What was searched.
    pub(crate) searched: Searched,
    /// What was not searched.
    pub(crate) left_out: Vec<Left>,
    /// Where the mark was found that each run has: what would find it would have found the credential.
    pub(crate) control: Control,
    /// What the practice API saw.
    pub(crate) api: Api,
    /// Where a part of the credential was found, as the auth mode has it.
    pub(crate) exposed: Vec<Found>,
    /// Where a part of the credential was found and must not be.
    pub(crate) leaks: Vec<Found>,
}

/// What was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Client {
    /// Its command.
    pub(crate) command: Vec<String>,
    /// Whether it was the agent itself.
    pub(crate) is_agent: bool,
    /// The agent's version, as far as it is known.
    pub(crate) version: Option<String>,
    /// Its exit code; null when it did not end by itself.
    pub(crate) code: Option<i32>,
    /// Whether it waited for an answer of the API while its memory was searched.
    pub(crate) caught_asking: bool,
}

/// What was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Canary {
    /// What it is.
    pub(crate) what: String,
    /// `sha256:` and twelve hex digits of its hash.
    pub(crate) fingerprint: String,
    /// Its length in bytes.
    pub(crate) length: u64,
}

/// What was searched, by where it was looked at from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Searched {
    /// By a program inside.
    pub(crate) inside: Counts,
    /// By the host.
    pub(crate) outside: Counts,
    /// What crossed the loopback of the sandbox's network.
    pub(crate) boundary: Counts,
    /// Segments of connections that were missed.
    pub(crate) missed_segments: u64,
    /// The requests that reached the practice API, decrypted.
    pub(crate) requests: Counts,
}

/// So many of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Counts {
    /// Processes.
    pub(crate) processes: u64,
    /// Variables of all processes.
    pub(crate) variables: u64,
    /// Command lines.
    pub(crate) command_lines: u64,
    /// Other texts that `/proc` has of a process.
    pub(crate) process_texts: u64,
    /// Regions of memory.
    pub(crate) memory_regions: u64,
    /// Open descriptors.
    pub(crate) descriptors: u64,
    /// Files.
    pub(crate) files: u64,
    /// Folders, of which the names were searched.
    pub(crate) folders: u64,
    /// Directions of connections.
    pub(crate) connections: u64,
    /// Bytes of all of it.
    pub(crate) bytes: u64,
}

impl Counts {
    /// The larger of each.
    pub(crate) fn most(&self, other: &Self) -> Self {
        self.with(other, u64::max)
    }

    /// Both together.
    pub(crate) fn and(&self, other: &Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    fn with(&self, other: &Self, how: fn(u64, u64) -> u64) -> Self {
        Self {
            processes: how(self.processes, other.processes),
            variables: how(self.variables, other.variables),
            command_lines: how(self.command_lines, other.command_lines),
            process_texts: how(self.process_texts, other.process_texts),
            memory_regions: how(self.memory_regions, other.memory_regions),
            descriptors: how(self.descriptors, other.descriptors),
            files: how(self.files, other.files),
            folders: how(self.folders, other.folders),
            connections: how(self.connections, other.connections),
            bytes: how(self.bytes, other.bytes),
        }
    }
}

/// What was not searched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LeftOut {
    pub(crate) what: String,
    pub(crate) why: String,
}

/// What was not searched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Left {
    /// From where it was looked at.
    pub(crate) seen_from: From,
    /// What.
    pub(crate) what: String,
    /// Why.
    pub(crate) why: String,
}

/// Where the mark was found that each run has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Control {
    /// In a variable.
    pub(crate) variable: bool,
    /// In memory.
    pub(crate) memory: bool,
    /// In a file, in base64.
    pub(crate) file: bool,
    /// In bytes of a connection.
    pub(crate) connection: bool,
}

/// What the practice API saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Api {
    /// Requests.
    pub(crate) requests: u64,
    /// Calls of the model that were answered.
    pub(crate) answered: u64,
    /// The credentials that it was shown: their fingerprints, and which canary that is.
    pub(crate) credentials: Vec<Shown>,
}

/// A credential that the API was shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Shown {
    /// The header, or the part of the body.
    pub(crate) place: String,
    /// `sha256:` and twelve hex digits.
    pub(crate) fingerprint: String,
    /// Which canary it is, or `word of the run`; null for what is neither.
    pub(crate) what: Option<String>,
}

/// From where it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum From {
    /// By a program inside.
    Inside,
    /// By the host.
    Outside,
    /// On the loopback of the sandbox's network.
    Boundary,
    /// At the practice API.
    Api,
}

/// Where a part of the credential was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Found {
    /// Of which canary.
    pub(crate) what: String,
    /// Its fingerprint.
    pub(crate) fingerprint: String,
    /// Its length in bytes.
    pub(crate) length: u64,
    /// In which forms.
    pub(crate) forms: Vec<String>,
    /// Whether all of it was there; else a part.
    pub(crate) whole: bool,
    /// From where it was looked at.
    pub(crate) seen_from: From,
    /// What kind of place.
    pub(crate) kind: Kind,
    /// A variable, a path, a part of a request.
    pub(crate) name: String,
    /// In which processes.
    pub(crate) processes: Vec<String>,
    /// In how many places of this kind and name.
    pub(crate) places: u64,
}

/// The JSON schema of the document.
pub(crate) fn schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}
