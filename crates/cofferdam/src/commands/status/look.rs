//! What is known of each account: read anew each time, decided by the functions that runs ask as well.

use camino::Utf8PathBuf;
use coffer_account::layout::{AccountFolder, AccountName, accounts};
use coffer_account::record::AccountRecord;
use coffer_ledger::{LastRefresh, Outcome};
use coffer_plan::agent::{Agent, CredentialKind, CredentialOrigin};
use coffer_plan::config::Flags;
use coffer_plan::derive::on_host;
use coffer_plan::facts::{HostFacts, LoginFact};
use coffer_plan::sign_in::precedence::SignIn;
use coffer_plan::sign_in::shape::LoginShape;
use coffer_plan::sign_in::verify::{
    Owned, RefusedBecause, RefusedBefore, Seen, Verified, verify, verify_token,
};

use super::document;
use crate::commands::ledger;
use crate::error::Error;
use crate::prepare::{Gathered, gather, prepare};

#[cfg(test)]
mod tests;

/// Everything that status is made of.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) facts: HostFacts,
    pub(crate) agent: Agent,
    /// The account that is chosen here.
    pub(crate) chosen: String,
    /// Which credential a run here would use.
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
    pub(crate) record: Option<AccountRecord>,
    pub(crate) login: Option<LoginFact>,
    pub(crate) verified: Verified,
    pub(crate) runs: usize,
    pub(crate) last_refresh: Option<LastRefresh>,
}

/// Looks at all accounts.
pub(crate) fn look() -> Result<Looked, Error> {
    let Gathered { mut facts, merged, inputs } = gather(&Flags::default(), None)?;
    let agent = inputs.agent;
    facts.login = coffer_host::host_login(&facts, &agent);
    let chosen = merged.account.value;
    let winner = winner(&facts, &agent, &chosen);
    let mut unread = Vec::new();
    let mut last = ledger::of(&facts).last_refreshes().unwrap_or_else(|error| {
        unread.push(format!("the last refreshes are unknown: {error}"));
        Default::default()
    });
    let live = coffer_launch::run::live_runs(&facts.folders.runtime);
    let mut accounts = vec![host(&facts, &agent)];
    for name in named(&facts) {
        match account(&facts, &agent, name.clone()) {
            Ok(account) => accounts.push(account),
            Err(reason) => unread.push(format!("the account `{name}` cannot be read: {reason}")),
        }
    }
    for account in &mut accounts {
        let name = account.name.as_str();
        account.runs =
            live.iter().filter(|run| run.about.as_ref().is_some_and(|about| about.account == name)).count();
        account.last_refresh = last.remove(name);
    }
    Ok(Looked { facts, agent, chosen, winner, accounts, unread })
}

/// The same for facts alone: the host's account, and who wins on the host.
#[cfg(test)]
pub(crate) fn judge(facts: HostFacts, agent: Agent) -> Looked {
    let accounts = vec![host(&facts, &agent)];
    let (winner, chosen) = (on_host(&agent, &facts), coffer_account::layout::HOST.to_owned());
    Looked { facts, agent, chosen, winner, accounts, unread: Vec::new() }
}

/// As the audit's Sign-in line has it, if a run could be planned here; else as the host itself has it.
fn winner(facts: &HostFacts, agent: &Agent, chosen: &str) -> SignIn {
    match prepare(&Flags::default(), None) {
        Ok(prepared) if prepared.plan.sign_in.winner.is_some() => prepared.plan.sign_in.clone(),
        // A plan is refused for many reasons; for a named account nothing of the host's own counts then.
        Ok(_) | Err(_) if chosen == coffer_account::layout::HOST => on_host(agent, facts),
        Ok(_) | Err(_) => SignIn {
            winner: None,
            kind: None,
            reason: format!("the account `{chosen}` is chosen here, and a run with it is refused now"),
            warning: None,
            asks: None,
        },
    }
}

/// The named accounts, by name; what has no account's name is none.
fn named(facts: &HostFacts) -> Vec<AccountName> {
    let entries = accounts(&facts.folders.data).read_dir_utf8().into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().parse::<AccountName>().ok());
    let mut names: Vec<AccountName> = names.filter(|name| !name.is_host()).collect();
    names.sort();
    names
}

fn record(folder: &AccountFolder) -> Result<Option<AccountRecord>, String> {
    let text = coffer_host::read_config(&folder.record()).map_err(|error| error.to_string())?;
    let Some(text) = text else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|_| "`account.json` does not read".to_owned())
}

/// The user's own login, or what stands for it in the environment and the settings.
fn host(facts: &HostFacts, agent: &Agent) -> AccountSeen {
    let name = AccountName::host();
    // Without a readable record only a refusal is forgotten, which the next refresh finds again.
    let record = record(&AccountFolder::new(&facts.folders.data, &name)).ok().flatten();
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
            (kind, verify_login(facts, agent, login.as_ref(), record.as_ref()))
        }
    };
    AccountSeen { name, kind, record, login, verified, runs: 0, last_refresh: None }
}

fn account(facts: &HostFacts, agent: &Agent, name: AccountName) -> Result<AccountSeen, String> {
    let folder = AccountFolder::new(&facts.folders.data, &name);
    let record = record(&folder)?.ok_or("there is no `account.json` in its folder")?;
    let kind = record.kind;
    let mut login = None;
    let verified = match kind {
        CredentialKind::Subscription => {
            login = coffer_host::login_in(agent, folder.login(), "account".to_owned());
            verify_login(facts, agent, login.as_ref(), Some(&record))
        }
        CredentialKind::SetupToken | CredentialKind::ApiKey | CredentialKind::AuthToken => {
            let is_there = coffer_host::look(&folder.secret()).kind == coffer_plan::facts::PathKind::File;
            verify_token(is_there, record.created_at_ms, lifetime_ms(kind), facts.now_ms)
        }
        CredentialKind::Helper => verify_token(record.helper.is_some(), 0, None, facts.now_ms),
        CredentialKind::Cloud => verify_token(true, 0, None, facts.now_ms),
    };
    Ok(AccountSeen { name, kind, record: Some(record), login, verified, runs: 0, last_refresh: None })
}

/// How long an issuer lets a token live, where that is documented (`claude setup-token`: a year).
fn lifetime_ms(kind: CredentialKind) -> Option<i64> {
    (kind == CredentialKind::SetupToken).then_some(365 * 24 * 3600 * 1000)
}

fn verify_login(
    facts: &HostFacts,
    agent: &Agent,
    login: Option<&LoginFact>,
    record: Option<&AccountRecord>,
) -> Verified {
    let uid = facts.user.uid;
    let missing = LoginShape::Missing;
    let shape = login.map_or(&missing, |login| &login.shape);
    let mut place = login.map_or(
        coffer_plan::sign_in::verify::Place { own_uid: uid, file: None, folder: None, leads_out: false },
        |login| login.place(uid),
    );
    let folder = login.map(|login| coffer_host::look(&login.folder));
    let marker = record.and_then(|record| record.marker.as_ref());
    let marker_matches = marker.zip(login).map(|(marker, login)| {
        let place = folder.as_ref();
        marker.path == login.folder && place.is_some_and(|place| place.uid == marker.uid)
    });
    if record.is_some_and(|record| !record.name.is_host()) {
        place.folder = folder.map(|folder| Owned { uid: folder.uid, mode: folder.mode });
    }
    let refused = record.and_then(|record| record.refused.as_ref());
    verify(&Seen {
        shape,
        place,
        marker_matches,
        refused: refused.map(|refused| RefusedBefore {
            fingerprint: &refused.fingerprint,
            because: because(refused.because),
        }),
        demanded_scopes: agent.login.as_ref().map_or(&[], |login| &login.scopes),
        now_ms: facts.now_ms,
    })
}

fn because(because: coffer_account::record::RefusedBecause) -> RefusedBecause {
    use coffer_account::record::RefusedBecause as Recorded;
    match because {
        Recorded::Revoked => RefusedBecause::Revoked,
        Recorded::Expired => RefusedBecause::Expired,
        Recorded::Reused => RefusedBecause::Reused,
    }
}

impl Looked {
    /// As JSON has it.
    pub(crate) fn document(&self, only: Option<&AccountName>) -> document::Document {
        let SignIn { winner, kind: _, reason, warning, asks: _ } = self.winner.clone();
        let shown = self.accounts.iter().filter(|account| only.is_none_or(|only| account.name == *only));
        document::Document {
            schema: 1,
            winner: document::Winner { source: winner, account: self.chosen.clone(), reason, warning },
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
