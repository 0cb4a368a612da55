//! Whatever the config files say, a plan is made in one way only, and a project's own file widens nothing.
//!
//! The input is the user's config file, a zero byte, and the project's `.coffer.toml`; the machine is `facts.json`.
#![no_main]

use std::sync::LazyLock;

use coffer_plan::built_in;
use coffer_plan::check::check;
use coffer_plan::config::{
    Flags, Layers, ProjectFile, Settings, Trust, UserFile, merge, parse_project, parse_user,
};
use coffer_plan::derive::derive;
use coffer_plan::facts::HostFacts;
use coffer_plan::path::is_within;
use coffer_plan::plan::{Access, CheckedPlan, Mount, MountOp, NetworkTier, Source};
use coffer_plan::policy::{Inputs, resolve};
use libfuzzer_sys::fuzz_target;

struct Machine {
    facts: HostFacts,
    inputs: Inputs,
    profiles: std::collections::BTreeMap<String, Settings>,
}

static MACHINE: LazyLock<Machine> = LazyLock::new(|| {
    let machine = machine();
    // If not even this gave a plan, nothing below would be looked at.
    assert!(plan(&machine, &UserFile::default(), None).is_some(), "no plan for empty config files");
    machine
});

fn machine() -> Machine {
    Machine {
        facts: serde_json::from_str(include_str!("../facts.json")).expect("facts.json"),
        inputs: Inputs {
            agent: built_in::agent("claude").expect("the agent"),
            all_agents: built_in::agents().expect("all agents").into_values().collect(),
            system: built_in::system().expect("the system"),
            secrets: built_in::secrets().expect("the secret paths"),
            tools: built_in::tools().expect("the tools"),
            system_calls: built_in::system_calls().expect("the rules about system calls"),
            deferred: built_in::deferred().expect("the lists about deferred execution"),
            trust: Trust::default(),
        },
        profiles: built_in::profiles().expect("the profiles"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (user, project) = text.split_once('\0').unwrap_or((text, ""));
    let Ok(user) = parse_user("config.toml", user) else { return };
    let Ok(project) = parse_project(".coffer.toml", project) else { return };
    let alone = plan(&MACHINE, &user, None);
    let together = plan(&MACHINE, &user, Some(&project));
    assert_eq!(together, plan(&MACHINE, &user, Some(&project)), "not deterministic");
    if let (Some(alone), Some(together)) = (alone, together) {
        only_tightened(&alone, &together);
    }
});

fn plan(machine: &Machine, user: &UserFile, project: Option<&ProjectFile>) -> Option<CheckedPlan> {
    let folder = machine.facts.project.path.clone();
    let layers = Layers {
        built_in_profiles: machine.profiles.clone(),
        user: user.clone(),
        project: project.map(|file| (folder.join(".coffer.toml"), file.clone(), false)),
        project_path: folder,
        flags: Flags::default(),
    };
    let merged = merge(&layers).ok()?;
    let policy = resolve(merged, &layers.flags, machine.inputs.clone(), &machine.facts).ok()?;
    check(derive(&policy, &machine.facts).ok()?, &policy, &machine.facts).ok()
}

fn only_tightened(alone: &CheckedPlan, together: &CheckedPlan) {
    let names =
        |plan: &CheckedPlan| plan.environment.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
    let before = names(alone);
    for name in names(together) {
        assert!(before.contains(&name), "the project brought the variable {name}");
    }
    assert!(together.network.tier == alone.network.tier || together.network.tier == NetworkTier::None);
    for mount in &together.mounts {
        if let Some(bind) = bind(mount) {
            let granted = alone.mounts.iter().filter_map(self::bind).any(|before| covers(&before, &bind));
            assert!(granted, "the project brought {mount:?}");
        }
    }
}

/// A path of the host that can be seen inside.
struct Bind<'a> {
    source: &'a camino::Utf8Path,
    target: &'a camino::Utf8Path,
    access: Access,
}

fn bind(mount: &Mount) -> Option<Bind<'_>> {
    match &mount.op {
        MountOp::Bind { source: Source::Host { path, .. }, access } => {
            Some(Bind { source: path, target: &mount.target, access: *access })
        }
        _ => None,
    }
}

/// Whether a grant that was there already shows as much: the same place below it, and no less writable.
fn covers(before: &Bind<'_>, after: &Bind<'_>) -> bool {
    let enough = before.access == Access::Rw || after.access == Access::Ro;
    let same_place =
        match (after.source.strip_prefix(before.source), after.target.strip_prefix(before.target)) {
            (Ok(source), Ok(target)) => source == target,
            _ => false,
        };
    enough && same_place && is_within(after.source, before.source)
}
