//! A watch learns of every way in which a login changes, and of nothing else.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};

use super::LoginWatch;

struct Ground(tempfile::TempDir);

impl Ground {
    fn new() -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(ground.path("login")).unwrap();
        std::fs::write(ground.file(), "one").unwrap();
        ground
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.0.path()).unwrap().canonicalize_utf8().unwrap().join(name)
    }

    fn file(&self) -> Utf8PathBuf {
        self.path("login/.credentials.json")
    }
}

fn rename_over(path: impl AsRef<Path>) {
    let beside = path.as_ref().with_extension("new");
    std::fs::write(&beside, "two").unwrap();
    std::fs::rename(beside, path).unwrap();
}

#[test]
fn every_way_of_changing_the_file_is_noticed() {
    let ways: [fn(&Ground); 4] = [
        |ground| rename_over(ground.file()),
        |ground| std::fs::write(ground.file(), "in place").unwrap(),
        // Not yet closed.
        |ground| {
            let mut file = File::options().append(true).open(ground.file()).unwrap();
            file.write_all(b"more").unwrap();
            std::mem::forget(file);
        },
        |ground| {
            std::fs::remove_file(ground.file()).unwrap();
            std::fs::write(ground.path("other"), "x").unwrap();
            std::fs::hard_link(ground.path("other"), ground.file()).unwrap();
        },
    ];
    for change in ways {
        let ground = Ground::new();
        let mut watch = LoginWatch::new(&ground.file()).unwrap();
        assert!(!watch.changed().unwrap(), "nothing has happened yet");
        change(&ground);
        assert!(watch.changed().unwrap());
        assert!(!watch.changed().unwrap(), "once is enough");
    }
}

#[test]
fn what_happens_to_its_neighbours_is_not_taken_for_it() {
    let ground = Ground::new();
    let mut watch = LoginWatch::new(&ground.file()).unwrap();
    std::fs::write(ground.path("login/settings.json"), "{}").unwrap();
    rename_over(ground.path("login/other.json"));
    std::fs::create_dir(ground.path("login/.oauth_refresh.lock")).unwrap();
    assert!(!watch.changed().unwrap());
}

#[test]
fn a_login_behind_a_link_is_noticed_where_it_is() {
    let ground = Ground::new();
    std::fs::create_dir(ground.path("dotfiles")).unwrap();
    std::fs::write(ground.path("dotfiles/login.json"), "one").unwrap();
    std::fs::remove_file(ground.file()).unwrap();
    std::os::unix::fs::symlink(ground.path("dotfiles/login.json"), ground.file()).unwrap();
    let mut watch = LoginWatch::new(&ground.file()).unwrap();
    rename_over(ground.path("dotfiles/login.json"));
    assert!(watch.changed().unwrap());
    // And the link itself, when a client replaces it by a file.
    rename_over(ground.file());
    assert!(watch.changed().unwrap());
}

#[test]
fn a_folder_that_is_replaced_is_watched_anew() {
    let ground = Ground::new();
    let mut watch = LoginWatch::new(&ground.file()).unwrap();
    std::fs::rename(ground.path("login"), ground.path("away")).unwrap();
    assert!(watch.changed().is_err(), "it is gone");
    std::fs::create_dir(ground.path("login")).unwrap();
    watch.changed().unwrap();
    std::fs::write(ground.file(), "two").unwrap();
    assert!(watch.changed().unwrap());
}

#[test]
fn more_changes_than_the_kernel_keeps_are_one_change() {
    let ground = Ground::new();
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let mut watch = LoginWatch::new(&ground.file()).unwrap();
    let neighbour = ground.path("login/neighbour");
    let other = ground.path("login/other");
    for _ in 0..=limit.trim().parse::<usize>().unwrap().min(70_000) / 2 {
        std::fs::write(&neighbour, "x").unwrap();
        std::fs::rename(&neighbour, &other).unwrap();
    }
    rename_over(ground.file());
    assert!(watch.changed().unwrap());
}
