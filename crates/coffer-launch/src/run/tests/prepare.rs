use std::os::unix::fs::{MetadataExt, PermissionsExt};

use camino::Utf8PathBuf;
use coffer_plan::plan::{Reference, RunFolder};

use super::{Ground, Known, read};
use crate::launch::{HostPath, Place, Preparation, SeedContent};
use crate::run::RunError;
use crate::run::folder::RunFolders;
use crate::run::prepare::prepare;

const KNOWN: Known =
    Known(&[("LOGIN", b"{\"claudeAiOauth\":{}}"), ("SERVERS", b"{\"mcpServers\":{\"a\":{}}}")]);

/// A run and a state.
struct Host {
    ground: Ground,
    folders: RunFolders,
    state: Utf8PathBuf,
}

impl Host {
    fn new() -> Self {
        let ground = Ground::new();
        let folders = RunFolders::new(&ground.path().join("run")).unwrap();
        let state = ground.path().join("state");
        std::fs::create_dir(&state).unwrap();
        Self { ground, folders, state }
    }

    fn prepare(&mut self, preparation: &Preparation) -> Result<(), RunError> {
        prepare(preparation, &mut self.folders, &KNOWN, &crate::run::Alone)
    }

    fn link(&mut self, to: &str) -> Result<(), RunError> {
        let place = Place::Path(self.state.clone());
        self.prepare(&Preparation::Link { place, name: "login".to_owned(), to: to.into() })
    }
}

fn env(name: &str) -> Reference {
    Reference::HostEnv(name.to_owned())
}

#[test]
fn a_lease_lies_in_the_runs_own_folder() {
    let mut host = Host::new();
    let lease = |name: &str| Preparation::Lease { name: ".credentials.json".to_owned(), content: env(name) };
    assert!(matches!(host.prepare(&lease("LOGIN")), Err(RunError::NoFolder(RunFolder::Lease))));
    host.prepare(&Preparation::Folder(RunFolder::Lease)).unwrap();
    host.prepare(&lease("LOGIN")).unwrap();
    let path = host.folders.path(RunFolder::Lease).unwrap().join(".credentials.json");
    assert_eq!(read(&path), "{\"claudeAiOauth\":{}}");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let error = host.prepare(&lease("ABSENT")).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("reference", "cannot resolve `@ref:env:ABSENT`"));
}

#[test]
fn own_folders_are_made() {
    let mut host = Host::new();
    let path = host.ground.path().join("own/state");
    host.prepare(&Preparation::Own(path.clone())).unwrap();
    assert!(path.is_dir());
    host.prepare(&Preparation::Own(path)).unwrap();
}

#[test]
fn seeds_are_merged_from_text_and_from_references() {
    let mut host = Host::new();
    host.prepare(&Preparation::Folder(RunFolder::State)).unwrap();
    for place in [Place::Path(host.state.clone()), Place::Run(RunFolder::State)] {
        for content in [SeedContent::Text("{\"a\": 1}".to_owned()), SeedContent::Ref(env("SERVERS"))] {
            let (place, file) = (place.clone(), "config.json".to_owned());
            host.prepare(&Preparation::Seed { place, file, content }).unwrap();
        }
    }
    let merged = "{\n  \"a\": 1,\n  \"mcpServers\": {\n    \"a\": {}\n  }\n}";
    assert_eq!(read(&host.state.join("config.json")), merged);
    assert_eq!(read(&host.folders.path(RunFolder::State).unwrap().join("config.json")), merged);
}

#[test]
fn a_link_is_made_kept_or_made_anew() {
    let mut host = Host::new();
    host.link("/run/coffer/lease/x").unwrap();
    let path = host.state.join("login");
    assert_eq!(path.read_link_utf8().unwrap(), "/run/coffer/lease/x");
    let inode = path.symlink_metadata().unwrap().ino();
    host.link("/run/coffer/lease/x").unwrap();
    assert_eq!(path.symlink_metadata().unwrap().ino(), inode);
    host.link("/elsewhere").unwrap();
    assert_eq!(path.read_link_utf8().unwrap(), "/elsewhere");
}

/// A login that was made inside is somebody's: it is told and kept.
#[test]
fn a_login_in_the_links_place_is_kept() {
    let mut host = Host::new();
    let path = host.ground.write("state/login", "made inside");
    let error = host.link("/run/coffer/lease/x").unwrap_err();
    assert!(matches!(error, RunError::StateHasLogin { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("--auth none"));
    assert_eq!(read(&path), "made inside");
}

#[test]
fn points_are_made_below_their_place_only() {
    let mut host = Host::new();
    let point = |host: &Host, below: &str, folder| Preparation::Point {
        place: Place::Path(host.state.clone()),
        below: below.into(),
        folder,
    };
    host.prepare(&point(&host, "a/b", true)).unwrap();
    host.prepare(&point(&host, "a/file", false)).unwrap();
    assert!(host.state.join("a/b").is_dir() && host.state.join("a/file").is_file());
    std::os::unix::fs::symlink(host.ground.path(), host.state.join("away")).unwrap();
    assert!(matches!(host.prepare(&point(&host, "away/x", true)), Err(RunError::Tampered { .. })));
    assert!(!host.ground.path().join("x").exists());
    // The state itself exchanged for a link.
    std::fs::rename(&host.state, host.ground.path().join("moved")).unwrap();
    host.ground.link("state", "moved");
    assert!(matches!(host.prepare(&point(&host, "c", true)), Err(RunError::State { action: "open", .. })));
}

#[test]
fn what_changed_since_the_plan_stops_the_run() {
    let mut host = Host::new();
    let found = host.state.metadata().unwrap();
    let seen = HostPath { path: host.state.clone(), dev: found.dev(), ino: found.ino() };
    host.prepare(&Preparation::Expect(seen.clone())).unwrap();
    let other = HostPath { ino: seen.ino + 1, ..seen };
    assert!(matches!(host.prepare(&Preparation::Expect(other)), Err(RunError::Changed { source: None, .. })));
}
