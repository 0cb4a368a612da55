//! `coffer why`: which decision a path, a host or a variable rests on.

use coffer_plan::explain;
use coffer_plan::path::clean;
use coffer_plan::show::audit::printable;

use crate::cli::{Subject, WhyCommand};
use crate::error::Error;
use crate::exit::Failure;
use crate::limits::LimitError;
use crate::prepare::prepare;
use crate::printer::Printer;

pub(crate) fn why(command: &WhyCommand, printer: &Printer) -> Result<u8, Failure> {
    let mut flags = command.flags.layer(None);
    // What is asked about does not depend on the agent's program, so that need not be there.
    flags.command = flags.command.or_else(|| Some(vec!["true".to_owned()]));
    let prepared = prepare(&flags, None)?;
    let (plan, subject) = (&prepared.plan, command.subject.as_str());
    let answer = match command.kind {
        Subject::Path => {
            let home = &plan.identity.home;
            let path = match subject.strip_prefix("~/") {
                Some(below) => home.join(below),
                None if subject == "~" => home.clone(),
                None => clean(&prepared.facts.project.start.join(subject)),
            };
            explain::path(plan, &prepared.policy, &path)
        }
        Subject::Env => explain::env(plan, &prepared.facts, subject),
        Subject::Limit => explain::limit(plan, subject).map_err(LimitError::from)?,
        Subject::Host => explain::host(plan, subject).map_err(Error::BadHost)?,
    };
    if command.json {
        printer.json(&answer)?;
        return Ok(0);
    }
    let mut text = format!("{}: {}\n", printable(&answer.subject), answer.verdict);
    for reason in &answer.chain {
        text.push_str(&format!("  {} ({})\n", printable(&reason.text), printable(&reason.origin)));
    }
    printer.data(&text)?;
    Ok(0)
}
