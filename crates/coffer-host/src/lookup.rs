//! Answers to the questions that data files, layers and flags raise.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::agent::Agent;
use coffer_plan::facts::{HostFacts, Questions};

use crate::{agent, cache, deferred, key_agents, login, mcp, paths, settings, sockets, tools};

/// Adds to base facts what the questions ask for: the agent's program, its settings, login and MCP
/// servers, and what stands at every path that was named. Templates that do not expand here are left out.
/// What cannot be read is a fact (`Unreadable`, `broken`), so this cannot fail.
pub fn look_up(facts: &mut HostFacts, questions: &Questions) {
    if let Some(agent) = &questions.agent {
        about_agent(facts, agent, questions.workdir.as_deref());
    }
    for template in &questions.templates {
        if let Some(path) = template.expand(facts) {
            paths::note(facts, &path);
        }
    }
    for path in &questions.paths {
        paths::note(facts, path);
    }
    if let Some(question) = &questions.deferred {
        deferred::look(facts, question);
    }
    if !questions.tools.is_empty() {
        facts.tools = tools::answers(facts, questions, cache::folder(facts).as_deref());
    }
    sockets::note(facts, questions);
    facts.keys = key_agents::facts(facts, questions);
}

fn about_agent(facts: &mut HostFacts, agent: &Agent, workdir: Option<&Utf8Path>) {
    facts.agent = agent::program(facts, agent);
    let first = facts.agent.as_ref().map(|first| first.path.clone());
    facts.other_agents = agent::all_programs(facts, agent);
    facts.other_agents.retain(|other| Some(&other.path) != first.as_ref());
    facts.settings = settings::settings(facts, agent, workdir);
    facts.login = login::host_login(facts, agent);
    facts.mcp_servers = mcp::servers(facts, agent);
    let mut sources: Vec<Utf8PathBuf> = settings::files(facts);
    if let Some(found) = &facts.agent {
        sources.extend([found.path.clone(), found.resolved.clone(), found.install_root.clone()]);
    }
    if let Some(login) = &facts.login {
        sources.extend([login.folder.clone(), login.file.clone()]);
    }
    if let Some(state) = &agent.state {
        sources.extend(state.host.iter().find_map(|folder| folder.expand(facts)));
    }
    for source in sources {
        paths::note(facts, &source);
    }
}

#[cfg(test)]
pub(crate) mod tests;
