//! What is kept of a request: enough to prove which credential was used, never the credential.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Headers that carry credentials, in the order in which they are recorded.
pub(crate) const CREDENTIAL_HEADERS: [&str; 4] =
    ["authorization", "x-api-key", "x-goog-api-key", "proxy-authorization"];

/// User texts longer than this many bytes are left out of the record.
const SMALL_TEXT: usize = 512;

/// One request as the fake server saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Counts from 0, in order of arrival.
    pub seq: u64,
    /// Arrival, Unix milliseconds.
    pub at_ms: u64,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The `Host` header.
    pub host: String,
    /// The method, upper case.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// Names of the query's parameters; their values may be credentials and are left out.
    pub query: Vec<String>,
    /// Credentials that were present, by where they stood.
    pub credentials: Vec<SeenCredential>,
    /// The `anthropic-beta` header.
    pub beta: Option<String>,
    /// The `user-agent` header.
    pub user_agent: Option<String>,
    /// How long the client says that it waits (`x-stainless-timeout`), in seconds.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
    /// All headers in their order, but for those with credentials.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Size of the request's body in bytes.
    pub body_bytes: u64,
    /// `model` of the body.
    pub model: Option<String>,
    /// `stream` of the body.
    pub stream: Option<bool>,
    /// `grant_type` of a token request.
    pub grant_type: Option<String>,
    /// Text of the last user message, if small.
    pub last_user_text: Option<String>,
    /// The scripted failure that was applied.
    pub fault: Option<String>,
    /// Whether the server has done the request's work (rotated the tokens, say); the answer may still be held.
    pub worked: bool,
    /// Status of the answer; none while it is being worked on and when there was no answer.
    pub status: Option<u16>,
}

/// That a credential was present, and which one, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenCredential {
    /// Header name in lower case, or `body:refresh_token`, `body:code`.
    pub place: String,
    /// First word of an `Authorization` header, for example `Bearer`.
    pub scheme: Option<String>,
    /// [`fingerprint`] of the value without the scheme.
    pub fingerprint: String,
}

impl RequestRecord {
    /// The fingerprint of the credential at `place`, if there was one.
    #[must_use]
    pub fn credential(&self, place: &str) -> Option<&str> {
        self.credentials.iter().find(|seen| seen.place == place).map(|seen| seen.fingerprint.as_str())
    }
}

/// The first 12 hex digits of the value's SHA-256.
#[must_use]
pub fn fingerprint(value: &str) -> String {
    let digest = Sha256::digest(value.as_bytes());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Splits a header's value into scheme and credential; only `Authorization` headers have a scheme.
pub(crate) fn seen_in_header(name: &str, value: &str) -> SeenCredential {
    let (scheme, secret) = match value.split_once(' ') {
        Some((scheme, rest)) if name.ends_with("authorization") => (Some(scheme.to_owned()), rest),
        _ => (None, value),
    };
    SeenCredential { place: name.to_owned(), scheme, fingerprint: fingerprint(secret.trim()) }
}

/// Names of the parameters of a query string; `z-CHALLENGE` of a short sign-in address is a value.
pub(crate) fn query_names(query: &str) -> Vec<String> {
    query
        .split('&')
        .filter_map(|pair| pair.split('=').next())
        .filter(|name| !name.is_empty() && !name.starts_with("z-"))
        .map(str::to_owned)
        .collect()
}

/// The last text of the last user message, in the shapes of the vendors that we imitate.
pub(crate) fn last_user_text(body: &serde_json::Value) -> Option<String> {
    let messages = ["messages", "input", "contents"].iter().find_map(|key| body.get(key)?.as_array())?;
    let last =
        messages.iter().rev().find(|message| message.get("role").is_some_and(|role| role == "user"))?;
    let content = ["content", "parts"].iter().find_map(|key| last.get(key))?;
    let text = match content {
        serde_json::Value::String(text) => text.as_str(),
        serde_json::Value::Array(parts) => parts.iter().rev().find_map(|part| part.get("text")?.as_str())?,
        _ => return None,
    };
    (text.len() <= SMALL_TEXT).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
