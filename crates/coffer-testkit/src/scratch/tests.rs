use super::*;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_scratch_command_sees_its_own_folders_and_leaves_nothing() {
    let scratch = Scratch::new().unwrap();
    let output = scratch.command("env").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let root = scratch.root().to_owned();
    for line in text.lines() {
        let (name, value) = line.split_once('=').unwrap();
        let fixed = ["PATH", "LANG", "TERM"].contains(&name);
        assert!(fixed || value.starts_with(root.to_str().unwrap()), "{line}");
    }
    let file = scratch.write_home(".claude/.credentials.json", "{}").unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    drop(scratch);
    assert!(!root.exists());
}

#[test]
fn a_home_that_lies_apart_goes_with_the_rest() {
    let (homes, runtimes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let scratch = Scratch::apart(homes.path(), runtimes.path()).unwrap();
    let (root, home, runtime) = (scratch.root().to_owned(), scratch.home(), scratch.runtime());
    assert!(home.starts_with(homes.path()) && runtime.starts_with(runtimes.path()));
    assert!(scratch.project().starts_with(&home) && scratch.tmp().starts_with(&root));
    assert!(scratch.write_home("letter", "").unwrap().starts_with(&home) && runtime.is_dir());
    drop(scratch);
    assert!(!root.exists() && !home.exists() && !runtime.exists());
}
