//! Merges what an agent did in a working copy back into the state, by three sides: what it began with, what the
//! agent made of it, and what the state is now.
//!
//! Both trees may have been written by an agent, and one may run in the state this moment: everything goes by
//! descriptors, no link is followed, and only regular files with one name count. What changed on one side is taken;
//! what changed on both is kept side by side. A file that goes is removed only where the state still has it as it
//! was. Configuration and credentials stay out.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Stat, fchmod, fstat, mkdirat, openat2,
    renameat_with, statat, syncfs, unlinkat,
};
use rustix::io::Errno;

use super::beneath::Folder;
use super::claim::random_id;
use super::copy_tree::{Originals, Stamp, keep_time, names};
use super::ground::Merging;

mod below;
#[cfg(test)]
mod tests;

const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);
/// Folders in folders.
const DEPTH: usize = 64;
/// Larger files are left out.
const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// What became of the changes in a working copy. Paths count from the state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    /// The run.
    pub run: String,
    /// The state.
    pub state: Utf8PathBuf,
    /// New files.
    pub added: Vec<Utf8PathBuf>,
    /// Files that only the copy had changed.
    pub changed: Vec<Utf8PathBuf>,
    /// Files that only the copy had removed.
    pub removed: Vec<Utf8PathBuf>,
    /// Files that both sides changed: the copy's is beside the state's, under this name.
    pub conflicts: Vec<Utf8PathBuf>,
    /// What was removed in the copy, and stays.
    pub stays: Vec<Utf8PathBuf>,
    /// What is never merged (configuration, credentials), and what is no plain file; with the reason.
    pub skipped: Vec<(Utf8PathBuf, &'static str)>,
}

/// What a working copy began with.
pub(super) enum Began<'a> {
    /// A folder that has kept still; the changes lie in one of their own.
    Folder(BorrowedFd<'a>),
    /// A copy of these files.
    Copy(&'a Originals),
}

/// How it is merged.
pub(super) struct How<'a> {
    /// The run's id, for the names of what both sides changed.
    pub(super) run: &'a str,
    /// Names in the root that are left out.
    pub(super) never: &'a [String],
}

/// Merges. What was merged so far stays when it fails.
pub(super) fn merge(
    changes: &Folder,
    began: &Began<'_>,
    merging: &Merging,
    how: &How<'_>,
) -> io::Result<Kept> {
    let (changed, state) = (changes.descriptor(), merging.folder.as_fd());
    let mut merge = Merge { began, merging, how, changes: changed, state, out: Kept::default() };
    merge.walk(changes.descriptor())?;
    if let Began::Copy(originals) = began {
        for (path, stamp) in *originals {
            if !merge.is_left_out(path) && is_gone(changes.descriptor(), path)? {
                let unchanged = merge.state_file(path)?.is_some_and(|now| Stamp::of(&now.found) == *stamp);
                merge.remove(path, unchanged)?;
            }
        }
    }
    syncfs(&merging.folder)?;
    Ok(merge.out)
}

struct Merge<'a> {
    began: &'a Began<'a>,
    merging: &'a Merging,
    how: &'a How<'a>,
    changes: BorrowedFd<'a>,
    state: BorrowedFd<'a>,
    out: Kept,
}

/// A regular file with one name, open.
struct Plain {
    file: File,
    found: Stat,
}

/// What stands at a path of the state.
enum There {
    Nothing,
    Plain(Plain),
    Other,
}

struct Level {
    folder: OwnedFd,
    path: Utf8PathBuf,
    names: Vec<String>,
}

impl Merge<'_> {
    fn walk(&mut self, root: BorrowedFd<'_>) -> io::Result<()> {
        let folder = root.try_clone_to_owned()?;
        let mut stack = vec![Level { names: names(root)?, folder, path: Utf8PathBuf::new() }];
        loop {
            let depth = stack.len();
            let Some(level) = stack.last_mut() else { break };
            let Some(name) = level.names.pop() else {
                stack.pop();
                continue;
            };
            let path = level.path.join(&name);
            let found = statat(&level.folder, name.as_str(), AtFlags::SYMLINK_NOFOLLOW)?;
            let kind = FileType::from_raw_mode(found.st_mode);
            if self.is_left_out(&path) {
                // Mount points and links of ours are nobody's work.
                if kind == FileType::RegularFile && found.st_size > 0 {
                    self.skip(path, "configuration or credential");
                }
                continue;
            }
            match kind {
                FileType::Directory if depth >= DEPTH => self.skip(path, "too deep"),
                FileType::Directory => {
                    let folder = open(level.folder.as_fd(), Utf8Path::new(&name), OFlags::DIRECTORY)?;
                    if self.is_layer() && below::hides(folder.as_fd())? {
                        self.hidden(&path)?;
                    }
                    stack.push(Level { names: names(folder.as_fd())?, folder, path });
                }
                FileType::RegularFile => {
                    match plain(open(level.folder.as_fd(), Utf8Path::new(&name), OFlags::NONBLOCK)?)? {
                        Some(new) if new.found.st_size.unsigned_abs() > MAX_FILE_BYTES => {
                            self.skip(path, "too large");
                        }
                        Some(new) => self.file(path, new)?,
                        None => self.skip(path, "a file with several names"),
                    }
                }
                FileType::CharacterDevice if found.st_rdev == 0 && self.is_layer() => {
                    self.gone(&path)?;
                }
                FileType::Symlink => self.skip(path, "a link"),
                FileType::Fifo => self.skip(path, "a named pipe"),
                FileType::Socket => self.skip(path, "a socket"),
                FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => {
                    self.skip(path, "a device");
                }
            }
        }
        Ok(())
    }

    fn is_layer(&self) -> bool {
        matches!(self.began, Began::Folder(_))
    }

    fn skip(&mut self, path: Utf8PathBuf, why: &'static str) {
        self.out.skipped.push((path, why));
    }

    /// Whether it belongs to configuration or credentials.
    fn is_left_out(&self, path: &Utf8Path) -> bool {
        let first = path.components().next().map_or("", |part| part.as_str());
        self.how.never.iter().any(|never| match never.split_once('*') {
            None => never == first,
            Some((start, end)) => {
                first.len() >= start.len() + end.len() && first.starts_with(start) && first.ends_with(end)
            }
        })
    }

    fn file(&mut self, path: Utf8PathBuf, new: Plain) -> io::Result<()> {
        let before = self.file_before(&path)?;
        match (self.began, &before) {
            (Began::Copy(originals), _) => {
                let original = originals.get(&path);
                if original.is_some_and(|original| Stamp::of(&new.found).is_copy_of(original)) {
                    return Ok(());
                }
            }
            (Began::Folder(_), Some(before)) => {
                if is_same(before, &new)? {
                    return Ok(());
                }
            }
            (Began::Folder(_), None) => {}
        }
        match self.there(&path)? {
            There::Nothing => {
                self.put(&path, &new, RenameFlags::NOREPLACE)?;
                self.out.added.push(path);
            }
            There::Other => self.skip(path, "the state has something else there"),
            There::Plain(now) if is_same(&now, &new)? => {}
            There::Plain(_) if !self.merging.is_live && self.is_as_it_began(&path)? => {
                self.put(&path, &new, RenameFlags::empty())?;
                self.out.changed.push(path);
            }
            There::Plain(_) => {
                let name = format!("{}.coffer-{}", path.file_name().unwrap_or_default(), self.how.run);
                let beside = path.with_file_name(name);
                self.put(&beside, &new, RenameFlags::NOREPLACE)?;
                self.out.conflicts.push(beside);
            }
        }
        Ok(())
    }

    /// A file is removed where the state still has it as it was; everything else that went stays, and is listed.
    fn remove(&mut self, path: &Utf8Path, is_unchanged: bool) -> io::Result<()> {
        match self.there(path)? {
            There::Nothing => {}
            There::Plain(_) if is_unchanged && !self.merging.is_live => {
                let (folder, name) = self.parent(path)?;
                unlinkat(&folder, name.as_str(), AtFlags::empty())?;
                self.out.removed.push(path.to_owned());
            }
            There::Plain(_) | There::Other => self.out.stays.push(path.to_owned()),
        }
        Ok(())
    }

    /// What the working copy began with at this path.
    fn file_before(&self, path: &Utf8Path) -> io::Result<Option<Plain>> {
        match self.began {
            Began::Folder(folder) => Ok(match look(*folder, path)? {
                There::Plain(before) => Some(before),
                There::Nothing | There::Other => None,
            }),
            Began::Copy(_) => Ok(None),
        }
    }

    /// Whether the state still has what the working copy began with.
    fn is_as_it_began(&self, path: &Utf8Path) -> io::Result<bool> {
        if self.merging.is_same {
            return Ok(true);
        }
        let Some(now) = self.state_file(path)? else { return Ok(false) };
        match self.began {
            Began::Folder(_) => match self.file_before(path)? {
                Some(before) => is_same(&before, &now),
                None => Ok(false),
            },
            Began::Copy(originals) => Ok(originals.get(path) == Some(&Stamp::of(&now.found))),
        }
    }

    fn state_file(&self, path: &Utf8Path) -> io::Result<Option<Plain>> {
        Ok(match self.there(path)? {
            There::Plain(now) => Some(now),
            There::Nothing | There::Other => None,
        })
    }

    fn there(&self, path: &Utf8Path) -> io::Result<There> {
        look(self.state, path)
    }

    /// The folder of a path in the state, made where it is missing.
    fn parent(&self, path: &Utf8Path) -> io::Result<(OwnedFd, String)> {
        let name = path.file_name().ok_or(Errno::INVAL)?.to_owned();
        let mut folder = self.state.try_clone_to_owned()?;
        for part in path.parent().into_iter().flat_map(Utf8Path::components) {
            let part = Utf8Path::new(part.as_str());
            match mkdirat(&folder, part.as_std_path(), Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
            folder = open(folder.as_fd(), part, OFlags::DIRECTORY)?;
        }
        Ok((folder, name))
    }

    /// Puts a file in place at once.
    fn put(&self, path: &Utf8Path, new: &Plain, flags: RenameFlags) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        let temporary = format!(".coffer-{}", random_id().map_err(io::Error::other)?);
        let mode = Mode::RUSR | Mode::WUSR | (Mode::from_raw_mode(new.found.st_mode) & Mode::XUSR);
        let to = super::copy_tree::create(folder.as_fd(), Utf8Path::new(&temporary), mode)?;
        let written = || -> io::Result<()> {
            fchmod(&to, mode)?;
            let mut from = new.file.try_clone()?;
            io::Seek::rewind(&mut from)?;
            io::copy(&mut from.take(new.found.st_size.unsigned_abs()), &mut File::from(to.try_clone()?))?;
            keep_time(to.as_fd(), &new.found)?;
            File::from(to.try_clone()?).sync_all()?;
            Ok(renameat_with(&folder, temporary.as_str(), &folder, name.as_str(), flags)?)
        };
        written().inspect_err(|_| {
            // What is left of the new one is worth nothing.
            let _ = unlinkat(&folder, temporary.as_str(), AtFlags::empty());
        })
    }
}

fn open(folder: BorrowedFd<'_>, path: &Utf8Path, more: OFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    loop {
        match openat2(folder, path.as_std_path(), flags, Mode::empty(), INSIDE) {
            // A rename somewhere on the machine made the kernel unsure.
            Err(Errno::AGAIN) => {}
            opened => return Ok(opened?),
        }
    }
}

fn plain(file: OwnedFd) -> io::Result<Option<Plain>> {
    let found = fstat(&file)?;
    let is_plain = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile && found.st_nlink == 1;
    Ok(is_plain.then(|| Plain { file: file.into(), found }))
}

fn look(root: BorrowedFd<'_>, path: &Utf8Path) -> io::Result<There> {
    match open(root, path, OFlags::NONBLOCK) {
        Ok(file) => Ok(plain(file)?.map_or(There::Other, There::Plain)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => Ok(There::Nothing),
            // A link, a socket, or one of them on the way.
            Some(Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::NOTDIR) => Ok(There::Other),
            _ => Err(error),
        },
    }
}

fn is_gone(root: BorrowedFd<'_>, path: &Utf8Path) -> io::Result<bool> {
    Ok(matches!(look(root, path)?, There::Nothing))
}

/// Whether two files hold the same.
fn is_same(one: &Plain, other: &Plain) -> io::Result<bool> {
    if one.found.st_size != other.found.st_size {
        return Ok(false);
    }
    let (mut left, mut right) = ([0; 64 * 1024], [0; 64 * 1024]);
    let mut at = 0;
    loop {
        use std::os::unix::fs::FileExt as _;
        let read = one.file.read_at(&mut left, at)?;
        if read == 0 {
            return Ok(true);
        }
        if other.file.read_exact_at(&mut right[..read], at).is_err() || left[..read] != right[..read] {
            return Ok(false);
        }
        at += read as u64;
    }
}
