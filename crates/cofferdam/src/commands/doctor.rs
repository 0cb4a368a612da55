//! `coffer doctor`: what is wrong, why it matters, and what mends it.

mod attack;
mod deferred;
mod engines;
mod finding;
mod fix;
mod groups;
mod inside;
mod registry;
mod scene;
#[cfg(test)]
mod tests;

use coffer_plan::policy::default_image;
use coffer_plan::show::audit::printable;

use crate::cli::DoctorCommand;
use crate::error::Error;
use crate::exit::{Failure, NO};
use crate::printer::Printer;
pub use attack::peers;
pub(crate) use attack::{AttackError, granted_by, schema as attack_schema};
pub(crate) use finding::schema;
use finding::{Document, Finding, Severity};
pub(crate) use registry::{CHECKS, Check};
use scene::Scene;

pub(crate) fn doctor(command: &DoctorCommand, printer: &Printer) -> Result<u8, Failure> {
    if command.attack {
        return Ok(attack::attack(command, printer)?);
    }
    if let Some(id) = &command.run {
        return Ok(inside::report(id, command.json, printer)?);
    }
    let scene = Scene::of_this_machine()?;
    let mut findings = examine(&scene);
    if command.fix {
        mend(&mut findings, command.yes, printer);
    }
    let looked = &scene.looked;
    let engines = engines::seen(&looked.facts, &default_image(&looked.agent).value);
    if command.json {
        let findings = findings.clone();
        printer.json(&Document { schema: 1, checks: CHECKS.len(), findings, engines })?;
    } else {
        printer.data(&format!("{}{}", engines::text(&engines), text(&findings)))?;
    }
    let open = findings.iter().any(|finding| finding.severity > Severity::Note && !finding.fixed);
    Ok(if open { NO } else { 0 })
}

/// What all checks find, the weightiest first.
fn examine(scene: &Scene) -> Vec<Finding> {
    let mut findings: Vec<Finding> = CHECKS
        .iter()
        .flat_map(|check| (check.look)(scene).into_iter().map(|seen| Finding::new(check, seen)))
        .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// Shows each fix that can be applied, asks, and applies it.
fn mend(findings: &mut [Finding], yes: bool, printer: &Printer) {
    for finding in findings {
        let Some(fix) = finding.applied_by.clone() else { continue };
        printer.insist(&format!("{}: {}\n  {}\n", finding.id, printable(&finding.seen), fix.words()));
        if !yes && printer.ask("apply it?") != Some(true) {
            continue;
        }
        match fix.apply() {
            Ok(()) => finding.fixed = true,
            Err((path, source)) => printer.failure(&Error::Store { action: "mend", path, source }),
        }
    }
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = if finding.fixed { "fixed" } else { finding.severity.word() };
        text.push_str(&format!("{mark} [{}] {}\n", finding.id, printable(&finding.seen)));
        text.push_str(&format!("  why: {}\n", finding.why));
        if !finding.fixed {
            text.push_str(&format!("  fix: {}\n", printable(&finding.fix)));
        }
    }
    let count = |severity| findings.iter().filter(|found| found.severity == severity && !found.fixed).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    if errors + warnings + notes == 0 {
        text.push_str(&format!("{} checks, nothing to mend\n", CHECKS.len()));
    } else {
        let counted = |count: usize, word| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        text.push_str(&format!(
            "{}: {}, {}, {}\n",
            counted(CHECKS.len(), "check"),
            counted(errors, "error"),
            counted(warnings, "warning"),
            counted(notes, "note")
        ));
    }
    text
}
