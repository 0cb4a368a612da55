//! Knows what a plan's references stand for. It is asked by `run` at the last moment, and by nobody
//! else.

use camino::Utf8Path;
use coffer_launch::run::{Resolve, ResolveError, SecretBytes};
use coffer_plan::agent::Agent;
use coffer_plan::facts::HostFacts;
use coffer_plan::plan::Reference;
use coffer_plan::sign_in::shape::MAX_LOGIN_BYTES;
use coffer_plan::sign_in::withhold;

use crate::prepare;

/// Largest settings file that is read, in bytes.
const MAX_SETTINGS_BYTES: usize = 1024 * 1024;
/// Largest file with MCP servers that is read, in bytes: it also holds histories.
const MAX_CONFIGURATION_BYTES: usize = 32 * 1024 * 1024;

/// Resolves over this process's environment and the user's files.
pub(crate) struct Resolver<'a> {
    /// Where the user's own agent files are.
    pub(crate) facts: &'a HostFacts,
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
            Reference::Lease { file } => {
                let lease = coffer_account::lease::lease(&read(file, MAX_LOGIN_BYTES)?);
                let lease = lease.map_err(|error| gone(format!("`{file}`: {error}")))?;
                Ok(SecretBytes::from(lease.into_bytes()))
            }
            // A folder of the run is known to the run itself.
            Reference::Folder(folder) => Err(gone(format!("the run has no folder `{folder}`"))),
        }
    }
}

impl Resolver<'_> {
    fn agent(&self, name: &str) -> Result<Agent, ResolveError> {
        prepare::agent(name, self.facts).map_err(|error| gone(error.to_string()))
    }
}

fn read(file: &Utf8Path, limit: usize) -> Result<SecretBytes, ResolveError> {
    match coffer_host::read_secret(file, limit) {
        Ok(Some(bytes)) => Ok(SecretBytes::from(bytes)),
        Ok(None) => Err(gone(format!("`{file}` is not there any more"))),
        Err(error) => Err(ResolveError { reason: error.to_string(), hint: error.hint() }),
    }
}

fn gone(reason: String) -> ResolveError {
    ResolveError { reason, hint: Some("run it again; the plan is then made anew".to_owned()) }
}
