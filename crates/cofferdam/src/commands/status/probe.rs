//! `coffer status --probe`: one real, cheap call to the API, made by the genuine agent itself.
//!
//! The agent gets a private home of its own and in it what a run gets: a lease (no refresh token, so it cannot
//! refresh), or the key or token as the user has it. The login folder and its locks are not touched, so a refresh
//! that is under way elsewhere goes on. Nothing that the agent prints is repeated: its answer is read for a verdict
//! and the API's status.

mod child;

use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_launch::run::Resolve as _;
use coffer_plan::agent::{CredentialKind, CredentialOrigin, ProbeLayout, names_it};
use coffer_plan::facts::{EnvFact, SettingsScope};
use coffer_plan::path::is_within;
use coffer_plan::plan::Reference;
use coffer_plan::sign_in::shape::MAX_LOGIN_BYTES;
use coffer_plan::sign_in::withhold::settings_variable;
use serde_json::Value;

use super::document::{Probe, ProbeResult};
use super::look::{AccountSeen, Looked, about};
use crate::error::Error;
use crate::resolver::{NoKeeper, Resolver};

#[cfg(test)]
mod tests;

/// A provider's own sign-in is spread over files and services of the user's.
const CLOUD: &str = "a cloud provider's own sign-in is not probed";
/// How long the agent may take: several times what it needs with a slow network.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest settings file that is read, in bytes.
const MAX_SETTINGS_BYTES: usize = 1024 * 1024;
/// Makes the call with the account's credential.
pub(super) fn probe(looked: &Looked, account: &str) -> Result<Probe, Error> {
    let say =
        |(result, status, reason): Judged| Probe { account: account.to_owned(), result, status, reason };
    let not = |reason: &str| say((ProbeResult::NotProbed, None, reason.to_owned()));
    let Some(account) = looked.account(account) else { return Ok(not("there is no such account")) };
    let Some(layout) = &looked.agent.probe else {
        return Ok(not("nobody has written down how this agent is asked"));
    };
    let Some(program) = &looked.facts.agent else { return Ok(not("the agent is not on the PATH")) };
    let project = &looked.facts.project.path;
    if is_within(&program.path, project) || is_within(&program.resolved, project) {
        return Ok(not("the agent's program lies in the project, so it is not started on the host"));
    }
    let credential = match Credential::of(looked, account) {
        Ok(credential) => credential,
        Err(ProbeError::Untried(reason)) => return Ok(not(&reason)),
        Err(ProbeError::Failed(error)) => return Err(error),
    };
    let home = Home::new(looked, &credential)?;
    let mut command = Command::new(&program.path);
    command.env_clear().current_dir(home.path()).args(&layout.args);
    let mut environment = environment(looked);
    environment.extend(credential.around.iter().chain(&credential.environment).cloned());
    if !chooses_model(&environment) {
        command.args(&layout.cheap);
    }
    command.envs(environment).envs(&layout.env);
    for (name, folder) in [("HOME", "home"), ("TMPDIR", "tmp")] {
        command.env(name, home.path().join(folder));
    }
    if let Some(name) = looked.agent.state.as_ref().and_then(|state| state.env.as_ref()) {
        command.env(name, home.path());
    }
    let answer = child::answer(command, PATIENCE).map_err(|source| Error::Store {
        action: "start",
        path: program.path.clone(),
        source,
    })?;
    home.remove()?;
    Ok(say(judge(layout, answer)))
}

/// What is told about a call.
type Judged = (ProbeResult, Option<u16>, String);

/// What the agent's answer means. Its words are looked at and never repeated.
fn judge(layout: &ProbeLayout, answer: child::Answer) -> Judged {
    let unreachable = |reason: &str| (ProbeResult::Unreachable, None, reason.to_owned());
    let output = match answer {
        child::Answer::Ended(output) => output,
        child::Answer::TookTooLong => return unreachable("no answer in time"),
        child::Answer::Interrupted => return (ProbeResult::NotProbed, None, "interrupted".to_owned()),
    };
    let Ok(Value::Object(answer)) = serde_json::from_slice::<Value>(&output) else {
        return unreachable("the agent ended without an answer that reads");
    };
    if answer.get(&layout.failed) == Some(&Value::Bool(false)) {
        return (ProbeResult::SignedIn, None, "the API answered".to_owned());
    }
    let status = answer.get(&layout.status).and_then(Value::as_u64).and_then(|status| status.try_into().ok());
    let says = answer.get(&layout.words).and_then(Value::as_str).unwrap_or_default();
    match status {
        Some(status @ (401 | 403)) => {
            (ProbeResult::Refused, Some(status), format!("the API refused the credential ({status})"))
        }
        Some(429) => (
            ProbeResult::SignedIn,
            Some(429),
            "the API knows the credential, and limits it now (429)".to_owned(),
        ),
        Some(status @ 400..500) => {
            let reason = format!("the API took the credential, and not the request ({status})");
            (ProbeResult::SignedIn, Some(status), reason)
        }
        Some(status) => (ProbeResult::Unreachable, Some(status), format!("the API failed ({status})")),
        None if layout.signed_out.iter().any(|words| says.contains(words.as_str())) => {
            (ProbeResult::Refused, None, "the agent itself says that it is not signed in".to_owned())
        }
        None => unreachable("the API was not reached"),
    }
}

/// What the agent is signed in with.
#[derive(Default)]
struct Credential {
    /// Keys and tokens.
    environment: Vec<(String, OsString)>,
    /// Files in its home: the lease, or the setting that names a helper.
    files: Vec<(String, coffer_account::secret::Secret)>,
    /// Where the account's API is, and which model it asks for.
    around: Vec<(String, OsString)>,
}

/// Why no call could be made.
#[derive(Debug)]
enum ProbeError {
    /// There is nothing to try, in words.
    Untried(String),
    /// Something of ours failed.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for ProbeError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Credential {
    /// The account's.
    fn of(looked: &Looked, account: &AccountSeen) -> Result<Self, ProbeError> {
        let mut own = Self::default();
        if account.name.is_host() {
            for rule in &looked.agent.credentials {
                match rule.from {
                    CredentialOrigin::Env => own.environment.extend(variable(looked, &rule.source)?),
                    CredentialOrigin::Setting => own.files.extend(helper(looked, &rule.source)?),
                    CredentialOrigin::Login => {}
                }
            }
        } else {
            own.add_named(looked, account)?;
        }
        own.files.extend(lease(account)?);
        if own.files.is_empty() && own.environment.is_empty() {
            return Err(ProbeError::Untried("there is no credential that could be tried".to_owned()));
        }
        Ok(own)
    }

    /// What a named account brings: its own key, token or helper's answer, and where its API is.
    fn add_named(&mut self, looked: &Looked, account: &AccountSeen) -> Result<(), ProbeError> {
        let facts = about(&looked.facts, &looked.agent, &account.name)?;
        let Some(record) = &facts.account else { return Ok(()) };
        let names = &looked.agent.account;
        let base_url = record.base_url.as_ref().and_then(|url| match url {
            EnvFact::Value(url) => Some(url.clone()),
            EnvFact::Redacted(_) | EnvFact::Empty => None,
        });
        for (name, value) in [(&names.base_url, base_url), (&names.model, record.model.clone())] {
            self.around.extend(name.clone().zip(value.map(OsString::from)));
        }
        let name = account.name.to_string();
        let (variable, reference) = match (record.kind, &record.helper) {
            (CredentialKind::Subscription, _) => return Ok(()),
            (CredentialKind::Cloud, _) => return Err(ProbeError::Untried(CLOUD.to_owned())),
            (CredentialKind::Helper, Some(program)) => {
                let program = program.clone();
                (names.helper.clone(), Reference::AccountHelper { account: name, program })
            }
            (CredentialKind::Helper, None) => {
                return Err(ProbeError::Untried("its helper is not there".to_owned()));
            }
            (CredentialKind::SetupToken | CredentialKind::ApiKey | CredentialKind::AuthToken, _) => {
                let rule = looked.agent.credentials.iter().find(|rule| rule.kind == record.kind);
                (rule.map(|rule| rule.source.clone()), Reference::AccountSecret { account: name })
            }
        };
        let resolver = Resolver::new(&facts, &NoKeeper);
        let secret = resolver.resolve(&reference).map_err(|error| ProbeError::Untried(error.reason))?;
        let secret: OsString = std::os::unix::ffi::OsStringExt::from_vec(secret.to_vec());
        self.environment.extend(variable.zip(Some(secret)));
        Ok(())
    }
}

/// A lease of the account's login, as a file: never renewed for this, and without a refresh token.
fn lease(account: &AccountSeen) -> Result<Option<(String, coffer_account::secret::Secret)>, Error> {
    let Some(login) = account.login.as_ref().filter(|login| login.shape.details().is_some()) else {
        return Ok(None);
    };
    let bytes = match login.folder.parent() {
        // A run that shares the login can write there.
        Some(parent) if !account.name.is_host() => {
            let below = login.file.strip_prefix(parent).unwrap_or(&login.file);
            coffer_host::read_secret_beneath(parent, below, MAX_LOGIN_BYTES)?
        }
        Some(_) | None => coffer_host::read_secret(&login.file, MAX_LOGIN_BYTES)?,
    };
    let lease = bytes.and_then(|bytes| coffer_account::lease::lease(&bytes).ok());
    Ok(login.file.file_name().map(str::to_owned).zip(lease))
}

/// A variable of the user's settings, else of the environment: as the agent has it.
fn variable(looked: &Looked, name: &str) -> Result<Option<(String, OsString)>, Error> {
    let users = looked.facts.settings.iter().filter(|settings| settings.scope == SettingsScope::User);
    for settings in users.filter(|settings| settings.env.get(name).is_some_and(EnvFact::is_set)) {
        if let Some(bytes) = coffer_host::read_secret(&settings.file, MAX_SETTINGS_BYTES)?
            && let Ok(Some(value)) = settings_variable(&bytes, name)
        {
            return Ok(Some((name.to_owned(), value.into())));
        }
    }
    let own = coffer_host::variable(name).filter(|value| !value.is_empty());
    Ok(own.map(|value| (name.to_owned(), std::os::unix::ffi::OsStringExt::from_vec(value.to_vec()))))
}

/// A settings file with the one key that names the user's helper.
fn helper(looked: &Looked, key: &str) -> Result<Option<(String, coffer_account::secret::Secret)>, Error> {
    let mut users = looked.facts.settings.iter().filter(|settings| settings.scope == SettingsScope::User);
    let named = users.find(|settings| settings.redirects.iter().any(|redirect| redirect == key));
    let (Some(settings), Some(name)) = (named, &looked.agent.settings.user) else { return Ok(None) };
    let Some(bytes) = coffer_host::read_secret(&settings.file, MAX_SETTINGS_BYTES)? else { return Ok(None) };
    let Ok(Value::Object(mut fields)) = serde_json::from_slice::<Value>(&bytes) else { return Ok(None) };
    let kept = fields.remove(key).map(|value| serde_json::json!({ key: value }).to_string());
    Ok(kept.map(|text| (name.clone(), coffer_account::secret::Secret::new(text.into_bytes()))))
}

/// The host's variables that say where and how the API is reached.
fn environment(looked: &Looked) -> Vec<(String, OsString)> {
    let of_probe = looked.agent.probe.iter().flat_map(|probe| &probe.pass);
    let entries: Vec<&String> = looked.agent.env.pass.iter().chain(of_probe).collect();
    let fits = |name: &str| {
        entries.iter().any(|entry| names_it(entry, name)) || ["PATH", "LANG", "USER"].contains(&name)
    };
    let users = looked.facts.settings.iter().filter(|settings| settings.scope == SettingsScope::User);
    let names = looked.facts.environment.keys().chain(users.flat_map(|settings| settings.env.keys()));
    // What cannot be read is not there for the agent either.
    names.filter(|name| fits(name)).filter_map(|name| variable(looked, name).ok().flatten()).collect()
}

/// Whether the user chose a model or another provider: then no other model is asked for.
fn chooses_model(environment: &[(String, OsString)]) -> bool {
    environment.iter().any(|(name, _)| name.contains("MODEL") || name.ends_with("BASE_URL"))
}

/// The agent's home for one call; gone afterwards.
struct Home(tempfile::TempDir);

impl Home {
    fn new(looked: &Looked, credential: &Credential) -> Result<Self, Error> {
        let runtime = &looked.facts.folders.runtime;
        let failed = |path: &Utf8Path| {
            let path = path.to_owned();
            move |source| Error::Store { action: "make", path, source }
        };
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(runtime);
        made.map_err(failed(runtime))?;
        let home = tempfile::Builder::new().prefix("probe-").tempdir_in(runtime).map_err(failed(runtime))?;
        let home = Self(home);
        for folder in ["home", "tmp"] {
            let folder = home.path().join(folder);
            std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(failed(&folder))?;
        }
        for (name, content) in &credential.files {
            let file = home.path().join(name);
            let mut options = std::fs::OpenOptions::new();
            let opened = options.write(true).create_new(true).mode(0o600).open(&file);
            let written = opened.and_then(|mut file| std::io::Write::write_all(&mut file, content.expose()));
            written.map_err(failed(&file))?;
        }
        Ok(home)
    }

    fn path(&self) -> Utf8PathBuf {
        // Below a folder whose path is UTF-8, under a name of ASCII letters.
        Utf8PathBuf::from(self.0.path().to_string_lossy().into_owned())
    }

    fn remove(self) -> Result<(), Error> {
        let path = self.path();
        self.0.close().map_err(|source| Error::Store { action: "remove", path, source })
    }
}
