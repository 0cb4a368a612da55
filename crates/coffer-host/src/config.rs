//! The text of config files.

use camino::Utf8Path;

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

fn text(path: &Utf8Path, read: Result<Found, Unread>) -> Result<Option<String>, HostError> {
    let path = path.to_owned();
    let found = match read {
        Ok(found) => found,
        Err(Unread::Missing) => return Ok(None),
        Err(Unread::Link) => return Err(HostError::ConfigLink { path }),
        Err(Unread::NotFile(what)) => return Err(HostError::ConfigNotFile { path, what }),
        Err(Unread::TooLarge(limit)) => return Err(HostError::ConfigTooLarge { path, limit }),
        Err(Unread::Os(source)) => return Err(HostError::ConfigUnreadable { path, source }),
    };
    match std::str::from_utf8(&found.content) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(error) => Err(HostError::ConfigNotText { path, at: error.valid_up_to() }),
    }
}

#[cfg(test)]
mod tests;
