//! The keeper of an account on this machine: where its login is, who refreshes it, where copies are sealed.

use std::os::unix::fs::DirBuilderExt as _;

use camino::Utf8PathBuf;
use coffer_account::copies::SealedVault;
use coffer_account::disk::Disk;
use coffer_account::journal::{Journal, Memory};
use coffer_account::keeper::{
    ChildEnd, Job, Keeper, LoginPlace, Need, Outcome, Refresher, RefresherError, due_at_ms,
};
use coffer_account::layout::{AccountFolder, AccountName};
use coffer_account::login_file::{LoginFile, LoginFolder};
use coffer_account::seal::Seal;
use coffer_launch::run::ResolveError;
use coffer_ledger::Ledger;
use coffer_plan::agent::Agent;
use coffer_plan::facts::{HostFacts, Questions};

use crate::error::Error;
use crate::refresher::{GenuineClient, NoClient};
use crate::resolver::Renew;
use crate::{account_facts, prepare};

/// Before a run starts, its token has to live for another five minutes at least: the client itself would want
/// to refresh from there on.
pub(crate) const FOR_A_RUN: Need = Need::EndsNotWithin(300_000);
/// The agent of the account `host`, unless the record says otherwise.
const HOST_AGENT: &str = "claude";

/// The keeper of one account.
#[derive(Debug)]
pub(crate) struct AccountKeeper {
    facts: HostFacts,
    agent: Agent,
    folder: AccountFolder,
    place: LoginPlace,
}

impl AccountKeeper {
    /// The keeper of an account; `None` for one without a login file.
    pub(crate) fn of(account: &AccountName, base: &HostFacts) -> Result<Option<Self>, Error> {
        let folder = AccountFolder::new(&base.folders.data, account);
        let record = account_facts::record(&folder)?;
        if record.is_none() && !account.is_host() {
            return Err(Error::NoAccount { account: account.to_string() });
        }
        let agent = record.as_ref().map_or(HOST_AGENT, |record| record.agent.as_str());
        let agent = prepare::agent(agent, base)?;
        let mut facts = base.clone();
        coffer_host::look_up(&mut facts, &Questions { agent: Some(agent.clone()), ..Questions::default() });
        let Some(layout) = agent.login.clone() else { return Ok(None) };
        let login_folder = if account.is_host() {
            let Some(login) = coffer_host::host_login(&facts, &agent) else { return Ok(None) };
            // A link of the user's own to their own folder is followed; the file itself may be none.
            login.folder.canonicalize_utf8().unwrap_or(login.folder)
        } else {
            folder.login()
        };
        let own = folder.root().to_owned();
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&own);
        made.map_err(|source| Error::Store { action: "make", path: own.clone(), source })?;
        let place = LoginPlace {
            account: account.clone(),
            lock: folder.lock(),
            own,
            folder: login_folder,
            file: layout.file,
            client_locks: layout.locks,
            scopes: layout.scopes,
        };
        Ok(Some(Self { facts, agent, folder, place }))
    }

    /// Sees to it that the login is as it is needed.
    pub(crate) fn keep(&self, need: Need) -> Result<Outcome, Error> {
        if !self.place.folder.is_dir() {
            return Ok(Outcome::NotRenewable);
        }
        let data = &self.facts.folders.data;
        let vault = SealedVault::new(data.clone(), &self.folder, Seal::open_or_make(data)?);
        let client = Client(GenuineClient::find(&self.facts, &self.agent, self.scratch()));
        let keeper = Keeper {
            place: &self.place,
            vault: &vault,
            ledger: &self.ledger(),
            refresher: &client,
            now_ms: &coffer_host::now_ms,
            disk: Disk::real(),
        };
        Ok(keeper.keep(need)?)
    }

    /// The same; also `None` where there is no such account.
    pub(crate) fn of_existing(account: &AccountName, base: &HostFacts) -> Result<Option<Self>, Error> {
        match Self::of(account, base) {
            Err(Error::NoAccount { .. }) => Ok(None),
            found => found,
        }
    }

    /// The command with which a person signs in anew.
    pub(crate) fn sign_in_command(&self) -> String {
        self.agent.sign_in_command(self.place.account.as_str())
    }

    /// Where the login is.
    pub(crate) fn place(&self) -> &LoginPlace {
        &self.place
    }

    /// The login as it is now.
    pub(crate) fn login(&self) -> Option<LoginFile> {
        Some(LoginFolder::open(Disk::real(), &self.place.folder, &self.place.file).ok()?.read())
    }

    /// Where the login is.
    pub(crate) fn login_path(&self) -> Utf8PathBuf {
        self.place.folder.join(&self.place.file)
    }

    /// What the keepers of the account remember.
    pub(crate) fn memory(&self) -> Memory {
        Journal::open(Disk::real(), &self.place.own).map(|journal| journal.memory()).unwrap_or_default()
    }

    /// When it is due next, Unix ms; `None` when nothing is to be renewed.
    pub(crate) fn due_at_ms(&self) -> Option<i64> {
        let login = self.login()?;
        let memory = self.memory();
        let details = login.details()?;
        let refused = memory.refused.as_ref().map(|refused| refused.fingerprint.as_str());
        if refused.is_some() && refused == login.fingerprint() {
            return None;
        }
        let due = due_at_ms(&self.place.account, details, memory.refreshed_at_ms)?;
        let ahead = !self.place.account.is_host() && memory.dates_ahead(coffer_host::now_ms());
        let due = if ahead { coffer_host::now_ms().min(due) } else { due };
        let wait = memory.wait_ms(coffer_host::now_ms());
        Some(wait.map_or(due, |wait| due.max(coffer_host::now_ms() + wait)))
    }

    /// How long the token has to live for the keeper's own purposes, so that what is due is renewed.
    pub(crate) fn ahead(&self) -> Need {
        let end = self.login().and_then(|login| login.details()?.expires_at_ms);
        match (end, self.due_at_ms()) {
            (Some(end), Some(due)) => Need::EndsNotWithin(end.saturating_sub(due)),
            (None, _) | (_, None) => FOR_A_RUN,
        }
    }

    fn scratch(&self) -> Utf8PathBuf {
        self.place.own.join("client")
    }

    fn ledger(&self) -> Ledger {
        crate::commands::ledger::of(&self.facts)
    }
}

/// A client that may not be there; that matters only when something has to be refreshed.
struct Client<'a>(Result<GenuineClient<'a>, NoClient>);

impl Refresher for Client<'_> {
    fn ready(&self) -> Result<(), RefresherError> {
        match &self.0 {
            Ok(_) => Ok(()),
            Err(none) => Err(RefresherError { reason: none.to_string(), hint: none.hint() }),
        }
    }

    fn refresh(&self, job: &Job<'_>) -> Result<ChildEnd, RefresherError> {
        self.ready()?;
        match &self.0 {
            Ok(client) => client.refresh(job),
            Err(none) => Err(RefresherError { reason: none.to_string(), hint: none.hint() }),
        }
    }
}

/// Renews before a run reads the lease.
pub(crate) struct RunKeeper<'a> {
    pub(crate) facts: &'a HostFacts,
}

impl Renew for RunKeeper<'_> {
    fn renew(&self, account: &str) -> Result<(), ResolveError> {
        self.renew_for(account, FOR_A_RUN)
    }
}

impl RunKeeper<'_> {
    /// The API has refused the access token, whatever its end says.
    pub(crate) fn renew_refused(&self, account: &str) -> Result<(), ResolveError> {
        self.renew_for(account, Need::Newer)
    }

    fn renew_for(&self, account: &str, need: Need) -> Result<(), ResolveError> {
        let refused = |error: &Error| {
            let finding = error.findings().into_iter().next();
            let (message, hint) = finding.map(|finding| (finding.message, finding.hint)).unwrap_or_default();
            let mut reason = format!("the login of the account `{account}` could not be renewed: {message}");
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                reason = format!("{reason}: {cause}");
                source = cause.source();
            }
            ResolveError { reason, hint }
        };
        let name: AccountName = account.parse().map_err(|error| refused(&Error::BadAccountName(error)))?;
        let keeper = AccountKeeper::of(&name, self.facts).map_err(|error| refused(&error))?;
        let Some(keeper) = keeper else { return Ok(()) };
        let login = keeper.sign_in_command();
        // What is left of the token may be enough for a short run, and the run's own keeper tries again. One that the
        // API has refused is dead, whatever its end says.
        let is_alive = || need != Need::Newer && keeper.left_ms().is_some_and(|left| left > 0);
        let outcome = match keeper.keep(need) {
            Err(_) if is_alive() => return Ok(()),
            kept => kept.map_err(|error| refused(&error))?,
        };
        match outcome {
            Outcome::Fresh | Outcome::Refreshed | Outcome::Adopted => Ok(()),
            Outcome::Transient { .. } if is_alive() => Ok(()),
            Outcome::Transient { reason, .. } => Err(ResolveError {
                reason: format!("the login of the account `{account}` could not be renewed: {reason}"),
                hint: Some(format!("try again, or see `coffer refresh --account {account}`")),
            }),
            Outcome::Permanent(because) => Err(ResolveError {
                reason: format!("the login of the account `{account}` is not renewed any more: {because}"),
                hint: Some(login),
            }),
            Outcome::NotRenewable => Err(ResolveError {
                reason: format!("the account `{account}` has no login that could be renewed"),
                hint: Some(login),
            }),
        }
    }
}

impl AccountKeeper {
    /// How long the access token still lives, in ms; `None` when it never ends, or there is none.
    pub(crate) fn left_ms(&self) -> Option<i64> {
        Some(self.login()?.details()?.expires_at_ms?.saturating_sub(coffer_host::now_ms()))
    }
}
