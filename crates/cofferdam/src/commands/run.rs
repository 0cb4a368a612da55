//! `coffer run`: the audit, then the run, of one and the same plan.

use coffer_plan::config::AuditMode;
use coffer_plan::show::diff::{Difference, difference};
use coffer_plan::show::{audit, json};

use super::exec_launch;
use crate::cli::{DryRun, RunFlags};
use crate::error::Error;
use crate::exit::Failure;
use crate::prepare::{Prepared, lower, prepare};
use crate::printer::Printer;
use crate::resolver::Resolver;
use crate::store;

pub(crate) fn run(flags: &RunFlags, printer: &Printer) -> Result<u8, Failure> {
    let of_run = |error: Error| Failure { error, of_run: true };
    let prepared = prepare(&flags.plan.layer(flags.audit), None).map_err(of_run)?;
    if let Some(form) = flags.dry_run {
        return dry_run(&prepared, form, printer).map_err(of_run);
    }
    let launch = lower(&prepared).map_err(of_run)?;
    let document = json::plan(&prepared.plan).map_err(|error| of_run(Error::Json(error)))?;
    consent(&prepared, &document, flags.yes, printer).map_err(of_run)?;
    printer.detail(&format!("Command\n  {}\n", launch.line(prepared.facts.coffer.as_str())));
    let resolver = Resolver { facts: Some(&prepared.facts) };
    exec_launch::perform(&launch, &resolver, Some(&prepared.facts)).map_err(of_run)
}

/// Prints what would run, and nothing else.
fn dry_run(prepared: &Prepared, form: DryRun, printer: &Printer) -> Result<u8, Error> {
    match form {
        DryRun::Json => printer.data(&json::plan(&prepared.plan).map_err(Error::Json)?)?,
        DryRun::Command => printer.data(&lower(prepared)?.line(prepared.facts.coffer.as_str()))?,
        DryRun::Text => {
            let launch = lower(prepared)?;
            printer.data(&audit::audit(&prepared.plan, printer.data_style()))?;
            printer.data(&format!("Command\n  {}", launch.line(prepared.facts.coffer.as_str())))?;
        }
    }
    Ok(0)
}

/// Shows the audit as the user wants it, and asks when the plan gives more than the last one here.
fn consent(prepared: &Prepared, document: &str, yes: bool, printer: &Printer) -> Result<(), Error> {
    let now = serde_json::from_str(document).map_err(Error::Json)?;
    let change = store::last_plan(&prepared.facts, &prepared.plan.command.agent)?
        .map(|earlier| difference(&earlier, &now));
    let changed = change.as_ref().is_none_or(|change| !change.is_empty());
    let shown = match prepared.audit {
        AuditMode::Always => true,
        AuditMode::Changed => changed,
        AuditMode::Never => false,
    };
    if shown {
        printer.tell(&audit::audit(&prepared.plan, printer.style()));
    }
    if let Some(change) = change.filter(|change| change.grown) {
        if prepared.audit != AuditMode::Never {
            printer.tell(&grown(&change));
        }
        if !yes && printer.ask("go on?") == Some(false) {
            return Err(Error::NeedsPerson("the plan was not agreed to"));
        }
    }
    if changed {
        store::save_plan(&prepared.facts, &prepared.plan.command.agent, document)?;
    }
    Ok(())
}

fn grown(change: &Difference) -> String {
    let mut text = "The plan gives more than the last run here:\n".to_owned();
    let added = change.added.iter().map(|line| format!("  + {line}\n"));
    let changed = change.changed.iter().map(|line| format!("  ~ {line}\n"));
    let removed = change.removed.iter().map(|line| format!("  - {line}\n"));
    text.extend(added.chain(changed).chain(removed).map(|line| audit::printable(line.trim_end()) + "\n"));
    text
}
