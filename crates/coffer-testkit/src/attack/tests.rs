use std::collections::BTreeSet;

use super::column::Column;
use super::report::{Judged, judge};
use super::{Brief, Grant, Line, Verdict, attacks};

#[test]
fn there_are_at_least_ninety_and_each_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = attacks().map(|attack| attack.name).collect();
    assert_eq!(names.len(), attacks().count());
    assert!(names.len() >= 90, "{}", names.len());
    let plain =
        |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || b"-0123456789".contains(&byte));
    assert!(names.iter().all(|name| plain(name)), "{names:?}");
}

#[test]
fn a_path_of_the_table_names_the_stage() {
    let brief = Brief { home: "/h".into(), canary: "word".into(), stage: "/s".into(), ..Brief::default() };
    assert_eq!(brief.path("/proc/self/root${home}/.ssh").to_str(), Some("/proc/self/root/h/.ssh"));
    assert_eq!(brief.path("${stage}/${canary}/x").to_str(), Some("/s/word/x"));
    for attack in attacks() {
        let left = attack.trace(&brief).is_some_and(|path| path.to_string_lossy().contains("${"));
        assert!(!left, "{}", attack.name);
    }
}

fn column(name: &str, verdict: Verdict) -> Column {
    let line = Line { name: name.to_owned(), verdict, detail: String::new() };
    Column { name: "x".to_owned(), lines: [(name.to_owned(), line)].into() }
}

#[test]
fn success_is_open_unless_the_plan_grants_it() {
    let attack = |name: &str| attacks().find(|attack| attack.name == name).unwrap();
    let (never, network) = (attack("read-ssh-key"), attack("loopback"));
    let all = |_: Grant| true;
    let none = |_: Grant| false;
    assert_eq!(judge(never, &column("read-ssh-key", Verdict::Allowed), &all), Judged::Open);
    assert_eq!(judge(network, &column("loopback", Verdict::Allowed), &all), Judged::Granted);
    assert_eq!(judge(network, &column("loopback", Verdict::Allowed), &none), Judged::Open);
    assert_eq!(judge(network, &column("loopback", Verdict::Private), &none), Judged::Held(Verdict::Private));
    assert_eq!(judge(network, &column("other", Verdict::Allowed), &all), Judged::Untried);
}

#[test]
fn what_the_host_sees_counts_for_more_than_what_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let brief = Brief { home: folder.path().into(), canary: "word".into(), ..Brief::default() };
    let mut said = column("write-home", Verdict::Allowed);
    said.look(&brief);
    assert_eq!(said.lines["write-home"].verdict, Verdict::Private);
    std::fs::write(folder.path().join("new-file"), brief.mark("write-home")).unwrap();
    let mut hidden = column("write-home", Verdict::Blocked);
    hidden.look(&brief);
    assert_eq!(hidden.lines["write-home"].verdict, Verdict::Allowed);
}
