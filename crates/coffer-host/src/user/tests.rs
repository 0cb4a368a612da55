use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::UserFacts;

use super::{folders, plain_folder, user};
use crate::error::HostError;
use crate::scratch::{Scratch, mode, without_privileges};

fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn who(pairs: &[(&str, &str)], passwd: &Utf8Path) -> UserFacts {
    user(&environment(pairs), passwd).unwrap()
}

fn passwd(scratch: &Scratch, home: &str) -> Utf8PathBuf {
    let uid = rustix::process::geteuid().as_raw();
    scratch.file(
        "passwd",
        format!("# comment\nother:x:99999:1::/other:/bin/sh\nbroken\nme:x:{uid}:{uid}:Me,,,:{home}:/bin/sh\nlater:x:{uid}:1::/x:/bin/sh\n"),
    )
}

#[test]
fn home_is_the_variable_then_the_database() {
    let scratch = Scratch::new();
    let home = scratch.path("home");
    let passwd = passwd(&scratch, scratch.path("bin").as_str());
    let told = who(&[("HOME", home.as_str())], &passwd);
    assert_eq!((told.name.as_str(), told.home), ("me", Some(home)));
    for pairs in [&[][..], &[("HOME", "")], &[("HOME", "relative")]] {
        let told = who(pairs, &passwd);
        assert_eq!(told.home, Some(scratch.path("bin")), "{pairs:?}");
        assert!(told.home_writable);
    }
}

#[test]
fn no_home_at_all_is_a_fact() {
    let scratch = Scratch::new();
    let told = who(&[], &scratch.path("missing"));
    assert_eq!(told.home, None);
    assert!(!told.home_writable);
    assert_eq!(told.name, rustix::process::geteuid().as_raw().to_string());
    let strange = scratch.file("strange", b"\xff\xfe\0:::::::\n\n:::\n");
    assert_eq!(who(&[], &strange).home, None);
    let pipe = scratch.fifo("pipe");
    assert_eq!(who(&[], &pipe).home, None);
}

#[test]
fn links_in_the_home_path_are_followed() {
    let scratch = Scratch::new();
    let link = scratch.link("home-link", scratch.path("home"));
    let told = who(&[("HOME", link.as_str())], &scratch.path("none"));
    assert_eq!(told.home, Some(scratch.path("home")));
    let gone = scratch.path("gone/./x");
    let told = who(&[("HOME", gone.as_str())], &scratch.path("none"));
    assert_eq!(told.home, Some(scratch.path("gone/x")));
    assert!(!told.home_writable);
}

#[test]
fn a_home_that_cannot_be_written_is_told() {
    let scratch = Scratch::new();
    let home = scratch.path("home");
    mode(&home, 0o555);
    let told = without_privileges(|| who(&[("HOME", home.as_str())], &scratch.path("none")));
    mode(&home, 0o755);
    assert!(!told.home_writable);
}

#[test]
fn a_home_with_a_strange_name_is_an_error() {
    let scratch = Scratch::new();
    for home in [&b"/home/caf\xe9"[..], b"/home/new\nline", b"/home/\x1b[31m"] {
        let environment = [("HOME".into(), OsStr::from_bytes(home).to_owned())];
        let error = user(&environment, &scratch.path("none")).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("`HOME` is \""), "{text}");
        assert!(!text.contains(char::is_control), "{text}");
        assert_eq!(error.hint().as_deref(), Some("set `HOME` to a plain path"));
    }
    let real = scratch.path("").into_std_path_buf().join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&real).unwrap();
    let link = scratch.link("link", &real);
    // The real path cannot be said, so the given one stands.
    assert_eq!(who(&[("HOME", link.as_str())], &scratch.path("none")).home, Some(link));
}

#[test]
fn folders_follow_our_variables_then_xdg_then_home() {
    let home = Utf8Path::new("/h");
    let start = Utf8Path::new("/start");
    let of = |pairs: &[(&str, &str)], home: Option<&Utf8Path>| {
        let folders = folders(&environment(pairs), home, start).unwrap();
        [folders.config, folders.data, folders.runtime].map(String::from)
    };
    assert_eq!(
        of(&[], Some(home)),
        ["/h/.config/cofferdam/config.toml", "/h/.local/share/cofferdam", "/h/.local/share/cofferdam/run"]
    );
    let xdg = [("XDG_CONFIG_HOME", "/c"), ("XDG_DATA_HOME", "/d"), ("XDG_RUNTIME_DIR", "/r")];
    assert_eq!(of(&xdg, Some(home)), ["/c/cofferdam/config.toml", "/d/cofferdam", "/r/cofferdam"]);
    let ours = [
        ("COFFER_CONFIG", "x/../c.toml"),
        ("COFFER_HOME", "/data"),
        ("COFFER_RUNTIME_DIR", "run"),
        ("XDG_DATA_HOME", "/d"),
    ];
    assert_eq!(of(&ours, Some(home)), ["/start/c.toml", "/data", "/start/run"]);
    let relative = [("XDG_DATA_HOME", "d"), ("XDG_CONFIG_HOME", ""), ("COFFER_HOME", "")];
    assert_eq!(of(&relative, Some(home)), of(&[], Some(home)));
    let [config, data, _] = of(&[], None);
    assert!(config.starts_with("/nonexistent/") && data.starts_with("/nonexistent/"));
}

#[test]
fn a_folder_of_ours_with_a_strange_name_is_an_error() {
    let environment = [("COFFER_HOME".into(), OsStr::from_bytes(b"/caf\xe9").to_owned())];
    let error = folders(&environment, None, Utf8Path::new("/")).unwrap_err();
    assert!(matches!(&error, HostError::FolderName { what, .. } if what == "`COFFER_HOME`"));
    assert_eq!(plain_folder("x", OsStr::new("/a/./b//c/")).unwrap(), "/a/b/c");
}
