//! The shape of a login file: what can be said about it without any of its tokens.
//!
//! Format as written by the genuine CLI: `{"claudeAiOauth": {"accessToken", "refreshToken",
//! "expiresAt" (Unix ms), "scopes": […], "subscriptionType", "rateLimitTier"}, …}`.

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// Largest login file that is looked at, in bytes; the genuine file has about 500.
pub const MAX_LOGIN_BYTES: usize = 1024 * 1024;

/// A login file, without its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum LoginShape {
    /// There is no file.
    Missing,
    /// There is something, but it could not be read.
    Unreadable {
        /// The operating system's words, or what it is instead of a file.
        error: String,
    },
    /// It was read, and is no login.
    Unusable {
        /// What is wrong with it.
        reason: String,
    },
    /// It holds a login.
    Login(LoginDetails),
}

/// What a login file says besides its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginDetails {
    /// Whether a refresh token is there.
    pub refresh_token: bool,
    /// When the access token ends; measured: anything but a number is never treated as expired.
    pub expires_at_ms: Option<i64>,
    /// The scopes; without `user:inference` the CLI is "not logged in".
    pub scopes: Vec<String>,
    /// For example `max`.
    pub subscription: Option<String>,
}

/// Reads the bytes of a login file. Never fails and never repeats a byte of the content: what is wrong
/// becomes [`LoginShape::Unusable`] with a fixed text.
pub fn read(bytes: &[u8]) -> LoginShape {
    let unusable = |reason: &str| LoginShape::Unusable { reason: reason.to_owned() };
    if bytes.len() > MAX_LOGIN_BYTES {
        return unusable("larger than 1 MiB");
    }
    if bytes.is_empty() {
        return unusable("the file is empty");
    }
    let Ok(serde_json::Value::Object(file)) = serde_json::from_slice(bytes) else {
        return unusable("not a JSON object");
    };
    let Some(serde_json::Value::Object(login)) = file.get("claudeAiOauth") else {
        return unusable("no `claudeAiOauth` object");
    };
    match login.get("accessToken") {
        Some(serde_json::Value::String(token)) if !token.is_empty() => {}
        Some(serde_json::Value::String(_)) => return unusable("the access token is empty (a wiped login)"),
        Some(_) => return unusable("the access token is no text"),
        None => return unusable("no access token"),
    }
    let text = |key: &str| login.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    LoginShape::Login(LoginDetails {
        refresh_token: text("refreshToken").is_some_and(|token| !token.is_empty()),
        expires_at_ms: login.get("expiresAt").and_then(milliseconds),
        scopes: login
            .get("scopes")
            .and_then(|value| value.as_array())
            .map(|list| list.iter().filter_map(|scope| scope.as_str().map(str::to_owned)).collect())
            .unwrap_or_default(),
        subscription: text("subscriptionType"),
    })
}

/// A time as a number; one that is no whole number, or larger than any time, is a time all the same.
fn milliseconds(value: &serde_json::Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "what does not fit becomes the nearest time")]
    value.as_i64().or_else(|| value.as_f64().map(|number| number as i64))
}
