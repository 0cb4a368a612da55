//! The copies as the keeper asks for them.

use camino::Utf8PathBuf;

use super::{Copies, Why};
use crate::keeper::{Sealed, Vault};
use crate::layout::AccountFolder;
use crate::seal::{Opener, Seal};
use crate::secret::Secret;

/// Seals a login's copies before and after each refresh. The identity is asked for only when a copy is to be
/// opened.
#[derive(Debug)]
pub struct SealedVault {
    data: Utf8PathBuf,
    copies: Copies,
    seal: Seal,
}

impl SealedVault {
    /// The vault of an account below Cofferdam's data folder.
    pub fn new(data: Utf8PathBuf, folder: &AccountFolder, seal: Seal) -> Self {
        Self { data, copies: Copies::of(folder), seal }
    }
}

impl Vault for SealedVault {
    fn seal(&self, login: &[u8], why: Sealed, now_ms: i64) -> Result<(), String> {
        let why = match why {
            Sealed::BeforeRefresh => Why::BeforeRefresh,
            Sealed::AfterRefresh => Why::AfterRefresh,
            Sealed::Corrupted => Why::Corrupted,
        };
        self.copies.add(&self.seal, login, why, now_ms).map(drop).map_err(told)
    }

    fn newest(&self, fingerprint: &str) -> Result<Option<Secret>, String> {
        let copies = self.copies.list().map_err(told)?;
        let Some(copy) = copies.iter().rev().find(|copy| copy.fingerprint.as_deref() == Some(fingerprint))
        else {
            return Ok(None);
        };
        let opener = Opener::of(&self.data).map_err(told)?;
        self.copies.open(&opener, copy).map(Some).map_err(told)
    }

    fn has_successor(&self, fingerprint: &str) -> bool {
        self.copies.successor(fingerprint).is_ok_and(|found| found.is_some())
    }
}

/// An error and its causes in one line.
fn told(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
