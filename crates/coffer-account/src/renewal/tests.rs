//! Live runs get what was refreshed, and the keeper is asked in time.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::{Next, Told, follow, renew_in_time};
use crate::lease::lease;
use crate::publish::tests::login;
use crate::publish::{Published, Publisher};
use crate::secret::Secret;

const NAME: &str = ".credentials.json";

/// A login folder and many lease folders.
struct Ground {
    folder: tempfile::TempDir,
    leases: Vec<OwnedFd>,
    stop: OwnedFd,
}

impl Ground {
    fn new(runs: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let first = lease(login("one", 1000).as_bytes()).unwrap();
        let leases = (0..runs).map(|run| {
            let path = folder.path().join(format!("lease{run}"));
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join(NAME), first.expose()).unwrap();
            openat(CWD, path, flags, Mode::empty()).unwrap()
        });
        let leases = leases.collect();
        let stop = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let ground = Self { folder, leases, stop };
        std::fs::create_dir(ground.file().parent().unwrap()).unwrap();
        std::fs::write(ground.file(), login("one", 1000)).unwrap();
        ground
    }

    fn file(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join("login").join(NAME)
    }

    /// As a client replaces it.
    fn replace(&self, content: &str) {
        let new = self.file().with_extension("new");
        std::fs::write(&new, content).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }

    fn stop(&self) {
        rustix::io::write(&self.stop, &1_u64.to_ne_bytes()).unwrap();
    }

    /// Follows as the run with this number, and says each end that was published.
    fn follows(&self, run: usize, said: &Mutex<Sender<i64>>) {
        let first = std::fs::read(self.folder.path().join(format!("lease{run}")).join(NAME)).unwrap();
        let mut publisher = Publisher::new(self.leases[run].as_fd(), NAME, &first).unwrap();
        let read = || std::fs::read(self.file()).ok().map(Secret::new);
        let tell = |told: Told| match told {
            Told::Published(Published::Replaced { expires_at_ms }) => {
                said.lock().unwrap().send(expires_at_ms.unwrap()).unwrap();
            }
            Told::NotWatched(_) => said.lock().unwrap().send(0).unwrap(),
            other => panic!("{other:?}"),
        };
        follow(&mut publisher, &self.file(), &read, self.stop.as_fd(), &tell).unwrap();
    }

    fn holds(&self, run: usize) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("lease{run}")).join(NAME)).unwrap()
    }
}

#[test]
fn a_hundred_live_runs_all_end_up_with_the_new_token() {
    const RUNS: usize = 100;
    let ground = Ground::new(RUNS);
    let (said, heard) = channel();
    let said = Mutex::new(said);
    std::thread::scope(|scope| {
        for run in 0..RUNS {
            let (ground, said) = (&ground, &said);
            scope.spawn(move || ground.follows(run, said));
        }
        for (name, end) in [("two", 2000), ("three", 3000)] {
            ground.replace(&login(name, end));
            // Some may be late and see the last only; nobody sees one twice.
            let mut left = RUNS;
            while left > 0 {
                if heard.recv().unwrap() == end {
                    left -= 1;
                }
            }
        }
        ground.stop();
    });
    for run in 0..RUNS {
        assert!(ground.holds(run).contains("FAKE-three"), "run {run}");
        assert!(!ground.holds(run).contains("ort01"), "run {run}");
    }
}

#[test]
fn what_was_refreshed_before_the_watch_began_is_published_too() {
    let ground = Ground::new(1);
    ground.replace(&login("two", 2000));
    let (said, heard) = channel();
    let said = Mutex::new(said);
    std::thread::scope(|scope| {
        scope.spawn(|| ground.follows(0, &said));
        assert_eq!(heard.recv().unwrap(), 2000);
        ground.stop();
    });
    assert!(ground.holds(0).contains("FAKE-two"));
}

#[test]
fn a_login_that_is_written_in_place_in_parts_is_published_whole_and_once() {
    let ground = Ground::new(1);
    let (said, heard) = channel();
    let said = Mutex::new(said);
    std::thread::scope(|scope| {
        scope.spawn(|| ground.follows(0, &said));
        for (name, end) in [("two", 2000), ("three", 3000)] {
            let new = login(name, end);
            let (head, tail) = new.split_at(new.len() / 2);
            let mut file = std::fs::File::create(ground.file()).unwrap();
            for part in [head, tail] {
                std::io::Write::write_all(&mut file, part.as_bytes()).unwrap();
            }
            drop(file);
            assert_eq!(heard.recv().unwrap(), end);
        }
        // Wiped, as after a refusal: the run keeps what it has.
        ground.replace(r#"{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0}}"#);
        ground.replace(&login("four", 4000));
        assert_eq!(heard.recv().unwrap(), 4000);
        ground.stop();
    });
    assert!(heard.try_recv().is_err());
}

#[test]
fn a_login_folder_that_goes_away_is_found_again() {
    let ground = Ground::new(1);
    let (said, heard) = channel();
    let said = Mutex::new(said);
    std::thread::scope(|scope| {
        scope.spawn(|| ground.follows(0, &said));
        ground.replace(&login("two", 2000));
        assert_eq!(heard.recv().unwrap(), 2000);
        let folder = ground.file().parent().unwrap().to_owned();
        std::fs::rename(&folder, folder.with_extension("away")).unwrap();
        assert_eq!(heard.recv().unwrap(), 0);
        std::fs::create_dir(&folder).unwrap();
        ground.replace(&login("three", 3000));
        // It may be told more than once that it is away.
        while heard.recv().unwrap() != 3000 {}
        ground.stop();
    });
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[test]
fn the_keeper_is_asked_when_it_said_and_not_before() {
    let ground = Ground::new(0);
    let due = now_ms() + 150;
    let mut asked = Vec::new();
    let mut keep = || {
        asked.push(now_ms());
        match asked.len() {
            1 => Next::At(due),
            // A time long past comes at once.
            2 => Next::At(0),
            _ => Next::Never,
        }
    };
    renew_in_time(&mut keep, ground.stop.as_fd()).unwrap();
    assert_eq!(asked.len(), 3);
    assert!(asked[0] <= due && asked[1] >= due, "{asked:?} {due}");
}

#[test]
fn a_keeper_that_is_not_due_for_long_ends_with_the_run() {
    let ground = Ground::new(0);
    let asked = AtomicUsize::new(0);
    let (said, heard) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut keep = || {
                asked.fetch_add(1, Ordering::Relaxed);
                said.send(()).unwrap();
                Next::At(now_ms() + 8 * 3600 * 1000)
            };
            renew_in_time(&mut keep, ground.stop.as_fd()).unwrap();
        });
        heard.recv().unwrap();
        ground.stop();
    });
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // Stopped beforehand, it is not asked at all.
    renew_in_time(&mut || unreachable!(), ground.stop.as_fd()).unwrap();
}
