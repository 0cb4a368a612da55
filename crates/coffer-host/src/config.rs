//! The text of config files.

use camino::Utf8Path;
use zeroize::Zeroizing;

use crate::error::HostError;
use crate::read::{Found, MAX_BYTES, Unread, read_beneath, read_file};

/// The project's own config file.
pub(crate) const PROJECT_CONFIG: &str = ".coffer.toml";

/// The text of a config file of the user's; `None` when there is none. Links are followed.
///
/// # Errors
/// When something is there that is no readable UTF-8 file of at most 1 MiB.
pub fn read_config(path: &Utf8Path) -> Result<Option<String>, HostError> {
    text(path, read_file(path, MAX_BYTES))
}

/// The text of the project's `.coffer.toml`, which an agent may have written; `None` when there is none.
///
/// # Errors
/// As [`read_config`], and when it is a link.
pub fn read_project_config(path: &Utf8Path) -> Result<Option<String>, HostError> {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => text(path, read_beneath(folder, name, MAX_BYTES)),
        (None, _) | (_, None) => Err(HostError::ConfigNotFile { path: path.to_owned(), what: "a folder" }),
    }
}

/// The bytes of a file of the user's that may hold secrets (a login, settings); they are wiped on drop.
/// `limit` is in bytes. `None` when there is none.
///
/// # Errors
/// When something is there that is no readable file of at most `limit` bytes.
pub fn read_secret(path: &Utf8Path, limit: usize) -> Result<Option<Zeroizing<Vec<u8>>>, HostError> {
    found(path, read_file(path, limit)).map(|found| found.map(|found| found.content))
}

/// As [`read_secret`], for a file below a folder of ours into which an agent may write: no link on the way
/// is followed, and nothing leads out.
///
/// # Errors
/// As [`read_secret`], and when a link is on the way.
pub fn read_secret_beneath(
    root: &Utf8Path,
    relative: &Utf8Path,
    limit: usize,
) -> Result<Option<Zeroizing<Vec<u8>>>, HostError> {
    let read = read_beneath(root, relative.as_str(), limit);
    found(&root.join(relative), read).map(|found| found.map(|found| found.content))
}

fn text(path: &Utf8Path, read: Result<Found, Unread>) -> Result<Option<String>, HostError> {
    let Some(found) = found(path, read)? else { return Ok(None) };
    match std::str::from_utf8(&found.content) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(error) => Err(HostError::ConfigNotText { path: path.to_owned(), at: error.valid_up_to() }),
    }
}

fn found(path: &Utf8Path, read: Result<Found, Unread>) -> Result<Option<Found>, HostError> {
    let path = path.to_owned();
    match read {
        Ok(found) => Ok(Some(found)),
        Err(Unread::Missing) => Ok(None),
        Err(Unread::Link) => Err(HostError::ConfigLink { path }),
        Err(Unread::NotFile(what)) => Err(HostError::ConfigNotFile { path, what }),
        Err(Unread::TooLarge(limit)) => Err(HostError::ConfigTooLarge { path, limit }),
        Err(Unread::Os(source)) => Err(HostError::ConfigUnreadable { path, source }),
    }
}

#[cfg(test)]
mod tests;
