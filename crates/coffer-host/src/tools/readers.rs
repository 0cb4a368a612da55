//! Keys and values in what tools print and in their files.
//!
//! Each pair is handed on as it is found and nothing is kept: most of a configuration is nobody's business, and tokens
//! stand in it.

use coffer_plan::tool::Format;
use zeroize::Zeroize as _;

use crate::git_config;
use crate::settings::wipe;

/// A key and a value.
pub(super) struct Pair<'a> {
    /// Dotted.
    pub(super) key: &'a str,
    pub(super) value: &'a str,
    /// The file that git names with it.
    pub(super) origin: Option<&'a str>,
}

type Take<'a> = &'a mut dyn FnMut(Pair<'_>);

/// How deep tables may lie in each other.
const MAX_DEPTH: usize = 16;

/// Hands on every pair in the text. `hint` is the key for formats without keys, and the words before an address.
pub(super) fn read(
    format: Format,
    bytes: &[u8],
    (key, after): (&str, &str),
    take: Take<'_>,
) -> Result<(), &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8 text")?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Lines => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.for_each(|value| take(Pair { key, value, origin: None }));
        }
        Format::Ini => ini(text, false, take),
        Format::ContinuedIni => ini(text, true, take),
        Format::Toml => {
            let mut table: toml::Table = text.parse().map_err(|_| "it is not TOML")?;
            for (key, value) in &table {
                toml_value(&segment(key), value, 0, take);
            }
            table.iter_mut().for_each(|(_, value)| wipe_toml(value));
        }
        Format::Json => {
            let mut value: serde_json::Value = serde_json::from_str(text).map_err(|_| "it is not JSON")?;
            json_value("", &value, 0, take);
            wipe(&mut value);
        }
        Format::Git => git(text, take),
        Format::GitConfig => {
            for entry in git_config::entries(text).ok_or("git would refuse it")? {
                let (key, mut value) = (entry.dotted(), entry.value.unwrap_or_default());
                take(Pair { key: &key, value: &value, origin: None });
                value.zeroize();
            }
        }
        Format::Help => help(text, key, after, take),
        Format::Options => options(text, take),
    }
    Ok(())
}

/// `key = value` in sections. With `continued`, as Python reads it, an indented line is one more value of its key, and
/// `:` does as `=`; else as npm reads it, where `key[] = value` is one of several.
fn ini(text: &str, continued: bool, take: Take<'_>) {
    let mut section = String::new();
    let mut last = String::new();
    for line in text.lines() {
        let word = line.trim();
        if word.is_empty() || word.starts_with(['#', ';']) {
            continue;
        }
        if continued && line.starts_with([' ', '\t']) && !last.is_empty() {
            take(Pair { key: &last, value: word, origin: None });
            continue;
        }
        if let Some(name) = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{}.", name.trim());
            last.clear();
            continue;
        }
        let separators: &[char] = if continued { &['=', ':'] } else { &['='] };
        let Some((key, value)) = word.split_once(separators) else { continue };
        let key = key.trim();
        let key = if continued { key.to_ascii_lowercase() } else { key.trim_end_matches("[]").to_owned() };
        last = format!("{section}{key}");
        take(Pair { key: &last, value: unquoted(value.trim()), origin: None });
    }
}

fn unquoted(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

/// A part of a dotted key, quoted as TOML has it where it has to be.
fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.bytes().all(plain) {
        name.to_owned()
    } else {
        toml::Value::from(name).to_string()
    }
}

fn toml_value(key: &str, value: &toml::Value, depth: usize, take: Take<'_>) {
    match value {
        toml::Value::String(value) => take(Pair { key, value, origin: None }),
        toml::Value::Table(table) if depth < MAX_DEPTH => {
            for (name, value) in table {
                toml_value(&format!("{key}.{}", segment(name)), value, depth + 1, take);
            }
        }
        toml::Value::Array(values) if depth < MAX_DEPTH => {
            for (at, value) in values.iter().enumerate() {
                toml_value(&format!("{key}.{at}"), value, depth + 1, take);
            }
        }
        // Addresses are text.
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Table(_)
        | toml::Value::Array(_) => {}
    }
}

fn wipe_toml(value: &mut toml::Value) {
    match value {
        toml::Value::String(text) => text.zeroize(),
        toml::Value::Table(table) => table.iter_mut().for_each(|(_, value)| wipe_toml(value)),
        toml::Value::Array(values) => values.iter_mut().for_each(wipe_toml),
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => {}
    }
}

fn json_value(key: &str, value: &serde_json::Value, depth: usize, take: Take<'_>) {
    let below = |name: &str| match key {
        "" => name.to_owned(),
        key => format!("{key}.{name}"),
    };
    match value {
        serde_json::Value::String(value) => take(Pair { key, value, origin: None }),
        serde_json::Value::Object(fields) if depth < MAX_DEPTH => {
            for (name, value) in fields {
                json_value(&below(name), value, depth + 1, take);
            }
        }
        serde_json::Value::Array(values) if depth < MAX_DEPTH => {
            for (at, value) in values.iter().enumerate() {
                json_value(&below(&at.to_string()), value, depth + 1, take);
            }
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Object(_)
        | serde_json::Value::Array(_) => {}
    }
}

/// `file:PATH NUL KEY LF VALUE NUL`, again and again.
fn git(text: &str, take: Take<'_>) {
    let mut pieces = text.split('\0');
    while let (Some(origin), Some(pair)) = (pieces.next(), pieces.next()) {
        let (key, value) = pair.split_once('\n').unwrap_or((pair, ""));
        // What stands in no file is nobody's configuration.
        if let Some(file) = origin.strip_prefix("file:") {
            take(Pair { key, value, origin: Some(file) });
        }
    }
}

/// The word behind certain words, however the lines are broken.
fn help(text: &str, key: &str, after: &str, take: Take<'_>) {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let found = flat.split_once(after).and_then(|(_, rest)| rest.split_whitespace().next());
    if let Some(word) = found.filter(|_| !after.is_empty()) {
        take(Pair { key, value: word.trim_end_matches(['.', ',', ';', ')']), origin: None });
    }
}

/// Lines that begin with an option.
fn options(text: &str, take: Take<'_>) {
    for line in text.lines().map(str::trim) {
        let Some(rest) = line.strip_prefix("--").or_else(|| line.strip_prefix('-')) else { continue };
        let Some((key, value)) = rest.split_once(['=', ' ', '\t']) else { continue };
        let value = value.trim().split([' ', '\t']).next().unwrap_or_default();
        take(Pair { key, value: unquoted(value), origin: None });
    }
}

#[cfg(test)]
mod tests;
