//! The practice authorization server's books: lineages of single-use refresh tokens, access tokens with
//! an end, sign-in codes, API keys. Plain values and a given `now`; no clock and no network in here.

use std::collections::HashMap;

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What a login is to look like.
#[derive(Debug, Clone)]
pub struct LoginSpec {
    /// OAuth scopes; the CLI wants `user:inference`.
    pub scopes: Vec<String>,
    /// `subscriptionType`, for example `max`.
    pub subscription: Option<String>,
    /// Seconds until the first access token ends; negative for one that has ended.
    pub expires_in: i64,
    /// Whether there is a refresh token.
    pub refreshable: bool,
    /// Seconds until the login itself ends (its refresh token); `None` when the server does not tell, as older ones.
    pub login_ends_in: Option<i64>,
}

impl Default for LoginSpec {
    fn default() -> Self {
        Self {
            scopes: ["user:inference", "user:profile"].map(str::to_owned).to_vec(),
            subscription: Some("max".to_owned()),
            expires_in: 28_800,
            refreshable: true,
            login_ends_in: None,
        }
    }
}

impl LoginSpec {
    /// A login whose access token ended a minute ago: the CLI must refresh.
    #[must_use]
    pub fn expired() -> Self {
        Self { expires_in: -60, ..Self::default() }
    }

    /// A login without a refresh token.
    #[must_use]
    pub fn refreshless() -> Self {
        Self { refreshable: false, ..Self::default() }
    }
}

/// A login that the fake server knows. All of its tokens are made up (`sk-ant-oat01-FAKE-…`).
#[derive(Debug, Clone)]
pub struct IssuedLogin {
    /// The access token.
    pub access_token: String,
    /// The refresh token, unless the login was to have none.
    pub refresh_token: Option<String>,
    /// End of the access token, Unix milliseconds.
    pub expires_at_ms: u64,
    /// Scopes as granted.
    pub scopes: Vec<String>,
    /// `subscriptionType`.
    pub subscription: Option<String>,
    /// End of the login itself, Unix milliseconds, where the server tells.
    pub login_ends_at_ms: Option<u64>,
}

impl IssuedLogin {
    /// The text of a `.credentials.json` with this login.
    #[must_use]
    pub fn credentials_json(&self) -> String {
        let mut oauth = json!({
            "accessToken": self.access_token,
            "expiresAt": self.expires_at_ms,
            "scopes": self.scopes,
            "subscriptionType": self.subscription,
        });
        if let Some(refresh) = &self.refresh_token {
            oauth["refreshToken"] = json!(refresh);
        }
        if let Some(end) = self.login_ends_at_ms {
            oauth["refreshTokenExpiresAt"] = json!(end);
        }
        json!({ "claudeAiOauth": oauth }).to_string()
    }
}

/// How the server treats tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenRules {
    /// Life of a new access token in seconds.
    pub(crate) access_ttl: i64,
    /// Whether the second use of a refresh token revokes everything that grew from the same sign-in.
    pub(crate) revoke_family_on_reuse: bool,
    /// Whether a refresh ends the access tokens that were issued before it.
    pub(crate) refresh_ends_old_access: bool,
}

/// A refused token request: status, `error`, `error_description`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) u16, pub(crate) &'static str, pub(crate) &'static str);

const SPENT: Refusal = Refusal(400, "invalid_grant", "Refresh token not found or invalid");

#[derive(Debug)]
struct Lineage {
    scopes: Vec<String>,
    subscription: Option<String>,
    revoked: bool,
    /// Unix milliseconds; a refresh after it is refused. Fixed at the sign-in: refreshing does not move it.
    ends_at_ms: Option<u64>,
}

#[derive(Debug)]
struct Access {
    lineage: usize,
    ends_at_ms: u64,
}

#[derive(Debug)]
struct Refresh {
    lineage: usize,
    spent: bool,
}

#[derive(Debug)]
struct Code {
    spec: LoginSpec,
    challenge: Option<String>,
}

/// All that the server has issued.
#[derive(Debug)]
pub(crate) struct TokenBook {
    rules: TokenRules,
    seed: [u8; 16],
    made: u64,
    lineages: Vec<Lineage>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    codes: HashMap<String, Code>,
    keys: HashMap<String, bool>,
}

impl TokenBook {
    pub(crate) fn new(rules: TokenRules, seed: [u8; 16]) -> Self {
        Self {
            rules,
            seed,
            made: 0,
            lineages: Vec::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            codes: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    fn make(&mut self, prefix: &str) -> String {
        self.made += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.made.to_be_bytes());
        let suffix: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("{prefix}-FAKE-{suffix}")
    }

    /// A new sign-in with a lineage of its own.
    pub(crate) fn issue(&mut self, spec: &LoginSpec, now_ms: u64) -> IssuedLogin {
        self.lineages.push(Lineage {
            scopes: spec.scopes.clone(),
            subscription: spec.subscription.clone(),
            revoked: false,
            ends_at_ms: spec
                .login_ends_in
                .map(|left| now_ms.saturating_add_signed(left.saturating_mul(1000))),
        });
        let lineage = self.lineages.len() - 1;
        self.grow(lineage, spec.expires_in, spec.refreshable, now_ms)
    }

    fn grow(&mut self, lineage: usize, expires_in: i64, refreshable: bool, now_ms: u64) -> IssuedLogin {
        let access_token = self.make("sk-ant-oat01");
        let expires_at_ms = now_ms.saturating_add_signed(expires_in.saturating_mul(1000));
        self.access.insert(access_token.clone(), Access { lineage, ends_at_ms: expires_at_ms });
        let refresh_token = refreshable.then(|| self.make("sk-ant-ort01"));
        if let Some(token) = &refresh_token {
            self.refresh.insert(token.clone(), Refresh { lineage, spent: false });
        }
        let (scopes, subscription, login_ends_at_ms) = self
            .lineages
            .get(lineage)
            .map(|line| (line.scopes.clone(), line.subscription.clone(), line.ends_at_ms))
            .unwrap_or_default();
        IssuedLogin { access_token, refresh_token, expires_at_ms, scopes, subscription, login_ends_at_ms }
    }

    /// A one-time sign-in code; with a challenge the verifier must match it (PKCE, S256).
    pub(crate) fn issue_code(&mut self, spec: LoginSpec, challenge: Option<String>) -> String {
        let code = self.make("code");
        self.codes.insert(code.clone(), Code { spec, challenge });
        code
    }

    /// A new API key or gateway token.
    pub(crate) fn issue_key(&mut self, prefix: &str) -> String {
        let key = self.make(prefix);
        self.keys.insert(key.clone(), true);
        key
    }

    /// Spends a refresh token: the new tokens, or the refusal.
    pub(crate) fn refresh(&mut self, token: &str, now_ms: u64) -> Result<IssuedLogin, Refusal> {
        let Some(entry) = self.refresh.get_mut(token) else {
            return Err(SPENT);
        };
        let lineage = entry.lineage;
        let reused = std::mem::replace(&mut entry.spent, true);
        if reused && self.rules.revoke_family_on_reuse {
            self.revoke_lineage(lineage);
        }
        if reused || !self.lives(lineage, now_ms) {
            return Err(SPENT);
        }
        if self.rules.refresh_ends_old_access {
            self.access.retain(|_, access| access.lineage != lineage);
        }
        Ok(self.grow(lineage, self.rules.access_ttl, true, now_ms))
    }

    fn lives(&self, lineage: usize, now_ms: u64) -> bool {
        let ended = |line: &Lineage| line.revoked || line.ends_at_ms.is_some_and(|end| end <= now_ms);
        self.lineages.get(lineage).is_some_and(|line| !ended(line))
    }

    /// Whether a refresh token could still be spent; nothing is spent by asking.
    pub(crate) fn is_spendable(&self, token: &str, now_ms: u64) -> bool {
        self.refresh.get(token).is_some_and(|entry| !entry.spent && self.lives(entry.lineage, now_ms))
    }

    /// Spends a sign-in code.
    pub(crate) fn redeem(&mut self, code: &str, verifier: &str, now_ms: u64) -> Result<IssuedLogin, Refusal> {
        let Some(entry) = self.codes.remove(code) else {
            return Err(Refusal(400, "invalid_grant", "Invalid 'code' in request"));
        };
        if entry.challenge.is_some_and(|challenge| challenge != pkce_challenge(verifier)) {
            return Err(Refusal(400, "invalid_grant", "code_verifier does not match"));
        }
        Ok(self.issue(&entry.spec, now_ms))
    }

    /// Whether an API call with this credential is answered; else why not.
    pub(crate) fn accepts(&self, credential: &str, now_ms: u64) -> Result<(), &'static str> {
        if let Some(live) = self.keys.get(credential) {
            return if *live { Ok(()) } else { Err("API key was revoked") };
        }
        let access = self.access.get(credential).ok_or("invalid credential")?;
        if self.lineages.get(access.lineage).is_none_or(|line| line.revoked) {
            return Err("OAuth token has been revoked");
        }
        if access.ends_at_ms <= now_ms { Err("OAuth token has expired") } else { Ok(()) }
    }

    /// Scopes and subscription behind an access token, as far as it is known.
    pub(crate) fn subscription_of(&self, access: &str) -> Option<String> {
        self.lineages.get(self.access.get(access)?.lineage)?.subscription.clone()
    }

    /// Revokes an API key, or everything that grew from the sign-in of an access or refresh token.
    pub(crate) fn revoke(&mut self, credential: &str) -> bool {
        if let Some(live) = self.keys.get_mut(credential) {
            *live = false;
            return true;
        }
        let lineage = self
            .access
            .get(credential)
            .map(|access| access.lineage)
            .or_else(|| self.refresh.get(credential).map(|refresh| refresh.lineage));
        if let Some(lineage) = lineage {
            self.revoke_lineage(lineage);
        }
        lineage.is_some()
    }

    /// Ends an access token at once; its refresh token stays good.
    pub(crate) fn expire(&mut self, access: &str) -> bool {
        self.access.get_mut(access).map(|entry| entry.ends_at_ms = 0).is_some()
    }

    fn revoke_lineage(&mut self, lineage: usize) {
        if let Some(line) = self.lineages.get_mut(lineage) {
            line.revoked = true;
        }
    }
}

/// The answer of the token endpoint, with every field that the CLI stores.
pub(crate) fn token_answer(login: &IssuedLogin, now_ms: u64) -> Value {
    let mut answer = json!({
        "token_type": "Bearer",
        "access_token": login.access_token,
        "expires_in": login.expires_at_ms.saturating_sub(now_ms) / 1000,
        "scope": login.scopes.join(" "),
        "account": { "uuid": super::ACCOUNT_UUID, "email_address": super::ACCOUNT_EMAIL },
        "organization": { "uuid": super::ORGANIZATION_UUID, "name": super::ORGANIZATION_NAME },
    });
    if let Some(refresh) = &login.refresh_token {
        answer["refresh_token"] = json!(refresh);
    }
    if let Some(end) = login.login_ends_at_ms {
        answer["refresh_token_expires_in"] = json!(end.saturating_sub(now_ms) / 1000);
    }
    answer
}

/// RFC 7636 S256: base64url without padding of the verifier's SHA-256.
fn pkce_challenge(verifier: &str) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

#[cfg(test)]
mod tests;
