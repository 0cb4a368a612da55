use std::os::unix::fs::{MetadataExt, PermissionsExt};

use camino::Utf8Path;
use coffer_testkit::require;

use super::{Ground, fifo, names, read};
use crate::run::RunError;
use crate::run::beneath::Folder;

fn open(ground: &Ground) -> Folder {
    Folder::open(&ground.path()).unwrap()
}

/// Why something that an agent left there is not touched.
fn tampered<T>(result: Result<T, RunError>) -> &'static str {
    match result {
        Err(RunError::Tampered { reason, .. }) => reason,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was taken"),
    }
}

fn content(folder: &Folder, name: &str) -> Option<Vec<u8>> {
    folder.read(name).unwrap().map(|bytes| bytes.to_vec())
}

#[test]
fn a_folder_that_is_a_link_is_not_opened() {
    let ground = Ground::new();
    let link = ground.link("link", ground.path());
    assert!(matches!(Folder::open(&link), Err(RunError::State { action: "open", .. })));
    let file = ground.write("file", "");
    assert!(matches!(Folder::open(&file), Err(RunError::State { action: "open", .. })));
    assert!(matches!(Folder::open(&ground.path().join("absent")), Err(RunError::State { .. })));
}

#[test]
fn a_plain_file_is_read_whole() {
    let ground = Ground::new();
    let folder = open(&ground);
    assert_eq!(content(&folder, "absent"), None);
    ground.write("empty", "");
    assert_eq!(content(&folder, "empty"), Some(Vec::new()));
    let long = vec![7_u8; 300_000];
    ground.write("long", &long);
    assert_eq!(content(&folder, "long"), Some(long));
}

#[test]
fn whatever_else_an_agent_leaves_is_not_read() {
    let ground = Ground::new();
    let outside = Ground::new();
    let secret = outside.write("secret", "x");
    let folder = open(&ground);
    ground.link("link", &secret);
    ground.link("dangling", "nowhere");
    ground.link("linked", outside.path());
    std::fs::hard_link(&secret, ground.path().join("hard")).unwrap();
    std::fs::create_dir(ground.path().join("folder")).unwrap();
    fifo(&ground.path().join("pipe"));
    for name in ["link", "dangling", "linked/secret"] {
        assert_eq!(tampered(folder.read(name)), "it is a link", "{name}");
    }
    // A pipe without a writer would be waited for.
    for name in ["hard", "folder", "pipe"] {
        assert_eq!(tampered(folder.read(name)), "it is no plain file", "{name}");
    }
    let up = format!("../{}/secret", outside.path().file_name().unwrap());
    assert!(folder.read(&up).is_err());
    assert!(folder.read(secret.as_str()).is_err());
}

#[test]
fn a_file_larger_than_any_state_is_not_read() {
    let ground = Ground::new();
    let path = ground.write("big", "");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(64 * 1024 * 1024 + 1).unwrap();
    assert_eq!(tampered(open(&ground).read("big")), "it is larger than 64 MiB");
}

#[test]
fn a_replaced_file_is_private_and_nothing_else_is_left() {
    let ground = Ground::new();
    let folder = open(&ground);
    folder.replace("file", b"one").unwrap();
    let path = ground.path().join("file");
    assert_eq!(read(&path), "one");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let inode = path.metadata().unwrap().ino();
    folder.replace("file", b"two").unwrap();
    assert_eq!(read(&path), "two");
    assert_ne!(path.metadata().unwrap().ino(), inode, "written in place");
    assert_eq!(ground.names(), ["file"]);
}

/// What an agent put in the file's place goes; what it leads to stays.
#[test]
fn replacing_a_link_leaves_its_end_alone() {
    let ground = Ground::new();
    let outside = Ground::new();
    let end = outside.write("end", "x");
    ground.link("file", &end);
    open(&ground).replace("file", b"new").unwrap();
    assert_eq!((read(&end).as_str(), read(&ground.path().join("file")).as_str()), ("x", "new"));
    assert!(!ground.path().join("file").is_symlink());
    let hard = ground.path().join("hard");
    std::fs::hard_link(&end, &hard).unwrap();
    open(&ground).replace("hard", b"new").unwrap();
    assert_eq!((read(&end).as_str(), read(&hard).as_str()), ("x", "new"));
}

#[test]
fn a_failed_replacement_leaves_nothing_behind() {
    let ground = Ground::new();
    std::fs::create_dir_all(ground.path().join("file/in it")).unwrap();
    let error = open(&ground).replace("file", b"new").unwrap_err();
    assert!(matches!(error, RunError::State { action: "write", .. }), "{error:?}");
    assert_eq!(ground.names(), ["file"]);
}

/// A full disk: a tmpfs of a few pages, which only root can mount.
#[test]
fn a_full_disk_keeps_the_old_file() {
    if !require::root() {
        return;
    }
    let ground = Ground::new();
    let path = ground.path();
    let _mounted = match Mounted::new(&path) {
        Ok(mounted) => mounted,
        Err(reason) => coffer_testkit::skip!("mount", "{reason}"),
    };
    let folder = open(&ground);
    folder.replace("file", b"old").unwrap();
    let error = folder.replace("file", &vec![7; 256 * 1024]).unwrap_err();
    assert!(error.hint().unwrap().contains("make room"), "{error:?}");
    assert_eq!(read(&path.join("file")), "old");
    assert_eq!(names(&path), ["file"]);
}

struct Mounted<'a>(&'a Utf8Path);

impl<'a> Mounted<'a> {
    fn new(path: &'a Utf8Path) -> Result<Self, String> {
        let mut mount = std::process::Command::new("mount");
        let out =
            mount.args(["-t", "tmpfs", "-o", "size=64k,mode=0700", "coffer-test", path.as_str()]).output();
        match out {
            Ok(out) if out.status.success() => Ok(Self(path)),
            Ok(out) => Err(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let ended = std::process::Command::new("umount").args(["--lazy", self.0.as_str()]).status();
        assert!(ended.is_ok_and(|status| status.success()));
    }
}

#[test]
fn mount_points_are_made_where_they_are_missing() {
    let ground = Ground::new();
    let folder = open(&ground);
    folder.mount_point("a/b/c".into(), true).unwrap();
    folder.mount_point("a/b/file".into(), false).unwrap();
    folder.mount_point("top".into(), false).unwrap();
    let path = ground.path();
    assert!(path.join("a/b/c").is_dir() && path.join("a/b/file").is_file() && path.join("top").is_file());
    assert_eq!(path.join("a").metadata().unwrap().permissions().mode() & 0o777, 0o700);
    // What is there already stays as it is.
    ground.write("top", "content");
    folder.mount_point("top".into(), false).unwrap();
    folder.mount_point("a/b".into(), true).unwrap();
    assert_eq!(read(&path.join("top")), "content");
    assert_eq!(names(&path.join("a/b")), ["c", "file"]);
}

#[test]
fn no_link_leads_a_mount_point_away() {
    let ground = Ground::new();
    let outside = Ground::new();
    let folder = open(&ground);
    ground.link("away", outside.path());
    ground.link("file", outside.path().join("made"));
    std::fs::create_dir(ground.path().join("deep")).unwrap();
    std::os::unix::fs::symlink(outside.path(), ground.path().join("deep/away")).unwrap();
    for (below, is_folder) in [
        ("away", true),
        ("away/x", true),
        ("away/x", false),
        ("away", false),
        ("file", false),
        ("file", true),
        ("deep/away/x", true),
        ("deep/away/x", false),
    ] {
        assert_eq!(
            tampered(folder.mount_point(below.into(), is_folder)),
            "it is a link",
            "{below} {is_folder}"
        );
    }
    assert!(outside.names().is_empty(), "{:?}", outside.names());
}

#[test]
fn a_mount_point_of_another_kind_is_refused() {
    let ground = Ground::new();
    ground.write("file", "");
    std::fs::create_dir(ground.path().join("folder")).unwrap();
    fifo(&ground.path().join("pipe"));
    let folder = open(&ground);
    for (below, is_folder) in
        [("file", true), ("file/x", false), ("folder", false), ("pipe", false), ("pipe", true)]
    {
        assert!(tampered(folder.mount_point(below.into(), is_folder)).contains("another kind"), "{below}");
    }
}
