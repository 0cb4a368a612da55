//! What a run did to a copy of a repository's configuration, key by key, and what of it is harmless.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{GitKeys, HarmlessValue};
use crate::git_config::{Entry, entries};

/// Longest value that is harmless.
const MOST_BYTES: usize = 4096;
/// What `gh` notes of a remote that needs no other repository.
const GH_OWN: &str = "base";

/// A key, as git names it apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// In lower case.
    pub section: String,
    /// As it is written.
    pub subsection: Option<String>,
    /// In lower case.
    pub name: String,
}

/// A value; `None` stands alone, which means true.
pub type Value = Option<String>;

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Key,
    /// Its values before the run.
    pub before: Vec<Value>,
    /// Its values in the copy.
    pub after: Vec<Value>,
    /// Whether it reaches the host unasked.
    pub harmless: bool,
    /// What git does with it, where it runs something.
    pub runs: Option<String>,
}

/// What may stand in the configuration of a repository that a run made (`deferred/git-known.toml`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownKeys {
    /// The keys, each with what its values may be.
    pub known: Vec<KnownKey>,
}

/// Keys whose values start nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownKey {
    /// In lower case; a `*` between dots is any subsection.
    pub keys: Vec<String>,
    /// What the values have to be.
    #[serde(default)]
    pub value: KnownValue,
    /// The only values, if any are named.
    #[serde(default)]
    pub only: Vec<String>,
    /// Why.
    pub reason: String,
}

/// What a known key's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownValue {
    /// Any text.
    #[default]
    Text,
    /// An address that git reaches by itself, or a remote's name.
    Address,
}

/// The changes from one text to another, in the keys' order; `None` when git would refuse one of them.
pub fn changes(before: &str, after: &str, keys: &GitKeys) -> Option<Vec<Change>> {
    let (before, mut after) = (by_key(before)?, by_key(after)?);
    let of_remotes = before.keys().filter(|key| key.section == "remote");
    let remotes: Vec<&str> = of_remotes.filter_map(|key| key.subsection.as_deref()).collect();
    let redirected = redirected(&before, &after);
    let judged = |key: &Key, before: &[Value], after: Vec<Value>| Change {
        harmless: is_harmless(key, &after, &remotes, keys) && !redirected.contains(key),
        runs: runs(key, keys).map(str::to_owned),
        key: key.clone(),
        before: before.to_vec(),
        after,
    };
    let mut out = Vec::new();
    for (key, values) in &before {
        let now = after.remove(key).unwrap_or_default();
        if now != *values {
            out.push(judged(key, values, now));
        }
    }
    out.extend(after.into_iter().map(|(key, values)| judged(&key, &[], values)));
    out.sort_by(|one, other| one.key.cmp(&other.key));
    // Half of a branch's settings would mean something else.
    let is_same = |one: &Key, other: &Key| one.section == other.section && one.subsection == other.subsection;
    let waiting: Vec<Key> =
        out.iter().filter(|change| !change.harmless).map(|change| change.key.clone()).collect();
    for change in &mut out {
        change.harmless &= !waiting.iter().any(|key| is_same(key, &change.key));
    }
    Some(out)
}

/// Keys that send a branch of before elsewhere than before: what it is merged with, fetched from or pushed to.
fn redirected(before: &BTreeMap<Key, Vec<Value>>, after: &BTreeMap<Key, Vec<Value>>) -> Vec<Key> {
    let values = |of: &BTreeMap<Key, Vec<Value>>, key: &Key, name: &str| {
        of.get(&Key { name: name.to_owned(), ..key.clone() }).cloned()
    };
    let goes = |of: &BTreeMap<Key, Vec<Value>>, key: &Key| match key.name.as_str() {
        "pushremote" => values(of, key, "pushremote").or_else(|| values(of, key, "remote")),
        name => values(of, key, name),
    };
    let keys = before.keys().chain(after.keys());
    let keys = keys.filter(|key| {
        key.section == "branch" && matches!(key.name.as_str(), "remote" | "merge" | "pushremote")
    });
    let is_elsewhere = |key: &&Key| match (goes(before, key), goes(after, key)) {
        (Some(before), Some(after)) => before != after,
        // A branch that is gone goes nowhere, and a new one went nowhere.
        (None, _) | (_, None) => false,
    };
    keys.filter(is_elsewhere).cloned().collect()
}

/// The keys of a new repository's configuration that are not known, with their values; `None` when git would refuse it.
pub fn unknown(text: &str, known: &KnownKeys) -> Option<Vec<(Key, Vec<Value>)>> {
    let is_known = |key: &Key, values: &[Value]| {
        let rules = known.known.iter().filter(|rule| rule.keys.iter().any(|pattern| key.fits(pattern)));
        rules.into_iter().any(|rule| values.iter().all(|value| rule.fits(value.as_deref())))
    };
    let found = by_key(text)?.into_iter();
    Some(found.filter(|(key, values)| !is_known(key, values)).collect())
}

impl KnownKey {
    fn fits(&self, value: Option<&str>) -> bool {
        let Some(value) = value else { return self.only.is_empty() && self.value == KnownValue::Text };
        let is_only = self.only.is_empty() || self.only.iter().any(|only| only == value);
        is_only && is_text(value) && (self.value == KnownValue::Text || is_address(value))
    }
}

/// Whether git reaches an address by itself: `NAME::…` would be a helper's, and what begins with `-` an option.
fn is_address(value: &str) -> bool {
    let host = value.split_once("://").map_or(value, |(_, host)| host);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let own = match value.split_once("://") {
        Some((scheme, _)) => ["https", "http", "ssh", "git", "file"].contains(&scheme),
        None => !value.contains("::"),
    };
    own && !value.starts_with('-') && !host.starts_with('-')
}

fn is_text(text: &str) -> bool {
    !text.chars().any(char::is_control) && text.len() <= MOST_BYTES
}

/// The keys of a configuration whose values git runs; `None` when git would refuse it.
pub fn running(text: &str, keys: &GitKeys) -> Option<Vec<Key>> {
    // An alias is a word of git's own unless it begins so.
    let is_program = |key: &Key, values: &[Value]| match (key.section.as_str(), key.name.as_str()) {
        ("alias", _) | ("submodule", "update") => {
            values.iter().flatten().any(|value| value.trim_start().starts_with('!'))
        }
        _ => true,
    };
    let found = by_key(text)?.into_iter();
    let found = found.filter(|(key, values)| runs(key, keys).is_some() && is_program(key, values));
    Some(found.map(|(key, _)| key).collect())
}

fn by_key(text: &str) -> Option<BTreeMap<Key, Vec<Value>>> {
    let mut out: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    for Entry { section, subsection, key, value } in entries(text)? {
        out.entry(Key { section, subsection, name: key }).or_default().push(value);
    }
    Some(out)
}

/// What git does with a key that runs something.
fn runs<'a>(key: &Key, keys: &'a GitKeys) -> Option<&'a str> {
    keys.runs.iter().find(|rule| key.fits(&rule.key)).map(|rule| rule.reason.as_str())
}

fn is_harmless(key: &Key, values: &[Value], remotes: &[&str], keys: &GitKeys) -> bool {
    let Some(rule) = keys.harmless.iter().find(|rule| key.fits(&rule.key)) else { return false };
    let is_other_repository = key.name == "gh-resolved";
    let fits = |value: &Value| {
        (!is_other_repository || value.as_deref() == Some(GH_OWN))
            && is_text(value.as_deref().unwrap_or_default())
            && rule.value.fits(value.as_deref(), remotes)
    };
    key.subsection.as_deref().is_none_or(is_text) && values.iter().all(fits)
}

impl HarmlessValue {
    fn fits(self, value: Option<&str>, remotes: &[&str]) -> bool {
        const SWITCHES: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "1", "0", "merges"];
        match (self, value) {
            (Self::Switch, None) | (Self::Text, Some(_)) => true,
            (Self::Remote | Self::Branch | Self::Text, None) => false,
            (Self::Remote, Some(name)) => name == "." || remotes.contains(&name),
            (Self::Branch, Some(name)) => name.starts_with("refs/heads/") && !name.contains(".."),
            (Self::Switch, Some(word)) => SWITCHES.contains(&word),
        }
    }
}

impl Key {
    /// As git prints it.
    pub fn dotted(&self) -> String {
        let Self { section, subsection, name } = self;
        match subsection {
            Some(subsection) => format!("{section}.{subsection}.{name}"),
            None => format!("{section}.{name}"),
        }
    }

    /// Whether a pattern of the data means it.
    fn fits(&self, pattern: &str) -> bool {
        let parts: Vec<&str> = pattern.split('.').collect();
        match parts[..] {
            [section, "*"] => self.section == section,
            [section, name] => self.section == section && self.subsection.is_none() && self.name == name,
            [section, subsection, name] => {
                let is_same = |own: &str| subsection == "*" || own.eq_ignore_ascii_case(subsection);
                self.section == section
                    && self.name == name
                    && self.subsection.as_deref().is_some_and(is_same)
            }
            _ => false,
        }
    }
}
