//! `kill -9`, for real, right before each call by which a keeper writes: the test starts itself as the victim, which
//! ends itself with `SIGKILL` at the n-th call. No destructor runs, the kernel takes its locks. What is left must be
//! a login that is good at the server, and the next keeper, another process, must come to an end and leave nothing.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::disk::{Call, Disk};
use coffer_account::keeper::{
    ChildEnd, Job, Keeper, LoginPlace, Need, Outcome, Refresher, RefresherError, Sealed, Vault,
};
use coffer_account::secret::Secret;
use coffer_ledger::Ledger;
use coffer_plan::sign_in::shape::fingerprint;
use rustix::process::{Signal, getpid, kill_process};

const NOW: i64 = 1_800_000_000_000;
/// Where the victim works, and at which call it ends.
const VICTIM: &str = "COFFER_TEST_VICTIM";
const TEST: &str = "killed_for_real_before_any_call_nothing_is_lost";

/// A folder with an account, a server's book and a vault, all in files: they outlive the victim.
struct World {
    root: Utf8PathBuf,
    place: LoginPlace,
}

impl World {
    fn at(root: &Utf8Path) -> Self {
        let place = LoginPlace {
            account: "dev".parse().unwrap(),
            own: root.join("account"),
            lock: root.join("account/lock"),
            folder: root.join("login/store"),
            file: ".credentials.json".to_owned(),
            client_locks: [".oauth_refresh.lock", "${folder}.lock"].map(str::to_owned).to_vec(),
            scopes: vec!["user:inference".to_owned()],
        };
        Self { root: root.to_owned(), place }
    }

    fn make(root: &Utf8Path) -> Self {
        let world = Self::at(root);
        for folder in [&world.place.own, &world.place.folder, &root.join("vault")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(world.file(), login("sk-ant-ort01-FAKE-0", NOW + 600_000)).unwrap();
        std::fs::write(root.join("server"), "sk-ant-ort01-FAKE-0").unwrap();
        std::fs::write(root.join("asked"), "").unwrap();
        world
    }

    fn file(&self) -> Utf8PathBuf {
        self.place.folder.join(&self.place.file)
    }

    fn asked(&self) -> u64 {
        std::fs::metadata(self.root.join("asked")).unwrap().len()
    }

    fn keep(&self, disk: Disk<'_>, need: Need) -> Outcome {
        let keeper = Keeper {
            place: &self.place,
            vault: self,
            ledger: &Ledger::new(&self.root.join("ledger")),
            refresher: self,
            now_ms: &|| NOW,
            disk,
        };
        keeper.keep(need).unwrap()
    }

    /// Starts this test as the victim.
    fn keep_and_die(&self, at: usize) -> ExitStatus {
        let mut victim = Command::new(std::env::current_exe().unwrap());
        victim.args(["--exact", TEST, "--nocapture", "--test-threads=1"]);
        victim.env(VICTIM, format!("{at} {}", self.root)).output().unwrap().status
    }

    #[track_caller]
    fn is_signed_in(&self, at: usize) {
        let text = std::fs::read(self.file()).unwrap();
        let live = std::fs::read_to_string(self.root.join("server")).unwrap();
        assert_eq!(refresh_token(&text).as_deref(), Some(live.as_str()), "before call {at}");
    }

    /// Nothing is left but the login and what the keepers remember.
    #[track_caller]
    fn is_tidy(&self, at: usize) {
        for (folder, known) in [
            (&self.place.own, &["keeper.json", "lock"][..]),
            (&self.place.folder, &[".credentials.json"]),
            (&self.root.join("login"), &["store"]),
        ] {
            let mut names: Vec<String> =
                folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
            names.sort();
            assert_eq!(names, known, "before call {at}");
        }
    }
}

impl Vault for World {
    fn seal(&self, login: &[u8], _: Sealed, _: i64) -> Result<(), String> {
        let name = fingerprint(&refresh_token(login).unwrap_or_default());
        std::fs::write(self.root.join("vault").join(name), login).map_err(|error| error.to_string())
    }

    fn newest(&self, fingerprint: &str) -> Result<Option<Secret>, String> {
        Ok(std::fs::read(self.root.join("vault").join(fingerprint)).ok().map(Secret::new))
    }

    fn has_successor(&self, _: &str) -> bool {
        false
    }
}

impl Refresher for World {
    fn refresh(&self, job: &Job<'_>) -> Result<ChildEnd, RefresherError> {
        (job.started)(getpid().as_raw_pid());
        let token = refresh_token(&std::fs::read(self.file()).unwrap()).unwrap();
        let count = self.asked() + 1;
        std::fs::write(self.root.join("asked"), "x".repeat(usize::try_from(count).unwrap())).unwrap();
        let live = std::fs::read_to_string(self.root.join("server")).unwrap();
        assert_eq!(token, live, "a dead token was spent");
        let new = format!("sk-ant-ort01-FAKE-{count}");
        std::fs::write(self.root.join("server"), &new).unwrap();
        let beside = job.folder.join(".credentials.json.tmp");
        std::fs::write(&beside, login(&new, NOW + 28_800_000)).unwrap();
        std::fs::rename(&beside, self.file()).unwrap();
        Ok(ChildEnd::Exited(0))
    }
}

fn login(refresh: &str, end: i64) -> String {
    let access = refresh.replace("ort01", "oat01");
    format!(
        r#"{{"claudeAiOauth":{{"accessToken":"{access}","refreshToken":"{refresh}","expiresAt":{end},"scopes":["user:inference"]}},"more":[1.0]}}"#
    )
}

fn refresh_token(login: &[u8]) -> Option<String> {
    let file: serde_json::Value = serde_json::from_slice(login).ok()?;
    Some(file["claudeAiOauth"]["refreshToken"].as_str()?.to_owned())
}

#[test]
fn killed_for_real_before_any_call_nothing_is_lost() {
    if let Ok(victim) = std::env::var(VICTIM) {
        return be_killed(&victim);
    }
    let mut calls = 0;
    loop {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let world = World::make(Utf8Path::from_path(folder.path()).unwrap());
        let status = world.keep_and_die(calls);
        world.is_signed_in(calls);
        if status.success() {
            // There are no more calls: it came to its end.
            assert_eq!(world.asked(), 1);
            world.is_tidy(calls);
            break;
        }
        assert_eq!(status.signal(), Some(9), "{status}");
        let asked = world.asked();
        let next = world.keep(Disk::real(), Need::Newer);
        assert!(matches!(next, Outcome::Refreshed | Outcome::Adopted | Outcome::Fresh), "{calls}: {next:?}");
        assert!(world.asked() <= asked + 1, "{calls}");
        world.is_signed_in(calls);
        world.is_tidy(calls);
        calls += 1;
    }
    assert!(calls > 20, "{calls}");
}

/// The victim's part.
fn be_killed(victim: &str) {
    let (at, root) = victim.split_once(' ').unwrap();
    let at: usize = at.parse().unwrap();
    let count = AtomicUsize::new(0);
    let hook = |_: Call| -> io::Result<()> {
        if count.fetch_add(1, Ordering::SeqCst) == at {
            kill_process(getpid(), Signal::KILL)?;
        }
        Ok(())
    };
    let outcome = World::at(Utf8Path::new(root)).keep(Disk::with_hook(&hook), Need::EndsNotWithin(1_200_000));
    assert_eq!(outcome, Outcome::Refreshed);
}
