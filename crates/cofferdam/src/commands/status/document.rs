//! `coffer status --json`: field names and words are a contract.

use coffer_plan::agent::CredentialKind;
use coffer_plan::sign_in::verify::{Trigger, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

/// The winner that is a login file.
pub(crate) const LOGIN: &str = "login";

/// Everything that `coffer status --json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "coffer status --json", deny_unknown_fields)]
pub(crate) struct Document {
    /// Format number.
    pub(crate) schema: u32,
    /// Which credential a run here would use.
    pub(crate) winner: Winner,
    /// The host's own account, then the named ones.
    pub(crate) accounts: Vec<Account>,
    /// With `--probe`: what the API said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probe: Option<Probe>,
}

/// Which credential a run here would use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Winner {
    /// A variable, a settings key, or `login`; null when there is none.
    pub(crate) source: Option<String>,
    /// The account that is chosen here.
    pub(crate) account: String,
    /// Why this one.
    pub(crate) reason: String,
    /// What the user should know about it.
    pub(crate) warning: Option<String>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Account {
    /// Its name.
    pub(crate) name: String,
    /// What its credential is.
    pub(crate) kind: CredentialKind,
    /// What it is worth now.
    pub(crate) verdict: Verdict,
    /// Why it wants attention.
    pub(crate) trigger: Option<Trigger>,
    /// When the access token ends (RFC 3339).
    pub(crate) access_expires_at: Option<String>,
    /// When the login itself ends (RFC 3339).
    pub(crate) login_expires_at: Option<String>,
    /// The scopes of the access token.
    pub(crate) scopes: Vec<String>,
    /// For example `max`.
    pub(crate) subscription: Option<String>,
    /// `sha256:` and twelve hex digits of the refresh token's hash.
    pub(crate) fingerprint: Option<String>,
    /// How many live runs use it.
    pub(crate) runs: usize,
    /// How its login was refreshed last.
    pub(crate) last_refresh: Option<LastRefresh>,
}

/// How a login was refreshed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct LastRefresh {
    /// When (RFC 3339).
    pub(crate) at: String,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Why it was not refreshed.
    pub(crate) error: Option<String>,
}

/// How a refresh ended. That another process had refreshed counts as `ok`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The login is fresh.
    Ok,
    /// It may work later.
    Transient,
    /// A person has to sign in.
    Permanent,
}

/// What one real call to the API showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Probe {
    /// The account whose credential was tried.
    pub(crate) account: String,
    /// What came of it.
    pub(crate) result: ProbeResult,
    /// The API's status, when it answered with an error.
    pub(crate) status: Option<u16>,
    /// In words.
    pub(crate) reason: String,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProbeResult {
    /// The API took the credential.
    SignedIn,
    /// The API, or the agent itself, refused it.
    Refused,
    /// No answer that says anything about the credential.
    Unreachable,
    /// No call was made: there is nothing to try, or nothing to try it with.
    NotProbed,
}

impl ProbeResult {
    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::SignedIn => "signed in",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::NotProbed => "not probed",
        }
    }
}

/// The JSON schema of the document.
pub(crate) fn schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}
