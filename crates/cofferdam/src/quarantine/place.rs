//! Renames in trees that an agent wrote: by the folder's descriptor, without following a link, over nothing.

use std::io;

use camino::Utf8Path;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, ResolveFlags, openat2, renameat_with};

/// The folder around a path; no link is followed on the way.
pub(crate) fn folder_of(path: &Utf8Path) -> io::Result<OwnedFd> {
    let parent = path.parent().unwrap_or(path);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat2(CWD, parent.as_str(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?)
}

/// Gives something another name in its folder.
pub(crate) fn rename(path: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    let folder = folder_of(path)?;
    let (from, to) = (path.file_name().unwrap_or_default(), to.file_name().unwrap_or_default());
    Ok(renameat_with(&folder, from, &folder, to, RenameFlags::NOREPLACE)?)
}
