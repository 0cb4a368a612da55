//! What `login` and `account import` share: the account that is to be, and the words for what it became.

use std::time::Duration;

use camino::Utf8PathBuf;
use coffer_account::accounts::Accounts;
use coffer_account::capture::{Adopted, Adoption, CaptureError, Captured, Rules};
use coffer_account::copies::{Copies, Why};
use coffer_account::disk::Disk;
use coffer_account::layout::{AccountFolder, AccountName};
use coffer_account::lock::AccountLock;
use coffer_account::login_file::{LoginFile, LoginFolder};
use coffer_account::pending;
use coffer_account::record::{AccountRecord, RECORD_SCHEMA};
use coffer_account::seal::Seal;
use coffer_account::secret::Secret;
use coffer_ledger::Event;
use coffer_plan::agent::{Agent, CredentialKind};
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;
use coffer_plan::sign_in::shape::LoginDetails;

use crate::account_facts;
use crate::commands::ledger;
use crate::error::Error;

/// How long a refresh of the same account that is under way is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(90);

/// Whose login something is to become.
pub(crate) struct Target {
    pub(crate) folder: AccountFolder,
    pub(crate) name: AccountName,
    pub(crate) record: AccountRecord,
    pub(crate) rules: Rules,
    /// Whether the account is there already.
    pub(crate) exists: bool,
}

/// What came of an attempt.
pub(crate) struct Attempt {
    pub(crate) adopted: Result<Adopted, Error>,
    /// Where the login waits that could not be adopted, though nothing is wrong with it.
    pub(crate) waits: Option<Utf8PathBuf>,
}

impl Target {
    /// The account of this name, as it is or as it will be.
    pub(crate) fn new(name: &str, agent: &Agent, facts: &HostFacts) -> Result<Self, Error> {
        let name: AccountName = name.parse().map_err(Error::BadAccountName)?;
        if name.is_host() {
            return Err(Error::HostAccount { agent: agent.command.first().cloned().unwrap_or_default() });
        }
        let Some(rules) = Rules::of(agent) else {
            return Err(Error::NoSignIn { agent: agent.name.clone() });
        };
        let folder = AccountFolder::new(&facts.folders.data, &name);
        let known = account_facts::record(&folder)?;
        let exists = known.is_some();
        let record = known.unwrap_or_else(|| AccountRecord {
            schema: RECORD_SCHEMA,
            name: name.clone(),
            agent: agent.name.clone(),
            kind: CredentialKind::Subscription,
            created_at_ms: facts.now_ms,
            base_url: None,
            model: None,
            timeout_ms: None,
            helper: None,
            marker: None,
            refused: None,
        });
        if record.agent != agent.name || record.kind != CredentialKind::Subscription {
            let (agent, kind) = (record.agent, record.kind);
            return Err(Error::OtherKind { account: name.to_string(), agent, kind });
        }
        Ok(Self { folder, name, record, rules, exists })
    }

    /// Adopts what was captured. `from` is the ledger's word. The account is locked for this alone.
    pub(crate) fn adopt(&self, captured: &Captured<'_>, from: &str, facts: &HostFacts) -> Attempt {
        let adopted = self.try_adopt(captured, facts);
        if let Ok(adopted) = &adopted {
            let account = self.name.to_string();
            let mut events = vec![Event::LoginAdopted {
                account: account.clone(),
                from: from.to_owned(),
                fingerprint: adopted.details.fingerprint.clone(),
            }];
            if !self.exists {
                events.insert(0, Event::AccountChanged { account, change: "added".to_owned(), to: None });
            }
            // A ledger that cannot be written must not cost a login; `doctor` tells of it.
            let at = jiff::Timestamp::from_millisecond(coffer_host::now_ms()).unwrap_or_default();
            events.into_iter().for_each(|event| drop(ledger::of(facts).append(at, event)));
        }
        let waits = adopted.as_ref().err().and_then(|error| self.keep(captured, error, facts));
        Attempt { adopted, waits }
    }

    fn try_adopt(&self, captured: &Captured<'_>, facts: &HostFacts) -> Result<Adopted, Error> {
        let lock = AccountLock::take(&self.folder.lock(), LOCK_WAIT)?;
        self.is_nobody_elses(captured, facts)?;
        let now_ms = coffer_host::now_ms;
        let keep_former = |login: &[u8]| {
            let seal = Seal::open_or_make(&facts.folders.data).map_err(|error| error.to_string())?;
            let copies = Copies::of(&self.folder);
            let kept = copies.add(&seal, login, Why::BeforeAdoption, now_ms());
            kept.map(drop).map_err(|error| error.to_string())
        };
        let adoption = Adoption {
            folder: &self.folder,
            record: &self.record,
            rules: &self.rules,
            keep_former: &keep_former,
            now_ms: &now_ms,
            disk: Disk::real(),
        };
        Ok(adoption.adopt(&lock, captured)?)
    }

    /// A good login that could not be adopted for want of something else is not lost.
    fn keep(&self, captured: &Captured<'_>, error: &Error, facts: &HostFacts) -> Option<Utf8PathBuf> {
        let is_elsewhere = matches!(error, Error::LoginElsewhere { .. });
        if is_elsewhere
            || matches!(error, Error::Capture(error) if error.is_about_login() || matches!(**error, CaptureError::Unfinished { .. }))
        {
            return None;
        }
        let (login, fingerprint) = self.login_in(captured)?;
        let seal = Seal::open_or_make(&facts.folders.data).ok()?;
        pending::keep(&self.folder, &seal, &login, &fingerprint).ok()
    }

    /// The login that was captured, if it is a good one, and its fingerprint.
    fn login_in(&self, captured: &Captured<'_>) -> Option<(Secret, String)> {
        let login = match (captured.login, captured.state) {
            (Some(login), _) => Secret::new(login.to_vec()),
            (None, Some(state)) => {
                let limit = coffer_plan::sign_in::shape::MAX_LOGIN_BYTES;
                let found = coffer_account::read::file(state, &self.rules.login_file, limit).ok()?;
                Secret::new(found.content.to_vec())
            }
            (None, None) => return None,
        };
        let details =
            coffer_account::capture::look(login.expose(), &self.rules, coffer_host::now_ms()).ok()?;
        Some((login, details.fingerprint?))
    }

    /// Two accounts with one refresh token sign each other out: each has a keeper, and the first to refresh wins.
    fn is_nobody_elses(&self, captured: &Captured<'_>, facts: &HostFacts) -> Result<(), Error> {
        let Some((_, fingerprint)) = self.login_in(captured) else { return Ok(()) };
        let others = Accounts::of(&facts.folders.data).list().map_err(Error::Accounts)?;
        for other in others {
            let folder = AccountFolder::new(&facts.folders.data, &other.name);
            let login = LoginFolder::open(Disk::real(), &folder.login(), &self.rules.login_file);
            let theirs = login.ok().map(|login| login.read());
            if other.name != self.name
                && theirs.as_ref().and_then(LoginFile::fingerprint) == Some(fingerprint.as_str())
            {
                let (account, other) = (self.name.to_string(), other.name.to_string());
                return Err(Error::LoginElsewhere { account, other });
            }
        }
        Ok(())
    }

    /// What was adopted, for people; no token.
    pub(crate) fn words(&self, adopted: &Adopted) -> String {
        let mut text = format!("Account `{}` is signed in\n", self.name);
        for (what, value) in identity(&adopted.details, adopted.email.as_deref()) {
            text.push_str(&format!("  {what:<13} {value}\n"));
        }
        let state = adopted.state;
        if state.files > 0 {
            text.push_str(&format!("  state         {} files, {} bytes\n", state.files, state.bytes));
        }
        if let Some(former) = &adopted.former {
            text.push_str(&match adopted.details.fingerprint.as_ref() == Some(former) {
                true => "  before        the same login\n".to_owned(),
                false => format!("  before        {former}, kept as a sealed copy\n"),
            });
        }
        for skipped in &adopted.skipped.listed {
            text.push_str(&format!("  left out      `{}`: {}\n", printable(&skipped.path), skipped.why));
        }
        if adopted.skipped.more > 0 {
            text.push_str(&format!("  left out      {} more\n", adopted.skipped.more));
        }
        text.push_str(&format!("hint: `coffer run --account {}`\n", self.name));
        text
    }
}

/// Who it is and how long, line by line.
pub(crate) fn identity(details: &LoginDetails, email: Option<&str>) -> Vec<(&'static str, String)> {
    let until = |end_ms: i64| {
        let end = jiff::Timestamp::from_millisecond(end_ms);
        end.map_or_else(|_| "a time that cannot be shown".to_owned(), |end| end.to_string())
    };
    let mut lines = Vec::new();
    lines.extend(email.map(|email| ("address", format!("{} (as the agent wrote it)", printable(email)))));
    lines.extend(details.subscription.iter().map(|plan| ("subscription", printable(plan))));
    lines.push(("scopes", printable(&details.scopes.join(" "))));
    lines.extend(details.expires_at_ms.map(|end| ("access until", until(end))));
    lines.extend(details.login_expires_at_ms.map(|end| ("login until", until(end))));
    lines.extend(details.fingerprint.iter().map(|fingerprint| ("fingerprint", fingerprint.clone())));
    lines
}
