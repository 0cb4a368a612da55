//! Has the credential of a run, and has it renewed.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use coffer_account::lease::{Mark, access_token};
use coffer_account::secret::Secret;
use coffer_gateway::api::Echoes;
use coffer_gateway::setup::{Credential, Keyholder, NoCredential, header};
use coffer_launch::launch::Injected;
use coffer_launch::run::{Resolve as _, SecretBytes};
use coffer_plan::facts::HostFacts;
use coffer_plan::plan::Reference;
use coffer_plan::sign_in::verify::ENDING_MS;
use http::HeaderName;
use sha2::{Digest as _, Sha256};

use crate::keeping::RunKeeper;
use crate::resolver::Resolver;

/// How soon after a refusal another one has the credential renewed again. An agent can ask for what is refused to
/// everybody as often as it likes.
const AGAIN: Duration = Duration::from_secs(300);

/// Has a credential.
pub(super) struct Holder {
    facts: HostFacts,
    injected: Injected,
    headers: Vec<HeaderName>,
    known: RwLock<Option<Known>>,
    /// One at a time asks anew; when it last did because the API had refused one.
    asking: Mutex<Option<Instant>>,
}

struct Known {
    credential: Arc<Credential>,
    good: Good,
    since: Instant,
}

/// For how long a credential is good.
enum Good {
    /// Until it is refused.
    Always,
    /// So long.
    For(Duration),
    /// Until shortly before this moment, Unix ms.
    Until(i64),
}

impl Holder {
    /// Of this credential; nothing is resolved yet.
    pub(super) fn new(facts: HostFacts, injected: Injected) -> Self {
        let headers = injected.how.headers.iter().filter_map(|name| name.parse().ok()).collect();
        Self { facts, injected, headers, known: RwLock::default(), asking: Mutex::default() }
    }

    /// Which credential it has.
    pub(super) fn injected(&self) -> &Injected {
        &self.injected
    }

    /// Resolves it now.
    fn resolve(&self) -> Result<(SecretBytes, Good), NoCredential> {
        let none = |reason: String, hint: Option<String>| NoCredential {
            reason: hint.map_or(reason.clone(), |hint| format!("{reason}; {hint}")),
            transient: false,
        };
        let keeper = RunKeeper { facts: &self.facts };
        let resolver = Resolver::new(&self.facts, &keeper);
        let reference = &self.injected.credential;
        let found = resolver.resolve(reference).map_err(|error| none(error.reason, error.hint))?;
        match reference {
            Reference::Lease { .. } => {
                let end = Mark::of(&found).ok().and_then(|mark| mark.expires_at_ms);
                let token = access_token(&found).map_err(|error| none(error.to_string(), None))?;
                Ok((SecretBytes::from(token.into_bytes()), end.map_or(Good::Always, Good::Until)))
            }
            Reference::AccountHelper { .. } | Reference::SettingsHelper { .. } => {
                Ok((found, Good::For(Duration::from_millis(self.injected.how.helper_ttl_ms))))
            }
            _ => Ok((found, Good::Always)),
        }
    }

    /// Resolves it anew and remembers it.
    fn renew(&self) -> Result<Arc<Credential>, NoCredential> {
        let (bytes, good) = self.resolve()?;
        let secret = Secret::new(bytes.to_vec());
        let unfit = |_| NoCredential {
            reason: format!(
                "the credential of the account `{}` has characters that no header has; `coffer account show {}`",
                self.injected.account, self.injected.account
            ),
            transient: false,
        };
        let headers =
            self.headers.iter().map(|name| Ok((name.clone(), header(name, &secret).map_err(unfit)?)));
        let hash = Sha256::digest(secret.expose());
        let fingerprint: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let credential = Arc::new(Credential {
            headers: headers.collect::<Result<_, _>>()?,
            echoes: Echoes::of(&secret),
            fingerprint: format!("sha256:{fingerprint}"),
        });
        let known = Known { credential: credential.clone(), good, since: Instant::now() };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(credential)
    }
}

impl Known {
    fn is_good(&self) -> bool {
        match self.good {
            Good::Always => true,
            Good::For(time) => self.since.elapsed() < time,
            Good::Until(end_ms) => end_ms.saturating_sub(coffer_host::now_ms()) > ENDING_MS,
        }
    }
}

impl Keyholder for Holder {
    fn at_hand(&self) -> Option<Arc<Credential>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| known.is_good()).map(|known| known.credential.clone())
    }

    fn current(&self) -> Result<Arc<Credential>, NoCredential> {
        let _one = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        match self.at_hand() {
            Some(credential) => Ok(credential),
            None => self.renew(),
        }
    }

    fn refused(&self, credential: &Credential) -> Result<Arc<Credential>, NoCredential> {
        let mut last = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody has renewed it meanwhile.
        let another = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let another = another.as_ref().map(|known| known.credential.clone());
        if let Some(another) = another.filter(|another| another.fingerprint != credential.fingerprint) {
            return Ok(another);
        }
        let same = || NoCredential {
            reason: format!(
                "the API refuses the credential of the account `{}`; `coffer status --account {}`",
                self.injected.account, self.injected.account
            ),
            transient: false,
        };
        if !self.may_change() || last.is_some_and(|last| last.elapsed() < AGAIN) {
            return Err(same());
        }
        *last = Some(Instant::now());
        // Somebody outside may have renewed it, or written another one down.
        let present = self.renew()?;
        if present.fingerprint != credential.fingerprint {
            return Ok(present);
        }
        let Reference::Lease { account, .. } = &self.injected.credential else { return Err(same()) };
        let keeper = RunKeeper { facts: &self.facts };
        let renewed = keeper.renew_refused(account);
        renewed.map_err(|error| NoCredential { reason: error.reason, transient: false })?;
        let renewed = self.renew()?;
        if renewed.fingerprint == credential.fingerprint { Err(same()) } else { Ok(renewed) }
    }
}

impl Holder {
    /// Whether asking again can bring another one: a variable stays what it was.
    fn may_change(&self) -> bool {
        matches!(
            self.injected.credential,
            Reference::Lease { .. } | Reference::AccountHelper { .. } | Reference::SettingsHelper { .. }
        )
    }
}
