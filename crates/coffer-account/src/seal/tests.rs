use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use camino::Utf8PathBuf;
use coffer_testkit::require;
use tempfile::TempDir;

use super::keyring::{Keyring, KeyringError, SecretService};
use super::{Opener, Place, Seal, SealError, folder, key_file, recorded};
use crate::secret::Secret;

const CANARY: &str = "sk-ant-ort01-FAKE-canary-of-the-seal";

/// A keyring that can be locked and emptied.
#[derive(Default)]
struct Fake {
    held: Mutex<HashMap<String, String>>,
    locked: Mutex<bool>,
}

impl Keyring for Fake {
    fn put(&self, name: &str, secret: &str) -> Result<(), KeyringError> {
        if *self.locked.lock().unwrap() {
            return Err(KeyringError::Locked);
        }
        self.held.lock().unwrap().insert(name.to_owned(), secret.to_owned());
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Option<Secret>, KeyringError> {
        if *self.locked.lock().unwrap() {
            return Err(KeyringError::Locked);
        }
        let held = self.held.lock().unwrap();
        Ok(held.get(name).map(|text| Secret::new(text.clone().into_bytes())))
    }
}

fn data() -> (TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().join("data")).unwrap();
    (folder, path)
}

#[test]
fn without_a_keyring_the_identity_is_a_private_key_file_that_opens_what_was_sealed() {
    let (_keep, data) = data();
    let seal = Seal::open_or_make_with(&data, None).unwrap();
    let sealed = seal.seal(CANARY.as_bytes()).unwrap();
    assert!(!sealed.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
    assert_eq!(recorded(&data).unwrap().unwrap().place, Place::KeyFile);
    for path in [key_file(&data), folder(&data).join("recipient"), folder(&data).join("place.json")] {
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600, "{path}");
    }
    assert_eq!(std::fs::metadata(folder(&data)).unwrap().permissions().mode() & 0o7777, 0o700);
    let opened = Opener::of_with(&data, None).unwrap().open(&sealed).unwrap();
    assert_eq!(opened.expose(), CANARY.as_bytes());
}

#[test]
fn a_keyring_that_answers_holds_the_identity_and_no_file_does() {
    let (_keep, data) = data();
    let keyring = Fake::default();
    let seal = Seal::open_or_make_with(&data, Some(&keyring)).unwrap();
    assert_eq!(recorded(&data).unwrap().unwrap().place, Place::Keyring);
    assert!(!key_file(&data).exists());
    let sealed = seal.seal(b"x").unwrap();
    assert_eq!(Opener::of_with(&data, Some(&keyring)).unwrap().open(&sealed).unwrap().expose(), b"x");
}

#[test]
fn a_keyring_that_stops_answering_is_an_error_and_never_another_place() {
    let (_keep, data) = data();
    let keyring = Fake::default();
    Seal::open_or_make_with(&data, Some(&keyring)).unwrap();
    *keyring.locked.lock().unwrap() = true;
    // Sealing goes on: it needs the public half alone.
    let again = Seal::open_or_make_with(&data, Some(&keyring)).unwrap();
    again.seal(b"x").unwrap();
    Seal::open_or_make_with(&data, None).unwrap().seal(b"x").unwrap();
    for keyring in [Some(&keyring as &dyn Keyring), None] {
        let error = Opener::of_with(&data, keyring).unwrap_err();
        assert!(matches!(error, SealError::KeyringSilent { .. }), "{error}");
        assert!(error.hint().unwrap().contains("unlock"));
    }
    *keyring.locked.lock().unwrap() = false;
    Opener::of_with(&data, Some(&keyring)).unwrap();
    keyring.held.lock().unwrap().clear();
    assert!(matches!(Opener::of_with(&data, Some(&keyring)), Err(SealError::NotInKeyring)));
    assert!(!key_file(&data).exists());
    assert_eq!(recorded(&data).unwrap().unwrap().place, Place::Keyring);
}

#[test]
fn a_locked_keyring_at_the_first_need_leaves_the_key_file_for_good() {
    let (_keep, data) = data();
    let keyring = Fake::default();
    *keyring.locked.lock().unwrap() = true;
    let seal = Seal::open_or_make_with(&data, Some(&keyring)).unwrap();
    *keyring.locked.lock().unwrap() = false;
    let again = Seal::open_or_make_with(&data, Some(&keyring)).unwrap();
    assert_eq!(again.recipient(), seal.recipient());
    assert_eq!(recorded(&data).unwrap().unwrap().place, Place::KeyFile);
    assert!(keyring.held.lock().unwrap().is_empty());
}

#[test]
fn a_crash_between_the_files_loses_no_identity() {
    let (_keep, data) = data();
    let seal = Seal::open_or_make_with(&data, None).unwrap();
    for gone in [&["recipient"][..], &["recipient", "place.json"]] {
        for name in gone {
            std::fs::remove_file(folder(&data).join(name)).unwrap();
        }
        let again = Seal::open_or_make_with(&data, None).unwrap();
        assert_eq!(again.recipient(), seal.recipient());
        Opener::of_with(&data, None).unwrap();
    }
}

#[test]
fn an_identity_of_another_folder_and_damaged_files_are_refused() {
    let ((_a, one), (_b, other)) = (data(), data());
    let sealed = Seal::open_or_make_with(&one, None).unwrap().seal(CANARY.as_bytes()).unwrap();
    Seal::open_or_make_with(&other, None).unwrap();
    let opener = Opener::of_with(&other, None).unwrap();
    assert!(matches!(opener.open(&sealed), Err(SealError::NotOurs)));
    let opener = Opener::of_with(&one, None).unwrap();
    let mut cut = sealed.clone();
    cut.pop();
    assert!(matches!(opener.open(&cut), Err(SealError::Damaged)));
    assert!(matches!(opener.open(b"no age"), Err(SealError::NotOurs)));
    std::fs::copy(key_file(&other), key_file(&one)).unwrap();
    assert!(matches!(Opener::of_with(&one, None), Err(SealError::Mismatch { .. })));
    std::fs::write(key_file(&one), "nonsense").unwrap();
    assert!(matches!(Opener::of_with(&one, None), Err(SealError::NoIdentity { .. })));
    std::fs::remove_file(key_file(&one)).unwrap();
    assert!(matches!(Opener::of_with(&one, None), Err(SealError::IdentityMissing { .. })));
    std::fs::write(folder(&one).join("recipient"), "age1nonsense").unwrap();
    assert!(matches!(Seal::open_or_make_with(&one, None), Err(SealError::Broken { .. })));
}

#[test]
fn many_at_once_make_one_identity() {
    let (_keep, data) = data();
    let made: Vec<String> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| Seal::open_or_make_with(&data, None).unwrap().recipient()))
            .collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    assert!(made.iter().all(|recipient| *recipient == made[0]), "{made:?}");
}

/// A session bus, and what runs on it; both end with it.
struct Bus(Vec<Child>);

impl Drop for Bus {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn bus(config: &TempDir) -> Option<(Bus, String)> {
    if require::program("dbus-daemon").is_none() {
        require::skip("dbus-daemon", "there is no `dbus-daemon` here");
        return None;
    }
    let socket = format!("unix:path={}", config.path().join("bus").display());
    let mut daemon = Command::new("dbus-daemon");
    daemon.args(["--session", "--nofork", "--print-address=1", "--address"]).arg(socket);
    let mut child = daemon.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let address = lines.next().unwrap().unwrap();
    Some((Bus(vec![child]), address))
}

#[test]
fn a_bus_without_a_keyring_leaves_the_key_file() {
    let config = tempfile::tempdir().unwrap();
    let Some((_bus, address)) = bus(&config) else { return };
    let (_keep, data) = data();
    let keyring = SecretService::at(address);
    Seal::open_or_make_with(&data, Some(&keyring)).unwrap();
    assert_eq!(recorded(&data).unwrap().unwrap().place, Place::KeyFile);
    // Nor does an address where nobody listens.
    let (_keep, other) = self::data();
    let nobody = SecretService::at("unix:path=/nonexistent/bus".to_owned());
    Seal::open_or_make_with(&other, Some(&nobody)).unwrap();
    assert_eq!(recorded(&other).unwrap().unwrap().place, Place::KeyFile);
}

#[test]
fn a_real_secret_service_holds_the_identity() {
    if require::program("gnome-keyring-daemon").is_none() {
        require::skip("gnome-keyring", "there is no `gnome-keyring-daemon` here");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let Some((mut bus, address)) = bus(&home) else { return };
    let mut daemon = Command::new("gnome-keyring-daemon");
    daemon.args(["--foreground", "--unlock", "--components=secrets"]);
    daemon.env("HOME", home.path()).env("XDG_DATA_HOME", home.path().join("data"));
    daemon.env("XDG_RUNTIME_DIR", home.path()).env("DBUS_SESSION_BUS_ADDRESS", &address);
    let mut child =
        daemon.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // The new keyring's password; the end of the input starts it.
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"made-up").unwrap();
    let mut said = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    bus.0.insert(0, child);
    let (_keep, data) = data();
    let keyring = SecretService::at(address);
    let seal = Seal::open_or_make_with(&data, Some(&keyring)).unwrap();
    assert_eq!(recorded(&data).unwrap().unwrap().place, Place::Keyring, "{line}");
    assert!(!key_file(&data).exists());
    let sealed = seal.seal(CANARY.as_bytes()).unwrap();
    let opener = Opener::of_with(&data, Some(&keyring)).unwrap();
    assert_eq!(opener.open(&sealed).unwrap().expose(), CANARY.as_bytes());
    assert!(keyring.get("age1other").unwrap().is_none());
}
