//! The fake server over the wire, with a client that shares no code with it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{Answer, FakeApi, FakeError, Fault, Gate, LoginSpec, Rule};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);
const HI: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

/// Sends one request and reads until the server closes: everything that came.
fn raw(api: &FakeApi, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(api.addr()).unwrap();
    write!(
        stream,
        "{head}\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    // A scripted break may reset the connection; what came before it counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn message(api: &FakeApi, credential: &str, text: &str) -> String {
    raw(api, &format!("POST /v1/messages?beta=true HTTP/1.1\r\n{credential}"), text)
}

fn refresh(api: &FakeApi, token: &str) -> String {
    let request = json!({"grant_type": "refresh_token", "refresh_token": token, "client_id": "x"});
    raw(api, "POST /v1/oauth/token HTTP/1.1", &request.to_string())
}

#[test]
fn addresses_that_others_can_reach_are_refused() {
    let error = FakeApi::builder().listen("0.0.0.0:0".parse().unwrap()).start().unwrap_err();
    assert!(matches!(error, FakeError::NotLoopback(_)), "{error}");
    let error = FakeApi::builder().tls("[::]:0".parse().unwrap()).start().unwrap_err();
    assert!(matches!(error, FakeError::NotLoopback(_)), "{error}");
}

#[test]
fn only_credentials_that_were_issued_are_answered_and_none_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let api = FakeApi::builder().log(&log).start().unwrap();
    let (key, login) = (api.add_api_key(), api.issue_login(&LoginSpec::default()));
    let (with_key, with_token) =
        (format!("x-api-key: {key}"), format!("authorization: Bearer {}", login.access_token));
    assert_eq!(body(&message(&api, &with_key, HI))["content"][0]["text"], "practice answer: hi");
    assert_eq!(status(&message(&api, &with_token, HI)), 200);
    assert_eq!(status(&message(&api, "x-api-key: sk-ant-api03-FAKE-other", HI)), 401);
    assert_eq!(status(&message(&api, &format!("{with_token}\r\nx-api-key: other"), HI)), 401);
    assert_eq!(status(&raw(&api, "POST /v1/messages HTTP/1.1", HI)), 401);
    assert!(api.expire(&login.access_token));
    assert_eq!(status(&message(&api, &with_token, HI)), 401);
    assert!(api.revoke(&key));
    assert_eq!(status(&message(&api, &with_key, HI)), 401);

    let seen = api.requests();
    assert_eq!(seen[0].credential("x-api-key"), Some(fingerprint(&key).as_str()));
    assert_eq!(seen[1].credential("authorization"), Some(fingerprint(&login.access_token).as_str()));
    assert_eq!(seen[0].last_user_text.as_deref(), Some("hi"));
    assert_eq!(seen[0].query, ["beta"]);
    drop(api);
    let lines = std::fs::read_to_string(&log).unwrap();
    assert_eq!(lines.lines().count(), 7);
    for secret in [&key, &login.access_token] {
        assert!(!lines.contains(secret.as_str()), "{lines}");
    }
    assert_eq!(
        serde_json::from_str::<coffer_testkit::RequestRecord>(lines.lines().next().unwrap()).unwrap(),
        seen[0]
    );
}

#[test]
fn a_stream_has_event_lines_in_order_and_its_deltas_join() {
    let api = FakeApi::builder().answer(Answer::Text("zwölf".to_owned())).start().unwrap();
    let key = api.add_api_key();
    let text = HI.replacen('{', r#"{"stream":true,"#, 1);
    let answer = message(&api, &format!("x-api-key: {key}"), &text);
    assert!(answer.contains("content-type: text/event-stream"), "{answer}");
    let names: Vec<_> = answer.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let expected = "message_start content_block_start ping content_block_delta content_block_delta \
                    content_block_stop message_delta message_stop";
    assert_eq!(names.join(" "), expected);
    let joined: String = answer
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|event| Some(event["delta"]["text"].as_str()?.to_owned()))
        .collect();
    assert_eq!(joined, "zwölf");
}

#[test]
fn a_tool_call_waits_for_a_request_that_offers_tools() {
    let api = FakeApi::builder().start().unwrap();
    let key = format!("x-api-key: {}", api.add_api_key());
    api.queue_answer(Answer::ToolUse { name: "Bash".to_owned(), input: json!({"command": "true"}) });
    assert_eq!(body(&message(&api, &key, HI))["stop_reason"], "end_turn");
    let with_tools = HI.replacen('{', r#"{"tools":[{"name":"Bash"}],"#, 1);
    assert_eq!(body(&message(&api, &key, &with_tools))["content"][0]["input"]["command"], "true");
}

#[test]
fn refresh_tokens_rotate_and_die() {
    let api = FakeApi::builder().revoke_family_on_reuse(true).start().unwrap();
    let first = api.issue_login(&LoginSpec::expired()).refresh_token.unwrap();
    let second = body(&refresh(&api, &first));
    assert_eq!(second["expires_in"], 28_800);
    assert_eq!(second["scope"], "user:inference user:profile");
    let reused = refresh(&api, &first);
    assert_eq!((status(&reused), &body(&reused)["error"]), (400, &json!("invalid_grant")));
    assert_eq!(status(&refresh(&api, second["refresh_token"].as_str().unwrap())), 400);
    assert_eq!(api.requests()[0].credential("body:refresh_token"), Some(fingerprint(&first).as_str()));
}

#[test]
fn a_code_signs_in_once() {
    let api = FakeApi::builder().start().unwrap();
    let code = api.issue_code(LoginSpec::default(), None);
    let request = json!({"grant_type": "authorization_code", "code": code, "code_verifier": "v", "state": "s",
        "redirect_uri": "https://platform.claude.com/oauth/code/callback"});
    let answer = raw(&api, "POST /v1/oauth/token HTTP/1.1", &request.to_string());
    let access = body(&answer)["access_token"].as_str().unwrap().to_owned();
    let profile =
        raw(&api, &format!("GET /api/oauth/profile HTTP/1.1\r\nauthorization: Bearer {access}"), "");
    assert_eq!(body(&profile)["account"]["has_claude_max"], true);
    assert_eq!(status(&raw(&api, "POST /v1/oauth/token HTTP/1.1", &request.to_string())), 400);
}

#[test]
fn the_sign_in_page_sends_codes_to_loopback_only() {
    let api = FakeApi::builder().start().unwrap();
    let visit = |redirect: &str| {
        let query = format!("code_challenge=x&state=s&redirect_uri={redirect}");
        raw(&api, &format!("GET /cai/oauth/authorize?{query} HTTP/1.1"), "")
    };
    let near = visit("http%3A%2F%2Flocalhost%3A4711%2Fcallback");
    assert_eq!(status(&near), 302);
    assert!(near.contains("location: http://localhost:4711/callback?code=code-FAKE-"), "{near}");
    for far in ["https%3A%2F%2Fplatform.claude.com%2Fcallback", "http%3A%2F%2Flocalhost.example%2F", ""] {
        let shown = visit(far);
        assert_eq!(status(&shown), 200, "{shown}");
        assert!(body(&shown)["paste"].as_str().unwrap().ends_with("#s"), "{shown}");
    }
    assert_eq!(api.requests()[0].query, ["code_challenge", "state", "redirect_uri"]);
}

#[test]
fn a_token_request_may_be_a_form() {
    let api = FakeApi::builder().start().unwrap();
    let token = api.issue_login(&LoginSpec::default()).refresh_token.unwrap();
    let head = "POST /v1/oauth/token HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded";
    assert_eq!(status(&raw(&api, head, &format!("grant_type=refresh_token&refresh_token={token}"))), 200);
}

#[test]
fn scripted_failures_come_in_order_and_leave() {
    let api = FakeApi::builder().start().unwrap();
    let key = format!("x-api-key: {}", api.add_api_key());
    let faults = [Fault::Status(529, "{}".to_owned()), Fault::Drop, Fault::Truncate, Fault::Garbage];
    for fault in faults {
        api.script(Rule::once("/v1/messages", fault));
    }
    assert_eq!(status(&message(&api, &key, HI)), 529);
    assert_eq!(message(&api, &key, HI), "");
    let truncated = message(&api, &key, HI);
    let announced: usize =
        truncated.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let came = truncated.split_once("\r\n\r\n").unwrap().1.len();
    assert!(came > 0 && came < announced, "{came} of {announced}");
    let garbage = message(&api, &key, HI);
    assert!(serde_json::from_str::<Value>(garbage.split_once("\r\n\r\n").unwrap().1).is_err());
    assert_eq!(status(&message(&api, &key, HI)), 200);
    let faults: Vec<_> = api.requests().into_iter().map(|seen| (seen.fault, seen.status)).collect();
    assert_eq!(faults[1], (Some("drop".to_owned()), None));
    assert_eq!(faults[4], (None, Some(200)));
}

#[test]
fn a_held_refresh_has_rotated_before_it_answers() {
    let api = FakeApi::builder().start().unwrap();
    let token = api.issue_login(&LoginSpec::default()).refresh_token.unwrap();
    let gate = Gate::new();
    api.script(Rule::once("/v1/oauth/token", Fault::HoldAfterWork(gate.clone())));
    let answer = std::thread::scope(|scope| {
        let client = scope.spawn(|| refresh(&api, &token));
        assert!(api.wait_for(LIMIT, |seen| seen.iter().any(|one| one.worked)));
        assert_eq!(api.requests()[0].status, None);
        let rotated_already = api.rotate(&token).is_none();
        gate.open();
        assert!(rotated_already);
        client.join().unwrap()
    });
    assert_eq!(status(&answer), 200);
}

#[test]
fn a_stream_can_halt_in_its_middle() {
    let api = FakeApi::builder().start().unwrap();
    let key = api.add_api_key();
    let gate = Gate::new();
    api.script(Rule::once("/v1/messages", Fault::HoldMidBody(gate.clone())));
    let text = HI.replacen('{', r#"{"stream":true,"#, 1);
    let mut stream = TcpStream::connect(api.addr()).unwrap();
    write!(
        stream,
        "POST /v1/messages HTTP/1.1\r\nhost: t\r\nconnection: close\r\nx-api-key: {key}\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    )
    .unwrap();
    let mut first = String::new();
    while !first.contains("event: content_block_delta") {
        let mut part = [0; 256];
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "{first}");
        first.push_str(&String::from_utf8_lossy(&part[..count]));
    }
    assert!(!first.contains("message_stop"), "{first}");
    gate.open();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("event: message_stop"), "{rest}");
}

#[test]
fn dropping_it_ends_requests_that_are_held() {
    let api = FakeApi::builder().start().unwrap();
    api.script(Rule::once("/", Fault::Hold(Gate::new())));
    let addr = api.addr();
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(stream, "GET /api/hello HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    assert!(api.wait_for(LIMIT, |seen| seen.len() == 1));
    drop(api);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn tls_is_trusted_by_its_own_ca_only_and_holds_the_names() {
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    let api = FakeApi::builder().tls("127.0.0.1:0".parse().unwrap()).ca_out(&ca_file).start().unwrap();
    let pem = std::fs::read(&ca_file).unwrap();
    assert_eq!(api.ca_pem().unwrap().as_bytes(), pem);
    let get = |name: &'static str, trust: bool| -> std::io::Result<String> {
        let mut roots = rustls::RootCertStore::empty();
        if trust {
            roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        }
        let config =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        let session =
            rustls::ClientConnection::new(Arc::new(config), ServerName::try_from(name).unwrap()).unwrap();
        let mut stream = rustls::StreamOwned::new(session, TcpStream::connect(api.tls_addr().unwrap())?);
        write!(stream, "HEAD /api/hello HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            // The fake closes without a TLS close_notify, as many servers do.
            Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => return Err(error),
            _ => {}
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    for name in [
        "api.anthropic.com",
        "platform.claude.com",
        "console.anthropic.com",
        "claude.com",
        "localhost",
        "127.0.0.1",
    ] {
        assert_eq!(status(&get(name, true).unwrap()), 200, "{name}");
    }
    assert!(get("example.invalid", true).is_err());
    assert!(get("localhost", false).is_err());
    assert!(api.requests().iter().all(|seen| seen.tls));
}
