//! The data that ships with the crate: agents, profiles, the system's folders, secret paths.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::agent::Agent;
use crate::config::Settings;
use crate::deferred::git_changes::KnownKeys;
use crate::deferred::{Deferred, DeferredPath, GitKeys, ScanBounds};
use crate::image::ImageParts;
use crate::path::PathTemplate;
use crate::plan::EngineMount;
use crate::tool::Tool;

mod call_rules;
#[cfg(test)]
mod tests;

use call_rules::CallRules;
pub use call_rules::{CallCondition, CallRule};

include!(concat!(env!("OUT_DIR"), "/data.rs"));

/// The rules about system calls, of which coffer-init's `build.rs` makes filters.
const SYSTEM_CALLS: &str = include_str!("../walls/system-calls.toml");

/// Profiles that are no layers: they have a shape of their own.
const SYSTEM: &str = "system";
const SECRETS: &str = "secrets";

/// What every sandbox gets of the host's system (`profiles/system.toml`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Folders bound read-only where they exist.
    pub folders: Vec<PathTemplate>,
    /// Names below `/etc`.
    pub etc: Vec<String>,
    /// Variables passed from the host.
    pub env_pass: Vec<String>,
    /// Files of `/proc` that are hidden.
    pub proc_hidden: Vec<PathTemplate>,
    /// Those that are hidden, too, when root runs it.
    pub proc_hidden_from_root: Vec<PathTemplate>,
    /// Where tools keep their own configuration; the facts say which of it is there.
    pub tool_config: Vec<PathTemplate>,
    /// The sandbox's PATH before what profiles add.
    pub path: Vec<PathTemplate>,
    /// What container engines mount by themselves.
    pub engine_mounts: Vec<EngineMount>,
}

/// A path that no mount may expose (`profiles/secrets.toml`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretPath {
    /// The path; everything below it counts.
    pub path: PathTemplate,
    /// What is secret about it.
    pub reason: String,
    /// Names below it that hold no secret.
    #[serde(default)]
    pub except: Vec<String>,
    /// What it leads to, when it is a socket.
    #[serde(default)]
    pub socket: Option<crate::facts::SocketKind>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    secret: Vec<SecretPath>,
}

/// A data file that does not say what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// An agent's file.
    #[error("cannot read the agent file `{name}`: {reason}")]
    Agent {
        /// The file.
        name: String,
        /// The parser's words, in one line.
        reason: String,
    },
    /// No agent has this name.
    #[error("no agent is called `{name}`")]
    UnknownAgent {
        /// The name asked for.
        name: String,
        /// All names.
        known: Vec<String>,
    },
    /// A built-in tool.
    #[error("cannot read the built-in tool `{name}`: {reason}")]
    Tool {
        /// The file.
        name: String,
        /// The parser's words, in one line.
        reason: String,
    },
    /// A built-in list about deferred execution.
    #[error("cannot read the built-in list `deferred/{name}`: {reason}")]
    Deferred {
        /// The file.
        name: String,
        /// The parser's words, in one line.
        reason: String,
    },
    /// The built-in list about images.
    #[error("cannot read the built-in list `images/{name}`: {reason}")]
    Image {
        /// The file.
        name: String,
        /// The parser's words, in one line.
        reason: String,
    },
    /// The rules about system calls.
    #[error("cannot read the rules about system calls: {reason}")]
    SystemCalls {
        /// The parser's words, in one line.
        reason: String,
    },
    /// A built-in profile.
    #[error("cannot read the built-in profile `{name}`: {reason}")]
    Profile {
        /// The profile.
        name: String,
        /// The parser's words, in one line.
        reason: String,
    },
}

impl DataError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownAgent { known, .. } => Some(format!("one of: {}", known.join(", "))),
            Self::Agent { name, .. } => Some(format!("edit `{name}`")),
            Self::Tool { .. }
            | Self::Deferred { .. }
            | Self::Image { .. }
            | Self::SystemCalls { .. }
            | Self::Profile { .. } => None,
        }
    }
}

/// Reads an agent's data file, built-in or the user's own.
///
/// # Errors
/// Not TOML, an unknown key, or a value of the wrong type.
pub fn parse_agent(name: &str, text: &str) -> Result<Agent, DataError> {
    toml::from_str(text).map_err(|error| DataError::Agent { name: name.to_owned(), reason: one_line(&error) })
}

/// The built-in agents by name.
///
/// # Errors
/// Never with the shipped data, as a test shows.
pub fn agents() -> Result<BTreeMap<String, Agent>, DataError> {
    AGENTS.iter().map(|(name, text)| Ok(((*name).to_owned(), parse_agent(name, text)?))).collect()
}

/// One built-in agent.
///
/// # Errors
/// When no built-in agent has this name.
pub fn agent(name: &str) -> Result<Agent, DataError> {
    match AGENTS.iter().find(|(known, _)| *known == name) {
        Some((name, text)) => parse_agent(name, text),
        None => Err(DataError::UnknownAgent {
            name: name.to_owned(),
            known: AGENTS.iter().map(|(name, _)| (*name).to_owned()).collect(),
        }),
    }
}

/// The built-in tools.
///
/// # Errors
/// Never with the shipped data, as a test shows.
pub fn tools() -> Result<Vec<Tool>, DataError> {
    TOOLS
        .iter()
        .map(|(name, text)| {
            toml::from_str(text)
                .map_err(|error| DataError::Tool { name: (*name).to_owned(), reason: one_line(&error) })
        })
        .collect()
}

/// The tools' data files as they are written.
#[cfg(test)]
pub(crate) fn tool_texts() -> &'static [(&'static str, &'static str)] {
    TOOLS
}

/// The built-in profiles that a user can name.
///
/// # Errors
/// Never with the shipped data, as a test shows.
pub fn profiles() -> Result<BTreeMap<String, Settings>, DataError> {
    PROFILES
        .iter()
        .filter(|(name, _)| *name != SYSTEM && *name != SECRETS)
        .map(|(name, text)| match crate::config::parse_profile(name, text) {
            Ok(settings) => Ok(((*name).to_owned(), settings)),
            Err(error) => Err(DataError::Profile { name: (*name).to_owned(), reason: error.to_string() }),
        })
        .collect()
}

/// What every sandbox gets of the host's system.
///
/// # Errors
/// Never with the shipped data, as a test shows.
pub fn system() -> Result<System, DataError> {
    profile_data(SYSTEM)
}

/// The paths that no mount may expose.
///
/// # Errors
/// Never with the shipped data, as a test shows.
pub fn secrets() -> Result<Vec<SecretPath>, DataError> {
    profile_data::<Secrets>(SECRETS).map(|file| file.secret)
}

/// What may stand in the configuration of a repository that a run made.
///
/// # Errors
/// Never with the shipped data, as a test shows.
pub fn git_known() -> Result<KnownKeys, DataError> {
    deferred_data("git-known")
}

/// What programs of the host would run later, how far it is looked for, and what of git's configuration runs what.
///
/// # Errors
/// Never with the shipped data, as a test shows.
pub fn deferred() -> Result<Deferred, DataError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Paths {
        path: Vec<DeferredPath>,
    }
    Ok(Deferred {
        paths: deferred_data::<Paths>("project")?.path,
        scan: deferred_data::<ScanBounds>("scan")?,
        git_keys: deferred_data::<GitKeys>("git-config")?,
    })
}

fn deferred_data<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, DataError> {
    let text = DEFERRED.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
    toml::from_str(text)
        .map_err(|error| DataError::Deferred { name: name.to_owned(), reason: one_line(&error) })
}

/// What an image can be made of.
///
/// # Errors
/// Never with the shipped data, as a test shows.
pub fn image_parts() -> Result<ImageParts, DataError> {
    let name = "tools";
    let text = IMAGES.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
    toml::from_str(text).map_err(|error| DataError::Image { name: name.to_owned(), reason: one_line(&error) })
}

/// The rules about system calls.
///
/// # Errors
/// Never with the shipped data, as a test shows.
pub fn system_calls() -> Result<Vec<CallRule>, DataError> {
    let read = toml::from_str::<CallRules>(SYSTEM_CALLS);
    read.map(|file| file.rule).map_err(|error| DataError::SystemCalls { reason: one_line(&error) })
}

fn profile_data<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, DataError> {
    let text = PROFILES.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
    toml::from_str(text)
        .map_err(|error| DataError::Profile { name: name.to_owned(), reason: one_line(&error) })
}

fn one_line(error: &toml::de::Error) -> String {
    error.message().lines().next().unwrap_or("not TOML").to_owned()
}
