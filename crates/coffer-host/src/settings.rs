//! The agent's settings files (JSON), as far as they matter for signing in.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::agent::Agent;
use coffer_plan::facts::{EnvFact, HostFacts, SettingsFact, SettingsScope};
use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use crate::environment;
use crate::project::sha256;
use crate::read::{Found, MAX_BYTES, Unread, read_beneath, read_file};

/// Every settings file that is there: the user's, then the project's.
///
/// Agents read project settings in the working folder and above it (2.1.330 follows those of a subfolder), so
/// every folder from there up to the project's top counts.
pub(crate) fn settings(facts: &HostFacts, agent: &Agent, workdir: Option<&Utf8Path>) -> Vec<SettingsFact> {
    let redirects = &agent.settings.redirects;
    let mut found = Vec::new();
    if let Some(file) = user_file(facts, agent) {
        let read = read_file(&file, MAX_BYTES);
        found.extend(fact(file, SettingsScope::User, read, redirects));
    }
    let top = &facts.project.path;
    let mut folders = BTreeSet::from([top.as_path()]);
    for from in [Some(facts.project.start.as_path()), workdir].into_iter().flatten() {
        folders.extend(from.ancestors().take_while(|folder| folder.starts_with(top)));
    }
    for folder in folders {
        let below = folder.strip_prefix(top).unwrap_or(Utf8Path::new(""));
        for name in &agent.settings.project {
            let read = read_beneath(top, below.join(name).as_str(), MAX_BYTES);
            found.extend(fact(folder.join(name), SettingsScope::Project, read, redirects));
        }
        for name in &agent.settings.project_env {
            let read = read_beneath(top, below.join(name).as_str(), MAX_BYTES);
            found.extend(variables(folder.join(name), read, redirects));
        }
    }
    found
}

/// The user's own settings file, whether it is there or not.
pub(crate) fn user_file(facts: &HostFacts, agent: &Agent) -> Option<Utf8PathBuf> {
    let folders = &agent.state.as_ref()?.host;
    let folder = folders.iter().find_map(|folder| folder.expand(facts))?;
    Some(folder.join(agent.settings.user.as_ref()?))
}

/// Wipes every text in a value: settings hold keys and tokens.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, value)| wipe(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A file of variables in the project, as agents read it: `NAME=VALUE` lines, `export` before it or not.
fn variables(file: Utf8PathBuf, read: Result<Found, Unread>, patterns: &[String]) -> Option<SettingsFact> {
    let mut fact = empty(file, SettingsScope::Project);
    match read {
        Err(Unread::Missing) => return None,
        Err(unread) => fact.broken = Some(unread.to_string()),
        Ok(Found { content, .. }) => {
            fact.sha256 = sha256(&content);
            match std::str::from_utf8(&content) {
                Ok(text) => {
                    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
                    for (name, value) in lines.filter_map(|line| line.split_once('=')) {
                        let name = name.trim().trim_start_matches("export ").trim();
                        if fits(&format!("env.{name}"), patterns) {
                            fact.redirects.push(format!("env.{name}"));
                        }
                        let value = value.trim().trim_matches(['"', '\'']);
                        fact.env.insert(name.to_owned(), environment::fact(name, value.as_ref()));
                    }
                }
                Err(_) => fact.broken = Some("not text".to_owned()),
            }
        }
    }
    Some(fact)
}

fn empty(file: Utf8PathBuf, scope: SettingsScope) -> SettingsFact {
    SettingsFact {
        file,
        scope,
        sha256: String::new(),
        broken: None,
        env: BTreeMap::new(),
        redirects: Vec::new(),
    }
}

fn fact(
    file: Utf8PathBuf,
    scope: SettingsScope,
    read: Result<Found, Unread>,
    patterns: &[String],
) -> Option<SettingsFact> {
    let mut fact = empty(file, scope);
    match read {
        Err(Unread::Missing) => return None,
        Err(unread) => fact.broken = Some(unread.to_string()),
        Ok(Found { content, .. }) => {
            fact.sha256 = sha256(&content);
            // A byte order mark is no JSON; a reader that skips it would see what follows.
            let json = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
            match serde_json::from_slice(json) {
                Ok(Value::Object(fields)) => {
                    describe(&mut fact, &fields, patterns);
                    wipe(&mut Value::Object(fields));
                }
                Ok(mut other) => {
                    wipe(&mut other);
                    fact.broken = Some("not a JSON object".to_owned());
                }
                // The parser's own words could repeat what the file holds.
                Err(error) => {
                    fact.broken =
                        Some(format!("not JSON (line {}, column {})", error.line(), error.column()));
                }
            }
        }
    }
    Some(fact)
}

fn describe(fact: &mut SettingsFact, fields: &Map<String, Value>, patterns: &[String]) {
    if let Some(Value::Object(env)) = fields.get("env") {
        fact.env = env.iter().map(|(name, value)| (name.clone(), variable(name, value))).collect();
    }
    let mut hits = BTreeSet::new();
    find_redirects("", fields, fact.scope, patterns, &mut hits);
    fact.redirects = hits.into_iter().collect();
}

fn variable(name: &str, value: &Value) -> EnvFact {
    match value {
        Value::String(text) => environment::fact(name, text.as_ref()),
        Value::Bool(_) | Value::Number(_) => environment::fact(name, value.to_string().as_ref()),
        Value::Null | Value::Array(_) | Value::Object(_) => EnvFact::Redacted("not text".to_owned()),
    }
}

/// Every key whose dotted path fits a pattern. In the user's own file a key without a value redirects
/// nothing; in the project's it may hide what the user's file sets, so it counts.
fn find_redirects(
    above: &str,
    fields: &Map<String, Value>,
    scope: SettingsScope,
    patterns: &[String],
    hits: &mut BTreeSet<String>,
) {
    for (key, value) in fields {
        let path = match above {
            "" => key.clone(),
            above => format!("{above}.{key}"),
        };
        let void = match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
        };
        if fits(&path, patterns) && !(void && scope == SettingsScope::User) {
            hits.insert(path.clone());
        }
        if let Value::Object(below) = value {
            find_redirects(&path, below, scope, patterns, hits);
        }
    }
}

fn fits(path: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == pattern,
    })
}

/// Where the settings are, for the path facts.
pub(crate) fn files(facts: &HostFacts) -> Vec<Utf8PathBuf> {
    facts.settings.iter().map(|fact| fact.file.clone()).collect()
}

#[cfg(test)]
mod tests;
