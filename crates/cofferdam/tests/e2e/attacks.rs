//! Every attack of the table on every network tier: what is held, and what the plan grants, against a golden file.
//! `coffer doctor --attack` makes them, in a machine of namespaces that it makes for itself.

use coffer_testkit::attack::{Grant, attacks, world};
use coffer_testkit::require;
use expect_test::expect_file;
use serde_json::Value;

mod containers;

use crate::support::{Ran, Stage, run, sandboxes};

/// Of these it depends on the kernel, the machine or the user whether they can succeed at all: what is missing here is
/// no fault of the probe. All others must be proven.
const MAY_BE_UNPROVEN: &[&str] = &[
    // The kernel may be built without it, or have it switched off.
    "binary-formats",
    "cgroup-release",
    "device-helper",
    "ebpf-map",
    "ebpf-program",
    "input-device",
    "io-ports",
    "io-uring",
    "kernel-log",
    "kernel-memory",
    "kernel-messages",
    "kexec",
    "kexec-file",
    "list-keys",
    "load-module",
    "loopback-6",
    "magic-key",
    "metadata-6",
    "module-helper",
    "overlay",
    "performance-events",
    "physical-memory",
    "tunnel-device",
    "type-into-terminal",
    "type-into-terminal-high-bits",
    "unload-module",
    "user-faults",
    "virtual-machine",
    "i386-call",
    "i386-user-namespace",
    "x32-call",
    "x32-user-namespace",
    // It never had a display; `./x test` makes the folder for its socket.
    "x11",
    // The machine has none.
    "paste-on-console",
    "read-machine-id",
    "read-other-logs",
    // Not even this root may.
    "leave-the-oom-killer",
    "raise-own-limits",
];

/// What an ordinary user cannot do outside of a sandbox either.
const ROOTS_ALONE: &[&str] = &[
    "accounting",
    "block-device",
    "cgroup-limits",
    "core-pattern",
    "enter-process-namespace",
    "file-by-handle",
    "file-systems-in-userland",
    "first-root-link",
    "hold-up-files",
    "host-name",
    "make-device",
    "make-writable",
    "memory-switch",
    "packet-socket",
    "panic-switch",
    "random-pool",
    "raw-socket",
    "read-shadow",
    "reboot",
    "replace-init",
    "set-clock",
    "swap",
    "unmount",
    "write-system-config",
    "write-system-program",
    // Nobody need have handed it groups, so nothing limits its runs.
    "many-processes",
    "much-memory",
];

/// A row an attack: its name, its class, and what came of it in each run.
fn table(report: &Value) -> String {
    let mut text = String::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for row in list(&report["attacks"]) {
        let inside: Vec<String> = list(&row["inside"])
            .iter()
            .map(|inside| {
                let (run, verdict) = (inside["run"].as_str().unwrap(), inside["verdict"].as_str().unwrap());
                let word = match (&inside["grant"], inside["open"].as_bool().unwrap()) {
                    (Value::String(grant), _) => format!("granted: {grant}"),
                    (_, true) => "OPEN".to_owned(),
                    _ => verdict.to_owned(),
                };
                format!("{run} {word}")
            })
            .collect();
        let all_same =
            inside.iter().all(|word| word.split_once(' ').unwrap().1 == inside[0].split_once(' ').unwrap().1);
        let what =
            if all_same { inside[0].split_once(' ').unwrap().1.to_owned() } else { inside.join(" | ") };
        text.push_str(&format!(
            "{} [{}]: {what}\n",
            row["name"].as_str().unwrap(),
            row["class"].as_str().unwrap()
        ));
    }
    text
}

/// Attacks, and checks what holds whatever the table says.
fn attacked(stage: &Stage, also_unproven: &[&str]) -> String {
    judged(stage, run(stage.coffer(["doctor", "--attack", "--json"])), also_unproven)
}

/// The table of a report, which has to be good whatever it says.
fn judged(stage: &Stage, ran: Ran, also_unproven: &[&str]) -> String {
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    let schema = include_str!("../../../../docs/reference/attack.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");

    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let unproven = names(&report["unproven"]);
    let unknown: Vec<&String> = unproven
        .iter()
        .filter(|name| !MAY_BE_UNPROVEN.contains(&name.as_str()) && !also_unproven.contains(&name.as_str()))
        .collect();
    assert!(unknown.is_empty(), "no positive control: {unknown:?}: {report:#}");
    let open = names(&report["open"]);
    assert!(open.is_empty(), "no plan grants them: {open:?}: {ran}");
    ran.ends_with(0);
    let rows = report["attacks"].as_array().unwrap();
    assert!(rows.len() >= 90 && rows.len() == attacks().count());
    // The home of the stage is as it was, and nothing of the attack is in it.
    assert!(!stage.home().join(".ssh").exists() && !stage.home().join(".bashrc").exists());
    table(&report)
}

fn possible() -> bool {
    sandboxes() && require::capability("attack-world", world::available())
}

#[test]
fn whoever_runs_it_is_held_but_for_what_the_plan_grants() {
    if !possible() {
        return;
    }
    let root = rustix::process::geteuid().is_root();
    let also = if root { &[][..] } else { ROOTS_ALONE };
    let table = attacked(&Stage::new(), also);
    if root {
        expect_file!["../golden/attacks-of-root.txt"].assert_eq(&table);
    } else {
        expect_file!["../golden/attacks-of-a-user.txt"].assert_eq(&table);
    }
}

#[test]
fn an_ordinary_user_is_held_but_for_what_the_plan_grants() {
    if !possible() {
        return;
    }
    let Some(stage) = Stage::of_ordinary_user() else { return };
    let table = attacked(&stage, ROOTS_ALONE);
    expect_file!["../golden/attacks-of-a-user.txt"].assert_eq(&table);
}

#[test]
fn what_grants_an_attack_is_never_more_than_the_network_the_project_or_the_lease() {
    let granted = |grant: Grant| attacks().filter(|attack| attack.grant == grant).count();
    let named = granted(Grant::HostNetwork) + granted(Grant::Project) + granted(Grant::Lease);
    assert_eq!(named + granted(Grant::Never), attacks().count());
    assert!(granted(Grant::Never) > attacks().count() / 2);
}
