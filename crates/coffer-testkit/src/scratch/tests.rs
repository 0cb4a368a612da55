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
