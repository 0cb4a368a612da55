//! An agent is one data file: `agents/NAME.toml` here, or the user's own in
//! `$XDG_CONFIG_HOME/cofferdam/agents/NAME.toml`. No agent's name stands in code.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::path::PathTemplate;

/// Everything Cofferdam knows about an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The word for `--agent`; equals the file's name.
    pub name: String,
    /// For people.
    pub title: String,
    /// The program and its fixed arguments.
    pub command: Vec<String>,
    /// The command that gets it, for the hint when it is missing.
    #[serde(default)]
    pub install_hint: Option<String>,
    /// How it gets into an image; agents without are not built into any.
    #[serde(default)]
    pub image: Option<ImageLayout>,
    /// What `--unattended` adds.
    #[serde(default)]
    pub unattended: Unattended,
    /// Where it keeps its own files; agents without any have none.
    #[serde(default)]
    pub state: Option<StateLayout>,
    /// Its login file; agents that sign in by API key alone have none.
    #[serde(default)]
    pub login: Option<LoginLayout>,
    /// Its credentials in the order in which it prefers them, the login file among them.
    #[serde(default, rename = "credential")]
    pub credentials: Vec<CredentialRule>,
    /// The variables in which a named account's own settings cross.
    #[serde(default)]
    pub account: AccountVariables,
    /// When it ignores some of its credentials.
    #[serde(default)]
    pub bare: BareRule,
    /// Variables that pass through when set, besides the built-in allowlist.
    #[serde(default)]
    pub env: AgentEnv,
    /// Hosts of its API (tier `agent`).
    #[serde(default)]
    pub api_hosts: Vec<String>,
    /// How the gateway speaks to its API in its stead; without it there is no `--auth gateway`.
    #[serde(default)]
    pub gateway: Option<GatewayLayout>,
    /// Its own settings files.
    #[serde(default)]
    pub settings: SettingsLayout,
    /// The user's configuration that enters every state read-only, relative to the state's home.
    #[serde(default)]
    pub user_config: Vec<String>,
    /// JSON merged into files of the state before a start.
    #[serde(default, rename = "seed")]
    pub seeds: Vec<Seed>,
    /// How it is made to call its API once; agents without are not probed.
    #[serde(default)]
    pub probe: Option<ProbeLayout>,
    /// What it reads in a project, and would run or obey there the next time somebody starts it.
    #[serde(default)]
    pub deferred: Vec<crate::deferred::DeferredPath>,
    /// What versions of it were measured to do to a login.
    #[serde(default, rename = "hazard")]
    pub hazards: Vec<Hazard>,
}

/// What some versions of an agent were measured to do to a login. `coffer doctor` warns of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hazard {
    /// First version that does it.
    pub since: String,
    /// First version that does not any more.
    pub before: String,
    /// What it does.
    pub text: String,
    /// What to do about it.
    pub fix: String,
}

/// How an agent is made to call its API once, and how its answer (a JSON object) reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeLayout {
    /// Arguments.
    pub args: Vec<String>,
    /// More of them, where the user chose neither model nor provider.
    #[serde(default)]
    pub cheap: Vec<String>,
    /// Variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variables of the user's environment and settings that come along: how the network is reached.
    #[serde(default)]
    pub pass: Vec<String>,
    /// The key that says whether it failed.
    pub failed: String,
    /// The key that holds the API's status.
    pub status: String,
    /// The key that holds what it says.
    pub words: String,
    /// What it says when it is not signed in, or some of it.
    #[serde(default)]
    pub signed_out: Vec<String>,
}

/// Whether an entry (`NAME`, or `NAME*` for all that begin so) means the variable of this name.
pub fn names_it(entry: &str, name: &str) -> bool {
    match entry.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => entry == name,
    }
}

impl LoginLayout {
    /// How an agent of this version is made to refresh; `None` when nobody has measured a way. An unknown
    /// version has none.
    pub fn refresh_rule(&self, version: &str) -> Option<&RefreshRule> {
        self.refreshes.iter().rev().find(|rule| numbers(&rule.since) <= numbers(version))
    }
}

impl Agent {
    /// The user's own configuration and settings, relative to the folder of the agent's own files.
    pub fn own_files(&self) -> impl Iterator<Item = &String> {
        self.user_config.iter().chain(&self.settings.user)
    }

    /// The agent as a person signs in with it: nothing of the user's and nothing of ours enters its state, so
    /// that whatever is there afterwards came of the sign-in.
    #[must_use]
    pub fn for_sign_in(mut self) -> Self {
        self.user_config.clear();
        self.settings = SettingsLayout::default();
        self.seeds.clear();
        self
    }

    /// The command with which a person signs in to an account; the user's own login is the agent's business.
    pub fn sign_in_command(&self, account: &str) -> String {
        if account != crate::sign_in::OWN_ACCOUNT {
            return format!("`coffer login --account {account}`");
        }
        let args = self.login.iter().filter_map(|login| login.sign_in.as_ref()).flat_map(|how| &how.args);
        let words: Vec<&str> = self.command.iter().chain(args).map(String::as_str).collect();
        format!("`{}`, or `coffer login --account NAME` for an account of its own", words.join(" "))
    }
}

/// How an agent gets into an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageLayout {
    /// Its npm package.
    pub npm: String,
    /// The version that was tried, which an image gets unless another one is asked for.
    pub version: String,
    /// Whether it runs on Node.js, which then stays in the image.
    #[serde(default)]
    pub on_node: bool,
}

/// What `--unattended` adds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unattended {
    /// Arguments after the command.
    #[serde(default)]
    pub args: Vec<String>,
    /// Variables set when the agent is uid 0 inside.
    #[serde(default)]
    pub env_as_root: BTreeMap<String, String>,
}

/// Where an agent keeps its own files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateLayout {
    /// Inside the sandbox.
    pub home: PathTemplate,
    /// On the host: where the user's own configuration is read from; first that expands.
    pub host: Vec<PathTemplate>,
    /// The variable that points the agent to `home`, if it has one.
    #[serde(default)]
    pub env: Option<String>,
    /// Names in it, with `*` for any text, that are configuration or credentials besides those that are named
    /// elsewhere here: what a working copy has of them is never merged back into a state.
    #[serde(default)]
    pub never_kept: Vec<String>,
}

/// How the gateway speaks to an agent's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayLayout {
    /// The variable that tells the agent where its API is.
    pub url_env: String,
    /// The variable that names a unix socket behind which the API is, if the agent knows one.
    #[serde(default)]
    pub socket_env: Option<String>,
    /// Where that is when nobody says otherwise.
    pub url: String,
    /// Headers by which a credential could come from inside.
    pub strip: Vec<String>,
    /// Query parameters by which one could.
    #[serde(default)]
    pub strip_query: Vec<String>,
    /// For how long what a helper printed is used, in ms.
    #[serde(default)]
    pub helper_ttl_ms: u64,
    /// The variable that says otherwise.
    #[serde(default)]
    pub helper_ttl_env: Option<String>,
}

/// An agent's login file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginLayout {
    /// How the file reads; `claude-oauth` is the one format known.
    pub format: LoginFormat,
    /// Its name in the folder.
    pub file: String,
    /// Where the agent looks for the folder, first that expands.
    pub folders: Vec<PathTemplate>,
    /// Scopes without which the agent counts as signed out.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How a run gets a login folder of its own, by version; the last entry whose `since` is at most
    /// the agent's version counts.
    pub lease: Vec<LeaseRule>,
    /// First version measured to lose no login when its own folder is bound into a sandbox as well; none
    /// was if it is not said.
    #[serde(default)]
    pub shared_since: Option<String>,
    /// The agent's own locks of the login, in the order in which it takes them: folders in the login folder,
    /// or beside it (`${folder}.lock`).
    #[serde(default)]
    pub locks: Vec<String>,
    /// How the agent is made to refresh a login that is due, by version; versions before the first entry
    /// are not used for it.
    #[serde(default, rename = "refresh")]
    pub refreshes: Vec<RefreshRule>,
    /// How a person signs in with it; agents without are signed in elsewhere.
    #[serde(default)]
    pub sign_in: Option<SignInLayout>,
}

/// How an agent of some version is made to refresh, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshRule {
    /// First version of which this holds.
    pub since: String,
    /// Arguments.
    pub args: Vec<String>,
    /// The variable that names the login folder.
    pub login_env: String,
    /// The variable that names the folder of the agent's other files, an empty one here.
    pub state_env: String,
    /// Variables; `${nowhere}` stands for an address of this machine at which nobody listens.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variables of the user's environment and settings that come along: how the network is reached.
    #[serde(default)]
    pub pass: Vec<String>,
    /// Lists of hosts that are reached without a proxy: this machine is added.
    #[serde(default)]
    pub local: Vec<String>,
}

/// How a person signs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInLayout {
    /// Arguments after the command.
    pub args: Vec<String>,
    /// Variables that make it write a log; `${state}` in them stands for its own folder.
    #[serde(default)]
    pub debug_env: BTreeMap<String, String>,
    /// The log, relative to the state.
    #[serde(default)]
    pub debug_file: Option<String>,
}

/// The variables in which what a named account says crosses; without one it cannot be said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountVariables {
    /// Another provider of the API.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The model to ask for.
    #[serde(default)]
    pub model: Option<String>,
    /// Time-out of a request, in ms.
    #[serde(default)]
    pub timeout: Option<String>,
    /// What a helper program prints.
    #[serde(default)]
    pub helper: Option<String>,
}

impl AccountVariables {
    /// The variables that say where and how the API is asked.
    pub fn settings(&self) -> impl Iterator<Item = &String> {
        self.base_url.iter().chain(&self.model).chain(&self.timeout)
    }
}

/// What makes an agent ignore some of its credentials.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BareRule {
    /// Arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Variables that say yes.
    #[serde(default)]
    pub env: Vec<String>,
    /// What is ignored then.
    #[serde(default)]
    pub ignores: Vec<CredentialKind>,
}

/// How a login file reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginFormat {
    /// `{"claudeAiOauth": {…}}`.
    ClaudeOauth,
}

/// How an agent of some version finds the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseRule {
    /// First version of which this holds.
    pub since: String,
    /// The variable that names the login folder; without one, the state's login file is a link into
    /// the lease folder (for versions that write in place).
    #[serde(default)]
    pub env: Option<String>,
}

/// One way of signing in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRule {
    /// What it is called in the audit: a variable's name, a settings key, or `login`.
    pub source: String,
    /// Where it comes from.
    pub from: CredentialOrigin,
    /// What it is.
    pub kind: CredentialKind,
    /// The header it is sent in (`Authorization`, `x-api-key`), where known.
    #[serde(default)]
    pub headers: Vec<String>,
    /// How each one of its issuer's begins, where that is stated.
    #[serde(default)]
    pub prefix: Option<String>,
    /// How long its issuer lets it live, in days, where that is stated.
    #[serde(default)]
    pub lifetime_days: Option<u32>,
    /// The variable in which the sandbox holds the run's capability when the gateway has this credential; `login`
    /// is the login file. Without it the gateway cannot have it.
    #[serde(default)]
    pub stand_in: Option<String>,
    /// Variables that a cloud provider's own sign-in needs; they cross with an account of that kind.
    #[serde(default)]
    pub pass: Vec<String>,
}

/// Where a credential comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialOrigin {
    /// A variable (of the environment, or of the settings' `env` block, which wins).
    Env,
    /// A key of the settings file.
    Setting,
    /// The login file.
    Login,
}

impl CredentialKind {
    /// The word itself.
    pub fn word(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::SetupToken => "setup_token",
            Self::ApiKey => "api_key",
            Self::AuthToken => "auth_token",
            Self::Helper => "helper",
            Self::Cloud => "cloud",
        }
    }
}

impl std::fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// What a credential is; the words of `coffer status --json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A signed-in subscription.
    Subscription,
    /// A long-lived token for a subscription.
    SetupToken,
    /// An API key.
    ApiKey,
    /// A bearer token.
    AuthToken,
    /// A program that prints a key.
    Helper,
    /// A cloud provider's own sign-in.
    Cloud,
}

/// Variables of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentEnv {
    /// Passed from the host when set; a trailing `*` is a prefix.
    #[serde(default)]
    pub pass: Vec<String>,
    /// Set by the sandbox.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Those inside a live run whose names `coffer doctor --run` tells.
    #[serde(default)]
    pub told: Vec<String>,
}

/// An agent's settings files (JSON).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsLayout {
    /// The user's own, relative to the state's host folder; enters a state without its secrets.
    #[serde(default)]
    pub user: Option<String>,
    /// Files in the project, relative to it.
    #[serde(default)]
    pub project: Vec<String>,
    /// Files of variables (`NAME=VALUE` lines) in the project that the agent reads by itself.
    #[serde(default)]
    pub project_env: Vec<String>,
    /// Dotted keys that redirect endpoints, proxies, certificates, tokens or helpers; `*` ends a prefix.
    #[serde(default)]
    pub redirects: Vec<String>,
    /// Where the user's MCP servers are named: file (first that expands) and key.
    #[serde(default)]
    pub mcp: Option<McpLayout>,
}

/// Where MCP servers are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpLayout {
    /// The user's file, first that expands and exists.
    pub files: Vec<PathTemplate>,
    /// The key of the object that holds them by name.
    pub key: String,
    /// The file of the state into which they are merged, without their secrets.
    pub state_file: String,
    /// The file of a project that names more of them, relative to it.
    #[serde(default)]
    pub project: Option<String>,
}

/// JSON merged into a file of the state before a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// Relative to the state.
    pub file: String,
    /// When it applies.
    pub when: SeedWhen,
    /// The object to merge; `${project}` in it stands for the project's path.
    pub json: String,
}

/// When a seed applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeedWhen {
    /// A credential works.
    SignedIn,
    /// The user's config says `trust_folder = true`.
    TrustFolder,
    /// `--unattended`.
    Unattended,
    /// Every time.
    Always,
}

/// A version as numbers, so that 2.1.9 comes before 2.1.10.
pub(crate) fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}
