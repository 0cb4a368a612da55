//! Knows what a plan's references stand for. It is asked by `run` at the last moment, and by nobody
//! else.

use camino::Utf8Path;
use coffer_account::layout::{AccountFolder, AccountName, BadName};
use coffer_account::lease::stand_in;
use coffer_account::seal::{Opener, SealError};
use coffer_host::HostError;
use coffer_launch::run::{Resolve, ResolveError, SecretBytes};
use coffer_plan::agent::{Agent, CredentialOrigin};
use coffer_plan::facts::HostFacts;
use coffer_plan::plan::Reference;
use coffer_plan::sign_in::shape::{self, LoginDetails, MAX_LOGIN_BYTES};
use coffer_plan::sign_in::verify::ENDING_MS;
use coffer_plan::sign_in::withhold;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::gateway::Gatekeeper;
use crate::{account_facts, helper, prepare};

/// Largest sealed key that is read, in bytes.
const MAX_SEALED_BYTES: usize = 64 * 1024;
/// Largest settings file that is read, in bytes.
const MAX_SETTINGS_BYTES: usize = 1024 * 1024;
/// Largest file with MCP servers that is read, in bytes: it also holds histories.
const MAX_CONFIGURATION_BYTES: usize = 32 * 1024 * 1024;

/// Resolves over this process's environment and the user's files.
pub(crate) struct Resolver<'a> {
    /// Where the user's own agent files are.
    pub(crate) facts: &'a HostFacts,
    /// Who renews a login whose time is short.
    pub(crate) renew: &'a dyn Renew,
    /// Knows what belongs to the gateway of this run, if it has one.
    pub(crate) gatekeeper: Option<&'a Gatekeeper>,
}

/// How long a login stands that is none: longer than any run.
const STAND_IN_MS: i64 = 365 * 24 * 3600 * 1000;

/// Renews the login of an account before a lease of it is read.
pub(crate) trait Renew {
    /// Has the access token renewed; the file tells how it went.
    fn renew(&self, account: &str) -> Result<(), ResolveError>;
}

/// For whoever only looks: nothing is renewed.
pub(crate) struct NoKeeper;

impl Renew for NoKeeper {
    fn renew(&self, account: &str) -> Result<(), ResolveError> {
        Err(ResolveError {
            reason: format!("the access token of the account `{account}` is at its end"),
            hint: Some(format!("`coffer refresh --account {account}`")),
        })
    }
}

impl Resolve for Resolver<'_> {
    fn resolve(&self, reference: &Reference) -> Result<SecretBytes, ResolveError> {
        match reference {
            Reference::HostEnv(name) => {
                let value = coffer_host::variable(name);
                value.map(SecretBytes::from).ok_or_else(|| gone(format!("`{name}` is not set any more")))
            }
            Reference::SettingsEnv { name, file } => {
                let value = withhold::settings_variable(&read(file, MAX_SETTINGS_BYTES)?, name);
                let value = value.map_err(|error| gone(format!("`{file}` is {error}")))?;
                let value = value.ok_or_else(|| gone(format!("`{name}` is not in `{file}` any more")))?;
                Ok(SecretBytes::from(value.into_bytes()))
            }
            Reference::ImageEnv(name) => {
                Err(gone(format!("`{name}` is a variable of an image, which only its container has")))
            }
            Reference::Settings { agent, file } => {
                let agent = self.agent(agent)?;
                let settings = withhold::settings(&read(file, MAX_SETTINGS_BYTES)?, &agent);
                settings.map(SecretBytes::from).map_err(|error| gone(format!("`{file}` is {error}")))
            }
            Reference::McpServers { agent, file } => {
                let agent = self.agent(agent)?;
                let key = agent.settings.mcp.map(|mcp| mcp.key).unwrap_or_default();
                let servers = withhold::mcp_servers(&read(file, MAX_CONFIGURATION_BYTES)?, &key);
                servers.map(SecretBytes::from).map_err(|error| gone(format!("`{file}` is {error}")))
            }
            Reference::Lease { account, file } => {
                let lease = coffer_account::lease::lease(&self.login(account, file)?);
                let lease = lease.map_err(|error| gone(format!("`{file}`: {error}")))?;
                Ok(SecretBytes::from(lease.into_bytes()))
            }
            Reference::AccountSecret { account } => self.secret(account),
            Reference::AccountHelper { account, program } => self.helper(account, program),
            Reference::SettingsHelper { agent, file } => self.settings_helper(agent, file),
            Reference::Capability => Ok(SecretBytes::from(self.gatekeeper()?.capability().expose().to_vec())),
            Reference::CapabilityLogin { account, file } => {
                let lease = coffer_account::lease::lease(&self.login(account, file)?);
                let end = coffer_host::now_ms().saturating_add(STAND_IN_MS);
                let word = self.gatekeeper()?.capability();
                let lease = lease.and_then(|lease| stand_in(lease.expose(), word, end));
                let lease = lease.map_err(|error| gone(format!("`{file}`: {error}")))?;
                Ok(SecretBytes::from(lease.into_bytes()))
            }
            Reference::GatewayUrl => {
                let url =
                    self.gatekeeper()?.url().ok_or_else(|| gone("the gateway has no port".to_owned()))?;
                Ok(SecretBytes::from(url.into_bytes()))
            }
            Reference::GpgKeys(fingerprints) => {
                let exported = coffer_host::gpg_public_keys(self.facts, fingerprints).map_err(gone)?;
                Ok(SecretBytes::from(exported))
            }
            // A folder of the run is known to the run itself.
            Reference::Folder(folder) => Err(gone(format!("the run has no folder `{folder}`"))),
        }
    }
}

impl<'a> Resolver<'a> {
    /// Over this machine, without a gateway.
    pub(crate) fn new(facts: &'a HostFacts, renew: &'a dyn Renew) -> Self {
        Self { facts, renew, gatekeeper: None }
    }
}

impl Resolver<'_> {
    fn gatekeeper(&self) -> Result<&Gatekeeper, ResolveError> {
        self.gatekeeper.ok_or_else(|| gone("there is no gateway here".to_owned()))
    }

    /// What the helper in the user's own settings prints: a line for the shell, as the agent itself runs it.
    fn settings_helper(&self, agent: &str, file: &Utf8Path) -> Result<SecretBytes, ResolveError> {
        let agent = self.agent(agent)?;
        let rule = agent.credentials.iter().find(|rule| rule.from == CredentialOrigin::Setting);
        let settings: serde_json::Value = serde_json::from_slice(&read(file, MAX_SETTINGS_BYTES)?)
            .map_err(|_| gone(format!("`{file}` is no JSON object")))?;
        let line = rule.and_then(|rule| settings.get(&rule.source)?.as_str());
        let line = line.ok_or_else(|| gone(format!("no helper is in `{file}` any more")))?;
        let printed = helper::run(Utf8Path::new("/bin/sh"), &["-c".to_owned(), line.to_owned()]);
        printed.map_err(|error| ResolveError {
            reason: format!("the helper in `{file}`: {error}"),
            hint: Some(format!("try it by hand; it stands in `{file}`")),
        })
    }

    fn agent(&self, name: &str) -> Result<Agent, ResolveError> {
        prepare::agent(name, self.facts).map_err(|error| gone(error.to_string()))
    }
}

impl Resolver<'_> {
    /// The login file of an account; renewed first when its access token has ended or is about to.
    fn login(&self, account: &str, file: &Utf8Path) -> Result<SecretBytes, ResolveError> {
        let name = account_name(account)?;
        let folder = AccountFolder::new(&self.facts.folders.data, &name);
        if !name.is_host() {
            tighten(&folder, file)?;
        }
        let login = read_login(&name, file)?;
        let left = match shape::read(&login).details() {
            Some(LoginDetails { refresh_token: true, expires_at_ms: Some(end), .. }) => {
                end.saturating_sub(coffer_host::now_ms())
            }
            Some(_) | None => i64::MAX,
        };
        // Got while the clock was ahead, it ends earlier than it says: the keeper knows.
        let ahead = !name.is_host() && account_facts::memory(&folder).dates_ahead(coffer_host::now_ms());
        if left >= ENDING_MS && !(ahead && left < i64::MAX) {
            return Ok(login);
        }
        self.renew.renew(account)?;
        read_login(&name, file)
    }

    /// The sealed key or token of an account.
    fn secret(&self, account: &str) -> Result<SecretBytes, ResolveError> {
        let data = &self.facts.folders.data;
        let path = AccountFolder::new(data, &account_name(account)?).secret();
        let sealed = read(&path, MAX_SEALED_BYTES)?;
        let unopened = |error: SealError| ResolveError {
            reason: format!("`{path}`: {error}"),
            hint: error.hint().or_else(|| Some(format!("`coffer account show {account}`"))),
        };
        let secret = Opener::of(data).map_err(unopened)?.open(&sealed).map_err(unopened)?;
        // Line breaks at the end come of how it was typed or piped; in a header they would end the line.
        Ok(SecretBytes::from(secret.expose().trim_ascii().to_vec()))
    }

    /// What the account's helper program prints. Which program it is was said in the plan, and checked;
    /// its arguments are on record.
    fn helper(&self, account: &str, program: &Utf8Path) -> Result<SecretBytes, ResolveError> {
        let folder = AccountFolder::new(&self.facts.folders.data, &account_name(account)?);
        let record = account_facts::record(&folder).map_err(|error| gone(error.to_string()))?;
        let words = record.and_then(|record| record.helper).unwrap_or_default();
        let Some((first, arguments)) = words.split_first() else {
            return Err(gone(format!("the account `{account}` has no helper any more")));
        };
        let found = coffer_host::program(self.facts, first);
        if found.as_deref() != Some(program) {
            return Err(gone(format!("the helper of the account `{account}` is not `{program}` any more")));
        }
        let printed = helper::run(program, arguments);
        printed.map_err(|error| ResolveError {
            reason: format!("the helper `{program}` of the account `{account}`: {error}"),
            hint: Some(format!("try it by hand: `{program}`")),
        })
    }
}

fn account_name(account: &str) -> Result<AccountName, ResolveError> {
    account.parse().map_err(|error: BadName| gone(error.to_string()))
}

/// The login file. A named account's lies in folders that a run which shares it can write.
pub(crate) fn read_login(name: &AccountName, file: &Utf8Path) -> Result<SecretBytes, ResolveError> {
    let parent = file.parent().and_then(Utf8Path::parent);
    let (false, Some(parent)) = (name.is_host(), parent) else {
        return read(file, MAX_LOGIN_BYTES);
    };
    let below = file.strip_prefix(parent).unwrap_or(file);
    found(file, coffer_host::read_secret_beneath(parent, below, MAX_LOGIN_BYTES))
}

/// Takes everybody else's rights from the login of a named account and its folders.
fn tighten(folder: &AccountFolder, file: &Utf8Path) -> Result<(), ResolveError> {
    let places = [(folder.login_parent(), 0o700), (folder.login(), 0o700), (file.to_owned(), 0o600)];
    for (path, mode) in places {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let tightened = rustix::fs::open(path.as_str(), flags, Mode::empty()).and_then(|place| {
            let stat = rustix::fs::fstat(&place)?;
            let others = stat.st_mode & 0o7777 & !mode;
            if others == 0 { Ok(()) } else { rustix::fs::fchmod(&place, Mode::from_raw_mode(mode)) }
        });
        match tightened {
            // What is not there is told by reading it.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => {
                return Err(ResolveError {
                    reason: format!("cannot make `{path}` private: {error}"),
                    hint: Some("`coffer doctor --fix`".to_owned()),
                });
            }
        }
    }
    Ok(())
}

fn read(file: &Utf8Path, limit: usize) -> Result<SecretBytes, ResolveError> {
    found(file, coffer_host::read_secret(file, limit))
}

fn found(
    file: &Utf8Path,
    read: Result<Option<Zeroizing<Vec<u8>>>, HostError>,
) -> Result<SecretBytes, ResolveError> {
    match read {
        Ok(Some(bytes)) => Ok(SecretBytes::from(bytes)),
        Ok(None) => Err(gone(format!("`{file}` is not there any more"))),
        Err(error) => Err(ResolveError { reason: error.to_string(), hint: error.hint() }),
    }
}

fn gone(reason: String) -> ResolveError {
    ResolveError { reason, hint: Some("run it again; the plan is then made anew".to_owned()) }
}
