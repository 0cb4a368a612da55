//! Has the credential of a run, and has it renewed.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use coffer_account::lease::{Mark, access_token};
use coffer_account::secret::Secret;
use coffer_gateway::api::Echoes;
use coffer_gateway::setup::{Credential, Keyholder, NoCredential, header};
use coffer_launch::launch::Injected;
use coffer_launch::run::{Resolve as _, ResolveError, SecretBytes};
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
    asking: Mutex<Asked>,
}

/// When it was last asked for anew after a refusal, and why there was none then.
#[derive(Default)]
struct Asked {
    last: Option<Instant>,
    failed: Option<NoCredential>,
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
        let keeper = RunKeeper { facts: &self.facts };
        let resolver = Resolver::new(&self.facts, &keeper);
        let reference = &self.injected.credential;
        let found = resolver.resolve(reference).map_err(none)?;
        match reference {
            Reference::Lease { .. } => {
                let end = Mark::of(&found).ok().and_then(|mark| mark.expires_at_ms);
                let token = access_token(&found)
                    .map_err(|error| none(ResolveError { reason: error.to_string(), hint: None }))?;
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
            fingerprint: format!("sha256:{fingerprint}").into(),
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

    fn refused(&self, credential: &Credential) -> Result<Option<Arc<Credential>>, NoCredential> {
        let mut asked = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let another =
            |present: Arc<Credential>| (present.fingerprint != credential.fingerprint).then_some(present);
        // Somebody has renewed it meanwhile.
        let known = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.as_ref().map(|known| known.credential.clone())
        };
        if let Some(another) = known.and_then(another) {
            return Ok(Some(another));
        }
        if !self.may_change() {
            return Ok(None);
        }
        // Whoever tries again at once hears the same.
        if asked.last.is_some_and(|last| last.elapsed() < AGAIN) {
            return asked.failed.clone().map_or(Ok(None), Err);
        }
        asked.last = Some(Instant::now());
        let renewed = self.asks_anew(credential).map(|present| present.and_then(another));
        asked.failed = renewed.as_ref().err().cloned();
        renewed
    }
}

/// Why there is none, with the command that mends it.
fn none(error: ResolveError) -> NoCredential {
    let ResolveError { reason, hint } = error;
    NoCredential { reason: hint.map_or(reason.clone(), |hint| format!("{reason}; {hint}")), transient: false }
}

impl Holder {
    /// Looks whether somebody outside has renewed it, or written another one down; else the keeper is asked.
    fn asks_anew(&self, refused: &Credential) -> Result<Option<Arc<Credential>>, NoCredential> {
        let present = self.renew()?;
        if present.fingerprint != refused.fingerprint {
            return Ok(Some(present));
        }
        let Reference::Lease { account, .. } = &self.injected.credential else { return Ok(None) };
        let keeper = RunKeeper { facts: &self.facts };
        keeper.renew_refused(account).map_err(none)?;
        self.renew().map(Some)
    }

    /// Whether asking again can bring another one: a variable stays what it was.
    fn may_change(&self) -> bool {
        matches!(
            self.injected.credential,
            Reference::Lease { .. } | Reference::AccountHelper { .. } | Reference::SettingsHelper { .. }
        )
    }
}
