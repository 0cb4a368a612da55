//! The plan as JSON, and its published schema (`docs/reference/plan.schema.json`).

use crate::plan::{CheckedPlan, Plan};

/// The plan as one pretty JSON document.
///
/// # Errors
/// Never for a plan that the check let pass: every key is text.
pub fn plan(plan: &CheckedPlan) -> Result<String, serde_json::Error> {
    let plan: &Plan = plan;
    serde_json::to_string_pretty(plan)
}

/// The plan as it is remembered for the next run's comparison: without the command's arguments, which are
/// a person's prompts.
///
/// # Errors
/// As [`plan`].
pub fn remembered(plan: &CheckedPlan) -> Result<serde_json::Value, serde_json::Error> {
    let plan: &Plan = plan;
    let mut value = serde_json::to_value(plan)?;
    if let Some(command) = value.get_mut("command").and_then(serde_json::Value::as_object_mut) {
        command.remove("argv");
    }
    Ok(value)
}

/// The JSON schema of [`plan`]'s output.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Plan).to_value()
}
