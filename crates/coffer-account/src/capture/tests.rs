use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::atomic::{AtomicUsize, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::agent::CredentialKind;

use super::*;
use crate::disk::Call;
use crate::record::{RECORD_SCHEMA, Refused, RefusedBecause};

const NOW_MS: i64 = 1_795_000_000_000;
const FILE: &str = ".credentials.json";

/// An account that may have a login and a state, and a captured state beside it.
struct World {
    _home: tempfile::TempDir,
    folder: AccountFolder,
    captured: Utf8PathBuf,
    sealed: RefCell<Vec<Vec<u8>>>,
}

fn login(word: &str) -> String {
    format!(
        r#"{{"claudeAiOauth":{{"accessToken":"sk-ant-oat01-FAKE-{word}","refreshToken":"sk-ant-ort01-FAKE-{word}",
        "expiresAt":{},"scopes":["user:inference"],"subscriptionType":"max","odd":1}},"mcpOAuth":{{"x":"FAKE-mcp"}},"new":[2]}}"#,
        NOW_MS + 3_600_000
    )
}

fn rules() -> Rules {
    Rules {
        login_file: FILE.to_owned(),
        json_files: [".claude.json", "settings.json"].map(str::to_owned).to_vec(),
        address_file: Some(".claude.json".to_owned()),
        scopes: vec!["user:inference".to_owned()],
        client_locks: vec![".oauth_refresh.lock".to_owned(), "${folder}.lock".to_owned()],
        leave_out: vec!["debug-log".to_owned()],
    }
}

fn record() -> AccountRecord {
    let refused = Refused { fingerprint: "sha256:0".into(), because: RefusedBecause::Revoked, at_ms: 1 };
    AccountRecord {
        schema: RECORD_SCHEMA,
        name: "work".parse().unwrap(),
        agent: "claude".into(),
        kind: CredentialKind::Subscription,
        created_at_ms: 7,
        base_url: None,
        model: Some("haiku".into()),
        timeout_ms: None,
        helper: None,
        marker: None,
        refused: Some(refused),
    }
}

impl World {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(home.path()).unwrap();
        let folder = AccountFolder::new(root, &"work".parse().unwrap());
        let captured = root.join("captured");
        fs::create_dir_all(&captured).unwrap();
        let world = Self { _home: home, folder, captured, sealed: RefCell::default() };
        world.put(FILE, &login("new"));
        world.put(".claude.json", r#"{"oauthAccount":{"emailAddress":"new@example.test"},"odd":{"x":1}}"#);
        world.put("settings.json", "{}");
        world.put("projects/-work/one.jsonl", "{}\n");
        world.put("todos/a/b.json", "[]");
        world
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.captured.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The account has a login and a state already.
    fn signed_in(self) -> Self {
        fs::create_dir_all(self.folder.login()).unwrap();
        fs::create_dir_all(self.folder.state()).unwrap();
        fs::write(self.folder.login().join(FILE), login("old")).unwrap();
        fs::write(self.folder.state().join("mark"), "old").unwrap();
        fs::write(self.folder.record(), serde_json::to_vec(&record()).unwrap()).unwrap();
        self
    }

    fn lock(&self) -> AccountLock {
        AccountLock::take(&self.folder.lock(), Duration::from_secs(5)).unwrap()
    }

    fn adopts_with(&self, disk: Disk<'_>, rules: &Rules) -> Result<Adopted, CaptureError> {
        let lock = self.lock();
        let state = File::open(&self.captured).unwrap();
        let keep_former = |bytes: &[u8]| {
            self.sealed.borrow_mut().push(bytes.to_vec());
            Ok(())
        };
        let adoption = Adoption {
            folder: &self.folder,
            record: &record(),
            rules,
            keep_former: &keep_former,
            now_ms: &|| NOW_MS,
            disk,
        };
        adoption.adopt(&lock, &Captured { state: Some(state.as_fd()), ..Captured::default() })
    }

    fn adopts(&self) -> Result<Adopted, CaptureError> {
        self.adopts_with(Disk::real(), &rules())
    }

    fn present(&self) -> Option<String> {
        fs::read_to_string(self.folder.login().join(FILE)).ok()
    }

    fn record(&self) -> AccountRecord {
        serde_json::from_slice(&fs::read(self.folder.record()).unwrap()).unwrap()
    }

    /// Everything is as before, and nothing of the attempt is left.
    #[track_caller]
    fn is_old(&self) {
        assert_eq!(self.present(), Some(login("old")));
        assert_eq!(fs::read_to_string(self.folder.state().join("mark")).unwrap(), "old");
        assert!(!self.folder.state().join("projects").exists());
        assert_eq!(self.record().refused, record().refused);
        assert!(!self.folder.root().join("adoption").exists());
    }

    /// All of it is new.
    #[track_caller]
    fn is_new(&self) {
        assert_eq!(self.present(), Some(login("new")));
        assert_eq!(fs::read_to_string(self.folder.state().join("projects/-work/one.jsonl")).unwrap(), "{}\n");
        assert!(!self.folder.state().join("mark").exists());
        assert_eq!((self.record().refused, self.record().model), (None, Some("haiku".into())));
        assert!(!self.folder.root().join("adoption").exists());
    }
}

/// Every path below, with its permission bits.
fn modes(folder: &Utf8Path) -> Vec<(Utf8PathBuf, u32)> {
    let mut out = Vec::new();
    for entry in folder.read_dir_utf8().unwrap().map(Result::unwrap) {
        let found = fs::symlink_metadata(entry.path()).unwrap();
        out.push((entry.path().to_owned(), found.mode() & 0o7777));
        if found.is_dir() {
            out.extend(modes(entry.path()));
        }
    }
    out
}

#[test]
fn a_whole_state_is_adopted_private_verified_and_without_locks_and_half_written_files() {
    let world = World::new().signed_in();
    for left in ["a.lock", ".credentials.json.tmp.1.2", ".oauth_refresh.lock.owner", "debug-log"] {
        world.put(left, "left out");
    }
    fs::create_dir(world.captured.join(".oauth_refresh.lock")).unwrap();
    fs::set_permissions(world.captured.join("todos"), PermissionsExt::from_mode(0o777)).unwrap();
    let adopted = world.adopts().unwrap();
    world.is_new();
    assert_eq!(adopted.email.as_deref(), Some("new@example.test"));
    assert_eq!(
        adopted.former,
        coffer_plan::sign_in::shape::read(login("old").as_bytes()).details().unwrap().fingerprint
    );
    assert_eq!(*world.sealed.borrow(), [login("old").into_bytes()]);
    assert_eq!((adopted.state.files, adopted.skipped.is_empty()), (4, true));
    let mut names: Vec<_> = modes(&world.folder.state()).into_iter().map(|(path, _)| path).collect();
    names.sort();
    let names: Vec<_> =
        names.iter().map(|path| path.strip_prefix(world.folder.state()).unwrap().as_str()).collect();
    let expected = [
        ".claude.json",
        "projects",
        "projects/-work",
        "projects/-work/one.jsonl",
        "settings.json",
        "todos",
        "todos/a",
        "todos/a/b.json",
    ];
    assert_eq!(names, expected, "neither login nor locks are in a state");
    for (path, mode) in modes(world.folder.root()) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        // What stood there before the test's own writing is not ours to judge.
        if path != world.folder.record() {
            assert_eq!(mode, expected, "{path}");
        }
    }
    let marker = world.record().marker.unwrap();
    let text = fs::read_to_string(world.folder.login_parent().join(".coffer-marker")).unwrap();
    assert_eq!((marker.path, marker.id), (world.folder.login(), text));
    // The same once more: the folder keeps its mark, and nothing is sealed that is the same.
    let again = world.adopts().unwrap();
    assert_eq!(again.former, again.details.fingerprint);
    assert_eq!(world.sealed.borrow().len(), 1);
    world.is_new();
}

#[test]
fn a_new_account_has_no_former_login_and_a_login_alone_leaves_the_state() {
    let world = World::new();
    let lock = world.lock();
    let seals = |_: &[u8]| Err("there is nothing to be sealed".to_owned());
    let adoption = Adoption {
        folder: &world.folder,
        record: &record(),
        rules: &rules(),
        keep_former: &seals,
        now_ms: &|| NOW_MS,
        disk: Disk::real(),
    };
    let bytes = login("alone");
    let captured = Captured { login: Some(bytes.as_bytes()), ..Captured::default() };
    let adopted = adoption.adopt(&lock, &captured).unwrap();
    assert_eq!((adopted.former, adopted.email, world.present()), (None, None, Some(login("alone"))));
    assert!(!world.folder.state().exists());
    drop(lock);
    let world = World::new().signed_in();
    let (lock, keep) = (world.lock(), |_: &[u8]| Ok(()));
    let adoption = Adoption { folder: &world.folder, keep_former: &keep, ..adoption };
    adoption.adopt(&lock, &captured).unwrap();
    assert_eq!(world.present(), Some(login("alone")));
    assert_eq!(fs::read_to_string(world.folder.state().join("mark")).unwrap(), "old");
}

#[test]
fn files_beside_the_state_join_it_unless_it_has_its_own() {
    for (own, expected) in [(true, "new@example.test"), (false, "beside@example.test")] {
        let world = World::new();
        if !own {
            fs::remove_file(world.captured.join(".claude.json")).unwrap();
        }
        let (lock, state) = (world.lock(), File::open(&world.captured).unwrap());
        let beside = r#"{"oauthAccount":{"emailAddress":"beside@example.test"}}"#;
        let adoption = Adoption {
            folder: &world.folder,
            record: &record(),
            rules: &rules(),
            keep_former: &|_| Ok(()),
            now_ms: &|| NOW_MS,
            disk: Disk::real(),
        };
        let beside: &[(&str, &[u8])] = &[(".claude.json", beside.as_bytes())];
        let captured = Captured { state: Some(state.as_fd()), beside, ..Captured::default() };
        assert_eq!(adoption.adopt(&lock, &captured).unwrap().email.as_deref(), Some(expected));
    }
}

#[test]
fn what_is_no_login_that_could_be_kept_changes_nothing() {
    let scopeless = login("x").replace("user:inference", "user:profile");
    let wiped = login("x").replace("sk-ant-oat01-FAKE-x", "").replace("sk-ant-ort01-FAKE-x", "");
    let lease = login("x").replace("refreshToken", "noToken");
    let huge = format!("{}{}", login("x"), " ".repeat(10 * 1024 * 1024));
    let cases: [(&str, &str, &str); 8] = [
        ("", "of no use", "empty"),
        ("{\"a\"", "of no use", "JSON"),
        ("{\"mcpOAuth\":{}}", "no login", "none"),
        (&scopeless, "of no use", "user:inference"),
        (&wiped, "of no use", "wiped"),
        (&lease, "no refresh token", ""),
        (&huge, "no login", "larger"),
        ("[]", "of no use", "JSON"),
    ];
    for (content, words, found) in cases {
        let world = World::new().signed_in();
        world.put(FILE, content);
        let error = world.adopts().unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(found), "{error}");
        assert!(!error.contains("FAKE"), "{error}");
        world.is_old();
        assert!(world.sealed.borrow().is_empty());
    }
    let world = World::new().signed_in();
    world.put("settings.json", "{ // broken");
    assert!(
        matches!(world.adopts().unwrap_err(), CaptureError::StateBroken { file, .. } if file == "settings.json")
    );
    world.is_old();
}

#[test]
fn a_login_that_is_a_link_or_a_pipe_is_not_followed() {
    let world = World::new().signed_in();
    let elsewhere = world.captured.parent().unwrap().join("elsewhere.json");
    fs::write(&elsewhere, login("elsewhere")).unwrap();
    fs::remove_file(world.captured.join(FILE)).unwrap();
    symlink(&elsewhere, world.captured.join(FILE)).unwrap();
    assert!(fs::read_to_string(world.captured.join(FILE)).unwrap().contains("elsewhere"), "the control");
    assert!(world.adopts().unwrap_err().is_no_login());
    fs::remove_file(world.captured.join(FILE)).unwrap();
    let pipe = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        world.captured.join(FILE).as_std_path(),
        pipe,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert!(world.adopts().unwrap_err().is_no_login());
    world.is_old();
}

#[test]
fn links_in_the_state_are_left_behind_and_listed() {
    let world = World::new();
    symlink("/etc/passwd", world.captured.join("todos/passwd")).unwrap();
    let adopted = world.adopts().unwrap();
    assert_eq!(adopted.skipped.listed[0].path, "todos/passwd");
    assert!(world.folder.state().join("todos/passwd").symlink_metadata().is_err());
}

#[test]
fn a_login_folder_that_became_a_link_leads_nowhere() {
    // Runs that share the login can write in its parent.
    let world = World::new().signed_in();
    let outside = world.captured.parent().unwrap().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::remove_dir_all(world.folder.login()).unwrap();
    symlink(&outside, world.folder.login()).unwrap();
    world.adopts().unwrap_err();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn where_the_former_login_cannot_be_sealed_nothing_changes() {
    let world = World::new().signed_in();
    let (lock, state) = (world.lock(), File::open(&world.captured).unwrap());
    let adoption = Adoption {
        folder: &world.folder,
        record: &record(),
        rules: &rules(),
        keep_former: &|_| Err("the disc is full".to_owned()),
        now_ms: &|| NOW_MS,
        disk: Disk::real(),
    };
    let error = adoption.adopt(&lock, &Captured { state: Some(state.as_fd()), ..Captured::default() });
    assert!(matches!(error.unwrap_err(), CaptureError::Seal { .. }));
    world.is_old();
}

#[test]
fn a_client_that_refreshes_is_not_run_over() {
    let world = World::new().signed_in();
    fs::create_dir(world.folder.login().join(".oauth_refresh.lock")).unwrap();
    // The clock of the test is far behind the lock's birth, so no age ends it within the wait; the client ends it.
    let lock_path = world.folder.login().join(".oauth_refresh.lock");
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            let _ = receiver.recv_timeout(Duration::from_millis(300));
            assert!(
                fs::read_to_string(world_login(&lock_path)).unwrap().contains("old"),
                "it waits for the client"
            );
            fs::remove_dir(&lock_path).unwrap();
        });
        world.adopts().unwrap();
        drop(sender);
    });
    world.is_new();
}

#[test]
fn what_a_client_refreshed_while_it_was_waited_for_is_what_is_sealed() {
    let world = World::new().signed_in();
    let lock_path = world.folder.login().join(".oauth_refresh.lock");
    fs::create_dir(&lock_path).unwrap();
    let held = world.folder.root().join("adoption/held");
    let login_path = world_login(&lock_path);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Written down right before the client's locks are waited for.
            while !held.exists() {
                std::thread::yield_now();
            }
            fs::write(&login_path, login("refreshed")).unwrap();
            fs::remove_dir(&lock_path).unwrap();
        });
        world.adopts().unwrap();
    });
    world.is_new();
    assert_eq!(*world.sealed.borrow(), [login("refreshed").into_bytes()]);
}

fn world_login(lock: &Utf8Path) -> Utf8PathBuf {
    lock.with_file_name(FILE)
}

/// Adopts with a disc of which the call `at` fails, and every one after it if the process is to be dead then.
fn with_failure(
    at: usize,
    for_good: bool,
    kind: io::ErrorKind,
) -> (World, Result<Adopted, CaptureError>, usize) {
    let world = World::new().signed_in();
    let calls = AtomicUsize::new(0);
    let hook = |_: Call| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        if call == at || (for_good && call > at) { Err(io::Error::from(kind)) } else { Ok(()) }
    };
    let done = world.adopts_with(Disk::with_hook(&hook), &rules());
    (world, done, calls.into_inner())
}

#[test]
fn at_each_step_that_fails_all_is_old_or_all_will_be_new() {
    let (world, whole, all) = with_failure(usize::MAX, false, io::ErrorKind::Other);
    whole.unwrap();
    world.is_new();
    assert!(all > 30, "{all}");
    let (old, new) = (Cell::new(0), Cell::new(0));
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::Other] {
        let stride = if kind == io::ErrorKind::StorageFull { 1 } else { 7 };
        for at in (0..all).step_by(stride) {
            let (world, done, _) = with_failure(at, false, kind);
            match done {
                // A step whose failure does no harm: giving back a client's lock, taking out what is left.
                Ok(_) => {}
                Err(CaptureError::Unfinished { .. }) => new.set(new.get() + 1),
                Err(_) => {
                    old.set(old.get() + 1);
                    world.is_old();
                    continue;
                }
            }
            recover(Disk::real(), &world.lock(), &world.folder, FILE).unwrap();
            world.is_new();
        }
    }
    assert!(old.get() > 30 && new.get() > 3, "{old:?} {new:?}");
}

#[test]
fn a_crash_at_any_step_leaves_all_old_or_all_new_for_the_next_one() {
    let all = with_failure(usize::MAX, false, io::ErrorKind::Other).2;
    let (mut old, mut new) = (0, 0);
    for at in 0..all {
        let (world, done, _) = with_failure(at, true, io::ErrorKind::Other);
        // Whoever reads without a lock sees a whole login at any time.
        assert!(world.present().is_some_and(|text| text == login("old") || text == login("new")), "{at}");
        recover(Disk::real(), &world.lock(), &world.folder, FILE).unwrap();
        match world.present() == Some(login("new")) {
            true => {
                new += 1;
                world.is_new();
            }
            false => {
                old += 1;
                assert!(done.is_err());
                world.is_old();
            }
        }
        let locks = [
            world.folder.login().join(".oauth_refresh.lock"),
            world.folder.login_parent().join("store.lock"),
        ];
        assert!(locks.iter().all(|lock| !lock.exists()), "no lock is left that stops a client: {at}");
        if at % 9 == 0 {
            world.adopts().unwrap();
            world.is_new();
        }
    }
    assert!(old > 20 && new > 5, "{old} {new}");
}
