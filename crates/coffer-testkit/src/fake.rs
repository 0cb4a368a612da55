//! A practice API and token server on loopback.
//!
//! It speaks as much of the protocol as the genuine CLI needs to sign in, refresh and get an answer, knows which
//! credentials it has issued, refuses all others, and writes down every request. It runs on a thread of its own,
//! so that blocking tests and `coffer try` can use it alike.

mod authorize;
mod deliver;
mod gemini;
mod messages;
mod record;
mod route;
mod script;
mod serve;
mod tap;
mod tls;
mod tokens;

use std::fs::OpenOptions;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

pub use messages::Answer;
pub use record::{RequestRecord, SeenCredential, fingerprint};
pub use script::{Fault, Gate, Rule};
pub use tap::Tap;
pub use tokens::{IssuedLogin, LoginSpec};

use serve::Shared;
use tls::Tls;
use tokens::{TokenBook, TokenRules};

const ACCOUNT_UUID: &str = "00000000-0000-4000-8000-000000000001";
const ACCOUNT_EMAIL: &str = "practice@example.invalid";
const ORGANIZATION_UUID: &str = "00000000-0000-4000-8000-000000000002";
const ORGANIZATION_NAME: &str = "Practice";

/// Why the fake server could not start.
#[derive(Debug, thiserror::Error)]
pub enum FakeError {
    /// An address that others could reach was asked for.
    #[error("refusing to listen on `{0}`: the practice api is for loopback only")]
    NotLoopback(SocketAddr),
    /// The address could not be bound.
    #[error("cannot listen on `{0}`")]
    Bind(SocketAddr, #[source] std::io::Error),
    /// The log or the CA file could not be written.
    #[error("cannot write `{}`", .0.display())]
    Write(PathBuf, #[source] std::io::Error),
    /// The practice CA could not be made.
    #[error("cannot make the practice certificates")]
    Certificate(#[from] rcgen::Error),
    /// The TLS configuration was refused.
    #[error("cannot set up tls")]
    Tls(#[from] rustls::Error),
    /// No random bytes for the made-up tokens.
    #[error("cannot get random bytes: {0}")]
    Random(getrandom::Error),
    /// The server's thread or runtime could not be started.
    #[error("cannot start the practice api's thread")]
    Thread(#[source] std::io::Error),
}

/// Settings of a [`FakeApi`] that is yet to start.
#[derive(Debug, Clone)]
pub struct FakeApiBuilder {
    plain: SocketAddr,
    tls: Option<SocketAddr>,
    tls_names: Vec<String>,
    ca_out: Option<PathBuf>,
    log: Option<PathBuf>,
    answer: Answer,
    rules: TokenRules,
    seed: Option<[u8; 16]>,
    tap: Option<Tap>,
}

impl FakeApiBuilder {
    /// Listens for plain HTTP here instead of on a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.plain = address;
        self
    }

    /// Listens for TLS too, on a free port of 127.0.0.1 for port 0.
    #[must_use]
    pub fn tls(mut self, address: SocketAddr) -> Self {
        self.tls = Some(address);
        self
    }

    /// Adds a name to the server certificate.
    #[must_use]
    pub fn tls_name(mut self, name: &str) -> Self {
        self.tls_names.push(name.to_owned());
        self
    }

    /// Writes the CA certificate (PEM) to this file; takes effect with [`Self::tls`].
    #[must_use]
    pub fn ca_out(mut self, path: &Path) -> Self {
        self.ca_out = Some(path.to_owned());
        self
    }

    /// Appends a JSON line per request to this file (created 0600).
    #[must_use]
    pub fn log(mut self, path: &Path) -> Self {
        self.log = Some(path.to_owned());
        self
    }

    /// What is answered when no answer is queued.
    #[must_use]
    pub fn answer(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    /// Life of new access tokens (default 28,800 s, as the real ones).
    #[must_use]
    pub fn access_ttl(mut self, ttl: Duration) -> Self {
        self.rules.access_ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        self
    }

    /// Whether the second use of a refresh token revokes the whole family (default no).
    #[must_use]
    pub fn revoke_family_on_reuse(mut self, revoke: bool) -> Self {
        self.rules.revoke_family_on_reuse = revoke;
        self
    }

    /// Whether a refresh ends the earlier access tokens (default no).
    #[must_use]
    pub fn refresh_ends_old_access(mut self, ends: bool) -> Self {
        self.rules.refresh_ends_old_access = ends;
        self
    }

    /// Makes the same tokens as every other server with this seed, in the order in which they are asked for.
    #[must_use]
    pub fn seed(mut self, seed: [u8; 16]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Shows each request as it came, credentials included, to whoever looks for something in it.
    #[must_use]
    pub fn tap(mut self, tap: Tap) -> Self {
        self.tap = Some(tap);
        self
    }

    /// Binds and starts to serve.
    ///
    /// # Errors
    /// An address that is not loopback or not free, files that cannot be written, and whatever [`FakeError`] names.
    pub fn start(self) -> Result<FakeApi, FakeError> {
        let plain = bind(self.plain)?;
        let tls = match self.tls {
            Some(address) => Some((bind(address)?, Tls::generate(&self.tls_names)?)),
            None => None,
        };
        let addr = local(&plain, self.plain)?;
        let tls_addr = tls.as_ref().map(|(listener, _)| local(listener, addr)).transpose()?;
        let ca_pem = tls.as_ref().map(|(_, tls)| tls.ca_pem.clone());
        if let (Some(path), Some(pem)) = (&self.ca_out, &ca_pem) {
            std::fs::write(path, pem).map_err(|error| FakeError::Write(path.clone(), error))?;
        }
        let log = match &self.log {
            Some(path) => Some(
                OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .open(path)
                    .map_err(|error| FakeError::Write(path.clone(), error))?,
            ),
            None => None,
        };
        let seed = match self.seed {
            Some(seed) => seed,
            None => random()?,
        };
        let shared = Arc::new(Shared::new(TokenBook::new(self.rules, seed), self.answer, log, self.tap));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(FakeError::Thread)?;
        let (stop, stopped) = watch::channel(false);
        let served = Arc::clone(&shared);
        let tls = tls.map(|(listener, tls)| (listener, tls.config));
        let thread = std::thread::Builder::new()
            .name("fake-api".to_owned())
            .spawn(move || runtime.block_on(serve::run(served, plain, tls, stopped)))
            .map_err(FakeError::Thread)?;
        Ok(FakeApi { shared, addr, tls_addr, ca_pem, stop, thread: Some(thread) })
    }
}

fn random() -> Result<[u8; 16], FakeError> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).map_err(FakeError::Random)?;
    Ok(seed)
}

fn bind(address: SocketAddr) -> Result<TcpListener, FakeError> {
    if !address.ip().is_loopback() {
        return Err(FakeError::NotLoopback(address));
    }
    let listener = TcpListener::bind(address).map_err(|error| FakeError::Bind(address, error))?;
    listener.set_nonblocking(true).map_err(|error| FakeError::Bind(address, error))?;
    Ok(listener)
}

fn local(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr, FakeError> {
    listener.local_addr().map_err(|error| FakeError::Bind(asked, error))
}

/// A running practice API. Dropping it closes its sockets and ends its thread.
#[derive(Debug)]
pub struct FakeApi {
    shared: Arc<Shared>,
    addr: SocketAddr,
    tls_addr: Option<SocketAddr>,
    ca_pem: Option<String>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl FakeApi {
    /// A server on a free port of 127.0.0.1, plain HTTP only, unless told otherwise.
    #[must_use]
    pub fn builder() -> FakeApiBuilder {
        FakeApiBuilder {
            plain: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            tls: None,
            tls_names: Vec::new(),
            ca_out: None,
            log: None,
            answer: Answer::default(),
            rules: TokenRules {
                access_ttl: 28_800,
                revoke_family_on_reuse: false,
                refresh_ends_old_access: false,
            },
            seed: None,
            tap: None,
        }
    }

    /// Where plain HTTP is served.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where TLS is served.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_addr
    }

    /// `http://127.0.0.1:PORT`, fit for `ANTHROPIC_BASE_URL`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The CA that clients of the TLS side must trust (PEM).
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// All requests so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.lock().records.clone()
    }

    /// Blocks until the requests so far satisfy `predicate`; false if they do not within `limit`.
    ///
    /// A request appears when it has arrived in full, changes when its work is done, and when its answer begins.
    pub fn wait_for(&self, limit: Duration, predicate: impl FnMut(&[RequestRecord]) -> bool) -> bool {
        self.shared.wait_for(limit, predicate)
    }

    /// Keeps the bodies of all requests from now on; call it before the first one.
    pub fn keep_bodies(&self) {
        self.shared.lock().bodies = Some(Vec::new());
    }

    /// The bodies of the requests so far, in the order of [`Self::requests`].
    #[must_use]
    pub fn bodies(&self) -> Vec<bytes::Bytes> {
        self.shared.lock().bodies.clone().unwrap_or_default()
    }

    /// Lets a later request fail.
    pub fn script(&self, rule: Rule) {
        self.shared.lock().script.push(rule);
    }

    /// Queues an answer; each is used once, before the default answer.
    pub fn queue_answer(&self, answer: Answer) {
        self.shared.lock().answers.push_back(answer);
    }

    /// A new sign-in.
    #[must_use]
    pub fn issue_login(&self, spec: &LoginSpec) -> IssuedLogin {
        self.shared.lock().tokens.issue(spec, serve::now_ms())
    }

    /// A one-time code for the `authorization_code` grant; with a challenge, its verifier must match (PKCE, S256).
    #[must_use]
    pub fn issue_code(&self, spec: LoginSpec, challenge: Option<&str>) -> String {
        self.shared.lock().tokens.issue_code(spec, challenge.map(str::to_owned))
    }

    /// A new API key (`sk-ant-api03-FAKE-…`), good until revoked.
    #[must_use]
    pub fn add_api_key(&self) -> String {
        self.shared.lock().tokens.issue_key("sk-ant-api03")
    }

    /// A new key for the Gemini API (`GEMINI_API_KEY`), good until revoked.
    #[must_use]
    pub fn add_gemini_key(&self) -> String {
        self.shared.lock().tokens.issue_key("AIza")
    }

    /// A new token for `ANTHROPIC_AUTH_TOKEN`, good until revoked.
    #[must_use]
    pub fn add_auth_token(&self) -> String {
        self.shared.lock().tokens.issue_key("gateway")
    }

    /// Spends a refresh token as another client would: the new login, or nothing when it was dead.
    #[must_use]
    pub fn rotate(&self, refresh_token: &str) -> Option<IssuedLogin> {
        self.shared.lock().tokens.refresh(refresh_token, serve::now_ms()).ok()
    }

    /// Whether this refresh token could still be spent; asking spends nothing.
    #[must_use]
    pub fn is_spendable(&self, refresh_token: &str) -> bool {
        self.shared.lock().tokens.is_spendable(refresh_token, serve::now_ms())
    }

    /// Whether an API call with this credential would be answered.
    #[must_use]
    pub fn accepts(&self, credential: &str) -> bool {
        self.shared.lock().tokens.accepts(credential, serve::now_ms()).is_ok()
    }

    /// Revokes an API key, or everything that grew from the sign-in of this token; false if it is unknown.
    pub fn revoke(&self, credential: &str) -> bool {
        self.shared.lock().tokens.revoke(credential)
    }

    /// Ends an access token now; its refresh token stays good. False if it is unknown.
    pub fn expire(&self, access_token: &str) -> bool {
        self.shared.lock().tokens.expire(access_token)
    }

    /// The first failure to write the log file, if there was one.
    #[must_use]
    pub fn log_error(&self) -> Option<String> {
        self.shared.lock().log_error.clone()
    }
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread was printed there already.
            let _ = thread.join();
        }
    }
}
