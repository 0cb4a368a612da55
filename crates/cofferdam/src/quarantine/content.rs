//! What stands in something that was moved aside, as one number: whoever takes it back gets what was there then.

use std::fs::File;
use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, CWD};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2, readlinkat, statat};
use sha2::{Digest as _, Sha256};

/// So many files and folders, and so many bytes, are read; what is larger has no number.
const MOST: usize = 2000;
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The SHA-256 over names, kinds, modes and contents; `None` when it is too much, or cannot be read.
pub(crate) fn digest(path: &Utf8Path) -> Option<String> {
    let mut digest = Sha256::new();
    let mut left = MOST_BYTES;
    let mut waiting: Vec<Utf8PathBuf> = vec![path.to_owned()];
    let mut seen = 0;
    while let Some(next) = waiting.pop() {
        seen += 1;
        if seen > MOST {
            return None;
        }
        let below = next.strip_prefix(path).ok()?;
        let found = statat(CWD, next.as_str(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        digest.update(format!("{below}\0{:o}\0", found.st_mode));
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => {
                let mut names: Vec<Utf8PathBuf> = Vec::new();
                for entry in next.read_dir_utf8().ok()? {
                    names.push(entry.ok()?.path().to_owned());
                    if names.len() > MOST {
                        return None;
                    }
                }
                names.sort();
                waiting.extend(names);
            }
            FileType::Symlink => {
                digest.update(readlinkat(CWD, next.as_str(), Vec::new()).ok()?.as_bytes());
            }
            FileType::RegularFile => left -= file(&next, left, &mut digest)?,
            // A pipe holds nobody up, and has no content.
            _ => {}
        }
        digest.update(b"\0");
    }
    Some(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Takes in a file; how much it was.
fn file(path: &Utf8Path, most: u64, digest: &mut Sha256) -> Option<u64> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = openat2(CWD, path.as_str(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).ok()?;
    if FileType::from_raw_mode(fstat(&opened).ok()?.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut content = Vec::new();
    File::from(opened).take(most + 1).read_to_end(&mut content).ok()?;
    let read = content.len() as u64;
    digest.update(read.to_be_bytes());
    digest.update(&content);
    (read <= most).then_some(read)
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::digest;

    #[test]
    fn every_change_of_what_was_moved_is_seen() {
        let ground = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(ground.path()).unwrap().join("x");
        std::fs::create_dir_all(folder.join("deep")).unwrap();
        std::fs::write(folder.join("deep/file"), "good").unwrap();
        let before = digest(&folder);
        assert!(before.is_some() && before == digest(&folder));
        // Where it lies does not matter: it was moved.
        let moved = folder.with_file_name("y");
        std::fs::rename(&folder, &moved).unwrap();
        assert_eq!(digest(&moved), before);
        std::fs::write(moved.join("deep/file"), "evil").unwrap();
        assert_ne!(digest(&moved), before);
        std::fs::write(moved.join("deep/file"), "good").unwrap();
        std::os::unix::fs::symlink("file", moved.join("deep/link")).unwrap();
        assert_ne!(digest(&moved), before);
        assert_eq!(digest(&moved.join("nothing")), None);
    }
}
