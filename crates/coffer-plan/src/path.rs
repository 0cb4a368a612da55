//! Path templates of the data files (`~/.cargo/bin`, `${CARGO_HOME:-~/.cargo}/bin`) and the lexical
//! path laws that the whole crate shares.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::facts::HostFacts;

#[cfg(test)]
mod tests;

/// A path as a data file or a user writes it: absolute, below `~`, or beginning with `${NAME}` or
/// `${NAME:-default}`, where NAME is on the public list of variables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct PathTemplate(pub String);

impl PathTemplate {
    /// The absolute, lexically clean path that the template stands for on this machine; `None` when a
    /// variable without default is unset or empty, or when `~` is asked for and there is no home.
    pub fn expand(&self, facts: &HostFacts) -> Option<Utf8PathBuf> {
        expand(&self.0, facts)
    }
}

fn expand(text: &str, facts: &HostFacts) -> Option<Utf8PathBuf> {
    let (head, rest) = match text.strip_prefix("${") {
        Some(inner) => {
            let (body, rest) = inner.split_at(closing_brace(inner)?);
            let (name, default) = match body.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (body, None),
            };
            let head = match (facts.public_value(name), default) {
                (Some(value), _) => Utf8PathBuf::from(value),
                (None, Some(default)) => expand(default, facts)?,
                (None, None) => return None,
            };
            (head, &rest[1..])
        }
        None if text == "~" || text.starts_with("~/") => (facts.user.home.clone()?, &text[1..]),
        None => (Utf8PathBuf::from(text), ""),
    };
    let whole = match rest.trim_start_matches('/') {
        "" => head,
        below => head.join(below),
    };
    whole.is_absolute().then(|| clean(&whole))
}

/// Where the brace that opened just before `text` closes (templates nest in defaults).
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The path without `.`, doubled slashes and `..`, resolved by the text alone. Symlinks are the
/// business of the facts, which hold resolved paths beside the given ones.
pub fn clean(path: &Utf8Path) -> Utf8PathBuf {
    let mut out = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                out.pop();
            }
            Utf8Component::RootDir | Utf8Component::Prefix(_) | Utf8Component::Normal(_) => {
                out.push(component.as_str());
            }
        }
    }
    out
}

/// Whether `path` is `folder` or lies below it (both absolute and clean, so that their text tells; taking
/// them apart was the larger part of a check).
pub fn is_within(path: &Utf8Path, folder: &Utf8Path) -> bool {
    match path.as_str().strip_prefix(folder.as_str()) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || folder.as_str() == "/",
        None => false,
    }
}
