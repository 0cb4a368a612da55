//! The lease: a login file that holds the access token and no refresh token.
//!
//! Measured (2.1.330, 2.1.112, 1.0.128): a file without `refreshToken` signs in, is never refreshed and
//! never rewritten by the CLI; `user:inference` has to be among the scopes. Only keys that are known to
//! hold no other secret cross, whatever else the file has.

use serde_json::{Map, Value};

use crate::secret::Secret;

#[cfg(test)]
mod tests;

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
    let Ok(Value::Object(mut file)) = serde_json::from_slice(login_file) else {
        return Err(LeaseError::NoLogin);
    };
    let Some(Value::Object(mut login)) = file.remove("claudeAiOauth") else {
        return Err(LeaseError::NoLogin);
    };
    match login.get("accessToken") {
        Some(Value::String(token)) if !token.is_empty() => {}
        Some(_) | None => return Err(LeaseError::NoToken),
    }
    login.retain(|key, _| LEASED_KEYS.contains(&key.as_str()));
    let lease = Value::Object(Map::from_iter([("claudeAiOauth".to_owned(), Value::Object(login))]));
    Ok(Secret::new(lease.to_string().into_bytes()))
}
