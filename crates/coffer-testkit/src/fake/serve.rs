//! Accepts connections, writes requests down, applies the script, hands the rest to the routes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener as StdListener;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::deliver::{Broken, Manner, Reply, ReplyBody};
use super::messages::Answer;
use super::record::{self, RequestRecord};
use super::route::{self, Call};
use super::script::{Fault, Script};
use super::tap::Tap;
use super::tokens::TokenBook;

/// The largest request body that is read; the CLI's own are about 50 KB.
const BODY_LIMIT: usize = 64 << 20;

/// What the server's thread and the test share.
#[derive(Debug)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
    tap: Option<Tap>,
}

/// The server's state; one lock for all of it, as nothing in it takes long.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) records: Vec<RequestRecord>,
    pub(crate) tokens: TokenBook,
    pub(crate) script: Script,
    pub(crate) answers: VecDeque<Answer>,
    pub(crate) default_answer: Answer,
    pub(crate) log_error: Option<String>,
    /// Kept only where a test wants to look at them, and never written down.
    pub(crate) bodies: Option<Vec<Bytes>>,
    log: Option<File>,
}

impl Shared {
    pub(crate) fn new(
        tokens: TokenBook,
        default_answer: Answer,
        log: Option<File>,
        tap: Option<Tap>,
    ) -> Self {
        let inner = Inner {
            records: Vec::new(),
            tokens,
            script: Script::default(),
            answers: VecDeque::new(),
            default_answer,
            log_error: None,
            bodies: None,
            log,
        };
        Self { inner: Mutex::new(inner), changed: Condvar::new(), tap }
    }

    /// A panic elsewhere leaves nothing half-done in here, so a poisoned lock is taken all the same.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wait_for(
        &self,
        limit: Duration,
        mut predicate: impl FnMut(&[RequestRecord]) -> bool,
    ) -> bool {
        let end = Instant::now() + limit;
        let mut inner = self.lock();
        while !predicate(&inner.records) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn arrived(&self, mut record: RequestRecord, body: &Bytes) -> (u64, Option<Fault>) {
        let mut inner = self.lock();
        if let Some(bodies) = &mut inner.bodies {
            bodies.push(body.clone());
        }
        let fault = inner.script.next(&record.path);
        let seq = u64::try_from(inner.records.len()).unwrap_or(u64::MAX);
        record.seq = seq;
        record.fault = fault.as_ref().map(|fault| fault.name().to_owned());
        inner.records.push(record);
        self.changed.notify_all();
        (seq, fault)
    }

    /// Does a request's work and notes that it is done, under one lock: whoever sees the note sees the work.
    fn work(&self, call: &Call, seq: u64) -> Reply {
        let mut inner = self.lock();
        let reply = route::answer(&mut inner, call, seq);
        if let Some(record) = inner.record(seq) {
            record.worked = true;
        }
        self.changed.notify_all();
        reply
    }

    fn finished(&self, seq: u64, status: Option<u16>) {
        let mut inner = self.lock();
        let Some(record) = usize::try_from(seq).ok().and_then(|at| inner.records.get_mut(at)) else {
            return;
        };
        record.status = status;
        let line = serde_json::to_string(record).map(|line| line + "\n");
        if let (Ok(line), Some(log)) = (line, &mut inner.log)
            && let Err(error) = log.write_all(line.as_bytes())
        {
            inner.log_error.get_or_insert(error.to_string());
        }
        self.changed.notify_all();
    }
}

impl Inner {
    fn record(&mut self, seq: u64) -> Option<&mut RequestRecord> {
        self.records.get_mut(usize::try_from(seq).ok()?)
    }
}

/// Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Serves until told to stop; open connections end with the runtime.
pub(crate) async fn run(
    shared: Arc<Shared>,
    plain: StdListener,
    tls: Option<(StdListener, Arc<ServerConfig>)>,
    mut stopped: watch::Receiver<bool>,
) {
    tokio::spawn(accept(Arc::clone(&shared), plain, None));
    if let Some((listener, config)) = tls {
        tokio::spawn(accept(shared, listener, Some(TlsAcceptor::from(config))));
    }
    // An error means that the owner is gone without saying so: stop as well.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn accept(shared: Arc<Shared>, listener: StdListener, tls: Option<TlsAcceptor>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, say: let the connections that hold them go on.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => connection(shared, stream, false).await,
                Some(acceptor) => {
                    // A client that does not trust our CA hangs up; that is its right.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection(shared, stream, true).await;
                    }
                }
            }
        });
    }
}

async fn connection(shared: Arc<Shared>, stream: impl AsyncRead + AsyncWrite + Unpin + Send, tls: bool) {
    let service = service_fn(|request| handle(Arc::clone(&shared), request, tls));
    // Errors are scripted breaks and clients that went away; the records tell.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Completes the record on every way out, also when the client hangs up while it waits.
struct Finish<'a> {
    shared: &'a Shared,
    seq: u64,
    status: Option<u16>,
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.shared.finished(self.seq, self.status);
    }
}

async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    tls: bool,
) -> Result<Response<ReplyBody>, Broken> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|_| Broken)?.to_bytes();
    if let Some(tap) = &shared.tap {
        tap.show(&parts, &body);
    }
    let call = Call::new(&parts, &body);
    let (seq, fault) = shared.arrived(describe(&parts, &body, &call, tls), &body);
    let mut finish = Finish { shared: &shared, seq, status: None };
    let work = || shared.work(&call, seq);
    let mut manner = Manner::Whole;
    let reply = match fault {
        None => work(),
        Some(Fault::Status(status, body)) => Reply::text(status, body),
        Some(Fault::Drop) => return Err(Broken),
        Some(Fault::DropAfterWork) => {
            work();
            return Err(Broken);
        }
        Some(Fault::Hold(gate)) => {
            gate.passed().await;
            work()
        }
        Some(Fault::HoldAfterWork(gate)) => {
            let reply = work();
            gate.passed().await;
            reply
        }
        Some(Fault::Slow(delay)) => {
            let reply = work();
            tokio::time::sleep(delay).await;
            reply
        }
        Some(Fault::HoldMidBody(gate)) => {
            manner = Manner::Halting(gate);
            work()
        }
        Some(Fault::Truncate) => {
            manner = Manner::Half;
            work()
        }
        Some(Fault::Garbage) => Reply::garbage(),
    };
    let status = reply.status;
    let response = reply.into_response(seq, manner)?;
    finish.status = Some(status);
    Ok(response)
}

fn describe(parts: &hyper::http::request::Parts, body: &Bytes, call: &Call, tls: bool) -> RequestRecord {
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let text = |key: &str| call.body.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut credentials: Vec<_> = record::CREDENTIAL_HEADERS
        .iter()
        .filter_map(|name| Some(record::seen_in_header(name, &header(name)?)))
        .collect();
    credentials.extend(["refresh_token", "code"].iter().filter_map(|key| {
        let fingerprint = record::fingerprint(&text(key)?);
        Some(record::SeenCredential { place: format!("body:{key}"), scheme: None, fingerprint })
    }));
    RequestRecord {
        seq: 0,
        at_ms: now_ms(),
        tls,
        host: header("host").unwrap_or_default(),
        method: call.method.clone(),
        path: call.path.clone(),
        query: record::query_names(parts.uri.query().unwrap_or_default()),
        credentials,
        beta: header("anthropic-beta"),
        user_agent: header("user-agent"),
        timeout_seconds: header("x-stainless-timeout").and_then(|seconds| seconds.parse().ok()),
        headers: parts
            .headers
            .iter()
            .filter(|(name, _)| {
                !record::CREDENTIAL_HEADERS.contains(&name.as_str()) && name.as_str() != "cookie"
            })
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body_bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
        model: text("model"),
        stream: call.body.get("stream").and_then(Value::as_bool),
        grant_type: text("grant_type"),
        last_user_text: record::last_user_text(&call.body),
        fault: None,
        worked: false,
        status: None,
    }
}
