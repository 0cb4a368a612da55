//! Makes a backup.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use camino::Utf8Path;
use tar::{Builder, EntryType, Header};

use super::{BackupError, Content, LOGIN, MANIFEST, Packed, Part, Recipients, SECRET};
use crate::tree::{Entry, Limits, PlainFile, Walk, Walked, walk};

/// Writes a backup. Nothing of it is in memory as a whole, and no plain text is on the disc.
///
/// # Errors
/// When it cannot be written, or one of the folders not be read.
pub fn create(out: impl Write, to: &Recipients, content: &Content<'_>) -> Result<Packed, BackupError> {
    let sealed = to.seal(out)?;
    let mut tar = Builder::new(sealed);
    let manifest = serde_json::to_vec_pretty(&content.manifest).map_err(io::Error::from)?;
    file(&mut tar, MANIFEST, manifest.len() as u64, 0, manifest.as_slice())?;
    if let Some(login) = content.login {
        file(&mut tar, LOGIN, login.len() as u64, 0, login)?;
    }
    if let Some(secret) = content.secret {
        file(&mut tar, SECRET, secret.expose().len() as u64, 0, secret.expose())?;
    }
    let mut packed = Packed::default();
    for (part, folder) in &content.folders {
        let walked = pack(&mut tar, *part, folder, content)?;
        packed.progress.files += walked.progress.files;
        packed.progress.folders += walked.progress.folders;
        packed.progress.bytes += walked.progress.bytes;
        packed.skipped.push((*part, walked.skipped));
    }
    tar.into_inner()?.finish()?;
    Ok(packed)
}

fn pack<W: Write>(
    tar: &mut Builder<W>,
    part: Part,
    folder: &OwnedFd,
    content: &Content<'_>,
) -> Result<Walked, BackupError> {
    let how = Walk { limits: Limits::default(), filter: None, progress: content.progress };
    let root = Utf8Path::new(part.word());
    directory(tar, root.as_str())?;
    walk::<io::Error>(folder.as_fd(), &how, &mut |entry| {
        match entry {
            Entry::Folder { path } => directory(tar, root.join(path).as_str())?,
            Entry::File { path, content } => {
                let (size, (seconds, _)) = (content.size(), content.modified());
                let whole = Whole { file: content, left: size };
                file(tar, root.join(path).as_str(), size, seconds, whole)?;
            }
        }
        Ok(Ok(()))
    })
    .map_err(BackupError::Write)
}

/// A file that gives as many bytes as it had when it was opened, whatever becomes of it meanwhile: a tar has its
/// size before its content.
struct Whole {
    file: PlainFile,
    left: u64,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let mut read = self.file.read(&mut buffer[..most])?;
        if read == 0 {
            buffer[..most].fill(0);
            read = most;
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn file<W: Write>(
    tar: &mut Builder<W>,
    path: &str,
    size: u64,
    modified: i64,
    content: impl Read,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(size);
    header.set_mtime(u64::try_from(modified).unwrap_or_default());
    tar.append_data(&mut header, path, content)
}

fn directory<W: Write>(tar: &mut Builder<W>, path: &str) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Directory);
    header.set_mode(0o700);
    header.set_size(0);
    tar.append_data(&mut header, path, io::empty())
}
