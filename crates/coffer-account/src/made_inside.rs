//! A sign-in that was made inside a run: the agent asked for one, and a person gave it.
//!
//! What the host leases has no refresh token, so one in the lease file came from inside. So did one in the state,
//! where none was before the run.

use coffer_plan::sign_in::shape::{LoginDetails, LoginShape, read};
use serde_json::Value;

use crate::beneath::Seen;
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// Longest address that is shown.
const MAX_EMAIL: usize = 254;

/// A login that was made inside a run.
pub struct MadeInside {
    /// The login file, as the agent left it.
    pub content: Secret,
    /// What can be said about it.
    pub details: LoginDetails,
}

impl MadeInside {
    /// Whether what is `seen` after a run is a login that can be refreshed, where `first` before the run was none.
    pub fn of(seen: Seen, first: Option<&[u8]>) -> Option<Self> {
        let Seen::File { content, .. } = seen else { return None };
        let details = refreshable(content.expose())?;
        match first.and_then(refreshable) {
            // It was there before; the agent may have refreshed it since, which is its own affair.
            Some(_) => None,
            None => Some(Self { content, details }),
        }
    }

    /// The login alone, without what else the agent keeps in its file: logins of MCP servers are not an account's.
    pub fn login_alone(&self) -> Option<Secret> {
        let Ok(Value::Object(mut file)) = serde_json::from_slice(self.content.expose()) else { return None };
        file.retain(|key, _| key == crate::lease::LOGIN_KEY);
        Some(Secret::new(Value::Object(file).to_string().into_bytes()))
    }
}

fn refreshable(file: &[u8]) -> Option<LoginDetails> {
    match read(file) {
        LoginShape::Login(details) if details.refresh_token => Some(details),
        LoginShape::Login(_)
        | LoginShape::Missing
        | LoginShape::SignedOut
        | LoginShape::Unreadable { .. }
        | LoginShape::Unusable { .. } => None,
    }
}

/// The address that the agent's own file names as its account's. An agent can write anything there.
pub fn email(agent_file: &[u8]) -> Option<String> {
    let file: Value = serde_json::from_slice(agent_file).ok()?;
    let email = file.get("oauthAccount")?.get("emailAddress")?.as_str()?;
    (email.len() <= MAX_EMAIL).then(|| email.to_owned())
}
