use std::collections::BTreeMap;

use coffer_testkit::attack::brief::Limits;
use coffer_testkit::attack::column::Column;
use coffer_testkit::attack::{Line, Verdict, attacks};
use serde_json::{Value, json};

use super::document::{Run, document, limits, text};

fn column(name: &str, verdict: impl Fn(&str) -> Verdict) -> Column {
    let line = |name: &str| Line { name: name.to_owned(), verdict: verdict(name), detail: "said".to_owned() };
    let lines: BTreeMap<String, Line> =
        attacks().map(|attack| (attack.name.to_owned(), line(attack.name))).collect();
    Column { name: name.to_owned(), lines }
}

fn run(tier: &'static str, plan: Value, verdict: impl Fn(&str) -> Verdict) -> Run {
    let column = column(tier, verdict);
    Run { column, plan, limits: Limits::default(), network: tier, auth: "lease" }
}

fn plan(tier: &str) -> Value {
    json!({"network": {"tier": tier, "origin": {"layer": "flag", "name": "--network"}},
        "mounts": [{"op": "bind", "access": "rw", "origin": {"layer": "built_in", "name": "project"}}],
        "credential": {"mode": "none"}, "limits": {}})
}

#[test]
fn what_the_plan_grants_is_explained_by_its_entry_and_the_rest_is_open() {
    let succeeds = |name: &str| match name {
        "loopback" | "read-ssh-key" | "write-project" => Verdict::Allowed,
        _ => Verdict::Blocked,
    };
    let outside = column("outside", |_| Verdict::Allowed);
    let runs = [run("none", plan("none"), succeeds), run("full", plan("full"), succeeds)];
    let document = document(&outside, &runs);
    assert_eq!(document.open, ["read-ssh-key", "loopback"]);
    assert!(!document.well && document.unproven.is_empty());
    let loopback = document.attacks.iter().find(|row| row.name == "loopback").unwrap();
    let [none, full] = loopback.inside.as_slice() else { panic!("{loopback:?}") };
    assert!(none.open && none.grant.is_none(), "{none:?}");
    assert_eq!(full.grant.as_deref(), Some("network `full` (flag: --network)"));
    let text = text(&document);
    assert!(text.contains("OPEN in none, full: read-ssh-key"), "{text}");
    assert!(text.contains("granted: write-project: the project, read-write (built-in: project)"), "{text}");
}

#[test]
fn what_does_not_succeed_without_a_sandbox_is_unproven() {
    let outside = column("outside", |name| if name == "kexec" { Verdict::Blocked } else { Verdict::Allowed });
    let document = document(&outside, &[run("none", plan("none"), |_| Verdict::Private)]);
    assert_eq!((document.unproven.as_slice(), document.well), (["kexec"].as_slice(), true));
}

#[test]
fn limits_are_those_that_the_plan_says() {
    assert_eq!(limits(&plan("none")), Limits::default());
    let plan = json!({"limits": {"pids": 256, "memory": {"value": 1024, "origin": {}}}});
    assert_eq!(limits(&plan), Limits { pids: Some(256), memory: Some(1024) });
}
