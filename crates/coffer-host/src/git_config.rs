//! The few values that are wanted of git's configuration files, by git-config(1)'s syntax.
//!
//! A full reader would follow `include` and conditions to files that an agent can write; this one reads no other file.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::GitIdentity;
pub(crate) use coffer_plan::git_config::Entry;

use crate::read::{MAX_BYTES, read_file};

/// `user.name` and `user.email`; a later file wins, as in git. `None` when no file says either.
pub(crate) fn identity(files: &[Utf8PathBuf]) -> Option<GitIdentity> {
    let mut identity = GitIdentity::default();
    for file in files {
        let Some(entries) = entries_of(file) else {
            continue;
        };
        let find =
            |key: &str| last(&entries, "user", key).filter(|value| !value.chars().any(char::is_control));
        identity.name = find("name").or(identity.name);
        identity.email = find("email").or(identity.email);
    }
    (identity != GitIdentity::default()).then_some(identity)
}

/// One value of one file, the last if there are several.
pub(crate) fn value(file: &Utf8Path, section: &str, key: &str) -> Option<String> {
    last(&entries_of(file)?, section, key)
}

fn last(entries: &[Entry], section: &str, key: &str) -> Option<String> {
    entries
        .iter()
        .rev()
        .find(|entry| entry.section == section && entry.subsection.is_none() && entry.key == key)
        .and_then(|entry| entry.value.clone())
        .filter(|value| !value.is_empty())
}

fn entries_of(file: &Utf8Path) -> Option<Vec<Entry>> {
    let found = read_file(file, MAX_BYTES).ok()?;
    entries(std::str::from_utf8(&found.content).ok()?)
}

/// All entries with a value; `None` for a file that git would refuse.
pub(crate) fn entries(text: &str) -> Option<Vec<Entry>> {
    let mut entries = coffer_plan::git_config::entries(text)?;
    entries.retain(|entry| entry.value.is_some());
    Some(entries)
}

#[cfg(test)]
mod tests;
