//! The auth mode `gateway`: the sandbox holds a word that only its run knows, and the gateway outside puts the
//! credential in its place.

use super::account::OfAccount;
use super::credential::SignedIn;
use super::offers::{Crossing, Offer};
use super::{credential, login, network};
use crate::agent::{Agent, CredentialKind, CredentialRule};
use crate::facts::{EnvFact, HostFacts, SettingsScope};
use crate::plan::{AuthMode, Injection, PlanError, Reference};
use crate::policy::Policy;
use crate::sign_in::precedence::{self, Around, Present, SignIn};

/// The stand-in that is a login file.
const LOGIN: &str = "login";

/// Decides which credential the gateway has. Only the one that wins is used; no other crosses.
pub(super) fn derive(
    policy: &Policy,
    facts: &HostFacts,
    offers: &[Offer<'_>],
    around: Around<'_>,
    out: &mut SignedIn,
) -> Result<(), PlanError> {
    let refuse = |reason: &'static str| PlanError::AuthUnavailable {
        mode: AuthMode::Gateway,
        reason,
        origin: policy.auth.origin.clone(),
    };
    let present: Vec<Present<'_>> = offers.iter().map(Offer::present).collect();
    let sign_in = precedence::winner(&present, around);
    let chosen = offers.iter().find(|offer| Some(&offer.rule.source) == sign_in.winner.as_ref());
    let Some(offer) = chosen else {
        out.sign_in = sign_in;
        return Ok(());
    };
    let Some(layout) = &policy.agent.gateway else {
        return Err(refuse("this agent says nothing of a gateway"));
    };
    let Some(stand_in) = &offer.rule.stand_in else {
        return Err(refuse("a cloud provider's requests are signed by the client itself"));
    };
    let api = network::api(policy, facts, &out.account)
        .transpose()?
        .ok_or_else(|| refuse("its API is not known"))?;
    let real = match &offer.crossing {
        Crossing::Variable(_, reference) => reference.clone(),
        Crossing::There if offer.rule.kind == CredentialKind::Helper => helper(policy, facts, offer.rule)
            .ok_or_else(|| {
                refuse("the helper stands in the project's settings, and nobody has agreed to run it")
            })?,
        Crossing::There => {
            return Err(refuse(
                "the credential is passed by name, or stands in the project: it is inside already",
            ));
        }
        Crossing::Login => {
            let judged = login::judge(policy, facts)?;
            out.notes.extend(judged.notes);
            credential::use_login(policy, facts, out);
            let file = out.credential.file.clone().ok_or_else(|| refuse("there is no login file"))?;
            out.sign_in.asks = judged.asks;
            Reference::Lease { account: policy.account.value.clone(), file }
        }
    };
    if stand_in != LOGIN {
        out.variables.push((stand_in.clone(), Reference::Capability));
    }
    out.credential.reference = Some(real);
    out.credential.injection = Some(Injection {
        upstream: api.url,
        upstream_ref: api.whole,
        ranges: api.ranges,
        headers: offer.rule.headers.clone(),
        strip: layout.strip.clone(),
        strip_query: layout.strip_query.clone(),
        helper_ttl_ms: helper_ttl(&policy.agent, facts, &out.account),
    });
    let held = "the gateway has it, the sandbox a word of this run in its place";
    let asks = out.sign_in.asks.take();
    out.sign_in = SignIn { reason: format!("{}; {held}", sign_in.reason), asks, ..sign_in };
    Ok(())
}

/// The helper in the user's own settings; one in the project's counts for nothing.
fn helper(policy: &Policy, facts: &HostFacts, rule: &CredentialRule) -> Option<Reference> {
    let users = facts.settings.iter().find(|settings| settings.scope == SettingsScope::User)?;
    let named = users.redirects.contains(&rule.source);
    named.then(|| Reference::SettingsHelper { agent: policy.agent.name.clone(), file: users.file.clone() })
}

/// For how long what a helper printed is used.
fn helper_ttl(agent: &Agent, facts: &HostFacts, account: &OfAccount) -> u64 {
    let Some(layout) = &agent.gateway else { return 0 };
    let said = layout.helper_ttl_env.as_ref().filter(|_| account.name.is_none()).and_then(|name| {
        let users = facts.settings.iter().find(|settings| settings.scope == SettingsScope::User);
        let in_settings = users.and_then(|settings| settings.env.get(name));
        match in_settings.or_else(|| facts.environment.get(name)) {
            Some(EnvFact::Value(text)) => text.parse().ok(),
            Some(EnvFact::Redacted(_) | EnvFact::Empty) | None => None,
        }
    });
    said.unwrap_or(layout.helper_ttl_ms)
}
