//! The lease: a login file that holds the access token and no refresh token.
//!
//! Measured (2.1.330, 2.1.112, 1.0.128): a file without `refreshToken` signs in, is never refreshed and
//! never rewritten by the CLI; `user:inference` has to be among the scopes. Only keys that are known to
//! hold no other secret cross, whatever else the file has.

use coffer_plan::sign_in::shape::LoginShape;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// The key of the login in its file.
pub(crate) const LOGIN_KEY: &str = "claudeAiOauth";

/// The keys of `claudeAiOauth` that a lease holds.
const LEASED_KEYS: &[&str] = &["accessToken", "expiresAt", "scopes", "subscriptionType", "rateLimitTier"];

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// The login file is no JSON object with a `claudeAiOauth` object in it.
    #[error("the login file holds no login")]
    NoLogin,
    /// The access token is missing or empty.
    #[error("the login file holds no access token")]
    NoToken,
}

/// Makes a lease of the bytes of a login file.
///
/// # Errors
/// When there is no login, or no access token in it.
pub fn lease(login_file: &[u8]) -> Result<Secret, LeaseError> {
    let mut login = login(login_file)?;
    login.retain(|key, _| LEASED_KEYS.contains(&key.as_str()));
    let lease = Value::Object(Map::from_iter([(LOGIN_KEY.to_owned(), Value::Object(login))]));
    Ok(Secret::new(lease.to_string().into_bytes()))
}

/// The access token of a lease or a login file.
///
/// # Errors
/// As [`lease`].
pub fn access_token(file: &[u8]) -> Result<Secret, LeaseError> {
    match login(file)?.remove("accessToken") {
        Some(Value::String(token)) => Ok(Secret::new(token.into_bytes())),
        Some(_) | None => Err(LeaseError::NoToken),
    }
}

/// A lease with another word in the place of its access token, that ends at `expires_at_ms` (Unix ms).
///
/// # Errors
/// As [`lease`].
pub fn stand_in(lease: &[u8], word: &Secret, expires_at_ms: i64) -> Result<Secret, LeaseError> {
    let mut login = login(lease)?;
    let word = String::from_utf8_lossy(word.expose()).into_owned();
    for (key, value) in [("accessToken", Value::String(word)), ("expiresAt", expires_at_ms.into())] {
        if let Some(Value::String(mut former)) = login.insert(key.to_owned(), value) {
            former.zeroize();
        }
    }
    let lease = Value::Object(Map::from_iter([(LOGIN_KEY.to_owned(), Value::Object(login))]));
    Ok(Secret::new(lease.to_string().into_bytes()))
}

fn login(file: &[u8]) -> Result<Map<String, Value>, LeaseError> {
    let Ok(Value::Object(mut file)) = serde_json::from_slice(file) else {
        return Err(LeaseError::NoLogin);
    };
    let Some(Value::Object(login)) = file.remove(LOGIN_KEY) else {
        return Err(LeaseError::NoLogin);
    };
    match login.get("accessToken") {
        Some(Value::String(token)) if !token.is_empty() => Ok(login),
        Some(_) | None => Err(LeaseError::NoToken),
    }
}

/// By what the access token of a lease is known again, and when it ends; nothing of the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    token: [u8; 32],
    /// When the token ends, Unix ms; `None` when it does not or the file does not say.
    pub expires_at_ms: Option<i64>,
}

impl Mark {
    /// The mark of a lease's or a login file's access token.
    ///
    /// # Errors
    /// As [`lease`].
    pub fn of(file: &[u8]) -> Result<Self, LeaseError> {
        let mut login = login(file)?;
        let expires_at_ms = match coffer_plan::sign_in::shape::read(file) {
            LoginShape::Login(details) => details.expires_at_ms,
            LoginShape::Missing
            | LoginShape::SignedOut
            | LoginShape::Unreadable { .. }
            | LoginShape::Unusable { .. } => return Err(LeaseError::NoLogin),
        };
        let Some(Value::String(mut token)) = login.remove("accessToken") else {
            return Err(LeaseError::NoToken);
        };
        let hash = Sha256::digest(token.as_bytes()).into();
        token.zeroize();
        Ok(Self { token: hash, expires_at_ms })
    }

    /// Whether both are of one token, whatever is said about its end: a keeper changes that while it refreshes.
    pub fn is_same_token(&self, other: &Self) -> bool {
        self.token == other.token
    }

    /// Whether it is to take the place of `earlier`: another token, that does not end sooner.
    pub fn follows(&self, earlier: &Self) -> bool {
        let end = |mark: &Self| mark.expires_at_ms.unwrap_or(i64::MAX);
        !self.is_same_token(earlier) && end(self) >= end(earlier)
    }
}
