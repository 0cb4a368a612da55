//! Plain HTTP in absolute form.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use coffer_plan::host::Endpoint;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::{Answer, allowed};
use crate::body::{Answered, Counted};
use crate::headers::{remove_of_connection, remove_of_request};
use crate::record::Pending;
use crate::refusal::Refusal;
use crate::serve::Desk;

/// Passes a request on, and its answer back, as they come.
pub(super) async fn pass(
    desk: Rc<Desk>,
    request: Request<Incoming>,
    endpoint: Endpoint,
    mut pending: Pending,
) -> Answer {
    let sent = Arc::new(AtomicU64::new(0));
    match send(&desk, request, &endpoint, &mut pending, &sent).await {
        Ok(answer) => {
            pending.decision.status = answer.status().as_u16();
            Ok(answer.map(|body| Answered::new(body, sent, pending).boxed_unsync()))
        }
        Err(refusal) => Err((refusal, pending)),
    }
}

async fn send(
    desk: &Desk,
    request: Request<Incoming>,
    endpoint: &Endpoint,
    pending: &mut Pending,
    sent: &Arc<AtomicU64>,
) -> Result<Response<Incoming>, Refusal> {
    let request = origin_form(request)?;
    let rule = allowed(desk, endpoint)?;
    pending.decision.rule = Some(rule.origin);
    let server = desk.dialer.connect(endpoint, rule.ranges).await?;
    let broken = |error: hyper::Error| Refusal::Unreachable {
        endpoint: endpoint.to_string(),
        reason: error.to_string(),
        timed_out: false,
    };
    let (mut sender, connection) =
        http1::handshake::<_, Counted>(TokioIo::new(server)).await.map_err(broken)?;
    // It ends with the answer, or when nobody wants that any more.
    tokio::task::spawn_local(connection);
    let request = request.map(|body| Counted::new(body, sent.clone()));
    let mut answer = sender.send_request(request).await.map_err(broken)?;
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

/// The request as its host wants it: without the host in its address, and with the one that was asked for.
fn origin_form(mut request: Request<Incoming>) -> Result<Request<Incoming>, Refusal> {
    let malformed = |reason| Refusal::Malformed { reason, status: StatusCode::BAD_REQUEST };
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
    let host = HeaderValue::try_from(authority).map_err(|_| malformed("it names no host"))?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}
