//! What of the user's own configuration may enter a sandbox: everything but secrets and helpers.

use serde_json::{Map, Value};

use crate::agent::{Agent, CredentialOrigin};
use crate::facts::is_public;

#[cfg(test)]
mod tests;

/// The user's settings without helpers and without secret variables. The bytes may hold secrets; what is
/// returned holds none that a name, a form or the agent's data file tells.
///
/// # Errors
/// When the bytes are no JSON object.
pub fn settings(bytes: &[u8], agent: &Agent) -> Result<Vec<u8>, NotAnObject> {
    let mut settings = object(bytes)?;
    settings.retain(|key, _| !agent.settings.redirects.iter().any(|redirect| redirect == key));
    if let Some(Value::Object(env)) = settings.get_mut("env") {
        env.retain(|name, value| {
            let is_credential = agent
                .credentials
                .iter()
                .any(|rule| rule.from == CredentialOrigin::Env && rule.source == *name);
            // Where and how the API is asked crosses by the plan, so that a named account can say otherwise.
            let is_api = agent.account.settings().any(|variable| variable == name);
            !is_credential && !is_api && !is_secret_variable(name, value)
        });
    }
    Ok(Value::Object(settings).to_string().into_bytes())
}

/// The MCP servers under `key`, as an object with that one key. Variables and headers that look secret
/// are left out; a server with a secret among its arguments or in its address is left out whole.
///
/// # Errors
/// When the bytes are no JSON object.
pub fn mcp_servers(bytes: &[u8], key: &str) -> Result<Vec<u8>, NotAnObject> {
    let mut servers = match object(bytes)?.remove(key) {
        Some(Value::Object(servers)) => servers,
        Some(_) | None => Map::new(),
    };
    servers.retain(|_, server| !has_open_secret(server));
    for server in servers.values_mut() {
        if let Some(Value::Object(env)) = server.get_mut("env") {
            env.retain(|name, value| !is_secret_variable(name, value));
        }
        if let Some(server) = server.as_object_mut() {
            // Headers of a server are credentials more often than not.
            server.remove("headers");
            server.remove("headersHelper");
        }
    }
    Ok(Value::Object(Map::from_iter([(key.to_owned(), Value::Object(servers))])).to_string().into_bytes())
}

/// One value of the `env` block, as text.
///
/// # Errors
/// When the bytes are no JSON object.
pub fn settings_variable(bytes: &[u8], name: &str) -> Result<Option<String>, NotAnObject> {
    let settings = object(bytes)?;
    let value = settings.get("env").and_then(|env| env.get(name));
    Ok(value.and_then(Value::as_str).map(str::to_owned))
}

/// The bytes are no JSON object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no JSON object")]
pub struct NotAnObject;

fn object(bytes: &[u8]) -> Result<Map<String, Value>, NotAnObject> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(NotAnObject),
    }
}

/// Numbers and the like count, too.
fn is_secret_variable(name: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or("x");
    looks_secret(name, text) || (!is_public(name) && is_secret_word(text))
}

fn has_open_secret(server: &Value) -> bool {
    let text = |key: &str| server.get(key).and_then(Value::as_str).unwrap_or_default();
    let args = server.get("args").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut words = args.chain([text("command"), text("url")]);
    words.any(is_secret_word) || text("url").contains('?')
}

/// Whether a word of a command line tells of a secret: `--api-key`, `API_KEY=x`, `X-Api-Key: x`,
/// `Authorization: Bearer x`, `--x=sk-…`, `https://u:p@h/`.
fn is_secret_word(word: &str) -> bool {
    let mut pieces = word.split([' ', '\t', '\n', '=', ':', ',', '"', '\'']);
    let by_value = pieces.any(|piece| VALUE_STARTS.iter().any(|start| piece.starts_with(start.trim_end())));
    let mut pairs = ['=', ':'].into_iter().filter_map(|separator| word.split_once(separator));
    let by_pair = pairs.any(|(name, value)| looks_secret(&variable_name(name), value));
    let by_option = word.starts_with('-') && looks_secret(&variable_name(word), "x");
    by_value || by_pair || by_option || looks_secret("", word)
}

/// An option or a header as a variable would be called.
fn variable_name(word: &str) -> String {
    word.trim_start_matches('-').replace('-', "_")
}

/// Whole parts of names (between underscores) that tell of a secret, and beginnings of parts.
const NAME_PARTS: &[&str] = &["KEY", "PASS", "PWD", "PAT", "AUTH", "COOKIE", "JWT"];
const NAME_FRAGMENTS: &[&str] = &[
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "APIKEY",
    "PRIVATEKEY",
    "AUTHORIZATION",
];
/// Parts that only sound like it.
const HARMLESS_FRAGMENTS: &[&str] = &["TOKENIZ"];
const VALUE_STARTS: &[&str] = &[
    "sk-",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "AKIA",
    "xoxb-",
    "xoxp-",
    "-----BEGIN",
    "Bearer ",
    "eyJ",
];

fn part_tells(part: &str) -> bool {
    let harmless = HARMLESS_FRAGMENTS.iter().any(|fragment| part.contains(fragment));
    NAME_PARTS.contains(&part) || (!harmless && NAME_FRAGMENTS.iter().any(|fragment| part.contains(fragment)))
}

/// Whether a value should not stand in the open: by its name, its beginning, or a password in its URL.
pub fn looks_secret(name: &str, value: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let by_name = upper.split('_').any(part_tells);
    let by_value = VALUE_STARTS.iter().any(|start| value.starts_with(start));
    let authority = value.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
    let by_url = authority.is_some_and(|authority| authority.contains('@'));
    !value.is_empty() && !is_public(name) && (by_name || by_value || by_url)
}
