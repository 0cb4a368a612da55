//! `compare`: the attacker's table for other sandboxes at their defaults beside ours, in docs/compare.md.
//!
//! Which sandboxes, and how each is started, is data (bench/compare.toml). The attacks are made by the hidden
//! `coffer doctor --attack --peers FILE` in a machine of namespaces; here is what goes in, and the page that comes out.

mod counts;
mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cofferdam::comparison::{Compared, Comparison};
use serde::Deserialize;
use tempfile::TempDir;

use super::machine;
use crate::error::Error;
use crate::tree::Tree;

const PEERS: &str = "bench/compare.toml";
const PAGE: &str = "docs/compare.md";
/// A folder that no sandbox treats in a way of its own. On the stage an empty one lies over it.
const HOMES: &str = "/srv";

/// What to compare.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The optimised `coffer`
    #[arg(long)]
    coffer: PathBuf,
    /// A sandbox that was installed for this: its id, its version, and the folder of its program
    #[arg(long = "tool", value_name = "ID=VERSION=FOLDER", value_parser = tool)]
    tools: Vec<Tool>,
    /// The user and the group that attack, for root
    #[arg(long, value_name = "UID:GID", value_parser = user)]
    user: Option<[u32; 2]>,
    /// Only print the page
    #[arg(long)]
    dry_run: bool,
}

/// An installed sandbox.
#[derive(Debug, Clone, PartialEq)]
struct Tool {
    id: String,
    version: String,
    folder: PathBuf,
}

fn tool(text: &str) -> Result<Tool, String> {
    let parts: Vec<&str> = text.splitn(3, '=').collect();
    match parts.as_slice() {
        [id, version, folder] if !folder.is_empty() => {
            Ok(Tool { id: (*id).to_owned(), version: (*version).to_owned(), folder: folder.into() })
        }
        _ => Err("it has to be `ID=VERSION=FOLDER`".to_owned()),
    }
}

fn user(text: &str) -> Result<[u32; 2], String> {
    let number = |part: &str| part.parse::<u32>().map_err(|error| error.to_string());
    match text.split_once(':') {
        Some((user, group)) => Ok([number(user)?, number(group)?]),
        None => Err("it has to be `UID:GID`".to_owned()),
    }
}

/// bench/compare.toml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    peer: Vec<Peer>,
}

/// A sandbox of bench/compare.toml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    name: String,
    tool: Option<String>,
    program: String,
    words: Vec<String>,
    own_processes: bool,
    line: String,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    grants: Vec<Grant>,
}

/// What a sandbox says that it lets in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    what: String,
    attacks: Vec<String>,
}

impl Peer {
    /// As `coffer` takes it; none where its program is not there.
    fn found(&self, tools: &[Tool]) -> Option<cofferdam::comparison::Peer> {
        let folders = match &self.tool {
            Some(id) => tools.iter().filter(|tool| tool.id == *id).map(|tool| tool.folder.clone()).collect(),
            None => std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>(),
        };
        let program = folders.iter().map(|folder| folder.join(&self.program)).find(|path| path.is_file())?;
        Some(cofferdam::comparison::Peer {
            name: self.name.clone(),
            search: self.tool.as_ref().and_then(|_| program.parent()).map(Path::to_owned),
            program,
            words: self.words.clone(),
            files: self.files.clone(),
            own_processes: self.own_processes,
        })
    }

    /// What of its grants explains that an attack succeeds.
    fn grant(&self, name: &str, class: &str) -> Option<&str> {
        let names = |pattern: &String| pattern.strip_suffix('/').map_or(pattern == name, |of| of == class);
        self.grants.iter().find(|grant| grant.attacks.iter().any(names)).map(|grant| grant.what.as_str())
    }
}

/// Attacks all that are there, and writes the page.
pub(crate) fn run(tree: &Tree, arguments: &Arguments) -> Result<Vec<String>, Error> {
    let data: Data = tree.read_toml(PEERS)?;
    let found = data.peer.iter().filter_map(|peer| peer.found(&arguments.tools)).collect();
    let compared = attack(&arguments.coffer, found, arguments.user)?;
    let about = machine::describe(&arguments.coffer)?;
    let page = page::write(&data.peer, &arguments.tools, &compared, &about);
    if arguments.dry_run {
        crate::report(&page);
    } else {
        tree.write(PAGE, &page)?;
    }
    Ok(Vec::new())
}

/// A copy of `coffer` attacks, from where whoever attacks can start it.
fn attack(
    coffer: &Path,
    peers: Vec<cofferdam::comparison::Peer>,
    user: Option<[u32; 2]>,
) -> Result<Compared, Error> {
    let folder = folder()?;
    let path = |name: &str| folder.path().join(name);
    let failed = |path: PathBuf| move |source| Error::Write { path, source };
    let copy = path("coffer");
    std::fs::copy(coffer, &copy).map_err(failed(copy.clone()))?;
    let comparison = Comparison { user, homes: HOMES.into(), peers };
    let file = path("compared.json");
    let json = serde_json::to_vec(&comparison).map_err(|source| Error::Json { what: PEERS, source })?;
    std::fs::File::create(&file).and_then(|mut file| file.write_all(&json)).map_err(failed(file.clone()))?;
    let home = path("home");
    std::fs::create_dir(&home).map_err(failed(home.clone()))?;

    let mut command = Command::new(&copy);
    command.args(["doctor", "--attack", "--peers"]).arg(&file);
    command.env_clear().env("HOME", &home).env("XDG_RUNTIME_DIR", &home);
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin");
    let output =
        command.output().map_err(|source| Error::Start { command: "coffer doctor".to_owned(), source })?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Failed { command: "coffer doctor --attack".to_owned(), stderr });
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|source| Error::Json { what: "what `coffer doctor --attack --peers` said", source })
}

/// A folder that others can read.
fn folder() -> Result<TempDir, Error> {
    let parent = std::env::temp_dir();
    let folder = tempfile::Builder::new()
        .prefix("coffer-compare-")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir_in(&parent);
    folder.map_err(|source| Error::Write { path: parent, source })
}
