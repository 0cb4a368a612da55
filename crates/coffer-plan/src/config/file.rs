//! The config files as they are written (TOML). An unknown key is an error that names the nearest one.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use super::keys::KeyChoice;
use super::limits::{LIMIT_KEYS, LimitSettings};
use crate::host::{Host, HostRule};
use crate::origin::Origin;
use crate::path::PathTemplate;
use crate::plan::{Access, AuthMode, BackendKind, ForwardSpec, NetworkTier, PublishSpec, StateMode};

/// What one layer may say. Every key is optional.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `--agent`.
    pub agent: Option<String>,
    /// `--account`.
    pub account: Option<String>,
    /// `--auth`.
    pub auth: Option<AuthMode>,
    /// `--state`.
    pub state: Option<StateMode>,
    /// `--network`.
    pub network: Option<NetworkTier>,
    /// `--backend`.
    pub backend: Option<BackendKind>,
    /// `--image`: the image of a backend that has images.
    pub image: Option<String>,
    /// `--audit`.
    pub audit: Option<AuditMode>,
    /// Profiles to add.
    pub profiles: Option<Vec<String>>,
    /// `--unattended`.
    pub unattended: Option<bool>,
    /// Answer the agent's folder-trust question with yes.
    pub trust_folder: Option<bool>,
    /// `--as-root-inside`.
    pub as_root_inside: Option<bool>,
    /// `--allow-host-login`: `--auth shared` may share the user's own login.
    pub allow_host_login: Option<bool>,
    /// `--allow-nesting`: sandboxes may be made inside.
    pub allow_nesting: Option<bool>,
    /// `--ssh-agent`: SSH keys that may be used.
    pub ssh_agent: Option<KeyChoice>,
    /// `--gpg-agent`: GnuPG keys that may be used.
    pub gpg_agent: Option<KeyChoice>,
    /// `--gpg-agent-decrypt`: GnuPG keys may decrypt, too.
    pub gpg_agent_decrypt: Option<bool>,
    /// `--confirm-keys`: a person is asked each time a key is used.
    pub confirm_keys: Option<bool>,
    /// `--allow-container-engine`: a container engine of the host may be shown.
    pub allow_container_engine: Option<bool>,
    /// Scopes that a login must have.
    pub scopes: Vec<String>,
    /// Mounts to add.
    #[serde(rename = "mount")]
    pub mounts: Vec<MountSpec>,
    /// Folders to add to the sandbox's PATH, where they are mounted.
    pub path: Vec<PathTemplate>,
    /// Variables to pass or set.
    pub env: EnvSettings,
    /// Paths that shall not be seen.
    pub hide: Vec<PathTemplate>,
    /// Paths of the project that shall not be written.
    pub readonly: Vec<PathTemplate>,
    /// Secret paths that may be mounted all the same; only in the user's file.
    pub expose: Vec<PathTemplate>,
    /// Paths, as in the built-in list, that the host runs later and that the agent shall not write.
    pub protect: Vec<String>,
    /// `--allow-write`: paths that the host runs later and that the agent may write all the same.
    pub allow_write: Vec<PathTemplate>,
    /// `--accept-config`: every change of git's configuration reaches the host.
    pub accept_config: Option<bool>,
    /// Hosts that may be reached in the tier `dev`.
    pub allow: Vec<HostRule>,
    /// Services of the host that are there inside.
    pub forward: Vec<ForwardSpec>,
    /// Ports of the sandbox on the host's loopback.
    pub publish: Vec<PublishSpec>,
    /// Bounds on resources.
    pub limits: LimitSettings,
}

/// `[upstream]`: how the gateway reaches hosts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamSettings {
    /// A file with certificate authorities (PEM) that count besides the system's.
    pub ca_file: Option<PathTemplate>,
    /// Names that mean another address, `IP:PORT`.
    pub hosts: BTreeMap<Host, SocketAddr>,
}

/// Variables to pass or set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvSettings {
    /// Names passed from the host when set; a trailing `*` is a prefix.
    pub pass: Vec<String>,
    /// Names and values; refused for names or values that look secret.
    pub set: BTreeMap<String, String>,
}

/// When the audit is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditMode {
    /// Before each run.
    Always,
    /// When the plan differs from the last run's here.
    Changed,
    /// Not at all.
    Never,
}

/// A mount as a layer asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountSpec {
    /// On the host.
    pub source: PathTemplate,
    /// Inside; the source's own path if not said.
    pub target: Option<PathTemplate>,
    /// `ro` if not said.
    #[serde(default)]
    pub access: Access,
    /// Leave it out where the source does not exist (for profiles).
    #[serde(default)]
    pub optional: bool,
}

impl MountSpec {
    /// Reads `SRC[:DST][:ro|rw]`, as `docker run -v` has it.
    ///
    /// # Errors
    /// When a part is empty or there are too many.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts: Vec<&str> = text.split(':').collect();
        let access = match parts.last() {
            Some(&"ro") => Some(Access::Ro),
            Some(&"rw") => Some(Access::Rw),
            Some(_) | None => None,
        };
        if access.is_some() {
            parts.pop();
        }
        let (source, target) = match parts[..] {
            [source] => (source, None),
            [source, target] => (source, Some(target)),
            _ => return Err("expected SRC[:DST][:ro|rw]".to_owned()),
        };
        if source.is_empty() || target.is_some_and(str::is_empty) {
            return Err("expected SRC[:DST][:ro|rw], with no empty part".to_owned());
        }
        Ok(Self {
            source: PathTemplate(source.to_owned()),
            target: target.map(|target| PathTemplate(target.to_owned())),
            access: access.unwrap_or_default(),
            optional: false,
        })
    }
}

/// The user's config file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserFile {
    /// Where it was read from.
    pub path: String,
    /// For every run.
    pub settings: Settings,
    /// `[profile.NAME]`.
    pub profiles: BTreeMap<String, Settings>,
    /// `[project."PATH"]`.
    pub projects: BTreeMap<String, Settings>,
    /// `[upstream]`.
    pub upstream: UpstreamSettings,
}

/// The project's `.coffer.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectFile {
    /// What it says; it is active only as far as it tightens, or when trusted.
    pub settings: Settings,
}

/// What can be wrong with a config file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is not TOML, or a value has the wrong type.
    #[error("cannot read `{path}`: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// The parser's words, in one line.
        reason: String,
    },
    /// A key that does not exist.
    #[error("unknown key `{key}` in `{path}`")]
    UnknownKey {
        /// The file.
        path: String,
        /// The key, dotted.
        key: String,
        /// The nearest known key.
        nearest: Option<String>,
    },
    /// A key that only the user's own file may have.
    #[error("`{key}` cannot be said in a project's file (`{path}`)")]
    NotForProjects {
        /// The file.
        path: String,
        /// The key.
        key: String,
    },
    /// A layer names a profile that does not exist.
    #[error("no profile is called `{name}` ({origin})")]
    UnknownProfile {
        /// The name.
        name: String,
        /// Who asked.
        origin: Origin,
        /// The nearest known one.
        nearest: Option<String>,
    },
}

impl ConfigError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Malformed { path, .. } => Some(format!("edit `{path}`")),
            Self::UnknownKey { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownKey { path, nearest: None, .. } => Some(format!("take the key out of `{path}`")),
            Self::NotForProjects { key, .. } => Some(format!("put `{key}` into your own config file")),
            Self::UnknownProfile { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownProfile { nearest: None, .. } => {
                Some("define it as `[profile.NAME]` in your config file".to_owned())
            }
        }
    }
}

/// The keys of [`Settings`] as they are written; a test holds the two together.
pub(super) const KEYS: &[&str] = &[
    "accept_config",
    "account",
    "agent",
    "allow",
    "allow_container_engine",
    "allow_host_login",
    "allow_nesting",
    "allow_write",
    "as_root_inside",
    "audit",
    "auth",
    "backend",
    "confirm_keys",
    "env",
    "expose",
    "forward",
    "gpg_agent",
    "gpg_agent_decrypt",
    "hide",
    "image",
    "limits",
    "mount",
    "network",
    "path",
    "profiles",
    "protect",
    "publish",
    "readonly",
    "scopes",
    "ssh_agent",
    "state",
    "trust_folder",
    "unattended",
];

/// The keys of [`EnvSettings`] and of [`MountSpec`].
pub(super) const ENV_KEYS: &[&str] = &["pass", "set"];
pub(super) const UPSTREAM_KEYS: &[&str] = &["ca_file", "hosts"];
pub(super) const MOUNT_KEYS: &[&str] = &["access", "optional", "source", "target"];

/// SHA-256 of a config file's text, in hexadecimal, by which `coffer trust` remembers it.
pub fn fingerprint(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the user's config file.
///
/// # Errors
/// Not TOML, an unknown key, or a value of the wrong type.
pub fn parse_user(path: &str, text: &str) -> Result<UserFile, ConfigError> {
    let mut table = parse_table(path, text)?;
    let profiles = take_named(path, &mut table, "profile")?;
    let projects = take_named(path, &mut table, "project")?;
    let upstream = take_upstream(path, &mut table)?;
    let settings = parse_settings(path, "", table, &["profile", "project", "upstream"])?;
    Ok(UserFile { path: path.to_owned(), settings, profiles, projects, upstream })
}

fn take_upstream(path: &str, table: &mut toml::Table) -> Result<UpstreamSettings, ConfigError> {
    let Some(value) = table.remove("upstream") else { return Ok(UpstreamSettings::default()) };
    if let toml::Value::Table(table) = &value {
        known_keys(path, "upstream.", table, UPSTREAM_KEYS.iter().copied())?;
    }
    value.try_into().map_err(|error: toml::de::Error| {
        let reason = error.message().lines().next().unwrap_or("it has the wrong type").to_owned();
        ConfigError::Malformed { path: path.to_owned(), reason: format!("`upstream`: {reason}") }
    })
}

/// Reads a project's `.coffer.toml`.
///
/// # Errors
/// As [`parse_user`]; also when it says what only the user's own file may say.
pub fn parse_project(path: &str, text: &str) -> Result<ProjectFile, ConfigError> {
    let table = parse_table(path, text)?;
    for key in [
        "expose",
        "profile",
        "project",
        "as_root_inside",
        "allow_container_engine",
        "allow_host_login",
        "trust_folder",
        "audit",
        "upstream",
    ] {
        if table.contains_key(key) {
            return Err(ConfigError::NotForProjects { path: path.to_owned(), key: key.to_owned() });
        }
    }
    Ok(ProjectFile { settings: parse_settings(path, "", table, &[])? })
}

/// Reads a built-in profile.
pub(crate) fn parse_profile(name: &str, text: &str) -> Result<Settings, ConfigError> {
    parse_settings(name, "", parse_table(name, text)?, &[])
}

fn parse_table(path: &str, text: &str) -> Result<toml::Table, ConfigError> {
    text.parse::<toml::Table>().map_err(|error| malformed(path, &error))
}

/// The parser's message without the excerpt: a config file may hold what should not be in a terminal.
fn malformed(path: &str, error: &toml::de::Error) -> ConfigError {
    let mut reason = error.message().lines().next().unwrap_or("not TOML").to_owned();
    if let Some(span) = error.span() {
        reason.push_str(&format!(" (at byte {})", span.start));
    }
    ConfigError::Malformed { path: path.to_owned(), reason }
}

fn take_named(
    path: &str,
    table: &mut toml::Table,
    key: &str,
) -> Result<BTreeMap<String, Settings>, ConfigError> {
    let Some(value) = table.remove(key) else {
        return Ok(BTreeMap::new());
    };
    let toml::Value::Table(named) = value else {
        return Err(ConfigError::Malformed {
            path: path.to_owned(),
            reason: format!("`{key}` must be a table"),
        });
    };
    let mut out = BTreeMap::new();
    for (name, body) in named {
        let toml::Value::Table(body) = body else {
            let reason = format!("`{key}.{name}` must be a table");
            return Err(ConfigError::Malformed { path: path.to_owned(), reason });
        };
        // Profiles do not nest: the key would mean nothing there.
        if key == "profile" && body.contains_key("profiles") {
            let key = format!("{key}.{name}.profiles");
            return Err(ConfigError::UnknownKey { path: path.to_owned(), key, nearest: None });
        }
        let settings = parse_settings(path, &format!("{key}.{name}."), body, &[])?;
        out.insert(name, settings);
    }
    Ok(out)
}

fn parse_settings(
    path: &str,
    prefix: &str,
    table: toml::Table,
    more: &[&str],
) -> Result<Settings, ConfigError> {
    let known = KEYS.iter().chain(more).copied();
    known_keys(path, prefix, &table, known)?;
    if let Some(toml::Value::Table(env)) = table.get("env") {
        known_keys(path, &format!("{prefix}env."), env, ENV_KEYS.iter().copied())?;
    }
    if let Some(toml::Value::Table(limits)) = table.get("limits") {
        known_keys(path, &format!("{prefix}limits."), limits, LIMIT_KEYS.iter().copied())?;
    }
    if let Some(toml::Value::Array(mounts)) = table.get("mount") {
        for mount in mounts.iter().filter_map(toml::Value::as_table) {
            known_keys(path, &format!("{prefix}mount."), mount, MOUNT_KEYS.iter().copied())?;
        }
    }
    Settings::deserialize(table.clone()).map_err(|error| wrong_value(path, prefix, table, &error))
}

/// The first key that does not exist.
fn known_keys<'a>(
    path: &str,
    prefix: &str,
    table: &toml::Table,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), ConfigError> {
    let mut keys = table.keys();
    match keys.find(|key| !known.clone().any(|known| known == key.as_str())) {
        None => Ok(()),
        Some(key) => Err(ConfigError::UnknownKey {
            path: path.to_owned(),
            key: format!("{prefix}{key}"),
            nearest: nearest(key, known),
        }),
    }
}

/// Names the key whose value does not fit, and what would; the value itself may be a secret.
fn wrong_value(path: &str, prefix: &str, table: toml::Table, error: &toml::de::Error) -> ConfigError {
    let fails = |(key, value): (String, toml::Value)| {
        let alone = toml::Table::from_iter([(key.clone(), value)]);
        Settings::deserialize(alone).err().map(|error| (key, error))
    };
    let (key, error) = table.into_iter().find_map(fails).unwrap_or_else(|| (String::new(), error.clone()));
    let message = error.message().lines().next().unwrap_or_default();
    let expected = message.rfind("expected ").map_or("it has the wrong type", |at| &message[at..]);
    ConfigError::Malformed { path: path.to_owned(), reason: format!("`{prefix}{key}`: {expected}") }
}

/// The known word that is nearest to `word`, if any is near.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3))
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}
