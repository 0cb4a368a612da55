//! The sign-in without a sandbox: in a container in which nothing runs but the keeper, and which has no namespaces to
//! make one of. The client starts as the keeper starts it to renew a login: of a version that was measured, with empty
//! folders of its own and no more of the environment than it needs. What it leaves is looked at as always.

use std::io::ErrorKind;
use std::os::fd::AsFd as _;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::capture::Captured;
use coffer_account::disk::open_folder;
use coffer_account::keeper::{KeeperError, RefresherError};
use coffer_plan::agent::{Agent, SignInLayout};
use coffer_plan::facts::HostFacts;

use super::report;
use super::sign_in::FROM;
use crate::adoption::Target;
use crate::attend;
use crate::error::Error;
use crate::printer::Printer;
use crate::refresher::GenuineClient;

pub(super) fn sign_in(
    target: &Target,
    agent: &Agent,
    layout: &SignInLayout,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<u8, Error> {
    let runtime = &facts.folders.runtime;
    let made = |source| Error::Store { action: "make a folder in", path: runtime.clone(), source };
    std::fs::create_dir_all(runtime).map_err(made)?;
    let folder = tempfile::Builder::new().prefix("sign-in-").tempdir_in(runtime).map_err(made)?;
    let scratch = Utf8Path::from_path(folder.path()).map(|folder| folder.join("client"));
    let scratch: Utf8PathBuf = scratch.ok_or_else(|| made(ErrorKind::InvalidFilename.into()))?;
    let client = GenuineClient::find(facts, agent, scratch.clone()).map_err(|none| {
        KeeperError::NoClient(RefresherError { reason: none.to_string(), hint: none.hint() })
    })?;
    let start = |source| Error::Store { action: "start the client in", path: scratch.clone(), source };
    let signals = attend::signals().map_err(|source| Error::Watch { source })?;
    let mut command = client.sign_in(&layout.args).map_err(start)?;
    coffer_sys::process::default_signals(&mut command);
    printer.tell("Without a sandbox: the client runs as you, with empty folders of its own.\n");
    printer.tell(&format!("Sign in to the account `{}`; what you do here is its login.\n", target.name));
    let child = command.spawn().map_err(start)?;
    drop(command);
    // It will hold the login. One that cannot be limited has ended, or dumps nothing anyway.
    drop(crate::memory::without_dumps(&child));
    let ended = attend::attend(&child, &signals).map_err(|source| Error::Watch { source });
    let state = scratch.join("state");
    let opened =
        open_folder(&state).map_err(|source| Error::Store { action: "read", path: state, source })?;
    let captured = Captured { state: Some(opened.as_fd()), ..Captured::default() };
    let attempt = target.adopt(&captured, FROM, facts);
    report(target, Some(attempt), ended, printer)
}
