//! What a gateway is told before it serves: whom the sandbox may reach, which credential goes where, and how much it
//! may take.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use coffer_account::secret::Secret;
use coffer_plan::host::{Endpoint, Host, HostPattern};
use http::{HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;
use subtle::ConstantTimeEq as _;

use crate::record::Record;

/// What is behind a listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// The forward proxy: CONNECT, and absolute-form HTTP.
    Proxy,
    /// The API, with the credential put in.
    Api,
    /// One service of the host; bytes go through as they are.
    Forward(SocketAddr),
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
    pub origin: String,
    /// To which addresses its name may lead.
    pub ranges: Ranges,
}

/// To which addresses a name may lead. Each allows what stands before it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ranges {
    /// Addresses of the open internet.
    Public,
    /// And of private networks (RFC 1918, CGNAT, unique local): the user has named exactly this host.
    Private,
    /// And of this machine and its link: the user has given the address itself, or it is an account's own base URL.
    Any,
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

/// How much a sandbox may take of its gateway.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; one more waits for the end of another.
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
    pub endpoint: Endpoint,
    /// What stands before each path; empty, or beginning with `/` and not ending in one.
    pub prefix: String,
    /// To which addresses its name may lead.
    pub ranges: Ranges,
}

/// A word that only one run knows. It is compared in constant time and cannot be printed.
pub struct Capability(Secret);

impl Capability {
    /// This word.
    pub fn new(word: Secret) -> Self {
        Self(word)
    }

    /// Whether somebody has it.
    pub fn is(&self, shown: &[u8]) -> bool {
        self.0.expose().ct_eq(shown).into()
    }
}

/// Has a credential, and may have it renewed. Its calls may block.
pub trait Keyholder: Send + Sync {
    /// The credential as it is now.
    ///
    /// # Errors
    /// When there is none to be had; the words are for the agent's user and name the command to type.
    fn current(&self) -> Result<Arc<Credential>, NoCredential>;

    /// The API has refused this one with 401: another one, if it can be had.
    ///
    /// # Errors
    /// When it cannot.
    fn refused(&self, credential: &Credential) -> Result<Arc<Credential>, NoCredential>;
}

/// What is put into a request.
pub struct Credential {
    /// The headers; their values are marked as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The secret itself, which must not come back in a response.
    pub secret: Secret,
    /// By which it is named in records: `sha256:` and twelve hex digits.
    pub fingerprint: String,
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
