//! What a plan leaves open of what can be used up: more memory, processes or processors than before.

use serde_json::Value;

use super::is_no_news;

const NAMES: [&str; 3] = ["memory", "pids", "cpus"];

/// One line a limit: what it is called, how much it is, and who decided.
pub(super) fn grants(plan: &Value) -> Vec<(String, String, &Value)> {
    let limits = plan.get("limits").unwrap_or(&Value::Null);
    let grant = |name: &str| {
        let limit = limits.get(name)?;
        let value = limit.get("value").filter(|value| !value.is_null());
        let shown = value.map_or_else(|| "unlimited".to_owned(), Value::to_string);
        Some((format!("limit {name}"), shown, limit))
    };
    NAMES.into_iter().filter_map(grant).collect()
}

/// Whether a limit is wider than before, other than by the word of whoever runs it now. A plan of a time before
/// limits had none.
pub(super) fn have_grown(earlier: &Value, now: &Value) -> bool {
    NAMES.into_iter().any(|name| {
        let limit = now.get("limits").and_then(|limits| limits.get(name)).unwrap_or(&Value::Null);
        !is_no_news(limit) && amount(now, name) > amount(earlier, name)
    })
}

fn amount(plan: &Value, name: &str) -> f64 {
    let limit = plan.get("limits").and_then(|limits| limits.get(name));
    limit.and_then(|limit| limit.get("value")).and_then(Value::as_f64).unwrap_or(f64::INFINITY)
}
