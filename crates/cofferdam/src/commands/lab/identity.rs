//! What identifies an installation of the agent, and which sandboxes of ours have it in common.

use std::collections::HashMap;
use std::process::Command;

use coffer_testkit::{LoginSpec, Scratch};
use serde_json::{Value, json};

use super::Lab;
use super::practice::{Client, FOLDER, alone, private_folder, scratch};
use super::race::coffer_command;
use super::table::{Row, Table};
use crate::error::Error;

const STATES: [&str; 3] = ["shared", "project", "fresh"];
/// Inside: a session, then what it left.
const SCRIPT: &str =
    "claude -p lab >/dev/null 2>&1; echo \"exit $?\"; cat \"${CLAUDE_CONFIG_DIR:-$HOME}/.claude.json\"";

pub(crate) fn table(lab: &Lab<'_>) -> Result<Table, Error> {
    let bar = lab.progress(STATES.len() * lab.clients.len(), "identity");
    let mut rows = Vec::new();
    for client in &lab.clients {
        for state in STATES {
            rows.push(row(lab, client, state)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(Table {
        name: "identity",
        about: "Two runs of `coffer run --state …`, one after the other, in two project folders; what `.claude.json` then says in each."
            .to_owned(),
        columns: &["version", "state", "both good", "userID in both", "same userID", "lastSessionIds in the second"],
        rows,
    })
}

fn row(lab: &Lab<'_>, client: &Client, state: &str) -> Result<Row, Error> {
    let scratch = scratch()?;
    lab.practice.sign_in(&scratch.home().join(FOLDER), &LoginSpec::default())?;
    let first = run(lab, client, &scratch, state, "one")?;
    let second = run(lab, client, &scratch, state, "two")?;
    let id = |seen: &(bool, Value)| seen.1.get("userID").and_then(Value::as_str).map(str::to_owned);
    let (one, two) = (id(&first), id(&second));
    let sessions = |seen: &(bool, Value)| {
        let projects = seen.1.get("projects").and_then(Value::as_object);
        projects.map_or(0, |projects| {
            projects
                .values()
                .filter(|project| project.get("lastSessionId").is_some_and(Value::is_string))
                .count()
        })
    };
    Ok(Row::shown(vec![
        json!(client.version),
        json!(state),
        json!(first.0 && second.0),
        json!(one.is_some() && two.is_some()),
        json!(one.is_some() && one == two),
        json!(sessions(&second)),
    ]))
}

/// One run in a project folder of this name: whether its session was good, and its `.claude.json`.
fn run(
    lab: &Lab<'_>,
    client: &Client,
    scratch: &Scratch,
    state: &str,
    project: &str,
) -> Result<(bool, Value), Error> {
    let folder = scratch.home().join("work").join(project);
    private_folder(&folder)?;
    let words = ["--state", state, "--", "sh", "-c", SCRIPT];
    let mut command: Command = coffer_command(lab, client, scratch, &words)?;
    command.current_dir(&folder);
    let ended = alone(command)?;
    let (exit, rest) = ended.said.split_once('\n').unwrap_or_default();
    let seen: HashMap<String, Value> = serde_json::from_str(rest).unwrap_or_default();
    Ok((exit == "exit 0", json!(seen)))
}
