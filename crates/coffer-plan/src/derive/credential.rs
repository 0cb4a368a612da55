//! How the run gets to be signed in: what crosses, and which credential wins.

use camino::Utf8PathBuf;

use super::LEASE;
use crate::agent::{Agent, CredentialOrigin, CredentialRule, LeaseRule};
use crate::facts::{EnvFact, HostFacts, LoginFact, SettingsScope};
use crate::origin::Origin;
use crate::plan::{AuthMode, Credential, Note, PlanError, Reference};
use crate::policy::Policy;
use crate::sign_in::precedence::{self, Present, SignIn};
use crate::sign_in::shape::{LoginDetails, LoginShape};

/// A lease that ends sooner than this is refused: the CLI itself would refresh from here on.
const MIN_LEFT_MS: i64 = 5 * 60 * 1000;

/// What signing in adds to the plan.
pub(super) struct SignedIn {
    pub(super) credential: Credential,
    pub(super) sign_in: SignIn,
    /// Variables with credentials that cross.
    pub(super) variables: Vec<(String, Reference)>,
    /// The variable that leads to the lease folder.
    pub(super) lease_env: Option<String>,
    /// The link that leads to the lease for versions without such a variable.
    pub(super) link: Option<(String, Utf8PathBuf)>,
    pub(super) notes: Vec<Note>,
}

/// Nothing crosses.
pub(super) fn none(policy: &Policy) -> SignedIn {
    SignedIn {
        credential: credential(policy, AuthMode::None),
        sign_in: precedence::decide(&[]),
        variables: Vec::new(),
        lease_env: None,
        link: None,
        notes: Vec::new(),
    }
}

fn credential(policy: &Policy, mode: AuthMode) -> Credential {
    Credential {
        account: policy.account.value.clone(),
        mode,
        reference: None,
        file: None,
        expires_at_ms: None,
        origin: policy.auth.origin.clone(),
    }
}

/// Decides what crosses.
pub(super) fn derive(policy: &Policy, facts: &HostFacts) -> Result<SignedIn, PlanError> {
    let mut out = none(policy);
    if policy.auth.value == AuthMode::None {
        out.sign_in = precedence::decide(&passed_by_name(policy, facts));
        return Ok(out);
    }
    out.credential.mode = policy.auth.value;
    let mut present: Vec<Present<'_>> = Vec::new();
    for rule in &policy.agent.credentials {
        if let Some(found) = found(rule, facts) {
            match (rule.from, found.reference) {
                (CredentialOrigin::Env, Some(reference)) => {
                    out.variables.push((rule.source.clone(), reference))
                }
                (CredentialOrigin::Env, None) => {}
                (CredentialOrigin::Setting, _) => {
                    let text = format!(
                        "`{}` in your settings is a program of the host and does not cross yet",
                        rule.source
                    );
                    out.notes.push(Note { text, origin: policy.auth.origin.clone() });
                    continue;
                }
                (CredentialOrigin::Login, _) => match login(policy, facts, present.is_empty()) {
                    Ok(true) => lease(policy, facts, &mut out),
                    Ok(false) => continue,
                    Err(error) => return Err(error),
                },
            }
            present.push(Present { rule, found: found.words });
        }
    }
    out.sign_in = precedence::decide(&present);
    Ok(out)
}

/// Which credential the agent uses on the host itself, outside of any sandbox, and why: as for a run into which
/// everything crosses, the helper included.
pub fn on_host(agent: &Agent, facts: &HostFacts) -> SignIn {
    let rules = agent.credentials.iter();
    let present: Vec<Present<'_>> = rules
        .filter_map(|rule| found(rule, facts).map(|found| Present { rule, found: found.words }))
        .collect();
    match present.is_empty() {
        true => SignIn { reason: "there is no credential".to_owned(), ..precedence::decide(&present) },
        false => precedence::decide(&present),
    }
}

/// Credentials that a person passes by name (`--env ANTHROPIC_API_KEY`), whatever the auth mode.
fn passed_by_name<'a>(policy: &'a Policy, facts: &HostFacts) -> Vec<Present<'a>> {
    let named = |rule: &&CredentialRule| {
        let passed = policy.env_pass.iter().any(|entry| entry.value == rule.source);
        rule.from == CredentialOrigin::Env && passed && facts.is_set(&rule.source)
    };
    let rules = policy.agent.credentials.iter().filter(named);
    rules.map(|rule| Present { rule, found: "passed by name" }).collect()
}

struct Found {
    words: &'static str,
    /// How it crosses; `None` when it is in the sandbox anyway.
    reference: Option<Reference>,
}

/// Whether, and where, a credential is there. The settings' `env` block wins over the environment.
fn found(rule: &CredentialRule, facts: &HostFacts) -> Option<Found> {
    match rule.from {
        CredentialOrigin::Env => found_variable(&rule.source, facts),
        CredentialOrigin::Setting => {
            let named = facts.settings.iter().any(|settings| settings.redirects.contains(&rule.source));
            named.then_some(Found { words: "named in the settings", reference: None })
        }
        CredentialOrigin::Login => match facts.login.as_ref().map(|login| &login.shape) {
            None | Some(LoginShape::Missing | LoginShape::SignedOut) => None,
            Some(LoginShape::Unreadable { .. } | LoginShape::Unusable { .. } | LoginShape::Login(_)) => {
                Some(Found { words: "signed in on the host", reference: None })
            }
        },
    }
}

fn found_variable(name: &str, facts: &HostFacts) -> Option<Found> {
    let in_scope = |scope: SettingsScope| {
        let mut files = facts.settings.iter().filter(move |settings| settings.scope == scope);
        files.find(|settings| settings.env.get(name).is_some_and(EnvFact::is_set))
    };
    if in_scope(SettingsScope::Project).is_some() {
        return Some(Found { words: "set in the project's settings", reference: None });
    }
    let (words, reference) = match in_scope(SettingsScope::User) {
        Some(settings) => {
            let reference = Reference::SettingsEnv { name: name.to_owned(), file: settings.file.clone() };
            ("set in your settings", reference)
        }
        None if facts.is_set(name) => ("set in the environment", Reference::HostEnv(name.to_owned())),
        None => return None,
    };
    Some(Found { words, reference: Some(reference) })
}

/// Whether the login crosses. When it would win and cannot, that is an error; when something else wins
/// anyway, it stays outside.
fn login(policy: &Policy, facts: &HostFacts, would_win: bool) -> Result<bool, PlanError> {
    let Some(fact) = &facts.login else {
        return Ok(false);
    };
    match usable(policy, fact, facts.now_ms) {
        Ok(()) => Ok(true),
        Err(error) if would_win => Err(error),
        Err(_) => Ok(false),
    }
}

fn usable(policy: &Policy, fact: &LoginFact, now_ms: i64) -> Result<(), PlanError> {
    let agent = policy.agent.command.first().cloned().unwrap_or_default();
    let file = fact.file.clone();
    let unusable =
        |reason: String| PlanError::LoginUnusable { file: file.clone(), reason, agent: agent.clone() };
    let details: &LoginDetails = match &fact.shape {
        LoginShape::Missing | LoginShape::SignedOut => return Err(unusable("there is none".to_owned())),
        LoginShape::Unreadable { error } => return Err(unusable(error.clone())),
        LoginShape::Unusable { reason } => return Err(unusable(reason.clone())),
        LoginShape::Login(details) => details,
    };
    let demanded = policy.agent.login.iter().flat_map(|login| &login.scopes);
    if let Some(scope) = demanded.into_iter().find(|scope| !details.scopes.contains(scope)) {
        return Err(unusable(format!("the scope `{scope}` is missing")));
    }
    match details.expires_at_ms {
        Some(end) if end.saturating_sub(now_ms) < MIN_LEFT_MS => {
            let ends = match end.saturating_sub(now_ms) / 1000 {
                left if left > 0 => format!("ends in {left} s"),
                gone => format!("ended {} s ago", -gone),
            };
            Err(PlanError::LoginEnding { file, ends, agent })
        }
        Some(_) | None => Ok(()),
    }
}

/// Adds the lease: its folder, and how this version of the agent finds it.
fn lease(policy: &Policy, facts: &HostFacts, out: &mut SignedIn) {
    let (Some(layout), Some(fact)) = (&policy.agent.login, &facts.login) else {
        return;
    };
    out.credential.reference = Some(Reference::Lease { file: fact.file.clone() });
    out.credential.file = Some(fact.file.clone());
    if let LoginShape::Login(details) = &fact.shape {
        out.credential.expires_at_ms = details.expires_at_ms;
    }
    let version = facts.agent.as_ref().and_then(|agent| agent.version.as_deref());
    match lease_rule(&layout.lease, version) {
        Some(LeaseRule { env: Some(name), .. }) => out.lease_env = Some(name.clone()),
        Some(LeaseRule { env: None, .. }) | None => {
            out.link = Some((layout.file.clone(), Utf8PathBuf::from(LEASE).join(&layout.file)));
        }
    }
    if facts.agent.is_some() && version.is_none() {
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

/// A version as numbers, so that 2.1.9 comes before 2.1.10.
fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}
