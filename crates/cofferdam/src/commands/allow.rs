//! `coffer allow`: hosts into the user's own allowlist, and through the gateway of a run that is at work.

use coffer_launch::launch::Allow;
use coffer_launch::run::live_runs;
use coffer_plan::derive::ranges_of;
use coffer_plan::facts::HostFacts;
use coffer_plan::host::HostRule;
use coffer_plan::origin::Origin;
use toml_edit::{Array, Item, TableLike, value};

use crate::cli::AllowCommand;
use crate::commands::gateway::token;
use crate::error::Error;
use crate::exit::Failure;
use crate::gateway::standing;
use crate::printer::Printer;
use crate::user_config;

const KEY: &str = "allow";

pub(crate) fn allow(command: &AllowCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base()?;
    // The run first: whoever waits for it shall not wait in vain because of a file.
    if let Some(run) = &command.run {
        tell_run(run, &command.hosts, &facts)?;
    }
    let project = command.here.then(|| facts.project.path.to_string());
    let (path, mut document) = user_config::read(&facts)?;
    let added = match &project {
        None => add(document.as_table_mut(), &command.hosts),
        Some(project) => add(user_config::of_project(&path, &mut document, project)?, &command.hosts),
    };
    let added = added.ok_or_else(|| Error::ConfigUnfit { path: path.clone(), key: KEY.to_owned() })?;
    if !added.is_empty() {
        user_config::write(&path, &document)?;
    }
    let place = project.map_or_else(String::new, |project| format!(" in {project}"));
    for host in &command.hosts {
        let already = if added.contains(host) { "" } else { " already" };
        printer.tell(&format!("`{host}` is allowed{already}{place} in the tier `dev` ({path})\n"));
    }
    if let Some(run) = &command.run {
        printer.tell(&format!("`{run}` reaches it from now on\n"));
    }
    Ok(0)
}

/// Lets hosts through the gateway of a live run, or for the holder of a token.
fn tell_run(run: &str, hosts: &[HostRule], facts: &HostFacts) -> Result<(), Error> {
    if token::allow(run, hosts, facts)? {
        return Ok(());
    }
    let mut live = live_runs(&facts.folders.runtime).into_iter().filter(|live| live.id.starts_with(run));
    let (Some(found), None) = (live.next(), live.next()) else {
        return Err(Error::NoSuchRun { run: run.to_owned() });
    };
    let origin = Origin::flag("coffer allow");
    let more: Vec<Allow> = hosts
        .iter()
        .map(|rule| Allow {
            host: rule.host.clone(),
            port: rule.port,
            ranges: ranges_of(rule, &origin),
            origin: "`coffer allow --run`".to_owned(),
        })
        .collect();
    standing::allow(&found.folder, &more).map_err(|source| Error::RunWithoutGateway { run: found.id, source })
}

/// Puts hosts into a list, each once; those that were not there. `None` when what stands there is no list.
fn add(table: &mut dyn TableLike, hosts: &[HostRule]) -> Option<Vec<HostRule>> {
    let list = table.entry(KEY).or_insert_with(|| value(Array::new()));
    let list = list.as_array_mut()?;
    let known: Vec<HostRule> = list.iter().filter_map(|entry| entry.as_str()?.parse().ok()).collect();
    let mut added: Vec<HostRule> = Vec::new();
    for host in hosts {
        if !known.contains(host) && !added.contains(host) {
            list.push(host.to_string());
            added.push(host.clone());
        }
    }
    // An empty list that was just made says nothing.
    if list.is_empty() {
        table.insert(KEY, Item::None);
    }
    Some(added)
}
