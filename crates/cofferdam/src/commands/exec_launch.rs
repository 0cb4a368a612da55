//! `coffer exec-launch`: runs a launch, from `run` or as it was printed.

use std::io::IsTerminal as _;

use coffer_launch::backend::diagnose;
use coffer_launch::launch::Launch;
use coffer_launch::run::{Ran, Resolve as _, RunError, run, step_aside};
use coffer_launch::supervise::Ended;
use coffer_plan::facts::HostFacts;
use coffer_sys::control::Step;

use crate::cli::ExecLaunchCommand;
use crate::companion::RunCompanion;
use crate::companion::inventory::Watch;
use crate::error::Error;
use crate::exit::{BEFORE_START, Failure};
use crate::gateway::Gatekeeper;
use crate::keeping::RunKeeper;
use crate::limits::{self, LimitError, NO_MORE};
use crate::printer::Printer;
use crate::resolver::Resolver;

/// The shells' code for a program that cannot be executed, and for one that is not there.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// What a signal's number is added to.
const SIGNALED: i32 = 128;
/// The code of what was ended by `SIGKILL`, as the kernel does when memory runs out.
const KILLED: u8 = 137;

pub(crate) fn exec_launch(command: &ExecLaunchCommand, printer: &Printer) -> Result<u8, Failure> {
    let of_run = |error: Error| Failure { error, of_run: true };
    let launch = Launch::parse(&command.words).map_err(|error| of_run(error.into()))?;
    let facts = coffer_host::base().map_err(|error| of_run(error.into()))?;
    let launch = if command.in_scope {
        limits::in_scope(launch, &facts).map_err(|error| of_run(error.into()))?
    } else {
        launch
    };
    perform(&launch, &facts, None, printer).map_err(of_run)
}

/// The exit code that stands for the run's end.
pub(crate) fn code_of(ended: &Ended) -> u8 {
    match ended {
        Ended::Exited(code) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
        Ended::ExecFailed { errno: NO_MORE } => BEFORE_START,
        Ended::Signaled(signal) => u8::try_from(SIGNALED + signal).unwrap_or(u8::MAX),
        Ended::ExecFailed { errno } => {
            let source = std::io::Error::from_raw_os_error(*errno);
            if source.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
        }
        Ended::SetupFailed { .. }
        | Ended::Exchanged { .. }
        | Ended::Unforeseen { .. }
        | Ended::BackendFailed { .. }
        | Ended::Lost { .. } => BEFORE_START,
    }
}

/// Runs the launch; the exit code is the agent's own.
pub(crate) fn perform(
    launch: &Launch,
    facts: &HostFacts,
    watch: Option<Watch>,
    printer: &Printer,
) -> Result<u8, Error> {
    limits::enter_scope(launch, facts, printer)?;
    // Before anything else is started, which would have to come along.
    let _aside = step_aside(launch)?;
    crate::companion::unseen::tell(facts, printer);
    let gatekeeper = Gatekeeper::new(launch).map_err(RunError::Gateway)?;
    let keeper = RunKeeper { facts };
    let resolver = Resolver { gatekeeper: Some(&gatekeeper), ..Resolver::new(facts, &keeper) };
    let attended = std::io::stdin().is_terminal() || std::io::stderr().is_terminal();
    let companion = RunCompanion::new(launch, facts, attended, &gatekeeper).watching(watch);
    renew_first(launch, &resolver)?;
    let ran = run(launch, &resolver, &companion);
    if let Ok(Ran { kept: Some(Ok(kept)), .. }) = &ran {
        companion.kept(kept);
    }
    let unable = companion.report(printer);
    if let (
        Ok(Ran { ended: Ended::SetupFailed { step: Step::Gateway | Step::Listen, .. }, .. }),
        Some(unable),
    ) = (&ran, unable)
    {
        return Err(unable);
    }
    let ran = ran.map_err(|error| failed_backend(error, launch, facts))?;
    conclude(ran, launch, facts, printer)
}

/// Namespaces that the backend did not get are told as it tells them itself.
fn failed_backend(error: RunError, launch: &Launch, facts: &HostFacts) -> Error {
    let RunError::Namespaces { source } = error else { return error.into() };
    let said = format!("Creating new namespace failed: {source}");
    let hint = diagnose(launch, &said, facts);
    Error::BackendFailed {
        program: launch.program().to_owned(),
        status: "it could not begin".to_owned(),
        said,
        hint,
    }
}

/// Has the login renewed, where it is due, before anything of the run is there: nobody has to be waited for once
/// signals are held, so that a person can end the wait for another refresh.
fn renew_first(launch: &Launch, resolver: &Resolver<'_>) -> Result<(), Error> {
    let Some(lease) = launch.login() else { return Ok(()) };
    let resolved = resolver.resolve(lease);
    let failed = |source| RunError::Resolve { reference: lease.clone(), source };
    resolved.map(drop).map_err(failed).map_err(Error::from)
}

/// What a run's end means: the agent's own exit code, or why it never ran.
pub(crate) fn conclude(ran: Ran, launch: &Launch, facts: &HostFacts, printer: &Printer) -> Result<u8, Error> {
    let Ran { ended, left, hits, kept } = ran;
    let came_up_against = limits::report(&hits);
    if !came_up_against.is_empty() {
        printer.insist(&came_up_against);
    }
    match kept {
        Some(Ok(kept)) => printer.insist(&crate::companion::kept::report(&kept)),
        // The agent's own end counts all the same; what it did is not lost.
        Some(Err(error)) => printer.failure(&error.into()),
        None => {}
    }
    if let Some(left) = left {
        printer.failure(&left.into());
    }
    let code = code_of(&ended);
    match ended {
        Ended::Exited(_) | Ended::Signaled(_) => Ok(code),
        // It is the fork before it that fails so.
        Ended::SetupFailed { step: Step::Fork, errno: NO_MORE } | Ended::ExecFailed { errno: NO_MORE } => {
            Err(LimitError::NoProcess.into())
        }
        Ended::ExecFailed { errno } => {
            let source = std::io::Error::from_raw_os_error(errno);
            printer.failure(&Error::Command { program: launch.command().unwrap_or_default(), source });
            Ok(code)
        }
        Ended::SetupFailed { step, errno } => Err(Error::SetupFailed {
            step: format!("{step:?}"),
            source: std::io::Error::from_raw_os_error(errno),
        }),
        Ended::Exchanged { index, errno } => Err(Error::Run(RunError::Changed {
            path: launch.verified(index).unwrap_or("a mount of the sandbox").into(),
            source: errno.map(std::io::Error::from_raw_os_error),
        })),
        Ended::Unforeseen { found } => Err(Error::Run(RunError::Unforeseen { found })),
        Ended::BackendFailed { status, diagnostics } => {
            let hint = diagnose(launch, &diagnostics, facts);
            let program = launch.program().to_owned();
            Err(Error::BackendFailed { program, status: status.to_string(), said: diagnostics, hint })
        }
        // The kernel took what holds the sandbox together.
        Ended::Lost { .. } if limits::is_out_of_memory(&hits) => Ok(KILLED),
        Ended::Lost { status, diagnostics } => {
            Err(Error::Lost { status: status.to_string(), said: diagnostics })
        }
    }
}
