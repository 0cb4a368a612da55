//! Variables as facts: values for the public list, labels for everything else.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use coffer_plan::facts::{EnvFact, is_public};
use http::Uri;

/// What is said about a value of which nothing may be said.
pub(crate) const SET: &str = "set";

/// Variables of an environment; the first of equal names counts, as for `getenv`. A name that is not
/// UTF-8 can be asked for by nobody and is left out.
pub(crate) fn facts(variables: &[(OsString, OsString)]) -> BTreeMap<String, EnvFact> {
    let mut facts = BTreeMap::new();
    for (name, value) in variables {
        if let Some(name) = name.to_str() {
            facts.entry(name.to_owned()).or_insert_with(|| fact(name, value));
        }
    }
    facts
}

/// What may be said about one variable.
pub(crate) fn fact(name: &str, value: &OsStr) -> EnvFact {
    if value.is_empty() {
        return EnvFact::Empty;
    }
    match value.to_str() {
        Some(text) if is_public(name) => EnvFact::Value(text.to_owned()),
        None if name == "PATH" => readable_entries(value),
        Some(text) if holds_address(name) => {
            EnvFact::Redacted(address(text).unwrap_or_else(|| SET.to_owned()))
        }
        Some(_) | None => EnvFact::Redacted(SET.to_owned()),
    }
}

/// The value of a variable as the process got it; empty counts as unset.
pub(crate) fn value<'a>(variables: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    let (_, value) = variables.iter().find(|(known, _)| known == name)?;
    (!value.is_empty()).then_some(value)
}

/// Scheme, host and port of an address: no user, password, path or query. `None` when the text is not
/// plainly an address.
pub(crate) fn address(text: &str) -> Option<String> {
    let uri: Uri = text.trim().parse().ok()?;
    let scheme = uri.scheme_str()?;
    let endpoint = host_and_port(&uri)?;
    Some(format!("{scheme}://{endpoint}"))
}

/// Host and port of an address, the scheme's own port filled in.
pub(crate) fn endpoint(text: &str) -> Option<String> {
    let uri: Uri = text.trim().parse().ok()?;
    let endpoint = host_and_port(&uri)?;
    let usual = match uri.scheme_str()? {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => "",
    };
    Some(match uri.port_u16() {
        Some(_) => endpoint,
        None => format!("{endpoint}{usual}"),
    })
}

fn host_and_port(uri: &Uri) -> Option<String> {
    let authority = uri.authority()?;
    let host = authority.host();
    let plain = !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    if !plain {
        return None;
    }
    // `name:password` with the host forgotten reads as a host with a strange port: say nothing then.
    let after_user = authority.as_str().rsplit('@').next()?;
    match (after_user.strip_prefix(host)?, authority.port_u16()) {
        ("", None) => Some(host.to_owned()),
        (_, Some(port)) => Some(format!("{host}:{port}")),
        (_, None) => None,
    }
}

fn holds_address(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name.ends_with("_URL") || name.ends_with("_PROXY")
}

/// A PATH without those entries that are not UTF-8: no program that a plan could name lies there.
fn readable_entries(value: &OsStr) -> EnvFact {
    let entries: Vec<&str> = value
        .as_bytes()
        .split(|byte| *byte == b':')
        .filter_map(|entry| std::str::from_utf8(entry).ok())
        .collect();
    match entries.join(":") {
        path if path.is_empty() => EnvFact::Empty,
        path => EnvFact::Value(path),
    }
}

#[cfg(test)]
mod tests;
