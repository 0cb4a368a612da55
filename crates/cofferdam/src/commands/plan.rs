//! `coffer plan`: the plan and nothing else, or what changed in it.

use coffer_plan::show::diff::difference;
use coffer_plan::show::{access, audit, json};
use serde::Serialize;

use crate::cli::{AccessFormat, PlanCommand};
use crate::error::Error;
use crate::exit::{Failure, NO};
use crate::prepare::{gather, prepare};
use crate::printer::Printer;
use crate::store::{self, Remembered};

pub(crate) fn plan(command: &PlanCommand, printer: &Printer) -> Result<u8, Failure> {
    let flags = command.flags.layer(None);
    if let Some(path) = &command.save_facts {
        let facts = gather(&flags, None)?.facts;
        let text = coffer_host::save(&facts)?;
        std::fs::write(path, text).map_err(|source| Error::Store {
            action: "write",
            path: path.clone(),
            source,
        })?;
        return Ok(0);
    }
    let saved = match &command.facts {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| Error::Store {
                action: "read",
                path: path.clone(),
                source,
            })?;
            Some(coffer_host::load(&text, path.as_str())?)
        }
        None => None,
    };
    let prepared = prepare(&flags, saved)?;
    if let Some(format) = command.access {
        return grants(&access::rows(&prepared.plan), format, command.json, printer);
    }
    let document = json::plan(&prepared.plan).map_err(Error::Json)?;
    if !(command.diff || command.check) {
        if command.json {
            printer.data(&document)?;
        } else {
            printer.data(&audit::audit(&prepared.plan, printer.data_style()))?;
        }
        return Ok(0);
    }
    let now = json::remembered(&prepared.plan).map_err(Error::Json)?;
    let Some(earlier) = store::plan(&prepared.facts, &prepared.plan.command.agent, Remembered::Last)? else {
        printer.tell("nothing was run here yet, so there is nothing to compare with\n");
        return Ok(if command.check { NO } else { 0 });
    };
    let change = difference(&earlier, &now);
    let lines = change.added.iter().map(|line| format!("+ {line}\n"));
    let lines = lines.chain(change.removed.iter().map(|line| format!("- {line}\n")));
    let lines: String = lines.chain(change.changed.iter().map(|line| format!("~ {line}\n"))).collect();
    if command.json {
        printer.json(&change)?;
    } else if !lines.is_empty() {
        printer.data(&lines)?;
    }
    Ok(if command.check && !change.is_empty() { NO } else { 0 })
}

/// Prints who may do what.
fn grants(
    rows: &[access::Row],
    format: AccessFormat,
    as_json: bool,
    printer: &Printer,
) -> Result<u8, Failure> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: u32,
        access: &'a [access::Row],
    }
    match format {
        _ if as_json => printer.json(&Document { schema: 1, access: rows })?,
        AccessFormat::Text => printer.data(&access::text(rows))?,
        AccessFormat::Markdown => printer.data(&access::markdown(rows))?,
    }
    Ok(0)
}
