use std::process::{Command, Stdio};
use std::time::Duration;

use camino::Utf8PathBuf;

use super::{AccountLock, LockError};

fn path(folder: &tempfile::TempDir) -> Utf8PathBuf {
    Utf8PathBuf::from_path_buf(folder.path().join("account/lock")).unwrap()
}

#[test]
fn one_holds_it_and_the_others_are_told_who() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let held = AccountLock::try_take(&path).unwrap();
    let error = AccountLock::take(&path, Duration::from_millis(20)).unwrap_err();
    let own = format!("process {}", rustix::process::getpid().as_raw_pid());
    assert!(matches!(&error, LockError::Busy { owner, .. } if owner.starts_with(&own)), "{error}");
    drop(held);
    AccountLock::try_take(&path).unwrap();
}

#[test]
fn it_is_held_as_long_as_a_child_that_shares_it_lives() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let held = AccountLock::try_take(&path).unwrap();
    // The lock is the child's standard error: inherited as it is, without any help.
    let mut child = Command::new("cat").stdin(Stdio::piped()).stderr(held.share().unwrap()).spawn().unwrap();
    drop(held);
    assert!(matches!(AccountLock::try_take(&path), Err(LockError::Busy { .. })));
    let waiting = std::thread::spawn({
        let path = path.clone();
        move || AccountLock::take(&path, Duration::from_secs(30))
    });
    drop(child.stdin.take());
    child.wait().unwrap();
    waiting.join().unwrap().unwrap();
}

#[test]
fn one_who_gave_up_waiting_does_not_get_it_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let held = AccountLock::try_take(&path).unwrap();
    assert!(AccountLock::take(&path, Duration::from_millis(1)).is_err());
    drop(held);
    // The thread that was left waiting closes what it gets.
    AccountLock::take(&path, Duration::from_secs(30)).unwrap();
}

#[test]
fn what_is_no_plain_file_is_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    assert!(matches!(AccountLock::try_take(&path), Err(LockError::Io { .. })));
    std::fs::remove_file(&path).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path.as_std_path(), fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    assert!(matches!(AccountLock::try_take(&path), Err(LockError::Io { .. })));
}

#[test]
fn who_waited_while_the_account_was_renamed_does_not_hold_the_lock_of_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let renamed = path.parent().unwrap().with_file_name("renamed");
    let held = AccountLock::try_take(&path).unwrap();
    let take =
        |path: Utf8PathBuf| std::thread::spawn(move || AccountLock::take(&path, Duration::from_secs(30)));
    // Renamed away, and nothing in its place: there is no such account any more, and none is made.
    let waiting = take(path.clone());
    wait_for_a_waiter(&path);
    std::fs::rename(path.parent().unwrap(), &renamed).unwrap();
    drop(held);
    let error = waiting.join().unwrap().unwrap_err();
    assert!(matches!(error, LockError::Io { action: "open", .. }), "{error}");
    assert!(!path.parent().unwrap().exists());
    // Another account of this name meanwhile: its lock is the one that counts.
    std::fs::rename(&renamed, path.parent().unwrap()).unwrap();
    let held = AccountLock::try_take(&path).unwrap();
    let waiting = take(path.clone());
    wait_for_a_waiter(&path);
    std::fs::rename(path.parent().unwrap(), &renamed).unwrap();
    let of_another = AccountLock::try_take(&path).unwrap();
    drop(held);
    assert!(matches!(AccountLock::take(&path, Duration::from_millis(20)), Err(LockError::Busy { .. })));
    assert!(!waiting.is_finished());
    drop(of_another);
    let got = waiting.join().unwrap().unwrap();
    assert!(matches!(AccountLock::try_take(&path), Err(LockError::Busy { .. })), "it is the one that counts");
    drop(got);
}

/// Until `/proc/locks` shows a waiter (`->`) for the lock's inode.
fn wait_for_a_waiter(path: &Utf8PathBuf) {
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
    loop {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        if locks.lines().any(|line| line.contains("->") && line.contains(&format!(":{inode} "))) {
            return;
        }
        std::thread::yield_now();
    }
}
