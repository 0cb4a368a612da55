//! Host tools whose registries and remotes a sandbox may reach: what their data files say.
//!
//! A tool is one data file in `tools/`: what to ask it, which of its files to read where it tells nothing, which files
//! of a project name hosts, and what of the answers is written down again inside. `coffer-host` asks and reads; what
//! comes of it are facts ([`crate::facts::ToolAnswer`]) without any credential.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::path::PathTemplate;

#[cfg(test)]
mod tests;

/// A tool's data file.
///
/// Keys of an answer are dotted (`global.index-url`, `source."my mirror".registry`); in a pattern one `*` stands for
/// any text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Keys whose values are addresses of hosts.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Keys that hold an address themselves, at the `*`.
    #[serde(default)]
    pub hosts_in_keys: Vec<String>,
    /// Keys among `hosts` whose value may be a bare name.
    #[serde(default)]
    pub bare: Vec<String>,
    /// What to ask, the strongest answer first.
    #[serde(default, rename = "ask")]
    pub asks: Vec<Ask>,
    /// The user's files to read, the strongest first; all of them weaker than what is asked.
    #[serde(default, rename = "read")]
    pub reads: Vec<ReadFile>,
    /// Files of a project that name hosts.
    #[serde(default, rename = "project")]
    pub project_files: Vec<ProjectFile>,
    /// What is written down again inside.
    pub inside: Option<Inside>,
}

/// A command that prints what counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Program and arguments.
    pub command: Vec<String>,
    /// How its answer is read.
    pub format: Format,
    /// The key of the answer, for formats without keys.
    #[serde(default)]
    pub key: String,
    /// For [`Format::Help`]: the words before the address.
    #[serde(default)]
    pub after: String,
    /// Variables besides the few that every tool gets.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Files on which the answer depends, besides the program: as long as they stay the same, it is not asked again.
    #[serde(default)]
    pub watch: Vec<PathTemplate>,
    /// The exit code that says that there is nothing.
    pub empty_exit: Option<i32>,
}

/// A file of the user's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadFile {
    /// Where it is; a component `*` means each folder there.
    pub file: PathTemplate,
    /// How it is read.
    pub format: Format,
    /// Whether the folder at the `*` is called `HOST-HASH`.
    #[serde(default)]
    pub folder_is_host: bool,
}

/// A file of a project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectFile {
    /// Relative to the project, and to the folder of the command.
    pub file: String,
    /// How it is read.
    pub format: Format,
}

/// How text becomes keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A value a line, all of one key.
    Lines,
    /// `key = value`, `[section]`, comments with `#` and `;`.
    Ini,
    /// The same, where an indented line goes on with the value before it.
    ContinuedIni,
    /// TOML.
    Toml,
    /// JSON.
    Json,
    /// What `git config --show-origin --null` prints.
    Git,
    /// A file as git keeps its configuration.
    GitConfig,
    /// Help for people, with an address behind certain words.
    Help,
    /// `--option value` or `--option=value`, one a line.
    Options,
}

/// What is written down again inside, as far as it holds no credential.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inside {
    /// The file inside.
    pub file: PathTemplate,
    /// How it is written.
    pub format: Written,
    /// Which keys.
    pub keys: Vec<String>,
}

/// How keys and values become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Written {
    /// `key=value`.
    Flat,
    /// `[section]`, and `key = value` with several values below each other.
    Sections,
    /// TOML.
    Toml,
}

/// What stands at the `*` when the key fits the pattern; nothing for a pattern without one.
pub fn fits<'a>(pattern: &str, key: &'a str) -> Option<&'a str> {
    match pattern.split_once('*') {
        Some((before, after)) => {
            key.strip_prefix(before)?.strip_suffix(after).filter(|wild| !wild.is_empty())
        }
        None => (pattern == key).then_some(""),
    }
}

/// Whether the key fits one of the patterns.
pub fn fits_any(patterns: &[String], key: &str) -> bool {
    patterns.iter().any(|pattern| fits(pattern, key).is_some())
}
