use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;

use camino::Utf8Path;

use super::{replace, sweep};
use crate::disk::{Call, Disk, open_folder};

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_new_content_is_there_whole_and_private() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open_folder(Utf8Path::from_path(folder.path()).unwrap()).unwrap();
    for content in [&b"one"[..], b"", b"three"] {
        replace(Disk::real(), opened.as_fd(), "file", content).unwrap();
        assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), content);
    }
    assert_eq!(names(&folder), ["file"]);
    assert_eq!(folder.path().join("file").metadata().unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_link_at_the_name_is_replaced_and_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, "untouched").unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.path().join("file")).unwrap();
    let opened = open_folder(Utf8Path::from_path(folder.path()).unwrap()).unwrap();
    replace(Disk::real(), opened.as_fd(), "file", b"new").unwrap();
    assert_eq!(std::fs::read(&elsewhere).unwrap(), b"untouched");
    assert!(folder.path().join("file").symlink_metadata().unwrap().is_file());
}

#[test]
fn when_any_call_fails_the_old_or_the_new_is_there_and_nothing_else() {
    for failing in [Call::Create, Call::Write, Call::Sync, Call::Rename] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "old").unwrap();
        let opened = open_folder(Utf8Path::from_path(folder.path()).unwrap()).unwrap();
        let hook = |call| if call == failing { Err(std::io::Error::other("no")) } else { Ok(()) };
        replace(Disk::with_hook(&hook), opened.as_fd(), "file", b"new").unwrap_err();
        assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), b"old", "{failing:?}");
        assert_eq!(names(&folder), ["file"], "{failing:?}");
    }
}

#[test]
fn what_a_killed_writer_left_is_swept_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["file", ".file.coffer-0123456789abcdef", ".file.tmp.1", ".other.coffer-1"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let opened = open_folder(Utf8Path::from_path(folder.path()).unwrap()).unwrap();
    sweep(Disk::real(), opened.as_fd(), "file");
    let mut left = names(&folder);
    left.sort();
    assert_eq!(left, [".file.tmp.1", ".other.coffer-1", "file"]);
}
