//! Tokens of the gateway that stands alone: each lets its holder use one account, until its end. Of a token nothing is
//! kept but its hash.
//!
//! ```text
//! <data>/gateway/
//!   tokens.json   what each token stands for
//!   lock          held by whoever changes it
//! ```

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::host::HostRule;
use coffer_plan::plan::NetworkTier;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::disk::open_folder;
use crate::layout::AccountName;
use crate::lock::{AccountLock, LockError};
use crate::private;
use crate::read::{self, Unread};
use crate::replace::ReplaceError;
use crate::secret::Secret;

mod kept;
#[cfg(test)]
mod tests;

pub use kept::Kept;

/// How a token begins: whoever finds one somewhere shall know what it is.
pub const MARK: &str = "coffer-token-";
/// How the id of a token begins.
pub const ID_MARK: &str = "tk-";
/// Format number of the file.
const SCHEMA: u32 = 1;
/// The file.
const FILE: &str = "tokens.json";
/// The lock.
const LOCK: &str = "lock";
/// Largest file that is read, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// The most tokens; each is compared with what is shown.
const MOST: usize = 256;
/// How long another one may take to change the file.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// By which it is named everywhere.
    pub id: String,
    /// The hash of the word.
    pub sha256: TokenHash,
    /// What it is for, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The account that it uses.
    pub account: AccountName,
    /// Whom it may reach: `agent` or `dev`.
    pub network: NetworkTier,
    /// And whom besides.
    #[serde(default)]
    pub allow: Vec<HostRule>,
    /// When it was made, Unix ms.
    pub created_at_ms: i64,
    /// When it ends, Unix ms.
    pub ends_at_ms: i64,
}

/// What a token is worth at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It counts.
    Good,
    /// It has ended.
    Ended,
    /// It will be made only later, says the clock: it was set back, and would let the token live longer.
    TooEarly,
}

impl Token {
    /// What it is worth now.
    pub fn worth(&self, now_ms: i64) -> Worth {
        if now_ms >= self.ends_at_ms {
            Worth::Ended
        } else if now_ms < self.created_at_ms {
            Worth::TooEarly
        } else {
            Worth::Good
        }
    }
}

/// SHA-256 of a token. The token itself is 256 random bits: nobody finds it by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of this word.
    pub fn of(word: &[u8]) -> Self {
        Self(Sha256::digest(word).into())
    }

    /// Whether it is the same, in constant time.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hex(&hash.0)
    }
}

impl TryFrom<String> for TokenHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let wrong = "expected 64 hex digits";
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong);
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(at * 2..at * 2 + 2).ok_or(wrong)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong)?;
        }
        Ok(Self(bytes))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a new token shall stand for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is for.
    pub label: Option<String>,
    /// The account.
    pub account: AccountName,
    /// Whom it may reach.
    pub network: NetworkTier,
    /// And whom besides.
    pub allow: Vec<HostRule>,
    /// How long, in ms.
    pub ttl_ms: i64,
}

/// Why tokens could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// They cannot be read.
    #[error("cannot read the tokens in `{path}`: {reason}")]
    Unread {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        reason: Unread,
    },
    /// What is there are no tokens; it is never taken for none.
    #[error("`{path}` holds no tokens: {reason}")]
    Broken {
        /// The file.
        path: Utf8PathBuf,
        /// Why, without anything of its content.
        reason: String,
    },
    /// Others could have written or read them.
    #[error("`{path}` is not yours alone ({what})")]
    Open {
        /// The file.
        path: Utf8PathBuf,
        /// Its owner or its mode.
        what: String,
    },
    /// There is no such token.
    #[error("there is no token `{id}`")]
    Unknown {
        /// What was said.
        id: String,
    },
    /// There are too many.
    #[error("there are {MOST} tokens already, and none of them has ended")]
    Full,
    /// No random numbers.
    #[error("there are no random numbers")]
    NoRandom,
    /// The folder cannot be made.
    #[error("cannot make `{path}`")]
    Folder {
        /// The folder.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else is at it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file could not be replaced; the old one is still there.
    #[error(transparent)]
    Write(#[from] ReplaceError),
}

/// The file, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    schema: u32,
    tokens: Vec<Token>,
}

/// The tokens of a data folder.
#[derive(Debug, Clone)]
pub struct Tokens {
    folder: Utf8PathBuf,
}

impl Tokens {
    /// Below this data folder.
    pub fn of(data: &Utf8Path) -> Self {
        Self { folder: data.join("gateway") }
    }

    /// The folder, private; made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self) -> Result<&Utf8Path, TokensError> {
        let failed = |source| TokensError::Folder { path: self.folder.clone(), source };
        private::folder(&self.folder).map_err(failed)?;
        Ok(&self.folder)
    }

    /// The file.
    pub fn file(&self) -> Utf8PathBuf {
        self.folder.join(FILE)
    }

    /// All tokens, those that have ended among them; none where there never was one.
    ///
    /// # Errors
    /// When what is there does not read, or is not the user's alone.
    pub fn read(&self) -> Result<Vec<Token>, TokensError> {
        let path = self.file();
        let unread = |reason| TokensError::Unread { path: path.clone(), reason };
        let folder = match open_folder(&self.folder) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unread(Unread::Os(error))),
        };
        let found = match read::file(folder.as_fd(), FILE, MAX_BYTES) {
            Ok(found) => found,
            Err(Unread::Missing) => return Ok(Vec::new()),
            Err(reason) => return Err(unread(reason)),
        };
        let open = |what: String| TokensError::Open { path: path.clone(), what };
        if found.uid != rustix::process::geteuid().as_raw() {
            return Err(open(format!("owner {}", found.uid)));
        }
        if found.mode & 0o077 != 0 {
            return Err(open(format!("mode {:04o}", found.mode)));
        }
        let broken = |reason: String| TokensError::Broken { path: path.clone(), reason };
        let content: Content = serde_json::from_slice(&found.content)
            .map_err(|error| broken(format!("line {}, column {}", error.line(), error.column())))?;
        if content.schema != SCHEMA {
            return Err(broken(format!("format {} is not known", content.schema)));
        }
        let is_tier = |token: &Token| [NetworkTier::Agent, NetworkTier::Dev].contains(&token.network);
        match content.tokens.iter().find(|token| !is_tier(token)) {
            Some(token) => Err(broken(format!("a token in the tier `{}`", token.network))),
            None => Ok(content.tokens),
        }
    }

    /// Makes a token. Its word is had this once.
    ///
    /// # Errors
    /// When the file cannot be read or written; then there is no new token.
    pub fn create(&self, wanted: Wanted, now_ms: i64) -> Result<(Token, Secret), TokensError> {
        let word = Self::word()?;
        let sha256 = TokenHash::of(word.expose());
        let Wanted { label, account, network, allow, ttl_ms } = wanted;
        let token = self.change(|tokens| {
            // Only where there is no room, and those first that ended first: a clock that is ahead for a moment takes
            // nobody's token away.
            if tokens.len() >= MOST {
                let oldest = tokens.iter().enumerate().min_by_key(|(_, token)| token.ends_at_ms);
                let oldest = oldest.filter(|(_, token)| token.worth(now_ms) == Worth::Ended);
                let at = oldest.map(|(at, _)| at).ok_or(TokensError::Full)?;
                tokens.remove(at);
            }
            let token = Token {
                id: new_id(tokens)?,
                sha256,
                label,
                account,
                network,
                allow,
                created_at_ms: now_ms,
                ends_at_ms: now_ms.saturating_add(ttl_ms),
            };
            tokens.push(token.clone());
            Ok(token)
        })?;
        Ok((token, word))
    }

    /// Takes a token away; it counts for nothing from the next request on.
    ///
    /// # Errors
    /// When there is none of this id, or the file cannot be read or written.
    pub fn revoke(&self, id: &str) -> Result<Token, TokensError> {
        self.change(|tokens| {
            let at = tokens.iter().position(|token| token.id == id);
            let at = at.ok_or_else(|| TokensError::Unknown { id: id.to_owned() })?;
            Ok(tokens.remove(at))
        })
    }

    /// Lets a token reach more hosts.
    ///
    /// # Errors
    /// As [`Tokens::revoke`].
    pub fn allow(&self, id: &str, more: &[HostRule]) -> Result<(), TokensError> {
        self.change(|tokens| {
            let token = tokens.iter_mut().find(|token| token.id == id);
            let token = token.ok_or_else(|| TokensError::Unknown { id: id.to_owned() })?;
            for rule in more {
                if !token.allow.contains(rule) {
                    token.allow.push(rule.clone());
                }
            }
            Ok(())
        })
    }

    /// Reads, changes and replaces, with nobody else in between.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<Token>) -> Result<T, TokensError>,
    ) -> Result<T, TokensError> {
        let folder = self.folder()?;
        let _lock = AccountLock::take(&folder.join(LOCK), PATIENCE)?;
        let mut tokens = self.read()?;
        let changed = change(&mut tokens)?;
        let path = self.file();
        let broken = |error: serde_json::Error| TokensError::Broken { path, reason: error.to_string() };
        let mut text = serde_json::to_vec_pretty(&Content { schema: SCHEMA, tokens }).map_err(broken)?;
        text.push(b'\n');
        private::write(folder, FILE, &text)?;
        Ok(changed)
    }
}

/// An id that no other token has.
fn new_id(tokens: &[Token]) -> Result<String, TokensError> {
    loop {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|_| TokensError::NoRandom)?;
        let id = format!("{ID_MARK}{}", hex(&random));
        if tokens.iter().all(|token| token.id != id) {
            return Ok(id);
        }
    }
}

impl TokensError {
    /// The code of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unread { .. } | Self::Broken { .. } => "tokens-broken",
            Self::Open { .. } => "tokens-open",
            Self::Unknown { .. } => "unknown-token",
            Self::Full => "tokens-full",
            Self::NoRandom | Self::Folder { .. } | Self::Write(_) => "tokens",
            Self::Lock(_) => "tokens-locked",
        }
    }

    /// The command that helps.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unread { path, .. } => Some(format!("`ls -l {path}`")),
            Self::Broken { path, .. } => {
                Some(format!("`mv {path} {path}.broken` gives up all tokens; make new ones then"))
            }
            Self::Open { path, .. } => Some(format!(
                "if nobody else has changed it: `chown $(id -u) {path} && chmod 600 {path}`; else remove it"
            )),
            Self::Unknown { .. } => Some("`coffer gateway token list`".to_owned()),
            Self::Full => Some("`coffer gateway token revoke ID`".to_owned()),
            Self::Folder { path, .. } => Some(format!("`ls -ld {path}`; COFFER_HOME names another folder")),
            Self::Lock(_) => Some("wait for it to end, and try again".to_owned()),
            Self::NoRandom | Self::Write(_) => None,
        }
    }
}
