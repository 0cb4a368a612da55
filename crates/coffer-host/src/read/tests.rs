use camino::Utf8Path;

use super::{MAX_BYTES, Unread, read_beneath, read_file};
use crate::scratch::{Scratch, mode, without_privileges};

#[test]
fn a_file_is_read_whole() {
    let scratch = Scratch::new();
    let file = scratch.file("a", vec![b'x'; 5000]);
    assert_eq!(read_file(&file, MAX_BYTES).unwrap().content.len(), 5000);
    let empty = scratch.file("b", "");
    assert!(read_file(&empty, MAX_BYTES).unwrap().content.is_empty());
}

#[test]
fn the_cap_is_the_largest_size_that_is_read() {
    let scratch = Scratch::new();
    let file = scratch.file("a", "12345");
    assert_eq!(&**read_file(&file, 5).unwrap().content, b"12345");
    assert!(matches!(read_file(&file, 4), Err(Unread::TooLarge(4))));
}

#[test]
fn nothing_blocks_and_only_files_are_read() {
    let scratch = Scratch::new();
    let pipe = scratch.fifo("pipe");
    assert!(matches!(read_file(&pipe, MAX_BYTES), Err(Unread::NotFile("a named pipe"))));
    assert!(matches!(read_file(&scratch.folder("folder"), MAX_BYTES), Err(Unread::NotFile("a folder"))));
    let socket = scratch.path("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(matches!(read_file(&socket, MAX_BYTES), Err(Unread::NotFile(_))));
    let zero = read_file(Utf8Path::new("/dev/zero"), MAX_BYTES);
    assert!(matches!(zero, Err(Unread::NotFile("a device"))));
    let missing = read_file(&scratch.path("missing"), MAX_BYTES);
    assert!(matches!(missing, Err(Unread::Missing)));
    let below_a_file = read_file(&scratch.file("f", "").join("x"), MAX_BYTES);
    assert!(matches!(below_a_file, Err(Unread::Missing)));
}

#[test]
fn a_link_is_followed_for_the_user_only() {
    let scratch = Scratch::new();
    let file = scratch.file("home/real", "text");
    let link = scratch.link("project/link", &file);
    assert_eq!(&**read_file(&link, MAX_BYTES).unwrap().content, b"text");
    let project = scratch.path("project");
    assert!(matches!(read_beneath(&project, "link", MAX_BYTES), Err(Unread::Link)));
    scratch.link("project/folder", scratch.path("home"));
    let through = read_beneath(&project, "folder/real", MAX_BYTES);
    assert!(matches!(through, Err(Unread::Link)));
}

#[test]
fn nothing_leads_out_of_the_project() {
    let scratch = Scratch::new();
    scratch.file("home/real", "text");
    let project = scratch.path("project");
    for way in ["../home/real", scratch.path("home/real").as_str()] {
        assert!(matches!(read_beneath(&project, way, MAX_BYTES), Err(Unread::Os(_))), "{way}");
    }
    scratch.file("project/sub/file", "inside");
    assert_eq!(&**read_beneath(&project, "sub/file", MAX_BYTES).unwrap().content, b"inside");
}

#[test]
fn a_link_loop_is_no_file() {
    let scratch = Scratch::new();
    let a = scratch.link("a", scratch.path("b"));
    scratch.link("b", &a);
    assert!(matches!(read_file(&a, MAX_BYTES), Err(Unread::Link)));
}

#[test]
fn a_forbidden_file_says_so() {
    let scratch = Scratch::new();
    let file = scratch.file("a", "text");
    mode(&file, 0);
    let read = without_privileges(|| read_file(&file, MAX_BYTES).map(|_| ()));
    assert!(matches!(&read, Err(Unread::Os(error)) if error.kind() == std::io::ErrorKind::PermissionDenied));
}
