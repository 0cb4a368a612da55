//! Whole folders that went: an overlay keeps one mark for all that was below it, where a plain copy misses each
//! file. Both ways remove the same files.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, FileType, OFlags, fgetxattr, statat};
use rustix::io::Errno;

use super::{Began, DEPTH, Merge, is_gone, open};
use crate::run::copy_tree::names;

/// On a folder that hides the one below it: the first in an overlay of an ordinary user, the second in root's. An
/// agent that forges one removes what it could remove anyway; in a plain copy it means nothing and is not asked.
const HIDES: [&str; 2] = ["user.overlay.opaque", "trusted.overlay.opaque"];

/// Whether a folder of a layer hides the one below it: it was removed, and made anew.
pub(super) fn hides(folder: BorrowedFd<'_>) -> io::Result<bool> {
    for name in HIDES {
        let mut value = [0; 1];
        match fgetxattr(folder, name, &mut value) {
            Ok(length) if value[..length] == *b"y" => return Ok(true),
            Ok(_) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(false)
}

impl Merge<'_> {
    /// A mark stands where the working copy began with something: it and all that was below it is removed.
    pub(super) fn gone(&mut self, path: &Utf8Path) -> io::Result<()> {
        let below = self.files_below(path)?;
        if below.is_empty() {
            let unchanged = self.is_as_it_began(path)?;
            return self.remove(path, unchanged);
        }
        self.all_gone(&below)
    }

    /// A folder was made anew: what was in the old one and is not in it is removed.
    pub(super) fn hidden(&mut self, path: &Utf8Path) -> io::Result<()> {
        let mut gone = Vec::new();
        for file in self.files_below(path)? {
            if is_gone(self.changes, &file)? {
                gone.push(file);
            }
        }
        self.all_gone(&gone)
    }

    fn all_gone(&mut self, files: &[Utf8PathBuf]) -> io::Result<()> {
        for file in files {
            let unchanged = self.is_as_it_began(file)?;
            self.remove(file, unchanged)?;
        }
        Ok(())
    }

    /// The plain files below a folder with which the working copy began; none when it was no folder.
    fn files_below(&self, path: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
        let Began::Folder(root) = self.began else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        let mut folders = vec![path.to_owned()];
        while let Some(at) = folders.pop() {
            let folder = match open(*root, &at, OFlags::DIRECTORY) {
                Ok(folder) => folder,
                // It was something else, or nothing.
                Err(error) if is_no_folder(&error) => continue,
                Err(error) => return Err(error),
            };
            for name in names(folder.as_fd())? {
                let found = statat(&folder, name.as_str(), AtFlags::SYMLINK_NOFOLLOW)?;
                match FileType::from_raw_mode(found.st_mode) {
                    // As deep as files are merged.
                    FileType::Directory if at.components().count() + 1 < DEPTH => folders.push(at.join(name)),
                    FileType::RegularFile => files.push(at.join(name)),
                    FileType::Directory
                    | FileType::Symlink
                    | FileType::Fifo
                    | FileType::Socket
                    | FileType::CharacterDevice
                    | FileType::BlockDevice
                    | FileType::Unknown => {}
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

fn is_no_folder(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP))
}
