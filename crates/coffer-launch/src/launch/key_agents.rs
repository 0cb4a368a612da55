//! What the filters in front of the user's agents for keys are told: public, as everything in a launch.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::plan::{CheckedPlan, GrantedKey, KeyAgentKind};
use serde::{Deserialize, Serialize};

/// The filters of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAgents {
    /// One for each agent.
    pub filters: Vec<KeyFilter>,
    /// The program that asks a person each time.
    #[serde(default)]
    pub confirm: Option<Utf8PathBuf>,
    /// In which project, for whoever is asked.
    pub project: Utf8PathBuf,
}

/// One filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFilter {
    /// In front of which agent.
    pub agent: KeyAgentKind,
    /// Where that listens on the host.
    pub socket: Utf8PathBuf,
    /// The name of the filter's socket in the run's folder.
    pub name: String,
    /// The keys that may be used.
    pub keys: Vec<GrantedKey>,
}

impl KeyAgents {
    /// The filters that a plan needs, if it needs any.
    pub(crate) fn of(plan: &CheckedPlan, project: &Utf8Path) -> Option<Self> {
        let filter = |agent: &coffer_plan::plan::KeyAgent| KeyFilter {
            agent: agent.agent,
            socket: agent.socket.clone(),
            name: agent.target.file_name().unwrap_or_default().to_owned(),
            keys: agent.keys.clone(),
        };
        let filters: Vec<KeyFilter> = plan.key_agents.iter().map(filter).collect();
        let confirm = plan.key_agents.iter().find_map(|agent| agent.confirm.clone());
        (!filters.is_empty()).then(|| Self { filters, confirm, project: project.to_owned() })
    }
}
