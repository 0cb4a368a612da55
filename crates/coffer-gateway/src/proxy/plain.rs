//! Plain HTTP in absolute form.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use coffer_plan::host::Endpoint;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::{Answer, allowed, malformed};
use crate::api::in_chunks;
use crate::body::{Answered, Body, Counted};
use crate::headers::{remove_of_connection, remove_of_request};
use crate::record::Pending;
use crate::refusal::Refusal;
use crate::serve::Desk;

/// How long a host may take until it begins to answer. Behind a client that is gone nobody else would end it.
const MOST_SILENCE: Duration = Duration::from_secs(600);

/// Passes a request on, and its answer back, as they come.
pub(super) async fn pass(
    desk: Rc<Desk>,
    request: Request<Incoming>,
    endpoint: Arc<Endpoint>,
    mut pending: Pending,
) -> Answer {
    let sent = pending.sent();
    match send(&desk, request, &endpoint, &mut pending, &sent).await {
        Ok(mut answer) => {
            pending.decision.status = answer.status().as_u16();
            answer.extensions_mut().clear();
            Ok(answer.map(|body| Body::Answered(Answered::new(body, pending))))
        }
        Err(refusal) => Err((refusal, pending)),
    }
}

async fn send(
    desk: &Desk,
    request: Request<Incoming>,
    endpoint: &Arc<Endpoint>,
    pending: &mut Pending,
    sent: &Rc<Cell<u64>>,
) -> Result<Response<Incoming>, Refusal> {
    let request = origin_form(request)?;
    let rule = allowed(desk, endpoint)?;
    pending.decision.rule = Some(rule.origin.clone());
    let connect = async || {
        let server = desk.dialer.connect(endpoint, rule.ranges).await?;
        let unreachable = |error: hyper::Error| Refusal::Unreachable {
            endpoint: endpoint.to_string(),
            reason: error.to_string(),
            timed_out: false,
        };
        let (sender, connection) = http1::handshake(TokioIo::new(server)).await.map_err(unreachable)?;
        // It ends with the host's side, or when nobody wants it any more.
        tokio::task::spawn_local(connection);
        Ok(sender)
    };
    let request = request.map(|body| Counted::new(body, sent.clone()));
    let answer = tokio::time::timeout(MOST_SILENCE, desk.plain.send(endpoint, request, connect)).await;
    let mut answer = answer.map_err(|_| silent(endpoint))??;
    if answer.status().is_informational() {
        return Err(Refusal::Unreachable {
            endpoint: endpoint.to_string(),
            reason: "it answers in a protocol that nobody asked for".to_owned(),
            timed_out: false,
        });
    }
    remove_of_connection(answer.headers_mut());
    // The gateway's own: where an older one is spoken behind it, an answer that breaks off would look whole.
    *answer.version_mut() = Version::HTTP_11;
    Ok(answer)
}

fn silent(endpoint: &Endpoint) -> Refusal {
    let reason = "it does not begin to answer".to_owned();
    Refusal::Unreachable { endpoint: endpoint.to_string(), reason, timed_out: true }
}

/// The request as its host wants it: without the host in its address, and with the one that was asked for.
fn origin_form(mut request: Request<Incoming>) -> Result<Request<Incoming>, Refusal> {
    let authority =
        request.uri().authority().ok_or_else(|| malformed("it names no host"))?.as_str().to_owned();
    // One for the proxy, another one for whoever reads it next: that is how requests are smuggled.
    let named = request.headers().get(HOST);
    if named.is_some_and(|named| !named.as_bytes().eq_ignore_ascii_case(authority.as_bytes())) {
        return Err(malformed("its address and its Host header name different hosts"));
    }
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    remove_of_request(request.headers_mut());
    *request.version_mut() = Version::HTTP_11;
    let (mut head, body) = request.into_parts();
    in_chunks(&mut head.headers, &body);
    let mut request = Request::from_parts(head, body);
    let host = HeaderValue::try_from(authority).map_err(|_| malformed("it names no host"))?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}
