use camino::Utf8Path;
use coffer_plan::facts::{ProjectFacts, UserFacts};

use super::{project, sha256};
use crate::error::HostError;
use crate::scratch::{Scratch, mode, without_privileges};

fn user(scratch: &Scratch) -> UserFacts {
    UserFacts {
        uid: rustix::process::geteuid().as_raw(),
        gid: 0,
        name: "me".into(),
        home: Some(scratch.path("home")),
        home_writable: true,
    }
}

fn of(scratch: &Scratch, start: &Utf8Path) -> ProjectFacts {
    project(start, &user(scratch)).unwrap()
}

#[test]
fn the_project_is_the_work_tree_or_the_folder_itself() {
    let scratch = Scratch::new();
    let plain = of(&scratch, &scratch.path("project"));
    assert_eq!(plain.path, scratch.path("project"));
    assert_eq!((plain.git, plain.config_sha256), (None, None));
    assert_eq!(plain.uid, rustix::process::geteuid().as_raw());
    let top = scratch.repository("project/repo");
    let deep = scratch.folder("project/repo/deep");
    let facts = of(&scratch, &deep);
    assert_eq!((facts.path, facts.start), (top.clone(), deep));
    assert!(facts.git.unwrap().verified);
}

#[test]
fn links_are_followed() {
    let scratch = Scratch::new();
    let link = scratch.link("link", scratch.path("project"));
    assert_eq!(of(&scratch, &link).start, scratch.path("project"));
}

#[test]
fn a_work_tree_around_the_home_is_no_project() {
    let scratch = Scratch::new();
    scratch.repository("");
    scratch.repository("home");
    for folder in ["home/work", "home"] {
        let start = scratch.folder(folder);
        let facts = of(&scratch, &start);
        assert_eq!((facts.path, facts.git), (start, None), "{folder}");
    }
    let beside = scratch.folder("project");
    assert_eq!(of(&scratch, &beside).path, beside);
    assert_eq!(of(&scratch, Utf8Path::new("/")).path, "/");
}

#[test]
fn the_projects_config_is_known_by_its_content() {
    let scratch = Scratch::new();
    scratch.file("project/.coffer.toml", "abc");
    let wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(of(&scratch, &scratch.path("project")).config_sha256.as_deref(), Some(wanted));
    assert_eq!(sha256(b"abc"), wanted);
}

#[test]
fn a_config_that_cannot_be_read_is_an_error() {
    let scratch = Scratch::new();
    let start = scratch.path("project");
    let elsewhere = scratch.file("home/secret", "abc");
    let link = scratch.link("project/.coffer.toml", &elsewhere);
    let error = project(&start, &user(&scratch)).unwrap_err();
    assert!(matches!(&error, HostError::ConfigLink { path } if *path == link), "{error}");
}

#[test]
fn a_folder_that_is_gone_or_closed_is_an_error() {
    let scratch = Scratch::new();
    let gone = scratch.path("gone");
    let error = project(&gone, &user(&scratch)).unwrap_err();
    assert!(
        matches!(&error, HostError::Project { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    );
    let closed = scratch.folder("closed/project");
    mode(&scratch.path("closed"), 0);
    let error = without_privileges(|| project(&closed, &user(&scratch))).unwrap_err();
    mode(&scratch.path("closed"), 0o755);
    assert!(
        matches!(&error, HostError::Project { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
    );
    assert_eq!(error.hint(), Some(format!("see who may enter it: `ls -ld '{closed}'`")));
}
