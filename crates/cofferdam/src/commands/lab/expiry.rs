//! When the agent refreshes, by what its login file says; and which of its commands saves what the server gave.

use std::process::Command;

use coffer_testkit::LoginSpec;
use serde_json::{Value, json};

use super::practice::{Client, FILE, FOLDER, alone, limited, scratch, write};
use super::table::{Row, Table};
use super::{Lab, failed};
use crate::error::Error;

/// What `expiresAt` is given as.
enum Ends {
    In(i64),
    InSecondsSince1970,
    Missing,
    Null,
    Text,
}

const CASES: [(&str, Ends); 10] = [
    ("60 s ago", Ends::In(-60)),
    ("in 30 s", Ends::In(30)),
    ("in 240 s", Ends::In(240)),
    ("in 290 s", Ends::In(290)),
    ("in 310 s", Ends::In(310)),
    ("in 900 s", Ends::In(900)),
    ("in seconds instead of ms", Ends::InSecondsSince1970),
    ("not there", Ends::Missing),
    ("null", Ends::Null),
    ("a text", Ends::Text),
];

pub(crate) fn tables(lab: &Lab<'_>) -> Result<Vec<Table>, Error> {
    let bar = lab.progress((CASES.len() + 4) * lab.clients.len(), "expiry");
    let mut windows = Vec::new();
    let mut ways = Vec::new();
    for client in &lab.clients {
        for (name, ends) in &CASES {
            windows.push(window(lab, client, name, ends)?);
            bar.inc(1);
        }
        for left in [-60, 290] {
            ways.push(way(lab, client, left, true)?);
            ways.push(way(lab, client, left, false)?);
            bar.inc(2);
        }
    }
    bar.finish_and_clear();
    Ok(vec![
        Table {
            name: "expiry",
            about: "One session per `expiresAt` of a login that the server still takes.".to_owned(),
            columns: &["version", "expiresAt", "token requests", "session good", "saved"],
            rows: windows,
        },
        Table {
            name: "ways to refresh",
            about: "What makes the agent refresh, and whether it saves the answer. `lost` means: the server has rotated, and the \
                    file holds the dead token."
                .to_owned(),
            columns: &["version", "left", "command", "token requests", "model calls", "saved", "lost", "exit code"],
            rows: ways,
        },
    ])
}

fn window(lab: &Lab<'_>, client: &Client, name: &str, ends: &Ends) -> Result<Row, Error> {
    let scratch = scratch()?;
    let file = scratch.home().join(FOLDER).join(FILE);
    let left = if let Ends::In(left) = ends { *left } else { 3600 };
    // The server goes on taking it: the clock of the file alone is tried.
    let login =
        lab.practice.api.issue_login(&LoginSpec { expires_in: left.max(3600), ..LoginSpec::default() });
    let mut content: Value = serde_json::from_str(&login.credentials_json()).map_err(Error::Json)?;
    let now = jiff::Timestamp::now().as_millisecond();
    if let Some(oauth) = content.get_mut("claudeAiOauth").and_then(Value::as_object_mut) {
        match ends {
            Ends::In(left) => drop(oauth.insert("expiresAt".to_owned(), json!(now + left * 1000))),
            Ends::InSecondsSince1970 => drop(oauth.insert("expiresAt".to_owned(), json!(now / 1000 + 3600))),
            Ends::Missing => drop(oauth.remove("expiresAt")),
            Ends::Null => drop(oauth.insert("expiresAt".to_owned(), Value::Null)),
            Ends::Text => drop(oauth.insert("expiresAt".to_owned(), json!("tomorrow"))),
        }
    }
    write(&file, &content.to_string())?;
    let before = lab.practice.worth(&file);
    let mark = lab.practice.mark();
    let ended = alone(lab.practice.session(&scratch, client, &scratch.home()))?;
    let after = lab.practice.worth(&file);
    Ok(Row::shown(vec![
        json!(client.version),
        json!(name),
        json!(lab.practice.token_requests(mark).len()),
        json!(ended.good),
        json!(after.access != before.access && after.alive),
    ]))
}

/// `auth status`, or a question whose model call meets a closed door.
fn way(lab: &Lab<'_>, client: &Client, left: i64, status: bool) -> Result<Row, Error> {
    let scratch = scratch()?;
    let folder = scratch.home().join(FOLDER);
    lab.practice.sign_in(&folder, &LoginSpec { expires_in: left, ..LoginSpec::default() })?;
    let file = folder.join(FILE);
    let before = lab.practice.worth(&file);
    let mark = lab.practice.mark();
    let mut command: Command = limited(&scratch, &client.path);
    // Bound and not listened on: whoever knocks is refused, and nobody else can take the port meanwhile.
    let door = closed_door()?;
    if status {
        command.args(["auth", "status"]);
    } else {
        command.args(["-p", "x"]);
        command
            .env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{}", door.1))
            .env("NO_PROXY", "127.0.0.1");
    }
    lab.practice.dress(&mut command, &scratch.home());
    let ended = alone(command)?;
    drop(door);
    let after = lab.practice.worth(&file);
    let requests = lab.practice.since(mark);
    let model_calls = requests.iter().filter(|request| request.path.starts_with("/v1/messages")).count();
    let tokens = lab.practice.token_requests(mark).len();
    let saved = after.alive && after.access != before.access;
    let lost = !after.alive;
    let cells = vec![
        json!(client.version),
        json!(format!("{left} s")),
        json!(if status { "`auth status`" } else { "`-p`, closed base URL" }),
        json!(tokens),
        json!(model_calls),
        json!(saved),
        json!(lost),
        json!(ended.code),
    ];
    // The keeper relies on the second way; the first one only shows what is.
    Ok(if status { Row::shown(cells) } else { Row::judged(cells, saved && tokens == 1 && model_calls == 0) })
}

fn closed_door() -> Result<(rustix::fd::OwnedFd, u16), Error> {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let any = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    let bound = || -> rustix::io::Result<(rustix::fd::OwnedFd, u16)> {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &any)?;
        let name = std::net::SocketAddr::try_from(getsockname(&socket)?)?;
        Ok((socket, name.port()))
    };
    bound().map_err(|error| failed("binding a port")(error.into()))
}
