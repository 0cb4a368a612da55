//! Changes of a repository's configuration on the host. Git itself makes them, in a copy of the file, under git's own
//! lock: the form of the file and what the user changes meanwhile stay right. Git reads no repository for it, and so
//! starts nothing.
//!
//! The text is then written into the file that is there. Git would rename another one over it, and that would take
//! away what is mounted over it for other runs of the project: their agents could write the host's file from then on.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::built_in;
use coffer_plan::deferred::git_changes::{Change, Value, changes};
use coffer_plan::facts::HostFacts;
use coffer_plan::path::is_within;
use coffer_plan::show::audit::printable;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, renameat, unlinkat};
use rustix::io::Errno;

use crate::error::Error;

#[cfg(test)]
mod tests;

/// What git says when there was nothing to take away.
const NOTHING_TO_UNSET: i32 = 5;
/// The lock of those that change configurations.
const GATE: &str = ".git-config.lock";
/// Largest configuration that is changed, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// Makes the changes in the file of this path, in the folder of this descriptor.
pub(crate) fn apply(
    wanted: &[Change],
    folder: BorrowedFd<'_>,
    path: &Utf8Path,
    facts: &HostFacts,
) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    let failed = |source| Error::Store { action: "change", path: path.to_owned(), source };
    let git = git(facts).ok_or_else(|| failed(io::Error::other("no `git` to do it with")))?;
    let keys = built_in::deferred()?.git_keys;
    let make = |lock: &Lock<'_>| -> io::Result<()> {
        let (file, before) = lock.original()?.ok_or_else(|| io::Error::other("it is gone"))?;
        let after = edited(&before, wanted, &git)?;
        // What git made of it is what was asked for, and nothing else.
        let made = changes(&before, &after, &keys).ok_or_else(|| io::Error::other("git would refuse it"))?;
        if made.iter().any(|change| wanted.iter().all(|wanted| wanted.key != change.key)) {
            return Err(io::Error::other("git made other changes than it was told to"));
        }
        lock.write(&file, &after)
    };
    // Other runs end at the same moment; git's own lock waits for nobody.
    let _turn = turn(facts).map_err(failed)?;
    Lock::take(folder, path.file_name().unwrap_or_default()).and_then(|lock| make(&lock)).map_err(failed)
}

/// Only one `coffer` at a time changes a configuration.
fn turn(facts: &HostFacts) -> io::Result<File> {
    let folder = super::all(facts);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let gate = OpenOptions::new().write(true).create(true).truncate(false).open(folder.join(GATE))?;
    gate.lock()?;
    Ok(gate)
}

/// Git's lock of a file: another one beside it, which only one can make.
struct Lock<'a> {
    folder: BorrowedFd<'a>,
    name: &'a str,
    lock: String,
    file: File,
}

const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

impl<'a> Lock<'a> {
    fn take(folder: BorrowedFd<'a>, name: &'a str) -> io::Result<Self> {
        let lock = format!("{name}.lock");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat2(folder, lock.as_str(), flags, Mode::from_raw_mode(0o644), INSIDE) {
            Ok(file) => Ok(Self { folder, name, lock, file: file.into() }),
            Err(Errno::EXIST) => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("`{lock}` is there: another git works on it, or left it"),
            )),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The file under the lock and its text. One that cannot be written is opened to be read only.
    fn original(&self) -> io::Result<Option<(File, String)>> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = |more| openat2(self.folder, self.name, flags | more, Mode::empty(), INSIDE);
        let file = match open(OFlags::RDWR) {
            Err(Errno::ACCESS) => open(OFlags::RDONLY),
            other => other,
        };
        let file = match file {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let found = fstat(&file)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile || found.st_nlink != 1 {
            return Err(io::Error::other("it is no plain file"));
        }
        let (mut file, mut text) = (File::from(file), String::new());
        (&mut file).take(MOST_BYTES).read_to_string(&mut text)?;
        Ok(Some((file, text)))
    }

    /// Writes the text into the file; into the lock first, so that a machine that dies in between loses nothing.
    fn write(&self, file: &File, text: &str) -> io::Result<()> {
        (&self.file).write_all(text.as_bytes())?;
        self.file.sync_all()?;
        match file.write_all_at(text.as_bytes(), 0) {
            Ok(()) => {
                file.set_len(text.len() as u64)?;
                file.sync_all()
            }
            // A file that may not be written is exchanged, as git does: nothing can be mounted over it for long.
            Err(error) if error.raw_os_error() == Some(Errno::BADF.raw_os_error()) => {
                let mode = file.metadata()?.permissions().mode() & 0o777;
                self.file.set_permissions(Permissions::from_mode(mode))?;
                Ok(renameat(self.folder, self.lock.as_str(), self.folder, self.name)?)
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // Gone already where it became the file.
        let _ = unlinkat(self.folder, self.lock.as_str(), AtFlags::empty());
    }
}

/// The text as git changes it.
fn edited(text: &str, wanted: &[Change], git: &Utf8Path) -> io::Result<String> {
    let scratch = tempfile::tempdir()?;
    let copy = scratch.path().join("config");
    std::fs::write(&copy, text)?;
    for words in wanted.iter().flat_map(words) {
        let mut command = Command::new(git);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").current_dir("/");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.args(["config", "--file"]).arg(&copy).args(&words);
        let output = command.output()?;
        let is_unset = words.first().is_some_and(|word| word == "--unset-all");
        let nothing_to_unset = is_unset && output.status.code() == Some(NOTHING_TO_UNSET);
        if !(output.status.success() || nothing_to_unset) {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
    }
    std::fs::read_to_string(&copy)
}

/// The words of `git config` that make a change.
fn words(change: &Change) -> Vec<Vec<String>> {
    let key = change.key.dotted();
    let text = |value: &Value| value.clone().unwrap_or_else(|| "true".to_owned());
    match change.after.as_slice() {
        [] => vec![vec!["--unset-all".to_owned(), key]],
        [one] => vec![vec!["--replace-all".to_owned(), key, text(one)]],
        all => {
            let unset = vec!["--unset-all".to_owned(), key.clone()];
            let add = |value| vec!["--add".to_owned(), key.clone(), text(value)];
            std::iter::once(unset).chain(all.iter().map(add)).collect()
        }
    }
}

/// The host's git, where no agent could have put it.
fn git(facts: &HostFacts) -> Option<Utf8PathBuf> {
    let program = coffer_host::program(facts, "git")?;
    let writable = [&facts.project.path, &facts.folders.data, &facts.folders.runtime];
    (!writable.iter().any(|folder| is_within(&program, folder))).then_some(program)
}

/// The changes as lines that a person reads.
pub(crate) fn lines(changes: &[Change]) -> String {
    let mut out = String::new();
    for change in changes {
        let key = change.key.dotted();
        let mut line = |sign: char, value: &Value| {
            let value = value.as_deref().map_or(String::new(), |value| format!(" = {value}"));
            out.push_str(&format!("  {sign} {}\n", printable(&format!("{key}{value}"))));
        };
        change.before.iter().filter(|value| !change.after.contains(value)).for_each(|value| line('-', value));
        change.after.iter().filter(|value| !change.before.contains(value)).for_each(|value| line('+', value));
        if let Some(reason) = &change.runs {
            out.push_str(&format!("    git runs what it says: {}\n", printable(reason)));
        }
    }
    out
}
