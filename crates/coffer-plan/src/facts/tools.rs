//! What host tools and their files say about registries and remotes, without any credential.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::host::Endpoint;

/// What one command or one file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolAnswer {
    /// The tool's name (its data file).
    pub tool: String,
    /// The command as it was typed, or the file.
    pub source: String,
    /// The project's file that says it; `None` when it is the user's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_project: Option<Utf8PathBuf>,
    /// What it says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<ToolEntry>,
    /// Why it says nothing, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// One key and one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolEntry {
    /// The key, dotted.
    pub key: String,
    /// The value, as far as it may be shown: of an address neither user, password, query nor fragment. `None` when
    /// nothing of it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether something of it was taken out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
    /// Hosts and ports that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
}
