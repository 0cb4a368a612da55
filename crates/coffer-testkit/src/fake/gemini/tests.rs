use super::*;

#[test]
fn a_demanded_shape_is_met() {
    let schema = json!({"type": "OBJECT", "required": ["model_choice", "score", "tags"], "properties": {
        "model_choice": {"type": "STRING", "enum": ["flash", "pro"]},
        "score": {"type": "integer", "minimum": 1},
        "tags": {"type": "array", "items": {"type": "string"}},
        "optional": {"type": "string"},
    }});
    let text = demanded(&json!({"generationConfig": {"responseJsonSchema": schema}})).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value, json!({"model_choice": "flash", "score": 1, "tags": []}));
    assert_eq!(demanded(&json!({"generationConfig": {"temperature": 0}})), None);
}

#[test]
fn paths_are_split_into_model_and_action() {
    assert_eq!(model_and_action("/v1beta/models/gemini-x:countTokens"), Some(("gemini-x", "countTokens")));
    assert_eq!(model_and_action("/v1beta/models/gemini-x"), None);
    assert_eq!(model_and_action("/v1/messages"), None);
}
