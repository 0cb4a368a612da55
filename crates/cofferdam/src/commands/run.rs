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
use crate::store::{self, Remembered};

pub(crate) fn run(flags: &RunFlags, printer: &Printer) -> Result<u8, Failure> {
    let of_run = |error: Error| Failure { error, of_run: true };
    let prepared = prepare(&flags.plan.layer(flags.audit), None).map_err(of_run)?;
    if let Some(form) = flags.dry_run {
        return dry_run(&prepared, form, printer).map_err(of_run);
    }
    let launch = lower(&prepared).map_err(of_run)?;
    consent(&prepared, flags.yes, printer).map_err(of_run)?;
    if printer.is_verbose() {
        printer.insist(&format!("Command\n  {}\n", launch.line(prepared.facts.coffer.as_str())));
    }
    exec_launch::perform(&launch, &prepared.facts, Some(prepared.watch()), printer).map_err(of_run)
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

/// Shows the audit as the user wants it, and asks when the plan gives more than was agreed to here. Where
/// nobody can be asked it stops.
fn consent(prepared: &Prepared, yes: bool, printer: &Printer) -> Result<(), Error> {
    let (facts, agent) = (&prepared.facts, prepared.plan.command.agent.as_str());
    let now = json::remembered(&prepared.plan).map_err(Error::Json)?;
    let last = store::plan(facts, agent, Remembered::Last)?.map(|last| difference(&last, &now));
    let changed = last.as_ref().is_none_or(|change| !change.is_empty());
    let shown = match prepared.audit {
        AuditMode::Always => true,
        AuditMode::Changed => changed,
        AuditMode::Never => false,
    };
    if shown {
        printer.tell(&audit::audit(&prepared.plan, printer.style()));
    }
    let agreed = store::plan(facts, agent, Remembered::Agreed)?.map(|agreed| difference(&agreed, &now));
    let more = agreed.as_ref().is_none_or(|change| change.grown);
    if let Some(change) = agreed.filter(|change| change.grown) {
        if yes && shown {
            printer.tell(&grown(&change));
        }
        if !yes {
            // Also when quiet: nobody can answer a question about nothing.
            printer.insist(&grown(&change));
            match printer.ask("go on?") {
                Some(true) => {}
                Some(false) => return Err(Error::NeedsPerson("the plan was not agreed to")),
                None => {
                    return Err(Error::NeedsPerson(
                        "the plan gives more than before, and nobody is here to be asked",
                    ));
                }
            }
        }
    }
    if let Some(question) = prepared.plan.sign_in.asks.as_deref().filter(|_| !yes) {
        printer.insist(&format!("{}\n", audit::printable(question)));
        match printer.ask("go on all the same?") {
            Some(true) => {}
            Some(false) => return Err(Error::NeedsPerson("the login was not agreed to")),
            None => return Err(Error::NeedsPerson("somebody has to agree to the login as it is")),
        }
    }
    if more {
        store::save_plan(facts, agent, Remembered::Agreed, &now)?;
    }
    if changed {
        store::save_plan(facts, agent, Remembered::Last, &now)?;
    }
    Ok(())
}

fn grown(change: &Difference) -> String {
    let mut text = "The plan gives more than was agreed to here:\n".to_owned();
    let added = change.added.iter().map(|line| format!("  + {line}\n"));
    let changed = change.changed.iter().map(|line| format!("  ~ {line}\n"));
    let removed = change.removed.iter().map(|line| format!("  - {line}\n"));
    text.extend(added.chain(changed).chain(removed).map(|line| audit::printable(line.trim_end()) + "\n"));
    text
}
