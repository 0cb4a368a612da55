//! MCP servers in the agent's user configuration: names, kinds and hosts, no arguments or variables.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::agent::{Agent, McpLayout};
use coffer_plan::facts::{HostFacts, McpServerFact};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::environment;
use crate::read::{Found, read_beneath, read_file};
use crate::settings::wipe;

/// Largest configuration file that is searched, in bytes. Agents keep histories in it, so it may be much
/// larger than settings; all but one key is skipped without being kept.
const MAX_CONFIGURATION_BYTES: usize = 32 * 1024 * 1024;

/// The servers that the user's configuration and the project name; none of what cannot be read.
pub(crate) fn servers(facts: &HostFacts, agent: &Agent) -> Vec<McpServerFact> {
    let Some(layout) = &agent.settings.mcp else {
        return Vec::new();
    };
    let users = first_file(facts, layout).map(|(file, found)| named_in(&file, &found, &layout.key, false));
    let project = &facts.project.path;
    let found = layout.project.as_ref().and_then(|name| {
        // An agent may have written it: no link is followed.
        let found = read_beneath(project, name, MAX_CONFIGURATION_BYTES).ok()?;
        Some(named_in(&project.join(name), &found, &layout.key, true))
    });
    users.into_iter().chain(found).flatten().collect()
}

fn named_in(file: &Utf8Path, found: &Found, key: &str, of_project: bool) -> Vec<McpServerFact> {
    let mut json = serde_json::Deserializer::from_slice(&found.content);
    let Ok(Some(mut value)) = (Pick { key }).deserialize(&mut json) else {
        return Vec::new();
    };
    let servers = match &value {
        Value::Object(servers) => {
            servers.iter().map(|(name, server)| fact(name, file, server, of_project)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Vec::new(),
    };
    wipe(&mut value);
    servers
}

fn first_file(facts: &HostFacts, layout: &McpLayout) -> Option<(Utf8PathBuf, Found)> {
    layout
        .files
        .iter()
        .filter_map(|file| file.expand(facts))
        .find_map(|file: Utf8PathBuf| Some((file.clone(), read_file(&file, MAX_CONFIGURATION_BYTES).ok()?)))
}

fn fact(name: &str, file: &Utf8Path, server: &Value, of_project: bool) -> McpServerFact {
    let text = |key: &str| server.get(key).and_then(Value::as_str);
    let transport = match (text("type"), text("url")) {
        (Some("sse"), _) => "sse",
        (Some("http" | "streamable-http"), _) => "http",
        (Some("stdio"), _) | (_, None) => "stdio",
        (_, Some(_)) => "http",
    };
    McpServerFact {
        name: name.to_owned(),
        file: file.to_owned(),
        transport: transport.to_owned(),
        endpoint: text("url").and_then(environment::endpoint),
        of_project,
    }
}

/// The value of one key of an object, everything else skipped.
struct Pick<'a> {
    key: &'a str,
}

impl<'de> DeserializeSeed<'de> for Pick<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Option<Value>;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut picked = None;
        while let Some(key) = fields.next_key::<String>()? {
            if key == self.key {
                picked = Some(fields.next_value()?);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(picked)
    }
}

#[cfg(test)]
mod tests;
