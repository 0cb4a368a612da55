//! A login file as its bytes: what it says, and the one thing that is ever changed in it, the access token's
//! end. The change is made in the text: every other byte stays as it was.

use std::os::fd::{AsFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::sign_in::shape::{self, LoginDetails, LoginShape, MAX_LOGIN_BYTES};
use coffer_sys::memory::keep_from_swap;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::disk::{Disk, open_folder};
use crate::lock::AccountLock;
use crate::read::{self, Unread};
use crate::replace::{ReplaceError, prove_room, replace, sweep};

#[cfg(test)]
mod tests;

/// A login file that was read.
#[derive(Clone)]
pub struct LoginFile {
    bytes: Zeroizing<Vec<u8>>,
    /// What it says besides its tokens.
    pub shape: LoginShape,
    /// SHA-256 of the access token, by which a new one is told from the old.
    access: Option<[u8; 32]>,
}

impl std::fmt::Debug for LoginFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginFile").field("shape", &self.shape).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow, rename = "claudeAiOauth")]
    login: &'a RawValue,
}

#[derive(Deserialize)]
struct Login<'a> {
    #[serde(borrow, rename = "expiresAt")]
    end: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Access<'a> {
    #[serde(borrow, rename = "accessToken")]
    token: Option<&'a RawValue>,
}

impl LoginFile {
    /// Takes bytes for a login file; what is wrong with them is in the shape.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        keep_from_swap(&bytes);
        let shape = shape::read(&bytes);
        let access = access_token(&bytes).map(|token| Sha256::digest(token).into());
        Self { bytes, shape, access }
    }

    /// The bytes, for the one who stores or seals them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it says, if it is a login.
    pub fn details(&self) -> Option<&LoginDetails> {
        self.shape.details()
    }

    /// By what its refresh token is known again.
    pub fn fingerprint(&self) -> Option<&str> {
        self.details()?.fingerprint.as_deref()
    }

    /// Whether both hold the same access token.
    pub fn same_access(&self, other: &Self) -> bool {
        self.access.is_some() && self.access == other.access
    }

    /// The access token's end as it stands in the text; `None` when there is none.
    pub fn end_text(&self) -> Option<String> {
        let place = end_place(&self.bytes)?;
        String::from_utf8(self.bytes.get(place)?.to_vec()).ok()
    }

    /// The same file with another end of the access token; `None` when it has none to be changed.
    #[must_use]
    pub fn with_end(&self, end: &str) -> Option<Self> {
        let place = end_place(&self.bytes)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.bytes.len() + end.len()));
        bytes.extend_from_slice(self.bytes.get(..place.start)?);
        bytes.extend_from_slice(end.as_bytes());
        bytes.extend_from_slice(self.bytes.get(place.end..)?);
        Some(Self::new(bytes))
    }
}

fn access_token(bytes: &[u8]) -> Option<&[u8]> {
    let file: File<'_> = serde_json::from_slice(bytes).ok()?;
    let login: Access<'_> = serde_json::from_str(file.login.get()).ok()?;
    login.token.map(|token| token.get().as_bytes())
}

/// Where in the text the access token's end stands.
fn end_place(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let file: File<'_> = serde_json::from_slice(bytes).ok()?;
    let login: Login<'_> = serde_json::from_str(file.login.get()).ok()?;
    let end = login.end?.get();
    // A raw value is a part of the text that it was read from.
    let start = (end.as_ptr() as usize).checked_sub(bytes.as_ptr() as usize)?;
    (start + end.len() <= bytes.len()).then_some(start..start + end.len())
}

/// The folder of a login, opened, and the file's name in it.
#[derive(Debug)]
pub struct LoginFolder<'a> {
    disk: Disk<'a>,
    folder: OwnedFd,
    path: Utf8PathBuf,
    name: String,
}

impl<'a> LoginFolder<'a> {
    /// Opens it.
    ///
    /// # Errors
    /// When it is not there, or is no folder, or a link.
    pub fn open(disk: Disk<'a>, path: &Utf8Path, name: &str) -> std::io::Result<Self> {
        Ok(Self { disk, folder: open_folder(path)?, path: path.to_owned(), name: name.to_owned() })
    }

    /// The file's path, for messages.
    pub fn file(&self) -> Utf8PathBuf {
        self.path.join(&self.name)
    }

    /// Reads the login; what cannot be read is in the shape.
    pub fn read(&self) -> LoginFile {
        let empty = |shape| LoginFile { bytes: Zeroizing::default(), shape, access: None };
        match read::file(self.folder.as_fd(), &self.name, MAX_LOGIN_BYTES) {
            Ok(found) => LoginFile::new(found.content),
            Err(Unread::Missing) => empty(LoginShape::Missing),
            Err(unread) => empty(LoginShape::Unreadable { error: unread.to_string() }),
        }
    }

    /// Replaces the login.
    ///
    /// # Errors
    /// As [`replace`].
    pub fn write(&self, _lock: &AccountLock, login: &LoginFile) -> Result<(), ReplaceError> {
        replace(self.disk, self.folder.as_fd(), &self.name, login.bytes())
    }

    /// Proves that a login of twice this one's size could be written here. The login itself is not touched.
    ///
    /// # Errors
    /// As [`prove_room`].
    pub fn prove_room(&self, _lock: &AccountLock, login: &LoginFile) -> Result<(), ReplaceError> {
        prove_room(self.disk, self.folder.as_fd(), &self.name, 2 * login.bytes().len())
    }

    /// Whose the folder or the file is, when it is not ours.
    pub fn foreign_owner(&self) -> Option<u32> {
        let own = rustix::process::geteuid().as_raw();
        let folder = rustix::fs::fstat(&self.folder);
        let file = rustix::fs::statat(&self.folder, &self.name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
        [folder, file].into_iter().flatten().map(|found| found.st_uid).find(|uid| *uid != own)
    }

    /// Removes temporary files that killed keepers left.
    pub fn sweep(&self, _lock: &AccountLock) {
        sweep(self.disk, self.folder.as_fd(), &self.name);
    }
}
