use super::*;

#[test]
fn a_line_of_mountinfo_reads() {
    let line = r"36 35 98:0 /mnt1/a\040b//deleted /mnt2/x\040y ro,noatime master:1 - ext3 /dev/root rw";
    let expected =
        Mounted { target: "/mnt2/x y".into(), root: "/mnt1/a b//deleted".to_owned(), read_only: true };
    assert_eq!(mounted(line), Some(expected));
    assert_eq!(mounted("36 35 98:0 /"), None);
    assert!(mounts().iter().any(|mount| mount.target == "/proc"));
}

#[test]
fn a_link_is_looked_at_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    std::os::unix::fs::symlink("/nowhere", path.join("link")).unwrap();
    assert!(owned(&path.join("link")).is_some_and(|owned| !owned.is_folder));
    assert!(owned(&path).is_some_and(|owned| owned.is_folder && owned.modified_ms > 1_700_000_000_000));
    assert_eq!(owned(&path.join("nothing")), None);
    assert!(may_write(&path) && !may_write(&path.join("nothing")));
}
