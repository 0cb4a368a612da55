//! Changes of a repository's configuration on the host, made by git itself: its lock, the form of its file and what the
//! user changed meanwhile stay right. Git reads no repository for it, and so starts nothing.

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::deferred::git_changes::{Change, Value};
use coffer_plan::facts::HostFacts;
use coffer_plan::path::is_within;
use coffer_plan::show::audit::printable;

use crate::error::Error;

/// What git says when there was nothing to take away.
const NOTHING_TO_UNSET: i32 = 5;

/// Makes the changes in the file of this path, in the folder of this descriptor.
pub(crate) fn apply(
    changes: &[Change],
    folder: BorrowedFd<'_>,
    path: &Utf8Path,
    facts: &HostFacts,
) -> Result<(), Error> {
    let failed = |source| Error::Store { action: "change", path: path.to_owned(), source };
    let name = path.file_name().unwrap_or_default();
    let git = git(facts).ok_or_else(|| failed(std::io::Error::other("no `git` to do it with")))?;
    for words in changes.iter().flat_map(words) {
        let folder = folder.try_clone_to_owned().map_err(failed)?;
        let mut command = Command::new(&git);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").current_dir("/");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.arg("config").arg("--file").arg(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()));
        command.args(&words);
        coffer_sys::descriptors::inherit(&mut command, vec![folder]);
        let output = command.output().map_err(failed)?;
        let is_unset = words.first().is_some_and(|word| word == "--unset-all");
        let nothing_to_unset = is_unset && output.status.code() == Some(NOTHING_TO_UNSET);
        if !(output.status.success() || nothing_to_unset) {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(failed(std::io::Error::other(said)));
        }
    }
    Ok(())
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
