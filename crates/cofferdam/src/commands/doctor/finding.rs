//! What a check found, as JSON has it: field names and words are a contract.

use schemars::JsonSchema;
use serde::Serialize;

use super::engines::EngineSeen;
use super::fix::Fix;
use super::registry::Check;

/// How bad it is, from the mildest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Good to know.
    Note,
    /// Something will go wrong, or costs more than meant.
    Warning,
    /// Signing in, refreshing or running fails, or the login is in danger.
    Error,
}

impl Severity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a check saw; why it matters stands with the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(super) text: String,
    /// How bad this one is, where that is another than the check's.
    pub(super) severity: Option<Severity>,
    /// The command that mends this one, where that is more exact than the check's.
    pub(super) command: Option<String>,
    pub(super) fix: Option<Fix>,
}

impl Seen {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), severity: None, command: None, fix: None }
    }

    pub(super) fn command(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }

    pub(super) fn fix(self, fix: Fix) -> Self {
        Self { command: Some(fix.words()), fix: Some(fix), ..self }
    }

    pub(super) fn severity(self, severity: Severity) -> Self {
        Self { severity: Some(severity), ..self }
    }
}

/// `coffer doctor --json`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(title = "coffer doctor --json", deny_unknown_fields)]
pub(crate) struct Document {
    /// Format number.
    pub(crate) schema: u32,
    /// How many checks were made.
    pub(crate) checks: usize,
    /// What they found, the weightiest first.
    pub(crate) findings: Vec<Finding>,
    /// The container engines, found or not.
    pub(crate) engines: Vec<EngineSeen>,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Finding {
    /// Which check; stable.
    pub(crate) id: &'static str,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What was seen.
    pub(crate) seen: String,
    /// Why it matters.
    pub(crate) why: &'static str,
    /// What mends it: the command to type, or what to do.
    pub(crate) fix: String,
    /// Whether `--fix` can do it.
    pub(crate) fixable: bool,
    /// Whether `--fix` did it.
    pub(crate) fixed: bool,
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) applied_by: Option<Fix>,
}

impl Finding {
    pub(super) fn new(check: &Check, seen: Seen) -> Self {
        Self {
            id: check.id,
            severity: seen.severity.unwrap_or(check.severity),
            seen: seen.text,
            why: check.why,
            fix: seen.command.unwrap_or_else(|| check.fix.to_owned()),
            fixable: seen.fix.is_some(),
            fixed: false,
            applied_by: seen.fix,
        }
    }
}

/// The JSON schema of the document.
pub(crate) fn schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}
