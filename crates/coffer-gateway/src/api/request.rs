//! A request on its way to the API: what is taken out, and what is kept to be sent once more.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TRAILER,
    TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{Method, Request, StatusCode, Uri};
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::body::BodyError;
use crate::headers::{remove_of_request, unambiguous};
use crate::refusal::Refusal;
use crate::setup::{Injection, Upstream};

/// The request as the API shall get it, but for credentials.
pub(super) fn prepared(
    request: Request<Incoming>,
    injection: &Injection,
    host: HeaderValue,
) -> Result<(Parts, Incoming), Refusal> {
    let malformed = |reason| Refusal::Malformed { reason, status: StatusCode::BAD_REQUEST };
    unambiguous(&request)?;
    // A trace would say the credential back.
    if [Method::TRACE, Method::CONNECT].contains(request.method()) {
        let reason = "the API is asked for by no such method";
        return Err(Refusal::Malformed { reason, status: StatusCode::METHOD_NOT_ALLOWED });
    }
    let (mut head, body) = request.into_parts();
    // Whole addresses are for proxies; one that names somebody else could be meant for them.
    let named = head.headers.get(HOST).map(HeaderValue::as_bytes);
    if let Some(authority) = head.uri.authority()
        && named.is_some_and(|named| !named.eq_ignore_ascii_case(authority.as_str().as_bytes()))
    {
        return Err(malformed("its address and its Host header name different hosts"));
    }
    if !injection.upstream.prefix.is_empty() && leads_out(head.uri.path()) {
        return Err(malformed("its path may lead out of the one that the API is at"));
    }
    head.uri = address(&head.uri, &injection.upstream, &injection.strip_query)
        .ok_or_else(|| malformed("its address has no path"))?;
    remove_of_request(&mut head.headers);
    in_chunks(&mut head.headers, &body);
    // It was answered here.
    head.headers.remove(EXPECT);
    head.headers.insert(HOST, host);
    // What comes back has to be legible.
    head.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    head.version = http::Version::HTTP_11;
    Ok((head, body))
}

/// Says that a body of unknown length comes in chunks: of some methods nobody would expect one.
pub(crate) fn in_chunks(headers: &mut HeaderMap, body: &Incoming) {
    if !body.is_end_stream() && body.size_hint().exact().is_none() {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Whether somebody could read a path as one that begins elsewhere.
fn leads_out(path: &str) -> bool {
    let escaped = path.to_ascii_lowercase();
    let read = escaped.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
    // Some read twice.
    escaped.contains("%25") && leads_out(&escaped.replace("%25", "%"))
        || read.split('/').any(|part| part == "." || part == "..")
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
    // Most are as they shall be.
    let whole = || uri.query().is_none_or(|query| query.split('&').all(|pair| kept(&pair)));
    if upstream.prefix.is_empty() && whole() {
        return uri.path_and_query().cloned().map(Uri::from);
    }
    let query: Option<Vec<&str>> = uri.query().map(|query| query.split('&').filter(kept).collect());
    let mut text = format!("{}{path}", upstream.prefix);
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        text.push('?');
        text.push_str(&query.join("&"));
    }
    text.parse().ok()
}

/// What the sandbox shows in the headers in which credentials come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// No credential at all.
    Nothing,
    /// The word of this run.
    Capability,
    /// Something else.
    Other,
}

/// What the sandbox shows. Of several, the one that is right counts.
pub(super) fn shown(headers: &HeaderMap, injection: &Injection) -> Shown {
    let of = |name: &HeaderName| {
        let value = headers.get(name)?.as_bytes();
        Some(if *name == AUTHORIZATION { after_scheme(value).unwrap_or(value) } else { value })
    };
    let mut all = injection.strip.iter().filter_map(of).peekable();
    if all.peek().is_none() {
        return Shown::Nothing;
    }
    if all.any(|word| injection.capability.is(word)) { Shown::Capability } else { Shown::Other }
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

/// How much all requests of one thread may keep together, in bytes.
#[derive(Debug)]
pub(super) struct Room(Cell<usize>);

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Cell::new(bytes))
    }

    fn take(&self, bytes: usize) -> bool {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.unwrap_or(self.0.get()));
        left.is_some()
    }

    fn give(&self, bytes: usize) {
        self.0.set(self.0.get() + bytes);
    }
}

/// What of a request's body has gone out, kept as far as the limits allow, so that it can be sent once more.
#[derive(Clone)]
pub(super) struct Kept(Rc<RefCell<Store>>);

struct Store {
    bytes: Vec<u8>,
    /// How much this request may keep.
    most: usize,
    room: Rc<Room>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// More may come.
    Open,
    /// The body came to its end, and all of it is here.
    Whole,
    /// It was too much, or nobody will want it again.
    GivenUp,
}

impl Kept {
    pub(super) fn new(most: usize, room: Rc<Room>) -> Self {
        Self(Rc::new(RefCell::new(Store { bytes: Vec::new(), most, room, state: State::Open })))
    }

    /// The whole body, once it has gone out; `None` when it was too long, or has not come to its end.
    pub(super) fn whole(&self) -> Option<Bytes> {
        let mut kept = self.0.borrow_mut();
        let whole = (kept.state == State::Whole).then(|| Bytes::copy_from_slice(&kept.bytes));
        kept.give_up();
        whole
    }

    /// Nobody will want it again.
    pub(super) fn give_up(&self) {
        self.0.borrow_mut().give_up();
    }

    fn add(&self, part: &Bytes) {
        let mut kept = self.0.borrow_mut();
        if kept.state != State::Open {
            return;
        }
        let fits = kept.bytes.len() + part.len() <= kept.most && kept.room.take(part.len());
        if fits { kept.bytes.extend_from_slice(part) } else { kept.give_up() }
    }

    fn end(&self) {
        let mut kept = self.0.borrow_mut();
        if kept.state == State::Open {
            kept.state = State::Whole;
        }
    }
}

impl Store {
    fn give_up(&mut self) {
        self.room.give(self.bytes.len());
        self.bytes = Vec::new();
        self.state = State::GivenUp;
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// A body on its way to the API.
pub(super) enum Outgoing {
    /// As it comes from the sandbox.
    Streamed(Box<Streamed>),
    /// Sent once more.
    Again(Bytes),
}

/// A body as it comes from the sandbox.
pub(super) struct Streamed {
    body: Incoming,
    kept: Kept,
    sent: Rc<Cell<u64>>,
}

impl Outgoing {
    pub(super) fn streamed(body: Incoming, kept: Kept, sent: Rc<Cell<u64>>) -> Self {
        if body.is_end_stream() {
            kept.end();
            return Self::Again(Bytes::new());
        }
        Self::Streamed(Box::new(Streamed { body, kept, sent }))
    }
}

impl Streamed {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        polled.map(|frame| match frame {
            None => {
                self.kept.end();
                None
            }
            Some(Err(error)) => Some(Err(error.into())),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(part) => {
                    self.sent.set(self.sent.get() + part.len() as u64);
                    self.kept.add(&part);
                    if self.body.is_end_stream() {
                        self.kept.end();
                    }
                    Some(Ok(Frame::data(part)))
                }
                Err(frame) => {
                    // What stands behind the last chunk is not kept.
                    self.kept.give_up();
                    Some(Ok(frame))
                }
            },
        })
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
            Self::Streamed(streamed) => streamed.poll(context),
            Self::Again(rest) if rest.is_empty() => Poll::Ready(None),
            Self::Again(rest) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(rest))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Streamed(streamed) => streamed.body.is_end_stream(),
            Self::Again(rest) => rest.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Streamed(streamed) => streamed.body.size_hint(),
            Self::Again(rest) => SizeHint::with_exact(rest.len() as u64),
        }
    }
}
