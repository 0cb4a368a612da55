//! As much of the Gemini API as Google's agent CLI needs for a headless answer: the second vendor, which proves that
//! an agent is one data file.

use serde_json::{Value, json};

use super::deliver::Reply;

/// The model and the action of a `/v1beta/models/MODEL:ACTION` path.
pub(crate) fn model_and_action(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/v1beta/models/")?.split_once(':')
}

/// Builds the reply to `generateContent`, `streamGenerateContent` and `countTokens`.
pub(crate) fn reply(model: &str, action: &str, text: &str) -> Option<Reply> {
    match action {
        "generateContent" => Some(Reply::json(200, &content(model, text, true))),
        "streamGenerateContent" => {
            let (head, tail) = super::messages::halves(text);
            Some(Reply::unnamed_events(&[content(model, head, false), content(model, tail, true)]))
        }
        "countTokens" => Some(Reply::json(200, &json!({"totalTokens": 10}))),
        _ => None,
    }
}

fn content(model: &str, text: &str, last: bool) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": [{"text": text}]}, "index": 0});
    if last {
        candidate["finishReason"] = json!("STOP");
    }
    json!({
        "candidates": [candidate], "modelVersion": model, "responseId": "practice",
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
    })
}

/// The text to answer: when the call demands JSON of a certain shape, the least value of that shape.
///
/// The CLI asks a small model which model is to answer, and asks again for minutes when the reply does not fit.
pub(crate) fn demanded(body: &Value) -> Option<String> {
    let config = body.get("generationConfig")?;
    let schema = ["responseJsonSchema", "responseSchema"].iter().find_map(|key| config.get(key))?;
    Some(least(schema).to_string())
}

fn least(schema: &Value) -> Value {
    if let Some(first) = schema.get("enum").and_then(|all| all.get(0)) {
        return first.clone();
    }
    // Google's own schemas write types in capitals, JSON Schema does not.
    match schema.get("type").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase().as_str() {
        "object" => {
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            let member = |name: &Value| {
                let name = name.as_str()?;
                Some((name.to_owned(), least(schema.get("properties")?.get(name)?)))
            };
            Value::Object(required.filter_map(member).collect())
        }
        "array" => json!([]),
        "string" => json!("practice"),
        "number" | "integer" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(false),
        _ => Value::Null,
    }
}

/// The error shape of Google's APIs.
pub(crate) fn error(status: u16, kind: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": {"code": status, "message": message, "status": kind}}))
}

#[cfg(test)]
mod tests;
