//! Which path answers what.

use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use serde_json::{Value, json};

use super::authorize;
use super::deliver::Reply;
use super::gemini;
use super::messages::{self, Answer};
use super::record;
use super::serve::{Inner, now_ms};
use super::tokens::{Refusal, token_answer};
use super::{ACCOUNT_EMAIL, ACCOUNT_UUID, ORGANIZATION_NAME, ORGANIZATION_UUID};

/// A request as the routes see it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    query: String,
    /// The body if it is JSON or a form, else null.
    pub(crate) body: Value,
    credentials: Vec<String>,
}

impl Call {
    pub(crate) fn new(parts: &Parts, body: &Bytes) -> Self {
        let credentials = record::CREDENTIAL_HEADERS
            .iter()
            .filter(|name| **name != "proxy-authorization")
            .filter_map(|name| parts.headers.get(*name)?.to_str().ok())
            .map(|value| value.strip_prefix("Bearer ").unwrap_or(value).trim().to_owned())
            .collect();
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(body).unwrap_or_else(|_| form(parts, body)),
            credentials,
        }
    }

    fn text(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A form's fields as an object; null for any other body.
fn form(parts: &Parts, body: &Bytes) -> Value {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Value::Null;
    }
    let fields = form_urlencoded::parse(body).into_owned();
    Value::Object(fields.map(|(name, value)| (name, Value::String(value))).collect())
}

/// Does the work of a request and says what to answer.
pub(crate) fn answer(inner: &mut Inner, call: &Call, seq: u64) -> Reply {
    let open = match (call.method.as_str(), call.path.as_str()) {
        (_, "/api/hello") | ("HEAD", "/") => Some(Reply::json(200, &json!({}))),
        ("GET", path) if authorize::is_page(path) => Some(authorize::visit(&mut inner.tokens, &call.query)),
        ("POST", "/v1/oauth/token") => Some(token(inner, call)),
        ("POST", "/v1/oauth/revoke") => {
            let known = inner.tokens.revoke(call.text("token"));
            Some(Reply::json(if known { 200 } else { 400 }, &json!({})))
        }
        _ => None,
    };
    if let Some(reply) = open {
        return reply;
    }
    if let Some((model, action)) = gemini::model_and_action(&call.path) {
        return gemini_call(inner, call, model, action);
    }
    match (call.method.as_str(), call.path.as_str()) {
        ("POST", "/v1/messages") => authorized(inner, call).unwrap_or_else(|| messages(inner, call, seq)),
        ("POST", "/v1/messages/count_tokens") => {
            authorized(inner, call).unwrap_or_else(|| Reply::json(200, &json!({"input_tokens": 10})))
        }
        ("GET", "/api/oauth/profile") => authorized(inner, call).unwrap_or_else(|| profile(inner, call)),
        ("GET", "/api/oauth/claude_cli/roles") => authorized(inner, call).unwrap_or_else(|| {
            Reply::json(
                200,
                &json!({"organization_role": "admin", "workspace_role": null,
                    "organization_name": ORGANIZATION_NAME, "organization_uuid": ORGANIZATION_UUID}),
            )
        }),
        (_, "/api/claude_cli/bootstrap") => {
            authorized(inner, call).unwrap_or_else(|| Reply::json(200, &json!({"client_data": {}})))
        }
        ("GET", "/v1/mcp_servers") => Reply::json(200, &json!({"data": [], "next_page": null})),
        // Telemetry, settings, policy limits and the like: whatever else the CLI asks for, nothing is there.
        (_, path) if path.starts_with("/api/") || path.starts_with("/v1/") => Reply::json(200, &json!({})),
        _ => api_error(404, "not_found_error", "Not found"),
    }
}

/// The error reply, unless every credential that came along is good. The genuine API knows no other way of
/// treating two credentials that would be of use to a test.
fn authorized(inner: &Inner, call: &Call) -> Option<Reply> {
    refused(inner, call).map(|why| api_error(401, "authentication_error", why))
}

fn refused(inner: &Inner, call: &Call) -> Option<&'static str> {
    if call.credentials.is_empty() {
        return Some("x-api-key header is required");
    }
    let now = now_ms();
    call.credentials.iter().find_map(|credential| inner.tokens.accepts(credential, now).err())
}

fn api_error(status: u16, kind: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"type": "error", "error": {"type": kind, "message": message}}))
}

fn token(inner: &mut Inner, call: &Call) -> Reply {
    let now = now_ms();
    let granted = match call.text("grant_type") {
        "refresh_token" => inner.tokens.refresh(call.text("refresh_token"), now),
        "authorization_code" => inner.tokens.redeem(call.text("code"), call.text("code_verifier"), now),
        _ => Err(Refusal(400, "unsupported_grant_type", "unknown grant_type")),
    };
    match granted {
        Ok(login) => Reply::json(200, &token_answer(&login, now)),
        Err(Refusal(status, error, description)) => {
            Reply::json(status, &json!({"error": error, "error_description": description}))
        }
    }
}

fn profile(inner: &Inner, call: &Call) -> Reply {
    let subscription = call.credentials.iter().find_map(|access| inner.tokens.subscription_of(access));
    let is = |kind: &str| subscription.as_deref() == Some(kind);
    let organization_type = subscription.as_ref().map(|kind| format!("claude_{kind}"));
    Reply::json(
        200,
        &json!({
            "account": {"uuid": ACCOUNT_UUID, "full_name": "Practice", "display_name": "Practice",
                "email": ACCOUNT_EMAIL, "has_claude_max": is("max"), "has_claude_pro": is("pro")},
            "organization": {"uuid": ORGANIZATION_UUID, "name": ORGANIZATION_NAME,
                "organization_type": organization_type, "rate_limit_tier": "default_claude_max_5x",
                "billing_type": "practice", "has_extra_usage_enabled": false},
        }),
    )
}

fn gemini_call(inner: &mut Inner, call: &Call, model: &str, action: &str) -> Reply {
    if let Some(why) = refused(inner, call) {
        return gemini::error(400, "INVALID_ARGUMENT", why);
    }
    let text = gemini::demanded(&call.body)
        .unwrap_or_else(|| next_answer(inner, false).text(record::last_user_text(&call.body).as_deref()));
    gemini::reply(model, action, &text).unwrap_or_else(|| gemini::error(404, "NOT_FOUND", "no such action"))
}

/// The next queued answer that fits, else the default one.
fn next_answer(inner: &mut Inner, offers_tools: bool) -> Answer {
    let at =
        inner.answers.iter().position(|answer| offers_tools || !matches!(answer, Answer::ToolUse { .. }));
    at.and_then(|at| inner.answers.remove(at)).unwrap_or_else(|| inner.default_answer.clone())
}

fn messages(inner: &mut Inner, call: &Call, seq: u64) -> Reply {
    let offers_tools =
        call.body.get("tools").and_then(Value::as_array).is_some_and(|tools| !tools.is_empty());
    let answer = next_answer(inner, offers_tools);
    messages::reply(&answer, &call.body, record::last_user_text(&call.body).as_deref(), seq)
}
