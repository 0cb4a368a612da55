//! Login files: reading and judging never fail, and what is said of a login does not depend on its tokens,
//! but for the fingerprint.
#![no_main]

use coffer_plan::sign_in::shape::{fingerprint, read};
use coffer_plan::sign_in::verify::{Owned, Place, RefusedBecause, RefusedBefore, Seen, verify};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Stands for both tokens; hex digits cannot spell it.
const CANARY: &str = "sk-ant-FAKE-other";

fuzz_target!(|bytes: &[u8]| {
    let shape = read(bytes);
    judge(bytes);
    let Ok(mut file) = serde_json::from_slice::<Value>(bytes) else { return };
    let mut known = None;
    for token in ["accessToken", "refreshToken"] {
        let Some(Value::String(text)) = file.pointer_mut(&format!("/claudeAiOauth/{token}")) else {
            continue;
        };
        if !text.is_empty() {
            known = Some(fingerprint(text));
            *text = CANARY.to_owned();
        }
    }
    let mut replaced = read(file.to_string().as_bytes());
    if let (Some(before), Some(after)) = (details(&shape), details_mut(&mut replaced)) {
        assert_eq!(before.is_some(), after.is_some());
        if after.is_some() {
            assert_eq!(*before, known);
            assert_eq!(*after, Some(fingerprint(CANARY)));
        }
        after.clone_from(before);
    }
    assert_eq!(replaced, shape);
    // Scopes and the kind of subscription are said as they are; tokens stand elsewhere.
    if !String::from_utf8_lossy(bytes).contains(CANARY) {
        assert!(!judge(file.to_string().as_bytes()).contains(CANARY));
    }
});

fn details(shape: &coffer_plan::sign_in::shape::LoginShape) -> Option<&Option<String>> {
    shape.details().map(|details| &details.fingerprint)
}

fn details_mut(shape: &mut coffer_plan::sign_in::shape::LoginShape) -> Option<&mut Option<String>> {
    match shape {
        coffer_plan::sign_in::shape::LoginShape::Login(details) => Some(&mut details.fingerprint),
        _ => None,
    }
}

/// All that is said of the bytes, at odd places and times.
fn judge(bytes: &[u8]) -> String {
    let shape = read(bytes);
    let scopes = ["user:inference".to_owned()];
    let mut said = String::new();
    for (now_ms, mode) in [(i64::MIN, 0o600), (0, 0o7777), (1_795_000_000_000, 0o644), (i64::MAX, 0)] {
        let file = Some(Owned { uid: 1000, mode });
        let known = fingerprint(CANARY);
        let seen = Seen {
            shape: &shape,
            place: Place { own_uid: 1000, file, folder: None, leads_out: false },
            marker_matches: Some(now_ms == 0),
            refused: Some(RefusedBefore { fingerprint: &known, because: RefusedBecause::Revoked }),
            demanded_scopes: &scopes,
            now_ms,
        };
        said.push_str(&format!("{:?}", verify(&seen)));
    }
    said
}
