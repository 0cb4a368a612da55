//! `coffer quarantine`: what runs left that the host would run, and how to take it back.

use coffer_launch::launch::quote;
use coffer_plan::built_in;
use coffer_plan::deferred::git_changes::changes;
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;

use crate::cli::{QuarantineCommand, QuarantineListCommand, QuarantineRestoreCommand, QuarantineVerb};
use crate::error::Error;
use crate::exit::Failure;
use crate::printer::Printer;
use crate::quarantine::git_config::{apply, lines};
use crate::quarantine::{Item, Kind, Record, before_of, content, forget, place, records};

#[derive(serde::Serialize)]
struct Report<'a> {
    schema: u32,
    runs: Vec<&'a Record>,
}

pub(crate) fn quarantine(command: &QuarantineCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base().map_err(Error::from)?;
    match &command.verb {
        QuarantineVerb::List(command) => Ok(list(&facts, command, printer)?),
        QuarantineVerb::Restore(command) => Ok(restore(&facts, command, printer)?),
    }
}

fn list(facts: &HostFacts, command: &QuarantineListCommand, printer: &Printer) -> Result<u8, Error> {
    let found = records(facts)?;
    if command.json {
        let runs = found.iter().map(|(_, record)| record).collect();
        printer.json(&Report { schema: 1, runs })?;
        return Ok(0);
    }
    for Item { id, path, now, reason, .. } in found.iter().flat_map(|(_, record)| &record.items) {
        printer.data(&printable(&format!("{id}  {path} -> {now}  ({reason})")))?;
    }
    if found.is_empty() {
        printer.tell("Nothing was moved aside.\n");
    }
    Ok(0)
}

fn restore(facts: &HostFacts, command: &QuarantineRestoreCommand, printer: &Printer) -> Result<u8, Error> {
    let is_meant = |item: &Item| {
        item.id == command.id || item.id.split_once('/').is_some_and(|(run, _)| run == command.id)
    };
    let mut any = false;
    for (folder, mut record) in records(facts)? {
        for item in record.items.clone().iter().filter(|item| is_meant(item)) {
            any = true;
            let done = match item.kind {
                Kind::Moved => {
                    put_back(item)?;
                    true
                }
                Kind::GitConfig => accept(item, facts, command.accept_config, printer)?,
            };
            if done {
                forget(&folder, &mut record, &item.id)?;
                printer.tell(&format!("{} is back.\n", printable(item.path.as_str())));
            }
        }
    }
    if any {
        return Ok(0);
    }
    Err(Error::Usage {
        message: format!("nothing in quarantine is called `{}`", command.id),
        more: Vec::new(),
        hint: "`coffer quarantine list`".to_owned(),
    })
}

/// Gives it its name back, if it is still what was moved: it lies in the project, where later runs can write.
fn put_back(item: &Item) -> Result<(), Error> {
    let Item { path, now, sha256, .. } = item;
    let failed = |source| Error::Store { action: "put back", path: path.clone(), source };
    if coffer_host::owned(now).is_some() && (sha256.is_none() || content::digest(now) != *sha256) {
        return Err(Error::Usage {
            message: format!("`{now}` is not what was moved aside, or too large to tell"),
            more: Vec::new(),
            hint: format!("look at it, then `mv {} {}`", quote(now.as_str()), quote(path.as_str())),
        });
    }
    place::rename(now, path).map_err(failed)
}

/// Shows what the run changed, and makes the same changes in the configuration as it is now when that was said.
fn accept(item: &Item, facts: &HostFacts, accept: bool, printer: &Printer) -> Result<bool, Error> {
    let read = |path: &camino::Utf8Path| {
        let text = coffer_host::read_project_config(path)?;
        Ok::<_, Error>(text.unwrap_or_default())
    };
    let keys = built_in::deferred()?.git_keys;
    let Some(found) = changes(&read(&before_of(&item.now))?, &read(&item.now)?, &keys) else {
        let source = std::io::Error::other("git would refuse it");
        return Err(Error::Store { action: "read", path: item.now.clone(), source });
    };
    printer.insist(&format!("In `{}`:\n{}", printable(item.path.as_str()), lines(&found)));
    if !accept {
        printer.insist(&format!("hint: `coffer quarantine restore {} --accept-config`\n", item.id));
        return Ok(false);
    }
    let failed = |source| Error::Store { action: "open", path: item.path.clone(), source };
    let folder = place::folder_of(&item.path).map_err(failed)?;
    apply(&found, std::os::fd::AsFd::as_fd(&folder), &item.path, facts)?;
    Ok(true)
}
