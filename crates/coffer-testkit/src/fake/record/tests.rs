use super::*;
use serde_json::json;

#[test]
fn a_fingerprint_is_twelve_hex_digits_of_sha256() {
    // `printf abc | sha256sum`
    assert_eq!(fingerprint("abc"), "ba7816bf8f01");
}

#[test]
fn the_scheme_is_not_part_of_the_fingerprint() {
    let seen = seen_in_header("authorization", "Bearer abc");
    assert_eq!((seen.scheme.as_deref(), seen.fingerprint.as_str()), (Some("Bearer"), "ba7816bf8f01"));
    assert_eq!(seen_in_header("x-api-key", "abc").fingerprint, "ba7816bf8f01");
}

#[test]
fn query_values_are_left_out() {
    assert_eq!(query_names("beta=true&key=sk-secret&alt"), ["beta", "key", "alt"]);
}

#[test]
fn the_last_text_of_the_last_user_message_is_found_in_each_vendors_shape() {
    let anthropic = json!({"messages":[{"role":"user","content":"first"},{"role":"assistant","content":"x"},
        {"role":"user","content":[{"type":"text","text":"reminder"},{"type":"text","text":"hi"}]}]});
    let openai = json!({"input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]}]});
    let gemini = json!({"contents":[{"role":"user","parts":[{"text":"hi"}]}]});
    for body in [anthropic, openai, gemini] {
        assert_eq!(last_user_text(&body).as_deref(), Some("hi"), "{body}");
    }
    assert_eq!(last_user_text(&json!({"messages":[{"role":"user","content":"x".repeat(513)}]})), None);
    assert_eq!(last_user_text(&json!({"messages":"hi"})), None);
}
