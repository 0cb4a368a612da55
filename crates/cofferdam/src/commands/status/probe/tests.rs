use coffer_plan::built_in;

use super::child::Answer;
use super::*;

fn layout() -> ProbeLayout {
    built_in::agent("claude").unwrap().probe.unwrap()
}

fn judged(answer: serde_json::Value) -> (ProbeResult, Option<u16>) {
    let (result, status, _) = judge(&layout(), Answer::Ended(answer.to_string().into_bytes()));
    (result, status)
}

#[test]
fn an_answer_is_read_for_its_verdict_and_status() {
    let failed = |status: serde_json::Value, words: &str| {
        judged(serde_json::json!({"is_error": true, "api_error_status": status, "result": words}))
    };
    assert_eq!(judged(serde_json::json!({"is_error": false, "result": "ok"})), (ProbeResult::SignedIn, None));
    for (status, result) in [
        (401, ProbeResult::Refused),
        (403, ProbeResult::Refused),
        (429, ProbeResult::SignedIn),
        (400, ProbeResult::SignedIn),
        (404, ProbeResult::SignedIn),
        (500, ProbeResult::Unreachable),
        (529, ProbeResult::Unreachable),
    ] {
        assert_eq!(failed(status.into(), "x"), (result, Some(status)));
    }
    let null = serde_json::Value::Null;
    assert_eq!(failed(null.clone(), "Not logged in · Please run /login"), (ProbeResult::Refused, None));
    assert_eq!(failed(null, "API Error: Unable to connect"), (ProbeResult::Unreachable, None));
    assert_eq!(judged(serde_json::json!([])).0, ProbeResult::Unreachable);
}

#[test]
fn what_the_agent_says_is_never_repeated() {
    for answer in [
        serde_json::json!({"is_error": true, "api_error_status": 401, "result": "sk-ant-oat01-FAKE-CANARY"}),
        serde_json::json!({"is_error": true, "result": "/login sk-ant-oat01-FAKE-CANARY"}),
        serde_json::json!("sk-ant-oat01-FAKE-CANARY"),
    ] {
        let (_, _, reason) = judge(&layout(), Answer::Ended(answer.to_string().into_bytes()));
        assert!(!reason.contains("CANARY"), "{reason}");
    }
}
