//! Reads trees that an agent could write: by descriptors alone, below a root that was opened once, following
//! no link and waiting for nobody. What does not fit is skipped and listed with the reason.
//!
//! Each folder is opened from its parent's descriptor by one name, so that a folder that becomes a link under
//! way leads nowhere. Only regular files with one name are read; devices and pipes are not even opened. Depth,
//! number, and sizes are bounded, so that neither a loop nor a flood of names holds anybody up.

mod copy;
mod skipped;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, statat};
use rustix::io::Errno;

pub use copy::{CopyError, CopyOptions, copy};
pub use skipped::{Skipped, SkippedList, Why};

const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// What a tree may hold at most; the rest is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One file, in bytes.
    pub file_bytes: u64,
    /// All files together, in bytes.
    pub total_bytes: u64,
    /// Folders in folders; the root's own entries are at depth 1. Each level holds a descriptor open.
    pub depth: usize,
    /// Entries in all, skipped ones included.
    pub entries: usize,
}

impl Default for Limits {
    /// For the state of an agent: transcripts are large, and there are many.
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self { file_bytes: 512 * MIB, total_bytes: 16 * 1024 * MIB, depth: 48, entries: 200_000 }
    }
}

/// How far a walk has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Files so far.
    pub files: u64,
    /// Folders so far, without the root.
    pub folders: u64,
    /// Bytes of the files so far, by their sizes when they were opened.
    pub bytes: u64,
}

/// What is taken; told before the entry is opened. `true` takes it.
pub type Filter<'a> = &'a dyn Fn(&Utf8Path) -> bool;

/// How a tree is walked.
#[derive(Clone, Copy)]
pub struct Walk<'a> {
    /// What it may hold.
    pub limits: Limits,
    /// Which entries are taken, by path from the root; a folder that is not takes all below it with it.
    pub filter: Option<Filter<'a>>,
    /// Told after each entry.
    pub progress: Option<&'a dyn Fn(Progress)>,
}

impl Walk<'_> {
    /// Everything, within these limits.
    pub fn within(limits: Limits) -> Self {
        Self { limits, filter: None, progress: None }
    }
}

impl std::fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// What a walk came upon.
#[derive(Debug)]
pub enum Entry<'a> {
    /// A folder; its entries come next, in the order of their names.
    Folder {
        /// From the root.
        path: &'a Utf8Path,
    },
    /// A plain file, open at its beginning.
    File {
        /// From the root.
        path: &'a Utf8Path,
        /// Its content.
        content: PlainFile,
    },
}

/// What came of a walk.
#[derive(Debug, Default)]
pub struct Walked {
    /// How much was there.
    pub progress: Progress,
    /// What was skipped.
    pub skipped: SkippedList,
}

/// A regular file with one name, opened. It reads at most as many bytes as it had then.
#[derive(Debug)]
pub struct PlainFile {
    file: File,
    found: Stat,
    left: u64,
}

impl PlainFile {
    /// Its size when it was opened.
    pub fn size(&self) -> u64 {
        self.found.st_size.unsigned_abs()
    }

    /// Whether its owner may execute it.
    pub fn is_executable(&self) -> bool {
        self.found.st_mode & 0o100 != 0
    }

    /// When it was last written, in seconds and nanoseconds since 1970.
    pub fn modified(&self) -> (i64, u64) {
        (self.found.st_mtime, self.found.st_mtime_nsec)
    }

    /// Whether all of it was read, and it is still as it was when it was opened. A file that grows or is
    /// rewritten while it is read is no whole.
    ///
    /// # Errors
    /// As `fstat(2)`.
    pub fn is_whole(&self) -> io::Result<bool> {
        let now = fstat(&self.file)?;
        let stamp = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
        Ok(self.left == 0 && stamp(&now) == stamp(&self.found))
    }
}

impl Read for PlainFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..most])?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// What a visitor says of an entry.
pub type Visited = Result<(), Why>;

/// Walks a tree. The visitor is shown each folder and plain file; what it refuses with a reason is listed as
/// skipped, and what lies below a refused folder is left out.
///
/// # Errors
/// When the root itself cannot be read, or the visitor fails for good (the outer error).
pub fn walk<E: From<io::Error>>(
    root: BorrowedFd<'_>,
    how: &Walk<'_>,
    visit: &mut dyn FnMut(Entry<'_>) -> Result<Visited, E>,
) -> Result<Walked, E> {
    let mut walker = Walker { how, seen: 0, out: Walked::default() };
    let first = walker.names(root, Utf8Path::new(""))?;
    let mut stack: Vec<Level> =
        vec![Level { folder: root.try_clone_to_owned()?, path: "".into(), names: first }];
    loop {
        let depth = stack.len();
        let Some(level) = stack.last_mut() else { break };
        let Some(name) = level.names.pop() else {
            stack.pop();
            continue;
        };
        let path = level.path.join(&name);
        if how.filter.is_some_and(|takes| !takes(&path)) {
            continue;
        }
        match walker.open(level.folder.as_fd(), &name, depth) {
            Err(why) => walker.out.skipped.add(path.as_str(), why),
            Ok(Opened::Folder(folder)) => match visit(Entry::Folder { path: &path })? {
                Err(why) => walker.out.skipped.add(path.as_str(), why),
                Ok(()) => {
                    walker.out.progress.folders += 1;
                    match walker.names(folder.as_fd(), &path) {
                        Ok(names) => stack.push(Level { folder, path, names }),
                        Err(error) => walker.out.skipped.add(path.as_str(), error.into()),
                    }
                }
            },
            Ok(Opened::File(content)) => {
                let size = content.size();
                match visit(Entry::File { path: &path, content })? {
                    Err(why) => walker.out.skipped.add(path.as_str(), why),
                    Ok(()) => {
                        walker.out.progress.files += 1;
                        walker.out.progress.bytes += size;
                    }
                }
            }
        }
        if let Some(tell) = how.progress {
            tell(walker.out.progress);
        }
    }
    Ok(walker.out)
}

/// A folder whose entries are being visited.
struct Level {
    folder: OwnedFd,
    path: Utf8PathBuf,
    /// Still to come, the last first.
    names: Vec<String>,
}

enum Opened {
    Folder(OwnedFd),
    File(PlainFile),
}

struct Walker<'a> {
    how: &'a Walk<'a>,
    seen: usize,
    out: Walked,
}

impl Walker<'_> {
    /// The names in a folder, in reverse order; as many as the limit still allows.
    fn names(&mut self, folder: BorrowedFd<'_>, path: &Utf8Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let raw = entry.file_name().to_bytes();
            if raw == b"." || raw == b".." {
                continue;
            }
            if self.seen >= self.how.limits.entries {
                let rest = path.join("…");
                self.out.skipped.add(rest.as_str(), Why::TooMany);
                break;
            }
            self.seen += 1;
            match std::str::from_utf8(raw) {
                Ok(name) if !name.chars().any(char::is_control) => names.push(name.to_owned()),
                Ok(_) | Err(_) => {
                    let shown = path.join(String::from_utf8_lossy(raw).as_ref());
                    self.out.skipped.add(shown.as_str(), Why::Name);
                }
            }
        }
        names.sort_unstable_by(|one, other| other.cmp(one));
        Ok(names)
    }

    /// Opens an entry; what it is is looked at before, and again by the descriptor.
    fn open(&self, folder: BorrowedFd<'_>, name: &str, depth: usize) -> Result<Opened, Why> {
        let before = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = plain_kind(&before)?;
        if kind == FileType::Directory && depth >= self.how.limits.depth {
            return Err(Why::TooDeep);
        }
        let folder_flag = if kind == FileType::Directory { OFlags::DIRECTORY } else { OFlags::empty() };
        let flags = OFlags::RDONLY
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC
            | folder_flag;
        let opened = loop {
            match openat2(folder, name, flags, Mode::empty(), INSIDE) {
                // A rename somewhere on the machine made the kernel unsure.
                Err(Errno::AGAIN) => {}
                Err(Errno::LOOP | Errno::XDEV) => return Err(Why::Link),
                // It was exchanged since it was looked at.
                Err(Errno::NOTDIR | Errno::NXIO) => return Err(Why::Changed),
                Err(errno) => return Err(errno.into()),
                Ok(opened) => break opened,
            }
        };
        let found = fstat(&opened)?;
        if plain_kind(&found)? == FileType::Directory {
            return match kind {
                FileType::Directory => Ok(Opened::Folder(opened)),
                _ => Err(Why::Changed),
            };
        }
        let size = found.st_size.unsigned_abs();
        if size > self.how.limits.file_bytes {
            return Err(Why::TooLarge);
        }
        if size > self.how.limits.total_bytes.saturating_sub(self.out.progress.bytes) {
            return Err(Why::TotalTooLarge);
        }
        Ok(Opened::File(PlainFile { file: opened.into(), found, left: size }))
    }
}

/// Folder or regular file with one name; everything else is a reason to skip it.
fn plain_kind(found: &Stat) -> Result<FileType, Why> {
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => Ok(FileType::Directory),
        FileType::RegularFile if found.st_nlink == 1 => Ok(FileType::RegularFile),
        // Removed since it was opened, or one of several names: then its other name may lie anywhere.
        FileType::RegularFile if found.st_nlink == 0 => Err(Why::Changed),
        FileType::RegularFile => Err(Why::HardLink),
        FileType::Symlink => Err(Why::Link),
        FileType::Fifo => Err(Why::Fifo),
        FileType::Socket => Err(Why::Socket),
        FileType::BlockDevice | FileType::CharacterDevice | FileType::Unknown => Err(Why::Device),
    }
}
