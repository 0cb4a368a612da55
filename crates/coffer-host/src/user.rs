//! Who runs `coffer`, and where Cofferdam's own files are.
//!
//! The user database is read by hand: a static binary has no NSS. A user who stands in a directory
//! service only has `$HOME`, and the number for a name.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{CofferFolders, UserFacts};
use coffer_plan::path::clean;
use rustix::fs::Access;

use crate::environment::value;
use crate::error::HostError;
use crate::paths;
use crate::read::{may, read_file};

/// Largest user database that is read, in bytes.
const MAX_PASSWD_BYTES: usize = 16 * 1024 * 1024;

/// Below which Cofferdam's folders are said to be when there is no home at all: a folder that Debian's
/// policy keeps from existing, so that nothing is read there and the first write names it.
const NO_HOME: &str = "/nonexistent";

/// The effective user; `passwd` is the user database.
pub(crate) fn user(environment: &[(OsString, OsString)], passwd: &Utf8Path) -> Result<UserFacts, HostError> {
    let uid = rustix::process::geteuid().as_raw();
    let entry = passwd_entry(passwd, uid);
    let name = entry.as_ref().map(|entry| entry.name.clone()).unwrap_or_else(|| uid.to_string());
    let told = value(environment, "HOME").filter(|home| Path::new(home).is_absolute());
    let home = match (told, &entry) {
        (Some(home), _) => Some(plain_folder("`HOME`", home)?),
        (None, Some(entry)) if Path::new(&entry.home).is_absolute() => {
            Some(plain_folder("`HOME`", &entry.home)?)
        }
        (None, _) => None,
    };
    let home = match home {
        Some(home) => match paths::real(&home) {
            Some(real) => Some(plain_folder("`HOME`", real.as_os_str())?),
            None => Some(home),
        },
        None => None,
    };
    Ok(UserFacts {
        uid,
        gid: rustix::process::getegid().as_raw(),
        name,
        home_writable: home.as_deref().is_some_and(|home| may(home, Access::WRITE_OK | Access::EXEC_OK)),
        home,
    })
}

/// Where Cofferdam's files are; a relative path in one of our own variables counts from `start`, one in
/// an `XDG_` variable does not count (as the XDG specification wants it).
pub(crate) fn folders(
    environment: &[(OsString, OsString)],
    home: Option<&Utf8Path>,
    start: &Utf8Path,
) -> Result<CofferFolders, HostError> {
    let own = |name: &str| match value(environment, name) {
        Some(path) => {
            plain_folder(&format!("`{name}`"), start.as_std_path().join(path).as_os_str()).map(Some)
        }
        None => Ok(None),
    };
    let home = home.unwrap_or(Utf8Path::new(NO_HOME));
    let data = match own("COFFER_HOME")? {
        Some(folder) => folder,
        None => {
            xdg(environment, "XDG_DATA_HOME")?.unwrap_or_else(|| home.join(".local/share")).join("cofferdam")
        }
    };
    let runtime = match (own("COFFER_RUNTIME_DIR")?, xdg(environment, "XDG_RUNTIME_DIR")?) {
        (Some(folder), _) => folder,
        (None, Some(folder)) => folder.join("cofferdam"),
        (None, None) => data.join("run"),
    };
    let config = match own("COFFER_CONFIG")? {
        Some(file) => file,
        None => xdg(environment, "XDG_CONFIG_HOME")?
            .unwrap_or_else(|| home.join(".config"))
            .join("cofferdam/config.toml"),
    };
    Ok(CofferFolders { config, data, runtime })
}

/// An XDG folder; `None` when its variable is unset or relative.
pub(crate) fn xdg(
    environment: &[(OsString, OsString)],
    name: &str,
) -> Result<Option<Utf8PathBuf>, HostError> {
    value(environment, name)
        .filter(|path| Path::new(path).is_absolute())
        .map(|path| plain_folder(&format!("`{name}`"), path))
        .transpose()
}

/// A path as plans hold them: UTF-8, without control characters, lexically clean.
pub(crate) fn plain_folder(what: &str, path: &OsStr) -> Result<Utf8PathBuf, HostError> {
    match path.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(clean(Utf8Path::new(text))),
        Some(_) | None => Err(HostError::FolderName { what: what.to_owned(), path: format!("{path:?}") }),
    }
}

struct PasswdEntry {
    name: String,
    home: OsString,
}

/// The first entry of that uid, as `getpwuid` would find it in the file.
fn passwd_entry(passwd: &Utf8Path, uid: u32) -> Option<PasswdEntry> {
    let file = read_file(passwd, MAX_PASSWD_BYTES).ok()?;
    file.content.split(|byte| *byte == b'\n').find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let [name, _, number, _, _, home, _] = fields.as_slice() else {
            return None;
        };
        let number: u32 = std::str::from_utf8(number).ok()?.parse().ok()?;
        (number == uid).then(|| PasswdEntry {
            name: String::from_utf8_lossy(name).into_owned(),
            home: OsStr::from_bytes(home).to_owned(),
        })
    })
}

#[cfg(test)]
mod tests;
