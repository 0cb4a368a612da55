//! The golden folders: a machine and what was said in, a checked plan out.
//!
//! A folder holds `facts.json` and, where the case needs them, `config.toml` (the user's), `project.toml`
//! (`.coffer.toml`) and `flags.json`; coffer-launch's tests read the same folders.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    reason = "tests read their cases from files; not every test binary needs every part"
)]

use std::path::{Path, PathBuf};

use coffer_plan::built_in;
use coffer_plan::check::check;
use coffer_plan::config::{
    Flags, Layers, ProjectFile, Settings, Trust, UserFile, merge, parse_project, parse_user,
};
use coffer_plan::derive::derive;
use coffer_plan::facts::HostFacts;
use coffer_plan::plan::CheckedPlan;
use coffer_plan::policy::{Inputs, Policy, resolve};

/// What the command line says, and whether the project's file is trusted.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Said {
    /// Flags that a file could say, too.
    pub(crate) settings: Settings,
    /// `--profile`.
    pub(crate) profiles: Vec<String>,
    /// A command instead of the agent's own.
    pub(crate) command: Option<Vec<String>>,
    /// Arguments for the agent's own command.
    pub(crate) agent_args: Vec<String>,
    pub(crate) keep: bool,
    /// Whether the user trusts the project's file.
    pub(crate) trusted: bool,
}

/// One golden folder.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The machine.
    pub(crate) facts: HostFacts,
    /// The user's config file.
    pub(crate) user: UserFile,
    /// The project's file.
    pub(crate) project: Option<ProjectFile>,
    /// The command line.
    pub(crate) said: Said,
}

/// A plan, and what it was made of.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// What was meant.
    pub(crate) policy: Policy,
    /// What came of it.
    pub(crate) plan: CheckedPlan,
}

/// Where the golden folders are, from any crate of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../coffer-plan/tests/golden")
}

/// Every golden folder, by name.
pub(crate) fn cases() -> Vec<Case> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.iter().map(|folder| read(folder)).collect()
}

/// One golden folder.
pub(crate) fn case(name: &str) -> Case {
    read(&root().join(name))
}

fn read(folder: &Path) -> Case {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let facts = text("facts.json").unwrap_or_else(|| panic!("{} has no facts.json", folder.display()));
    let facts: HostFacts =
        serde_json::from_str(&facts).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    Case {
        user: parse_user(facts.folders.config.as_str(), &text("config.toml").unwrap_or_default()).unwrap(),
        project: text("project.toml").map(|text| parse_project(".coffer.toml", &text).unwrap()),
        said: text("flags.json").map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default(),
        folder: folder.to_owned(),
        facts,
    }
}

impl Case {
    /// Its name.
    pub(crate) fn name(&self) -> String {
        self.folder.file_name().unwrap().to_string_lossy().into_owned()
    }

    /// The layers of the invocation.
    pub(crate) fn layers(&self) -> Layers {
        let path = self.facts.project.path.clone();
        Layers {
            built_in_profiles: built_in::profiles().unwrap(),
            user: self.user.clone(),
            project: self
                .project
                .clone()
                .map(|project| (path.join(".coffer.toml"), project, self.said.trusted)),
            project_path: path,
            flags: Flags {
                settings: self.said.settings.clone(),
                profiles: self.said.profiles.clone(),
                command: self.said.command.clone(),
                agent_args: self.said.agent_args.clone(),
                workdir: None,
                keep: self.said.keep,
            },
        }
    }

    /// The checked plan, or why there is none.
    pub(crate) fn make(&self) -> Result<Made, String> {
        let layers = self.layers();
        let merged = merge(&layers).map_err(|error| error.to_string())?;
        let inputs = Inputs {
            agent: built_in::agent(&merged.agent.value).map_err(|error| error.to_string())?,
            all_agents: built_in::agents().unwrap().into_values().collect(),
            system: built_in::system().unwrap(),
            secrets: built_in::secrets().unwrap(),
            system_calls: built_in::system_calls().unwrap(),
            trust: Trust::default(),
            tools: built_in::tools().unwrap(),
            deferred: built_in::deferred().unwrap(),
        };
        let policy =
            resolve(merged, &layers.flags, inputs, &self.facts).map_err(|errors| format!("{errors:?}"))?;
        let plan = derive(&policy, &self.facts).map_err(|errors| format!("{errors:?}"))?;
        let plan = check(plan, &policy, &self.facts).map_err(|errors| format!("{errors:?}"))?;
        Ok(Made { policy, plan })
    }
}
