//! What a gateway is told before it serves: whom the sandbox may reach, which credential goes where, and how much it
//! may take.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use coffer_account::secret::Secret;
use coffer_plan::host::{Endpoint, Host, HostPattern, HostRule};
pub use coffer_plan::plan::Ranges;
use http::{HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::api::{Echoes, Tls};
use crate::record::Record;

/// What is behind a listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// The forward proxy: CONNECT, and absolute-form HTTP.
    Proxy,
    /// The API, with the credential put in.
    Api,
    /// One service of the host's loopback; bytes go through as they are.
    Forward(u16),
    /// A port of the sandbox, from the host's loopback.
    Publish(u16),
}

/// Everything that a gateway needs to know.
pub struct Setup {
    /// Whom the sandbox may reach.
    pub reach: Reach,
    /// Names that mean another address (`[upstream]` of the user's configuration); no range is refused for them.
    pub overrides: BTreeMap<Host, Vec<SocketAddr>>,
    /// Certificate authorities that count besides the system's.
    pub more_roots: Vec<CertificateDer<'static>>,
    /// The credential, and where it goes.
    pub injection: Option<Injection>,
    /// How much the sandbox may take.
    pub limits: Limits,
    /// Who writes down what is decided.
    pub record: Arc<dyn Record>,
    /// Who makes sockets that connect inside; missing where nothing is published.
    pub inside: Option<Arc<dyn Inside>>,
    /// The run whose gateway it is, if it is a run's.
    pub run: Option<String>,
    /// How TLS is spoken; made when it is needed.
    pub tls: Tls,
}

impl Setup {
    /// How TLS is spoken: with the system's certificate authorities, and those of this setup.
    ///
    /// # Errors
    /// When one of the configured ones does not read.
    pub fn tls(&self) -> std::io::Result<Arc<rustls::ClientConfig>> {
        self.tls.get(&self.more_roots)
    }

    /// The command that would let this one through.
    pub fn how_to_allow(&self, endpoint: &Endpoint) -> String {
        let rule = HostRule { host: HostPattern::Exact(endpoint.host.clone()), port: endpoint.port };
        match &self.run {
            Some(run) => format!("`coffer allow {rule} --run {run}`"),
            None => format!("`coffer allow {rule}`"),
        }
    }
}

/// Whom a sandbox may reach. `coffer allow --run` adds to it while it is in use.
#[derive(Debug, Default)]
pub struct Reach {
    /// Everybody, and each is recorded (tier `learn`); addresses of private ranges are refused all the same.
    pub open: bool,
    rules: RwLock<Vec<Rule>>,
}

/// Somebody who may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Who.
    pub pattern: HostPattern,
    /// At which port.
    pub port: u16,
    /// Who said so, in words.
    pub origin: Arc<str>,
    /// To which addresses its name may lead.
    pub ranges: Ranges,
}

impl Reach {
    /// With these rules.
    pub fn listed(rules: Vec<Rule>) -> Self {
        Self { open: false, rules: RwLock::new(rules) }
    }

    /// Everybody.
    pub fn everybody(rules: Vec<Rule>) -> Self {
        Self { open: true, rules: RwLock::new(rules) }
    }

    /// Adds a rule; what asks from now on is measured by it.
    pub fn add(&self, rule: Rule) {
        self.rules.write().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    /// The rule by which an endpoint may be reached; of several, the one that allows most addresses.
    pub fn rule(&self, endpoint: &Endpoint) -> Option<Rule> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let fits = |rule: &&Rule| rule.port == endpoint.port && rule.pattern.matches(&endpoint.host);
        rules.iter().filter(fits).max_by_key(|rule| rule.ranges).cloned()
    }
}

/// Makes sockets that belong to the sandbox's network. Its call may block for a moment.
pub trait Inside: Send + Sync {
    /// One of version 4 and one of version 6, not connected, not blocking.
    ///
    /// # Errors
    /// When the sandbox is gone.
    fn sockets(&self) -> std::io::Result<[std::os::fd::OwnedFd; 2]>;
}

/// How much a sandbox may take of its gateway.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once at each door; one more waits for the end of another.
    pub connections: usize,
    /// How long the head of a request may take.
    pub head_time: Duration,
    /// How long the head of a request may be, in bytes.
    pub head_bytes: usize,
    /// How long a connection to a host may take to come about.
    pub connect_time: Duration,
    /// How much of a request is kept to be sent a second time after a renewal, in bytes.
    pub kept_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head_time: Duration::from_secs(30),
            head_bytes: 256 * 1024,
            connect_time: Duration::from_secs(20),
            kept_bytes: 8 * 1024 * 1024,
        }
    }
}

/// A credential that is put into requests of the sandbox.
pub struct Injection {
    /// The API behind the door.
    pub upstream: Upstream,
    /// What the sandbox has to show in place of the credential.
    pub capability: Capability,
    /// Headers by which a credential could come from inside: none of them gets out.
    pub strip: Vec<HeaderName>,
    /// Query parameters by which one could.
    pub strip_query: Vec<String>,
    /// Who has the credential.
    pub keyholder: Arc<dyn Keyholder>,
}

/// An API: `https://HOST[:PORT][/PATH]`, or plain `http` where the user's configuration says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Where.
    pub endpoint: Arc<Endpoint>,
    /// What stands before each path; empty, or beginning with `/` and not ending in one.
    pub prefix: String,
    /// To which addresses its name may lead.
    pub ranges: Ranges,
}

impl Upstream {
    /// Reads `http[s]://HOST[:PORT][/PATH]`.
    ///
    /// # Errors
    /// In words, when it is something else: with a user, a query, or another scheme.
    pub fn read(url: &str, ranges: Ranges) -> Result<Self, &'static str> {
        let url = url::Url::parse(url).map_err(|_| "it is no address")?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err("it is neither `https` nor `http`"),
        };
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err("an address of an API has no user, no query and no fragment");
        }
        let host = url.host_str().and_then(|host| host.parse().ok()).ok_or("it names no host")?;
        let port = url.port_or_known_default().ok_or("it names no port")?;
        let prefix = url.path().trim_end_matches('/').to_owned();
        Ok(Self { tls, endpoint: Arc::new(Endpoint { host, port }), prefix, ranges })
    }

    /// What a request to it says in `Host`.
    pub fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        match self.endpoint.port {
            port if port == usual => self.endpoint.host.to_string(),
            _ => self.endpoint.to_string(),
        }
    }
}

/// A word that only one run knows, or the holder of a token. It is compared in constant time and cannot be printed.
pub struct Capability(Known);

enum Known {
    Word(Secret),
    /// SHA-256 of the word: nobody else knows more of a token.
    Hash([u8; 32]),
}

impl Capability {
    /// This word.
    pub fn new(word: Secret) -> Self {
        Self(Known::Word(word))
    }

    /// The word with this hash (SHA-256).
    pub fn hashed(sha256: [u8; 32]) -> Self {
        Self(Known::Hash(sha256))
    }

    /// Whether somebody has it.
    pub fn is(&self, shown: &[u8]) -> bool {
        match &self.0 {
            Known::Word(word) => word.expose().ct_eq(shown).into(),
            Known::Hash(hash) => Sha256::digest(shown)[..].ct_eq(&hash[..]).into(),
        }
    }
}

/// Has a credential, and may have it renewed.
pub trait Keyholder: Send + Sync {
    /// The credential, if it is at hand: never blocks.
    fn at_hand(&self) -> Option<Arc<Credential>>;

    /// The credential as it is now. May block.
    ///
    /// # Errors
    /// When there is none to be had; the words are for the agent's user and name the command to type.
    fn current(&self) -> Result<Arc<Credential>, NoCredential>;

    /// The API has refused this one with 401: another one, or `None` where there is none and nobody knows more than the
    /// API says. May block; of many who call it at once about one credential, one has it renewed.
    ///
    /// # Errors
    /// When it cannot.
    fn refused(&self, credential: &Credential) -> Result<Option<Arc<Credential>>, NoCredential>;
}

/// What is put into a request.
pub struct Credential {
    /// The headers; their values are marked as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What must not come back in a response.
    pub echoes: Echoes,
    /// By which it is named in records: `sha256:` and twelve hex digits.
    pub fingerprint: Arc<str>,
}

/// How a credential is said in a header, by whose name that is: `Authorization` says `Bearer` first.
///
/// # Errors
/// When it has characters that no header has.
pub fn header(name: &HeaderName, secret: &Secret) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(secret.expose().len() + 7));
    if name == http::header::AUTHORIZATION {
        bytes.extend_from_slice(b"Bearer ");
    }
    bytes.extend_from_slice(secret.expose());
    let mut value = HeaderValue::from_bytes(&bytes)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why there is no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NoCredential {
    /// In words, with the command that mends it, without any secret.
    pub reason: String,
    /// Whether it may work later.
    pub transient: bool,
}
