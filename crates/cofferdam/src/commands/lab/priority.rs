//! Which credential is sent when there are two, and which settings are read at which place.

use std::path::Path;

use coffer_plan::agent::Agent;
use coffer_plan::built_in;
use coffer_testkit::fake::fingerprint;
use coffer_testkit::{LoginSpec, RequestRecord, Scratch};
use serde_json::{Value, json};

use super::practice::{Client, FOLDER, alone, scratch, write};
use super::table::{Row, Table};
use super::{Lab, failed};
use crate::error::Error;

/// In the agent's documented order, the strongest first; the words of the agent's data.
const SOURCES: [&str; 5] =
    ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "apiKeyHelper", "CLAUDE_CODE_OAUTH_TOKEN", "login"];
const MODEL: &str = "lab-model-x";
const TIMEOUT_MS: &str = "1234000";

pub(crate) fn tables(lab: &Lab<'_>) -> Result<Vec<Table>, Error> {
    let agent = built_in::agent("claude")?;
    let pairs =
        (0..SOURCES.len()).flat_map(|first| (first..SOURCES.len()).map(move |second| (first, second)));
    let pairs: Vec<(usize, usize)> = pairs.collect();
    let bar = lab.progress((pairs.len() + SETTINGS.len() * 2) * lab.clients.len(), "priority");
    let (mut sent, mut read) = (Vec::new(), Vec::new());
    for client in &lab.clients {
        for &(first, second) in &pairs {
            let given: Vec<&str> = SOURCES.get(first..=second).into_iter().flatten().copied().collect();
            let given: Vec<&str> = given.first().into_iter().chain(given.last()).copied().collect();
            sent.push(pair(lab, client, &agent, &given)?);
            bar.inc(1);
        }
        for setting in SETTINGS {
            for below_env in [false, true] {
                read.push(setting_row(lab, client, setting, below_env)?);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(vec![
        Table {
            name: "priority",
            about: "Two credentials at a time, all good; the headers of the call to the model. It must be as `agents/claude.toml` \
                    has it: what the audit says about the winner rests on it."
                .to_owned(),
            columns: &["version", "given", "Authorization", "x-api-key"],
            rows: sent,
        },
        Table {
            name: "settings",
            about: "Keys of `settings.json`, at its top level and inside `env`: whether they are read there.".to_owned(),
            columns: &["version", "key", "where", "read"],
            rows: read,
        },
    ])
}

fn pair(lab: &Lab<'_>, client: &Client, agent: &Agent, given: &[&str]) -> Result<Row, Error> {
    let scratch = scratch()?;
    let (api, home) = (&lab.practice.api, scratch.home());
    let mut command = lab.practice.session(&scratch, client, &home);
    command.env("ANTHROPIC_BASE_URL", api.base_url()).env("NO_PROXY", "127.0.0.1");
    let mut known: Vec<(String, &str)> = Vec::new();
    for source in given.iter().filter(|source| !source.is_empty()) {
        if known.iter().any(|(_, name)| name == source) {
            continue;
        }
        let secret = match *source {
            "ANTHROPIC_AUTH_TOKEN" => api.add_auth_token(),
            "ANTHROPIC_API_KEY" | "apiKeyHelper" => api.add_api_key(),
            "CLAUDE_CODE_OAUTH_TOKEN" => api.issue_login(&LoginSpec::refreshless()).access_token,
            _ => lab.practice.sign_in(&home.join(FOLDER), &LoginSpec::default())?.access_token,
        };
        match *source {
            "apiKeyHelper" => helper(&scratch, &secret)?,
            "login" => {}
            variable => drop(command.env(variable, &secret)),
        }
        known.push((fingerprint(&secret), source));
    }
    let mark = lab.practice.mark();
    let ended = alone(command)?;
    let requests = lab.practice.since(mark);
    let call = requests.iter().find(|request| request.path == "/v1/messages");
    let named = |header: &str| {
        let seen = call.and_then(|call| call.credential(header))?;
        Some(known.iter().find(|(print, _)| print == seen).map_or("?", |(_, name)| *name))
    };
    let (bearer, key) = (named("authorization"), named("x-api-key"));
    // By our data: the first of those given, in each header that it is said to fill.
    let expected = |header: &str| {
        let first = agent
            .credentials
            .iter()
            .find(|credential| known.iter().any(|(_, name)| *name == credential.source));
        first.is_some_and(|first| first.headers.iter().any(|name| name.eq_ignore_ascii_case(header)))
    };
    let winner = agent.credentials.iter().map(|credential| credential.source.as_str());
    let winner = winner.into_iter().find(|source| known.iter().any(|(_, name)| name == source));
    let well = ended.good
        && (!expected("authorization") || bearer == winner)
        && (!expected("x-api-key") || key == winner);
    let names: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
    let cells = vec![json!(client.version), json!(names.join(" + ")), json!(bearer), json!(key)];
    Ok(Row::judged(cells, well))
}

/// A helper that prints the key, named in the user's settings.
fn helper(scratch: &Scratch, key: &str) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = scratch.home().join("helper");
    write(&path, &format!("#!/bin/sh\necho {key}\n"))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))
        .map_err(failed("making a helper"))?;
    settings(&scratch.home(), &json!({"apiKeyHelper": path}))
}

fn settings(home: &Path, settings: &Value) -> Result<(), Error> {
    write(&home.join(FOLDER).join("settings.json"), &settings.to_string())
}

/// A key, what is written there, and how a request shows that it was read.
#[derive(Clone, Copy)]
struct Setting {
    key: &'static str,
    value: &'static str,
    shows: fn(&RequestRecord) -> bool,
}

const SETTINGS: [Setting; 4] = [
    Setting { key: "ANTHROPIC_BASE_URL", value: "", shows: |call| !call.tls },
    Setting { key: "ANTHROPIC_MODEL", value: MODEL, shows: |call| call.model.as_deref() == Some(MODEL) },
    Setting { key: "model", value: MODEL, shows: |call| call.model.as_deref() == Some(MODEL) },
    Setting { key: "API_TIMEOUT_MS", value: TIMEOUT_MS, shows: |call| call.timeout_seconds == Some(1234) },
];

fn setting_row(lab: &Lab<'_>, client: &Client, setting: Setting, below_env: bool) -> Result<Row, Error> {
    let scratch = scratch()?;
    let home = scratch.home();
    lab.practice.sign_in(&home.join(FOLDER), &LoginSpec::default())?;
    // Plain HTTP: a base URL that is not read leads to TLS at the real name instead.
    let url = lab.practice.api.base_url();
    let value = if setting.value.is_empty() { url.as_str() } else { setting.value };
    let one = json!({setting.key: value});
    settings(&home, &if below_env { json!({"env": one}) } else { one })?;
    let mark = lab.practice.mark();
    let mut command = lab.practice.session(&scratch, client, &home);
    command.env("NO_PROXY", "127.0.0.1");
    alone(command)?;
    let requests = lab.practice.since(mark);
    let read = requests.iter().find(|request| request.path == "/v1/messages").map(setting.shows);
    let place = if below_env { "in `env`" } else { "top level" };
    Ok(Row::shown(vec![json!(client.version), json!(setting.key), json!(place), json!(read)]))
}
