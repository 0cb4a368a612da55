//! From a finished reply to bytes on the wire, whole or spoilt on purpose.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

use super::script::Gate;

/// The connection is to end here, as a script said.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped, as scripted")]
pub(crate) struct Broken;

/// What a route answers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    content_type: &'static str,
    location: Option<String>,
    parts: Vec<Bytes>,
}

/// How the body is sent.
#[derive(Debug)]
pub(crate) enum Manner {
    /// All of it.
    Whole,
    /// The first half, then the connection breaks.
    Half,
    /// The first half, and the rest when the gate opens.
    Halting(Gate),
}

impl Reply {
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            content_type: "application/json",
            location: None,
            parts: vec![Bytes::from(value.to_string())],
        }
    }

    pub(crate) fn text(status: u16, text: String) -> Self {
        Self { status, content_type: "application/json", location: None, parts: vec![Bytes::from(text)] }
    }

    pub(crate) fn redirect(location: String) -> Self {
        Self { location: Some(location), ..Self::text(302, "{}".to_owned()) }
    }

    /// Named server-sent events; the CLI ignores events without an `event:` line.
    pub(crate) fn events(events: Vec<(&'static str, Value)>) -> Self {
        let parts = events
            .iter()
            .map(|(name, data)| Bytes::from(format!("event: {name}\ndata: {data}\n\n")))
            .collect();
        Self { status: 200, content_type: "text/event-stream", location: None, parts }
    }

    /// Server-sent events without names, as Google's API sends them.
    pub(crate) fn unnamed_events(events: &[Value]) -> Self {
        let parts = events.iter().map(|data| Bytes::from(format!("data: {data}\n\n"))).collect();
        Self { status: 200, content_type: "text/event-stream", location: None, parts }
    }

    pub(crate) fn garbage() -> Self {
        let parts = vec![Bytes::from_static(b"\x00\xff\xfe}{ not json, no event \x80\n\n")];
        Self { status: 200, content_type: "application/octet-stream", location: None, parts }
    }

    /// Builds the response. Spoilt ones with a known length announce that length all the same.
    pub(crate) fn into_response(self, seq: u64, manner: Manner) -> Result<Response<ReplyBody>, Broken> {
        let mut parts = self.parts;
        let length = match parts.as_slice() {
            [only] => Some(only.len()),
            _ => None,
        };
        let rest = match (&manner, parts.as_mut_slice()) {
            (Manner::Whole, _) => Vec::new(),
            (_, [only]) => vec![only.split_off(only.len() / 2)],
            (_, many) => {
                let at = many.len() / 2;
                parts.split_off(at)
            }
        };
        let (sender, body) = mpsc::channel(parts.len() + rest.len() + 1);
        for part in parts {
            sender.try_send(Ok(part)).map_err(|_| Broken)?;
        }
        match manner {
            Manner::Whole => {}
            Manner::Half => {
                // From a task of its own, so that the connection writes the first half out before it breaks.
                tokio::spawn(async move { sender.send(Err(Broken)).await });
            }
            Manner::Halting(gate) => {
                tokio::spawn(async move {
                    gate.passed().await;
                    for part in rest {
                        // The client may have gone in the meantime; then nobody misses the rest.
                        let _ = sender.send(Ok(part)).await;
                    }
                });
            }
        }
        let mut response = Response::new(ReplyBody(body));
        *response.status_mut() = StatusCode::from_u16(self.status).map_err(|_| Broken)?;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some(location) = self.location.and_then(|location| HeaderValue::try_from(location).ok()) {
            headers.insert(LOCATION, location);
        }
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if let Ok(id) = HeaderValue::from_str(&format!("req_practice{seq}")) {
            headers.insert(HeaderName::from_static("request-id"), id);
        }
        Ok(response)
    }
}

/// A body that is fed through a channel; an error in it breaks the connection.
#[derive(Debug)]
pub(crate) struct ReplyBody(mpsc::Receiver<Result<Bytes, Broken>>);

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| part.map(Frame::data)))
    }
}
