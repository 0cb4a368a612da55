//! A request on its way to the API: what is taken out, and what is kept to be sent once more.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use coffer_account::secret::Secret;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TRAILER,
};
use http::request::Parts;
use http::{Request, StatusCode, Uri};
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::body::BodyError;
use crate::headers::{remove_of_request, unambiguous};
use crate::refusal::Refusal;
use crate::setup::{Injection, Upstream};

/// The request as the API shall get it, but for credentials.
pub(super) fn prepared(
    request: Request<Incoming>,
    injection: &Injection,
) -> Result<(Parts, Incoming), Refusal> {
    let malformed = |reason| Refusal::Malformed { reason, status: StatusCode::BAD_REQUEST };
    unambiguous(&request)?;
    let (mut head, body) = request.into_parts();
    // Whole addresses are for proxies; one that names somebody else could be meant for them.
    let named = head.headers.get(HOST).map(HeaderValue::as_bytes);
    if let Some(authority) = head.uri.authority()
        && named.is_some_and(|named| !named.eq_ignore_ascii_case(authority.as_str().as_bytes()))
    {
        return Err(malformed("its address and its Host header name different hosts"));
    }
    head.uri = address(&head.uri, &injection.upstream, &injection.strip_query)
        .ok_or_else(|| malformed("its address has no path"))?;
    remove_of_request(&mut head.headers);
    // It was answered here.
    head.headers.remove(EXPECT);
    let host =
        HeaderValue::try_from(injection.upstream.authority()).map_err(|_| malformed("it names no host"))?;
    head.headers.insert(HOST, host);
    // What comes back has to be legible.
    head.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    head.version = http::Version::HTTP_11;
    Ok((head, body))
}

/// The path behind the API's own, without query parameters that could be credentials.
fn address(uri: &Uri, upstream: &Upstream, strip: &[String]) -> Option<Uri> {
    let path = uri.path();
    if !path.starts_with('/') {
        return None;
    }
    let kept = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = url::form_urlencoded::parse(name.as_bytes()).next().map(|(name, _)| name.into_owned());
        !strip.iter().any(|stripped| name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(stripped)))
    };
    let query: Option<Vec<&str>> = uri.query().map(|query| query.split('&').filter(kept).collect());
    let mut text = format!("{}{path}", upstream.prefix);
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        text.push('?');
        text.push_str(&query.join("&"));
    }
    text.parse().ok()
}

/// What the sandbox shows: in the headers in which credentials come.
pub(super) fn shown(headers: &HeaderMap, injection: &Injection) -> Option<Secret> {
    let of = |name: &http::HeaderName| {
        let value = headers.get(name)?.as_bytes();
        let value = if *name == AUTHORIZATION { after_scheme(value).unwrap_or(value) } else { value };
        Some(Secret::new(value.to_vec()))
    };
    let shows_it = |secret: &Secret| injection.capability.is(secret.expose());
    let mut all = injection.strip.iter().filter_map(of).peekable();
    all.peek()?;
    // Of several, the one that is right counts; a wrong one is as good as another.
    let mut last = None;
    for secret in all {
        if shows_it(&secret) {
            return Some(secret);
        }
        last = Some(secret);
    }
    last
}

/// The word after `Bearer`.
fn after_scheme(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| rest.trim_ascii_start())
}

/// Takes out whatever could be a credential from inside. What stands behind the last chunk goes out as far as it is
/// announced: there it is no longer.
pub(super) fn strip(headers: &mut HeaderMap, injection: &Injection) {
    for name in &injection.strip {
        headers.remove(name);
    }
    if let http::header::Entry::Occupied(announced) = headers.entry(TRAILER) {
        let (_, announced) = announced.remove_entry_mult();
        let announced: Vec<String> =
            announced.filter_map(|names| names.to_str().ok().map(str::to_owned)).collect();
        let names = announced
            .iter()
            .flat_map(|names| names.split(','))
            .filter_map(|name| name.trim().parse::<HeaderName>().ok());
        for name in names.filter(|name| !injection.strip.contains(name)) {
            headers.append(TRAILER, HeaderValue::from(name));
        }
    }
}

/// What of a request's body has gone out, kept as far as the limit allows.
#[derive(Clone)]
pub(super) struct Kept {
    sent: Arc<AtomicU64>,
    parts: Arc<Mutex<Store>>,
}

struct Store {
    parts: Vec<Bytes>,
    room: usize,
    /// Whether the body came to its end, and all of it is here.
    whole: bool,
    given_up: bool,
}

impl Store {
    fn give_up(&mut self) {
        self.given_up = true;
        self.parts = Vec::new();
    }
}

impl Kept {
    pub(super) fn new(room: usize) -> Self {
        let parts = Store { parts: Vec::new(), room, whole: false, given_up: false };
        Self { sent: Arc::default(), parts: Arc::new(Mutex::new(parts)) }
    }

    /// Counts what goes out.
    pub(super) fn counter(&self) -> Arc<AtomicU64> {
        self.sent.clone()
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The whole body, once it has gone out; `None` when it was too long.
    pub(super) fn whole(&self) -> Option<Vec<Bytes>> {
        let mut kept = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        kept.whole.then(|| std::mem::take(&mut kept.parts))
    }

    fn add(&self, part: &Bytes) {
        self.sent.fetch_add(part.len() as u64, Ordering::Relaxed);
        let mut kept = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.given_up {
            return;
        }
        match kept.room.checked_sub(part.len()) {
            Some(room) => {
                kept.room = room;
                kept.parts.push(part.clone());
            }
            None => kept.give_up(),
        }
    }

    fn give_up(&self) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).give_up();
    }

    fn end(&self) {
        let mut kept = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        kept.whole = !kept.given_up;
    }
}

/// A body on its way to the API.
pub(super) enum Outgoing {
    /// As it comes from the sandbox.
    Streamed(Incoming, Kept),
    /// Sent once more.
    Again(std::vec::IntoIter<Bytes>, u64),
}

impl Outgoing {
    pub(super) fn streamed(body: Incoming, kept: Kept) -> Self {
        if body.is_end_stream() {
            kept.end();
        }
        Self::Streamed(body, kept)
    }

    pub(super) fn again(parts: Vec<Bytes>) -> Self {
        let length = parts.iter().map(|part| part.len() as u64).sum();
        Self::Again(parts.into_iter(), length)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Streamed(body, kept) => {
                let polled = Pin::new(&mut *body).poll_frame(context);
                match &polled {
                    Poll::Ready(Some(Ok(frame))) => {
                        match frame.data_ref() {
                            Some(part) => kept.add(part),
                            // What stands behind the last chunk is not kept.
                            None => kept.give_up(),
                        }
                        if body.is_end_stream() {
                            kept.end();
                        }
                    }
                    Poll::Ready(None) => kept.end(),
                    Poll::Ready(Some(Err(_))) | Poll::Pending => {}
                }
                polled.map_err(Into::into)
            }
            Self::Again(parts, left) => Poll::Ready(parts.next().map(|part| {
                *left -= part.len() as u64;
                Ok(Frame::data(part))
            })),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Streamed(body, _) => body.is_end_stream(),
            Self::Again(_, left) => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Streamed(body, _) => body.size_hint(),
            Self::Again(_, left) => SizeHint::with_exact(*left),
        }
    }
}
