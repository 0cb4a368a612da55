//! What a request shows, and which of the two it is for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coffer_account::secret::Secret;
use http::header::{AUTHORIZATION, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, Method, Request};
use zeroize::Zeroizing;

/// The other header in which a key for the API comes.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The API.
    Api,
    /// Somebody else, by way of the forward proxy: it is a tunnel, or names a whole address.
    Proxy,
}

/// What a request shows.
pub(super) struct Shown {
    /// What it is for.
    pub(super) way: Way,
    /// Words that may be a token.
    pub(super) words: Vec<Secret>,
}

impl Shown {
    /// By this request. What belongs to the API is not looked for in a request to somebody else, and the other way
    /// round: a token would be sent on.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let headers = request.headers();
        if request.method() == Method::CONNECT || request.uri().authority().is_some() {
            let words = of_proxy(headers).into_iter().collect();
            return Self { way: Way::Proxy, words };
        }
        let bearer = headers.get(AUTHORIZATION).and_then(|value| after_scheme(value.as_bytes(), b"bearer"));
        let key = headers.get(API_KEY).map(|value| value.as_bytes().trim_ascii());
        let words = bearer.into_iter().chain(key).filter(|word| !word.is_empty());
        Self { way: Way::Api, words: words.map(|word| Secret::new(word.to_vec())).collect() }
    }
}

/// The password of `Basic`, whoever the user is, or the word after `Bearer`.
fn of_proxy(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(PROXY_AUTHORIZATION)?.as_bytes();
    if let Some(word) = after_scheme(value, b"bearer") {
        return Some(Secret::new(word.to_vec()));
    }
    let decoded = Zeroizing::new(STANDARD.decode(after_scheme(value, b"basic")?).ok()?);
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(Secret::new(decoded.get(colon + 1..)?.to_vec()))
}

/// What stands behind a scheme's name.
fn after_scheme<'a>(value: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (named, rest) = value.split_at_checked(scheme.len())?;
    let is_it = named.eq_ignore_ascii_case(scheme) && rest.first() == Some(&b' ');
    is_it.then(|| rest.trim_ascii())
}
