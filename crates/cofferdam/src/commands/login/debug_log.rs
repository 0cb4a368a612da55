//! `--debug-log`: what was run, what came of it, and the agent's own log, without any token.
//!
//! What must not be in it is known exactly when somebody signed in: the texts of the login file. Beyond that,
//! whatever looks like a token or a code goes, too: a log that lacks a word does no harm.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use super::sign_in::Left;
use crate::adoption::Target;
use crate::error::Error;

#[cfg(test)]
mod tests;

/// Stands for what was taken out.
const REDACTED: &str = "[redacted]";
/// Shortest text of a login file that is looked for.
const SHORTEST_KNOWN: usize = 12;
/// From this length on a word of letters and digits may be a token or a code.
const SHORTEST_UNKNOWN: usize = 20;

/// The log, open.
pub(super) struct DebugLog {
    file: File,
    path: Utf8PathBuf,
    text: String,
}

impl DebugLog {
    /// Opens it (0600), anew.
    pub(super) fn open(path: &Utf8Path) -> Result<Self, Error> {
        let failed = |source| Error::Store { action: "write", path: path.to_owned(), source };
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = opened.map_err(failed)?;
        file.set_permissions(PermissionsExt::from_mode(0o600)).map_err(failed)?;
        Ok(Self { file, path: path.to_owned(), text: String::new() })
    }

    /// Adds lines.
    pub(super) fn say(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds what came of the sign-in, and writes it.
    pub(super) fn conclude(&mut self, target: &Target, left: &Left) -> Result<(), Error> {
        if let Some(code) = left.ended {
            self.say(&format!("the agent ended with {code}\n"));
        }
        match left.attempt.as_ref().map(|attempt| &attempt.adopted) {
            None => self.say("there was no state to look at\n"),
            Some(Ok(adopted)) => self.say(&target.words(adopted)),
            Some(Err(error)) => {
                for finding in error.findings() {
                    let causes = finding.causes.join(": ");
                    self.say(&format!("not adopted [{}]: {} {causes}\n", finding.code, finding.message));
                }
            }
        }
        let log = left.log.as_ref().map(|log| String::from_utf8_lossy(log.expose()).into_owned());
        match log {
            Some(log) => {
                self.say("--- the agent's own log ---\n");
                self.say(&log);
            }
            None => self.say("the agent wrote no log\n"),
        }
        let known = left.login.as_ref().map(|login| texts(login.expose())).unwrap_or_default();
        let text = redacted(&self.text, &known);
        let failed = |source| Error::Store { action: "write", path: self.path.clone(), source };
        self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all()).map_err(failed)
    }
}

/// The texts of a login file that may be secret.
fn texts(login: &[u8]) -> Vec<String> {
    fn collect(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) if text.len() >= SHORTEST_KNOWN => out.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| collect(value, out)),
            Value::Object(values) => values.values().for_each(|value| collect(value, out)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut out = Vec::new();
    if let Ok(value) = serde_json::from_slice(login) {
        collect(&value, &mut out);
    }
    // The longest first: one may be a part of another.
    out.sort_by_key(|text| std::cmp::Reverse(text.len()));
    out
}

/// The text without what is known to be secret, and without what looks like it.
fn redacted(text: &str, known: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in known.iter().filter(|secret| !secret.contains(':')) {
        text = text.replace(secret.as_str(), REDACTED);
    }
    let of_word = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest.find(|character| !of_word(character)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        out.push_str(if may_be_token(word) { REDACTED } else { word });
        let gap = after.find(of_word).unwrap_or(after.len());
        out.push_str(&after[..gap]);
        rest = &after[gap..];
    }
    out
}

/// A long run of letters and digits, mixed, as tokens, codes and challenges are.
fn may_be_token(word: &str) -> bool {
    let has = |wanted: fn(&char) -> bool| word.chars().any(|character| wanted(&character));
    let mixed = has(char::is_ascii_digit) && has(char::is_ascii_alphabetic);
    let cases = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
    word.starts_with("sk-ant-") || (word.len() >= SHORTEST_UNKNOWN && (mixed || cases))
}
