use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;

use super::{ClientLockError, ClientLocks, Held, Patience, remove_left, stat};
use crate::disk::Disk;
use crate::process::{Process, own_namespace};

struct Stage {
    _folder: tempfile::TempDir,
    login: Utf8PathBuf,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let login = Utf8PathBuf::from_path_buf(folder.path().join("store")).unwrap();
        std::fs::create_dir(&login).unwrap();
        Self { _folder: folder, login }
    }

    fn lock(&self) -> Utf8PathBuf {
        self.login.join(".oauth_refresh.lock")
    }

    /// A lock of a client, with its side file, as 2.1.330 writes it.
    fn client_holds(&self, pid: i32, start: u64, domain: &str) {
        std::fs::create_dir(self.lock()).unwrap();
        let born = self.born(&self.lock());
        let owner = json!({"pid": pid, "procStart": start.to_string(), "pidDomain": domain, "pidSpace": "vm#x",
            "lockBirthtimeMs": born as f64 + 0.839, "legacyLockBirthtimeMs": born as f64 + 0.839});
        std::fs::write(self.login.join(".oauth_refresh.lock.owner"), owner.to_string()).unwrap();
    }

    fn born(&self, path: &Utf8Path) -> i64 {
        stat(rustix::fs::CWD, path.as_str()).unwrap().born_ms.unwrap()
    }

    fn take(&self, limit: Duration, now_ms: i64) -> Result<ClientLocks<'static>, ClientLockError> {
        let names = [".oauth_refresh.lock", "${folder}.lock", ".storage-write.lock"].map(str::to_owned);
        let now_ms = move || now_ms;
        ClientLocks::take(Disk::real(), &self.login, &names, Patience { limit, now_ms: &now_ms }, &mut |_| {
            Ok(())
        })
    }

    fn now(&self) -> i64 {
        let made = std::fs::metadata(&self.login).unwrap();
        made.mtime() * 1000
    }
}

fn here() -> String {
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap();
    format!("linux:{}:{}", machine.trim(), own_namespace().unwrap())
}

/// A process that has ended and was waited for.
fn dead() -> Process {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let known = Process::of(i32::try_from(child.id()).unwrap()).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
    known
}

const SHORT: Duration = Duration::from_millis(30);

#[test]
fn the_locks_are_folders_where_the_client_looks_for_them_and_go_again() {
    let stage = Stage::new();
    let held = stage.take(SHORT, stage.now()).unwrap();
    let all = [stage.lock(), stage.login.join(".storage-write.lock"), format!("{}.lock", stage.login).into()];
    assert!(all.iter().all(|lock| lock.is_dir()));
    // A client's own `mkdir` finds them taken.
    assert!(std::fs::create_dir(stage.lock()).is_err());
    held.release().unwrap();
    assert!(all.iter().all(|lock| !lock.exists()));
    assert_eq!(std::fs::read_dir(&stage.login).unwrap().count(), 0);
}

#[test]
fn a_living_clients_lock_is_left_alone_and_ours_are_given_back() {
    let stage = Stage::new();
    let own = Process::own().unwrap();
    stage.client_holds(own.pid, own.start, &here());
    assert!(matches!(stage.take(SHORT, stage.now()), Err(ClientLockError::Busy { .. })));
    assert!(stage.lock().is_dir());
    let names: Vec<_> =
        std::fs::read_dir(&stage.login).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_lock_whose_owner_is_proven_dead_is_swept_at_once() {
    let stage = Stage::new();
    let gone = dead();
    stage.client_holds(gone.pid, gone.start, &here());
    let held = stage.take(Duration::from_secs(600), stage.now()).unwrap();
    assert_eq!(held.swept.len(), 1);
    assert_eq!(held.swept[0].path, stage.lock());
    assert!(held.swept[0].proof.contains(&gone.pid.to_string()));
}

#[test]
fn a_dead_number_proves_nothing_about_another_namespace_machine_or_lock() {
    let gone = dead();
    for domain in ["linux:0000:pid:[4026531836]", &format!("{}0", here()), ""] {
        let stage = Stage::new();
        stage.client_holds(gone.pid, gone.start, domain);
        assert!(matches!(stage.take(SHORT, stage.now()), Err(ClientLockError::Busy { .. })), "{domain}");
    }
    // The side file outlives its lock: here it speaks of an earlier one.
    let stage = Stage::new();
    stage.client_holds(gone.pid, gone.start, &here());
    let side = stage.login.join(".oauth_refresh.lock.owner");
    let mut owner: serde_json::Value = serde_json::from_slice(&std::fs::read(&side).unwrap()).unwrap();
    owner["lockBirthtimeMs"] = json!(1.0);
    owner["legacyLockBirthtimeMs"] = json!(1.0);
    std::fs::write(&side, owner.to_string()).unwrap();
    assert!(matches!(stage.take(SHORT, stage.now()), Err(ClientLockError::Busy { .. })));
}

#[test]
fn a_lock_that_is_old_or_from_the_future_goes_when_it_did_not_change() {
    for days in [-1, 1] {
        let stage = Stage::new();
        std::fs::create_dir(stage.lock()).unwrap();
        let held = stage.take(SHORT, stage.now() + days * 86_400_000).unwrap();
        assert_eq!(held.swept.len(), 1, "{days}");
    }
}

#[test]
fn one_that_goes_while_we_wait_is_no_obstacle() {
    let stage = Stage::new();
    std::fs::create_dir(stage.lock()).unwrap();
    std::thread::scope(|scope| {
        let taken =
            scope.spawn(|| stage.take(Duration::from_secs(600), stage.now()).map(|held| held.swept.len()));
        std::fs::remove_dir(stage.lock()).unwrap();
        assert_eq!(taken.join().unwrap().unwrap(), 0);
    });
}

#[test]
fn what_a_killed_keeper_held_is_known_and_removed_and_others_are_not() {
    let stage = Stage::new();
    let names = [".oauth_refresh.lock", "${folder}.lock"].map(str::to_owned);
    let mut written: Vec<Held> = Vec::new();
    let now = stage.now();
    let locks = ClientLocks::take(
        Disk::real(),
        &stage.login,
        &names,
        Patience { limit: SHORT, now_ms: &|| now },
        &mut |held| {
            written = held.to_vec();
            Ok(())
        },
    );
    // As a kill does it: nothing is given back.
    std::mem::forget(locks.unwrap());
    // Meanwhile a client has broken the first one and taken it for itself.
    std::fs::remove_dir(stage.lock()).unwrap();
    std::fs::create_dir(stage.login.join("something-between")).unwrap();
    std::fs::create_dir(stage.lock()).unwrap();
    remove_left(Disk::real(), &written);
    assert!(stage.lock().is_dir(), "the client's");
    assert!(!Utf8Path::new(&format!("{}.lock", stage.login)).exists(), "ours");
}

#[test]
fn the_lock_of_a_write_in_which_a_client_was_killed_goes_with_its_others_and_not_without() {
    let gone = dead();
    let stage = Stage::new();
    stage.client_holds(gone.pid, gone.start, &here());
    std::fs::create_dir(stage.login.join(".storage-write.lock")).unwrap();
    let held = stage.take(Duration::from_secs(600), stage.now()).unwrap();
    assert_eq!(held.swept.len(), 2, "{:?}", held.swept);
    // Of a client that lives, and of one that is older than the side file: it may be somebody else's.
    let own = Process::own().unwrap();
    let stage = Stage::new();
    std::fs::create_dir(stage.login.join(".storage-write.lock")).unwrap();
    assert!(matches!(stage.take(SHORT, stage.now()), Err(ClientLockError::Busy { .. })));
    stage.client_holds(own.pid, own.start, &here());
    std::fs::remove_dir(stage.lock()).unwrap();
    assert!(matches!(stage.take(SHORT, stage.now()), Err(ClientLockError::Busy { .. })));
}
