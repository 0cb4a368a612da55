//! Login files: reading never fails, and what is said of a login does not depend on its tokens.
#![no_main]

use coffer_plan::sign_in::shape::read;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let shape = read(bytes);
    let Ok(mut file) = serde_json::from_slice::<Value>(bytes) else { return };
    for token in ["accessToken", "refreshToken"] {
        let Some(Value::String(text)) = file.pointer_mut(&format!("/claudeAiOauth/{token}")) else {
            continue;
        };
        if !text.is_empty() {
            *text = "sk-ant-FAKE-other".to_owned();
        }
    }
    assert_eq!(read(file.to_string().as_bytes()), shape);
});
