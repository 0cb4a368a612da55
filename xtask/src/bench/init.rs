//! How long the sandbox's init takes until it has started its agent.
//!
//! The agent here is `date`, which says when it ran; the same `date` without init is taken off.

use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use super::rounds::median;
use super::sandbox::Sandbox;
use crate::error::Error;

const CLOCK: &[&str] = &["/usr/bin/date", "+%s%N"];

/// The median in milliseconds, of interleaved rounds.
pub(super) fn milliseconds(sandbox: &Sandbox, rounds: u32) -> Result<f64, Error> {
    let link = sandbox.project().join("coffer-init");
    symlink(sandbox.coffer(), &link).map_err(|source| Error::Write { path: link.clone(), source })?;
    let mut alone = sandbox.command(CLOCK[0]);
    alone.args(&CLOCK[1..]);
    let mut under_init = sandbox.command(link);
    under_init.arg("--").args(CLOCK);
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        let first = usize::from(round % 2 == 1);
        for variant in [first, 1 - first] {
            let command = if variant == 0 { &mut alone } else { &mut under_init };
            took[variant].push(until_it_ran(command)?);
        }
    }
    Ok(median(&took[1]) - median(&took[0]))
}

/// From the start of the command to the time that it says.
fn until_it_ran(command: &mut Command) -> Result<f64, Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let output = command.output().map_err(|source| Error::Start { command: name.clone(), source })?;
    let said = String::from_utf8_lossy(&output.stdout);
    let ran: i128 = said
        .trim()
        .parse()
        .map_err(|_| Error::Failed { command: name, stderr: format!("it said `{said}`") })?;
    let nanoseconds = ran - i128::try_from(started.as_nanos()).unwrap_or(i128::MAX);
    #[expect(clippy::cast_precision_loss, reason = "a few milliseconds fit a double")]
    let nanoseconds = nanoseconds as f64;
    Ok(nanoseconds / 1e6)
}
