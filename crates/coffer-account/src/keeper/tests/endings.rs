//! Every way in which a refresh can end.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::world::{Client, HOUR, NEED, NOW, World, login};
use crate::disk::{Call, Disk};
use crate::keeper::{KeeperError, LoginPlace, Need, Outcome, Sealed, due_at_ms};
use crate::login_file::LoginFile;
use coffer_plan::sign_in::verify::RefusedBecause;

#[test]
fn what_is_fresh_is_left_alone() {
    let world = World::of("dev", NOW + HOUR);
    let before = world.text();
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Fresh);
    assert_eq!((world.text(), world.asked()), (before, 0));
    assert!(!world.place.lock.exists(), "a look takes no lock");
    // Measured: an end that is no number is never treated as one.
    for odd in ["null", "\"soon\""] {
        world.put(
            &login("sk-ant-ort01-FAKE-0", "sk-ant-oat01-FAKE-0", 7)
                .replace("\"expiresAt\": 7", &format!("\"expiresAt\": {odd}")),
        );
        assert_eq!(world.keep(NEED).unwrap(), Outcome::Fresh, "{odd}");
    }
}

#[test]
fn a_login_that_ends_is_refreshed_once_and_sealed_before_and_after() {
    for client in [Client::Renames, Client::WritesInPlace] {
        let world = World::new();
        *world.client.lock().unwrap() = client;
        let before = world.text();
        assert_eq!(world.keep(NEED).unwrap(), Outcome::Refreshed);
        assert_eq!(world.asked(), 1);
        world.is_signed_in();
        world.is_tidy();
        let sealed = world.vault.sealed.lock().unwrap();
        assert_eq!(sealed[0], (Sealed::BeforeRefresh, before.into_bytes()));
        assert_eq!(sealed[1], (Sealed::AfterRefresh, world.text().into_bytes()));
        assert_eq!(world.events(), ["refresh_started", "refresh_ended ok"]);
        drop(sealed);
        assert_eq!(world.keep(NEED).unwrap(), Outcome::Fresh);
    }
}

#[test]
fn a_login_without_the_scope_that_the_agent_demands_is_not_spent() {
    let world = World::new();
    world.put(&world.text().replace("user:inference", "user:profile"));
    let before = world.text();
    for need in [NEED, Need::Newer] {
        assert_eq!(world.keep(need).unwrap(), Outcome::NotRenewable);
    }
    assert_eq!((world.text(), world.asked()), (before, 0));
}

#[test]
fn eight_keepers_at_once_spend_one_token() {
    let world = World::new();
    let start = std::sync::Barrier::new(8);
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let keeper = || {
            start.wait();
            world.keep(NEED).unwrap()
        };
        let keepers: Vec<_> = (0..8).map(|_| scope.spawn(keeper)).collect();
        keepers.into_iter().map(|keeper| keeper.join().unwrap()).collect()
    });
    assert_eq!(world.asked(), 1, "{outcomes:?}");
    let refreshed = outcomes.iter().filter(|outcome| **outcome == Outcome::Refreshed).count();
    assert_eq!(refreshed, 1, "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Refreshed | Outcome::Adopted | Outcome::Fresh))
    );
    world.is_signed_in();
    world.is_tidy();
}

#[test]
fn without_an_answer_the_file_is_byte_for_byte_as_before_and_all_wait() {
    for client in [Client::GetsNoAnswer, Client::IsMissing] {
        let world = World::new();
        *world.client.lock().unwrap() = client;
        let before = world.text();
        let Outcome::Transient { retry_after_ms, .. } = world.keep(NEED).unwrap() else {
            panic!("{client:?}")
        };
        assert_eq!(world.text(), before);
        assert!((5_000..7_000).contains(&retry_after_ms), "{retry_after_ms}");
        world.is_tidy();
        // Another keeper does not try before that; a person may.
        *world.client.lock().unwrap() = Client::Renames;
        assert!(matches!(world.keep(NEED).unwrap(), Outcome::Transient { .. }));
        assert_eq!(world.asked(), 0);
        world.now_ms.fetch_add(retry_after_ms, Ordering::SeqCst);
        assert_eq!(world.keep(NEED).unwrap(), Outcome::Refreshed);
    }
    let world = World::new();
    *world.client.lock().unwrap() = Client::GetsNoAnswer;
    world.keep(NEED).unwrap();
    *world.client.lock().unwrap() = Client::Renames;
    assert_eq!(world.keep(Need::Newer).unwrap(), Outcome::Refreshed);
}

#[test]
fn waits_grow_and_a_clock_that_jumps_does_not_stretch_them() {
    let world = World::new();
    *world.client.lock().unwrap() = Client::GetsNoAnswer;
    let mut last = 0;
    for _ in 0..12 {
        let Outcome::Transient { retry_after_ms, .. } = world.keep(NEED).unwrap() else { panic!() };
        assert!(retry_after_ms > last || retry_after_ms >= 12 * 60_000, "{last} {retry_after_ms}");
        assert!(retry_after_ms <= 15 * 60_000);
        last = retry_after_ms;
        world.now_ms.fetch_add(retry_after_ms, Ordering::SeqCst);
    }
    // A day back: the wait that is on record would last a day and more.
    *world.client.lock().unwrap() = Client::Renames;
    world.now_ms.fetch_sub(24 * HOUR, Ordering::SeqCst);
    world.put(&login("sk-ant-ort01-FAKE-0", "sk-ant-oat01-FAKE-0", NOW - 24 * HOUR));
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Refreshed);
    // A day on: the token looks ended, and is renewed once.
    world.now_ms.fetch_add(48 * HOUR, Ordering::SeqCst);
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Refreshed);
    assert_eq!(world.asked(), 2);
    world.is_signed_in();
}

#[test]
fn a_refusal_for_good_wipes_nothing_and_is_not_tried_again() {
    let world = World::new();
    *world.server.live.lock().unwrap() = "sk-ant-ort01-FAKE-elsewhere".to_owned();
    let before = world.text();
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Permanent(RefusedBecause::Revoked));
    assert_eq!(world.text(), before, "what was there is put back");
    world.is_tidy();
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Permanent(RefusedBecause::Revoked));
    assert_eq!(world.keep(Need::Newer).unwrap(), Outcome::Permanent(RefusedBecause::Revoked));
    assert_eq!(world.asked(), 1);
    assert_eq!(world.events(), ["refresh_started", "refresh_ended permanent"]);
    // A new sign-in is another chance.
    world.put(&login("sk-ant-ort01-FAKE-elsewhere", "sk-ant-oat01-FAKE-0", NOW));
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Refreshed);
    world.is_signed_in();
}

#[test]
fn a_token_that_is_known_to_have_a_successor_was_used_twice() {
    let world = World::new();
    *world.server.live.lock().unwrap() = "sk-ant-ort01-FAKE-elsewhere".to_owned();
    let spent = coffer_plan::sign_in::shape::fingerprint("sk-ant-ort01-FAKE-0");
    world.vault.successors.lock().unwrap().insert(spent, String::new());
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Permanent(RefusedBecause::Reused));
}

#[test]
fn a_client_that_dies_with_the_answer_on_its_way_costs_the_login_and_the_account_says_so() {
    let world = World::new();
    *world.client.lock().unwrap() = Client::DiesTooLate;
    let before = world.text();
    let Outcome::Transient { retry_after_ms, .. } = world.keep(NEED).unwrap() else { panic!() };
    assert_eq!(world.text(), before);
    *world.client.lock().unwrap() = Client::Renames;
    world.now_ms.fetch_add(retry_after_ms, Ordering::SeqCst);
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Permanent(RefusedBecause::Revoked));
    assert_eq!(world.text(), before, "never wiped");
}

#[test]
fn a_half_written_file_is_put_back_and_kept_for_a_look() {
    let world = World::new();
    *world.client.lock().unwrap() = Client::DiesWriting;
    let before = world.text();
    assert!(matches!(world.keep(NEED).unwrap(), Outcome::Transient { .. }));
    assert_eq!(world.text(), before);
    let sealed = world.vault.sealed.lock().unwrap();
    assert_eq!(sealed.last().unwrap().0, Sealed::Corrupted);
    world.is_tidy();
}

#[test]
fn a_server_that_keeps_the_refresh_token_renews_all_the_same() {
    let world = World::new();
    *world.client.lock().unwrap() = Client::KeepsToken;
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Refreshed);
    world.is_signed_in();
}

#[test]
fn the_hosts_login_is_renewed_in_the_clients_own_window_and_never_edited() {
    let world = World::of("host", NOW + 300_000);
    *world.client.lock().unwrap() = Client::GetsNoAnswer;
    let before = world.text();
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Fresh);
    world.now_ms.fetch_add(20_000, Ordering::SeqCst);
    let inode =
        |world: &World| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(world.file()).unwrap());
    let written = inode(&world);
    assert!(matches!(world.keep(NEED).unwrap(), Outcome::Transient { .. }));
    assert_eq!((world.text(), inode(&world)), (before, written), "not even replaced by the same");
    *world.client.lock().unwrap() = Client::Renames;
    world.now_ms.fetch_add(20_000, Ordering::SeqCst);
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Refreshed);
    world.is_signed_in();
}

#[test]
fn the_hosts_login_that_the_client_wiped_stays_as_the_client_left_it() {
    let world = World::of("host", NOW);
    *world.server.live.lock().unwrap() = "sk-ant-ort01-FAKE-elsewhere".to_owned();
    assert_eq!(world.keep(NEED).unwrap(), Outcome::Permanent(RefusedBecause::Revoked));
    assert!(LoginFile::new(world.text().into_bytes().into()).shape.is_wiped());
    assert_eq!(world.vault.sealed.lock().unwrap().len(), 1, "the copy from before is there");
}

#[test]
fn a_refresh_by_another_client_meanwhile_is_adopted() {
    let world = World::new();
    // Somebody holds the account's lock and refreshes; whoever waits looks again.
    let lock = crate::lock::AccountLock::try_take(&world.place.lock).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| world.keep(NEED).unwrap());
        // It has read the old login when it waits for the lock.
        wait_until_someone_waits(&world.place);
        world.put(&login("sk-ant-ort01-FAKE-1", "sk-ant-oat01-FAKE-1", NOW + 8 * HOUR));
        drop(lock);
        assert_eq!(waiting.join().unwrap(), Outcome::Adopted);
    });
    assert_eq!(world.asked(), 0);
    assert_eq!(world.vault.sealed.lock().unwrap().len(), 1, "what nobody had sealed is sealed");
}

/// Until `/proc/locks` shows a waiter (`->`) for the lock's inode.
fn wait_until_someone_waits(place: &LoginPlace) {
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&place.lock).unwrap());
    loop {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        if locks.lines().any(|line| line.contains("->") && line.contains(&format!(":{inode} "))) {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn what_is_no_login_is_never_written_over() {
    let odd: [&dyn Fn(&World); 6] = [
        &|world| world.put(""),
        &|world| world.put("{\"claudeAiOauth\": [\"sk-ant-oat01-FAKE\"]"),
        &|world| world.put(&"x".repeat(10 * 1024 * 1024)),
        &|world| {
            std::fs::remove_file(world.file()).unwrap();
            std::fs::create_dir(world.file()).unwrap();
        },
        &|world| {
            std::fs::remove_file(world.file()).unwrap();
            rustix::fs::mknodat(
                rustix::fs::CWD,
                world.file().as_std_path(),
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::RWXU,
                0,
            )
            .unwrap();
        },
        &|world| {
            let elsewhere = world.place.own.join("elsewhere");
            std::fs::rename(world.file(), &elsewhere).unwrap();
            std::os::unix::fs::symlink(&elsewhere, world.file()).unwrap();
        },
    ];
    for (index, make) in odd.iter().enumerate() {
        let world = World::new();
        make(&world);
        let look = |world: &World| {
            let meta = std::fs::symlink_metadata(world.file()).unwrap();
            (std::os::unix::fs::MetadataExt::ino(&meta), meta.len(), meta.file_type())
        };
        let before = look(&world);
        assert_eq!(world.keep(NEED).unwrap(), Outcome::NotRenewable, "{index}");
        assert_eq!(look(&world), before, "{index}");
        assert_eq!(world.asked(), 0, "{index}");
    }
}

#[test]
fn a_login_without_refresh_token_cannot_be_renewed() {
    let world = World::new();
    world.put(&login("", "sk-ant-oat01-FAKE-0", NOW));
    assert_eq!(world.keep(NEED).unwrap(), Outcome::NotRenewable);
}

#[test]
fn a_live_client_that_holds_its_lock_is_waited_for_by_a_later_attempt() {
    let world = World::new();
    let held = world.place.folder.join(".oauth_refresh.lock");
    std::fs::create_dir(&held).unwrap();
    let before = world.text();
    std::thread::scope(|scope| {
        let keeper = scope.spawn(|| world.keep(NEED).unwrap());
        wait_until(|| std::fs::exists(world.place.own.join("journal.json")).unwrap());
        std::fs::remove_dir(&held).unwrap();
        assert_eq!(keeper.join().unwrap(), Outcome::Refreshed);
    });
    assert_ne!(world.text(), before);
    world.is_tidy();
}

#[test]
fn a_sign_in_while_a_wiped_login_is_put_back_is_not_written_over() {
    for signs_in in [true, false] {
        let world = World::new();
        *world.client.lock().unwrap() = Client::WipesBeforeAnother;
        let before = world.text();
        let after = login("sk-ant-ort01-FAKE-new", "sk-ant-oat01-FAKE-new", NOW + 8 * HOUR);
        std::thread::scope(|scope| {
            let keeper = scope.spawn(|| world.keep(NEED).unwrap());
            // The refusal is on record before the keeper waits for the client's lock.
            wait_until(|| std::fs::exists(world.place.own.join("keeper.json")).unwrap());
            if signs_in {
                world.put(&after);
            }
            std::fs::remove_dir(world.place.folder.join(".oauth_refresh.lock")).unwrap();
            assert!(matches!(keeper.join().unwrap(), Outcome::Permanent(_)));
        });
        // The positive control: nobody signed in, so that what was there comes back.
        assert_eq!(world.text(), if signs_in { after } else { before });
        world.is_tidy();
    }
}

#[test]
fn the_hosts_login_is_not_spent_where_no_new_one_could_be_saved() {
    // The control is an account whose file is edited before anything is spent.
    for account in ["host", "dev"] {
        let world = World::of(account, NOW);
        let before = world.text();
        let refused = AtomicUsize::new(0);
        // The account's own folder takes what it is given; the disc of the login does not.
        let hook = |call: Call| {
            let mut beside = std::fs::read_dir(&world.place.folder).unwrap().flatten();
            let is_ours = beside.any(|entry| entry.file_name().to_string_lossy().contains("json.coffer-"));
            if call == Call::Write && is_ours {
                refused.fetch_add(1, Ordering::SeqCst);
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            Ok(())
        };
        assert!(world.keep_on(Disk::with_hook(&hook), NEED).is_err(), "{account}");
        assert_eq!((world.asked(), refused.into_inner(), world.text()), (0, 1, before));
        assert_eq!(world.keep(NEED).unwrap(), Outcome::Refreshed, "with room again");
        world.is_signed_in();
        world.is_tidy();
    }
}

#[test]
fn a_login_of_somebody_else_is_neither_spent_nor_written() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for folder in [true, false] {
        let world = World::new();
        let (path, before) = (if folder { world.place.folder.clone() } else { world.file() }, world.text());
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        let refused = world.keep(NEED).unwrap_err();
        assert!(matches!(refused, KeeperError::ForeignOwner { uid: 65534, .. }), "{refused}");
        assert_eq!((world.asked(), world.text()), (0, before));
        assert!(!world.place.lock.exists(), "nothing of root's is left in the account");
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        assert_eq!(world.keep(NEED).unwrap(), Outcome::Refreshed);
    }
}

#[test]
fn a_token_that_was_got_while_the_clock_was_ahead_is_not_trusted_to_live_longer() {
    for (account, again) in [("dev", Outcome::Refreshed), ("host", Outcome::Fresh)] {
        let world = World::of(account, NOW);
        world.now_ms.fetch_add(24 * HOUR, Ordering::SeqCst);
        assert_eq!(world.keep(NEED).unwrap(), Outcome::Refreshed);
        world.now_ms.fetch_sub(60_000, Ordering::SeqCst);
        assert_eq!(world.keep(NEED).unwrap(), Outcome::Fresh, "a clock that is put right by a little");
        // The file says 32 hours; at the server it is eight.
        world.now_ms.fetch_sub(24 * HOUR, Ordering::SeqCst);
        assert_eq!(world.keep(NEED).unwrap(), again);
        assert_eq!(world.keep(NEED).unwrap(), Outcome::Fresh, "once");
        world.is_signed_in();
    }
}

fn wait_until(happened: impl Fn() -> bool) {
    while !happened() {
        std::thread::yield_now();
    }
}

#[test]
fn a_login_is_due_ahead_of_its_end_and_the_hosts_in_its_window() {
    let file = |end: i64| {
        LoginFile::new(login("sk-ant-ort01-FAKE-0", "sk-ant-oat01-FAKE-0", end).into_bytes().into())
    };
    let (dev, host) = ("dev".parse().unwrap(), "host".parse().unwrap());
    let end = NOW + 8 * HOUR;
    let file_of = file(end);
    let details = file_of.details().unwrap();
    let due = due_at_ms(&dev, details, None).unwrap();
    assert!((18 * 60_000..=22 * 60_000).contains(&(end - due)), "{}", end - due);
    assert_eq!(due_at_ms(&dev, details, None), Some(due), "the same at each look");
    assert_eq!(due_at_ms(&host, details, None), Some(end - 290_000));
    // A token of ten minutes is not due all the time.
    let short = file(NOW + 600_000);
    let due = due_at_ms(&dev, short.details().unwrap(), Some(NOW)).unwrap();
    assert!((120_000..180_000).contains(&(NOW + 600_000 - due)), "{}", NOW + 600_000 - due);
}
