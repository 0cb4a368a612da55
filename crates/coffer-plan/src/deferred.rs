//! Deferred execution: what programs of the host run later because it lies in a project. The lists are data, each entry
//! with its reason; what becomes of it is decided in `derive/deferred.rs`.

pub mod git_changes;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::origin::{Decided, Origin, OriginLayer};

/// The origin of what is kept from the agent because the host would run it.
pub const DEFERRED: &str = "deferred execution";

/// The built-in lists (`deferred/*.toml`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferred {
    /// What is run or obeyed in a project.
    pub paths: Vec<DeferredPath>,
    /// How far the scan goes.
    pub scan: ScanBounds,
    /// What of git's configuration is harmless, and what runs something.
    pub git_keys: GitKeys,
}

/// A path that some program of the host runs or obeys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeferredPath {
    /// Relative to the project's root, or to any folder of it.
    pub path: String,
    /// Who runs it.
    pub reason: String,
    /// Whether its place in the root is held while a run lives, where it does not exist.
    #[serde(default)]
    pub hold: bool,
    /// Whether it stays writable, and a change of it is told: it runs on other machines.
    #[serde(default)]
    pub warn: bool,
}

/// How far the scan of a project goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanBounds {
    /// Names of folders that are not looked into.
    pub skip: Vec<String>,
    /// Folders below the root.
    pub most_depth: usize,
    /// Files and folders.
    pub most_entries: u64,
    /// Milliseconds.
    pub most_ms: u64,
    /// Repositories in which everyday git works.
    pub most_repositories: usize,
}

/// Keys of git's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitKeys {
    /// Those whose changes reach the host.
    pub harmless: Vec<HarmlessKey>,
    /// Those whose values git runs, or follows to what it runs.
    pub runs: Vec<RunKey>,
}

/// A key whose change reaches the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HarmlessKey {
    /// In lower case; a `*` between dots is any subsection.
    pub key: String,
    /// What the value has to be.
    pub value: HarmlessValue,
    /// Why it is harmless.
    pub reason: String,
}

/// What a harmless value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HarmlessValue {
    /// The name of a remote that was there before the run, or `.`.
    Remote,
    /// A branch by its full name.
    Branch,
    /// Yes, no, or one of git's own words.
    Switch,
    /// Any text.
    Text,
}

/// A key whose value git runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunKey {
    /// In lower case; a `*` is any subsection, or at the end any key.
    pub key: String,
    /// What git does with it.
    pub reason: String,
}

/// A path that some program of the host runs or obeys, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeferredRule {
    /// The path and what is known about it.
    pub path: DeferredPath,
    /// Who says so.
    pub origin: Origin,
}

/// All rules: the product's, the agents', the layers'. The first one about a path counts, so that a layer adds and
/// never takes away.
pub(crate) fn rules(built_in: &Deferred, agents: &[Agent], protect: &[Decided<String>]) -> Vec<DeferredRule> {
    let rule = |path: &DeferredPath, origin| DeferredRule { path: path.clone(), origin };
    let of_product = built_in.paths.iter().map(|path| rule(path, Origin::built_in(DEFERRED)));
    let of_agents = agents.iter().flat_map(|agent| {
        let origin = Origin::new(OriginLayer::Agent, format!("{}: {DEFERRED}", agent.name));
        agent.deferred.iter().map(move |path| rule(path, origin.clone()))
    });
    let of_layers = protect.iter().map(|said| DeferredRule {
        path: DeferredPath {
            path: said.value.clone(),
            reason: "said so".to_owned(),
            hold: true,
            warn: false,
        },
        origin: said.origin.clone(),
    });
    let mut all: Vec<DeferredRule> = Vec::new();
    // A layer's word is stronger than a warning, and a warning is weaker than everything.
    let (warned, kept): (Vec<_>, Vec<_>) =
        of_product.chain(of_agents).chain(of_layers).partition(|rule| rule.path.warn);
    for rule in kept.into_iter().chain(warned) {
        if all.iter().all(|known| known.path.path != rule.path.path) {
            all.push(rule);
        }
    }
    all
}
