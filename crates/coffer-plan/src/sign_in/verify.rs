//! What a login is worth: its shape, its place, what is on record about it, and the time become a verdict.
//!
//! The triggers and what each means for a run and for the keeper are one table ([`Cause::meaning`]), which
//! `run`, the keeper, `status` and `doctor` all read. Nothing here repeats a byte of the login.

use serde::{Deserialize, Serialize};

use super::shape::{LoginDetails, LoginShape};

pub use super::shape::fingerprint;

mod table;
#[cfg(test)]
mod tests;

pub use table::{Cause, Meaning, OnKeeper, OnRun};

/// From here on before its end an access token counts as ending: the client itself refreshes then
/// (measured: between 299 and 305 s).
pub const ENDING_MS: i64 = 300 * 1000;
/// From here on before its end a login is said to end soon.
pub const LOGIN_ENDS_SOON_MS: i64 = 7 * 24 * 3600 * 1000;
/// Permission bits that a login file should not have: all but reading and writing by its owner.
const WIDER_THAN_0600: u32 = 0o177;
/// Permission bits that a private folder should not have.
const WIDER_THAN_0700: u32 = 0o077;
/// Smallest `expiresAt` that can be a time in milliseconds (September 2001); less looks like seconds.
const LEAST_MS: i64 = 1_000_000_000_000;

/// Declares an enum with one spelling in JSON and for people.
macro_rules! spelt {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every one of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word itself.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

spelt! {
    /// Why a login wants attention.
    Trigger {
        /// No file, no key.
        MissingCredentials = "missing_credentials",
        /// Past its end and not to be renewed, or refused for good.
        TokenExpired = "token_expired",
        /// Empty, not JSON, wrong types, wiped.
        TokenCorrupted = "token_corrupted",
        /// A scope that is needed is missing.
        ScopeMismatch = "scope_mismatch",
        /// The login folder is not the one on record.
        NewVolume = "new_volume",
        /// Too wide a mode, a foreign owner, a link out of the account, or a revoked login.
        SecurityViolation = "security_violation",
    }
}

spelt! {
    /// What a credential is worth now.
    Verdict {
        /// It works.
        Ready = "ready",
        /// Its access token ends within minutes, or has ended and can be renewed.
        Expiring = "expiring",
        /// It is past the lifetime that its issuer states, and nobody can renew it: a token that a person
        /// made elsewhere ([`verify_token`]). A login file never gets this verdict.
        Expired = "expired",
        /// A person has to sign in.
        LoginNeeded = "login_needed",
    }
}

spelt! {
    /// Why a refresh token will not be tried again.
    RefusedBecause {
        /// The server said that the login was revoked.
        Revoked = "revoked",
        /// The login itself came to its end.
        Expired = "expired",
        /// The token had been used elsewhere.
        Reused = "reused",
    }
}

/// Owner and permission bits (the lower twelve) of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned {
    /// Its owner.
    pub uid: u32,
    /// Its permission bits.
    pub mode: u32,
}

/// Where a login lies, as far as that can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Who looks at it.
    pub own_uid: u32,
    /// The login file, when something is there.
    pub file: Option<Owned>,
    /// The login folder, where it is ours and has to be private (named accounts). The client's own folder
    /// is the user's affair.
    pub folder: Option<Owned>,
    /// Whether a link leads out of the account.
    pub leads_out: bool,
}

/// A refusal for good that is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedBefore<'a> {
    /// Fingerprint of the refresh token that was refused; another token is another chance.
    pub fingerprint: &'a str,
    /// Why.
    pub because: RefusedBecause,
}

/// Everything that a verdict depends on.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// What is in the file.
    pub shape: &'a LoginShape,
    /// Where it lies.
    pub place: Place,
    /// Whether the login folder is the one on record; `None` where nothing is on record.
    pub marker_matches: Option<bool>,
    /// The refusal that is on record, if there is one.
    pub refused: Option<RefusedBefore<'a>>,
    /// Scopes without which the login is of no use.
    pub demanded_scopes: &'a [String],
    /// The wall clock, Unix ms.
    pub now_ms: i64,
}

/// Something found: its cause, and words that hold nothing of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which row of the table.
    pub cause: Cause,
    /// What was seen.
    pub text: String,
}

impl Finding {
    fn new(cause: Cause, text: impl Into<String>) -> Self {
        Self { cause, text: text.into() }
    }
}

/// What a login is worth, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it is worth.
    pub verdict: Verdict,
    /// The weightiest trigger.
    pub trigger: Option<Trigger>,
    /// What a run does.
    pub run: OnRun,
    /// What the keeper does.
    pub keeper: OnKeeper,
    /// Everything that was found, the weightiest first.
    pub findings: Vec<Finding>,
    /// First clock: when the access token ends, Unix ms; `None` when it does not or no one can tell.
    pub access_expires_at_ms: Option<i64>,
    /// Second clock: when the login itself ends, Unix ms, where the file tells.
    pub login_expires_at_ms: Option<i64>,
    /// Whether the access token could be renewed: there is a refresh token, and the table lets the keeper
    /// spend it.
    pub renewable: bool,
}

impl Verified {
    /// The finding that decides, if there is one.
    pub fn decisive(&self) -> Option<&Finding> {
        self.findings.first().filter(|finding| finding.cause.meaning().trigger.is_some())
    }
}

/// Says what a login is worth. Pure: the same facts give the same verdict.
pub fn verify(seen: &Seen<'_>) -> Verified {
    let mut findings = place(&seen.place);
    findings.extend(content(seen));
    if seen.marker_matches == Some(false) {
        findings.push(Finding::new(Cause::OtherFolder, "the login folder is not the one on record"));
    }
    // The weightiest first; those of one weight stay in the order in which they were found.
    findings.sort_by_key(|finding| finding.cause);
    let details = seen.shape.details();
    let clock = details.map_or(Verdict::LoginNeeded, |details| by_clock(details, seen.now_ms));
    let decisive = findings.first().map(|finding| finding.cause.meaning());
    let keeper = findings.iter().map(|finding| finding.cause.meaning().keeper).max().unwrap_or_default();
    Verified {
        verdict: decisive.and_then(|meaning| meaning.verdict).unwrap_or(clock),
        trigger: decisive.and_then(|meaning| meaning.trigger),
        run: findings.iter().map(|finding| finding.cause.meaning().run).max().unwrap_or_default(),
        keeper,
        access_expires_at_ms: details.and_then(|details| details.expires_at_ms),
        login_expires_at_ms: details.and_then(|details| details.login_expires_at_ms),
        renewable: keeper.may_refresh() && details.is_some_and(|details| details.refresh_token),
        findings,
    }
}

fn place(place: &Place) -> Vec<Finding> {
    let mut findings = Vec::new();
    if place.leads_out {
        findings.push(Finding::new(Cause::LinkOut, "a symbolic link leads out of the account"));
    }
    for (what, owned, too_wide, aim) in
        [("file", place.file, WIDER_THAN_0600, "0600"), ("folder", place.folder, WIDER_THAN_0700, "0700")]
    {
        let Some(Owned { uid, mode }) = owned else { continue };
        if uid != place.own_uid {
            let text = format!("the login {what} belongs to uid {uid}, not to uid {}", place.own_uid);
            findings.push(Finding::new(Cause::ForeignOwner, text));
        }
        if mode & too_wide != 0 {
            let text = format!("the login {what} has the mode {:04o}, wider than {aim}", mode & 0o7777);
            findings.push(Finding::new(Cause::WideMode, text));
        }
    }
    findings
}

fn content(seen: &Seen<'_>) -> Vec<Finding> {
    let one = |cause, text: String| vec![Finding::new(cause, text)];
    match seen.shape {
        LoginShape::Missing => one(Cause::Missing, "there is no login file".to_owned()),
        LoginShape::SignedOut => one(Cause::Missing, "the login file holds no login".to_owned()),
        LoginShape::Unreadable { error } => one(Cause::Corrupted, format!("cannot be read: {error}")),
        LoginShape::Unusable { reason } => match &seen.refused {
            // The client empties the file when the server refuses: the refusal says why.
            Some(refused) if seen.shape.is_wiped() => vec![refusal(refused.because)],
            Some(_) | None => one(Cause::Corrupted, reason.clone()),
        },
        LoginShape::Login(details) => login(details, seen),
    }
}

fn refusal(because: RefusedBecause) -> Finding {
    match because {
        RefusedBecause::Revoked => Finding::new(Cause::Revoked, "the server said that it was revoked"),
        RefusedBecause::Expired => Finding::new(Cause::Refused, "the login itself came to its end"),
        RefusedBecause::Reused => {
            Finding::new(Cause::Refused, "its refresh token had been used elsewhere, and was refused")
        }
    }
}

fn login(details: &LoginDetails, seen: &Seen<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (Some(refused), Some(own)) = (&seen.refused, &details.fingerprint)
        && refused.fingerprint == own
    {
        findings.push(refusal(refused.because));
    }
    let missing = seen.demanded_scopes.iter().filter(|scope| !details.scopes.contains(scope));
    let missing: Vec<String> = missing.map(|scope| format!("`{scope}`")).collect();
    match missing.as_slice() {
        [] => {}
        [one] => findings.push(Finding::new(Cause::Scope, format!("the scope {one} is missing"))),
        many => {
            findings.push(Finding::new(Cause::Scope, format!("the scopes {} are missing", many.join(", "))));
        }
    }
    let left = |end: i64| end.saturating_sub(seen.now_ms);
    let access = details.expires_at_ms.map(left);
    let whole = details.login_expires_at_ms.map(left);
    let ended = access.is_some_and(|left| left <= 0);
    match (ended, details.refresh_token) {
        (true, false) => {
            let text = format!("the access token ended {}, and there is no refresh token", ago(access));
            findings.push(Finding::new(Cause::Ended, text));
        }
        (true, true) if whole.is_some_and(|left| left <= 0) => {
            findings.push(Finding::new(Cause::Ended, format!("the login itself ended {}", ago(whole))));
        }
        (_, true) => {}
        (false, false) => {
            findings.push(Finding::new(Cause::NotRenewable, "without a refresh token it cannot be renewed"));
        }
    }
    if whole.is_some_and(|left| left < LOGIN_ENDS_SOON_MS) && !ended {
        findings.push(Finding::new(Cause::LoginEndsSoon, "the login itself ends within a week"));
    }
    if details.expires_at_ms.is_some_and(|end| end < LEAST_MS) {
        let text = "`expiresAt` is no time in milliseconds; it counts as ended";
        findings.push(Finding::new(Cause::OddEnd, text));
    }
    findings
}

/// What the clocks alone say.
fn by_clock(details: &LoginDetails, now_ms: i64) -> Verdict {
    match details.expires_at_ms {
        Some(end) if end.saturating_sub(now_ms) < ENDING_MS => Verdict::Expiring,
        Some(_) | None => Verdict::Ready,
    }
}

fn ago(left_ms: Option<i64>) -> String {
    match left_ms.unwrap_or_default().saturating_neg() / 1000 {
        seconds @ ..120 => format!("{seconds} s ago"),
        seconds @ 120..7200 => format!("{} min ago", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

/// What a sealed key or token is worth, for accounts without a login file. `lifetime_ms` is what its issuer
/// states, counted from `made_at_ms`; since nobody knows when it was really made, an end by that count is
/// said and stops nothing.
pub fn verify_token(is_there: bool, made_at_ms: i64, lifetime_ms: Option<i64>, now_ms: i64) -> Verified {
    let end = lifetime_ms.map(|lifetime| made_at_ms.saturating_add(lifetime));
    let left = end.map(|end| end.saturating_sub(now_ms));
    let (verdict, finding) = match (is_there, left) {
        (false, _) => (Verdict::LoginNeeded, Some(Finding::new(Cause::Missing, "there is no key or token"))),
        (true, Some(left)) if left <= 0 => {
            let text = "the token is older than the lifetime that its issuer states";
            (Verdict::Expired, Some(Finding::new(Cause::OldToken, text)))
        }
        (true, Some(left)) if left < LOGIN_ENDS_SOON_MS => {
            (Verdict::Expiring, Some(Finding::new(Cause::LoginEndsSoon, "the token ends within a week")))
        }
        (true, Some(_) | None) => (Verdict::Ready, None),
    };
    let meaning = finding.as_ref().map(|finding| finding.cause.meaning());
    Verified {
        verdict,
        trigger: meaning.and_then(|meaning| meaning.trigger),
        run: meaning.map(|meaning| meaning.run).unwrap_or_default(),
        keeper: OnKeeper::Nothing,
        findings: finding.into_iter().collect(),
        access_expires_at_ms: None,
        login_expires_at_ms: end,
        renewable: false,
    }
}
