//! What the checks look at, read once.

use std::fs::TryLockError;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::layout::{AccountFolder, accounts};
use coffer_account::seal::{self, Opener, SealError};
use coffer_host::Mounted;
use coffer_ledger::Verified;
use coffer_plan::agent::{CredentialOrigin, SeedWhen};
use coffer_plan::facts::{EnvFact, PathKind, SettingsScope};
use coffer_plan::sign_in::withhold::settings_variable;
use serde_json::Value;
use zeroize::Zeroizing;

use super::deferred::{self, Deferred};
use super::fix::Unlock;
use crate::commands::ledger;
use crate::commands::status::look::{AccountSeen, Looked, look};
use crate::error::Error;

/// Largest file of the agent's own that is read, in bytes: it also holds histories.
const MAX_CLIENT_BYTES: usize = 32 * 1024 * 1024;
/// Largest settings file that is read, in bytes.
const MAX_SETTINGS_BYTES: usize = 1024 * 1024;
/// What a probe leaves when it is killed counts as left from this age on, in ms: no probe takes longer.
const PROBE_MS: i64 = 60_000;

/// What the checks look at.
#[derive(Debug)]
pub(crate) struct Scene {
    /// Accounts, facts and the winner, as `status` has them.
    pub(super) looked: Looked,
    /// Where logins lie.
    pub(super) places: Vec<LoginPlace>,
    pub(super) mounts: Vec<Mounted>,
    /// The top keys of each of the user's settings files.
    pub(super) settings_keys: Vec<(Utf8PathBuf, Vec<String>)>,
    /// The agent's own file beside its folder.
    pub(super) client: Option<ClientFile>,
    /// The agent's locks that are there.
    pub(super) locks: Vec<Lock>,
    /// Logins where the agent could look, with the fingerprints of their refresh tokens.
    pub(super) other_logins: Vec<(Utf8PathBuf, Option<String>)>,
    /// Owner of the home folder, if it is there.
    pub(super) home_owner: Option<u32>,
    pub(super) ledger: Result<Verified, String>,
    /// Refreshes that were begun, and that nobody ends just now: account and journal.
    pub(super) journals: Vec<(String, Utf8PathBuf)>,
    /// Whether what was sealed can be opened: else why not, and what to do.
    pub(super) identity: Result<(), (String, Option<String>)>,
    /// Cofferdam's own files and folders.
    pub(super) own: Vec<OwnFile>,
    /// Data folders with accounts in them.
    pub(super) other_data: Vec<Utf8PathBuf>,
    /// How much of our memory may be kept from being swapped out, in bytes; `None` without a limit.
    pub(super) lockable: Option<u64>,
    /// Whether the machine has swap space.
    pub(super) swaps: bool,
    /// What dead runs and probes left.
    pub(super) left: Vec<Utf8PathBuf>,
    /// What runs wrote and the host would run.
    pub(super) deferred: Vec<Deferred>,
    /// Keys and tokens that look like what a proxy puts in their place, by name.
    pub(super) placeholders: Vec<String>,
    /// Things with a date, Unix ms, in words.
    pub(super) marks: Vec<(String, i64)>,
}

/// Where an account's login lies.
#[derive(Debug, Clone)]
pub(super) struct LoginPlace {
    pub(super) account: String,
    pub(super) folder: Utf8PathBuf,
    pub(super) file: Utf8PathBuf,
    /// Owner and mode of the folder.
    pub(super) folder_owned: Option<(u32, u32)>,
    /// The text of the file, if it is a link.
    pub(super) link: Option<String>,
    pub(super) exists: bool,
    pub(super) is_folder: bool,
    pub(super) folder_writable: bool,
    pub(super) parent_writable: bool,
}

/// The agent's own file beside its folder, with what it says of the first start.
#[derive(Debug, Clone)]
pub(super) struct ClientFile {
    pub(super) file: Utf8PathBuf,
    pub(super) content: Option<ClientContent>,
    pub(super) newest_backup: Option<Utf8PathBuf>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ClientContent {
    pub(super) onboarded: bool,
}

/// A lock of the agent's.
#[derive(Debug, Clone)]
pub(super) struct Lock {
    pub(super) path: Utf8PathBuf,
    pub(super) modified_ms: i64,
    /// How it is removed.
    pub(super) unlock: Unlock,
}

/// A file or folder of Cofferdam's own.
#[derive(Debug, Clone)]
pub(super) struct OwnFile {
    pub(super) path: Utf8PathBuf,
    pub(super) mode: u32,
}

impl Scene {
    /// Reads this machine.
    pub(super) fn of_this_machine() -> Result<Self, Error> {
        let looked = look(None)?;
        let ledger = ledger::of(&looked.facts);
        let verified = ledger.verify().map_err(|error| in_words(&error));
        let places: Vec<LoginPlace> = looked.accounts.iter().filter_map(place).collect();
        let mut marks: Vec<(String, i64)> = Vec::new();
        if let Some(at) = verified.as_ref().ok().and_then(|verified| verified.last_at) {
            marks.push(("the last entry of the ledger".to_owned(), at.as_millisecond()));
        }
        for file in places.iter().map(|place| &place.file) {
            marks.extend(coffer_host::owned(file).map(|owned| (format!("`{file}`"), owned.modified_ms)));
        }
        Ok(Self {
            mounts: coffer_host::mounts(),
            settings_keys: settings_keys(&looked),
            client: client(&looked),
            locks: places.iter().flat_map(|place| locks(place, &looked)).collect(),
            other_logins: other_logins(&looked),
            home_owner: looked
                .facts
                .user
                .home
                .as_deref()
                .and_then(|home| Some(coffer_host::owned(home)?.uid)),
            ledger: verified,
            journals: journals(&looked),
            identity: identity(&looked),
            own: own(&looked, ledger.path()),
            other_data: other_data(&looked),
            lockable: coffer_host::lockable(),
            swaps: coffer_host::swaps(),
            left: left(&looked),
            deferred: deferred::look(&looked),
            placeholders: placeholders(&looked),
            places,
            marks,
            looked,
        })
    }
}

fn place(account: &AccountSeen) -> Option<LoginPlace> {
    let login = account.login.as_ref()?;
    let seen = coffer_host::look(&login.file);
    Some(LoginPlace {
        account: account.name.to_string(),
        folder: login.folder.clone(),
        file: login.file.clone(),
        folder_owned: coffer_host::owned(&login.folder).map(|owned| (owned.uid, owned.mode)),
        link: seen.link,
        exists: seen.kind != PathKind::Missing,
        is_folder: seen.kind == PathKind::Folder,
        folder_writable: coffer_host::may_write(&login.folder),
        parent_writable: login.folder.parent().is_none_or(coffer_host::may_write),
    })
}

/// Names only: the values may be secrets.
fn settings_keys(looked: &Looked) -> Vec<(Utf8PathBuf, Vec<String>)> {
    let users = looked.facts.settings.iter().filter(|settings| settings.scope == SettingsScope::User);
    users
        .filter_map(|settings| {
            let bytes = coffer_host::read_secret(&settings.file, MAX_SETTINGS_BYTES).ok()??;
            let Ok(Value::Object(fields)) = serde_json::from_slice(&bytes) else { return None };
            Some((settings.file.clone(), fields.keys().cloned().collect()))
        })
        .collect()
}

fn client(looked: &Looked) -> Option<ClientFile> {
    let (facts, agent) = (&looked.facts, &looked.agent);
    let file = agent.settings.mcp.as_ref()?.files.iter().find_map(|template| template.expand(facts))?;
    let folder = agent.state.as_ref()?.host.iter().find_map(|template| template.expand(facts))?;
    let name = file.file_name()?.to_owned();
    let backups = folder.join("backups");
    let entries = backups.read_dir_utf8().into_iter().flatten().flatten();
    let copies =
        entries.filter(|entry| entry.file_name().starts_with(&name)).map(|entry| entry.path().to_owned());
    let newest_backup = copies.max_by_key(|path| coffer_host::owned(path).map(|owned| owned.modified_ms));
    let bytes = coffer_host::read_secret(&file, MAX_CLIENT_BYTES).ok().flatten();
    let content = bytes.map(|bytes| {
        let wanted = agent.seeds.iter().filter(|seed| seed.when == SeedWhen::SignedIn && seed.file == name);
        let content: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let mut pairs = wanted.filter_map(|seed| match serde_json::from_str(&seed.json) {
            Ok(Value::Object(pairs)) => Some(pairs),
            Ok(_) | Err(_) => None,
        });
        let onboarded = pairs.all(|pairs| pairs.iter().all(|(key, value)| content.get(key) == Some(value)));
        ClientContent { onboarded }
    });
    Some(ClientFile { file, content, newest_backup })
}

fn locks(place: &LoginPlace, looked: &Looked) -> Vec<Lock> {
    let (Ok(name), Some(layout)) = (place.account.parse(), &looked.agent.login) else { return Vec::new() };
    let (data, names) = (&looked.facts.folders.data, &layout.locks);
    let account = AccountFolder::new(data, &name);
    let paths = names.iter().map(|name| match name.strip_prefix("${folder}") {
        Some(suffix) => Utf8PathBuf::from(format!("{}{suffix}", place.folder)),
        None => place.folder.join(name),
    });
    let there = paths.filter_map(|path| Some((coffer_host::owned(&path)?, path)));
    there
        .map(|(owned, path)| Lock {
            modified_ms: owned.modified_ms,
            unlock: Unlock {
                path: path.clone(),
                folder: place.folder.clone(),
                names: names.clone(),
                account: account.lock(),
                ledger: data.join("ledger"),
            },
            path,
        })
        .collect()
}

fn other_logins(looked: &Looked) -> Vec<(Utf8PathBuf, Option<String>)> {
    let Some(layout) = &looked.agent.login else { return Vec::new() };
    let mut folders: Vec<Utf8PathBuf> =
        layout.folders.iter().filter_map(|template| template.expand(&looked.facts)).collect();
    folders.sort();
    folders.dedup();
    let logins = folders.into_iter().filter_map(|folder| {
        let login = coffer_host::login_in(&looked.agent, folder, String::new())?;
        // Two names of one file are no copies.
        let file = coffer_host::look(&login.file);
        let fingerprint = login.shape.details().and_then(|details| details.fingerprint.clone());
        (file.kind == PathKind::File && file.resolved == login.file).then_some((login.file, fingerprint))
    });
    logins.collect()
}

fn journals(looked: &Looked) -> Vec<(String, Utf8PathBuf)> {
    let all = looked.accounts.iter().filter_map(|account| {
        let folder = AccountFolder::new(&looked.facts.folders.data, &account.name);
        coffer_host::owned(&folder.journal())?;
        // Whoever holds the lock is at it right now. It is only asked about: nothing is written.
        let lock = std::fs::File::open(folder.lock());
        let is_held = lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)));
        (!is_held).then(|| (account.name.to_string(), folder.journal()))
    });
    all.collect()
}

/// Nothing is sealed before an identity is on record, so there is nothing to open then.
fn identity(looked: &Looked) -> Result<(), (String, Option<String>)> {
    let data = &looked.facts.folders.data;
    let told = |error: SealError| (in_words(&error), error.hint());
    match seal::recorded(data).map_err(told)? {
        None => Ok(()),
        Some(_) => Opener::of(data).map(drop).map_err(told),
    }
}

/// Keys and tokens of the environment and of the user's settings that are none of their issuer's, where nothing on
/// the way could put the real ones in.
fn placeholders(looked: &Looked) -> Vec<String> {
    let (facts, agent) = (&looked.facts, &looked.agent);
    let users = || facts.settings.iter().filter(|settings| settings.scope == SettingsScope::User);
    let is_set = |name: &String| {
        let own = coffer_host::variable(name).is_some_and(|value| !value.is_empty());
        own || users().any(|settings| settings.env.get(name).is_some_and(EnvFact::is_set))
    };
    let proxies = agent.probe.iter().flat_map(|probe| &probe.pass);
    if agent.account.base_url.iter().chain(proxies).any(is_set) {
        return Vec::new();
    }
    let rules = agent.credentials.iter().filter(|rule| rule.from == CredentialOrigin::Env);
    let odd = rules.filter_map(|rule| {
        let prefix = rule.prefix.as_deref()?;
        let in_settings =
            users().find(|settings| settings.env.get(&rule.source).is_some_and(EnvFact::is_set));
        let value = match in_settings {
            Some(settings) => {
                let bytes = coffer_host::read_secret(&settings.file, MAX_SETTINGS_BYTES).ok()??;
                Zeroizing::new(settings_variable(&bytes, &rule.source).ok()??.into_bytes())
            }
            None => coffer_host::variable(&rule.source)?,
        };
        (!value.is_empty() && !value.starts_with(prefix.as_bytes())).then(|| rule.source.clone())
    });
    odd.collect()
}

/// An error with its causes.
fn in_words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Folders that have to be private, and the files in them that hold something.
fn own(looked: &Looked, ledger: &Utf8Path) -> Vec<OwnFile> {
    let folders = &looked.facts.folders;
    let mut paths = vec![folders.data.clone(), accounts(&folders.data), folders.data.join("state")];
    paths.extend([folders.runtime.clone(), folders.runtime.join("runs")]);
    paths.extend([seal::folder(&folders.data), seal::key_file(&folders.data)]);
    paths.extend(ledger.parent().map(Utf8Path::to_owned));
    paths.push(ledger.to_owned());
    for account in &looked.accounts {
        let folder = AccountFolder::new(&folders.data, &account.name);
        paths.extend([folder.root().to_owned(), folder.sealed(), folder.login_parent()]);
        paths.extend([folder.record(), folder.journal(), folder.secret(), folder.lock()]);
    }
    let uid = looked.facts.user.uid;
    let there = paths.into_iter().filter_map(|path| Some((coffer_host::owned(&path)?, path)));
    there
        .filter(|(owned, _)| owned.uid == uid)
        .map(|(owned, path)| OwnFile { path, mode: owned.mode })
        .collect()
}

/// Where data would be without `COFFER_HOME`, or without `XDG_DATA_HOME`.
fn other_data(looked: &Looked) -> Vec<Utf8PathBuf> {
    let facts = &looked.facts;
    let xdg = facts.public_value("XDG_DATA_HOME").map(|folder| Utf8PathBuf::from(folder).join("cofferdam"));
    let home = facts.user.home.as_ref().map(|home| home.join(".local/share/cofferdam"));
    let mut others: Vec<Utf8PathBuf> = xdg.into_iter().chain(home).collect();
    others.retain(|other| {
        let entries = accounts(other).read_dir_utf8();
        *other != facts.folders.data && entries.is_ok_and(|mut entries| entries.next().is_some())
    });
    others.sort();
    others.dedup();
    others
}

fn left(looked: &Looked) -> Vec<Utf8PathBuf> {
    let runtime = &looked.facts.folders.runtime;
    let mut left = coffer_launch::run::dead_runs(runtime);
    let entries = runtime.read_dir_utf8().into_iter().flatten().flatten();
    let probes = entries.filter(|entry| entry.file_name().starts_with("probe-"));
    left.extend(probes.map(|entry| entry.path().to_owned()).filter(|path| {
        let age = |owned: coffer_host::Owned| looked.facts.now_ms.saturating_sub(owned.modified_ms);
        coffer_host::owned(path).is_some_and(|owned| age(owned) > PROBE_MS)
    }));
    left
}
