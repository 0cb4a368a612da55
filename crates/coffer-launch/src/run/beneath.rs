//! Work in a folder that an agent can write: by descriptor, below it, and without following any link.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, fstat, fsync, mkdirat, openat, openat2, readlinkat,
    renameat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::{RunError, SecretBytes};

/// Largest file that is read from such a folder, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// An open folder, and its path for messages.
#[derive(Debug)]
pub(super) struct Folder {
    descriptor: OwnedFd,
    path: Utf8PathBuf,
}

const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

impl Folder {
    /// Opens the folder itself; its last part must not be a link.
    pub(super) fn open(path: &Utf8Path) -> Result<Self, RunError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(CWD, path.as_std_path(), flags, Mode::empty());
        let descriptor = opened.map_err(|error| state("open", path, error))?;
        Ok(Self { descriptor, path: path.to_owned() })
    }

    /// A folder that is open already.
    pub(super) fn of(descriptor: OwnedFd, path: Utf8PathBuf) -> Self {
        Self { descriptor, path }
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    pub(super) fn into_descriptor(self) -> OwnedFd {
        self.descriptor
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The text of a link; `InvalidInput` when something else stands there.
    pub(super) fn read_link(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(readlinkat(&self.descriptor, name, Vec::new())?.into_bytes())
    }

    pub(super) fn symlink(&self, name: &str, to: &Utf8Path) -> Result<(), RunError> {
        symlinkat(to.as_std_path(), &self.descriptor, name)
            .map_err(|error| state("make the link", &self.path.join(name), error))
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), RunError> {
        unlinkat(&self.descriptor, name, AtFlags::empty())
            .map_err(|error| state("remove", &self.path.join(name), error))
    }

    /// A regular file with one link, read whole; `None` when nothing is there.
    pub(super) fn read(&self, name: &str) -> Result<Option<SecretBytes>, RunError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let descriptor = match openat2(&self.descriptor, name, flags, Mode::empty(), INSIDE) {
            Ok(descriptor) => descriptor,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::XDEV) => {
                return Err(RunError::Tampered { path, reason: "it is a link" });
            }
            Err(error) => return Err(state("open", &path, error)),
        };
        let found = fstat(&descriptor).map_err(|error| state("look at", &path, error))?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile || found.st_nlink != 1 {
            return Err(RunError::Tampered { path, reason: "it is no plain file" });
        }
        let mut content = SecretBytes::default();
        let mut bounded = File::from(descriptor).take(MAX_FILE_BYTES + 1);
        let read = bounded.read_to_end(content.buffer());
        read.map_err(|source| RunError::State { action: "read", path: path.clone(), source })?;
        if content.len() as u64 > MAX_FILE_BYTES {
            return Err(RunError::Tampered { path, reason: "it is larger than 64 MiB" });
        }
        Ok(Some(content))
    }

    /// Makes a file (0600) in a folder of the run, where nothing is yet. Nothing of a run outlives the machine's, so it
    /// is not synced.
    pub(super) fn create(&self, name: &str, content: &[u8]) -> Result<(), RunError> {
        let path = self.path.join(name);
        let mut file = self.new_file(name).map_err(|error| state("write", &path, error))?;
        file.write_all(content).map_err(|source| RunError::State { action: "write", path, source })
    }

    /// Puts a file (0600) in place at once: a temporary file, synced, renamed, the folder synced.
    pub(super) fn replace(&self, name: &str, content: &[u8]) -> Result<(), RunError> {
        let path = self.path.join(name);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| RunError::Random(io::Error::other(error)))?;
        let temporary = format!(".{name}.{:016x}", u64::from_le_bytes(random));
        let mut file = self.new_file(&temporary).map_err(|error| state("write", &path, error))?;
        let written = file
            .write_all(content)
            .and_then(|()| file.sync_all())
            .and_then(|()| Ok(renameat(&self.descriptor, temporary.as_str(), &self.descriptor, name)?))
            .and_then(|()| Ok(fsync(&self.descriptor)?));
        written.map_err(|source| {
            // The old file is untouched; what is left of the new one is worth nothing.
            let _ = unlinkat(&self.descriptor, temporary.as_str(), AtFlags::empty());
            RunError::State { action: "write", path, source }
        })
    }

    fn new_file(&self, name: &str) -> Result<File, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat2(&self.descriptor, name, flags, Mode::RUSR | Mode::WUSR, INSIDE).map(File::from)
    }

    /// Makes a mount point below the folder where it is missing; a link on the way is refused.
    pub(super) fn mount_point(&self, below: &Utf8Path, folder: bool) -> Result<(), RunError> {
        let path = self.path.join(below);
        let mut so_far = Utf8PathBuf::new();
        let mut parts: Vec<&str> = below.components().map(|part| part.as_str()).collect();
        let last = if folder { None } else { parts.pop() };
        for part in parts {
            so_far.push(part);
            match mkdirat(&self.descriptor, so_far.as_std_path(), Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => self.is_a(&so_far, FileType::Directory)?,
                Err(error) => return Err(state("make the mount point", &path, error)),
            }
        }
        let Some(name) = last else { return Ok(()) };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match openat2(
            &self.descriptor,
            so_far.join(name).as_std_path(),
            flags,
            Mode::RUSR | Mode::WUSR,
            INSIDE,
        ) {
            Ok(_) => Ok(()),
            Err(Errno::EXIST) => self.is_a(&so_far.join(name), FileType::RegularFile),
            Err(error) => Err(state("make the mount point", &path, error)),
        }
    }

    fn is_a(&self, below: &Utf8Path, wanted: FileType) -> Result<(), RunError> {
        let path = self.path.join(below);
        let found = statat(&self.descriptor, below.as_std_path(), AtFlags::SYMLINK_NOFOLLOW);
        let found = found.map_err(|error| state("look at", &path, error))?;
        match FileType::from_raw_mode(found.st_mode) {
            kind if kind == wanted => Ok(()),
            FileType::Symlink => Err(RunError::Tampered { path, reason: "it is a link" }),
            _ => Err(RunError::Tampered { path, reason: "it is of another kind than the mount on it" }),
        }
    }
}

fn state(action: &'static str, path: &Utf8Path, error: Errno) -> RunError {
    RunError::State { action, path: path.to_owned(), source: error.into() }
}
