use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use camino::Utf8Path;
use coffer_plan::facts::PathKind;

use super::{look, note};
use crate::scratch::{Scratch, mode, without_privileges};

#[test]
fn each_kind_is_told() {
    let scratch = Scratch::new();
    assert_eq!(look(&scratch.file("file", "")).kind, PathKind::File);
    assert_eq!(look(&scratch.folder("folder")).kind, PathKind::Folder);
    assert_eq!(look(&scratch.fifo("pipe")).kind, PathKind::Fifo);
    assert_eq!(look(Utf8Path::new("/dev/null")).kind, PathKind::Device);
    assert_eq!(look(&scratch.path("missing")).kind, PathKind::Missing);
    assert_eq!(look(&scratch.path("file/below")).kind, PathKind::Missing);
    let socket = scratch.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(look(&socket).kind, PathKind::Socket);
}

#[test]
fn links_are_followed_and_their_text_is_kept() {
    let scratch = Scratch::new();
    let file = scratch.file("home/real/file", "");
    scratch.link("home/folder", "real");
    let link = scratch.link("project/link", scratch.path("home/folder/file"));
    let fact = look(&link);
    assert_eq!(fact.kind, PathKind::File);
    assert_eq!(fact.resolved, file);
    assert_eq!(fact.link.as_deref(), Some(scratch.path("home/folder/file").as_str()));
    assert_eq!(look(&scratch.path("home/folder/file")).link, None);
}

#[test]
fn owner_mode_and_numbers_are_those_of_the_target() {
    use std::os::unix::fs::MetadataExt as _;
    let scratch = Scratch::new();
    let file = scratch.file("file", "");
    mode(&file, 0o4751);
    let fact = look(&scratch.link("link", &file));
    let seen = std::fs::metadata(&file).unwrap();
    assert_eq!((fact.dev, fact.ino, fact.uid), (seen.dev(), seen.ino(), seen.uid()));
    assert_eq!(fact.mode, 0o4751);
}

#[test]
fn a_dangling_link_is_missing_with_its_text() {
    let scratch = Scratch::new();
    let link = scratch.link("link", "/nowhere/at/all");
    let fact = look(&link);
    assert_eq!(fact.kind, PathKind::Missing);
    assert_eq!(fact.resolved, link);
    assert_eq!(fact.link.as_deref(), Some("/nowhere/at/all"));
}

#[test]
fn a_chain_without_end_is_told() {
    let scratch = Scratch::new();
    scratch.link("a", "b");
    let loop_ = scratch.link("b", "a");
    assert_eq!(look(&loop_).kind, PathKind::LinkLoop);
    assert_eq!(look(&loop_.join("below")).kind, PathKind::LinkLoop);
}

#[test]
fn what_may_not_be_looked_at_is_unreadable() {
    let scratch = Scratch::new();
    let file = scratch.file("closed/file", "");
    let folder = scratch.path("closed");
    mode(&folder, 0o600);
    let kind = without_privileges(|| look(&file).kind);
    mode(&folder, 0o700);
    assert_eq!(kind, PathKind::Unreadable);
    assert_eq!(look(&file).kind, PathKind::File);
}

#[test]
fn a_real_path_that_is_not_utf8_is_unreadable() {
    let scratch = Scratch::new();
    let strange = scratch.path("").into_std_path_buf().join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::write(&strange, "").unwrap();
    let fact = look(&scratch.link("link", &strange));
    assert_eq!(fact.kind, PathKind::Unreadable);
}

#[test]
fn hostile_names_are_only_names() {
    let scratch = Scratch::new();
    let file = scratch.file("new\nline\u{1b}[31m", "");
    assert_eq!(look(&file).resolved, file);
    let long = scratch.path(&"x".repeat(300));
    assert_eq!(look(&long).kind, PathKind::Missing);
    assert_eq!(look(Utf8Path::new("/nul\0byte")).kind, PathKind::Unreadable);
    let gone = scratch.file("file (deleted)", "");
    assert_eq!(look(&gone).resolved, gone);
}

#[test]
fn a_note_knows_the_real_path_too() {
    let scratch = Scratch::new();
    let file = scratch.file("home/file", "");
    let link = scratch.link("home/link", &file);
    let mut facts = scratch.facts();
    note(&mut facts, &link);
    assert_eq!(facts.path(&link).map(|fact| fact.kind), Some(PathKind::File));
    let real = facts.path(&file).unwrap();
    assert_eq!(real.resolved, file);
    assert_eq!(real.link, None);
}

#[test]
fn a_descriptor_of_no_file_has_no_real_path() {
    use std::os::fd::AsRawFd as _;
    let (pipe, _other) = std::io::pipe().unwrap();
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    assert_eq!(look(Utf8Path::new(&path)).kind, PathKind::Unreadable);
    let scratch = Scratch::new();
    let file = scratch.file("file", "");
    let open = std::fs::File::open(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let path = format!("/proc/self/fd/{}", open.as_raw_fd());
    assert_eq!(look(Utf8Path::new(&path)).kind, PathKind::Missing);
}
