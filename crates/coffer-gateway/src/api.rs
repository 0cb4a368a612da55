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

use http::header::CONTENT_ENCODING;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;

use crate::body::Body;
use crate::headers::{plain_chunks, remove_of_connection};
use crate::record::Pending;
use crate::refusal::Refusal;
use crate::serve::Desk;
use crate::setup::{Credential, Injection, NoCredential};
pub use echoes::{Echoes, Searched, forms};
pub(crate) use request::in_chunks;
use request::{Kept, Outgoing, Shown, prepared, shown};
pub use upstreams::{Tls, Upstreams};

/// Answers a request to the API.
pub async fn answer(desk: Rc<Desk>, request: Request<Incoming>) -> Response<Body> {
    let Some(injection) = &desk.setup.injection else {
        return Refusal::Malformed { reason: "no API is behind this", status: StatusCode::NOT_FOUND }
            .answer();
    };
    let mut pending = Pending::begin(&desk.setup.record, Some(injection.upstream.endpoint.clone()));
    pending.decision.rule = Some(desk.upstreams.rule());
    match pass(&desk, injection, request, &mut pending).await {
        Ok((mut answer, credential)) => {
            pending.decision.status = answer.status().as_u16();
            // The words behind the status are among them: those of the status itself do.
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
    let (mut head, body) = prepared(request, injection, desk.upstreams.host()?)?;
    let credential = match shown(&head.headers, injection) {
        // What asks whether anybody is there shows no credential, and gets none.
        Shown::Nothing if head.method == http::Method::HEAD => None,
        Shown::Capability => Some(credential(injection).await?),
        Shown::Nothing | Shown::Other => return Err(Refusal::Unauthorized),
    };
    request::strip(&mut head.headers, injection);
    let kept = Kept::new(desk.setup.limits.kept_bytes, desk.upstreams.room());
    let first = Outgoing::streamed(body, kept.clone(), pending.sent());
    let again = credential.is_some().then(|| head.clone());
    let mut answer = send(desk, injection, head, credential.as_deref(), first).await?;
    let mut used = credential;
    if answer.status() == StatusCode::UNAUTHORIZED
        && let (Some(refused), Some(head)) = (&used, again)
        && let Some(body) = kept.whole()
        // Who keeps it may know more than the API says: which command mends it.
        && let Some(renewed) = renewed(injection, refused.clone()).await?
    {
        answer = send(desk, injection, head, Some(&renewed), Outgoing::Again(body)).await?;
        used = Some(renewed);
    }
    kept.give_up();
    pending.decision.credential = used.as_ref().map(|credential| credential.fingerprint.clone());
    if answer.status().is_informational() {
        return Err(Refusal::Unreachable {
            endpoint: injection.upstream.endpoint.to_string(),
            reason: "it answers in a protocol that nobody asked for".to_owned(),
            timed_out: false,
        });
    }
    if let Some(credential) = &used {
        judge(&answer, credential, injection)?;
    }
    remove_of_connection(answer.headers_mut());
    // The gateway's own: where an older one is spoken behind it, an answer that breaks off would look whole.
    *answer.version_mut() = http::Version::HTTP_11;
    Ok((answer, used))
}

/// Looks for the credential in the head of an answer, and whether its body can be looked into.
fn judge<B>(answer: &Response<B>, credential: &Credential, injection: &Injection) -> Result<(), Refusal> {
    let endpoint = || injection.upstream.endpoint.to_string();
    let headers = answer.headers();
    let words = answer.extensions().get::<ReasonPhrase>().map(ReasonPhrase::as_bytes);
    let said = headers.iter().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
    if said.chain(words).any(|text| credential.echoes.are_in(text)) {
        return Err(Refusal::Echoed { endpoint: endpoint() });
    }
    let plain = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if plain && plain_chunks(headers) { Ok(()) } else { Err(Refusal::Encoded { endpoint: endpoint() }) }
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
async fn renewed(
    injection: &Injection,
    refused: Arc<Credential>,
) -> Result<Option<Arc<Credential>>, Refusal> {
    let keyholder = injection.keyholder.clone();
    asked(tokio::task::spawn_blocking(move || keyholder.refused(&refused)).await)
}

type Asked<T> = Result<Result<T, NoCredential>, tokio::task::JoinError>;

fn asked<T>(asked: Asked<T>) -> Result<T, Refusal> {
    match asked {
        Ok(Ok(credential)) => Ok(credential),
        Ok(Err(NoCredential { reason, transient })) => Err(Refusal::NoCredential { reason, transient }),
        Err(_) => {
            Err(Refusal::NoCredential { reason: "the keyholder fell over".to_owned(), transient: true })
        }
    }
}
