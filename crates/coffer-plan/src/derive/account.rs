//! What a named account brings besides its credential, and what should be known about it.

use super::offers::HOST;
use crate::agent::{Agent, CredentialKind};
use crate::facts::{AccountFact, EnvFact, HostFacts};
use crate::origin::{Origin, OriginLayer};
use crate::plan::{Note, PlanError};
use crate::policy::Policy;
use crate::sign_in::verify::{Finding, verify_token};

/// A day, in ms.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// What a named account says besides its credential.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OfAccount {
    /// Its name; `None` for the user's own login.
    pub(super) name: Option<String>,
    /// Variables and values.
    pub(super) values: Vec<(String, String)>,
    /// Patterns of variables that its provider's sign-in needs.
    pub(super) passes: Vec<String>,
}

impl OfAccount {
    /// Who decided these.
    pub(super) fn origin(&self) -> Origin {
        Origin::new(OriginLayer::Account, self.name.as_deref().unwrap_or(HOST))
    }
}

/// What the account itself sets: where the API is, which model, how long a request may take.
pub(super) fn of(policy: &Policy, account: &AccountFact) -> Result<OfAccount, PlanError> {
    let names = &policy.agent.account;
    let mut out = OfAccount { name: Some(account.name.clone()), ..OfAccount::default() };
    let base_url = match &account.base_url {
        Some(EnvFact::Value(value)) => Some(value.clone()),
        Some(EnvFact::Redacted(_)) => {
            let name = names.base_url.clone().unwrap_or_else(|| "base_url".to_owned());
            return Err(PlanError::SecretValue { name, origin: out.origin() });
        }
        Some(EnvFact::Empty) | None => None,
    };
    for (what, name, value) in [
        ("base URL", &names.base_url, base_url),
        ("model", &names.model, account.model.clone()),
        ("time-out", &names.timeout, account.timeout_ms.map(|ms| ms.to_string())),
    ] {
        match (value, name) {
            (None, _) => {}
            (Some(value), Some(name)) => out.values.push((name.clone(), value)),
            (Some(_), None) => {
                return Err(PlanError::AccountUnusable {
                    name: account.name.clone(),
                    reason: format!("{} has no variable for its {what}", policy.agent.title),
                    origin: policy.account.origin.clone(),
                });
            }
        }
    }
    Ok(out)
}

/// What should be known about a named account: what stays outside for its sake, and what its own credential
/// lacks.
pub(super) fn notes(
    policy: &Policy,
    facts: &HostFacts,
    account: &AccountFact,
    withheld: &[&str],
) -> Vec<Note> {
    let name = &account.name;
    let mut out: Vec<Note> = withheld
        .iter()
        .map(|source| {
            let text = format!(
                "`{source}` of the host stays outside, it would override the account `{name}`; \
                 `--env {source}` passes it"
            );
            Note { text, origin: policy.account.origin.clone() }
        })
        .collect();
    let has_token = match account.kind {
        CredentialKind::SetupToken | CredentialKind::ApiKey | CredentialKind::AuthToken => true,
        CredentialKind::Subscription | CredentialKind::Helper | CredentialKind::Cloud => false,
    };
    if has_token {
        let rule = policy.agent.credentials.iter().find(|rule| rule.kind == account.kind);
        let lifetime = rule.and_then(|rule| rule.lifetime_days).map(|days| i64::from(days) * DAY_MS);
        let verified = verify_token(account.has_secret, account.created_at_ms, lifetime, facts.now_ms);
        out.extend(verified.findings.iter().map(|finding| said(finding, name, &policy.agent)));
    }
    out
}

/// A finding as a note, with the way out.
pub(super) fn said(finding: &Finding, account: &str, agent: &Agent) -> Note {
    let text = match finding.cause.hint(account, agent) {
        Some(hint) => format!("{}; {hint}", finding.text),
        None => finding.text.clone(),
    };
    Note { text, origin: Origin::new(OriginLayer::Account, account) }
}
