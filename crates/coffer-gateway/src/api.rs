//! The API, with the credential put in.
//!
//! The sandbox shows a word of its run; nothing else that could be a credential gets out. The real one goes to the one
//! API that it is for, and nowhere else. Headers and bodies are open lists: what is not taken out passes as it is.

mod echoes;
mod request;
#[cfg(test)]
mod tests;
mod upstreams;

use std::rc::Rc;
use std::sync::Arc;

use http::header::{CONTENT_ENCODING, HeaderMap, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::body::Body;
use crate::headers::remove_of_connection;
use crate::record::Pending;
use crate::refusal::Refusal;
use crate::serve::Desk;
use crate::setup::{Credential, Injection, NoCredential};
pub use echoes::{Echoes, Searched};
pub(crate) use request::in_chunks;
use request::{Kept, Outgoing, prepared, shown};
pub use upstreams::{Tls, Upstreams};

/// Answers a request to the API.
pub async fn answer(desk: Rc<Desk>, request: Request<Incoming>) -> Response<Body> {
    let Some(injection) = &desk.setup.injection else {
        return Refusal::Malformed { reason: "no API is behind this", status: StatusCode::NOT_FOUND }
            .answer();
    };
    let mut pending = Pending::begin(&desk.setup.record, Some(injection.upstream.endpoint.clone()));
    pending.decision.rule = Some("the account's API".to_owned());
    match pass(&desk, injection, request, &mut pending).await {
        Ok((mut answer, credential)) => {
            pending.decision.status = answer.status().as_u16();
            // The words behind the status are among them.
            answer.extensions_mut().clear();
            answer.map(|body| Body::Searched(Searched::new(body, credential, pending)))
        }
        Err(refusal) => {
            pending.refused(&refusal);
            refusal.answer_as_api()
        }
    }
}

/// What came back, and the credential that went out.
type Passed = (Response<Incoming>, Option<Arc<Credential>>);

async fn pass(
    desk: &Desk,
    injection: &Injection,
    request: Request<Incoming>,
    pending: &mut Pending,
) -> Result<Passed, Refusal> {
    let (mut head, body) = prepared(request, injection)?;
    let credential = match shown(&head.headers, injection) {
        // What asks whether anybody is there shows no credential, and gets none.
        None if head.method == http::Method::HEAD => None,
        Some(capability) if injection.capability.is(capability.expose()) => {
            Some(credential(injection).await?)
        }
        Some(_) | None => return Err(Refusal::Unauthorized),
    };
    request::strip(&mut head.headers, injection);
    let kept = Kept::new(desk.setup.limits.kept_bytes, desk.upstreams.room());
    let first = Outgoing::streamed(body, kept.clone(), pending.sent(), injection);
    let again = credential.is_some().then(|| head.clone());
    let mut answer = send(desk, injection, head, credential.as_deref(), first).await?;
    let mut used = credential;
    if answer.status() == StatusCode::UNAUTHORIZED
        && let (Some(refused), Some(head)) = (&used, again)
        && let Some(body) = kept.whole()
        && let Ok(renewed) = renewed(injection, refused.clone()).await
    {
        answer = send(desk, injection, head, Some(&renewed), Outgoing::Again(body)).await?;
        used = Some(renewed);
    }
    kept.give_up();
    pending.decision.credential = used.as_ref().map(|credential| credential.fingerprint.clone());
    if let Some(credential) = &used {
        judge(answer.headers(), credential, injection)?;
    }
    remove_of_connection(answer.headers_mut());
    Ok((answer, used))
}

/// Looks for the credential in the headers of an answer, and whether its body can be looked into.
fn judge(headers: &HeaderMap, credential: &Credential, injection: &Injection) -> Result<(), Refusal> {
    let endpoint = || injection.upstream.endpoint.to_string();
    let mut said = headers.iter().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
    if said.any(|text| credential.echoes.are_in(text)) {
        return Err(Refusal::Echoed { endpoint: endpoint() });
    }
    let all = |name, word: &[u8]| {
        headers.get_all(name).iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(word))
    };
    if all(CONTENT_ENCODING, b"identity") && all(TRANSFER_ENCODING, b"chunked") {
        Ok(())
    } else {
        Err(Refusal::Encoded { endpoint: endpoint() })
    }
}

async fn send(
    desk: &Desk,
    injection: &Injection,
    mut head: http::request::Parts,
    credential: Option<&Credential>,
    body: Outgoing,
) -> Result<Response<Incoming>, Refusal> {
    for (name, value) in credential.iter().flat_map(|credential| &credential.headers) {
        head.headers.insert(name, value.clone());
    }
    desk.upstreams.send(&desk.dialer, &injection.upstream, Request::from_parts(head, body)).await
}

/// The credential: at once where it is at hand.
async fn credential(injection: &Injection) -> Result<Arc<Credential>, Refusal> {
    if let Some(credential) = injection.keyholder.at_hand() {
        return Ok(credential);
    }
    let keyholder = injection.keyholder.clone();
    asked(tokio::task::spawn_blocking(move || keyholder.current()).await)
}

/// Another credential in place of a refused one.
async fn renewed(injection: &Injection, refused: Arc<Credential>) -> Result<Arc<Credential>, Refusal> {
    let keyholder = injection.keyholder.clone();
    asked(tokio::task::spawn_blocking(move || keyholder.refused(&refused)).await)
}

type Asked = Result<Result<Arc<Credential>, NoCredential>, tokio::task::JoinError>;

fn asked(asked: Asked) -> Result<Arc<Credential>, Refusal> {
    match asked {
        Ok(Ok(credential)) => Ok(credential),
        Ok(Err(NoCredential { reason, transient })) => Err(Refusal::NoCredential { reason, transient }),
        Err(_) => {
            Err(Refusal::NoCredential { reason: "the keyholder fell over".to_owned(), transient: true })
        }
    }
}
