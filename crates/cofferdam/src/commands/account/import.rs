//! `coffer account import`: a login that was made or captured elsewhere becomes an account's, with the same
//! checks as after a sign-in; and what would have gone wrong with it where it lies.

mod findings;
mod volume;

use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::capture::Captured;
use coffer_account::layout::AccountFolder;
use coffer_account::pending;
use coffer_account::read::{self, Unread};
use coffer_account::seal::Opener;
use coffer_account::secret::Secret;
use coffer_plan::agent::Agent;
use coffer_plan::config::{Flags, Settings};
use coffer_plan::facts::HostFacts;
use coffer_plan::sign_in::shape::MAX_LOGIN_BYTES;
use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::adoption::{Attempt, Target};
use crate::cli::AccountImportCommand;
use crate::error::Error;
use crate::exit::Failure;
use crate::prepare::gather;
use crate::printer::Printer;
use findings::Around;

/// The ledger's words for where it comes from.
const IMPORT: &str = "import";
const RUN: &str = "run";
/// Stands for stdin.
const STDIN: &str = "-";
/// Largest file that joins the state, in bytes: it also holds histories.
const MAX_BESIDE_BYTES: usize = 32 * 1024 * 1024;

/// What is imported.
#[derive(Default)]
struct Source {
    /// The folder with the login in it.
    state: Option<OwnedFd>,
    /// The login file alone.
    login: Option<Secret>,
    /// Files that belong to the state and lie beside it.
    beside: Vec<(String, Secret)>,
    /// The login file's path, unless it came through a pipe.
    path: Option<Utf8PathBuf>,
    /// A login that waited, and waits no longer once it is adopted.
    waited: bool,
}

pub(crate) fn import(command: &AccountImportCommand, printer: &Printer) -> Result<u8, Failure> {
    let settings = Settings { agent: command.agent.clone(), ..Settings::default() };
    let gathered = gather(&Flags { settings, ..Flags::default() }, None)?;
    let (mut facts, agent) = (gathered.facts, gathered.inputs.agent);
    let target = Target::new(&command.name, &agent, &facts)?;
    let of_volume = command.volume.as_deref().map(|name| volume::folder(name, command.backend, &mut facts));
    let source = match of_volume.transpose()?.as_ref().or(command.from.as_ref()) {
        None => newest(&target, &facts)?,
        Some(from) if from == STDIN => Source { login: Some(stdin()?), ..Source::default() },
        Some(from) => found(&facts.project.start.join(from), &agent, &target, &facts)?,
    };
    let beside: Vec<(&str, &[u8])> =
        source.beside.iter().map(|(name, content)| (name.as_str(), content.expose())).collect();
    let captured = Captured {
        state: source.state.as_ref().map(AsFd::as_fd),
        login: source.login.as_ref().map(Secret::expose),
        beside: &beside,
        progress: None,
    };
    // Looked at before: afterwards the account itself has the same login.
    let around = Around::look(source.path.as_deref(), &target, &facts);
    let from = if source.waited { RUN } else { IMPORT };
    let Attempt { adopted, waits: _ } = target.adopt(&captured, from, &facts);
    let adopted = match adopted {
        Ok(adopted) => adopted,
        Err(error) => {
            printer.tell(&around.words(None));
            return Err(error.into());
        }
    };
    if source.waited
        && let Some(path) = &source.path
        && let Err(source) = std::fs::remove_file(path)
    {
        printer.failure(&Error::Store { action: "remove", path: path.clone(), source });
    }
    printer.tell(&target.words(&adopted));
    if !source.waited {
        printer.tell(&around.words(Some(&adopted.details)));
    }
    Ok(0)
}

fn stdin() -> Result<Secret, Error> {
    // One buffer that never moves, so that no copy stays in freed memory.
    let mut bytes = Vec::with_capacity(MAX_LOGIN_BYTES + 1);
    let read = std::io::stdin().lock().take(MAX_LOGIN_BYTES as u64 + 1).read_to_end(&mut bytes);
    let login = Secret::new(bytes);
    read.map_err(|error| Error::Import { path: STDIN.into(), reason: error.to_string() })?;
    Ok(login)
}

/// The newest login that waits for a person's word.
fn newest(target: &Target, facts: &HostFacts) -> Result<Source, Error> {
    let newest = pending::newest(&target.folder)?;
    let path = newest.ok_or_else(|| Error::NothingPending { account: target.name.to_string() })?;
    waiting(&path, facts)
}

/// One that waits: it was sealed when it was made.
fn waiting(path: &Utf8Path, facts: &HostFacts) -> Result<Source, Error> {
    let login = pending::open(path, &Opener::of(&facts.folders.data)?)?;
    Ok(Source { login: Some(login), path: Some(path.to_owned()), waited: true, ..Source::default() })
}

/// What lies at a path that a person typed: links on the way there are the person's own.
fn found(path: &Utf8Path, agent: &Agent, target: &Target, facts: &HostFacts) -> Result<Source, Error> {
    let failed = |error: std::io::Error| Error::Import { path: path.to_owned(), reason: error.to_string() };
    let path = path.canonicalize_utf8().map_err(failed)?;
    let folder = path.parent().filter(|_| pending::is_one(&path));
    if folder.is_some_and(|folder| waits_in(folder, &target.folder)) {
        return waiting(&path, facts);
    }
    if !path.is_dir() {
        return file(&path);
    }
    let state_name = agent.state.as_ref().and_then(|state| Utf8Path::new(&state.home.0).file_name());
    // The state itself; a home; a volume of either.
    let mut places = vec![path.clone()];
    places.extend(state_name.map(|name| path.join(name)));
    places.push(path.join("_data"));
    places.extend(state_name.map(|name| path.join("_data").join(name)));
    let login_file = &target.rules.login_file;
    for place in &places {
        let Ok(folder) = open_folder(place) else { continue };
        match read::file(folder.as_fd(), login_file, MAX_LOGIN_BYTES) {
            Err(Unread::Missing) => {}
            // What is wrong with it is said by the adoption.
            Ok(_) | Err(_) => return Ok(state(place, folder, target)),
        }
    }
    Err(Error::Import { path, reason: format!("there is no `{login_file}` in it") })
}

fn open_folder(path: &Utf8Path) -> std::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(CWD, path.as_std_path(), flags, Mode::empty())?)
}

/// A state, with the files that the agent keeps beside it where it has no folder for all.
fn state(place: &Utf8Path, folder: OwnedFd, target: &Target) -> Source {
    let mut beside = Vec::new();
    if let Some(parent) = place.parent().and_then(|parent| open_folder(parent).ok()) {
        for name in target.rules.address_file.iter() {
            if let Ok(found) = read::file(parent.as_fd(), name, MAX_BESIDE_BYTES) {
                beside.push((name.clone(), Secret::new(found.content.to_vec())));
            }
        }
    }
    let path = Some(place.join(&target.rules.login_file));
    Source { state: Some(folder), login: None, beside, path, waited: false }
}

/// Whether logins of an account wait in this folder: this account's own, or another one's, the user's own among
/// them, from where it comes over.
fn waits_in(folder: &Utf8Path, account: &AccountFolder) -> bool {
    let canonical = |path: &Utf8Path| path.canonicalize_utf8().ok();
    let all = account.root().parent().and_then(canonical);
    let of = folder.parent().and_then(Utf8Path::parent).and_then(canonical);
    folder.file_name() == account.pending().file_name() && all.is_some() && of == all
}

/// A login file alone.
fn file(path: &Utf8Path) -> Result<Source, Error> {
    let failed = |reason: String| Error::Import { path: path.to_owned(), reason };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed("it is no file".to_owned()));
    };
    let folder = open_folder(parent).map_err(|error| failed(error.to_string()))?;
    let found = read::file(folder.as_fd(), name, MAX_LOGIN_BYTES);
    let found = found.map_err(|unread| failed(unread.to_string()))?;
    Ok(Source {
        login: Some(Secret::new(found.content.to_vec())),
        path: Some(path.to_owned()),
        ..Source::default()
    })
}
