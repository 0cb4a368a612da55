//! Which means is chosen for which wish, what is refused and what is only said.

use crate::config::LimitSettings;
use crate::explain;
use crate::facts::{CgroupFacts, CgroupPlace, UserManagerFact};
use crate::fixture::Machine;
use crate::origin::OriginLayer;
use crate::plan::{Bound, Controller, Count, Limits, Means, PlanError, Size};
use crate::show::diff::difference;
use crate::show::json;

fn names(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

/// A machine of which nothing is known but this.
fn with(change: impl FnOnce(&mut CgroupFacts)) -> Machine {
    Machine::ada().with(|facts| {
        facts.cgroups = CgroupFacts { memory: Some(16 << 30), ..CgroupFacts::default() };
        change(&mut facts.cgroups);
    })
}

fn place(folder: &str, available: &str, enabled: &str) -> CgroupPlace {
    CgroupPlace {
        folder: folder.into(),
        available: names(available),
        enabled: names(enabled),
        can_enable: false,
        is_ours: false,
    }
}

fn old(cgroups: &mut CgroupFacts, controllers: &str) {
    let at = |name: String| (name.clone(), format!("/sys/fs/cgroup/{name}/x").into());
    cgroups.v1_places = names(controllers).into_iter().map(at).collect();
}

fn manager(controllers: &str) -> Option<UserManagerFact> {
    Some(UserManagerFact { systemd_run: "/usr/bin/systemd-run".into(), controllers: names(controllers) })
}

fn limits(machine: &Machine) -> Limits {
    machine.plan().limits.clone()
}

fn values(limits: &Limits) -> (Option<u64>, Option<u32>, Option<u32>) {
    let Limits { memory, pids, cpus, means: _, lacks: _ } = limits;
    (memory.value.map(|size| size.0), pids.value.map(|count| count.0), cpus.value.map(|cpus| cpus.0))
}

fn asks(machine: Machine, memory: Option<&str>, pids: Option<&str>, cpus: Option<&str>) -> Machine {
    machine.flags(|flags| {
        flags.settings.limits = LimitSettings {
            memory: memory.map(|text| text.parse().unwrap()),
            pids: pids.map(|text| text.parse().unwrap()),
            cpus: cpus.map(|text| text.parse().unwrap()),
        };
    })
}

#[test]
fn by_default_processes_and_three_quarters_of_the_memory_are_the_bounds() {
    let limits = limits(&with(|cgroups| old(cgroups, "cpu memory pids")));
    assert_eq!(values(&limits), (Some(12 << 30), Some(4096), None));
    assert_eq!(limits.memory.origin.to_string(), "built-in default");
    let Means::V1 { groups } = &limits.means else { panic!("{:?}", limits.means) };
    let held: Vec<Controller> = groups.iter().map(|group| group.controller).collect();
    assert_eq!(held, [Controller::Memory, Controller::Pids], "no group where nothing is limited");
    assert_eq!(limits.lacks, []);
}

#[test]
fn a_default_that_nothing_can_hold_is_left_out_and_said() {
    let none = limits(&with(|_| ()));
    assert_eq!((values(&none), &none.means), ((None, None, None), &Means::None));
    let said: Vec<&str> = none.lacks.iter().map(|lack| lack.text.as_str()).collect();
    assert!(said[0].starts_with("memory (12G): ") && said[1].starts_with("pids (4096): "), "{said:?}");
    let half = limits(&with(|cgroups| old(cgroups, "pids")));
    assert_eq!(values(&half), (None, Some(4096), None));
    assert_eq!(half.lacks.len(), 1);
}

#[test]
fn what_somebody_asked_for_is_held_or_refused_with_the_fix() {
    for (memory, pids, cpus, limit) in [
        (Some("1G"), None, None, "memory"),
        (None, Some("64"), None, "pids"),
        (None, None, Some("1.5"), "cpus"),
    ] {
        let refusals = asks(with(|_| ()), memory, pids, cpus).refusals();
        let [error @ PlanError::NoLimit { .. }] = &refusals[..] else { panic!("{refusals:?}") };
        assert!(error.to_string().starts_with(&format!("the {limit} limit of ")), "{error}");
        assert!(error.to_string().ends_with(&format!("(flag --{limit})")), "{error}");
        assert!(error.hint().ends_with(&format!("`--{limit} none`")), "{}", error.hint());
        let held = asks(with(|cgroups| old(cgroups, "cpu memory pids")), memory, pids, cpus);
        assert_ne!(values(&limits(&held)), (Some(12 << 30), Some(4096), None), "{limit} has no effect");
    }
    let file = with(|_| ()).config("[limits]\npids = 64");
    assert_eq!(file.codes(), ["no-limit"]);
    let project = with(|_| ()).project("[limits]\npids = 64", false);
    assert_eq!(project.codes(), ["no-limit"], "a restriction that is not there is none");
}

#[test]
fn the_fix_fits_the_machine() {
    let fix = |change: fn(&mut CgroupFacts)| asks(with(change), Some("1G"), None, None).refusals()[0].hint();
    let systemd = fix(|cgroups| cgroups.user_manager = manager("pids"));
    assert!(systemd.contains("Delegate=cpu cpuset io memory pids"), "{systemd}");
    let v2 = fix(|cgroups| cgroups.v2_controllers = names("memory pids"));
    assert!(v2.contains("loginctl enable-linger ada") && v2.contains("systemd-run --scope"), "{v2}");
    let v1 = fix(|_| ());
    assert!(v1.contains("chown -R 1000 /sys/fs/cgroup/memory/coffer"), "{v1}");
    let root =
        asks(Machine::root().with(|facts| facts.cgroups = CgroupFacts::default()), None, Some("64"), None);
    assert!(root.refusals()[0].hint().contains("docker run --pids-limit"), "{:?}", root.refusals());
}

#[test]
fn none_is_no_limit() {
    let free = asks(with(|cgroups| old(cgroups, "cpu memory pids")), Some("none"), Some("none"), None);
    let limits = limits(&free);
    assert_eq!((values(&limits), limits.means), ((None, None, None), Means::None));
    assert_eq!(limits.memory.origin.to_string(), "flag --memory");
    assert!(limits.lacks.is_empty());
}

#[test]
fn the_nearest_group_that_hands_on_what_is_wanted_is_taken() {
    let means = |places: Vec<CgroupPlace>| limits(&with(|cgroups| cgroups.v2_places = places)).means;
    let all = "cpu memory pids";
    let v2 = |folder: &str, enable: &[Controller], step_aside| Means::V2 {
        folder: folder.into(),
        enable: enable.to_vec(),
        step_aside,
    };
    // Our own group has us in it, so the one around it is the place.
    let around = vec![place("/cg/a/b", all, ""), place("/cg/a", all, all)];
    assert_eq!(means(around.clone()), v2("/cg/a", &[], false));
    // Where nobody but us is in it we can step aside.
    let mut alone = around;
    alone[0] = CgroupPlace { can_enable: true, is_ours: true, ..alone[0].clone() };
    let both = [Controller::Memory, Controller::Pids];
    assert_eq!(means(alone), v2("/cg/a/b", &both, true));
    // A group without processes can hand on what it does not yet.
    let empty = CgroupPlace { can_enable: true, ..place("/cg", all, "memory") };
    assert_eq!(means(vec![empty]), v2("/cg", &[Controller::Pids], false));
    assert_eq!(means(vec![place("/cg", all, "")]), Means::None);
}

#[test]
fn systemd_divides_what_is_its_own() {
    let kept = "/cg/user.slice/user-1000.slice/user@1000.service/app.slice";
    let both = |systemd: &str| {
        let machine = with(|cgroups| {
            cgroups.v2_places = vec![place(kept, "memory pids", "memory pids")];
            cgroups.user_manager = manager(systemd).filter(|_| !systemd.is_empty());
        });
        limits(&asks(machine, Some("1G"), None, None))
    };
    assert!(matches!(both("memory pids").means, Means::Scope { .. }));
    assert!(matches!(both("").means, Means::V2 { .. }), "nobody is there to be asked");
    let handed_over = limits(&with(|cgroups| {
        let own = place(&format!("{kept}/run.scope"), "memory pids", "");
        cgroups.v2_places = vec![CgroupPlace { can_enable: true, is_ours: true, ..own }];
        cgroups.user_manager = manager("memory pids");
    }));
    assert!(matches!(handed_over.means, Means::V2 { step_aside: true, .. }));
}

#[test]
fn what_was_asked_for_decides_between_means() {
    let machine = |memory, cpus| {
        let machine = with(|cgroups| {
            cgroups.user_manager = manager("memory pids");
            old(cgroups, "cpu");
        });
        asks(machine, memory, None, cpus)
    };
    assert!(matches!(limits(&machine(Some("1G"), None)).means, Means::Scope { .. }));
    let asked = limits(&machine(None, Some("1")));
    assert!(matches!(asked.means, Means::V1 { .. }));
    assert_eq!(asked.lacks.len(), 2, "the defaults give way");
}

/// A run in a scope does not look at the project when it ends.
#[test]
fn for_defaults_alone_no_scope_is_made_and_that_is_said() {
    let limits = limits(&with(|cgroups| cgroups.user_manager = manager("memory pids")));
    assert_eq!(limits.means, Means::None);
    let pids = limits.lacks.iter().find(|note| note.text.starts_with("pids")).unwrap();
    assert!(pids.text.contains("when it is asked for (`--pids 4096`)"), "{pids:?}");
}

#[test]
fn the_program_that_makes_the_scope_lies_in_no_writable_mount() {
    let scope = with(|cgroups| {
        cgroups.user_manager = Some(UserManagerFact {
            systemd_run: "/srv/bin/systemd-run".into(),
            controllers: names("memory pids"),
        });
    });
    let scope = asks(scope, Some("1G"), None, None);
    assert_eq!(scope.codes(), [""; 0]);
    let open = scope.has("/srv/bin", crate::facts::PathKind::Folder).mount(&["/srv/bin:/b:rw"]);
    assert_eq!(open.codes(), ["host-executable"]);
}

#[test]
fn a_project_lowers_a_limit_and_lifts_none() {
    let machine = |user: &str, project: &str| {
        let machine = with(|cgroups| old(cgroups, "cpu memory pids"));
        machine.config(user).project(&format!("[limits]\n{project}"), false).plan()
    };
    let lower = machine("", "memory = '1G'\npids = 64\ncpus = 1");
    assert_eq!(values(&lower.limits), (Some(1 << 30), Some(64), Some(1000)));
    assert_eq!(lower.limits.pids.origin.layer, OriginLayer::ProjectFile);
    let higher = machine("", "memory = '1T'\npids = 9999");
    assert_eq!(values(&higher.limits), (Some(12 << 30), Some(4096), None));
    let user = "[limits]\nmemory = '2G'\npids = 100\n";
    let asked = machine(user, "memory = '4G'\npids = 'none'");
    assert_eq!(values(&asked.limits), (Some(2 << 30), Some(100), None));
    let proposed: Vec<&str> = asked.proposals.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(proposed, ["memory limit `4G` (`--memory 4G`)", "pids limit `none` (`--pids none`)"]);
    let free = machine("[limits]\npids = 'none'", "pids = 64");
    assert_eq!(free.limits.pids.value, Some(Count(64)));
}

#[test]
fn a_flag_undoes_what_a_project_lowered() {
    let machine = with(|cgroups| old(cgroups, "memory pids")).project("[limits]\npids = 64", false);
    let raised = machine.flags(|flags| flags.settings.limits.pids = Some(Bound::Of(Count(128))));
    assert_eq!(raised.plan().limits.pids.value, Some(Count(128)));
}

#[test]
fn a_wider_limit_is_growth_unless_a_flag_says_so() {
    let plan = |user: &str, flag: Option<u64>| {
        let machine = with(|cgroups| old(cgroups, "memory pids")).config(user);
        let machine = machine.flags(|flags| {
            flags.settings.limits.memory = flag.map(|bytes| Bound::Of(Size(bytes)));
        });
        json::remembered(&machine.plan()).unwrap()
    };
    let [small, large] =
        ["memory = '1G'", "memory = '2G'"].map(|text| plan(&format!("[limits]\n{text}"), None));
    let raised = difference(&small, &large);
    assert!(raised.grown);
    assert_eq!(raised.changed, ["limit memory 1073741824 -> 2147483648"]);
    assert!(!difference(&large, &small).grown);
    assert!(!difference(&small, &plan("", Some(2 << 30))).grown);
    let gone = plan("[limits]\nmemory = 'none'", None);
    assert!(difference(&large, &gone).grown && !difference(&gone, &large).grown);
    let mut before_limits = large.clone();
    before_limits["limits"] = serde_json::json!({});
    assert!(!difference(&before_limits, &large).grown, "an upgrade asks nobody");
}

#[test]
fn why_names_the_layer_and_what_holds_it() {
    let plan = with(|cgroups| old(cgroups, "memory")).plan();
    let memory = explain::limit(&plan, "memory").unwrap();
    assert_eq!((memory.verdict, memory.chain[0].text.as_str()), ("limited", "memory: at most 12G"));
    assert_eq!(memory.chain[0].origin, "built-in default");
    assert!(memory.chain[1].text.contains("`/sys/fs/cgroup/memory/x`"));
    let pids = explain::limit(&plan, "pids").unwrap();
    assert_eq!(pids.verdict, "not limited");
    assert!(pids.chain[0].text.contains("`pids`"), "{:?}", pids.chain);
    assert_eq!(explain::limit(&plan, "cpus").unwrap().verdict, "not limited");
    assert!(explain::limit(&plan, "disk").is_err());
}
