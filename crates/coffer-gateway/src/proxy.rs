//! The forward proxy: tunnels by CONNECT, and plain HTTP in absolute form. Who may be reached is decided before any
//! name is looked up.

mod plain;
mod sni;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::sync::Arc;

use coffer_plan::host::{Endpoint, Host};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

use crate::body::Body;
use crate::headers::unambiguous;
use crate::record::{Pending, Verdict};
use crate::refusal::Refusal;
use crate::serve::{Desk, Permit};
use crate::setup::{Ranges, Rule};
use crate::tunnel::{Stream, down, up};

/// Answers a request to the forward proxy.
pub(crate) async fn answer(desk: Rc<Desk>, request: Request<Incoming>, permit: Permit) -> Response<Body> {
    let mut pending = Pending::begin(&desk.setup.record, None);
    let answered = match endpoint(&request) {
        Ok(endpoint) => {
            let endpoint = Arc::new(endpoint);
            pending.decision.endpoint = Some(endpoint.clone());
            if request.method() == Method::CONNECT {
                connect(desk, request, pending, permit).await
            } else {
                plain::pass(desk, request, endpoint, pending).await
            }
        }
        Err(refusal) => Err((refusal, pending)),
    };
    answered.unwrap_or_else(|(refusal, mut pending)| {
        pending.refused(&refusal);
        refusal.answer()
    })
}

/// An answer, or why there is none and what is to be written down about that.
type Answer = Result<Response<Body>, (Refusal, Pending)>;

fn malformed(reason: &'static str) -> Refusal {
    Refusal::Malformed { reason, status: StatusCode::BAD_REQUEST }
}

/// Whom a request is for.
fn endpoint(request: &Request<Incoming>) -> Result<Endpoint, Refusal> {
    unambiguous(request)?;
    let authority = request.uri().authority();
    let authority =
        authority.ok_or_else(|| malformed("this is a proxy: it wants CONNECT, or a whole address"))?;
    if authority.as_str().contains('@') {
        return Err(malformed("an address here has no user and no password"));
    }
    let host: Host = authority.host().parse().map_err(|_| malformed("it names no host"))?;
    let plain = request.method() != Method::CONNECT;
    if plain && request.uri().scheme_str() != Some("http") {
        return Err(malformed("only `http` goes without a tunnel"));
    }
    if !plain && (request.uri().scheme().is_some() || request.uri().path_and_query().is_some()) {
        return Err(malformed("a tunnel is to a host and a port"));
    }
    // Read from the text: what is no number would count as no port at all.
    let port = match authority.as_str().strip_prefix(authority.host()).and_then(|port| port.strip_prefix(':'))
    {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse().ok().filter(|port| *port > 0)
        }
        None if plain && authority.as_str() == authority.host() => Some(80),
        Some(_) | None => None,
    };
    let port = port.ok_or_else(|| malformed("it names no port"))?;
    Ok(Endpoint { host, port })
}

/// The rule by which somebody may be reached.
fn allowed(desk: &Desk, endpoint: &Endpoint) -> Result<Rule, Refusal> {
    let denied =
        || Refusal::Denied { endpoint: endpoint.to_string(), hint: desk.setup.how_to_allow(endpoint) };
    match desk.setup.reach.rule(endpoint) {
        Some(rule) => Ok(rule),
        None if desk.setup.reach.open => Ok(Rule {
            pattern: coffer_plan::host::HostPattern::Exact(endpoint.host.clone()),
            port: endpoint.port,
            origin: "tier `learn`".into(),
            ranges: Ranges::Public,
        }),
        None => Err(denied()),
    }
}

/// Opens a tunnel.
async fn connect(desk: Rc<Desk>, request: Request<Incoming>, mut pending: Pending, permit: Permit) -> Answer {
    let reached = async {
        let endpoint = pending.decision.endpoint.clone().ok_or_else(|| malformed("it names no host"))?;
        let rule = allowed(&desk, &endpoint)?;
        let server = desk.dialer.connect(&endpoint, rule.ranges).await?;
        Ok((rule, server))
    };
    let (rule, server) = match reached.await {
        Ok(reached) => reached,
        Err(refusal) => return Err((refusal, pending)),
    };
    pending.decision.rule = Some(rule.origin);
    let upgraded = hyper::upgrade::on(request);
    tokio::task::spawn_local(async move {
        // A client that went away has no tunnel.
        let Ok(upgraded) = upgraded.await else { return };
        // Without the layers of HTTP, where that is possible.
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => carry(&desk, parts.io.into_inner(), &parts.read_buf, server, pending).await,
            Err(upgraded) => match upgraded.downcast::<TokioIo<UnixStream>>() {
                Ok(parts) => carry(&desk, parts.io.into_inner(), &parts.read_buf, server, pending).await,
                // There are no other doors.
                Err(_) => pending.refused(&malformed("a tunnel needs a socket")),
            },
        }
        drop(permit);
    });
    Ok(Response::new(Body::nothing()))
}

/// Carries the bytes of a tunnel. What the server says goes through from the beginning; what the client says first is
/// looked at. When it breaks, both sides are told that this is no end.
async fn carry<S: Stream>(desk: &Desk, client: S, ahead: &[u8], server: TcpStream, mut pending: Pending) {
    let (sent, received) = (pending.sent(), pending.received());
    let host = pending.decision.endpoint.as_ref().map(|endpoint| &endpoint.host);
    let mut fits = true;
    let upwards = async {
        let first = sni::first_bytes(&client, ahead, host, desk.setup.limits.head_time).await?;
        let Some(first) = first else {
            fits = false;
            return Err(std::io::ErrorKind::InvalidData.into());
        };
        up(&client, &server, &first, &sent).await
    };
    let both = async { tokio::try_join!(upwards, down(&server, &client, &received)) };
    // What breaks ends both ways, and so does the end of the right to it.
    let broken = tokio::select! {
        biased;
        ended = both => ended.is_err(),
        () = desk.over.comes() => true,
    };
    if broken {
        reset(&server);
        reset(&client);
    }
    if !fits {
        pending.decision.verdict = Verdict::NameMismatch;
    }
}

/// Lets a connection end as one that broke does: whoever reads at the other side must not take it for a whole.
fn reset(stream: &impl Stream) {
    // What is so far gone that this fails is told in no other way.
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(std::time::Duration::ZERO));
}
