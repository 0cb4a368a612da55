//! The shape of a login file: what can be said about it without any of its tokens.
//!
//! Format as written by the genuine CLI: `{"claudeAiOauth": {"accessToken", "refreshToken",
//! "expiresAt" (Unix ms), "refreshTokenExpiresAt" (Unix ms, newer versions), "scopes": […],
//! "subscriptionType", "rateLimitTier"}, …}`.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

#[cfg(test)]
mod tests;

/// Largest login file that is looked at, in bytes; the genuine file has about 500.
pub const MAX_LOGIN_BYTES: usize = 1024 * 1024;

/// The key of the login in the file.
const LOGIN_KEY: &str = "claudeAiOauth";
/// What is said of a login whose tokens the client has emptied after the server refused them.
const WIPED: &str = "the access token is empty (a wiped login)";

/// A login file, without its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum LoginShape {
    /// There is no file.
    Missing,
    /// There is a file that holds other things, and no login: what signing out leaves behind.
    SignedOut,
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
    /// By what the refresh token is known again ([`fingerprint`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// When the access token ends; measured: anything but a number is never treated as expired.
    pub expires_at_ms: Option<i64>,
    /// When the login itself ends: `refreshTokenExpiresAt`, which 2.1.330 writes where the server says it
    /// (older versions know no such key). Like the client, only a number beside a refresh token counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_expires_at_ms: Option<i64>,
    /// The scopes; without `user:inference` the CLI is "not logged in".
    pub scopes: Vec<String>,
    /// For example `max`.
    pub subscription: Option<String>,
}

impl LoginShape {
    /// Whether the client itself emptied the tokens, as it does when the server refuses them for good.
    pub fn is_wiped(&self) -> bool {
        match self {
            Self::Unusable { reason } => reason == WIPED,
            Self::Missing | Self::SignedOut | Self::Unreadable { .. } | Self::Login(_) => false,
        }
    }

    /// The login's details, if there is one.
    pub fn details(&self) -> Option<&LoginDetails> {
        match self {
            Self::Login(details) => Some(details),
            Self::Missing | Self::SignedOut | Self::Unreadable { .. } | Self::Unusable { .. } => None,
        }
    }
}

/// By what a refresh token is known again without being told: `sha256:` and the first twelve hex digits
/// of its SHA-256. Tokens are long and random, so nothing of one can be found from it.
pub fn fingerprint(refresh_token: &str) -> String {
    let hash = Sha256::digest(refresh_token.as_bytes());
    let digits: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
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
    let login = match file.get(LOGIN_KEY) {
        Some(serde_json::Value::Object(login)) => login,
        // Other keys without this one: logins of MCP servers stay when one signs out.
        None if !file.is_empty() => return LoginShape::SignedOut,
        None | Some(_) => return unusable("no `claudeAiOauth` object"),
    };
    match login.get("accessToken") {
        Some(serde_json::Value::String(token)) if !token.is_empty() => {}
        Some(serde_json::Value::String(_)) => return unusable(WIPED),
        Some(_) => return unusable("the access token is no text"),
        None => return unusable("no access token"),
    }
    let text = |key: &str| login.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    let refresh_token =
        login.get("refreshToken").and_then(|value| value.as_str()).filter(|token| !token.is_empty());
    let login_end = login.get("refreshTokenExpiresAt").and_then(milliseconds);
    LoginShape::Login(LoginDetails {
        refresh_token: refresh_token.is_some(),
        fingerprint: refresh_token.map(fingerprint),
        expires_at_ms: login.get("expiresAt").and_then(milliseconds),
        login_expires_at_ms: refresh_token.and(login_end),
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
