//! The agent's program: where it is, what it needs around it, which version; it is never run.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::agent::Agent;
use coffer_plan::facts::{AgentFacts, HostFacts};
use coffer_plan::path::PathTemplate;
use serde::Deserialize;

use crate::read::{MAX_BYTES, read_file};
use crate::search::{self, Program};

/// How many folders above a program that no package manager installed are searched for a manifest.
const MANIFEST_REACH: usize = 2;

/// Finds the agent's program: on the PATH, or where its data file says.
pub(crate) fn program(facts: &HostFacts, agent: &Agent) -> Option<AgentFacts> {
    let command = agent.command.first()?;
    let found = if command.contains('/') {
        search::executable(&PathTemplate(command.clone()).expand(facts)?)?
    } else {
        search::find(facts.public_value("PATH")?, command)?
    };
    Some(about(found, facts, agent))
}

/// Every program of the agent's name on the PATH, in its order: the first is the one that runs use; another
/// one may be of a version that can do what the first cannot.
pub fn all_programs(facts: &HostFacts, agent: &Agent) -> Vec<AgentFacts> {
    let Some(command) = agent.command.first() else { return Vec::new() };
    if command.contains('/') {
        return program(facts, agent).into_iter().collect();
    }
    let found = search::find_all(facts.public_value("PATH").unwrap_or_default(), command);
    found.map(|found| about(found, facts, agent)).collect()
}

fn about(found: Program, facts: &HostFacts, agent: &Agent) -> AgentFacts {
    let Program { path, fact } = found;
    let modules = outermost_modules(&fact.resolved);
    AgentFacts {
        name: agent.name.clone(),
        version: match modules {
            Some(root) => from_manifest(&fact.resolved, |folder| folder != root),
            None => from_name(&fact.resolved).or_else(|| near_manifest(&fact.resolved, facts)),
        },
        install_root: modules.unwrap_or(&fact.resolved).to_owned(),
        path,
        resolved: fact.resolved,
    }
}

/// The outermost `node_modules` around a file: packages in it load each other.
fn outermost_modules(file: &Utf8Path) -> Option<&Utf8Path> {
    file.ancestors().skip(1).filter(|folder| folder.file_name() == Some("node_modules")).last()
}

/// A program outside `node_modules`: only folders close by count, and never the home folder, whose
/// `package.json` is about something else.
fn near_manifest(file: &Utf8Path, facts: &HostFacts) -> Option<String> {
    let near: Vec<Utf8PathBuf> =
        file.ancestors().skip(1).take(MANIFEST_REACH).map(Utf8Path::to_owned).collect();
    let home = facts.user.home.as_deref();
    from_manifest(file, |folder| {
        near.iter().any(|near| near == folder) && Some(folder) != home && folder != "/"
    })
}

/// The version in the nearest `package.json` above the file that has one, as long as `within` says yes.
fn from_manifest(file: &Utf8Path, within: impl Fn(&Utf8Path) -> bool) -> Option<String> {
    #[derive(Deserialize)]
    struct Manifest {
        version: Option<String>,
    }
    file.ancestors().skip(1).take_while(|folder| within(folder)).find_map(|folder| {
        let found = read_file(&folder.join("package.json"), MAX_BYTES).ok()?;
        let manifest: Manifest = serde_json::from_slice(&found.content).ok()?;
        manifest.version.filter(|version| is_version(version))
    })
}

/// The innermost component of the path that is a version (`…/claude/versions/2.1.330`).
fn from_name(file: &Utf8Path) -> Option<String> {
    file.components()
        .rev()
        .map(|part| part.as_str().trim_start_matches('v'))
        .find(|part| is_version(part))
        .map(str::to_owned)
}

/// `2.1.330`, `1.0.0-beta.2`: at least two dots, numbers first.
fn is_version(text: &str) -> bool {
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = numbers.split('.').collect();
    text.len() <= 64
        && parts.len() >= 3
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
}

#[cfg(test)]
mod tests;
