//! What is known of each account: read anew each time, decided by the functions that runs ask as well.

use camino::Utf8PathBuf;
use coffer_account::layout::{AccountFolder, AccountName, accounts};
use coffer_ledger::{LastRefresh, Outcome};
use coffer_plan::agent::{Agent, CredentialKind, CredentialOrigin};
use coffer_plan::config::{Flags, Settings};
use coffer_plan::derive::on_host;
use coffer_plan::facts::{HostFacts, LoginFact};
use coffer_plan::sign_in::precedence::SignIn;
use coffer_plan::sign_in::shape::LoginShape;
use coffer_plan::sign_in::verify::{Place, RefusedBefore, Seen, Verified, verify, verify_token};

use super::document;
use crate::account_facts;
use crate::commands::ledger;
use crate::error::Error;
use crate::prepare::{Gathered, gather, prepare};

#[cfg(test)]
mod tests;

/// A day, in ms.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Everything that status is made of.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) facts: HostFacts,
    pub(crate) agent: Agent,
    /// The account that is chosen here.
    pub(crate) chosen: String,
    /// The account that was asked about, or else the one that is chosen.
    pub(crate) about: String,
    /// Which credential a run here with that account would use.
    pub(crate) winner: SignIn,
    /// The host's, then the named ones by name.
    pub(crate) accounts: Vec<AccountSeen>,
    /// What could not be read, in words.
    pub(crate) unread: Vec<String>,
}

/// One account as it is now.
#[derive(Debug)]
pub(crate) struct AccountSeen {
    pub(crate) name: AccountName,
    pub(crate) kind: CredentialKind,
    pub(crate) login: Option<LoginFact>,
    pub(crate) verified: Verified,
    pub(crate) runs: usize,
    pub(crate) last_refresh: Option<LastRefresh>,
}

/// Looks at all accounts. `named`: who wins is told for this account instead of the one that is chosen.
pub(crate) fn look(named: Option<&str>) -> Result<Looked, Error> {
    let Gathered { mut facts, merged, inputs } = gather(&Flags::default(), None)?;
    let agent = inputs.agent;
    let mut scopes: Vec<String> = agent.login.iter().flat_map(|login| login.scopes.clone()).collect();
    scopes.extend(merged.scopes.into_iter().map(|scope| scope.value));
    let chosen = merged.account.value;
    let asked = named.unwrap_or(&chosen).to_owned();
    let mut unread = Vec::new();
    facts = about(&facts, &agent, &AccountName::host()).unwrap_or_else(|error| {
        unread.push(error.to_string());
        HostFacts { account: None, login: coffer_host::host_login(&facts, &agent), ..facts }
    });
    let winner = winner(&facts, &agent, &asked);
    let mut last = ledger::of(&facts).last_refreshes().unwrap_or_else(|error| {
        unread.push(format!("the last refreshes are unknown: {error}"));
        Default::default()
    });
    let live = coffer_launch::run::live_runs(&facts.folders.runtime);
    let mut accounts = vec![host(&facts, &agent, &scopes)];
    for name in named_accounts(&facts) {
        match about(&facts, &agent, &name) {
            Ok(own) => match account(&own, &agent, name.clone(), &scopes) {
                Some(account) => accounts.push(account),
                None => unread.push(format!("the account `{name}` has no `account.json`")),
            },
            Err(error) => unread.push(format!("the account `{name}` cannot be read: {error}")),
        }
    }
    for account in &mut accounts {
        let name = account.name.as_str();
        account.runs =
            live.iter().filter(|run| run.about.as_ref().is_some_and(|about| about.account == name)).count();
        let remembered = memory(&facts, &account.name);
        // Whichever is newer: a full disk can keep one of them from being written.
        account.last_refresh =
            last.remove(name).into_iter().chain(remembered).max_by_key(|refresh| refresh.at);
    }
    Ok(Looked { facts, agent, chosen, about: asked, winner, accounts, unread })
}

/// How the keepers remember the last refresh.
fn memory(facts: &HostFacts, name: &AccountName) -> Option<LastRefresh> {
    let last = account_facts::memory(&AccountFolder::new(&facts.folders.data, name)).last?;
    let at = jiff::Timestamp::from_millisecond(last.at_ms).ok()?;
    Some(LastRefresh { at, outcome: last.outcome, error: last.error })
}

/// The facts, about this account instead of the one that is chosen.
pub(super) fn about(facts: &HostFacts, agent: &Agent, name: &AccountName) -> Result<HostFacts, Error> {
    let login = name.is_host().then(|| coffer_host::host_login(facts, agent)).flatten();
    let mut own = HostFacts { account: None, login, ..facts.clone() };
    account_facts::look_up(&mut own, name.as_str(), agent)?;
    Ok(own)
}

/// The same for facts alone: the host's account, and who wins on the host.
#[cfg(test)]
pub(crate) fn judge(facts: HostFacts, agent: Agent) -> Looked {
    let scopes: Vec<String> = agent.login.iter().flat_map(|login| login.scopes.clone()).collect();
    let accounts = vec![host(&facts, &agent, &scopes)];
    let (winner, chosen) = (on_host(&agent, &facts), coffer_account::layout::HOST.to_owned());
    Looked { facts, agent, about: chosen.clone(), chosen, winner, accounts, unread: Vec::new() }
}

/// As the audit's Sign-in line has it, if a run could be planned here; else as the host itself has it.
fn winner(facts: &HostFacts, agent: &Agent, chosen: &str) -> SignIn {
    let flags = Flags {
        settings: Settings { account: Some(chosen.to_owned()), ..Settings::default() },
        ..Flags::default()
    };
    let refused = match prepare(&flags, None) {
        Ok(prepared) if prepared.plan.sign_in.winner.is_some() => return prepared.plan.sign_in.clone(),
        Ok(_) => "nothing crosses".to_owned(),
        Err(error) => {
            error.findings().into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("; ")
        }
    };
    if chosen == coffer_account::layout::HOST {
        // A plan is refused for many reasons, and most of them have nothing to do with signing in.
        return on_host(agent, facts);
    }
    let reason = format!("a run with the account `{chosen}` is refused: {refused}");
    SignIn { winner: None, kind: None, reason, warning: None, asks: None }
}

/// The named accounts, by name; what has no account's name is none.
fn named_accounts(facts: &HostFacts) -> Vec<AccountName> {
    let entries = accounts(&facts.folders.data).read_dir_utf8().into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().parse::<AccountName>().ok());
    let mut names: Vec<AccountName> = names.filter(|name| !name.is_host()).collect();
    names.sort();
    names
}

/// The user's own login, or what stands for it in the environment and the settings. `facts` are the host's.
fn host(facts: &HostFacts, agent: &Agent, scopes: &[String]) -> AccountSeen {
    let login = facts.login.clone();
    let signed_out =
        login.as_ref().is_none_or(|login| matches!(login.shape, LoginShape::Missing | LoginShape::SignedOut));
    let winner = on_host(agent, facts);
    let other = winner.kind.filter(|_| winner.winner.is_some() && signed_out);
    let login_kind = agent.credentials.iter().find(|rule| rule.from == CredentialOrigin::Login);
    let (kind, verified) = match other {
        // No file, but a key: nothing is missing.
        Some(kind) => (kind, verify_token(true, facts.now_ms, None, facts.now_ms)),
        None => {
            let kind = login_kind.map_or(CredentialKind::ApiKey, |rule| rule.kind);
            (kind, verify_login(facts, scopes))
        }
    };
    AccountSeen { name: AccountName::host(), kind, login, verified, runs: 0, last_refresh: None }
}

/// A named account; `facts` are about it.
fn account(facts: &HostFacts, agent: &Agent, name: AccountName, scopes: &[String]) -> Option<AccountSeen> {
    let record = facts.account.as_ref()?;
    let (kind, now_ms) = (record.kind, facts.now_ms);
    let is_login = kind == CredentialKind::Subscription;
    let verified = match kind {
        CredentialKind::Subscription => verify_login(facts, scopes),
        CredentialKind::SetupToken | CredentialKind::ApiKey | CredentialKind::AuthToken => {
            let rule = agent.credentials.iter().find(|rule| rule.kind == kind);
            let lifetime = rule.and_then(|rule| rule.lifetime_days).map(|days| i64::from(days) * DAY_MS);
            verify_token(record.has_secret, record.created_at_ms, lifetime, now_ms)
        }
        CredentialKind::Helper => verify_token(record.helper.is_some(), now_ms, None, now_ms),
        CredentialKind::Cloud => verify_token(true, now_ms, None, now_ms),
    };
    let login = facts.login.clone().filter(|_| is_login);
    Some(AccountSeen { name, kind, login, verified, runs: 0, last_refresh: None })
}

/// What the login that the facts are about is worth.
fn verify_login(facts: &HostFacts, scopes: &[String]) -> Verified {
    let (uid, missing) = (facts.user.uid, LoginShape::Missing);
    let login = facts.login.as_ref();
    let nowhere = Place { own_uid: uid, file: None, folder: None, leads_out: false };
    let record = facts.account.as_ref();
    let refused = record.and_then(|record| record.refused.as_ref());
    verify(&Seen {
        shape: login.map_or(&missing, |login| &login.shape),
        place: login.map_or(nowhere, |login| login.place(uid)),
        marker_matches: record.and_then(|record| record.marker_matches),
        refused: refused
            .map(|refused| RefusedBefore { fingerprint: &refused.fingerprint, because: refused.because }),
        demanded_scopes: scopes,
        now_ms: facts.now_ms,
    })
}

impl Looked {
    /// As JSON has it.
    pub(crate) fn document(&self, only: Option<&AccountName>) -> document::Document {
        let SignIn { winner, kind: _, reason, warning, asks: _ } = self.winner.clone();
        let shown = self.accounts.iter().filter(|account| only.is_none_or(|only| account.name == *only));
        document::Document {
            schema: 1,
            winner: document::Winner { source: winner, account: self.about.clone(), reason, warning },
            accounts: shown.map(AccountSeen::document).collect(),
            probe: None,
        }
    }

    /// The account with this name.
    pub(crate) fn account(&self, name: &str) -> Option<&AccountSeen> {
        self.accounts.iter().find(|account| account.name.as_str() == name)
    }

    /// Everything whose change could change what was seen.
    pub(crate) fn places(&self) -> Vec<Utf8PathBuf> {
        let folders = &self.facts.folders;
        let mut places = vec![
            folders.data.clone(),
            accounts(&folders.data),
            folders.data.join("ledger"),
            folders.runtime.join("runs"),
        ];
        for account in &self.accounts {
            places.push(AccountFolder::new(&folders.data, &account.name).root().to_owned());
            places.extend(account.login.iter().map(|login| login.folder.clone()));
        }
        places.extend(self.facts.settings.iter().filter_map(|fact| fact.file.parent()).map(Into::into));
        places.sort();
        places.dedup();
        places
    }
}

impl AccountSeen {
    fn document(&self) -> document::Account {
        let details = self.login.as_ref().and_then(|login| login.shape.details());
        let last = self.last_refresh.as_ref();
        document::Account {
            name: self.name.to_string(),
            kind: self.kind,
            verdict: self.verified.verdict,
            trigger: self.verified.trigger,
            access_expires_at: self.verified.access_expires_at_ms.and_then(time),
            login_expires_at: self.verified.login_expires_at_ms.and_then(time),
            scopes: details.map(|details| details.scopes.clone()).unwrap_or_default(),
            subscription: details.and_then(|details| details.subscription.clone()),
            fingerprint: details.and_then(|details| details.fingerprint.clone()),
            runs: self.runs,
            last_refresh: last.map(|last| document::LastRefresh {
                at: last.at.to_string(),
                outcome: match last.outcome {
                    Outcome::Ok | Outcome::Adopted => document::Outcome::Ok,
                    Outcome::Transient => document::Outcome::Transient,
                    Outcome::Permanent => document::Outcome::Permanent,
                },
                error: last.error.clone(),
            }),
        }
    }
}

/// RFC 3339; `None` for numbers that are no time.
fn time(ms: i64) -> Option<String> {
    jiff::Timestamp::from_millisecond(ms).ok().map(|time| time.to_string())
}
