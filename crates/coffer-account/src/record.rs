//! What an account is, without any secret: the file `account.json`.

use camino::Utf8PathBuf;
use coffer_plan::agent::CredentialKind;
pub use coffer_plan::sign_in::verify::RefusedBecause;
use coffer_plan::sign_in::verify::RefusedBefore;
use serde::{Deserialize, Serialize};

use crate::layout::AccountName;

/// Format number of the file.
pub const RECORD_SCHEMA: u32 = 1;

/// What an account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRecord {
    /// Always [`RECORD_SCHEMA`].
    pub schema: u32,
    /// Its name; the folder has the same.
    pub name: AccountName,
    /// The agent that it is for.
    pub agent: String,
    /// What its credential is.
    pub kind: CredentialKind,
    /// When it was made, Unix ms.
    pub created_at_ms: i64,
    /// An LLM gateway or another provider of the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The model to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Time-out of a request, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The program that prints the key, for the kind `helper`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helper: Option<Vec<String>>,
    /// The login folder as it was when the login was adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<LoginMarker>,
    /// A refusal for good of the login as it was then; a newer login ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// By what a login folder is known again: never by its file's inode, which each refresh changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginMarker {
    /// Its path.
    pub path: Utf8PathBuf,
    /// Random text in the file `.coffer-marker` beside the login folder's parent entry.
    pub id: String,
    /// Owner of the folder.
    pub uid: u32,
    /// Group of the folder.
    pub gid: u32,
}

/// A refusal for good, remembered for one snapshot of the login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Of the refresh token that was refused.
    pub fingerprint: String,
    /// Why.
    pub because: RefusedBecause,
    /// When, Unix ms.
    pub at_ms: i64,
}

impl Refused {
    /// As the verdict asks for it.
    pub fn seen(&self) -> RefusedBefore<'_> {
        RefusedBefore { fingerprint: &self.fingerprint, because: self.because }
    }
}
