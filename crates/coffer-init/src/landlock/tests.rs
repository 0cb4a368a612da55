use super::{AccessFs, Landlock, Reach, Rule, allowed, version};

/// The kernel's version, if it has Landlock.
fn abi() -> Option<u32> {
    coffer_sys::landlock::landlock_abi().map(|abi| abi.min(7))
}

#[test]
fn each_reach_has_what_it_says_and_no_more() {
    let seven = version(7).unwrap();
    let [list, read, write, devices] =
        [Reach::List, Reach::Read, Reach::Write, Reach::Devices].map(|reach| allowed(reach, seven));
    assert!(list.contains(AccessFs::ReadDir) && !list.contains(AccessFs::ReadFile));
    assert!(read.contains(AccessFs::Execute) && !read.contains(AccessFs::WriteFile));
    assert!(write.contains(AccessFs::Refer | AccessFs::Truncate | AccessFs::MakeSock));
    assert!(!write.intersects(AccessFs::IoctlDev | AccessFs::MakeChar | AccessFs::MakeBlock));
    assert!(devices.contains(AccessFs::IoctlDev));
    assert!(version(1).is_some() && version(8).is_none() && version(0).is_none());
}

#[test]
fn a_ruleset_is_made_of_folders_and_files_alike() {
    let Some(abi) = abi() else { return };
    let rule = |option: &str, path: &str| Rule::parse(option, path.into()).unwrap();
    let rules = vec![
        rule("--landlock-list", "/"),
        rule("--landlock-write", "/tmp"),
        rule("--landlock-read", "/etc/passwd"),
        rule("--landlock-devices", "/dev/null"),
    ];
    assert!(Landlock { abi: Some(abi), rules }.ruleset().unwrap().is_some());
    assert!(Landlock::default().ruleset().unwrap().is_none());
}

#[test]
fn what_is_not_there_is_named_and_a_version_that_is_not_there_is_an_error() {
    let Some(abi) = abi() else { return };
    let rules = || vec![Rule::parse("--landlock-read", "/absent/path".into()).unwrap()];
    let failed = Landlock { abi: Some(abi), rules: rules() }.ruleset().unwrap_err();
    assert!(failed.cause.to_string().contains("/absent/path"), "{failed:?}");
    assert!(Landlock { abi: Some(99), rules: rules() }.ruleset().is_err());
}
