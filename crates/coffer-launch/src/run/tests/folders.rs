use std::os::unix::fs::{MetadataExt, PermissionsExt};

use coffer_plan::plan::RunFolder;
use coffer_testkit::require;

use super::{Ground, names};
use crate::run::RunError;
use crate::run::folder::{RunFolders, make_own};

fn mode(path: &camino::Utf8Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_runs_folders_are_private_and_go_with_it() {
    let ground = Ground::new();
    let mut folders = RunFolders::new(&ground.path()).unwrap();
    for folder in [RunFolder::Lease, RunFolder::State] {
        assert!(matches!(folders.path(folder), Err(RunError::NoFolder(_))));
        folders.make(folder).unwrap();
        let path = folders.path(folder).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert!(path.starts_with(ground.path().join("runs")));
        std::fs::write(path.join("content"), "x").unwrap();
    }
    let runs = ground.path().join("runs");
    assert_eq!((mode(&runs), names(&runs).len()), (0o700, 2));
    folders.remove().unwrap();
    assert!(names(&runs).is_empty());
}

/// A killed `coffer` holds no lock any more; a living one does.
#[test]
fn dead_runs_are_swept_and_living_ones_stay() {
    let ground = Ground::new();
    let mut living = RunFolders::new(&ground.path()).unwrap();
    living.make(RunFolder::Lease).unwrap();
    let mut dead = RunFolders::new(&ground.path()).unwrap();
    dead.make(RunFolder::Lease).unwrap();
    let (of_living, of_dead) = (living.path(RunFolder::Lease).unwrap(), dead.path(RunFolder::Lease).unwrap());
    std::fs::write(of_dead.join(".credentials.json"), "sk-FAKE").unwrap();
    drop(dead);
    assert!(of_dead.is_dir());
    let next = RunFolders::new(&ground.path()).unwrap();
    assert!(of_living.is_dir() && !of_dead.exists());
    // Two runs live, each with its lock.
    assert_eq!(names(&ground.path().join("runs")).len(), 4);
    living.remove().unwrap();
    next.remove().unwrap();
    assert!(names(&ground.path().join("runs")).is_empty());
}

#[test]
fn what_is_no_run_is_left_alone() {
    let ground = Ground::new();
    let other = ground.write("runs/notes.txt", "x");
    let outside = Ground::new();
    let kept = outside.write("kept", "x");
    ground.link("runs/dead", outside.path());
    ground.write("runs/dead.lock", "");
    RunFolders::new(&ground.path()).unwrap().remove().unwrap();
    assert!(other.exists() && kept.exists());
}

#[test]
fn runs_that_start_at_once_do_not_meet() {
    let ground = Ground::new();
    let path = ground.path();
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..20 {
                    let mut folders = RunFolders::new(&path).unwrap();
                    folders.make(RunFolder::State).unwrap();
                    let own = folders.path(RunFolder::State).unwrap();
                    std::fs::write(own.join("file"), "x").unwrap();
                    assert_eq!(names(&own), ["file"]);
                    folders.remove().unwrap();
                    assert!(!own.exists());
                }
            });
        }
    });
    assert!(names(&path.join("runs")).is_empty());
}

/// An agent cannot keep its folder from going, nor take anything else with it.
#[test]
fn what_an_agent_left_goes_whatever_it_is() {
    let ground = Ground::new();
    let outside = Ground::new();
    let kept = outside.write("kept", "x");
    let before = mode(&outside.path());
    let mut folders = RunFolders::new(&ground.path()).unwrap();
    folders.make(RunFolder::State).unwrap();
    let state = folders.path(RunFolder::State).unwrap();
    std::os::unix::fs::symlink(outside.path(), state.join("link")).unwrap();
    super::fifo(&state.join("pipe"));
    std::fs::create_dir_all(state.join("closed/deep")).unwrap();
    std::fs::write(state.join("closed/deep/file"), "x").unwrap();
    for closed in ["closed/deep", "closed", ""] {
        std::fs::set_permissions(state.join(closed), std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    folders.remove().unwrap();
    assert!(!state.exists() && kept.exists());
    assert_eq!(mode(&outside.path()), before);
}

#[test]
fn a_folder_of_ones_own_is_made_and_closed_to_others() {
    let ground = Ground::new();
    let path = ground.path().join("a/b/c");
    make_own(&path).unwrap();
    assert_eq!((mode(&path), mode(&ground.path().join("a"))), (0o700, 0o700));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    make_own(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
}

#[test]
fn what_is_not_ones_own_folder_is_refused() {
    let ground = Ground::new();
    let foreign = |path: &camino::Utf8Path| {
        let error = make_own(path).unwrap_err();
        assert!(matches!(error, RunError::ForeignFolder { .. }), "{error:?}");
        assert!(error.hint().unwrap().contains(path.as_str()));
    };
    foreign(&ground.link("link", ground.path()));
    let file = ground.write("file", "");
    assert!(matches!(make_own(&file), Err(RunError::MakeFolder { .. })));
    assert!(matches!(make_own(&file.join("below")), Err(RunError::MakeFolder { .. })));
    if require::root() {
        let path = ground.path().join("theirs");
        std::fs::create_dir(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        foreign(&path);
        assert_eq!(path.metadata().unwrap().uid(), 12_345);
    }
    // A link in the place of the runs' folder.
    let elsewhere = Ground::new();
    ground.link("runs", elsewhere.path());
    assert!(matches!(RunFolders::new(&ground.path()), Err(RunError::ForeignFolder { .. })));
    assert!(elsewhere.names().is_empty());
}

/// An agent nests folders deeper than a path or a process's descriptors reach.
#[test]
fn a_tree_that_is_deeper_than_descriptors_reach_goes_all_the_same() {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    let ground = Ground::new();
    let mut folders = RunFolders::new(&ground.path()).unwrap();
    folders.make(RunFolder::Lease).unwrap();
    let lease = folders.path(RunFolder::Lease).unwrap();
    std::fs::write(lease.join(".credentials.json"), "sk-FAKE").unwrap();
    let mut at: std::os::fd::OwnedFd = std::fs::File::open(&lease).unwrap().into();
    for depth in 0..1200 {
        mkdirat(&at, "d", Mode::RWXU).unwrap();
        // A link and a file beside the way down, here and there.
        if depth % 500 == 7 {
            rustix::fs::symlinkat("/", &at, "link").unwrap();
            drop(openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::empty()).unwrap());
        }
        let below = openat(&at, "d", OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap();
        // The name that a removal might choose itself.
        if depth % 1000 == 3 {
            mkdirat(&at, ".lifted-1", Mode::RWXU).unwrap();
        }
        at = below;
    }
    drop(at);
    mkdirat(rustix::fs::CWD, lease.join(".lifted-2").as_str(), Mode::RWXU).unwrap();
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(256);
    setrlimit(Resource::Nofile, limit).unwrap();
    folders.remove().unwrap();
    assert!(names(&ground.path().join("runs")).is_empty());
}
