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

/// The JSON schema of [`plan`]'s output.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Plan).to_value()
}
