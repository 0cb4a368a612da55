//! `coffer doctor --run ID`: what a live sandbox holds of logins, seen from outside. No value of a variable and no
//! byte of a token is told.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_host::{FileInside, ProcessInside, Sandbox, identity, process_inside};
use coffer_launch::run::{LiveRun, live_runs};
use coffer_plan::agent::{Agent, names_it};
use coffer_plan::config::Flags;
use coffer_plan::derive::LEASE;
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;
use coffer_plan::sign_in::shape::{self, LoginShape, MAX_LOGIN_BYTES};
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::prepare::{agent, gather};
use crate::printer::Printer;

/// Largest file of the agent's own that is read, in bytes.
const MAX_CLIENT_BYTES: usize = 32 * 1024 * 1024;

/// `coffer doctor --run ID --json`.
#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    run: String,
    agent: String,
    account: String,
    auth: String,
    project: Utf8PathBuf,
    /// The agent's process, as the host counts.
    pid: u32,
    uid: Option<u32>,
    gid: Option<u32>,
    credentials: Vec<Credential>,
    user_id: Option<String>,
    last_session_id: Option<String>,
    /// Names only.
    variables: Vec<String>,
}

/// A credential file inside.
#[derive(Debug, Serialize)]
struct Credential {
    path: Utf8PathBuf,
    /// `login`, `no login`, or why it cannot be told.
    holds: &'static str,
    mode: String,
    uid: u32,
    gid: u32,
    expires_at: Option<String>,
    refresh_token: bool,
    /// The file that the host publishes to, if it does.
    outside: Option<Utf8PathBuf>,
    /// Whether that is this file.
    same: Option<bool>,
}

pub(super) fn report(id: &str, json: bool, printer: &Printer) -> Result<u8, Error> {
    let facts = gather(&Flags::default(), None)?.facts;
    let run = find(&facts, id)?;
    let report = look(&run, &facts)?;
    if json {
        printer.json(&report)?;
    } else {
        printer.data(&text(&report))?;
    }
    Ok(0)
}

/// The run with this id, or the only one whose id begins so.
fn find(facts: &HostFacts, id: &str) -> Result<LiveRun, Error> {
    let mut runs = live_runs(&facts.folders.runtime);
    let ids: Vec<String> = runs.iter().map(|run| run.id.clone()).collect();
    runs.retain(|run| !id.is_empty() && run.id.starts_with(id));
    match (runs.pop(), runs.is_empty()) {
        (Some(run), true) => Ok(run),
        _ => Err(Error::Usage {
            message: format!("no live run, or more than one, is called `{id}`"),
            more: ids.iter().map(|id| format!("live: {id}")).collect(),
            hint: "`coffer doctor --run ID` with one of the live runs".to_owned(),
        }),
    }
}

fn look(run: &LiveRun, facts: &HostFacts) -> Result<Report, Error> {
    let gone = || Error::RunUnseen { run: run.id.clone() };
    let (about, pid) = run.about.as_ref().zip(run.sandbox()).ok_or_else(gone)?;
    let sandbox = Sandbox::of_backend(pid).ok_or_else(gone)?;
    let agent_pid = sandbox.agent().ok_or_else(gone)?;
    let agent = agent(&about.agent, facts)?;
    let ProcessInside { uid, gid, variables } = process_inside(agent_pid);
    let state = agent.state.as_ref().and_then(|state| state.home.expand(facts));
    let client = agent.settings.mcp.as_ref().zip(state.as_ref());
    let client = client.and_then(|(mcp, state)| sandbox.file(&state.join(&mcp.state_file), MAX_CLIENT_BYTES));
    let client: Value =
        client.and_then(|file| serde_json::from_slice(&file.content?).ok()).unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(short);
    let project = client.get("projects").and_then(|projects| projects.get(about.project.as_str()));
    let report = Report {
        schema: 1,
        run: run.id.clone(),
        agent: about.agent.clone(),
        account: about.account.clone(),
        auth: about.auth.clone(),
        project: about.project.clone(),
        pid: agent_pid,
        uid,
        gid,
        credentials: credentials(&sandbox, run, &agent, state.as_deref()),
        user_id: text(client.get("userID")),
        last_session_id: text(project.and_then(|project| project.get("lastSessionId"))),
        variables: variables
            .into_iter()
            .filter(|name| agent.env.told.iter().any(|told| names_it(told, name)))
            .collect(),
    };
    // What was read of a dead run could be of its successor.
    if sandbox.is_alive() { Ok(report) } else { Err(gone()) }
}

fn credentials(sandbox: &Sandbox, run: &LiveRun, agent: &Agent, state: Option<&Utf8Path>) -> Vec<Credential> {
    let Some(layout) = &agent.login else { return Vec::new() };
    let lease = Utf8Path::new(LEASE).join(&layout.file);
    let outside = run.folder.join("lease").join(&layout.file);
    let places = [Some((lease, Some(outside))), state.map(|state| (state.join(&layout.file), None))];
    let there = places.into_iter().flatten().filter_map(|(path, outside)| {
        let FileInside { content, uid, gid, mode, dev, ino } = sandbox.file(&path, MAX_LOGIN_BYTES)?;
        let (holds, details) = match content.map(|content| shape::read(&content)) {
            None => ("no file that can be read", None),
            Some(LoginShape::Login(details)) => ("login", Some(details)),
            Some(_) => ("no login", None),
        };
        let same = outside.as_ref().map(|outside| identity(outside) == Some((dev, ino)));
        let expires_at_ms = details.as_ref().and_then(|details| details.expires_at_ms);
        let expires_at = expires_at_ms.and_then(|end| jiff::Timestamp::from_millisecond(end).ok());
        Some(Credential {
            path,
            holds,
            mode: format!("{mode:04o}"),
            uid,
            gid,
            expires_at: expires_at.map(|end| end.to_string()),
            refresh_token: details.is_some_and(|details| details.refresh_token),
            outside,
            same,
        })
    });
    there.collect()
}

/// An agent may have written anything there.
fn short(text: &str) -> String {
    text.chars().take(128).collect()
}

fn text(report: &Report) -> String {
    let number = |number: Option<u32>| number.map_or("unknown".to_owned(), |number| number.to_string());
    let mut lines = vec![
        format!("run {}: {} in {}", report.run, report.agent, report.project),
        format!("account {}, auth {}, pid {}", report.account, report.auth, report.pid),
        format!("uid {} and gid {} inside", number(report.uid), number(report.gid)),
    ];
    for file in &report.credentials {
        let end = file.expires_at.as_deref().map(|end| format!(", ends {end}")).unwrap_or_default();
        let refresh = if file.refresh_token { ", with a refresh token" } else { "" };
        let same = match file.same {
            Some(true) => ", the file that the host publishes to",
            Some(false) => ", not the file that the host publishes to",
            None => "",
        };
        let (uid, gid) = (file.uid, file.gid);
        lines.push(format!(
            "{}: {}, {} of {uid}:{gid} outside{end}{refresh}{same}",
            file.path, file.holds, file.mode
        ));
    }
    if report.credentials.is_empty() {
        lines.push("no credential file inside".to_owned());
    }
    lines.extend(report.user_id.iter().map(|id| format!("userID {id}")));
    lines.extend(report.last_session_id.iter().map(|id| format!("lastSessionId {id}")));
    let names = if report.variables.is_empty() { "none".to_owned() } else { report.variables.join(" ") };
    lines.push(format!("variables (names only): {names}"));
    lines.iter().map(|line| printable(line) + "\n").collect()
}
