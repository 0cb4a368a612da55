//! The answers to `POST /v1/messages`, as an event stream or as one JSON message.

use serde_json::{Value, json};

use super::deliver::Reply;

/// What the practice model says.
#[derive(Debug, Clone, Default)]
pub enum Answer {
    /// `practice answer: ` and the last user text, if that is small.
    #[default]
    Echo,
    /// This text.
    Text(String),
    /// A call of one of the agent's tools. Kept for the first request that offers tools.
    ToolUse {
        /// The tool's name.
        name: String,
        /// Its input.
        input: Value,
    },
}

impl Answer {
    /// The answer as text, for protocols of which we only know text.
    pub(crate) fn text(&self, last_user_text: Option<&str>) -> String {
        match self {
            Self::Echo => format!("practice answer: {}", last_user_text.unwrap_or("…")),
            Self::Text(text) => text.clone(),
            Self::ToolUse { name, .. } => format!("practice answer: use `{name}`"),
        }
    }
}

/// Builds the reply to a messages call.
pub(crate) fn reply(answer: &Answer, body: &Value, last_user_text: Option<&str>, id: u64) -> Reply {
    let (block, stop_reason) = match answer {
        Answer::ToolUse { name, input } => (
            json!({"type": "tool_use", "id": format!("toolu_practice{id}"), "name": name, "input": input}),
            "tool_use",
        ),
        other => (json!({"type": "text", "text": other.text(last_user_text)}), "end_turn"),
    };
    let model = body.get("model").cloned().unwrap_or_else(|| json!("practice"));
    let mut message = json!({
        "id": format!("msg_practice{id}"), "type": "message", "role": "assistant", "model": model,
        "content": [block.clone()], "stop_reason": stop_reason, "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 5},
    });
    if body.get("stream").and_then(Value::as_bool) != Some(true) {
        return Reply::json(200, &message);
    }
    message["content"] = json!([]);
    message["stop_reason"] = Value::Null;
    Reply::events(events(&message, &block, stop_reason))
}

fn events(message: &Value, block: &Value, stop_reason: &str) -> Vec<(&'static str, Value)> {
    let mut start = block.clone();
    let mut deltas = Vec::new();
    if let Some(text) = block.get("text").and_then(Value::as_str) {
        start["text"] = json!("");
        let (head, tail) = halves(text);
        deltas.extend([head, tail].map(|part| json!({"type": "text_delta", "text": part})));
    } else {
        start["input"] = json!({});
        let input = block.get("input").cloned().unwrap_or_default().to_string();
        deltas.push(json!({"type": "input_json_delta", "partial_json": input}));
    }
    let mut events = vec![
        ("message_start", json!({"type": "message_start", "message": message})),
        ("content_block_start", json!({"type": "content_block_start", "index": 0, "content_block": start})),
        ("ping", json!({"type": "ping"})),
    ];
    events.extend(deltas.into_iter().map(|delta| {
        ("content_block_delta", json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    }));
    events.extend([
        ("content_block_stop", json!({"type": "content_block_stop", "index": 0})),
        (
            "message_delta",
            json!({"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": null},
                "usage": {"output_tokens": 5}}),
        ),
        ("message_stop", json!({"type": "message_stop"})),
    ]);
    events
}

/// Splits a text in the middle, at a character's edge, so that clients must join deltas.
pub(crate) fn halves(text: &str) -> (&str, &str) {
    let middle = (text.len() / 2..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text.split_at(middle)
}
