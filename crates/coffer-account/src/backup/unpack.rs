//! Reads a backup, as one that anybody could have made.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, SystemTime};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use coffer_plan::sign_in::shape::MAX_LOGIN_BYTES;
use tar::{Archive, Entry, EntryType};

use super::{BackupError, Identities, LOGIN, MANIFEST, Manifest, Part, SCHEMA, SECRET, Unpacked};
use crate::private;
use crate::secret::Secret;
use crate::tree::{Limits, Progress};

/// Longest path, in bytes; a longer one is refused before it is read.
const MAX_PATH: u64 = 4096;
/// Largest manifest and secret, in bytes.
const MAX_SMALL: u64 = 256 * 1024;

/// Reads a backup to its end. With a folder, which is empty and nobody else's, the folders of the backup are
/// unpacked there; without, they are only read.
///
/// # Errors
/// When it cannot be opened, is damaged, or holds anything that no backup of ours holds. What was unpacked until
/// then is worth nothing.
pub fn read(input: File, with: &Identities, into: Option<&Utf8Path>) -> Result<Unpacked, BackupError> {
    let mut archive = Archive::new(with.open(input)?);
    let mut reader = Reader { into, limits: Limits::default(), seen: 0, progress: Progress::default() };
    let (mut manifest, mut login, mut secret) = (None, None, None);
    let mut long_name: Option<Vec<u8>> = None;
    // Raw, because a name of any length would be read into memory otherwise.
    for entry in archive.entries().map_err(BackupError::Damaged)?.raw(true) {
        let mut entry = entry.map_err(BackupError::Damaged)?;
        let kind = entry.header().entry_type();
        if kind == EntryType::GNULongName && long_name.is_none() {
            let mut name = small(&mut entry, MAX_PATH, "has a name that is too long")?.to_vec();
            name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
            long_name = Some(name);
            continue;
        }
        let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let path = path(&name, reader.limits.depth)?;
        match (path.as_str(), kind) {
            (MANIFEST, EntryType::Regular) if manifest.is_none() => {
                manifest = Some(self::manifest(&small(&mut entry, MAX_SMALL, "is too large")?)?);
            }
            // Everything else comes behind it.
            _ if manifest.is_none() => return Err(hostile(path.as_str(), "comes before `backup.json`")),
            (LOGIN, EntryType::Regular) if login.is_none() => {
                login = Some(secret_of(&mut entry, MAX_LOGIN_BYTES as u64)?);
            }
            (SECRET, EntryType::Regular) if secret.is_none() => {
                secret = Some(secret_of(&mut entry, MAX_SMALL)?);
            }
            _ => reader.entry(&path, kind, &mut entry)?,
        }
    }
    // The tar may end before what was sealed does: its end tells whether that is whole.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(BackupError::Damaged)?;
    let manifest = manifest.ok_or_else(|| hostile("", "holds nothing"))?;
    Ok(Unpacked { manifest, login, secret, progress: reader.progress })
}

struct Reader<'a> {
    into: Option<&'a Utf8Path>,
    limits: Limits,
    seen: usize,
    progress: Progress,
}

impl Reader<'_> {
    /// A folder or file of one of the parts.
    fn entry(
        &mut self,
        path: &Utf8Path,
        kind: EntryType,
        entry: &mut Entry<'_, impl Read>,
    ) -> Result<(), BackupError> {
        let refused = |reason| hostile(path.as_str(), reason);
        let first = path.components().next().map_or("", |part| part.as_str());
        if Part::of(first).is_none() {
            return Err(refused("is no part of a backup"));
        }
        self.seen += 1;
        if self.seen > self.limits.entries {
            return Err(refused("is one too many"));
        }
        match kind {
            EntryType::Directory => {
                self.progress.folders += 1;
                let Some(into) = self.into else { return Ok(()) };
                let place = into.join(path);
                private::new_folder(&place).map_err(|source| BackupError::Io {
                    action: "make",
                    path: place,
                    source,
                })
            }
            EntryType::Regular => {
                let size = entry.size();
                let left = self.limits.total_bytes.saturating_sub(self.progress.bytes);
                if size > self.limits.file_bytes || size > left {
                    return Err(refused("is too large"));
                }
                if path.as_str() == first {
                    return Err(refused("is a file where a folder should be"));
                }
                self.progress.files += 1;
                self.progress.bytes += size;
                self.file(path, size, entry)
            }
            _ => Err(refused("is neither file nor folder")),
        }
    }

    fn file(&self, path: &Utf8Path, size: u64, entry: &mut Entry<'_, impl Read>) -> Result<(), BackupError> {
        let Some(into) = self.into else {
            let read = io::copy(entry, &mut io::sink()).map_err(BackupError::Damaged)?;
            return whole(read, size);
        };
        let place = into.join(path);
        let failed = |source| BackupError::Io { action: "write", path: place.clone(), source };
        // Never over anything: a name that comes twice is refused here.
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place).map_err(failed)?;
        let read = io::copy(entry, &mut file).map_err(BackupError::Damaged)?;
        whole(read, size)?;
        let modified = entry.header().mtime().unwrap_or_default();
        // A time that the file system does not take is no reason to lose the file.
        let _ = SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(modified))
            .map(|modified| file.set_modified(modified));
        file.sync_all().map_err(failed)
    }
}

fn whole(read: u64, size: u64) -> Result<(), BackupError> {
    if read == size { Ok(()) } else { Err(BackupError::Damaged(io::ErrorKind::UnexpectedEof.into())) }
}

/// The path of an entry: relative, plain names only.
fn path(name: &[u8], depth: usize) -> Result<Utf8PathBuf, BackupError> {
    let shown = || String::from_utf8_lossy(&name[..name.len().min(200)]).escape_debug().to_string();
    let refused = |reason| hostile(&shown(), reason);
    let text = std::str::from_utf8(name).map_err(|_| refused("has a name that is no text"))?;
    if text.chars().any(char::is_control) {
        return Err(refused("has a control character in its name"));
    }
    let path = Utf8Path::new(text.strip_suffix('/').unwrap_or(text));
    let mut plain = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            Utf8Component::Normal(part) => plain.push(part),
            Utf8Component::ParentDir
            | Utf8Component::RootDir
            | Utf8Component::Prefix(_)
            | Utf8Component::CurDir => {
                return Err(refused("leads out of the backup"));
            }
        }
    }
    let count = plain.components().count();
    if count == 0 || count > depth + 1 {
        return Err(refused("is too deep, or has no name"));
    }
    Ok(plain)
}

fn manifest(bytes: &[u8]) -> Result<Manifest, BackupError> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|_| hostile(MANIFEST, "does not read"))?;
    if value.get("schema").and_then(serde_json::Value::as_u64) != Some(SCHEMA.into()) {
        return Err(BackupError::Newer);
    }
    serde_json::from_value(value).map_err(|_| hostile(MANIFEST, "is not as this coffer writes it"))
}

fn secret_of(entry: &mut Entry<'_, impl Read>, limit: u64) -> Result<Secret, BackupError> {
    let mut bytes = small(entry, limit, "is too large")?;
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

/// A small entry, whole, in a buffer that does not move.
fn small(
    entry: &mut Entry<'_, impl Read>,
    limit: u64,
    reason: &'static str,
) -> Result<zeroize::Zeroizing<Vec<u8>>, BackupError> {
    let size = entry.size();
    if size > limit {
        return Err(hostile(
            &String::from_utf8_lossy(&entry.path_bytes()).escape_debug().to_string(),
            reason,
        ));
    }
    let room = usize::try_from(size).unwrap_or_default();
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(room + 1));
    entry.take(size).read_to_end(&mut bytes).map_err(BackupError::Damaged)?;
    whole(bytes.len() as u64, size)?;
    Ok(bytes)
}

fn hostile(entry: &str, reason: &'static str) -> BackupError {
    BackupError::Hostile { entry: entry.to_owned(), reason }
}
