//! The few values that are wanted of git's configuration files, by git-config(1)'s syntax.
//!
//! A full reader would follow `include` and conditions to files that an agent can write; this one knows
//! sections, keys, quotes, escapes and comments, and reads no other file.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::GitIdentity;

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

/// An entry; section and key in lower case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    section: String,
    subsection: Option<String>,
    key: String,
    pub(crate) value: String,
}

impl Entry {
    /// The key as git prints it.
    pub(crate) fn dotted(&self) -> String {
        match &self.subsection {
            Some(subsection) => format!("{}.{subsection}.{}", self.section, self.key),
            None => format!("{}.{}", self.section, self.key),
        }
    }
}

fn last(entries: &[Entry], section: &str, key: &str) -> Option<String> {
    entries
        .iter()
        .rev()
        .find(|entry| entry.section == section && entry.subsection.is_none() && entry.key == key)
        .map(|entry| entry.value.clone())
        .filter(|value| !value.is_empty())
}

fn entries_of(file: &Utf8Path) -> Option<Vec<Entry>> {
    let found = read_file(file, MAX_BYTES).ok()?;
    entries(std::str::from_utf8(&found.content).ok()?)
}

/// All entries; `None` for a file that git would refuse.
pub(crate) fn entries(text: &str) -> Option<Vec<Entry>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut rest = text.as_str();
    let mut section = None;
    let mut entries = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return Some(entries);
        };
        match first {
            '#' | ';' => rest = rest.split_once('\n').map_or("", |(_, below)| below),
            '[' => {
                let (name, below) = header(&rest[1..])?;
                section = Some(name);
                rest = below;
            }
            _ => {
                let (key, value, below) = entry(rest)?;
                rest = below;
                // A key before any section is an error.
                let (section, subsection): (String, Option<String>) = section.clone()?;
                if let Some(value) = value {
                    entries.push(Entry { section, subsection, key, value });
                }
            }
        }
    }
}

/// A header after its bracket: section and subsection, and what follows.
fn header(text: &str) -> Option<((String, Option<String>), &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))?;
    let (name, rest) = text.split_at(end);
    let name = name.to_ascii_lowercase();
    if let Some(below) = rest.strip_prefix(']') {
        // `[a.b]` is the old way to write `[a "b"]`.
        return Some(match name.split_once('.') {
            Some((section, subsection)) => ((section.to_owned(), Some(subsection.to_owned())), below),
            None => ((name, None), below),
        });
    }
    let mut characters = rest.trim_start_matches([' ', '\t']).strip_prefix('"')?.chars();
    let mut subsection = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(((name, Some(subsection)), characters.as_str().strip_prefix(']')?)),
            '\\' => subsection.push(characters.next()?),
            '\n' => return None,
            other => subsection.push(other),
        }
    }
}

/// A key, its value (`None` when it stands alone, which means true), and what follows.
fn entry(text: &str) -> Option<(String, Option<String>, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    if !key.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let key = key.to_ascii_lowercase();
    let rest = rest.trim_start_matches([' ', '\t']);
    if let Some(rest) = rest.strip_prefix('=') {
        let (value, below) = value_text(rest)?;
        return Some((key, Some(value), below));
    }
    let alone = rest.is_empty() || rest.starts_with(['\n', '#', ';']);
    alone.then_some((key, None, rest))
}

/// A value up to the end of its line: blanks around it go, quotes keep them, `#` and `;` begin a comment.
fn value_text(text: &str) -> Option<(String, &str)> {
    let mut characters = text.trim_start_matches([' ', '\t']).chars();
    let mut value = String::new();
    // How much of the value stays when the blanks at its end go.
    let mut kept = 0;
    let mut quoted = false;
    loop {
        match characters.next() {
            None | Some('\n') if quoted => return None,
            None | Some('\n') => break,
            Some('"') => {
                quoted = !quoted;
                kept = value.len();
            }
            Some('\\') => match characters.next()? {
                '\n' => {}
                escaped => {
                    value.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'b' => '\u{8}',
                        '"' | '\\' => escaped,
                        _ => return None,
                    });
                    kept = value.len();
                }
            },
            Some('#' | ';') if !quoted => {
                let rest = characters.as_str();
                let below = rest.split_once('\n').map_or("", |(_, below)| below);
                value.truncate(kept);
                return Some((value, below));
            }
            Some(blank @ (' ' | '\t')) if !quoted => value.push(blank),
            Some(other) => {
                value.push(other);
                kept = value.len();
            }
        }
    }
    value.truncate(kept);
    Some((value, characters.as_str()))
}

#[cfg(test)]
mod tests;
