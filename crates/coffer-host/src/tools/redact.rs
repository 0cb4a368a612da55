//! From a key and a value to what may be known of them: hosts and ports, and the value without any credential.

use coffer_plan::facts::ToolEntry;
use coffer_plan::host::{Endpoint, Host};
use coffer_plan::sign_in::withhold::looks_secret;
use coffer_plan::tool::{Tool, fits, fits_any};
use url::Url;

/// Longest value that counts, in bytes.
const MAX_VALUE: usize = 2048;
/// A part of a path that is as long as this, of letters and digits only and of both, may be a token.
const TOKEN_LENGTH: usize = 20;

/// What may be known of one key and value; `None` for those that the tool's data file does not name.
pub(super) fn entry(tool: &Tool, key: &str, value: &str) -> Option<ToolEntry> {
    if key.len() + value.len() > MAX_VALUE || key.chars().chain(value.chars()).any(char::is_control) {
        return None;
    }
    let in_key = tool.hosts_in_keys.iter().find_map(|pattern| Some((pattern, fits(pattern, key)?)));
    if let Some((pattern, wild)) = in_key {
        // Whatever the value is, an address is not what it is here for.
        let seen = addresses(wild, false);
        return (!seen.endpoints.is_empty()).then(|| ToolEntry {
            key: pattern.replacen('*', &seen.text.unwrap_or_default(), 1),
            value: None,
            withheld: seen.withheld,
            endpoints: seen.endpoints,
        });
    }
    let names_hosts = fits_any(&tool.hosts, key);
    let goes_inside = tool.inside.as_ref().is_some_and(|inside| fits_any(&inside.keys, key));
    if value.trim().is_empty() || !(names_hosts || goes_inside) {
        return None;
    }
    let seen = addresses(value.trim(), fits_any(&tool.bare, key));
    let endpoints = if names_hosts { seen.endpoints } else { Vec::new() };
    let nothing = endpoints.is_empty() && seen.text.is_none() && !seen.withheld;
    (!nothing).then(|| ToolEntry {
        key: key.to_owned(),
        value: seen.text,
        withheld: seen.withheld,
        endpoints,
    })
}

/// A host that stands for itself.
pub(super) fn host(key: &str, name: &str) -> Option<ToolEntry> {
    let endpoint: Endpoint = name.parse().ok()?;
    Some(ToolEntry { key: key.to_owned(), value: None, withheld: false, endpoints: vec![endpoint] })
}

/// What a text of addresses shows.
struct Seen {
    /// The text without credentials; `None` when nothing of it may stand.
    text: Option<String>,
    withheld: bool,
    endpoints: Vec<Endpoint>,
}

/// The addresses in a text, with blanks, `,` or `|` between them.
fn addresses(text: &str, bare: bool) -> Seen {
    let mut seen = Seen { text: Some(String::new()), withheld: false, endpoints: Vec::new() };
    for piece in text.split_inclusive([' ', '\t', ',', '|']) {
        let word = piece.trim_end_matches([' ', '\t', ',', '|']);
        let shown = address(word, bare, &mut seen);
        match (shown, &mut seen.text) {
            (Some(shown), Some(text)) => {
                text.push_str(&shown);
                text.push_str(&piece[word.len()..]);
            }
            (_, text) => *text = None,
        }
    }
    seen
}

/// One word, as it may be shown.
fn address(word: &str, bare: bool, seen: &mut Seen) -> Option<String> {
    if word.contains("://") {
        return url(word, seen);
    }
    if looks_secret("", word) {
        seen.withheld = true;
        return None;
    }
    // As ssh and git have it: `git@git.example.org:group/project`.
    let of_ssh = word.split_once('@').and_then(|(_, rest)| rest.split_once(':')).map(|(host, _)| host);
    if let Some(host) = of_ssh.and_then(|host| host.parse::<Host>().ok()) {
        seen.endpoints.push(Endpoint { host, port: 22 });
    } else if bare && word.contains('.') && !word.contains(['+', '/']) {
        seen.endpoints.extend(word.parse::<Endpoint>().ok());
    }
    Some(word.to_owned())
}

fn url(word: &str, seen: &mut Seen) -> Option<String> {
    // `sparse+https://…`
    let scheme_end = word.find("://")?;
    let kind_end = word[..scheme_end].rfind('+').map_or(0, |at| at + 1);
    let mut url = Url::parse(&word[kind_end..]).ok()?;
    let port = match url.scheme() {
        "http" | "https" => url.port_or_known_default(),
        "ssh" => url.port().or(Some(22)),
        "git" => url.port().or(Some(9418)),
        _ => None,
    };
    let host = url.host_str().and_then(|host| host.parse::<Host>().ok());
    if let (Some(host), Some(port)) = (host, port) {
        seen.endpoints.push(Endpoint { host, port });
    }
    // Who one is to ssh is no secret.
    let named = !url.username().is_empty() && url.scheme() != "ssh";
    let is_token = |part: &str| {
        let count = |kind: fn(&u8) -> bool| part.bytes().filter(kind).count();
        let (letters, digits) = (count(u8::is_ascii_alphabetic), count(u8::is_ascii_digit));
        let mixed = letters > 0 && digits > 0 && letters + digits == part.len();
        looks_secret("", part) || (mixed && part.len() >= TOKEN_LENGTH)
    };
    let path_tells = url.path_segments().into_iter().flatten().any(is_token);
    if !named && url.password().is_none() && url.query().is_none() && url.fragment().is_none() && !path_tells
    {
        return Some(word.to_owned());
    }
    seen.withheld = true;
    if named && url.set_username("").is_err() || url.set_password(None).is_err() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    if path_tells {
        url.set_path("");
    }
    Some(format!("{}{url}", &word[..kind_end]))
}

#[cfg(test)]
mod tests;
