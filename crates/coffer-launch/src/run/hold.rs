//! Places that are held while runs live: an empty folder, or a file that says nothing new, where an agent could make
//! something that the host runs. Each run writes down what it holds before it makes it, and all of that is done under
//! one lock. A place goes with the last run that holds it; what a killed run held goes when its folder is swept, since
//! nobody holds its lock any more.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, mkdirat, openat2, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::RunError;
use super::standing::{Object, Standing};

#[cfg(test)]
mod tests;

/// What stands in a run's folder about the places that it holds, a JSON value a line.
pub(super) const RECORD: &str = "holds.jsonl";
/// The lock of all places, beside the runs' folders; it is no run's.
const GATE: &str = ".holds";

/// A place that a run holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    path: Utf8PathBuf,
    /// What stands in the file; an empty folder without.
    text: Option<String>,
    /// Whether a run made it; else it was there when it was to be made, and stays.
    made: bool,
    /// What stands there, once it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<Object>,
}

/// Holds these places for the run whose folder this is: each an empty folder, or a file with this text.
pub(super) fn hold<'a>(
    run: &Utf8Path,
    places: impl IntoIterator<Item = (&'a Utf8Path, Option<&'a str>)>,
) -> Result<(), RunError> {
    let mut places = places.into_iter().peekable();
    let Some((first, _)) = places.peek() else { return Ok(()) };
    let failed = |path: &Utf8Path, source| RunError::Hold { path: path.to_owned(), source };
    let gate = gate(run).map_err(|source| failed(first, source))?;
    let others = held_by_others(run);
    let mut record = Record::of(run).map_err(|source| failed(first, source))?;
    for (path, text) in places {
        let is_others = others.iter().any(|held| held.made && held.path == path);
        make_held(&mut record, path, text, is_others).map_err(|source| failed(path, source))?;
    }
    drop(gate);
    Ok(())
}

fn make_held(
    record: &mut Record,
    path: &Utf8Path,
    text: Option<&str>,
    is_others: bool,
) -> std::io::Result<()> {
    let held = |made, object| Held { path: path.to_owned(), text: text.map(str::to_owned), made, object };
    let Some((folder, name)) = place(path)? else { return Ok(()) };
    // Written before it is made: a run that is killed in between leaves nothing unknown. What was there already is told
    // apart by the second line.
    record.note(&held(true, None))?;
    let made = match make(&folder, name, text) {
        Ok(()) => true,
        Err(Errno::EXIST) => is_others,
        Err(errno) => {
            let _ = record.note(&held(false, None));
            return Err(errno.into());
        }
    };
    record.note(&held(made, Object::of(&folder, name)))
}

/// What stands at the places that the run whose folder this is holds, as it was when it began.
pub(super) fn standing(run: &Utf8Path) -> Vec<Standing> {
    let of = |held: Held| held.object.map(|object| Standing::new(&held.path, object));
    record(run).into_iter().filter_map(of).collect()
}

/// Gives back what the run whose folder this is holds. Its sandbox is gone.
pub(super) fn release(run: &Utf8Path) -> Result<(), RunError> {
    let own = record(run);
    if own.is_empty() {
        return Ok(());
    }
    let failed = |path: &Utf8Path, source| RunError::Hold { path: path.to_owned(), source };
    let _gate = gate(run).map_err(|source| failed(run, source))?;
    let others = held_by_others(run);
    let mut first_error = Ok(());
    for held in own.iter().filter(|held| held.made) {
        if others.iter().any(|other| other.path == held.path) {
            continue;
        }
        let gone = remove(held).map_err(|source| failed(&held.path, source));
        first_error = first_error.and(gone);
    }
    first_error
}

/// Removes a place as it was made; what somebody put into it meanwhile is theirs.
fn remove(held: &Held) -> std::io::Result<()> {
    let Some((folder, name)) = place(&held.path)? else { return Ok(()) };
    let flags = match &held.text {
        None => AtFlags::REMOVEDIR,
        Some(text) if reads(&folder, name, text) => AtFlags::empty(),
        Some(_) => return Ok(()),
    };
    match unlinkat(&folder, name, flags) {
        Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn reads(folder: &OwnedFd, name: &str, text: &str) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = openat2(folder, name, flags, Mode::empty(), INSIDE) else { return false };
    let mut content = Vec::new();
    let read = File::from(file).take(text.len() as u64 + 1).read_to_end(&mut content);
    read.is_ok() && content == text.as_bytes()
}

const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// The folder of a place and its name there; `None` when the folder is gone, or leads elsewhere by now.
pub(super) fn place(path: &Utf8Path) -> std::io::Result<Option<(OwnedFd, &str)>> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat2(CWD, parent.as_str(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Ok(folder) => Ok(Some((folder, name))),
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn make(folder: &OwnedFd, name: &str, text: Option<&str>) -> Result<(), Errno> {
    let Some(text) = text else { return mkdirat(folder, name, Mode::from_raw_mode(0o755)) };
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat2(folder, name, flags, Mode::from_raw_mode(0o644), INSIDE)?;
    let written = File::from(file).write_all(text.as_bytes());
    written.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// What a run holds; the last line about a path counts.
fn record(run: &Utf8Path) -> Vec<Held> {
    let text = std::fs::read_to_string(run.join(RECORD)).unwrap_or_default();
    let mut out: Vec<Held> = Vec::new();
    // A line that was cut off is of a run that was killed before it made anything.
    for held in text.lines().filter_map(|line| serde_json::from_str::<Held>(line).ok()) {
        out.retain(|known| known.path != held.path);
        out.push(held);
    }
    out
}

/// What a run writes down, a line at a time, each with a write of its own.
struct Record(File);

impl Record {
    fn of(run: &Utf8Path) -> std::io::Result<Self> {
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(run.join(RECORD));
        opened.map(Self)
    }

    fn note(&mut self, held: &Held) -> std::io::Result<()> {
        let line = serde_json::to_string(held)? + "\n";
        self.0.write_all(line.as_bytes())
    }
}

/// What live runs hold besides this one.
fn held_by_others(run: &Utf8Path) -> Vec<Held> {
    let Some((all, own)) = run.parent().zip(run.file_name()) else { return Vec::new() };
    let entries = all.read_dir_utf8().into_iter().flatten().flatten();
    let others = entries.filter_map(|entry| {
        let id = entry.file_name().strip_suffix(".lock")?.to_owned();
        let lock = (id != own).then(|| File::open(entry.path()).ok())??;
        // Nobody holds the lock of a dead run; what it held is given back when it is swept.
        matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| record(&all.join(id)))
    });
    others.flatten().collect()
}

fn gate(run: &Utf8Path) -> std::io::Result<File> {
    let path = run.parent().unwrap_or(run).join(GATE);
    let gate = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    gate.lock()?;
    Ok(gate)
}
