//! Copies a tree that an agent could write into a folder of ours.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, Mode, OFlags, fchmod, fsync, mkdirat, openat2, unlinkat};

use super::{Entry, INSIDE, PlainFile, Walk, Walked, Why, walk};

/// How much is copied at once.
const CHUNK: usize = 128 * 1024;

/// Why a tree was not copied. What was copied so far is there.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The tree cannot be read.
    #[error("cannot read the folder")]
    Read(#[from] io::Error),
    /// The copy cannot be written.
    #[error("cannot {action} `{path}`")]
    Write {
        /// What was tried.
        action: &'static str,
        /// From the copy's root.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How a tree is copied.
#[derive(Clone, Copy, Default)]
pub struct CopyOptions<'a> {
    /// Asked before each system call that writes; an error is the call's. For tests.
    pub before: Option<&'a dyn Fn(&'static str) -> io::Result<()>>,
    /// Files that their owner may execute stay so (0700); else all files become 0600.
    pub keep_executable: bool,
    /// Everything is on the disc when this returns.
    pub sync: bool,
}

impl std::fmt::Debug for CopyOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CopyOptions").field("sync", &self.sync).finish_non_exhaustive()
    }
}

/// Copies the tree below `root` into the folder `to`, which is ours, and in which nothing of these names is
/// there yet. Folders become 0700, files 0600; owner is whoever does it.
///
/// # Errors
/// When the root cannot be read, or the copy cannot be written. What cannot be read below the root is skipped
/// and listed.
pub fn copy(
    root: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    how: &Walk<'_>,
    options: CopyOptions<'_>,
) -> Result<Walked, CopyError> {
    let mut copier = Copier { to, options, folders: Vec::new(), buffer: vec![0; CHUNK] };
    let walked = walk(root, how, &mut |entry| match entry {
        Entry::Folder { path } => copier.folder(path).map(Ok),
        Entry::File { path, content } => copier.file(path, content),
    })?;
    if options.sync {
        // The deepest first; a folder's own entries are on the disc with it.
        for path in copier.folders.iter().rev() {
            copier.sync_folder(path)?;
        }
        copier.step("sync", Utf8Path::new("."), || Ok(fsync(to)?))?;
    }
    Ok(walked)
}

struct Copier<'a> {
    to: BorrowedFd<'a>,
    options: CopyOptions<'a>,
    folders: Vec<Utf8PathBuf>,
    buffer: Vec<u8>,
}

impl Copier<'_> {
    fn step<T>(
        &self,
        action: &'static str,
        path: &Utf8Path,
        work: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, CopyError> {
        let done = self.options.before.map_or(Ok(()), |ask| ask(action)).and_then(|()| work());
        done.map_err(|source| CopyError::Write { action, path: path.to_owned(), source })
    }

    fn folder(&mut self, path: &Utf8Path) -> Result<(), CopyError> {
        self.step("make the folder", path, || Ok(mkdirat(self.to, path.as_std_path(), Mode::RWXU)?))?;
        self.folders.push(path.to_owned());
        Ok(())
    }

    fn sync_folder(&self, path: &Utf8Path) -> Result<(), CopyError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        self.step("sync", path, || {
            let folder = openat2(self.to, path.as_std_path(), flags, Mode::empty(), INSIDE)?;
            Ok(fsync(folder)?)
        })
    }

    fn file(&mut self, path: &Utf8Path, mut content: PlainFile) -> Result<Result<(), Why>, CopyError> {
        let mode = match self.options.keep_executable && content.is_executable() {
            true => Mode::RWXU,
            false => Mode::RUSR | Mode::WUSR,
        };
        let new = self.step("create", path, || create(self.to, path, mode))?;
        let read = self.fill(path, &new, &mut content)?;
        let whole = read.and_then(|()| match content.is_whole() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Why::Changed),
            Err(error) => Err(error.into()),
        });
        if whole.is_err() {
            self.step("remove", path, || Ok(unlinkat(self.to, path.as_std_path(), AtFlags::empty())?))?;
        } else if self.options.sync {
            self.step("sync", path, || Ok(fsync(&new)?))?;
        }
        Ok(whole)
    }

    /// Copies all of it; a failure to read is told from one to write.
    fn fill(
        &mut self,
        path: &Utf8Path,
        new: &OwnedFd,
        content: &mut PlainFile,
    ) -> Result<Result<(), Why>, CopyError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let done = loop {
            match content.read(&mut buffer) {
                Ok(0) => break Ok(Ok(())),
                Ok(read) => {
                    let written = self.step("write", path, || Descriptor(new).write_all(&buffer[..read]));
                    if let Err(error) = written {
                        break Err(error);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Ok(Err(error.into())),
            }
        };
        // Login files go through here, too.
        zeroize::Zeroize::zeroize(buffer.as_mut_slice());
        self.buffer = buffer;
        done
    }
}

fn create(to: BorrowedFd<'_>, path: &Utf8Path, mode: Mode) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let new = openat2(to, path.as_std_path(), flags, mode, INSIDE)?;
    // The umask may have taken bits away.
    fchmod(&new, mode)?;
    Ok(new)
}

/// Writes to a descriptor that stays somebody else's.
struct Descriptor<'a>(&'a OwnedFd);

impl Write for Descriptor<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0.as_fd(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
