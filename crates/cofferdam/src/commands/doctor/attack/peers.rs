//! The same attacks on other sandboxes, each started by its own command line on a stage of its own: for docs/compare.md,
//! which `./x compare` writes. Homes lie where no sandbox looks for temporary files, and the agent that is started is
//! called as the genuine one is, so that whatever a sandbox does for it by default is done.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use coffer_testkit::attack::column::{Column, Probe};
use coffer_testkit::attack::report::is_proven;
use coffer_testkit::attack::scene::{Ground, Scene, hosts};
use coffer_testkit::attack::{Brief, Grant, attacks, probe, world};
pub use coffer_testkit::attack::{Line, Verdict};
use coffer_testkit::netns::hosts_file;
use serde::{Deserialize, Serialize};

use super::{AttackError, Attacked, Backend, canary, document, failed, word};
use crate::error::Error;
use crate::exit::NO;
use crate::printer::Printer;

/// Ours at its defaults: a name, the network tier, the auth mode.
const DEFAULTS: [&str; 3] = ["coffer", "dev", "lease"];
/// Where the genuine agent lies.
const AGENT: &str = ".local/bin/claude";
/// Where the probe lies: whoever sandboxes an agent lets it into its project.
const PROBE: &str = "target";

/// What is compared.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The user and the group to become, for root.
    pub user: Option<[u32; 2]>,
    /// A folder over which an empty one is laid, for homes.
    pub homes: PathBuf,
    /// The other sandboxes.
    pub peers: Vec<Peer>,
}

/// Another sandbox. In words, paths and texts `${home}`, `${project}` and `${agent}` stand for those of the stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// What it is called.
    pub name: String,
    /// Its program.
    pub program: PathBuf,
    /// What it is started with; the brief follows.
    pub words: Vec<String>,
    /// A folder of programs that it needs, in front of all others.
    pub search: Option<PathBuf>,
    /// Files that are there before it starts, by path.
    pub files: BTreeMap<String, String>,
    /// Whether it gives the agent a number space of processes of its own, in which the first one is 1.
    pub own_processes: bool,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// Each attack, by class.
    pub attacks: Vec<Row>,
    /// Each other sandbox.
    pub peers: Vec<Outcome>,
}

/// An attack.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub class: String,
    /// Whether it is one on parts that only Cofferdam has.
    pub on_own_parts: bool,
    /// Whether it succeeds without a sandbox.
    pub proven: bool,
    /// What came of it in ours.
    pub coffer: Verdict,
    /// The entry of our plan that grants it, where it succeeded.
    pub grant: Option<String>,
}

/// What came of the attacks in another sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// What it is called.
    pub name: String,
    /// Why it could not be attacked.
    pub failed: Option<String>,
    /// What came of each attack.
    pub lines: BTreeMap<String, Line>,
}

pub(super) fn compare(file: &Path, inside: bool, printer: &Printer) -> Result<u8, Error> {
    let text = fs::read(file).map_err(failed("read what is compared"))?;
    let comparison: Comparison =
        serde_json::from_slice(&text).map_err(|error| failed("read what is compared")(error.into()))?;
    if inside {
        printer.json(&test(&comparison)?)?;
        return Ok(0);
    }
    enter(&comparison, file)
}

/// Starts ourselves again in a machine of our own. Root makes it as root and becomes somebody else in it: then files of
/// root's are root's there, as programs that check who owns what they start expect.
fn enter(comparison: &Comparison, file: &Path) -> Result<u8, Error> {
    if !world::available() {
        return Err(AttackError::NoStage.into());
    }
    let coffer = coffer_host::base()?.coffer.into_std_path_buf();
    let hosts = hosts_file(&hosts()).map_err(failed("write a hosts file"))?;
    let program = comparison.user.map_or(coffer.as_path(), |_| Path::new("setpriv"));
    let mut again = world::command_with_homes(hosts.path(), &comparison.homes, program.as_os_str());
    if let Some([user, group]) = comparison.user {
        again.args([format!("--reuid={user}"), format!("--regid={group}")]);
        again.arg("--clear-groups").arg(&coffer);
    }
    again.args(["doctor", "--attack", "--inside", "--peers"]).arg(file);
    let status = again.status().map_err(failed("start `unshare`"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(NO))
}

/// Attacks, in the machine of our own.
fn test(comparison: &Comparison) -> Result<Compared, Error> {
    let coffer = coffer_host::base()?.coffer;
    let probe =
        Probe { program: coffer.into_std_path_buf(), called: crate::INIT_NAME, words: &[probe::VERB] };
    let ground = Ground::new(&canary()?).and_then(|ground| ground.with_homes(&comparison.homes));
    let ground = ground.map_err(failed("lay the stage"))?;
    let ours = Attacked { ground, probe, backend: Backend::default() };
    let run = ours.run(DEFAULTS)?;
    let peers = comparison.peers.iter().map(|peer| outcome(&ours.ground, &ours.probe, peer)).collect();
    let outside = ours.outside(run.limits)?;
    let rows = attacks().map(|attack| {
        let coffer = run.column.verdict(attack);
        let grant = document::grant_in(&run.plan, attack.grant);
        Row {
            name: attack.name.to_owned(),
            class: attack.class.word().to_owned(),
            on_own_parts: attack.class.is_of_own_parts(),
            proven: is_proven(attack, &outside),
            coffer,
            grant: grant.filter(|_| coffer == Verdict::Allowed && attack.grant != Grant::Never),
        }
    });
    Ok(Compared { attacks: rows.collect(), peers })
}

/// A sandbox that cannot be started here takes nothing from the others.
fn outcome(ground: &Ground, probe: &Probe, peer: &Peer) -> Outcome {
    let name = peer.name.clone();
    match attacked(ground, probe, peer) {
        Ok(column) => Outcome { name, failed: None, lines: column.lines },
        Err(error) => Outcome { name, failed: Some(error.to_string()), lines: BTreeMap::new() },
    }
}

fn attacked(ground: &Ground, probe: &Probe, peer: &Peer) -> io::Result<Column> {
    let mut scene = Scene::lay(ground, probe)?;
    peer.program.clone_into(&mut scene.brief.program);
    if peer.own_processes {
        scene.brief.first = 1;
    }
    let agent = lay_agent(&scene.brief, probe)?;
    for (path, text) in &peer.files {
        let path = PathBuf::from(filled(path, &scene.brief, &agent));
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, filled(text, &scene.brief, &agent))?;
    }
    let mut command = scene.command(&peer.program);
    command.env("PATH", search(peer, &agent));
    Column::attacked(&peer.name, &mut scene, |brief| started(command, peer, brief, &agent))
}

fn started(mut command: Command, peer: &Peer, brief: &Brief, agent: &Path) -> Command {
    command.args(peer.words.iter().map(|word| filled(word, brief, agent))).arg(word(brief));
    command
}

/// What is started in place of the genuine agent, called as that is: the probe.
fn lay_agent(brief: &Brief, probe: &Probe) -> io::Result<PathBuf> {
    let folder = brief.project.join(PROBE);
    fs::create_dir_all(&folder)?;
    let copy = folder.join(probe.called);
    fs::copy(&probe.program, &copy)?;
    let agent = brief.home.join(AGENT);
    let words = probe.words.join(" ");
    agent.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(&agent, format!("#!/bin/sh\nexec '{}' {words} \"$@\"\n", copy.display()))?;
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755))?;
    Ok(agent)
}

/// Where programs are looked for: what the sandbox needs, the agent, then as ever.
fn search(peer: &Peer, agent: &Path) -> OsString {
    let usual = std::env::var_os("PATH").unwrap_or_default();
    let folders = peer.search.clone().into_iter().chain(agent.parent().map(Path::to_owned));
    let all: Vec<PathBuf> = folders.chain(std::env::split_paths(&usual)).collect();
    // Without a folder whose name has a colon, which there is none of.
    std::env::join_paths(all).unwrap_or(usual)
}

fn filled(template: &str, brief: &Brief, agent: &Path) -> String {
    let text = template.replace("${agent}", &agent.to_string_lossy());
    brief.path(&text).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
