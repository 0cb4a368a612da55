//! A login waits in private, and once.

use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::keep;
use crate::layout::{AccountFolder, AccountName};
use crate::publish::tests::login;
use crate::secret::Secret;

fn mode(path: &Utf8Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_login_waits_in_a_folder_as_private_as_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let data = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let account = AccountFolder::new(&data, &AccountName::host());
    let inside = Secret::new(login("inside", 1000).into_bytes());
    let path = keep(&account, &inside, "sha256:0123456789ab").unwrap();
    assert_eq!(path, account.pending().join("0123456789ab.json"));
    assert_eq!(std::fs::read(&path).unwrap(), inside.expose());
    assert_eq!((mode(&path), mode(&account.pending()), mode(account.root())), (0o600, 0o700, 0o700));
    // Noticed by two runs that share a state.
    assert_eq!(keep(&account, &inside, "sha256:0123456789ab").unwrap(), path);
    assert_eq!(account.pending().read_dir_utf8().unwrap().count(), 1);
}

#[test]
fn what_cannot_be_kept_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let data = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let account = AccountFolder::new(&data, &AccountName::host());
    std::fs::create_dir_all(account.pending().join("0123456789ab.json")).unwrap();
    let inside = Secret::new(login("inside", 1000).into_bytes());
    keep(&account, &inside, "sha256:0123456789ab").unwrap_err();
    assert_eq!(account.pending().read_dir_utf8().unwrap().count(), 1);
}
