use std::os::fd::AsFd;

use super::Waiter;

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

#[test]
fn it_comes_back_at_the_time_and_not_before() {
    let waiter = Waiter::new().unwrap();
    let (idle, _writer) = std::io::pipe().unwrap();
    let at = now_ms() + 50;
    let readable = waiter.until(Some(at), &[idle.as_fd()]).unwrap();
    assert_eq!(readable, [false]);
    assert!(now_ms() >= at);
}

#[test]
fn a_time_that_is_past_comes_at_once_and_also_one_before_the_epoch() {
    let waiter = Waiter::new().unwrap();
    for past in [i64::MIN, -1, 0, 1, now_ms() - 86_400_000] {
        assert!(waiter.until(Some(past), &[]).unwrap().is_empty());
    }
}

#[test]
fn what_can_be_read_ends_the_wait_for_a_far_time_and_for_ever() {
    let waiter = Waiter::new().unwrap();
    let (idle, _writer) = std::io::pipe().unwrap();
    let (closed, writer) = std::io::pipe().unwrap();
    drop(writer);
    for at in [Some(now_ms() + 86_400_000), None] {
        assert_eq!(waiter.until(at, &[idle.as_fd(), closed.as_fd()]).unwrap(), [false, true]);
    }
}
