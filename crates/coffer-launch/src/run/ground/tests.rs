//! Writers and readers of a state: nobody writes below a reader, and what is left goes with the last of them.

use std::os::unix::fs::symlink;

use camino::{Utf8Path, Utf8PathBuf};

use super::{LEFT, beside, ended, is_written, merge, read, write};
use crate::run::RunError;
use crate::run::tests::{Ground, names, read as text};

const SILENT: &dyn Fn(u64) = &|_| ();

/// A state with one file.
fn state(ground: &Ground) -> Utf8PathBuf {
    ground.write("states/app/file", "old");
    ground.path().join("states/app")
}

fn left(state: &Utf8Path) -> Vec<String> {
    let left = beside(state, LEFT);
    if left.is_dir() { names(&left) } else { Vec::new() }
}

/// What a reader sees, by its descriptor.
fn sees(reader: &super::Reader) -> String {
    use std::os::fd::AsRawFd as _;
    text(Utf8Path::new(&format!("/proc/self/fd/{}/file", reader.folder().as_raw_fd())))
}

#[test]
fn a_state_that_is_written_has_no_readers_and_writers_share_it() {
    let ground = Ground::new();
    let state = state(&ground);
    assert!(!is_written(&state));
    let one = write(&state, SILENT).unwrap();
    let other = write(&state, SILENT).unwrap();
    assert!(is_written(&state) && read(&state).unwrap().is_none());
    drop(one);
    assert!(read(&state).unwrap().is_none(), "the other one still writes");
    drop(other);
    assert!(!is_written(&state));
    ended(&state, read(&state).unwrap().expect("nobody writes")).unwrap();
}

#[test]
fn a_writer_that_comes_leaves_readers_their_folder_until_the_last_is_gone() {
    let ground = Ground::new();
    let state = state(&ground);
    let [one, other] = [(); 2].map(|()| read(&state).unwrap().unwrap());
    let writer = write(&state, SILENT).unwrap();
    std::fs::write(state.join("file"), "new").unwrap();
    assert_eq!(
        (sees(&one), sees(&other), text(&state.join("file"))),
        ("old".into(), "old".into(), "new".into())
    );
    ended(&state, one).unwrap();
    assert_eq!((left(&state).len(), sees(&other)), (1, "old".into()));
    ended(&state, other).unwrap();
    assert!(left(&state).is_empty(), "{:?}", left(&state));
    drop(writer);
    assert_eq!(text(&state.join("file")), "new");
}

#[test]
fn who_merges_knows_whether_the_state_is_what_it_began_with_and_whether_somebody_writes() {
    let ground = Ground::new();
    let state = state(&ground);
    let reader = read(&state).unwrap().unwrap();
    let alone = merge(&state, Some(&reader), SILENT).unwrap();
    assert_eq!((alone.is_same, alone.is_live), (true, false));
    drop(alone);
    // Beside another reader it is merged into a copy, which takes the state's place.
    let other = read(&state).unwrap().unwrap();
    let beside_it = merge(&state, Some(&reader), SILENT).unwrap();
    assert_eq!((beside_it.is_same, beside_it.is_live, left(&state).len()), (true, false, 1));
    std::fs::write(state.join("file"), "merged").unwrap();
    assert_eq!(sees(&other), "old");
    drop(beside_it);
    let writer = write(&state, SILENT).unwrap();
    let live = merge(&state, Some(&reader), SILENT).unwrap();
    assert_eq!((live.is_same, live.is_live), (false, true));
    drop((live, writer));
    ended(&state, reader).unwrap();
    ended(&state, other).unwrap();
    assert!(left(&state).is_empty());
}

#[test]
fn a_link_in_the_place_of_a_state_is_refused() {
    let ground = Ground::new();
    let outside = Ground::new();
    outside.write("file", "outside");
    std::fs::create_dir(ground.path().join("states")).unwrap();
    let state = ground.path().join("states/app");
    symlink(outside.path(), &state).unwrap();
    assert!(read(&state).is_err());
    assert!(matches!(merge(&state, None, SILENT), Err(RunError::ForeignFolder { .. })));
    assert_eq!(outside.names(), ["file"]);
}
