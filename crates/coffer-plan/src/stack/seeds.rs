//! The agent's own files in a service: where they lie, and what a first start would ask for otherwise.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde_json::{Map, Value};

use super::text::quoted;
use crate::agent::{Agent, SeedWhen};
use crate::facts::HostFacts;

/// The home in a service.
const HOME: &str = "/home/agent";

/// The agent's own files in a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where they lie.
    folder: Utf8PathBuf,
    /// The variable that says so.
    env: Option<String>,
    /// What is in them before the first start, by file.
    seeds: BTreeMap<String, Map<String, Value>>,
}

impl State {
    /// Of an agent whose state lies in its home. Who is in a service is signed in; anything else that a start asks for
    /// is up to the person who starts it.
    pub fn of(agent: &Agent, facts: &HostFacts) -> Option<Self> {
        let layout = agent.state.as_ref()?;
        let mut there = facts.clone();
        there.user.home = Some(HOME.into());
        let folder = layout.home.expand(&there).filter(|folder| folder.starts_with(HOME))?;
        let mut seeds: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for seed in &agent.seeds {
            let applies = match seed.when {
                SeedWhen::SignedIn | SeedWhen::Always => true,
                SeedWhen::TrustFolder | SeedWhen::Unattended => false,
            };
            if applies && let Ok(Value::Object(object)) = serde_json::from_str(&seed.json) {
                seeds.entry(seed.file.clone()).or_default().extend(object);
            }
        }
        Some(Self { folder, env: layout.env.clone(), seeds })
    }

    /// A line of a service's environment.
    pub(super) fn variable(&self) -> String {
        let line = |name: &String| format!("\n    {name}: {}", quoted(self.folder.as_str()));
        self.env.as_ref().map(line).unwrap_or_default()
    }

    /// Words of a shell that write the files.
    pub(super) fn script(&self) -> String {
        let write = |(file, object): (&String, &Map<String, Value>)| {
            let path = self.folder.join(file);
            let json = Value::Object(object.clone()).to_string().replace('\'', "'\\''");
            let folder = path.parent().unwrap_or(&self.folder);
            format!("mkdir -p {folder}; printf '%s\\n' '{json}' >{path}; ")
        };
        self.seeds.iter().map(write).collect()
    }
}
