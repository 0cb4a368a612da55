//! How the run gets to be signed in: what crosses, and which credential wins.

use camino::Utf8PathBuf;

use super::account::{self, OfAccount};
use super::offers::{self, Crossing, HOST, Offers};
use super::{LEASE, gateway, login, shared};
use crate::agent::{CredentialKind, LeaseRule, numbers};
use crate::facts::HostFacts;
use crate::origin::Origin;
use crate::plan::{AuthMode, Credential, Note, PlanError, Reference};
use crate::policy::Policy;
use crate::sign_in::precedence::{self, Around, Present, SignIn};

/// What signing in adds to the plan.
pub(super) struct SignedIn {
    pub(super) credential: Credential,
    pub(super) sign_in: SignIn,
    /// Variables with credentials that cross.
    pub(super) variables: Vec<(String, Reference)>,
    /// What a named account says besides its credential.
    pub(super) account: OfAccount,
    /// The variable that leads to the login folder inside, and that folder.
    pub(super) login_env: Option<(String, &'static str)>,
    /// The link that leads to the lease for versions without such a variable.
    pub(super) link: Option<(String, Utf8PathBuf)>,
    /// The login folder itself, for the mode `shared`.
    pub(super) shared: Option<shared::Shared>,
    pub(super) notes: Vec<Note>,
}

/// Nothing crosses.
pub(super) fn none(policy: &Policy) -> SignedIn {
    SignedIn {
        credential: credential(policy, AuthMode::None),
        sign_in: precedence::winner(&[], Around::default()),
        variables: Vec::new(),
        account: OfAccount::default(),
        login_env: None,
        link: None,
        shared: None,
        notes: Vec::new(),
    }
}

fn credential(policy: &Policy, mode: AuthMode) -> Credential {
    Credential {
        account: policy.account.value.clone(),
        account_origin: policy.account.origin.clone(),
        mode,
        reference: None,
        file: None,
        expires_at_ms: None,
        injection: None,
        origin: policy.auth.origin.clone(),
    }
}

/// Decides what crosses.
pub(super) fn derive(policy: &Policy, facts: &HostFacts) -> Result<SignedIn, PlanError> {
    let mut out = none(policy);
    let around = offers::around(policy, facts);
    let chosen = offers::account(policy, facts);
    if chosen.is_none() && policy.account.value != HOST {
        let (name, origin) = (policy.account.value.clone(), policy.account.origin.clone());
        return Err(PlanError::UnknownAccount { name, origin });
    }
    if policy.auth.value == AuthMode::None {
        out.sign_in = precedence::winner(&offers::passed_by_name(policy, facts), around);
        return Ok(out);
    }
    out.credential.mode = policy.auth.value;
    let through_gateway = policy.auth.value == AuthMode::Gateway;
    let Offers { offers, withheld, helper } = offers::of(policy, facts, through_gateway)?;
    if let Some(chosen) = chosen {
        out.account = account::of(policy, chosen)?;
        out.notes.extend(account::notes(policy, facts, chosen, &withheld));
    } else if let Some(helper) = helper {
        let text = format!(
            "`{helper}` in your settings is a program of the host and does not cross; `--auth gateway` runs it outside"
        );
        out.notes.push(Note { text, origin: policy.auth.origin.clone() });
    }
    if through_gateway {
        gateway::derive(policy, facts, &offers, around, &mut out)?;
        return Ok(out);
    }
    if policy.auth.value == AuthMode::Shared {
        let shared = shared::derive(policy, facts, chosen)?;
        out.login_env = Some((shared.variable.clone(), super::SHARED_STORE));
        out.notes.extend(shared.notes.iter().cloned());
        out.shared = Some(shared);
    }
    let mut asks = None;
    let mut present: Vec<Present<'_>> = Vec::new();
    for offer in &offers {
        match &offer.crossing {
            Crossing::Variable(name, reference) => {
                if matches!(reference, Reference::AccountSecret { .. } | Reference::AccountHelper { .. }) {
                    out.credential.reference = Some(reference.clone());
                }
                out.variables.push((name.clone(), reference.clone()));
            }
            Crossing::There => {}
            Crossing::Login => {
                let must_work = present.is_empty() || policy.auth.value == AuthMode::Shared;
                match login::judge(policy, facts) {
                    // Nobody spends a refresh token for what will not be used.
                    Ok(judged) if judged.renews && !must_work => continue,
                    Ok(judged) => {
                        out.notes.extend(judged.notes);
                        asks = judged.asks;
                        use_login(policy, facts, &mut out);
                    }
                    Err(error) if must_work => return Err(error),
                    // Something else wins anyway, so it stays outside.
                    Err(_) => continue,
                }
            }
        }
        if offer.rule.kind == CredentialKind::Cloud && chosen.is_some() {
            out.account.passes.extend(offer.rule.pass.iter().cloned());
        }
        present.push(offer.present());
    }
    out.sign_in = SignIn { asks, ..precedence::winner(&present, around) };
    Ok(out)
}

/// Adds the login: which file, until when, and how this version of the agent finds it.
pub(super) fn use_login(policy: &Policy, facts: &HostFacts, out: &mut SignedIn) {
    let (Some(layout), Some(fact)) = (&policy.agent.login, &facts.login) else {
        return;
    };
    out.credential.file = Some(fact.file.clone());
    out.credential.expires_at_ms = fact.shape.details().and_then(|details| details.expires_at_ms);
    if out.shared.is_some() {
        return;
    }
    let account = policy.account.value.clone();
    out.credential.reference = Some(Reference::Lease { account, file: fact.file.clone() });
    let version = super::agent_version(policy, facts);
    match lease_rule(&layout.lease, version) {
        Some(LeaseRule { env: Some(name), .. }) => out.login_env = Some((name.clone(), LEASE)),
        Some(LeaseRule { env: None, .. }) | None => {
            out.link = Some((layout.file.clone(), Utf8PathBuf::from(LEASE).join(&layout.file)));
        }
    }
    if facts.agent.is_some() && !policy.backend.value.is_engine() && version.is_none() {
        let text = "the agent's version is unknown; it is taken for the newest".to_owned();
        out.notes.push(Note { text, origin: Origin::built_in("lease") });
    }
}

/// The last rule whose first version is at most the agent's; the newest rule when that is unknown.
pub(super) fn lease_rule<'a>(rules: &'a [LeaseRule], version: Option<&str>) -> Option<&'a LeaseRule> {
    match version {
        None => rules.last(),
        Some(version) => rules.iter().rev().find(|rule| numbers(&rule.since) <= numbers(version)),
    }
}
