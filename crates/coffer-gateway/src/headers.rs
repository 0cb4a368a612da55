//! Headers that belong to one connection, and requests that could be read in two ways.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Request, StatusCode, Version};

use crate::refusal::Refusal;

/// What belongs to one connection (RFC 9110, 7.6.1).
static OF_CONNECTION: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Takes out of a request what belongs to one connection. What stands behind the last chunk passes in both directions:
/// who is asked is told when it is welcome.
pub(crate) fn remove_of_request(headers: &mut HeaderMap) {
    let trailers = says_trailers(headers);
    remove_of_connection(headers);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

fn says_trailers(headers: &HeaderMap) -> bool {
    let words = headers.get_all(TE).iter().filter_map(|value| value.to_str().ok());
    words.flat_map(|words| words.split(',')).any(|word| word.trim().eq_ignore_ascii_case("trailers"))
}

/// Takes out what belongs to one connection, and what the sender says does.
pub(crate) fn remove_of_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Whoever names one of these would change what the request means.
        .filter(|name| ![HOST, CONTENT_LENGTH, TRAILER].contains(name))
        .collect();
    for name in named.iter().chain(&OF_CONNECTION) {
        headers.remove(name);
    }
}

/// Whether nothing but chunks is around a body: what else would be around it would be lost on the way.
pub(crate) fn plain_chunks(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let plain = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    codings.next().is_none_or(plain) && codings.next().is_none()
}

/// Refuses what two readers could take for two different requests. Where a request's body ends is said once behind us,
/// however often it was said before: hyper refuses lengths that differ, and takes chunks for what counts.
pub(crate) fn unambiguous<B>(request: &Request<B>) -> Result<(), Refusal> {
    let malformed = |reason| Err(Refusal::Malformed { reason, status: StatusCode::BAD_REQUEST });
    let headers = request.headers();
    if request.version() < Version::HTTP_11 && headers.contains_key(TRANSFER_ENCODING) {
        return malformed("HTTP/1.0 has no chunks");
    }
    if !plain_chunks(headers) {
        let reason = "a body is in plain chunks, or has a length";
        return Err(Refusal::Malformed { reason, status: StatusCode::NOT_IMPLEMENTED });
    }
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1
        || (hosts == 0 && request.version() >= Version::HTTP_11 && request.method() != Method::CONNECT)
    {
        return malformed("a request names one host");
    }
    Ok(())
}
