//! Killed before each system call, and each one failing: the login is good at the server, or was lost with
//! the server's answer on its way and the account says so; never wiped, never half, never stuck.

use std::sync::atomic::Ordering;

use super::world::{Client, DiesAt, FailsAt, NEED, World};
use crate::disk::Disk;
use crate::keeper::{Need, Outcome};

/// More than there are.
const CALLS: usize = 200;

#[test]
fn killed_before_any_call_nothing_is_lost_and_the_next_keeper_goes_on() {
    for client in [Client::Renames, Client::WritesInPlace, Client::KeepsToken] {
        let mut indices = 0;
        for at in 0..CALLS {
            let world = World::new();
            *world.client.lock().unwrap() = client;
            let killer = DiesAt::call(at);
            let hook = |call| killer.hook(call);
            let first = world.keep_on(Disk::with_hook(&hook), NEED);
            if !killer.was_reached() {
                assert_eq!(first.unwrap(), Outcome::Refreshed);
                break;
            }
            indices += 1;
            world.is_signed_in();
            let asked = world.asked();
            let next = world.keep(Need::Newer).unwrap();
            assert!(matches!(next, Outcome::Refreshed | Outcome::Adopted | Outcome::Fresh), "{at}: {next:?}");
            world.is_signed_in();
            world.is_tidy();
            assert!(world.asked() <= asked + 1, "{at}");
        }
        assert!((15..CALLS).contains(&indices), "{indices} calls were tried");
    }
}

#[test]
fn killed_twice_in_a_row_at_any_two_calls_nothing_is_lost() {
    for first in 0..CALLS {
        let mut reached = false;
        for second in 0..CALLS {
            let world = World::new();
            let (one, two) = (DiesAt::call(first), DiesAt::call(second));
            let (hook_one, hook_two) = (|call| one.hook(call), |call| two.hook(call));
            let _ = world.keep_on(Disk::with_hook(&hook_one), NEED);
            reached |= one.was_reached();
            world.is_signed_in();
            let _ = world.keep_on(Disk::with_hook(&hook_two), Need::Newer);
            world.is_signed_in();
            world.keep(Need::Newer).unwrap();
            world.is_signed_in();
            world.is_tidy();
            if !two.was_reached() {
                break;
            }
        }
        if !reached {
            return;
        }
    }
    panic!("more than {CALLS} calls");
}

#[test]
fn with_any_call_failing_nothing_is_lost() {
    for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::IO, rustix::io::Errno::ROFS] {
        let mut indices = 0;
        for at in 0..CALLS {
            let world = World::new();
            let fault = FailsAt::call(at, errno.raw_os_error());
            let hook = |call| fault.hook(call);
            let _ = world.keep_on(Disk::with_hook(&hook), NEED);
            if !fault.was_reached() {
                break;
            }
            indices += 1;
            world.is_signed_in();
            world.now_ms.fetch_add(20 * 60_000, Ordering::SeqCst);
            let next = world.keep(Need::Newer).unwrap();
            assert!(matches!(next, Outcome::Refreshed | Outcome::Adopted), "{errno} at {at}: {next:?}");
            world.is_signed_in();
            world.is_tidy();
        }
        assert!((15..CALLS).contains(&indices), "{indices} calls were tried");
    }
}

#[test]
fn with_a_refusal_and_a_kill_before_any_call_the_login_is_put_back_and_known_to_be_dead() {
    for at in 0..CALLS {
        let world = World::new();
        *world.server.live.lock().unwrap() = "sk-ant-ort01-FAKE-elsewhere".to_owned();
        let before = world.text();
        let killer = DiesAt::call(at);
        let hook = |call| killer.hook(call);
        let _ = world.keep_on(Disk::with_hook(&hook), NEED);
        let reached = killer.was_reached();
        let next = world.keep(Need::Newer).unwrap();
        assert!(matches!(next, Outcome::Permanent(_)), "{at}: {next:?}");
        assert_eq!(world.text(), before, "{at}");
        world.is_tidy();
        if !reached {
            return;
        }
    }
    panic!("more than {CALLS} calls");
}

#[test]
fn where_no_copy_can_be_sealed_nothing_is_spent() {
    let world = World::new();
    let before = world.text();
    world.vault.broken.store(true, Ordering::SeqCst);
    assert!(world.keep(NEED).is_err());
    assert_eq!((world.text(), world.asked()), (before, 0));
}
