//! Sealed copies of a login, each with where it came from.
//!
//! A copy is one file in the account's folder `sealed/`. All that is known about it without opening it is in
//! its name, so that a copy is there with all of it or not at all: when, why, the fingerprint of its refresh
//! token, of the one that it grew from, of the first one of its lineage, and a digest of the whole.

mod name;
#[cfg(test)]
mod tests;
mod vault;

use std::io;
use std::os::fd::AsFd;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::sign_in::shape;
use rustix::fs::AtFlags;
use sha2::{Digest as _, Sha256};

use crate::disk::{Disk, open_folder};
use crate::layout::AccountFolder;
use crate::private;
use crate::replace::ReplaceError;
use crate::seal::{Opener, Seal, SealError};
use crate::secret::Secret;

pub use name::Why;
pub use vault::SealedVault;

/// How many copies stay, besides the newest of each lineage.
pub const KEPT: usize = 20;
/// Of how many lineages the newest copy stays, whatever else does.
const KEPT_LINEAGES: usize = 20;
/// Largest sealed copy, in bytes: a login of the largest size, sealed.
const MAX_SEALED: usize = 2 * 1024 * 1024;

/// By what a copy is named: its file's name without the end `.age`.
pub type CopyId = String;

/// What is known about a copy without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// By what it is named.
    pub id: CopyId,
    /// When it was sealed, Unix ms.
    pub at_ms: i64,
    /// Why.
    pub why: Why,
    /// Of its refresh token, if it has one.
    pub fingerprint: Option<String>,
    /// Of the refresh token that was spent for it, where that is known.
    pub grew_from: Option<String>,
    /// Of the first known refresh token of its lineage.
    pub lineage: Option<String>,
    /// Twelve hex digits of the SHA-256 of the login file.
    pub digest: String,
}

/// Why a copy was not made, found or opened.
#[derive(Debug, thiserror::Error)]
pub enum CopiesError {
    /// The folder of the copies.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The folder or file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A copy cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// A copy cannot be written.
    #[error(transparent)]
    Write(#[from] ReplaceError),
    /// A copy cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// There is no such copy, or more than one whose name begins like this.
    #[error("there is no single copy `{id}` in `{folder}`")]
    Unknown {
        /// As it was said.
        id: String,
        /// Where it was looked for.
        folder: Utf8PathBuf,
    },
}

impl CopiesError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Seal(error) => error.hint(),
            Self::Unknown { .. } => Some("`coffer backup list` names them".to_owned()),
            Self::Io { path, .. } | Self::Read { path, .. } => {
                Some(format!("see who may do that: `ls -ld {path}`"))
            }
            Self::Write(error) => Some(format!("see who may do that: `ls -ld {}`", error.path)),
        }
    }
}

/// The sealed copies of one account.
#[derive(Debug, Clone)]
pub struct Copies {
    folder: Utf8PathBuf,
}

impl Copies {
    /// Of this account.
    pub fn of(folder: &AccountFolder) -> Self {
        Self { folder: folder.sealed() }
    }

    /// In this folder.
    pub fn at(folder: Utf8PathBuf) -> Self {
        Self { folder }
    }

    /// Where they are.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// Seals a copy. On return it and its name are on the disc. What is the newest copy already is not sealed
    /// twice. Older ones go, as [`Copies::prune`] has it.
    ///
    /// # Errors
    /// When it cannot be sealed or written; nothing is there then.
    pub fn add(&self, seal: &Seal, login_file: &[u8], why: Why, now_ms: i64) -> Result<CopyId, CopiesError> {
        let failed = |action| {
            let path = self.folder.clone();
            move |source| CopiesError::Io { action, path, source }
        };
        private::folder(&self.folder).map_err(failed("make"))?;
        let known = self.list()?;
        let digest = digest(login_file);
        if let Some(newest) = known.last()
            && newest.digest == digest
        {
            // It may be there since a moment before a power failure.
            private::sync(&self.folder).map_err(failed("sync"))?;
            return Ok(newest.id.clone());
        }
        let fingerprint = shape::read(login_file).details().and_then(|login| login.fingerprint.clone());
        let (grew_from, lineage) = name::descent(&known, fingerprint.as_deref(), why);
        // The order of the names is the order of the copies, also when the clock was set back.
        let at_ms = known.last().map_or(now_ms, |newest| now_ms.max(newest.at_ms + 1));
        let mut copy = Copy { id: String::new(), at_ms, why, fingerprint, grew_from, lineage, digest };
        copy.id = name::write(&copy);
        private::write(&self.folder, &name::file(&copy.id), &seal.seal(login_file)?)?;
        // The copy is there; that older ones are, too, is no reason to say that it is not.
        let _ = self.prune(KEPT);
        Ok(copy.id)
    }

    /// The copies, oldest first. Files that are none are left out.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Copy>, CopiesError> {
        let failed = |source| CopiesError::Io { action: "read", path: self.folder.clone(), source };
        let entries = match self.folder.read_dir_utf8() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut copies = Vec::new();
        for entry in entries {
            copies.extend(name::read(entry.map_err(failed)?.file_name()));
        }
        copies.sort_by(|one: &Copy, other| (one.at_ms, &one.id).cmp(&(other.at_ms, &other.id)));
        Ok(copies)
    }

    /// The copy of which this is the id or the beginning of it.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(&self, id: &str) -> Result<Copy, CopiesError> {
        let unknown = || CopiesError::Unknown { id: id.to_owned(), folder: self.folder.clone() };
        let mut found = self.list()?.into_iter().filter(|copy| copy.id.starts_with(id));
        let copy = found.next().ok_or_else(unknown)?;
        if id.is_empty() || (found.next().is_some() && copy.id != id) {
            return Err(unknown());
        }
        Ok(copy)
    }

    /// Opens a copy.
    ///
    /// # Errors
    /// When it cannot be read, was sealed to another identity, or is not what its name says.
    pub fn open(&self, opener: &Opener, copy: &Copy) -> Result<Secret, CopiesError> {
        let name = name::file(&copy.id);
        let path = self.folder.join(&name);
        let found = private::read(&self.folder, &name, MAX_SEALED)
            .map_err(|unread| CopiesError::Read { path: path.clone(), reason: unread.to_string() })?;
        let missing = || CopiesError::Read { path: path.clone(), reason: "it is not there".to_owned() };
        let plain = opener.open(&found.ok_or_else(missing)?)?;
        if digest(plain.expose()) != copy.digest {
            return Err(SealError::Damaged.into());
        }
        Ok(plain)
    }

    /// The fingerprint of a token that grew from this one, by what the copies know.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn successor(&self, fingerprint: &str) -> Result<Option<String>, CopiesError> {
        let copies = self.list()?;
        let grown = copies.into_iter().rev().find(|copy| copy.grew_from.as_deref() == Some(fingerprint));
        Ok(grown.and_then(|copy| copy.fingerprint))
    }

    /// Removes the oldest copies. The newest `keep` stay, and the newest of each of the last lineages, and the
    /// newest copy in any case. What was removed, by id.
    ///
    /// # Errors
    /// When the folder cannot be read, or a copy not be removed.
    pub fn prune(&self, keep: usize) -> Result<Vec<CopyId>, CopiesError> {
        let copies = self.list()?;
        let goes = superfluous(&copies, keep.max(1));
        if goes.is_empty() {
            return Ok(goes);
        }
        let failed = |path: &Utf8Path| {
            let path = path.to_owned();
            move |source| CopiesError::Io { action: "remove", path, source }
        };
        let folder = open_folder(&self.folder).map_err(failed(&self.folder))?;
        for id in &goes {
            let name = name::file(id);
            let removed = Disk::real().remove(folder.as_fd(), &name, AtFlags::empty());
            removed.map_err(failed(&self.folder.join(&name)))?;
        }
        private::sync(&self.folder).map_err(failed(&self.folder))?;
        Ok(goes)
    }
}

/// Which of these, oldest first, may go.
fn superfluous(copies: &[Copy], keep: usize) -> Vec<CopyId> {
    let mut lineages: Vec<&str> = Vec::new();
    let mut goes = Vec::new();
    for (age, copy) in copies.iter().rev().enumerate() {
        let newest_of_its = match copy.lineage.as_deref() {
            Some(lineage) if lineages.contains(&lineage) => false,
            Some(lineage) => {
                lineages.push(lineage);
                lineages.len() <= KEPT_LINEAGES
            }
            None => false,
        };
        if age >= keep && !newest_of_its {
            goes.push(copy.id.clone());
        }
    }
    goes.reverse();
    goes
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
