//! The second vendor's agent CLI (Google's `gemini`) against the fake server, in a network namespace of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{FakeApi, Scratch, netns, require};

const API: &str = "generativelanguage.googleapis.com";
/// Needed with a base URL of one's own: the CLI would take it for a gateway sign-in and refuse to start headless.
const SETTINGS: &str = r#"{"security":{"auth":{"selectedType":"gemini-api-key"}}}"#;

fn gemini(scratch: &Scratch, program: &Path, key: &str) -> Command {
    let mut command = scratch.command(program);
    command
        .args(["-p", "hi"])
        .env("GEMINI_API_KEY", key)
        .env("GEMINI_CLI_TRUST_WORKSPACE", "true")
        .stdin(std::process::Stdio::null());
    command
}

fn answered(api: &FakeApi, key: &str, command: &mut Command) {
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "practice answer: hi", "{output:?}");
    let seen = api.requests();
    assert!(!seen.is_empty());
    for one in seen {
        assert_eq!(one.credential("x-goog-api-key"), Some(fingerprint(key).as_str()), "{one:?}");
        assert_eq!(one.status, Some(200), "{one:?}");
    }
}

#[test]
fn agent2_answers_through_a_base_url() {
    let Some(program) = require::agent2() else { return };
    if !netns::inside("agent2_answers_through_a_base_url", &[]) {
        return;
    }
    let (scratch, api) = (Scratch::new().unwrap(), FakeApi::builder().start().unwrap());
    let key = api.add_gemini_key();
    scratch.write_home(".gemini/settings.json", SETTINGS).unwrap();
    answered(&api, &key, gemini(&scratch, &program, &key).env("GOOGLE_GEMINI_BASE_URL", api.base_url()));
}

#[test]
fn agent2_answers_at_its_own_address_without_a_seed() {
    let Some(program) = require::agent2() else { return };
    if !netns::inside("agent2_answers_at_its_own_address_without_a_seed", &[API]) {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let ca = scratch.root().join("ca.pem");
    let api = FakeApi::builder().tls(SocketAddr::from(([127, 0, 0, 1], 443))).ca_out(&ca).start().unwrap();
    let key = api.add_gemini_key();
    answered(&api, &key, gemini(&scratch, &program, &key).env("NODE_EXTRA_CA_CERTS", &ca));
    assert!(api.requests().iter().all(|one| one.tls && one.host == API), "{:?}", api.requests());
}
