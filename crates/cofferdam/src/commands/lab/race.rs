//! The race: many sandboxes at once on one expired login, by the ways to give them that login.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use coffer_testkit::{LoginSpec, RequestRecord, Scratch};
use serde_json::json;

use super::practice::{Client, Ended, FILE, FOLDER, limited, private_folder, scratch, together, write};
use super::table::{Row, Table};
use super::{Lab, failed};
use crate::error::Error;

/// How long the practice server takes to answer for a new token: about as long as a server far away.
const ANSWER: Duration = Duration::from_millis(200);
/// The named account of the lab, and where its login lies below the data folder.
const ACCOUNT: &str = "lab";
/// `coffer run` failed before the agent started: refused with a reason, nothing lost.
const REFUSED: i32 = 125;

/// How a sandbox gets the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// The single file, bound.
    File,
    /// The folder, bound.
    Folder,
    /// A copy of the file for each.
    Copies,
    /// `coffer run --auth lease`.
    Lease,
    /// `coffer run --auth shared`.
    Shared,
    /// Half of them so, half of them so.
    Mixed,
}

/// A way, and whether a client outside of any sandbox refreshes at the same moment.
struct Way {
    name: &'static str,
    how: How,
    outside: bool,
}

impl Way {
    fn is_ours(&self) -> bool {
        matches!(self.how, How::Lease | How::Shared | How::Mixed)
    }
}

const WAYS: [Way; 11] = [
    Way { name: "single file bound", how: How::File, outside: false },
    Way { name: "single file bound, and one outside", how: How::File, outside: true },
    Way { name: "folder bound", how: How::Folder, outside: false },
    Way { name: "folder bound, and one outside", how: How::Folder, outside: true },
    Way { name: "separate copies", how: How::Copies, outside: false },
    Way { name: "coffer lease", how: How::Lease, outside: false },
    Way { name: "coffer lease, and one outside", how: How::Lease, outside: true },
    Way { name: "coffer shared", how: How::Shared, outside: false },
    Way { name: "coffer shared, and one outside", how: How::Shared, outside: true },
    Way { name: "coffer lease and shared mixed", how: How::Mixed, outside: false },
    Way { name: "coffer lease and shared mixed, and one outside", how: How::Mixed, outside: true },
];

/// What a way came to over all its rounds.
#[derive(Debug, Default)]
struct Score {
    token_requests: usize,
    rounds_with_one: u32,
    refused: usize,
    /// Those of them that asked for a lease, which no version may be refused.
    leases_refused: usize,
    lost: usize,
    wiped: u32,
    dead: u32,
    why: Option<String>,
}

pub(crate) fn table(lab: &Lab<'_>, rounds: u32, sandboxes: u32, only: &[String]) -> Result<Table, Error> {
    lab.practice.slow_tokens(ANSWER);
    let chosen = |(client, way): &(&Client, &Way)| {
        let line = format!("{} {}", client.version, way.name);
        only.is_empty() || only.iter().any(|text| line.contains(text.as_str()))
    };
    let lines = lab.clients.iter().flat_map(|client| WAYS.iter().map(move |way| (client, way)));
    let lines: Vec<(&Client, &Way)> = lines.filter(chosen).collect();
    let steps = lines.len() * usize::try_from(rounds).unwrap_or(1);
    let bar = lab.progress(steps, "race");
    let mut rows = Vec::new();
    for (client, way) in lines {
        bar.set_message(format!("race {} {}", client.version, way.name));
        let track = Track::new(lab, client, way, sandboxes)?;
        let mut score = Score::default();
        for _ in 0..rounds {
            track.round(&mut score)?;
            bar.inc(1);
        }
        let row = row(client, way, rounds, sandboxes, score);
        // Hours may pass before the whole table is there: each line is told when it is known.
        lab.tell(&bar, &format!("{row}\n"));
        rows.push(row);
    }
    bar.finish_and_clear();
    Ok(Table {
        name: "race",
        about: format!(
            "{sandboxes} sandboxes start at once on one login whose access token has ended, each with one question; {rounds} \
             rounds, each with a new login. The token server answers after {} ms and takes each refresh token once. `lost`: \
             sessions without an answer. `wiped`: rounds after which the login file holds no refresh token. `dead`: rounds after \
             which the server would not take the one it holds. `refused`: sessions that `coffer run` refused with a reason, \
             before the agent started. Ours must be: exactly one token request a round, nothing lost, wiped or dead.",
            ANSWER.as_millis()
        ),
        columns: &[
            "version",
            "how",
            "sandboxes",
            "rounds",
            "token requests",
            "rounds with one",
            "lost",
            "wiped",
            "dead",
            "refused",
            "first complaint",
        ],
        rows,
    })
}

fn row(client: &Client, way: &Way, rounds: u32, sandboxes: u32, score: Score) -> Row {
    let cells = vec![
        json!(client.version),
        json!(way.name),
        json!(sandboxes),
        json!(rounds),
        json!(score.token_requests),
        json!(score.rounds_with_one),
        json!(score.lost),
        json!(score.wiped),
        json!(score.dead),
        json!(score.refused),
        json!(score.why),
    ];
    let unharmed = score.lost == 0 && score.wiped == 0 && score.dead == 0;
    match way.how {
        How::File | How::Folder | How::Copies => Row::shown(cells),
        How::Lease => Row::judged(cells, unharmed && score.rounds_with_one == rounds && score.refused == 0),
        // Not every version may share a login; then all of those sandboxes are refused, or none.
        How::Shared | How::Mixed => {
            let all = usize::try_from(rounds).unwrap_or(0) * sharing(way.how, sandboxes);
            let refused_alike = score.leases_refused == 0 && (score.refused == 0 || score.refused == all);
            let nobody = way.how == How::Shared && !way.outside && score.refused == all;
            Row::judged(cells, unharmed && refused_alike && (nobody || score.rounds_with_one == rounds))
        }
    }
}

/// Who asked for tokens, when, and with what, where one request was expected.
fn story(requests: &[RequestRecord]) -> String {
    let first = requests.first().map_or(0, |request| request.at_ms);
    let told = requests.iter().map(|request| {
        let after = request.at_ms.saturating_sub(first);
        let with = request.credential("body:refresh_token").unwrap_or("nothing");
        let status = request.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        format!("+{after} ms {} with {with}: {status}", request.user_agent.as_deref().unwrap_or("nobody"))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// How many of the sandboxes share the login.
fn sharing(how: How, sandboxes: u32) -> usize {
    let all = usize::try_from(sandboxes).unwrap_or(0);
    match how {
        How::Shared => all,
        How::Mixed => all / 2,
        How::File | How::Folder | How::Copies | How::Lease => 0,
    }
}

/// Where a way's rounds take place.
struct Track<'a> {
    lab: &'a Lab<'a>,
    client: &'a Client,
    way: &'a Way,
    sandboxes: u32,
    scratch: Scratch,
    /// The folder with the login that all of them share.
    folder: PathBuf,
}

impl<'a> Track<'a> {
    fn new(lab: &'a Lab<'a>, client: &'a Client, way: &'a Way, sandboxes: u32) -> Result<Self, Error> {
        let scratch = scratch()?;
        // Somebody outside uses the user's own login; else an account does as well.
        let folder =
            if way.is_ours() && !way.outside { account(&scratch)? } else { scratch.home().join(FOLDER) };
        private_folder(&folder)?;
        Ok(Self { lab, client, way, sandboxes, scratch, folder })
    }

    fn round(&self, score: &mut Score) -> Result<(), Error> {
        self.lab.practice.sign_in(&self.folder, &LoginSpec::expired())?;
        let mut commands = (0..self.sandboxes).map(|at| self.sandbox(at)).collect::<Result<Vec<_>, _>>()?;
        if self.way.outside {
            commands.push(self.lab.practice.session(&self.scratch, self.client, &self.scratch.home()));
        }
        let mark = self.lab.practice.mark();
        let ended = together(commands)?;
        let requests = self.lab.practice.token_requests(mark);
        let tokens = requests.len();
        let worth = self.lab.practice.worth(&self.folder.join(FILE));
        score.token_requests += tokens;
        score.rounds_with_one += u32::from(tokens == 1);
        score.wiped += u32::from(worth.wiped);
        score.dead += u32::from(!worth.wiped && !worth.alive);
        let (refused, lost): (Vec<&Ended>, Vec<&Ended>) =
            ended.iter().filter(|end| !end.good).partition(|end| end.code == Some(REFUSED));
        score.refused += refused.len();
        let leases = ended.iter().enumerate().filter(|(at, _)| self.auth(*at) == Some("lease"));
        score.leases_refused += leases.filter(|(_, end)| end.code == Some(REFUSED)).count();
        score.lost += lost.len();
        if score.why.is_none() {
            let odd = (self.way.is_ours() && tokens > 1).then(|| story(&requests));
            score.why = lost.first().or(refused.first()).map(|end| end.words()).or(odd);
        }
        Ok(())
    }

    /// The auth mode of a sandbox of ours.
    fn auth(&self, at: usize) -> Option<&'static str> {
        if at >= usize::try_from(self.sandboxes).unwrap_or(usize::MAX) {
            return None;
        }
        match self.way.how {
            How::File | How::Folder | How::Copies => None,
            How::Lease => Some("lease"),
            How::Shared => Some("shared"),
            How::Mixed => Some(if at.is_multiple_of(2) { "lease" } else { "shared" }),
        }
    }

    fn sandbox(&self, at: u32) -> Result<Command, Error> {
        let home = self.scratch.root().join(format!("inside-{at}"));
        let (from, to) = (self.folder.join(FILE), home.join(FOLDER).join(FILE));
        let bound = |binds: &[(PathBuf, PathBuf, bool)]| {
            self.lab.practice.sandboxed(&self.scratch, self.client, &home, binds)
        };
        private_folder(&home.join(FOLDER))?;
        Ok(match self.way.how {
            How::File => {
                write(&to, "")?;
                bound(&[(from, to, true)])
            }
            How::Folder => bound(&[(self.folder.clone(), home.join(FOLDER), true)]),
            How::Copies => {
                std::fs::copy(&from, &to).map_err(failed("copying the login"))?;
                bound(&[])
            }
            How::Lease | How::Shared | How::Mixed => self.ours(at)?,
        })
    }

    /// `coffer run` in a project folder of its own.
    fn ours(&self, at: u32) -> Result<Command, Error> {
        let auth = usize::try_from(at).ok().and_then(|at| self.auth(at)).unwrap_or("lease");
        let project = self.scratch.home().join("work").join(format!("project-{at}"));
        private_folder(&project)?;
        let mut words = vec!["--auth", auth];
        if !self.way.outside {
            words.extend(["--account", ACCOUNT]);
        } else if auth == "shared" {
            words.push("--allow-host-login");
        }
        words.extend(["--", "-p", "lab"]);
        let mut command = coffer_command(self.lab, self.client, &self.scratch, &words)?;
        command.current_dir(project);
        Ok(command)
    }
}

/// `coffer run` with these words, as somebody with this agent on the PATH would type it.
pub(crate) fn coffer_command(
    lab: &Lab<'_>,
    client: &Client,
    scratch: &Scratch,
    words: &[&str],
) -> Result<Command, Error> {
    let mut command = limited(scratch, lab.coffer);
    // The names of this network lead to loopback, where a gateway lets nobody.
    command.args(["run", "--yes", "--audit", "never", "--network", "full", "--mount"]);
    command.arg(lab.practice.ca());
    for name in ["NODE_EXTRA_CA_CERTS", "CLAUDE_CODE_MAX_RETRIES"] {
        command.args(["--env", name]);
    }
    command.args(words);
    let folder = folder_with(scratch, &client.path)?;
    let rest = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
    let mut path = folder.into_os_string();
    // The keeper's client is chosen by version, apart from the run's: it may be another one of the lab's.
    for folder in lab.clients.iter().filter_map(|other| other.path.parent()) {
        path.push(":");
        path.push(folder);
    }
    path.push(":");
    path.push(rest.unwrap_or_default());
    command.env("PATH", path);
    lab.practice.dress(&mut command, &scratch.home());
    Ok(command)
}

/// A folder in which the agent has its own name.
fn folder_with(scratch: &Scratch, client: &Path) -> Result<PathBuf, Error> {
    if client.file_name().is_some_and(|name| name == "claude")
        && let Some(folder) = client.parent()
    {
        return Ok(folder.to_owned());
    }
    let folder = scratch.root().join("bin");
    private_folder(&folder)?;
    let link = folder.join("claude");
    if !link.exists() {
        std::os::unix::fs::symlink(client, &link).map_err(failed("making a link"))?;
    }
    Ok(folder)
}

/// Makes the lab's account; the folder of its login.
fn account(scratch: &Scratch) -> Result<PathBuf, Error> {
    let account = scratch.home().join(".local/share/cofferdam/accounts").join(ACCOUNT);
    let record =
        json!({"schema": 1, "name": ACCOUNT, "agent": "claude", "kind": "subscription", "created_at_ms": 0});
    let store = account.join("login/store");
    private_folder(&store)?;
    write(&account.join("account.json"), &record.to_string())?;
    Ok(store)
}
