//! Where an account's files are. Every folder is 0700, every file 0600.
//!
//! ```text
//! <data>/accounts/NAME/
//!   account.json     what it is (no secret)
//!   lock             the keeper's lock
//!   journal.json     a refresh that is under way
//!   sealed/          sealed copies of the login
//!   pending/         logins that were made inside a run and wait, sealed, for a person's word
//!   secret.age       a sealed API key or token, for kinds that have one
//!   state/           what new states begin with
//!   login/           the private parent that holds the client's own lock `store.lock`
//!     store/         the login folder: `.credentials.json` and the client's other locks
//! ```
//!
//! The account `host` has a folder of the same kind for its lock, journal and sealed copies; its login is
//! where the client keeps it, and is used in place.

use std::fmt;
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The user's own login, used in place.
pub const HOST: &str = "host";
/// Longest name, in bytes.
const MAX_NAME: usize = 32;

/// An account's name: lower-case letters, digits, `-` and `_`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);

/// Why a word is no account's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is no name of an account: use at most 32 of a-z, 0-9, `-` and `_`, a letter or digit first"
)]
pub struct BadName {
    /// The word.
    pub name: String,
}

impl AccountName {
    /// The user's own login.
    pub fn host() -> Self {
        Self(HOST.to_owned())
    }

    /// Whether it is the user's own login.
    pub fn is_host(&self) -> bool {
        self.0 == HOST
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let begins = text.bytes().next().is_some_and(plain);
        let good =
            begins && text.len() <= MAX_NAME && text.bytes().all(|byte| plain(byte) || b"-_".contains(&byte));
        if good { Ok(Self(text.to_owned())) } else { Err(BadName { name: text.to_owned() }) }
    }
}

impl TryFrom<String> for AccountName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> Self {
        name.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folder of all accounts below Cofferdam's data folder.
pub fn accounts(data: &Utf8Path) -> Utf8PathBuf {
    data.join("accounts")
}

/// The paths of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFolder {
    root: Utf8PathBuf,
}

impl AccountFolder {
    /// The account's folder below Cofferdam's data folder; it need not exist.
    pub fn new(data: &Utf8Path, name: &AccountName) -> Self {
        Self { root: accounts(data).join(name.as_str()) }
    }

    /// An account's folder that is known already.
    pub fn at(root: Utf8PathBuf) -> Self {
        Self { root }
    }

    /// The folder itself.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// What the account is ([`crate::record::AccountRecord`]).
    pub fn record(&self) -> Utf8PathBuf {
        self.root.join("account.json")
    }

    /// The keeper's lock.
    pub fn lock(&self) -> Utf8PathBuf {
        self.root.join("lock")
    }

    /// A refresh that is under way.
    pub fn journal(&self) -> Utf8PathBuf {
        self.root.join("journal.json")
    }

    /// Sealed copies of the login.
    pub fn sealed(&self) -> Utf8PathBuf {
        self.root.join("sealed")
    }

    /// Logins that wait for a person's word.
    pub fn pending(&self) -> Utf8PathBuf {
        self.root.join("pending")
    }

    /// A sealed API key or token.
    pub fn secret(&self) -> Utf8PathBuf {
        self.root.join("secret.age")
    }

    /// What new states begin with.
    pub fn state(&self) -> Utf8PathBuf {
        self.root.join("state")
    }

    /// The private parent of the login folder: the client makes its lock `store.lock` in it.
    pub fn login_parent(&self) -> Utf8PathBuf {
        self.root.join("login")
    }

    /// The login folder of a named account.
    pub fn login(&self) -> Utf8PathBuf {
        self.login_parent().join("store")
    }
}
