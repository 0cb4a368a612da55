use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::agent::CredentialKind;
use tempfile::TempDir;

use super::{Accounts, AccountsError, MARKER, Removal};
use crate::copies::Copies;
use crate::layout::{AccountName, accounts};
use crate::record::{AccountRecord, RECORD_SCHEMA};
use crate::seal::Opener;
use crate::secret::Secret;

const KEY: &str = "sk-ant-api03-FAKE-canary-of-accounts";

fn world() -> (TempDir, Utf8PathBuf, Accounts) {
    let keep = tempfile::tempdir().unwrap();
    let data = Utf8PathBuf::from_path_buf(keep.path().join("data")).unwrap();
    let accounts = Accounts::of(&data);
    (keep, data, accounts)
}

fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

fn record(text: &str, kind: CredentialKind) -> AccountRecord {
    AccountRecord {
        schema: RECORD_SCHEMA,
        name: name(text),
        agent: "claude".to_owned(),
        kind,
        created_at_ms: 1,
        base_url: None,
        model: None,
        timeout_ms: None,
        helper: None,
        marker: None,
        refused: None,
    }
}

fn removal(purge: bool) -> Removal<'static> {
    Removal { purge, login_file: ".credentials.json", runs: &[], now_ms: 5 }
}

fn files_with(root: &Utf8Path, needle: &str) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    for entry in root.read_dir_utf8().unwrap().map(Result::unwrap) {
        let path = entry.path().to_owned();
        let mode = std::fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{path}");
            found.extend(files_with(&path, needle));
        } else {
            assert_eq!(mode, 0o600, "{path}");
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(needle.len()).any(|window| window == needle.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn an_added_account_is_whole_private_and_its_secret_is_in_no_file() {
    let (_keep, data, accounts) = world();
    let secret = Secret::new(KEY.as_bytes().to_vec());
    accounts.add(&record("work", CredentialKind::ApiKey), Some(&secret)).unwrap();
    assert_eq!(accounts.secret(&name("work")).unwrap().expose(), KEY.as_bytes());
    assert!(files_with(&data, KEY).is_empty());
    let folder = accounts.folder(&name("work"));
    let found = accounts.existing(&name("work")).unwrap();
    let marker = found.marker.unwrap();
    assert_eq!(marker.path, folder.login());
    assert_eq!(std::fs::read_to_string(folder.login_parent().join(MARKER)).unwrap(), marker.id);
    assert!(matches!(
        accounts.add(&record("work", CredentialKind::ApiKey), None),
        Err(AccountsError::Exists { .. })
    ));
    assert!(matches!(
        accounts.add(&record("host", CredentialKind::ApiKey), None),
        Err(AccountsError::Host { .. })
    ));
    assert_eq!(accounts.secret(&name("work")).unwrap().expose(), KEY.as_bytes());
}

#[test]
fn what_a_killed_coffer_left_never_shows_and_is_swept() {
    let (_keep, data, accounts) = world();
    accounts.add(&record("work", CredentialKind::Subscription), None).unwrap();
    let half = super::layout::accounts(&data).join(".part-1");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join("account.json"), "{}").unwrap();
    let names: Vec<_> = accounts.list().unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, [name("work")]);
    accounts.add(&record("dev", CredentialKind::Subscription), None).unwrap();
    assert!(!half.exists());
}

#[test]
fn an_account_that_cannot_be_written_leaves_nothing() {
    let (_keep, data, accounts) = world();
    std::fs::create_dir_all(&data).unwrap();
    // Where the seal's folder should be there is a file: the key cannot be sealed.
    std::fs::write(data.join("seal"), "").unwrap();
    let secret = Secret::new(KEY.as_bytes().to_vec());
    assert!(accounts.add(&record("work", CredentialKind::ApiKey), Some(&secret)).is_err());
    assert!(accounts.list().unwrap().is_empty());
    let left: Vec<_> = super::layout::accounts(&data).read_dir_utf8().unwrap().collect();
    assert_eq!(left.len(), 1, "only the lock: {left:?}");
    // The positive control.
    std::fs::remove_file(data.join("seal")).unwrap();
    accounts.add(&record("work", CredentialKind::ApiKey), Some(&secret)).unwrap();
}

#[test]
fn a_renamed_account_keeps_its_login_its_marker_and_its_shared_state() {
    let (_keep, _data, accounts) = world();
    accounts.add(&record("old", CredentialKind::Subscription), None).unwrap();
    std::fs::write(accounts.folder(&name("old")).login().join(".credentials.json"), "login").unwrap();
    std::fs::create_dir_all(accounts.shared_state("claude", &name("old"))).unwrap();
    accounts.add(&record("taken", CredentialKind::Subscription), None).unwrap();
    let refused = accounts.rename(&name("old"), &name("taken"), &[]);
    assert!(matches!(refused, Err(AccountsError::Exists { .. })), "{refused:?}");
    let refused = accounts.rename(&name("old"), &name("new"), &["r1".to_owned()]);
    assert!(refused.unwrap_err().to_string().contains("r1"));
    accounts.rename(&name("old"), &name("new"), &[]).unwrap();
    let found = accounts.existing(&name("new")).unwrap();
    let login = accounts.folder(&name("new")).login();
    assert_eq!(found.marker.unwrap().path, login);
    assert_eq!(std::fs::read_to_string(login.join(".credentials.json")).unwrap(), "login");
    assert!(accounts.shared_state("claude", &name("new")).is_dir());
    assert!(accounts.record(&name("old")).unwrap().is_none());
}

#[test]
fn a_removed_account_leaves_its_login_sealed_unless_purged() {
    let (_keep, data, accounts) = world();
    let login = format!(r#"{{"claudeAiOauth":{{"accessToken":"{KEY}","refreshToken":"{KEY}"}}}}"#);
    for purge in [false, true] {
        accounts.add(&record("work", CredentialKind::Subscription), None).unwrap();
        let file = accounts.folder(&name("work")).login().join(".credentials.json");
        std::fs::write(&file, &login).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(files_with(&data, KEY), [file]);
        let kept = accounts.remove(&name("work"), &removal(purge)).unwrap();
        assert_eq!(kept.is_some(), !purge);
        assert!(files_with(&data, KEY).is_empty());
        assert!(accounts.list().unwrap().is_empty());
        if let Some(kept) = kept {
            let copies = Copies::at(kept.join("sealed"));
            let copy = copies.list().unwrap().pop().unwrap();
            let opened = copies.open(&Opener::of(&data).unwrap(), &copy).unwrap();
            assert_eq!(opened.expose(), login.as_bytes());
        }
    }
    assert!(matches!(accounts.remove(&name("work"), &removal(true)), Err(AccountsError::Unknown { .. })));
}

#[test]
fn a_record_of_a_newer_coffer_is_left_as_it_is() {
    let (_keep, _data, all) = world();
    all.add(&record("work", CredentialKind::Subscription), None).unwrap();
    let path = all.folder(&name("work")).record();
    let text = std::fs::read_to_string(&path).unwrap();
    for newer in [text.replace("\"schema\": 1", "\"schema\": 2"), text.replacen('{', "{\"later\": 1,", 1)] {
        assert_ne!(newer, text);
        std::fs::write(&path, &newer).unwrap();
        let lock = all.lock(&name("work")).unwrap();
        let refused = all.update(&lock, &record("work", CredentialKind::Subscription));
        assert!(matches!(refused, Err(AccountsError::Newer { .. })), "{refused:?}");
        assert!(all.rename(&name("work"), &name("new"), &[]).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), newer);
    }
    assert!(accounts(&all.data).join("work").is_dir());
}

#[test]
fn a_removal_that_is_cut_off_loses_nothing_that_was_to_be_kept() {
    let (_keep, data, accounts) = world();
    let login = format!(r#"{{"claudeAiOauth":{{"accessToken":"{KEY}","refreshToken":"{KEY}"}}}}"#);
    accounts.add(&record("work", CredentialKind::Subscription), None).unwrap();
    let put = |folder: &Utf8Path| {
        let file = folder.join("login/store/.credentials.json");
        std::fs::write(&file, &login).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    };
    put(accounts.folder(&name("work")).root());
    // What is to be kept has no place: nothing is removed, and the next change of accounts sweeps nothing of it.
    std::fs::write(data.join("removed"), "").unwrap();
    accounts.remove(&name("work"), &removal(false)).unwrap_err();
    accounts.add(&record("dev", CredentialKind::Subscription), None).unwrap();
    std::fs::remove_file(data.join("removed")).unwrap();
    assert_eq!(files_with(&data, KEY).len(), 1);
    // Cut off right after the one step: the sealed copies stay, and the plain login goes with the next change.
    let kept = accounts.remove(&name("work"), &removal(false)).unwrap().unwrap();
    std::fs::create_dir_all(kept.join("login/store")).unwrap();
    put(&kept);
    accounts.add(&record("more", CredentialKind::Subscription), None).unwrap();
    let names: Vec<_> =
        kept.read_dir_utf8().unwrap().map(|one| one.unwrap().file_name().to_owned()).collect();
    assert!(names.iter().all(|name| ["account.json", "sealed"].contains(&name.as_str())), "{names:?}");
    let copies = Copies::at(kept.join("sealed"));
    let copy = copies.list().unwrap().pop().unwrap();
    assert_eq!(copies.open(&Opener::of(&data).unwrap(), &copy).unwrap().expose(), login.as_bytes());
}

#[test]
fn a_sign_in_that_came_to_nothing_is_not_in_the_way_and_one_that_waits_is() {
    let (_keep, _data, accounts) = world();
    let folder = accounts.folder(&name("work"));
    let lock = crate::lock::AccountLock::try_take(&folder.lock()).unwrap();
    let add = || accounts.add(&record("work", CredentialKind::Subscription), None);
    assert!(matches!(add(), Err(AccountsError::InTheWay { .. })), "somebody is at work there");
    drop(lock);
    std::fs::create_dir(folder.pending()).unwrap();
    assert!(matches!(add(), Err(AccountsError::InTheWay { .. })), "a login may wait there");
    std::fs::remove_dir(folder.pending()).unwrap();
    add().unwrap();
    assert!(accounts.record(&name("work")).unwrap().is_some());
}

#[test]
fn a_login_goes_with_its_account_whatever_an_agent_has_put_beside_it() {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    use rustix::process::{Resource, getrlimit, setrlimit};
    let (_keep, data, accounts) = world();
    let folder = accounts.folder(&name("work"));
    let outside = data.join("outside");
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(128);
    setrlimit(Resource::Nofile, limit).unwrap();
    for purge in [false, true] {
        accounts.add(&record("work", CredentialKind::Subscription), None).unwrap();
        crate::private::folder(&outside).unwrap();
        crate::private::write(&outside, "kept", b"x").unwrap();
        let text = format!(r#"{{"claudeAiOauth":{{"accessToken":"{KEY}","refreshToken":"{KEY}"}}}}"#);
        crate::private::write(&folder.login(), ".credentials.json", text.as_bytes()).unwrap();
        // Deeper than descriptors reach.
        let mut at: std::os::fd::OwnedFd = std::fs::File::open(folder.login()).unwrap().into();
        for _ in 0..200 {
            mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = openat(&at, "d", OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap();
        }
        drop(at);
        std::os::unix::fs::symlink(&outside, folder.pending()).unwrap();
        assert!(accounts.remove(&name("work"), &removal(purge)).is_err(), "the attack works");
        let mut logins = Vec::new();
        let mut folders = vec![data.clone()];
        while let Some(folder) = folders.pop().filter(|folder| folder.as_str().len() < 3000) {
            for entry in folder.read_dir_utf8().unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => folders.push(entry.path().to_owned()),
                    kind if kind.is_file()
                        && std::fs::read_to_string(entry.path()).is_ok_and(|text| text.contains(KEY)) =>
                    {
                        logins.push(entry.path().to_owned());
                    }
                    _ => {}
                }
            }
        }
        assert!(logins.is_empty(), "{logins:?}");
        assert!(outside.join("kept").exists(), "no link is followed");
    }
}
