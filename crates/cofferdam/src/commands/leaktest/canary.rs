//! The canaries: credentials of each kind that only the practice API knows.

use coffer_plan::agent::CredentialKind;
use coffer_testkit::{FakeApi, IssuedLogin, LoginSpec};

use super::search::Secret;

/// One of each kind.
pub(crate) struct Canaries {
    pub(crate) login: IssuedLogin,
    setup_token: String,
    api_key: String,
    auth_token: String,
    helper: String,
}

impl Canaries {
    /// The same for every API with the same seed: asked for in the same order.
    pub(crate) fn of(api: &FakeApi) -> Self {
        Self {
            login: api.issue_login(&LoginSpec::default()),
            setup_token: api.issue_login(&LoginSpec::refreshless()).access_token,
            api_key: api.add_api_key(),
            auth_token: api.add_auth_token(),
            helper: api.add_api_key(),
        }
    }

    /// The one in the place of a key or token of this kind; the access token for a login.
    pub(crate) fn of_kind(&self, kind: CredentialKind) -> Option<&str> {
        match kind {
            CredentialKind::Subscription => Some(&self.login.access_token),
            CredentialKind::SetupToken => Some(&self.setup_token),
            CredentialKind::ApiKey => Some(&self.api_key),
            CredentialKind::AuthToken => Some(&self.auth_token),
            CredentialKind::Helper => Some(&self.helper),
            CredentialKind::Cloud => None,
        }
    }

    /// All that is looked for, whatever is in the run.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let mut all = vec![Secret::new(ACCESS_TOKEN, &self.login.access_token)];
        all.extend(self.login.refresh_token.as_deref().map(|token| Secret::new(REFRESH_TOKEN, token)));
        all.extend([
            Secret::new("setup token", &self.setup_token),
            Secret::new("api key", &self.api_key),
            Secret::new("auth token", &self.auth_token),
            Secret::new("helper's key", &self.helper),
        ]);
        all
    }
}

/// What the parts of a login are called.
pub(crate) const ACCESS_TOKEN: &str = "access token";
pub(crate) const REFRESH_TOKEN: &str = "refresh token";
