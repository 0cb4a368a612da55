//! What the host would run later is kept from the agent.

use camino::{Utf8Path, Utf8PathBuf};

use crate::facts::RepositoryFact;
use crate::fixture::Machine;
use crate::path::PathTemplate;
use crate::plan::{Access, Mount, MountOp};

const ROOT: &str = "/home/ada/src/app";

/// What stands at a path of the project by the last operation there: `ro`, `rw`, `copy`, `held`, or nothing of its own.
fn at(machine: &Machine, below: &str) -> Option<&'static str> {
    let plan = machine.derived().unwrap();
    let path = Utf8Path::new(ROOT).join(below);
    let last = plan.mounts.iter().rev().find(|mount| mount.target == path)?;
    match &last.op {
        MountOp::Bind { access: Access::Ro, .. } => Some("ro"),
        MountOp::Bind { access: Access::Rw, .. } => Some("rw"),
        MountOp::GitConfig { .. } => Some("copy"),
        MountOp::Placeholder { .. } => Some("held"),
        other => panic!("{other:?}"),
    }
}

fn allow_write(machine: Machine, path: &str) -> Machine {
    machine.flags(|flags| flags.settings.allow_write.push(PathTemplate(path.to_owned())))
}

#[test]
fn what_is_there_is_read_only_and_what_is_not_is_held() {
    let machine = Machine::deferred();
    for (below, expected) in [
        (".claude", Some("ro")),
        (".envrc", Some("ro")),
        (".husky", Some("ro")),
        ("packages/a/.vscode", Some("ro")),
        ("lib/.git", Some("ro")),
        // In the read-only `.husky`.
        (".husky/_", None),
        (".vscode", Some("held")),
        (".mcp.json", Some("held")),
        (".gemini", Some("held")),
        // No folder but `.git` is kept in its place: moving files between mounts is more than a rename.
        ("packages", None),
        ("packages/a", None),
        // Told, and not kept.
        (".github/workflows", None),
    ] {
        assert_eq!(at(&machine, below), expected, "{below}");
    }
}

#[test]
fn git_can_be_used_and_runs_nothing_new() {
    let machine = Machine::deferred();
    for (below, expected) in [
        (".git", Some("rw")),
        (".git/config", Some("copy")),
        (".git/hooks", Some("ro")),
        (".git/commondir", Some("held")),
        (".git/config.worktree", Some("held")),
        (".git/info/attributes", Some("held")),
        (".git/modules/lib/config.worktree", Some("held")),
        // Nobody made it yet.
        (".git/modules/lib/info", Some("held")),
        (".git/modules", Some("rw")),
        (".git/modules/lib", Some("rw")),
        (".git/modules/lib/config", Some("copy")),
        (".git/modules/lib/hooks", Some("held")),
        (".git/objects", None),
    ] {
        assert_eq!(at(&machine, below), expected, "{below}");
    }
}

#[test]
fn a_grant_opens_one_path_and_is_told() {
    let machine = allow_write(Machine::deferred(), ".vscode");
    let machine = allow_write(allow_write(machine, ".git/hooks"), "nothing");
    assert_eq!((at(&machine, ".vscode"), at(&machine, ".git/hooks")), (None, None));
    assert_eq!((at(&machine, ".claude"), at(&machine, "packages/a/.vscode")), (Some("ro"), Some("ro")));
    let plan = machine.derived().unwrap();
    let notes: Vec<String> =
        plan.notes.iter().map(|note| format!("{} ({})", note.text, note.origin)).collect();
    let tells =
        |words: &str| notes.iter().any(|note| note.contains(words) && note.contains("flag --allow-write"));
    assert!(tells("`.vscode` can be written"), "{notes:?}");
    assert!(tells("`.git/hooks` can be written"), "{notes:?}");
    assert!(tells("nothing is kept from the agent at `/home/ada/src/app/nothing`"), "{notes:?}");
}

#[test]
fn what_was_not_looked_at_is_said() {
    let plan = Machine::deferred().derived().unwrap();
    assert!(
        plan.notes.iter().any(|note| note.text.contains("(4711 files and folders were)")),
        "{:?}",
        plan.notes
    );
}

#[test]
fn a_project_adds_and_cannot_take_away() {
    let machine = Machine::deferred().project("protect = ['ci/deploy.sh']\nallow_write = ['.vscode']", false);
    assert_eq!((at(&machine, "ci"), at(&machine, ".vscode")), (Some("held"), Some("held")));
    let plan = machine.derived().unwrap();
    assert!(plan.proposals.iter().any(|proposal| proposal.text.contains(".vscode")), "{:?}", plan.proposals);
}

#[test]
fn a_link_in_the_place_of_git_or_of_the_agents_settings_is_refused() {
    let link = |change: fn(&mut crate::facts::DeferredFacts)| {
        Machine::deferred().with(|facts| change(facts.deferred.as_mut().unwrap()))
    };
    let git = link(|deferred| deferred.repositories[0].link = Some(format!("{ROOT}/.git").into()));
    assert_eq!(git.codes(), ["deferred-link"]);
    let agent = link(|deferred| deferred.found[0].link = true);
    assert_eq!(agent.codes(), ["deferred-link"]);
    assert!(allow_write(git, ".git").codes().is_empty());
    assert!(allow_write(agent, ".claude").codes().is_empty());
}

/// Where AppArmor lets nobody but bubblewrap mount, git's configuration is read-only, and that is said.
#[test]
fn without_mounts_of_our_own_gits_configuration_is_read_only() {
    let machine = Machine::deferred().with(|facts| facts.user_namespaces.apparmor_restricts = Some(true));
    assert_eq!(at(&machine, ".git/config"), Some("ro"));
    let plan = machine.derived().unwrap();
    assert!(plan.notes.iter().any(|note| note.text.contains("AppArmor")), "{:?}", plan.notes);
}

#[test]
fn a_project_that_cannot_be_written_has_no_places_held() {
    let machine = Machine::deferred().with(|facts| facts.deferred.as_mut().unwrap().writable = false);
    assert_eq!((at(&machine, ".vscode"), at(&machine, ".claude")), (None, Some("ro")));
    let plan = machine.derived().unwrap();
    assert!(plan.notes.iter().any(|note| note.text.contains("no place is held")), "{:?}", plan.notes);
}

#[test]
fn repositories_beyond_the_bound_are_read_only() {
    let machine = Machine::deferred().with(|facts| {
        for at in 0..500 {
            let git_dir: Utf8PathBuf = format!("{ROOT}/many/{at}/.git").into();
            let fact = facts.paths[Utf8Path::new("/home/ada/src/app/.git")].clone();
            facts.paths.insert(git_dir.clone(), crate::facts::PathFact { resolved: git_dir.clone(), ..fact });
            let deferred = facts.deferred.as_mut().unwrap();
            deferred.repositories.push(RepositoryFact { git_dir, ..RepositoryFact::default() });
        }
    });
    let plan = machine.derived().unwrap();
    let is_whole = |mount: &&Mount| {
        mount.target.as_str().contains("/many/")
            && matches!(mount.op, MountOp::Bind { access: Access::Ro, .. })
    };
    // Two of the bound are the project's own.
    assert_eq!(plan.mounts.iter().filter(is_whole).count(), 500 - 22);
    assert!(plan.notes.iter().any(|note| note.text.starts_with("478 repositories")), "{:?}", plan.notes);
    assert!(machine.codes().is_empty());
}
