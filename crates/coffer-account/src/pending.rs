//! Logins that wait for a person's word: made inside a run whose folders are gone now.
//!
//! Each is a login file (0600) in the private folder `pending` of the account for which it was made, as private
//! as the login itself, and is named by its refresh token's fingerprint.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

use camino::Utf8PathBuf;

use crate::layout::AccountFolder;
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// Keeps a login until a person decides; on return it is on the disc. The same login is kept once.
///
/// # Errors
/// When the folder or the file cannot be made.
pub fn keep(account: &AccountFolder, login: &Secret, fingerprint: &str) -> io::Result<Utf8PathBuf> {
    let folder = account.pending();
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let id = fingerprint.strip_prefix("sha256:").unwrap_or(fingerprint);
    let path = folder.join(format!("{id}.json"));
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let new = folder.join(format!(".{id}.{:016x}", u64::from_le_bytes(random)));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let kept = file
        .write_all(login.expose())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&new, &path))
        .and_then(|()| std::fs::File::open(&folder)?.sync_all());
    if kept.is_err() {
        // What is left of it is worth nothing.
        let _ = std::fs::remove_file(&new);
    }
    kept.map(|()| path)
}
