//! What is odd about a login file or its folder, and what comes of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use coffer_testkit::{LoginSpec, Scratch};
use serde_json::json;

use super::practice::{Client, FILE, FOLDER, alone, private_folder, scratch, write};
use super::table::{Row, Table};
use super::{Lab, failed};
use crate::error::Error;

/// What is done to the host's folder after a good login (expired when `true`) was written there.
struct Case {
    name: &'static str,
    expired: bool,
    root_only: bool,
    doing: fn(&Lab<'_>, &Path) -> Result<(), Error>,
}

const CASES: [Case; 11] = [
    Case { name: "as it should be", expired: false, root_only: false, doing: |_, _| Ok(()) },
    Case {
        name: "folder exchanged for one with another login",
        expired: false,
        root_only: false,
        doing: exchange,
    },
    Case {
        name: "empty file",
        expired: false,
        root_only: false,
        doing: |_, folder| write(&folder.join(FILE), ""),
    },
    Case {
        name: "garbage",
        expired: false,
        root_only: false,
        doing: |_, folder| write(&folder.join(FILE), "{\"claudeAiOa"),
    },
    Case {
        name: "`{}`",
        expired: false,
        root_only: false,
        doing: |_, folder| write(&folder.join(FILE), "{}"),
    },
    Case { name: "no file", expired: false, root_only: false, doing: |_, folder| remove(&folder.join(FILE)) },
    Case {
        name: "file of another user, 0600",
        expired: false,
        root_only: true,
        doing: |_, folder| foreign(folder, 0o600),
    },
    Case {
        name: "file of another user, 0644",
        expired: false,
        root_only: true,
        doing: |_, folder| foreign(folder, 0o644),
    },
    Case {
        name: "expired, file of another user, 0644",
        expired: true,
        root_only: true,
        doing: |_, folder| foreign(folder, 0o644),
    },
    Case {
        name: "expired, folder 0555",
        expired: true,
        root_only: false,
        doing: |_, folder| mode(folder, 0o555),
    },
    Case {
        name: "expired, file 0400",
        expired: true,
        root_only: false,
        doing: |_, folder| mode(&folder.join(FILE), 0o400),
    },
];

pub(crate) fn table(lab: &Lab<'_>) -> Result<Table, Error> {
    let bar = lab.progress(CASES.len() * lab.clients.len(), "volume");
    let mut rows = Vec::new();
    for client in &lab.clients {
        for case in &CASES {
            rows.push(row(lab, client, case)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(Table {
        name: "volume",
        about: "A session as an ordinary user, with the folder `~/.claude` bound read-write, after something was done to it."
            .to_owned(),
        columns: &[
            "version", "what", "session good", "token requests", "file unchanged", "login alive", "which login", "said",
        ],
        rows,
    })
}

fn row(lab: &Lab<'_>, client: &Client, case: &Case) -> Result<Row, Error> {
    let head = vec![json!(client.version), json!(case.name)];
    if case.root_only && !rustix::process::geteuid().is_root() {
        let mut cells = head;
        cells.push(json!("skipped: needs root"));
        cells.resize(8, json!(null));
        return Ok(Row::shown(cells));
    }
    let scratch = scratch()?;
    let (host, home) = (scratch.home().join(FOLDER), scratch.root().join("inside"));
    let spec = if case.expired { LoginSpec::expired() } else { LoginSpec::default() };
    let login = lab.practice.sign_in(&host, &spec)?;
    (case.doing)(lab, &host)?;
    let file = host.join(FILE);
    let before = std::fs::read(&file).ok();
    let used_to_be = lab.practice.worth(&file);
    let mark = lab.practice.mark();
    private_folder(&home.join(FOLDER))?;
    let ended = session(lab, client, &scratch, &host, &home)?;
    let after = lab.practice.worth(&file);
    let first = coffer_testkit::fake::fingerprint(&login.access_token);
    let used = lab.practice.since(mark).into_iter().filter(|request| request.path == "/v1/messages");
    let used = used.filter_map(|request| request.credential("authorization").map(str::to_owned)).next_back();
    let which = used.map(|used| match used {
        used if used == first => "the first",
        used if used == used_to_be.access => "the one that lies there",
        used if used == after.access => "the refreshed one",
        _ => "another",
    });
    let rest = [
        json!(ended.good),
        json!(lab.practice.token_requests(mark).len()),
        json!(std::fs::read(&file).ok() == before),
        json!(after.alive),
        json!(which),
        json!(ended.words()),
    ];
    Ok(Row::shown(head.into_iter().chain(rest).collect()))
}

fn session(
    lab: &Lab<'_>,
    client: &Client,
    scratch: &Scratch,
    host: &Path,
    home: &Path,
) -> Result<super::practice::Ended, Error> {
    let binds = [(host.to_owned(), home.join(FOLDER), true)];
    let ended = alone(lab.practice.sandboxed(scratch, client, home, &binds))?;
    // So that the scratch folder can be removed by an ordinary user too.
    mode(host, 0o700)?;
    Ok(ended)
}

fn exchange(lab: &Lab<'_>, folder: &Path) -> Result<(), Error> {
    let other = folder.with_extension("other");
    lab.practice.sign_in(&other, &LoginSpec::default())?;
    let aside = folder.with_extension("aside");
    std::fs::rename(folder, aside)
        .and_then(|()| std::fs::rename(&other, folder))
        .map_err(failed("exchanging the login folder"))
}

fn foreign(folder: &Path, bits: u32) -> Result<(), Error> {
    let file = folder.join(FILE);
    mode(&file, bits)?;
    std::os::unix::fs::chown(&file, Some(12_345), Some(12_345))
        .map_err(failed("giving the login to another user"))
}

fn mode(path: &Path, bits: u32) -> Result<(), Error> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).map_err(failed("changing a mode"))
}

fn remove(file: &Path) -> Result<(), Error> {
    std::fs::remove_file(file).map_err(failed("removing the login"))
}
