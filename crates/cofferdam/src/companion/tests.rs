use std::os::unix::fs::symlink;

use camino::Utf8PathBuf;

use super::read;

#[test]
fn a_link_in_a_named_accounts_login_folder_is_not_followed_and_one_of_the_users_own_is() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let (own, login) = (root.join("own"), root.join("login"));
    let store = login.join("store");
    for made in [&own, &store] {
        std::fs::create_dir_all(made).unwrap();
    }
    let file = store.join(".credentials.json");
    std::fs::write(own.join(".credentials.json"), "sk-ant-oat01-FAKE-of-host").unwrap();
    std::fs::write(&file, "sk-ant-oat01-FAKE-of-work").unwrap();
    let text = |account: &str| read(account, &file).map(|found| found.expose().to_vec());
    assert_eq!(text("work").unwrap(), b"sk-ant-oat01-FAKE-of-work");
    // The file, and then the folder, lead to the user's own login.
    std::fs::remove_file(&file).unwrap();
    symlink(own.join(".credentials.json"), &file).unwrap();
    assert_eq!(text("work"), None);
    assert_eq!(text("host").unwrap(), b"sk-ant-oat01-FAKE-of-host", "the control");
    std::fs::remove_dir_all(&store).unwrap();
    symlink(&own, &store).unwrap();
    assert_eq!(text("work"), None);
    assert_eq!(text("host").unwrap(), b"sk-ant-oat01-FAKE-of-host", "the control");
}
