//! A state is copied as it is: what it is made of, what is left out, and nothing of anybody else's.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

use camino::Utf8PathBuf;

use super::{Originals, copy_tree};
use crate::run::tests::{Ground, fifo, names, read};

/// Copies `from` to `to`, both below the ground.
fn copied(ground: &Ground) -> (Originals, Vec<u64>) {
    let [from, to] = ["from", "to"].map(|name| ground.path().join(name));
    std::fs::create_dir_all(&from).unwrap();
    std::fs::create_dir(&to).unwrap();
    let told = RefCell::new(Vec::new());
    let tell = |files: u64| told.borrow_mut().push(files);
    let [from, to] = [from, to].map(|path| File::open(path).unwrap());
    let originals = copy_tree(from.as_fd(), to.as_fd(), &tell).unwrap();
    (originals, told.into_inner())
}

#[test]
fn files_come_with_content_time_and_whether_they_run_and_are_private() {
    let ground = Ground::new();
    let script = ground.write("from/a/run.sh", "#!/bin/sh\n");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o4755)).unwrap();
    let plain = ground.write("from/plain", "text");
    std::fs::set_permissions(&plain, PermissionsExt::from_mode(0o666)).unwrap();
    let (originals, told) = copied(&ground);
    let to = ground.path().join("to");
    let mode = |name: &str| to.join(name).metadata().unwrap().mode() & 0o7777;
    assert_eq!((mode("a"), mode("a/run.sh"), mode("plain")), (0o700, 0o700, 0o600));
    assert_eq!((read(&to.join("a/run.sh")), read(&to.join("plain"))), ("#!/bin/sh\n".into(), "text".into()));
    let modified = |path: &Utf8PathBuf| path.metadata().unwrap().modified().unwrap();
    assert_eq!(modified(&plain), modified(&to.join("plain")));
    assert_eq!(told, [1, 2], "each file is told");
    assert_eq!(originals.keys().collect::<Vec<_>>(), ["a/run.sh", "plain"]);
}

#[test]
fn links_stay_links_and_nothing_is_read_through_one() {
    let ground = Ground::new();
    let outside = ground.write("outside/secret", "FAKE-secret");
    ground.write("from/plain", "x");
    ground.link("from/file", &outside);
    ground.link("from/folder", ground.path().join("outside"));
    ground.link("from/dangling", "/nowhere/at all");
    let (originals, _) = copied(&ground);
    let to = ground.path().join("to");
    for (name, target) in [
        ("file", outside.as_str()),
        ("folder", ground.path().join("outside").as_str()),
        ("dangling", "/nowhere/at all"),
    ] {
        assert_eq!(to.join(name).read_link_utf8().unwrap(), target);
    }
    assert_eq!(originals.keys().collect::<Vec<_>>(), ["plain"], "no link counts as a file");
}

#[test]
fn pipes_sockets_and_names_that_are_no_text_are_left_out_and_waited_for_by_nobody() {
    use std::os::unix::ffi::OsStrExt as _;
    let ground = Ground::new();
    let hostile = "-rf \n\u{1b}[2J 'quoted' $(id) *";
    ground.write(&format!("from/{hostile}"), "text");
    fifo(&ground.path().join("from/pipe"));
    let _socket = std::os::unix::net::UnixListener::bind(ground.path().join("from/socket")).unwrap();
    let no_text = std::ffi::OsStr::from_bytes(b"no\xfftext");
    std::fs::write(ground.path().join("from").as_std_path().join(no_text), "x").unwrap();
    let (originals, _) = copied(&ground);
    assert_eq!(names(&ground.path().join("to")), [hostile]);
    assert_eq!(originals.len(), 1);
}

#[test]
fn a_tree_that_is_too_deep_is_refused_and_one_level_less_is_not() {
    for (levels, is_fine) in [(super::DEPTH - 1, true), (super::DEPTH, false)] {
        let ground = Ground::new();
        let path: Utf8PathBuf = std::iter::repeat_n("d", levels).collect();
        let [from, to] = ["from", "to"].map(|name| ground.path().join(name));
        std::fs::create_dir_all(from.join(path)).unwrap();
        std::fs::create_dir(&to).unwrap();
        let [from, to] = [from, to].map(|path| File::open(path).unwrap());
        assert_eq!(copy_tree(from.as_fd(), to.as_fd(), &|_| ()).is_ok(), is_fine, "{levels}");
    }
}
