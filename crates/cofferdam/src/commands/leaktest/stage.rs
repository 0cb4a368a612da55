//! The folder of one test, and the environment in which it runs: as the user has it, with a canary wherever the user
//! has a credential. The user's own credentials are neither passed on nor kept.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::accounts::Accounts;
use coffer_account::layout::AccountName;
use coffer_account::record::{AccountRecord, RECORD_SCHEMA};
use coffer_account::secret::Secret;
use coffer_plan::agent::{Agent, CredentialKind, CredentialOrigin, CredentialRule};
use coffer_plan::facts::{EnvFact, HostFacts, SettingsFact, SettingsScope};
use coffer_plan::path::PathTemplate;
use coffer_plan::sign_in::shape::LoginShape;
use coffer_plan::sign_in::withhold::{self, looks_secret};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::canary::Canaries;
use crate::error::Error;
use crate::store;

/// Largest settings file that is read, in bytes.
const MAX_SETTINGS: usize = 1024 * 1024;
/// What stands for a secret of the user's that is no credential of the agent.
const STAND_IN: &str = "coffer-leaktest-stand-in";
/// The way to the network is not the user's here.
const NETWORK: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];
/// No keyring of the user's is asked for anything.
const SESSION_BUS: &str = "DBUS_SESSION_BUS_ADDRESS";
const NOTE: &str = "stage.json";
const HELPER: &str = "helper";
/// How the folders of tests begin.
const PREFIX: &str = "leak-";
/// Locked as long as the test lives.
const LIVES: &str = "lives";
/// One at a time makes a folder, or removes those of the dead.
const TURN: &str = "leaktest.lock";

/// What the part in the private network has to know.
#[derive(Serialize, Deserialize)]
pub(crate) struct Note {
    /// The kinds of credential of which a canary is in the run.
    pub(crate) kinds: Vec<CredentialKind>,
    /// How many secrets of the user's are replaced by a word.
    pub(crate) stand_ins: usize,
    /// The named account that is made.
    account: Option<AccountRecord>,
}

/// The folder of a test.
pub(crate) struct Stage {
    pub(crate) root: Utf8PathBuf,
    /// Removes it at the end; as long as the file is locked, nobody else does.
    _folder: Option<(tempfile::TempDir, std::fs::File)>,
}

/// The environment of a test, as it differs from the user's.
pub(crate) type Environment = BTreeMap<String, Option<OsString>>;

impl Stage {
    /// A new one. Its path is short, because sockets lie in it.
    pub(crate) fn new(facts: &HostFacts) -> Result<Self, Error> {
        let runtime = &facts.folders.runtime;
        folder(runtime)?;
        let turn = runtime.join(TURN);
        let lock = std::fs::File::create(&turn).map_err(failed("make", &turn))?;
        lock.lock().map_err(failed("lock", &turn))?;
        sweep(runtime);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(runtime);
        let folder = folder.map_err(failed("make", runtime))?;
        let root = Utf8PathBuf::from(folder.path().to_string_lossy().into_owned());
        let path = root.join(LIVES);
        let lives = std::fs::File::create(&path).map_err(failed("make", &path))?;
        lives.lock().map_err(failed("lock", &path))?;
        Ok(Self { root, _folder: Some((folder, lives)) })
    }

    /// The one that was made outside.
    pub(crate) fn at(root: &Utf8Path) -> Self {
        Self { root: root.to_owned(), _folder: None }
    }

    pub(crate) fn data(&self) -> Utf8PathBuf {
        self.root.join("data")
    }

    pub(crate) fn runtime(&self) -> Utf8PathBuf {
        self.root.join("run")
    }

    pub(crate) fn ca(&self) -> Utf8PathBuf {
        self.root.join("ca.pem")
    }

    fn configuration(&self) -> Utf8PathBuf {
        self.root.join("config")
    }

    fn login(&self) -> Utf8PathBuf {
        self.root.join("login")
    }

    /// What the test has to know that was found out outside.
    pub(crate) fn note(&self) -> Result<Note, Error> {
        let path = self.root.join(NOTE);
        let text = std::fs::read_to_string(&path).map_err(failed("read", &path))?;
        serde_json::from_str(&text).map_err(Error::Json)
    }

    /// Puts a canary wherever the user has a credential, or only one of this kind.
    pub(crate) fn dress(
        &self,
        facts: &HostFacts,
        agent: &Agent,
        account: &str,
        kind: Option<CredentialKind>,
        canaries: &Canaries,
    ) -> Result<Environment, Error> {
        for path in [self.data(), self.runtime(), self.configuration(), self.login()] {
            folder(&path)?;
        }
        // What the user trusts in the project is trusted here.
        if let Ok(trust) = std::fs::read_to_string(store::trust_file(facts)) {
            write(&self.data().join("trust.json"), trust.as_bytes())?;
        }
        let mut environment = self.neutral(facts, agent);
        let stand_ins =
            environment.values().filter(|value| value.as_deref() == Some(STAND_IN.as_ref())).count();
        let mut settings = own_settings(facts, agent)?;
        let name: AccountName = account.parse().map_err(Error::BadAccountName)?;
        let (kinds, account) = if name.is_host() {
            (self.as_host(facts, agent, kind, canaries, (&mut environment, &mut settings))?, None)
        } else {
            let record = self.record(facts, agent, name, kind)?;
            (vec![record.kind], Some(record))
        };
        if kinds.contains(&CredentialKind::Helper) {
            self.helper(canaries)?;
        }
        self.configure(facts, agent, &settings)?;
        let note = serde_json::to_vec(&Note { kinds, stand_ins, account }).map_err(Error::Json)?;
        write(&self.root.join(NOTE), &note)?;
        Ok(environment)
    }

    /// Nothing of the user's credentials, and no other way to the API than the practice's.
    fn neutral(&self, facts: &HostFacts, agent: &Agent) -> Environment {
        let mut out = Environment::new();
        let secret = facts
            .environment
            .iter()
            .filter(|(name, fact)| matches!(fact, EnvFact::Redacted(_)) && looks_secret(name, "x"));
        out.extend(secret.map(|(name, _)| (name.clone(), Some(STAND_IN.into()))));
        let variables = agent.credentials.iter().filter(|rule| rule.from == CredentialOrigin::Env);
        let mut gone: Vec<&str> = variables.map(|rule| rule.source.as_str()).collect();
        gone.extend(agent.account.base_url.as_deref());
        gone.extend(agent.gateway.iter().map(|layout| layout.url_env.as_str()));
        gone.extend(NETWORK);
        gone.push(SESSION_BUS);
        out.extend(gone.into_iter().map(|name| (name.to_owned(), None)));
        let folders = [
            (Some("COFFER_HOME".to_owned()), self.data()),
            (Some("COFFER_RUNTIME_DIR".to_owned()), self.runtime()),
            (agent.state.as_ref().and_then(|state| variable(&state.host)), self.configuration()),
            (agent.login.as_ref().and_then(|login| variable(&login.folders)), self.login()),
        ];
        out.extend(
            folders.into_iter().filter_map(|(name, path)| Some((name?, Some(path.into_string().into())))),
        );
        out
    }

    /// The user's own account: a canary in each place where the user has something.
    fn as_host(
        &self,
        facts: &HostFacts,
        agent: &Agent,
        kind: Option<CredentialKind>,
        canaries: &Canaries,
        (environment, settings): (&mut Environment, &mut Map<String, Value>),
    ) -> Result<Vec<CredentialKind>, Error> {
        let is_there = |rule: &CredentialRule| place(rule, facts);
        let mut wanted: Vec<(&CredentialRule, Where)> = match kind {
            Some(kind) => {
                let rule = agent.credentials.iter().find(|rule| rule.kind == kind);
                rule.map(|rule| (rule, is_there(rule).unwrap_or(natural(rule)))).into_iter().collect()
            }
            None => agent.credentials.iter().filter_map(|rule| Some((rule, is_there(rule)?))).collect(),
        };
        if wanted.is_empty() {
            // Nobody is signed in: the login that the agent itself would make.
            let rule = agent.credentials.iter().find(|rule| rule.from == CredentialOrigin::Login);
            wanted.extend(rule.map(|rule| (rule, Where::Login)));
        }
        for (rule, place) in &wanted {
            let Some(canary) = canaries.of_kind(rule.kind) else {
                return Err(Error::Usage {
                    message: format!(
                        "`{}` is a cloud provider's sign-in, of which there is no canary",
                        rule.source
                    ),
                    more: Vec::new(),
                    hint: "say which other kind is to be tested: `--kind api-key`".to_owned(),
                });
            };
            match place {
                Where::Environment => drop(environment.insert(rule.source.clone(), Some(canary.into()))),
                Where::SettingsEnv => {
                    let block = settings.entry("env").or_insert_with(|| Value::Object(Map::new()));
                    if let Some(block) = block.as_object_mut() {
                        block.insert(rule.source.clone(), canary.into());
                    }
                }
                Where::Setting => {
                    let line = format!("'{}'", self.root.join(HELPER));
                    settings.insert(rule.source.clone(), line.into());
                }
                Where::Login => {
                    let file = agent.login.as_ref().map(|login| login.file.as_str()).unwrap_or_default();
                    write(&self.login().join(file), canaries.login.credentials_json().as_bytes())?;
                }
            }
        }
        Ok(wanted.into_iter().map(|(rule, _)| rule.kind).collect())
    }

    /// The record of a named account, for its canary.
    fn record(
        &self,
        facts: &HostFacts,
        agent: &Agent,
        name: AccountName,
        kind: Option<CredentialKind>,
    ) -> Result<AccountRecord, Error> {
        let Some(own) = &facts.account else { return Err(Error::NoAccount { account: name.to_string() }) };
        let kind = kind.unwrap_or(own.kind);
        Ok(AccountRecord {
            schema: RECORD_SCHEMA,
            name,
            agent: agent.name.clone(),
            kind,
            created_at_ms: facts.now_ms,
            base_url: None,
            model: own.model.clone(),
            timeout_ms: own.timeout_ms,
            helper: (kind == CredentialKind::Helper).then(|| vec![self.root.join(HELPER).into_string()]),
            marker: None,
            refused: None,
        })
    }

    /// Makes the named account, if there is one: where nobody's keyring is asked.
    pub(crate) fn add_account(&self, note: &Note, agent: &Agent, canaries: &Canaries) -> Result<(), Error> {
        let Some(record) = &note.account else { return Ok(()) };
        let secret = match record.kind {
            CredentialKind::SetupToken | CredentialKind::ApiKey | CredentialKind::AuthToken => {
                canaries.of_kind(record.kind).map(|text| Secret::new(text.as_bytes().to_vec()))
            }
            CredentialKind::Subscription | CredentialKind::Helper | CredentialKind::Cloud => None,
        };
        let accounts = Accounts::of(&self.data());
        accounts.add(record, secret.as_ref()).map_err(Error::Accounts)?;
        if let (CredentialKind::Subscription, Some(layout)) = (record.kind, &agent.login) {
            let login = accounts.folder(&record.name).login();
            folder(&login)?;
            write(&login.join(&layout.file), canaries.login.credentials_json().as_bytes())?;
        }
        Ok(())
    }

    /// A program that prints the helper's canary.
    fn helper(&self, canaries: &Canaries) -> Result<(), Error> {
        use std::os::unix::fs::PermissionsExt as _;
        let key = canaries.of_kind(CredentialKind::Helper).unwrap_or_default();
        let path = self.root.join(HELPER);
        write(&path, format!("#!/bin/sh\necho {key}\n").as_bytes())?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))
            .map_err(failed("change", &path))
    }

    /// The user's own configuration of the agent: links to what there is, and the settings with canaries.
    fn configure(
        &self,
        facts: &HostFacts,
        agent: &Agent,
        settings: &Map<String, Value>,
    ) -> Result<(), Error> {
        let Some(state) = &agent.state else { return Ok(()) };
        let own = state.host.iter().find_map(|template| template.expand(facts));
        for name in &agent.user_config {
            let Some(from) = own.as_ref().map(|own| own.join(name)).filter(|from| from.exists()) else {
                continue;
            };
            let to = self.configuration().join(name);
            std::os::unix::fs::symlink(&from, &to).map_err(failed("make", &to))?;
        }
        let (Some(name), false) = (&agent.settings.user, settings.is_empty()) else { return Ok(()) };
        write(&self.configuration().join(name), Value::Object(settings.clone()).to_string().as_bytes())
    }
}

/// Where the user has a credential.
#[derive(Clone, Copy)]
enum Where {
    Environment,
    SettingsEnv,
    Setting,
    Login,
}

fn natural(rule: &CredentialRule) -> Where {
    match rule.from {
        CredentialOrigin::Env => Where::Environment,
        CredentialOrigin::Setting => Where::Setting,
        CredentialOrigin::Login => Where::Login,
    }
}

fn place(rule: &CredentialRule, facts: &HostFacts) -> Option<Where> {
    let users = user_settings(facts);
    match rule.from {
        CredentialOrigin::Env if users.is_some_and(|users| is_set(users, &rule.source)) => {
            Some(Where::SettingsEnv)
        }
        CredentialOrigin::Env => facts.is_set(&rule.source).then_some(Where::Environment),
        CredentialOrigin::Setting => {
            users.filter(|users| users.redirects.contains(&rule.source)).map(|_| Where::Setting)
        }
        CredentialOrigin::Login => match facts.login.as_ref()?.shape {
            LoginShape::Missing | LoginShape::SignedOut => None,
            LoginShape::Unreadable { .. } | LoginShape::Unusable { .. } | LoginShape::Login(_) => {
                Some(Where::Login)
            }
        },
    }
}

fn is_set(settings: &SettingsFact, name: &str) -> bool {
    settings.env.get(name).is_some_and(EnvFact::is_set)
}

fn user_settings(facts: &HostFacts) -> Option<&SettingsFact> {
    facts.settings.iter().find(|settings| settings.scope == SettingsScope::User)
}

/// A credential that stands in the project itself is inside whatever is said: it would be the user's own.
pub(crate) fn in_project(facts: &HostFacts, agent: &Agent) -> Option<(String, Utf8PathBuf)> {
    let project = facts.settings.iter().filter(|settings| settings.scope == SettingsScope::Project);
    let found = project.flat_map(|settings| agent.credentials.iter().map(move |rule| (settings, rule)));
    let mut found = found.filter(|(settings, rule)| match rule.from {
        CredentialOrigin::Env => is_set(settings, &rule.source),
        CredentialOrigin::Setting => settings.redirects.contains(&rule.source),
        CredentialOrigin::Login => false,
    });
    found.next().map(|(settings, rule)| (rule.source.clone(), settings.file.clone()))
}

/// The user's settings without any credential.
fn own_settings(facts: &HostFacts, agent: &Agent) -> Result<Map<String, Value>, Error> {
    let Some(users) = user_settings(facts) else { return Ok(Map::new()) };
    let Some(bytes) = coffer_host::read_secret(&users.file, MAX_SETTINGS)? else { return Ok(Map::new()) };
    // What does not read is left out by every run, too.
    let kept = withhold::settings(&bytes, agent).ok();
    Ok(kept.and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default())
}

/// The variable that names a folder before every other place.
fn variable(templates: &[PathTemplate]) -> Option<String> {
    let name = templates.first()?.0.strip_prefix("${")?;
    name.split(['}', ':']).next().map(str::to_owned)
}

/// Removes what tests left that were killed. What cannot be removed stays: it holds canaries only.
fn sweep(runtime: &Utf8Path) {
    for entry in runtime.read_dir_utf8().into_iter().flatten().flatten() {
        let is_dead =
            || std::fs::File::open(entry.path().join(LIVES)).is_ok_and(|file| file.try_lock().is_ok());
        if entry.file_name().starts_with(PREFIX) && is_dead() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn folder(path: &Utf8Path) -> Result<(), Error> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("make", path))
}

fn write(path: &Utf8Path, bytes: &[u8]) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(path);
    opened.and_then(|mut file| std::io::Write::write_all(&mut file, bytes)).map_err(failed("write", path))
}

fn failed(action: &'static str, path: &Utf8Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Store { action, path, source }
}
