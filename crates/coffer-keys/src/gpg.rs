//! The lines of `gpg-agent` (the Assuan protocol): a command on a line, and an answer of lines that ends in `OK` or
//! `ERR`.
//!
//! The agent's own *extra socket* refuses what is meant for the user's machine alone. In front of it this filter knows
//! a short list of commands, for the keys that are granted. Options are taken and go nowhere: they would say on which
//! terminal or display of the host a person is asked. What that person reads is ours, not the sandbox's.

use std::collections::BTreeMap;

mod lines;
mod session;
#[cfg(test)]
mod tests;

pub(crate) use session::talk;

/// The longest line, in bytes, without its end: as the protocol has it.
pub const MAX_LINE: usize = 1000;
/// The most that goes with one command, in either direction, in bytes.
pub const MAX_DATA: usize = 256 * 1024;

/// Hexadecimal digits of a keygrip.
const GRIP_DIGITS: usize = 40;

/// Codes of the agent's own: "forbidden", "no secret key", "not found", "line too long" and "unknown command" are
/// told apart by clients.
const FORBIDDEN: &str = "ERR 67109115 Forbidden <coffer>";
const NO_SECRET_KEY: &str = "ERR 67108881 No secret key <coffer>";
const NOT_FOUND: &str = "ERR 67108891 Not found <coffer>";
const CANCELED: &str = "ERR 67108963 Operation cancelled <coffer>";
const NO_AGENT: &str = "ERR 67108941 No agent running <coffer>";
const OK: &str = "OK";

/// Keys by their keygrip (upper case), and what people call them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grips {
    /// With which may be signed.
    pub sign: BTreeMap<String, String>,
    /// With which may be decrypted.
    pub decrypt: BTreeMap<String, String>,
    /// What a person reads who is asked for a passphrase.
    pub description: String,
}

impl Grips {
    fn called(&self, grip: &str) -> Option<&str> {
        self.sign.get(grip).or_else(|| self.decrypt.get(grip)).map(String::as_str)
    }
}

/// What a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Nothing is chosen any more.
    Reset,
    /// Public facts.
    Look,
    /// This key is chosen.
    Choose(String),
    /// What a person reads.
    Describe,
    /// The hash that is to be signed.
    Hash,
    /// A signature by the chosen key.
    Sign,
    /// Decryption by the chosen key.
    Decrypt,
}

/// What is done with a line of the sandbox's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is answered here.
    Answer(&'static str),
    /// It is answered here, with data.
    Data(Vec<u8>),
    /// Nothing: a comment.
    Nothing,
    /// The end.
    End,
    /// It is refused; with the key, if it names one.
    Denied {
        /// `sign`, `decrypt`, `look`, `other`.
        what: &'static str,
        /// The keygrip.
        key: Option<String>,
        /// The answer.
        answer: &'static str,
    },
    /// The agent is told this line, which is written anew.
    Forward {
        /// The line.
        line: String,
        /// What it is about.
        about: About,
    },
}

impl Step {
    /// Reads a line; `chosen` is the key that was chosen before.
    pub fn read(line: &[u8], grips: &Grips, chosen: Option<&str>) -> Self {
        let other = Self::denied("other", None, FORBIDDEN);
        let Ok(line) = std::str::from_utf8(line) else { return other };
        if line.is_empty() || line.starts_with('#') {
            return Self::Nothing;
        }
        if !line.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            // A description may be in any language; it goes no further anyway.
            let is_description = line.to_ascii_uppercase().starts_with("SETKEYDESC ");
            return if is_description { describe(grips) } else { other };
        }
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let command = words.next().unwrap_or_default().to_ascii_uppercase();
        let words: Vec<&str> = words.collect();
        match command.as_str() {
            "BYE" => Self::End,
            "NOP" | "OPTION" => Self::Answer(OK),
            "RESET" if words.is_empty() => Self::forward("RESET".to_owned(), About::Reset),
            "GETINFO" => getinfo(&words).unwrap_or(other),
            "HAVEKEY" => have_key(&words, grips),
            "KEYINFO" | "READKEY" => look(&command, &words, grips),
            "SIGKEY" | "SETKEY" => choose(&command, &words, grips),
            "SETKEYDESC" => describe(grips),
            "SETHASH" => hash(&words).unwrap_or(other),
            // With the nonce of a cache of the agent's, which the sandbox has no part in.
            "PKSIGN" => act(chosen, &grips.sign, "sign", "PKSIGN", About::Sign),
            "PKDECRYPT" => act(chosen, &grips.decrypt, "decrypt", "PKDECRYPT", About::Decrypt),
            _ => other,
        }
    }

    fn denied(what: &'static str, key: Option<String>, answer: &'static str) -> Self {
        Self::Denied { what, key, answer }
    }

    fn forward(line: String, about: About) -> Self {
        Self::Forward { line, about }
    }
}

/// A keygrip in its normal form.
fn grip(word: &str) -> Option<String> {
    let fits = word.len() == GRIP_DIGITS && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| word.to_ascii_uppercase())
}

/// What clients ask about the agent itself. Its number as a process and its sockets' paths are not the sandbox's.
fn getinfo(words: &[&str]) -> Option<Step> {
    let plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let line = match words {
        ["version" | "restricted" | "s2k_count" | "jent_active"] => format!("GETINFO {}", words[0]),
        ["cmd_has_option", command, option] if plain(command) && plain(option) => {
            format!("GETINFO cmd_has_option {command} {option}")
        }
        _ => return None,
    };
    Some(Step::forward(line, About::Look))
}

fn have_key(words: &[&str], grips: &Grips) -> Step {
    if let [only] = words
        && (*only == "--list" || only.starts_with("--list="))
    {
        let all =
            grips.sign.keys().chain(grips.decrypt.keys().filter(|grip| !grips.sign.contains_key(*grip)));
        return Step::Data(all.flat_map(|grip| bytes_of(grip)).collect());
    }
    let granted: Vec<String> =
        words.iter().filter_map(|word| grip(word)).filter(|grip| grips.called(grip).is_some()).collect();
    if granted.is_empty() {
        // Clients ask for every key of a ring in turn: nothing is wrong with that.
        return Step::Answer(NO_SECRET_KEY);
    }
    Step::forward(format!("HAVEKEY {}", granted.join(" ")), About::Look)
}

fn bytes_of(grip: &str) -> Vec<u8> {
    (0..grip.len() / 2).filter_map(|at| u8::from_str_radix(grip.get(2 * at..2 * at + 2)?, 16).ok()).collect()
}

fn look(command: &str, words: &[&str], grips: &Grips) -> Step {
    let mut named = words.iter().filter(|word| !word.starts_with("--"));
    let (Some(word), None) = (named.next(), named.next()) else {
        return Step::denied("look", None, FORBIDDEN);
    };
    match grip(word) {
        Some(grip) if grips.called(&grip).is_some() => {
            Step::forward(format!("{command} {grip}"), About::Look)
        }
        Some(_) => Step::Answer(NOT_FOUND),
        None => Step::denied("look", None, FORBIDDEN),
    }
}

fn choose(command: &str, words: &[&str], grips: &Grips) -> Step {
    let [word] = words else { return Step::denied("other", None, FORBIDDEN) };
    match grip(word) {
        Some(grip) if grips.called(&grip).is_some() => {
            Step::forward(format!("{command} {grip}"), About::Choose(grip))
        }
        key => Step::denied("choose", key, NO_SECRET_KEY),
    }
}

/// The hash as a number or name of its kind and hexadecimal digits.
fn hash(words: &[&str]) -> Option<Step> {
    let (kind, digits) = match words {
        [kind, digits] => (*kind, *digits),
        _ => return None,
    };
    let name = kind.strip_prefix("--hash=").unwrap_or(kind);
    let is_name = !name.is_empty()
        && name.len() <= 16
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with('-');
    let is_hash = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_name && is_hash).then(|| Step::forward(format!("SETHASH {kind} {digits}"), About::Hash))
}

fn describe(grips: &Grips) -> Step {
    let mut line = "SETKEYDESC ".to_owned();
    for character in grips.description.chars() {
        match character {
            ' ' => line.push('+'),
            '+' | '%' => line.push_str(&format!("%{:02X}", u32::from(character))),
            plain if plain.is_ascii() && !plain.is_ascii_control() => line.push(plain),
            _ => line.push('?'),
        }
    }
    line.truncate(MAX_LINE);
    Step::forward(line, About::Describe)
}

fn act(
    chosen: Option<&str>,
    granted: &BTreeMap<String, String>,
    what: &'static str,
    command: &str,
    about: About,
) -> Step {
    match chosen {
        Some(grip) if granted.contains_key(grip) => Step::forward(command.to_owned(), about),
        _ => Step::denied(what, chosen.map(str::to_owned), FORBIDDEN),
    }
}
