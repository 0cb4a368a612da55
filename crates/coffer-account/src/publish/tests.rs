//! Publishing under the hands of an agent that may do anything in its lease folder.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};
use rustix::io::Errno;
use serde_json::{Value, json};

use super::{Foreign, Moment, Published, Publisher};
use crate::disk::{Call, Disk};
use crate::lease::lease;

const NAME: &str = ".credentials.json";

/// A login file as the host has it.
pub(crate) fn login(token: &str, expires_at_ms: i64) -> String {
    json!({"claudeAiOauth": {
        "accessToken": format!("sk-ant-oat01-FAKE-{token}"),
        "refreshToken": format!("sk-ant-ort01-FAKE-{token}"),
        "expiresAt": expires_at_ms,
        "scopes": ["user:inference"],
    }})
    .to_string()
}

/// A lease folder, the host's descriptor of it, and something outside that must stay as it is.
struct Ground {
    folder: tempfile::TempDir,
    lease: OwnedFd,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lease")).unwrap();
        std::fs::create_dir(folder.path().join("outside")).unwrap();
        std::fs::write(folder.path().join("outside/victim"), "untouched").unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let lease = openat(CWD, folder.path().join("lease"), flags, Mode::empty()).unwrap();
        let ground = Self { folder, lease };
        std::fs::write(ground.file(), leased("one", 1000)).unwrap();
        ground
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("lease").join(NAME)
    }

    fn victim(&self) -> PathBuf {
        self.folder.path().join("outside/victim")
    }

    fn publisher(&self) -> Publisher<'_> {
        Publisher::new(self.lease.as_fd(), NAME, leased("one", 1000).as_bytes()).unwrap()
    }

    fn holds(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.file()).unwrap()).unwrap()
    }

    fn token(&self) -> String {
        let token = self.holds()["claudeAiOauth"]["accessToken"].as_str().unwrap().to_owned();
        token.strip_prefix("sk-ant-oat01-FAKE-").unwrap().to_owned()
    }

    /// Nothing but the lease itself is left, and the outside is as it was.
    fn is_clean(&self) {
        self.is_safe();
        let names: Vec<_> =
            self.folder.path().join("lease").read_dir().unwrap().map(Result::unwrap).collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    fn is_safe(&self) {
        assert_eq!(std::fs::read_to_string(self.victim()).unwrap(), "untouched");
        assert_eq!(self.folder.path().join("outside").read_dir().unwrap().count(), 1);
    }
}

fn leased(token: &str, expires_at_ms: i64) -> String {
    let lease = lease(login(token, expires_at_ms).as_bytes()).unwrap();
    String::from_utf8(lease.expose().to_vec()).unwrap()
}

fn rename_over(path: &Path, content: &str) {
    let beside = path.with_extension("agent");
    std::fs::write(&beside, content).unwrap();
    std::fs::rename(beside, path).unwrap();
}

#[test]
fn a_newer_token_takes_the_place_of_ours_without_its_refresh_token() {
    let ground = Ground::new();
    let mut publisher = ground.publisher();
    let published = publisher.publish(login("two", 2000).as_bytes()).unwrap();
    assert_eq!(published, Published::Replaced { expires_at_ms: Some(2000) });
    assert_eq!(ground.token(), "two");
    assert!(!std::fs::read_to_string(ground.file()).unwrap().contains("ort01"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&ground.file().metadata().unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o600);
    // And the next one in its place.
    publisher.publish(login("three", 3000).as_bytes()).unwrap();
    assert_eq!(ground.token(), "three");
    ground.is_clean();
}

#[test]
fn neither_the_same_token_nor_an_older_one_is_published() {
    let ground = Ground::new();
    let mut publisher = ground.publisher();
    // A keeper sets the end to now while it refreshes.
    for other in [login("one", 5), login("one", 9000), login("older", 999)] {
        assert_eq!(publisher.publish(other.as_bytes()).unwrap(), Published::Unchanged);
        assert_eq!(ground.holds()["claudeAiOauth"]["expiresAt"], 1000);
    }
    for nothing in ["", "{", "{}", r#"{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0}}"#]
    {
        publisher.publish(nothing.as_bytes()).unwrap_err();
    }
    assert_eq!(ground.token(), "one");
    // The control: one that ends at the same time is another login.
    publisher.publish(login("two", 1000).as_bytes()).unwrap();
    assert_eq!(ground.token(), "two");
    ground.is_clean();
}

#[test]
fn what_the_agent_keeps_beside_the_login_stays() {
    let ground = Ground::new();
    let mut file = ground.holds();
    file["mcpOAuth"] = json!({"server": {"accessToken": "FAKE-mcp"}});
    file["claudeAiOauth"]["subscriptionType"] = json!("max");
    std::fs::write(ground.file(), file.to_string()).unwrap();
    ground.publisher().publish(login("two", 2000).as_bytes()).unwrap();
    assert_eq!(ground.token(), "two");
    assert_eq!(ground.holds()["mcpOAuth"], file["mcpOAuth"]);
    ground.is_clean();
}

#[test]
fn a_sign_in_made_inside_is_left_alone() {
    let ground = Ground::new();
    let same_token = login("one", 1000);
    for inside in [login("inside", 1500), same_token, leased("inside", 1500), "{}".to_owned(), String::new()]
    {
        rename_over(&ground.file(), &inside);
        let published = ground.publisher().publish(login("two", 2000).as_bytes()).unwrap();
        assert_eq!(published, Published::LeftAlone(Foreign::Other));
        assert_eq!(std::fs::read_to_string(ground.file()).unwrap(), inside);
        ground.is_clean();
    }
}

/// Puts something strange in place of the lease.
type Swap = fn(&Ground);

/// What an agent may put there, and what is said of it.
const STRANGE: [(Swap, Foreign); 7] = [
    (|ground| std::fs::remove_file(ground.file()).unwrap(), Foreign::Missing),
    (
        |ground| {
            std::fs::remove_file(ground.file()).unwrap();
            std::os::unix::fs::symlink(ground.victim(), ground.file()).unwrap();
        },
        Foreign::Strange("a link"),
    ),
    (
        |ground| {
            std::fs::remove_file(ground.file()).unwrap();
            mknodat(CWD, ground.file(), FileType::Fifo, Mode::RWXU, 0).unwrap();
        },
        Foreign::Strange("no plain file"),
    ),
    (
        |ground| {
            std::fs::remove_file(ground.file()).unwrap();
            std::fs::create_dir(ground.file()).unwrap();
        },
        Foreign::Strange("no plain file"),
    ),
    (
        |ground| std::fs::hard_link(ground.file(), ground.folder.path().join("lease/second")).unwrap(),
        Foreign::Strange("a file with a second name"),
    ),
    (
        |ground| std::fs::File::create(ground.file()).unwrap().set_len(1 << 40).unwrap(),
        Foreign::Strange("larger than any login"),
    ),
    (
        |ground| {
            std::fs::remove_file(ground.file()).unwrap();
            drop(std::os::unix::net::UnixListener::bind(ground.file()).unwrap());
        },
        Foreign::Strange("something that cannot be opened"),
    ),
];

#[test]
fn what_is_no_plain_file_is_neither_followed_nor_waited_for() {
    for (swap, foreign) in STRANGE {
        let ground = Ground::new();
        swap(&ground);
        let published = ground.publisher().publish(login("two", 2000).as_bytes()).unwrap();
        assert_eq!(published, Published::LeftAlone(foreign));
        ground.is_safe();
    }
    // The control: a host that writes by path does follow the link.
    let ground = Ground::new();
    STRANGE[1].0(&ground);
    std::fs::write(ground.file(), leased("two", 2000)).unwrap();
    assert_ne!(std::fs::read_to_string(ground.victim()).unwrap(), "untouched");
}

#[test]
fn what_is_swapped_in_between_looking_and_replacing_stays_in_place() {
    for (swap, _) in STRANGE {
        let ground = Ground::new();
        let mut once = Some(swap);
        let published = ground.publisher().publish_watched(login("two", 2000).as_bytes(), &mut |moment| {
            if moment == Moment::Written
                && let Some(swap) = once.take()
            {
                swap(&ground);
            }
        });
        assert!(matches!(published, Ok(Published::LeftAlone(_))), "{published:?}");
        ground.is_safe();
    }
}

#[test]
fn a_sign_in_at_any_moment_of_the_exchange_is_what_remains() {
    for moments in [
        &[Moment::Written][..],
        &[Moment::Exchanged],
        &[Moment::Written, Moment::Exchanged],
        &[Moment::Written, Moment::PutBack],
        &[Moment::Written, Moment::Exchanged, Moment::PutBack],
    ] {
        let ground = Ground::new();
        let mut count = 0;
        let mut left = moments.to_vec();
        let published = ground.publisher().publish_watched(login("two", 2000).as_bytes(), &mut |moment| {
            if left.first() == Some(&moment) {
                left.remove(0);
                count += 1;
                rename_over(&ground.file(), &login(&format!("inside{count}"), 1500));
            }
        });
        published.unwrap();
        assert!(left.is_empty(), "{moments:?}");
        assert_eq!(ground.token(), format!("inside{count}"), "{moments:?}");
        ground.is_clean();
    }
    // The control: one that renames without looking loses the sign-in.
    let ground = Ground::new();
    rename_over(&ground.file(), &login("inside", 1500));
    rename_over(&ground.file(), &leased("two", 2000));
    assert_eq!(ground.token(), "two");
}

#[test]
fn a_sign_in_written_into_the_file_between_is_put_back() {
    let ground = Ground::new();
    let inside = login("inside", 1500);
    let mut once = true;
    let published = ground.publisher().publish_watched(login("two", 2000).as_bytes(), &mut |moment| {
        if std::mem::take(&mut once) && moment == Moment::Written {
            std::fs::write(ground.file(), &inside).unwrap();
        }
    });
    assert_eq!(published.unwrap(), Published::LeftAlone(Foreign::Other));
    assert_eq!(ground.token(), "inside");
    ground.is_clean();
}

#[test]
fn a_new_file_that_is_swapped_for_a_link_leads_nowhere() {
    let ground = Ground::new();
    let published = ground.publisher().publish_watched(login("two", 2000).as_bytes(), &mut |moment| {
        if moment != Moment::Written {
            return;
        }
        for entry in ground.folder.path().join("lease").read_dir().unwrap().map(Result::unwrap) {
            if entry.file_name() != NAME {
                std::fs::remove_file(entry.path()).unwrap();
                std::os::unix::fs::symlink(ground.victim(), entry.path()).unwrap();
            }
        }
    });
    published.unwrap();
    ground.is_safe();
}

#[test]
fn a_lease_folder_that_is_swapped_for_a_link_leads_nowhere() {
    let ground = Ground::new();
    let lease = ground.folder.path().join("lease");
    std::fs::write(ground.folder.path().join("outside/.credentials.json"), leased("one", 1000)).unwrap();
    std::fs::rename(&lease, ground.folder.path().join("away")).unwrap();
    std::os::unix::fs::symlink(ground.folder.path().join("outside"), &lease).unwrap();
    ground.publisher().publish(login("two", 2000).as_bytes()).unwrap();
    let token = |folder: &str| std::fs::read_to_string(ground.folder.path().join(folder).join(NAME)).unwrap();
    assert!(token("outside").contains("FAKE-one"));
    assert!(token("away").contains("FAKE-two"));
}

#[test]
fn a_storm_of_swaps_neither_stops_the_host_nor_leads_it_out() {
    let ground = Ground::new();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = ground.file();
            let mut turn = 0_usize;
            while !over.load(Ordering::Relaxed) {
                turn += 1;
                let _ = std::fs::remove_dir(&file);
                let _ = std::fs::remove_file(&file);
                let _ = match turn % 5 {
                    0 => std::os::unix::fs::symlink(ground.victim(), &file),
                    1 => std::fs::create_dir(&file),
                    2 => mknodat(CWD, &file, FileType::Fifo, Mode::RWXU, 0).map_err(Into::into),
                    3 => std::fs::write(&file, login("inside", 1500)),
                    _ => std::fs::write(&file, leased("one", 1000)),
                };
            }
        });
        for _ in 0..2000 {
            // Whatever it says, it comes back.
            let _ = ground.publisher().publish(login("two", 2000).as_bytes());
        }
        over.store(true, Ordering::Relaxed);
    });
    ground.is_safe();
}

/// Calls of one publication; more than there are.
const CALLS: usize = 12;

/// Publishes with what `hook` does to the n-th call and, if it is `for_good`, to all after it; whether there was one.
fn publishes_with(ground: &Ground, at: usize, for_good: bool, errno: Errno) -> bool {
    let (asked, met) = (AtomicUsize::new(0), AtomicBool::new(false));
    let hook = |_: Call| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        if number == at || (for_good && number > at) {
            met.store(true, Ordering::SeqCst);
            return Err(errno.into());
        }
        Ok(())
    };
    let mut publisher = ground.publisher().on(Disk::with_hook(&hook));
    let published = publisher.publish(login("two", 2000).as_bytes());
    let is_new = ground.token() == "two";
    assert!(is_new || ground.token() == "one", "call {at}");
    assert_eq!(matches!(published, Ok(Published::Replaced { .. })), is_new, "call {at}: {published:?}");
    met.load(Ordering::SeqCst)
}

#[test]
fn killed_before_any_call_the_run_has_the_old_token_or_the_new_one() {
    let mut reached = 0;
    for at in 0..CALLS {
        let ground = Ground::new();
        // Whoever is killed makes no call any more.
        reached += usize::from(publishes_with(&ground, at, true, Errno::IO));
        ground.is_safe();
        assert!(ground.holds()["claudeAiOauth"].get("refreshToken").is_none());
        // A run's next publication is not kept from its work by what lies there.
        let present = std::fs::read(ground.file()).unwrap();
        let mut next = Publisher::new(ground.lease.as_fd(), NAME, &present).unwrap();
        assert_eq!(
            next.publish(login("three", 3000).as_bytes()).unwrap(),
            Published::Replaced { expires_at_ms: Some(3000) }
        );
    }
    assert!(reached >= 4, "create, write, exchange, remove: {reached}");
}

#[test]
fn a_full_disc_a_broken_one_and_one_that_cannot_be_written_leave_a_whole_lease() {
    for errno in [Errno::NOSPC, Errno::IO, Errno::ROFS] {
        let reached: usize = (0..CALLS)
            .map(|at| {
                let ground = Ground::new();
                let met = publishes_with(&ground, at, false, errno);
                ground.is_safe();
                usize::from(met)
            })
            .sum();
        assert!(reached >= 4, "{errno}: {reached}");
    }
}
