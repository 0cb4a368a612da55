use std::os::unix::fs::MetadataExt;

use camino::Utf8Path;
use coffer_plan::plan::{Reference, RunFolder};

use super::{Ground, Known, read};
use crate::launch::{HostPath, Word};
use crate::run::descriptors::{Inherited, same};
use crate::run::folder::RunFolders;
use crate::run::{RunError, SecretBytes, append};

fn seen(path: &Utf8Path) -> HostPath {
    let found = path.metadata().unwrap();
    HostPath { path: path.to_owned(), dev: found.dev(), ino: found.ino() }
}

#[test]
fn what_is_still_the_same_is_opened() {
    let ground = Ground::new();
    let file = ground.write("file", "x");
    assert!(same(&seen(&file)).is_ok());
    assert!(same(&seen(&ground.path())).is_ok());
    // Its content may change.
    std::fs::write(&file, "longer").unwrap();
    assert!(same(&seen(&file)).is_ok());
}

#[test]
fn what_was_exchanged_stops_the_run() {
    let ground = Ground::new();
    let file = ground.write("file", "x");
    let before = seen(&file);
    std::fs::rename(ground.write("other", "x"), &file).unwrap();
    let error = same(&before).unwrap_err();
    assert!(matches!(&error, RunError::Changed { source: None, .. }), "{error:?}");
    assert!(error.to_string().contains(file.as_str()) && error.hint().unwrap().contains("run it again"));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(same(&before), Err(RunError::Changed { source: Some(_), .. })));
}

/// A link on the way leads to the very file, and still the path is not what it was.
#[test]
fn a_link_on_the_way_stops_the_run() {
    let ground = Ground::new();
    let file = ground.write("folder/file", "x");
    let before = seen(&file);
    std::fs::rename(ground.path().join("folder"), ground.path().join("moved")).unwrap();
    ground.link("folder", "moved");
    assert!(matches!(same(&before), Err(RunError::Changed { source: Some(_), .. })));
    let link = ground.link("link", "moved/file");
    let through = HostPath { path: link, ..before };
    assert!(matches!(same(&through), Err(RunError::Changed { .. })));
}

#[test]
fn data_is_read_from_its_descriptor() {
    let mut inherited = Inherited::default();
    let long = vec![7_u8; 300_000];
    for content in [&b""[..], b"x", &long] {
        let number = inherited.data(content).unwrap();
        assert_eq!(std::fs::read(format!("/proc/self/fd/{number}")).unwrap(), content);
    }
}

/// Nothing is inherited that was not passed on.
#[test]
fn descriptors_close_on_exec_until_they_are_passed() {
    let ground = Ground::new();
    let mut inherited = Inherited::default();
    let numbers = [inherited.data(b"x").unwrap(), inherited.open(&seen(&ground.path())).unwrap()];
    for number in numbers {
        let flags = read(format!("/proc/self/fdinfo/{number}").as_str().into());
        let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
        let bits = u32::from_str_radix(flags, 8).unwrap();
        assert_eq!(bits & 0o2_000_000, 0o2_000_000, "descriptor {number} has flags {flags}");
    }
}

#[test]
fn words_become_bytes_at_the_last_moment() {
    let ground = Ground::new();
    let mut folders = RunFolders::new(&ground.path()).unwrap();
    folders.make(RunFolder::Lease).unwrap();
    let mut inherited = Inherited::default();
    let known = Known(&[("KEY", b"sk-FAKE"), ("ZERO", b"a\0--bind")]);
    let mut bytes = |word: &Word| {
        let mut bytes = SecretBytes::default();
        let ends = crate::run::Ends { control: 9, gateway: 10 };
        append(word, &mut bytes, &folders, &known, &mut inherited, &ends).map(|()| bytes)
    };
    let env = |name: &str| Reference::HostEnv(name.to_owned());
    assert_eq!(&*bytes(&Word::from("text")).unwrap(), b"text");
    assert_eq!(&*bytes(&Word::Control).unwrap(), b"9");
    assert_eq!(&*bytes(&Word::Gateway).unwrap(), b"10");
    assert_eq!(&*bytes(&Word::Ref(env("KEY"))).unwrap(), b"sk-FAKE");
    let lease = bytes(&Word::Ref(Reference::Folder(RunFolder::Lease))).unwrap();
    assert!(Utf8Path::new(std::str::from_utf8(&lease).unwrap()).is_dir());
    let missing = bytes(&Word::Ref(Reference::Folder(RunFolder::State))).err().unwrap();
    assert!(matches!(missing, RunError::NoFolder(RunFolder::State)));
    for (word, content) in [(Word::Data("made".to_owned()), "made"), (Word::DataRef(env("KEY")), "sk-FAKE")] {
        let number = String::from_utf8(bytes(&word).unwrap().to_vec()).unwrap();
        assert_eq!(read(format!("/proc/self/fd/{number}").as_str().into()), content);
    }
    let gone = bytes(&Word::Ref(env("ABSENT"))).err().unwrap();
    assert!(matches!(gone, RunError::Resolve { .. }) && gone.hint().as_deref() == Some("set it"));
    // A zero byte would end the word, and the rest would be an option of the backend.
    for word in [Word::Ref(env("ZERO")), Word::Text("a\0--bind".to_owned())] {
        assert!(matches!(bytes(&word), Err(RunError::ZeroByte)));
    }
    // As content it is harmless.
    assert!(bytes(&Word::DataRef(env("ZERO"))).is_ok());
}
