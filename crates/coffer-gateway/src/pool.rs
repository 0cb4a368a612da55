//! Connections that are kept for the next request, a few for each thread.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffer_plan::host::Endpoint;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;

use crate::refusal::Refusal;

/// How many connections that nobody uses are kept.
const MOST_IDLE: usize = 128;
/// For how long a connection that nobody uses is taken for alive. What lies in between may have forgotten it after.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// Connections that one thread keeps.
pub(crate) struct Pool<B>(RefCell<Vec<Idle<B>>>);

/// A connection, and when it was last used.
struct Idle<B> {
    endpoint: Arc<Endpoint>,
    sender: SendRequest<B>,
    since: Instant,
}

impl<B> Default for Pool<B> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<B: Body + 'static> Pool<B> {
    /// Sends a request on a connection that is free, or else on a new one. A connection that the other side has just
    /// closed has taken nothing of it; it is sent on another one then.
    pub(crate) async fn send(
        &self,
        endpoint: &Arc<Endpoint>,
        mut request: Request<B>,
        connect: impl AsyncFnOnce() -> Result<SendRequest<B>, Refusal>,
    ) -> Result<Response<Incoming>, Refusal> {
        let broken = |error: &hyper::Error| Refusal::Unreachable {
            endpoint: endpoint.to_string(),
            reason: innermost(error),
            timed_out: error.is_timeout(),
        };
        while let Some(mut sender) = self.free(endpoint) {
            match sender.try_send_request(request).await {
                Ok(answer) => {
                    self.keep(endpoint, sender);
                    return Ok(answer);
                }
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(failed.error())),
                },
            }
        }
        // Apart from the rest: it takes much room, and only until it has come about.
        let mut sender = Box::pin(connect()).await?;
        let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
        self.keep(endpoint, sender);
        Ok(answer)
    }

    /// A connection that can take a request: of several the one that was used last.
    fn free(&self, endpoint: &Arc<Endpoint>) -> Option<SendRequest<B>> {
        let mut idle = self.0.borrow_mut();
        let at = idle.iter().rposition(|idle| idle.sender.is_ready() && idle.endpoint == *endpoint)?;
        let Idle { sender, since, .. } = idle.remove(at);
        if since.elapsed() < LONGEST_IDLE {
            return Some(sender);
        }
        // Those before it are older still, but for those that have not come to the end of an answer.
        let is_old = |idle: &Idle<B>| idle.sender.is_ready() && idle.since.elapsed() >= LONGEST_IDLE;
        idle.retain(|idle| !(idle.sender.is_closed() || is_old(idle)));
        None
    }

    /// It can take the next one as soon as its answer has come to the end.
    fn keep(&self, endpoint: &Arc<Endpoint>, sender: SendRequest<B>) {
        let mut idle = self.0.borrow_mut();
        if idle.len() >= MOST_IDLE {
            idle.retain(|idle| !idle.sender.is_closed());
        }
        if idle.len() < MOST_IDLE {
            idle.push(Idle { endpoint: endpoint.clone(), sender, since: Instant::now() });
        }
    }
}

/// The cause that says most.
fn innermost(error: &hyper::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
