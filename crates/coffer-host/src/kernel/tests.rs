use camino::Utf8Path;
use coffer_plan::facts::UserNamespaceFacts;

use super::{filtered, kernel, user_namespaces};
use crate::scratch::Scratch;

#[test]
fn the_kernel_names_itself() {
    let told = std::process::Command::new("uname").arg("-r").output().unwrap();
    assert_eq!(kernel().release, String::from_utf8(told.stdout).unwrap().trim());
}

#[test]
fn a_filter_that_is_on_us_is_seen() {
    let scratch = Scratch::new();
    let proc = scratch.path("proc");
    assert!(!filtered(&proc));
    for (mode, seen) in [("0", false), ("1", false), ("2", true)] {
        scratch.file("proc/self/status", format!("Name:\tcoffer\nSeccomp:\t{mode}\nSeccomp_filters:\t2\n"));
        assert_eq!(filtered(&proc), seen, "{mode}");
    }
}

#[test]
fn switches_that_a_kernel_lacks_are_unknown() {
    let scratch = Scratch::new();
    let proc = scratch.path("proc");
    let nothing = UserNamespaceFacts { max: None, unprivileged_clone: None, apparmor_restricts: None };
    assert_eq!(user_namespaces(&proc), nothing);
    scratch.file("proc/sys/user/max_user_namespaces", "0\n");
    scratch.file("proc/sys/kernel/unprivileged_userns_clone", "0\n");
    scratch.file("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
    let all =
        UserNamespaceFacts { max: Some(0), unprivileged_clone: Some(false), apparmor_restricts: Some(true) };
    assert_eq!(user_namespaces(&proc), all);
    scratch.file("proc/sys/user/max_user_namespaces", "many\n");
    assert_eq!(user_namespaces(&proc).max, None);
}

#[test]
fn the_running_kernel_tells_its_own() {
    let shown = std::fs::read_to_string("/proc/sys/user/max_user_namespaces").ok();
    let shown = shown.map(|text| text.trim().parse().unwrap());
    assert_eq!(user_namespaces(Utf8Path::new("/proc")).max, shown);
}
