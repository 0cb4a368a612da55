//! Reading and writing by paths.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::judged;
use crate::attack::{Brief, Outcome};

/// What of a file is read.
const BEGINNING: u64 = 64 * 1024;
/// Stands in the home folder of the stage.
const KNOWN: &str = "letters";

pub(super) fn read(path: &Path, brief: &Brief) -> Outcome {
    match beginning(path) {
        Ok(text) => judged(&text, brief),
        Err(error) => Outcome::refused(&error),
    }
}

pub(super) fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(BEGINNING).read_to_end(&mut text)?;
    Ok(text)
}

/// Whether it is seen on the host is for the host to say.
pub(super) fn write(path: &Path, mark: &str) -> Outcome {
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| OpenOptions::new().append(true).create(true).open(path)?.write_all(mark.as_bytes()));
    Outcome::of(written)
}

pub(super) fn open_to_write(path: &Path) -> Outcome {
    Outcome::of(OpenOptions::new().write(true).open(path))
}

/// Nothing is opened: as long as somebody has a program open for writing, nobody can start it.
pub(super) fn may_write(path: &Path) -> Outcome {
    Outcome::of(is_writable(path).map_err(io::Error::from))
}

/// Asked with the rights that are in effect; the kernel looks at the mount, too.
pub(super) fn is_writable(path: &Path) -> rustix::io::Result<()> {
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)
}

pub(super) fn open(path: &Path) -> Outcome {
    let opened = File::open(path).and_then(|mut file| {
        let kind = file.metadata()?.file_type();
        // A device is only opened: reading may wait, or mean something.
        if !kind.is_char_device() && !kind.is_block_device() {
            let _ = file.read(&mut [0])?;
        }
        Ok(())
    });
    Outcome::of(opened)
}

pub(super) fn open_of_machine(path: &str, brief: &Brief) -> Outcome {
    let path = Path::new(path);
    let known = brief.system.get(path).copied();
    let is_another = || fs::metadata(path).is_ok_and(|found| known != Some((found.dev(), found.ino())));
    match open(path) {
        Outcome::Done(_) if is_another() => Outcome::Own("another file is there".to_owned()),
        outcome => outcome,
    }
}

pub(crate) fn list_home(brief: &Brief) -> Outcome {
    let names = match fs::read_dir(&brief.home) {
        Ok(names) => names,
        Err(error) => return Outcome::refused(&error),
    };
    if names.flatten().any(|entry| entry.file_name() == KNOWN) {
        Outcome::Done("the names are there".to_owned())
    } else {
        Outcome::Own("another home folder is there".to_owned())
    }
}

/// A folder of memory that the stage has laid a file into.
pub(crate) fn shared_memory_file(brief: &Brief) -> Outcome {
    let folder = Path::new("/dev/shm");
    if folder.join(&brief.canary).exists() {
        return write(&folder.join(format!("{}-new", brief.canary)), &brief.mark("write-shared-memory"));
    }
    let path = folder.join("coffer-attack");
    let written = File::create(&path).and_then(|_| fs::remove_file(&path));
    match written {
        Ok(()) => Outcome::Own("another folder is there".to_owned()),
        Err(error) => Outcome::refused(&error),
    }
}

/// And back again.
pub(crate) fn move_git_folder(brief: &Brief) -> Outcome {
    let (git, aside) = (brief.project.join(".git"), brief.project.join(".git-aside"));
    let moved = fs::rename(&git, &aside).and_then(|()| fs::create_dir(&git));
    if moved.is_ok() {
        // If this fails, the next attacks on `.git` find nothing there, and say so.
        let _ = fs::remove_dir(&git).and_then(|()| fs::rename(&aside, &git));
    }
    Outcome::of(moved)
}
