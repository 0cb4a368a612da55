use crate::fixture::Machine;
use crate::origin::OriginLayer;
use crate::plan::{FilterKind, Hardening, PlanError, Scope};

fn nesting(machine: Machine) -> Machine {
    machine.flags(|flags| flags.settings.allow_nesting = Some(true))
}

fn hardening(machine: &Machine) -> Hardening {
    machine.plan().hardening.clone()
}

fn with_abi(abi: Option<u32>) -> Machine {
    let mut machine = Machine::ada();
    machine.facts.landlock_abi = abi;
    machine
}

#[test]
fn by_default_every_rule_counts_and_landlock_closes_what_it_can() {
    let walls = hardening(&with_abi(Some(7)));
    assert_eq!(walls.system_calls.filter, FilterKind::Strict);
    for rule in ["namespaces", "mounts", "clone3", "keyrings", "io_uring", "typing into terminals"] {
        assert!(walls.system_calls.rules.iter().any(|name| name == rule), "{rule}");
    }
    assert!(walls.system_calls.lifted.is_empty() && walls.landlock.lacks.is_empty());
    assert_eq!((walls.landlock.abi, walls.landlock.files), (Some(7), true));
    assert_eq!(walls.landlock.scopes, [Scope::AbstractSockets, Scope::Signals]);
    assert!(walls.read_only_proc_sys && !walls.nesting.allowed);
    // A version that nobody has tried here is used as far as it is known.
    assert_eq!(hardening(&with_abi(Some(99))).landlock.abi, Some(7));
}

#[test]
fn nesting_lifts_what_it_must_and_says_so() {
    let walls = hardening(&nesting(with_abi(Some(7))));
    assert_eq!(walls.system_calls.filter, FilterKind::Nesting);
    assert_eq!(walls.system_calls.lifted, ["namespaces", "clone3", "mounts", "mount descriptors"]);
    assert!(walls.system_calls.rules.iter().any(|name| name == "keyrings"));
    assert_eq!((walls.landlock.abi, walls.landlock.files), (Some(7), false));
    assert_eq!(walls.landlock.scopes.len(), 2);
    assert_eq!((walls.nesting.allowed, walls.nesting.origin.layer), (true, OriginLayer::Flag));
    assert!(walls.landlock.lacks[0].starts_with("files"));
    // `/proc` is whole where its switches are out of reach anyway.
    assert!(!walls.read_only_proc_sys);
    let root = nesting(Machine::root()).plan();
    assert!(root.hardening.read_only_proc_sys);
    assert!(root.notes.iter().any(|note| note.text.contains("`/proc`")));
}

#[test]
fn what_an_older_kernel_lacks_is_told() {
    for (abi, lacks) in [(1, 4), (2, 3), (3, 2), (4, 2), (5, 1), (6, 0), (7, 0)] {
        let landlock = hardening(&with_abi(Some(abi))).landlock;
        assert_eq!((landlock.abi, landlock.files), (Some(abi), true));
        assert_eq!(landlock.lacks.len(), lacks, "{abi}: {:?}", landlock.lacks);
        assert_eq!(landlock.scopes.is_empty(), abi < 6);
    }
    let without = with_abi(None).plan();
    assert_eq!((without.hardening.landlock.abi, without.hardening.landlock.files), (None, false));
    assert!(without.notes.iter().any(|note| note.text.contains("Landlock")));
    // With nesting nothing is left of an older version.
    let nothing = hardening(&nesting(with_abi(Some(5)))).landlock;
    assert_eq!((nothing.abi, nothing.files, nothing.lacks.len()), (None, false, 2));
}

#[test]
fn a_machine_without_filters_runs_nothing() {
    let refused = |change: fn(&mut crate::facts::HostFacts)| {
        let mut machine = Machine::ada();
        change(&mut machine.facts);
        let errors = machine.checked().unwrap_err();
        let is_it = |error: &&PlanError| matches!(error, PlanError::NoFilter { .. });
        let found = errors.iter().find(is_it).unwrap_or_else(|| panic!("{errors:?}")).clone();
        assert!(found.hint().contains("CONFIG_SECCOMP_FILTER"));
    };
    refused(|facts| facts.kernel.filters_system_calls = false);
    refused(|facts| facts.kernel.machine = "s390x".to_owned());
    let mut arm = Machine::ada();
    arm.facts.kernel.machine = "aarch64".to_owned();
    let rules = arm.plan().hardening.system_calls.rules.clone();
    assert!(!rules.iter().any(|name| name == "ports"), "{rules:?}");
}

#[test]
fn a_project_can_take_nesting_away_and_only_propose_it() {
    let asked = Machine::ada().project("allow_nesting = true", false);
    assert!(!hardening(&asked).nesting.allowed);
    assert!(asked.plan().proposals.iter().any(|note| note.text.contains("--allow-nesting")));
    assert!(hardening(&Machine::ada().project("allow_nesting = true", true)).nesting.allowed);
    let taken = Machine::ada().config("allow_nesting = true").project("allow_nesting = false", false);
    assert!(!hardening(&taken).nesting.allowed);
    assert!(hardening(&Machine::ada().config("allow_nesting = true")).nesting.allowed);
}
