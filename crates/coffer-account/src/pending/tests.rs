//! A login waits sealed, in private, and once.

use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use super::{PendingError, is_one, keep, newest, open};
use crate::layout::{AccountFolder, AccountName};
use crate::publish::tests::login;
use crate::seal::{Opener, Seal, SealError};
use crate::secret::Secret;

const FINGERPRINT: &str = "sha256:0123456789ab";

/// A data folder with a seal in it, whose identity is in its key file.
fn world() -> (TempDir, Utf8PathBuf, Seal) {
    let folder = tempfile::tempdir().unwrap();
    let data = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let seal = Seal::open_or_make_with(&data, None).unwrap();
    (folder, data, seal)
}

fn of_host(data: &Utf8Path) -> AccountFolder {
    AccountFolder::new(data, &AccountName::host())
}

fn inside() -> Secret {
    Secret::new(login("inside", 1000).into_bytes())
}

fn mode(path: &Utf8Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

/// Whether one byte string is in the other.
fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_login_waits_sealed_in_a_folder_as_private_as_its_own_and_comes_back_byte_for_byte() {
    let (_keep, data, seal) = world();
    let account = of_host(&data);
    assert_eq!(newest(&account).unwrap(), None);
    let path = keep(&account, &seal, &inside(), FINGERPRINT).unwrap();
    assert_eq!(path, account.pending().join("0123456789ab.age"));
    assert_eq!((mode(&path), mode(&account.pending()), mode(account.root())), (0o600, 0o700, 0o700));
    let sealed = std::fs::read(&path).unwrap();
    let token = b"FAKE".as_slice();
    assert!(
        holds(inside().expose(), token) && !holds(&sealed, token),
        "what is searched for is in the login"
    );
    let opener = Opener::of_with(&data, None).unwrap();
    assert_eq!(open(&path, &opener).unwrap().expose(), inside().expose());
    // Noticed by two runs that share a state.
    assert_eq!(keep(&account, &seal, &inside(), FINGERPRINT).unwrap(), path);
    assert_eq!(account.pending().read_dir_utf8().unwrap().count(), 1);
    assert_eq!(newest(&account).unwrap(), Some(path));
}

#[test]
fn sealing_asks_for_the_public_half_alone_and_opening_wants_the_other() {
    let (_keep, data, seal) = world();
    std::fs::remove_file(crate::seal::key_file(&data)).unwrap();
    let path = keep(&of_host(&data), &seal, &inside(), FINGERPRINT).unwrap();
    assert!(path.exists());
    assert!(matches!(Opener::of_with(&data, None), Err(SealError::IdentityMissing { .. })));
    // Another machine's identity opens nothing.
    let (_other, elsewhere, _) = world();
    let stranger = Opener::of_with(&elsewhere, None).unwrap();
    assert!(matches!(open(&path, &stranger), Err(PendingError::Seal(SealError::NotOurs))));
}

#[test]
fn what_is_no_plain_file_is_neither_followed_nor_opened() {
    let (_keep, data, seal) = world();
    let account = of_host(&data);
    let opener = Opener::of_with(&data, None).unwrap();
    let good = keep(&account, &seal, &inside(), FINGERPRINT).unwrap();
    let link = account.pending().join("link.age");
    std::os::unix::fs::symlink(&good, &link).unwrap();
    let damaged = account.pending().join("damaged.age");
    let sealed = std::fs::read(&good).unwrap();
    std::fs::write(&damaged, &sealed[..sealed.len() - 1]).unwrap();
    for bad in [&link, &account.pending().join("gone.age")] {
        assert!(matches!(open(bad, &opener), Err(PendingError::Read { .. })), "{bad}");
    }
    assert!(matches!(open(&damaged, &opener), Err(PendingError::Seal(SealError::Damaged))));
    assert!(open(&good, &opener).is_ok());
    assert!(is_one(&good) && !is_one(Utf8Path::new("x/.new.age")) && !is_one(Utf8Path::new("x/plain.json")));
}

#[test]
fn what_cannot_be_kept_leaves_nothing_half_done() {
    let (_keep, data, seal) = world();
    let account = of_host(&data);
    std::fs::create_dir_all(account.pending().join("0123456789ab.age")).unwrap();
    assert!(matches!(
        keep(&account, &seal, &inside(), FINGERPRINT),
        Err(PendingError::Write(_) | PendingError::Folder { .. })
    ));
    assert_eq!(account.pending().read_dir_utf8().unwrap().count(), 1);
}
