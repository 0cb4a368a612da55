//! Connections to the API: kept alive, a few for each thread.

use std::io;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use coffer_plan::host::{Endpoint, Host};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::request::{Outgoing, Room};
use crate::dial::Dialer;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::setup::{Setup, Upstream};

/// How far the buffer of a connection to the API may grow, in bytes. It stays that large while nobody uses it.
const MOST_BUFFERED: usize = 64 * 1024;
/// How much of all requests of one thread is kept for a second try, in bytes.
const KEPT_OF_ALL: usize = 32 * 1024 * 1024;

/// Connections to the API that one thread keeps.
pub struct Upstreams {
    setup: Arc<Setup>,
    pool: Pool<Outgoing>,
    room: Rc<Room>,
    /// What each request says in `Host`; `None` where nothing can be said.
    host: Option<HeaderValue>,
    /// What allows them, for the record.
    rule: Arc<str>,
}

impl Upstreams {
    /// None yet.
    pub fn new(setup: &Arc<Setup>) -> Self {
        let authority = setup.injection.as_ref().map(|injection| injection.upstream.authority());
        Self {
            setup: setup.clone(),
            pool: Pool::default(),
            room: Rc::new(Room::new(KEPT_OF_ALL)),
            host: authority.and_then(|authority| authority.try_into().ok()),
            rule: "the account's API".into(),
        }
    }

    /// What a request says in `Host`.
    pub(super) fn host(&self) -> Result<HeaderValue, Refusal> {
        let nobody = Refusal::Malformed { reason: "it names no host", status: StatusCode::BAD_REQUEST };
        self.host.clone().ok_or(nobody)
    }

    /// What allows requests, in words.
    pub(super) fn rule(&self) -> Arc<str> {
        self.rule.clone()
    }

    /// What all requests of the thread may keep.
    pub(super) fn room(&self) -> Rc<Room> {
        self.room.clone()
    }

    /// Sends a request on a connection that is free, or else on a new one.
    pub(super) async fn send(
        &self,
        dialer: &Dialer,
        upstream: &Upstream,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, Refusal> {
        let connect = async || self.connect(dialer, upstream).await;
        self.pool.send(&upstream.endpoint, request, connect).await
    }

    async fn connect(&self, dialer: &Dialer, upstream: &Upstream) -> Result<SendRequest<Outgoing>, Refusal> {
        let unreachable = |reason: String| Refusal::Unreachable {
            endpoint: upstream.endpoint.to_string(),
            reason,
            timed_out: false,
        };
        let stream = dialer.connect(&upstream.endpoint, upstream.ranges).await?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MOST_BUFFERED);
        if !upstream.tls {
            let shaken = builder.handshake(TokioIo::new(stream)).await;
            let (sender, connection) = shaken.map_err(|error| unreachable(error.to_string()))?;
            tokio::task::spawn_local(connection);
            return Ok(sender);
        }
        let config = self.setup.tls().map_err(|error| unreachable(error.to_string()))?;
        let name = server_name(&upstream.endpoint).map_err(|error| unreachable(error.to_string()))?;
        let greeting = TlsConnector::from(config).connect(name, stream);
        let stream = tokio::time::timeout(self.setup.limits.connect_time, greeting)
            .await
            .map_err(|_| Refusal::Unreachable {
                endpoint: upstream.endpoint.to_string(),
                reason: "its TLS handshake took too long".to_owned(),
                timed_out: true,
            })?
            .map_err(|error| unreachable(format!("TLS: {error}")))?;
        let shaken = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| unreachable(error.to_string()))?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }
}

fn server_name(endpoint: &Endpoint) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    match &endpoint.host {
        Host::Address(address) => Ok(ServerName::IpAddress((*address).into())),
        Host::Name(name) => ServerName::try_from(name.clone()),
    }
}

/// How TLS is spoken, made when it is first needed.
#[derive(Default)]
pub struct Tls(OnceLock<Result<Arc<ClientConfig>, String>>);

impl Tls {
    /// With the system's certificate authorities and these. Nothing switches verification off.
    pub(crate) fn get(&self, more: &[CertificateDer<'static>]) -> io::Result<Arc<ClientConfig>> {
        let made = self.0.get_or_init(|| config(more));
        made.clone().map_err(io::Error::other)
    }
}

fn config(more: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    // Some of the system's may be of no use; the others are taken all the same.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for root in more {
        roots.add(root.clone()).map_err(|error| format!("a configured certificate authority: {error}"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
