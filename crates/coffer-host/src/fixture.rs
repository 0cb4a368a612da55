//! Facts as files: what one machine is, for tests on another.

use coffer_plan::facts::{FACTS_SCHEMA, HostFacts};
use serde::Deserialize;

use crate::error::HostError;

/// The facts as JSON; they hold no secret.
///
/// # Errors
/// When they cannot be said in JSON.
pub fn save(facts: &HostFacts) -> Result<String, HostError> {
    let mut text =
        serde_json::to_string_pretty(facts).map_err(|source| HostError::FactsUnsaved { source })?;
    text.push('\n');
    Ok(text)
}

/// Facts that [`save`] wrote; `name` says in errors where they came from.
///
/// # Errors
/// When the text is no JSON, is of another format, or has other fields than this program's facts.
pub fn load(text: &str, name: &str) -> Result<HostFacts, HostError> {
    #[derive(Deserialize)]
    struct Format {
        schema: u64,
    }
    let broken = |source| HostError::FactsBroken { name: name.to_owned(), source };
    // The number first: another format's fields would only be noise in the error.
    let format: Format = serde_json::from_str(text).map_err(broken)?;
    if format.schema != u64::from(FACTS_SCHEMA) {
        return Err(HostError::FactsSchema {
            name: name.to_owned(),
            found: format.schema,
            known: FACTS_SCHEMA,
        });
    }
    serde_json::from_str(text).map_err(broken)
}

#[cfg(test)]
mod tests;
