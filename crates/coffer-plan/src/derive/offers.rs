//! The credentials that there are, in the agent's order: what is there inside, what crosses, and what stays
//! outside because another account was chosen.

use crate::agent::{Agent, CredentialKind, CredentialOrigin, CredentialRule};
use crate::facts::{AccountFact, EnvFact, HostFacts, SettingsScope};
use crate::plan::{PlanError, Reference};
use crate::policy::Policy;
use crate::sign_in::precedence::{self, Around, OF_ACCOUNT, Present, SignIn, says_no};
use crate::sign_in::shape::LoginShape;

/// A credential that will be there inside, if nothing speaks against it.
#[derive(Debug, Clone)]
pub(super) struct Offer<'a> {
    pub(super) rule: &'a CredentialRule,
    pub(super) found: &'static str,
    pub(super) crossing: Crossing,
}

/// How a credential comes to be inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Crossing {
    /// In a variable.
    Variable(String, Reference),
    /// With the login file, by lease or shared.
    Login,
    /// It is there anyway: in the project's settings, or passed by name.
    There,
}

impl<'a> Offer<'a> {
    pub(super) fn present(&self) -> Present<'a> {
        Present { rule: self.rule, found: self.found }
    }
}

/// What there is.
#[derive(Debug, Clone, Default)]
pub(super) struct Offers<'a> {
    pub(super) offers: Vec<Offer<'a>>,
    /// What the host has and this account does not want.
    pub(super) withheld: Vec<&'a str>,
    /// A helper in the user's settings: it does not cross.
    pub(super) helper: Option<&'a str>,
}

/// The named account that was chosen, if it is there.
pub(super) fn account<'a>(policy: &Policy, facts: &'a HostFacts) -> Option<&'a AccountFact> {
    facts.account.as_ref().filter(|account| account.name == policy.account.value && account.name != HOST)
}

/// The user's own login.
pub(super) const HOST: &str = crate::sign_in::OWN_ACCOUNT;

/// What makes the agent ignore credentials, and whose they are.
pub(super) fn around<'a>(policy: &'a Policy, facts: &'a HostFacts) -> Around<'a> {
    let arguments = if policy.runs_agent { policy.command.value.as_slice() } else { &[] };
    let says_yes = |name: &str| {
        let set = policy.env_set.iter().rev().find(|entry| entry.value.0 == name);
        match set {
            Some(entry) => !says_no(&entry.value.1),
            None => facts.public_value(name).is_some_and(|value| !says_no(value)),
        }
    };
    Around {
        account: account(policy, facts).map(|account| account.name.as_str()),
        bare: precedence::bare(&policy.agent.bare, arguments, says_yes),
    }
}

/// Which credential the agent uses on the host itself, outside of any sandbox, and why: as for a run into which
/// everything crosses, the helper included. What `coffer status` says.
pub fn on_host(agent: &Agent, facts: &HostFacts) -> SignIn {
    let present: Vec<Present<'_>> =
        of_host(agent, facts).iter().map(|offer| Present { rule: offer.rule, found: offer.found }).collect();
    let says_yes = |name: &str| facts.public_value(name).is_some_and(|value| !says_no(value));
    let around = Around { account: None, bare: precedence::bare(&agent.bare, &[], says_yes) };
    match precedence::winner(&present, around) {
        nothing @ SignIn { winner: None, .. } => {
            SignIn { reason: "there is no credential".to_owned(), ..nothing }
        }
        some => some,
    }
}

/// What there is for the account that was chosen; a helper in the user's settings is one of the offers only where
/// it can be run outside.
pub(super) fn of<'a>(
    policy: &'a Policy,
    facts: &'a HostFacts,
    with_helper: bool,
) -> Result<Offers<'a>, PlanError> {
    match account(policy, facts) {
        Some(account) => of_named(policy, facts, account),
        None if with_helper => {
            Ok(Offers { offers: of_host(&policy.agent, facts), helper: None, withheld: Vec::new() })
        }
        None => {
            let (helpers, offers) = of_host(&policy.agent, facts)
                .into_iter()
                .partition::<Vec<_>, _>(|offer| offer.rule.from == CredentialOrigin::Setting);
            let helper = helpers.first().map(|offer| offer.rule.source.as_str());
            Ok(Offers { offers, helper, withheld: Vec::new() })
        }
    }
}

/// Credentials that a person passes by name (`--env ANTHROPIC_API_KEY`), whatever the auth mode.
pub(super) fn passed_by_name<'a>(policy: &'a Policy, facts: &HostFacts) -> Vec<Present<'a>> {
    let rules = policy.agent.credentials.iter().filter(|rule| is_passed_by_name(rule, policy, facts));
    rules.map(|rule| Present { rule, found: BY_NAME }).collect()
}

const BY_NAME: &str = "passed by name";

fn is_passed_by_name(rule: &CredentialRule, policy: &Policy, facts: &HostFacts) -> bool {
    let passed = policy.env_pass.iter().any(|entry| entry.value == rule.source);
    rule.from == CredentialOrigin::Env && passed && facts.is_set(&rule.source)
}

/// Everything that the user has, in the agent's order.
fn of_host<'a>(agent: &'a Agent, facts: &HostFacts) -> Vec<Offer<'a>> {
    let found = |rule: &'a CredentialRule| match rule.from {
        CredentialOrigin::Env => found_variable(rule, facts),
        CredentialOrigin::Setting => is_in_settings(rule, facts).then_some(Offer {
            rule,
            found: "named in the settings",
            crossing: Crossing::There,
        }),
        CredentialOrigin::Login => has_login(facts).then_some(Offer {
            rule,
            found: "signed in on the host",
            crossing: Crossing::Login,
        }),
    };
    agent.credentials.iter().filter_map(found).collect()
}

/// The account's own credential crosses. What the host has besides would override it, so it stays outside,
/// unless a person passes it by name, or the project has it.
fn of_named<'a>(
    policy: &'a Policy,
    facts: &'a HostFacts,
    account: &'a AccountFact,
) -> Result<Offers<'a>, PlanError> {
    let unusable = |reason: String| PlanError::AccountUnusable {
        name: account.name.clone(),
        reason,
        origin: policy.account.origin.clone(),
    };
    if account.agent != policy.agent.name {
        return Err(unusable(format!("it is for the agent `{}`", account.agent)));
    }
    let mut out = Offers::default();
    let mut has_own = false;
    for rule in &policy.agent.credentials {
        if let Some(crossing) = own(rule, policy, facts, account).map_err(unusable)? {
            has_own = true;
            if let Some(crossing) = crossing {
                out.offers.push(Offer { rule, found: OF_ACCOUNT, crossing });
            }
        } else if rule.from == CredentialOrigin::Env && is_in_project(&rule.source, facts) {
            out.offers.push(Offer { rule, found: IN_PROJECT, crossing: Crossing::There });
        } else if is_passed_by_name(rule, policy, facts) {
            out.offers.push(Offer { rule, found: BY_NAME, crossing: Crossing::There });
        } else if is_on_host(rule, facts) {
            out.withheld.push(&rule.source);
        }
    }
    if has_own {
        return Ok(out);
    }
    Err(unusable(match account.kind {
        CredentialKind::Cloud => {
            let switches = policy.agent.credentials.iter().filter(|rule| rule.kind == CredentialKind::Cloud);
            let names: Vec<String> = switches.map(|rule| format!("`{}`", rule.source)).collect();
            format!("no cloud provider is chosen in the environment ({})", names.join(", "))
        }
        kind => format!("{} knows no credential of the kind `{kind}`", policy.agent.title),
    }))
}

/// Whether a rule is the account's own credential; the inner value is `None` when the credential itself is
/// missing.
fn own(
    rule: &CredentialRule,
    policy: &Policy,
    facts: &HostFacts,
    account: &AccountFact,
) -> Result<Option<Option<Crossing>>, String> {
    let name = account.name.clone();
    let variable = |reference| Crossing::Variable(rule.source.clone(), reference);
    Ok(match (account.kind, rule.from) {
        (CredentialKind::Subscription, CredentialOrigin::Login) => {
            Some(has_login(facts).then_some(Crossing::Login))
        }
        (
            CredentialKind::SetupToken | CredentialKind::ApiKey | CredentialKind::AuthToken,
            CredentialOrigin::Env,
        ) if rule.kind == account.kind && is_first_of_kind(rule, policy) => {
            let secret = Reference::AccountSecret { account: name };
            Some(account.has_secret.then(|| variable(secret)))
        }
        (CredentialKind::Helper, CredentialOrigin::Env)
            if policy.agent.account.helper.as_ref() == Some(&rule.source) =>
        {
            let Some(program) = account.helper.clone() else {
                return Err("its helper program is not found".to_owned());
            };
            Some(Some(variable(Reference::AccountHelper { account: name, program })))
        }
        (CredentialKind::Cloud, CredentialOrigin::Env) if rule.kind == CredentialKind::Cloud => {
            found_variable(rule, facts).map(|found| Some(found.crossing))
        }
        _ => None,
    })
}

fn is_first_of_kind(rule: &CredentialRule, policy: &Policy) -> bool {
    let mut rules = policy.agent.credentials.iter();
    let first = rules.find(|other| other.kind == rule.kind && other.from == rule.from);
    first.is_some_and(|first| first.source == rule.source)
}

fn has_login(facts: &HostFacts) -> bool {
    match facts.login.as_ref().map(|login| &login.shape) {
        None | Some(LoginShape::Missing | LoginShape::SignedOut) => false,
        Some(LoginShape::Unreadable { .. } | LoginShape::Unusable { .. } | LoginShape::Login(_)) => true,
    }
}

fn is_in_settings(rule: &CredentialRule, facts: &HostFacts) -> bool {
    facts.settings.iter().any(|settings| settings.redirects.contains(&rule.source))
}

fn is_on_host(rule: &CredentialRule, facts: &HostFacts) -> bool {
    match rule.from {
        CredentialOrigin::Env => found_variable(rule, facts).is_some(),
        CredentialOrigin::Setting => is_in_settings(rule, facts),
        // The host's own login stays where it is anyway.
        CredentialOrigin::Login => false,
    }
}

const IN_PROJECT: &str = "set in the project's settings";

fn settings_with<'a>(
    name: &str,
    scope: SettingsScope,
    facts: &'a HostFacts,
) -> Option<&'a camino::Utf8PathBuf> {
    let mut files = facts.settings.iter().filter(|settings| settings.scope == scope);
    let found = files.find(|settings| settings.env.get(name).is_some_and(EnvFact::is_set));
    found.map(|settings| &settings.file)
}

fn is_in_project(name: &str, facts: &HostFacts) -> bool {
    settings_with(name, SettingsScope::Project, facts).is_some()
}

/// The settings' `env` block wins over the environment, and the project's over the user's.
fn found_variable<'a>(rule: &'a CredentialRule, facts: &HostFacts) -> Option<Offer<'a>> {
    let name = &rule.source;
    if is_in_project(name, facts) {
        return Some(Offer { rule, found: IN_PROJECT, crossing: Crossing::There });
    }
    let (found, reference) = match settings_with(name, SettingsScope::User, facts) {
        Some(file) => {
            ("set in your settings", Reference::SettingsEnv { name: name.clone(), file: file.clone() })
        }
        // A switch that says no chooses nothing.
        None if rule.kind == CredentialKind::Cloud && facts.public_value(name).is_some_and(says_no) => {
            return None;
        }
        None if facts.is_set(name) => ("set in the environment", Reference::HostEnv(name.clone())),
        None => return None,
    };
    Some(Offer { rule, found, crossing: Crossing::Variable(name.clone(), reference) })
}
