use camino::Utf8Path;
use serde_json::{Value, json};

use crate::derive::{last_plan_file, slug};
use crate::facts::{GitFacts, McpServerFact, PathKind, SettingsFact, SettingsScope, WorkingCopyFact};
use crate::fixture::{Machine, mounts_on};
use crate::plan::{Access, CopyWay, FileContent, MountOp, Plan, Reference, RunFolder, Source, StateMode};

fn seeds(plan: &Plan) -> Vec<Value> {
    let texts = plan.state.seeds.iter().map(|seed| match &seed.content {
        FileContent::Text { text } => {
            serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}"))
        }
        FileContent::Reference { reference, .. } => json!(reference.to_string()),
    });
    texts.collect()
}

#[test]
fn a_state_lies_where_its_mode_says() {
    let source =
        |mode| Machine::ada().flags(|flags| flags.settings.state = Some(mode)).plan().state.source.clone();
    let own = |path: &str| {
        Some(Source::Own { path: format!("/home/ada/.local/share/cofferdam/state/claude/{path}").into() })
    };
    assert_eq!(
        source(StateMode::Project),
        own(&format!("projects/{}", slug(Utf8Path::new("/home/ada/src/app"))))
    );
    assert_eq!(source(StateMode::Shared), own("account-host"));
    assert_eq!(source(StateMode::Fresh), Some(Source::Run { folder: RunFolder::State }));
}

#[test]
fn two_projects_never_share_a_slug() {
    let paths = ["/a/b", "/a-b", "/a/b ", "/b", "/x/b", "/a/é", "/a/ê"];
    let mut slugs: Vec<String> = paths.iter().map(|path| slug(Utf8Path::new(path))).collect();
    for one in &slugs {
        assert!(one.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)), "{one}");
    }
    slugs.sort();
    slugs.dedup();
    assert_eq!(slugs.len(), paths.len());
    let facts = Machine::ada().facts;
    assert_ne!(last_plan_file(&facts, "claude"), last_plan_file(&facts, "shell"));
}

#[test]
fn seeds_come_when_they_apply() {
    let onboarding = json!({"hasCompletedOnboarding": true});
    let trust = json!({"projects": {"/home/ada/src/app": {"hasTrustDialogAccepted": true}}});
    let bypass = json!({"bypassPermissionsModeAccepted": true,
        "projects": {"/home/ada/src/app": {"hasTrustDialogAccepted": true}}});
    let signed_out = |facts: &mut crate::facts::HostFacts| {
        facts.login.as_mut().unwrap().shape = crate::sign_in::shape::LoginShape::Missing;
    };
    assert_eq!(seeds(&Machine::ada().plan()), std::slice::from_ref(&onboarding));
    assert!(seeds(&Machine::ada().with(signed_out).plan()).is_empty());
    assert_eq!(seeds(&Machine::ada().config("trust_folder = true").plan()), [onboarding.clone(), trust]);
    let unattended = Machine::ada().flags(|flags| flags.settings.unattended = Some(true)).plan();
    assert_eq!(seeds(&unattended), [onboarding, bypass]);
    assert_eq!(unattended.command.argv, ["claude", "--dangerously-skip-permissions"]);
    assert_eq!(crate::fixture::value(&unattended, "IS_SANDBOX"), None);
}

#[test]
fn a_projects_path_stands_in_json_whatever_it_is() {
    for path in ["/p/a \"b\"", "/p/\"", "/p/back\\slash\\", "/p/é ☃ \u{1f600}", "/p/${project}", "/p/'x'"]
    {
        let machine =
            Machine::ada().config("trust_folder = true").has(path, PathKind::Folder).with(|facts| {
                facts.project.path = path.into();
                facts.project.start = path.into();
                facts.project.git = None;
            });
        let seeds = seeds(&machine.plan());
        assert_eq!(seeds[1]["projects"][path]["hasTrustDialogAccepted"], json!(true), "{path}: {seeds:?}");
    }
}

#[test]
fn the_users_own_configuration_is_there_read_only() {
    let settings = SettingsFact {
        file: "/home/ada/.claude/settings.json".into(),
        scope: SettingsScope::User,
        sha256: "00".to_owned(),
        broken: None,
        env: std::collections::BTreeMap::new(),
        redirects: Vec::new(),
    };
    let machine = Machine::ada()
        .has("/home/ada/.claude/CLAUDE.md", PathKind::File)
        .has("/home/ada/.claude/commands", PathKind::Folder)
        .has("/home/ada/.claude/history.jsonl", PathKind::File)
        .has("/home/ada/.claude/hooks", PathKind::Socket)
        .with(|facts| {
            facts.settings.push(settings);
            facts.mcp_servers.push(McpServerFact {
                of_project: false,
                name: "issues".to_owned(),
                file: "/home/ada/.claude.json".into(),
                transport: "stdio".to_owned(),
                endpoint: None,
            });
        });
    let plan = machine.plan();
    for name in ["CLAUDE.md", "commands"] {
        let mounts = mounts_on(&plan, &format!("/home/ada/.claude/{name}"));
        assert!(matches!(mounts[0].op, MountOp::Bind { access: Access::Ro, .. }), "{name}");
    }
    assert!(mounts_on(&plan, "/home/ada/.claude/history.jsonl").is_empty());
    // What is no file is left out, and the user is told.
    assert!(mounts_on(&plan, "/home/ada/.claude/hooks").is_empty());
    assert!(plan.notes.iter().any(|note| note.text.contains("hooks` is left out")));
    let reference =
        Reference::Settings { agent: "claude".to_owned(), file: "/home/ada/.claude/settings.json".into() };
    let found = mounts_on(&plan, "/home/ada/.claude/settings.json");
    assert!(
        matches!(&found[0].op, MountOp::File { content: FileContent::Reference { reference: found, .. } } if *found == reference)
    );
    assert_eq!(seeds(&plan)[1], json!("@ref:mcp-servers:claude:/home/ada/.claude.json"));
    // Broken settings are left out with a word.
    let broken = machine.with(|facts| facts.settings[0].broken = Some("not JSON".to_owned())).plan();
    assert!(mounts_on(&broken, "/home/ada/.claude/settings.json").is_empty());
    assert!(broken.notes.iter().any(|note| note.text.contains("not JSON")));
}

/// People keep their dotfiles elsewhere: neither the folder nor a file in it being a link changes anything.
#[test]
fn linked_configuration_is_no_secret() {
    let linked_file =
        Machine::ada().has_link("/home/ada/.claude/CLAUDE.md", "/home/ada/dots/CLAUDE.md", PathKind::File);
    let linked_folder = Machine::ada()
        .has_link("/home/ada/.claude", "/home/ada/dots/claude", PathKind::Folder)
        .has_link("/home/ada/.claude/CLAUDE.md", "/home/ada/dots/claude/CLAUDE.md", PathKind::File);
    for machine in [linked_file, linked_folder.clone()] {
        assert_eq!(mounts_on(&machine.plan(), "/home/ada/.claude/CLAUDE.md").len(), 1);
    }
    // The login behind the link stays a secret.
    let login = linked_folder.has("/home/ada/dots/claude/.credentials.json", PathKind::File);
    assert_eq!(login.mount(&["/home/ada/dots/claude/.credentials.json"]).codes(), ["secret-path"]);
}

#[test]
fn a_repository_elsewhere_comes_along_when_it_names_the_work_tree() {
    let machine = |verified: bool| {
        Machine::ada()
            .has("/home/ada/src/main/.git", PathKind::Folder)
            .has("/home/ada/src/main/.git/worktrees/app", PathKind::Folder)
            .with(|facts| {
                facts.project.git = Some(GitFacts {
                    git_dir: "/home/ada/src/main/.git/worktrees/app".into(),
                    common_dir: "/home/ada/src/main/.git".into(),
                    verified,
                });
            })
            .plan()
    };
    let along = machine(true);
    let mounts = mounts_on(&along, "/home/ada/src/main/.git");
    assert!(matches!(mounts[0].op, MountOp::Bind { access: Access::Rw, .. }));
    // The git dir lies in it already.
    assert!(mounts_on(&along, "/home/ada/src/main/.git/worktrees/app").is_empty());
    let left_out = machine(false);
    assert!(mounts_on(&left_out, "/home/ada/src/main/.git").is_empty());
    assert!(left_out.notes.iter().any(|note| note.text.contains("does not name this work tree")));
}

fn copied(fact: Option<WorkingCopyFact>, keep: bool) -> Plan {
    let machine = Machine::ada().with(|facts| facts.working_copy = fact);
    machine
        .flags(|flags| {
            flags.settings.state = Some(StateMode::Copy);
            flags.keep = keep;
        })
        .derived()
        .unwrap()
}

fn state_of_ada() -> camino::Utf8PathBuf {
    crate::derive::state_of_project(&Machine::ada().facts, "claude")
}

fn seen(no_overlay: Option<&str>, reflinks: bool, in_use: bool) -> Option<WorkingCopyFact> {
    let no_overlay = no_overlay.map(str::to_owned);
    Some(WorkingCopyFact { of: state_of_ada(), no_overlay, reflinks, in_use })
}

#[test]
fn a_working_copy_is_an_overlay_only_over_a_state_of_ours_that_nobody_writes() {
    let elsewhere = WorkingCopyFact { of: "/home/ada/.claude".into(), ..seen(None, true, false).unwrap() };
    for (fact, way, reason) in [
        (seen(None, false, false), CopyWay::Overlay, None),
        (seen(None, true, true), CopyWay::Reflink, Some("another run writes")),
        (seen(None, false, true), CopyWay::Copy, Some("another run writes")),
        (seen(Some("refused"), true, false), CopyWay::Reflink, Some("refused")),
        (seen(Some("refused"), false, false), CopyWay::Copy, Some("refused")),
        (Some(elsewhere), CopyWay::Copy, Some("nobody looked")),
        (None, CopyWay::Copy, Some("nobody looked")),
    ] {
        let plan = copied(fact, false);
        let copy = plan.state.copy.as_ref().unwrap();
        assert_eq!((&copy.of, copy.way, copy.keep), (&state_of_ada(), way, false));
        assert_eq!(copy.reason.is_some(), reason.is_some());
        let note = plan.notes.iter().find(|note| note.text.contains("working copy of")).unwrap();
        assert!(note.text.contains(reason.unwrap_or("laid over it")), "{}", note.text);
        let mounts = mounts_on(&plan, "/home/ada/.claude");
        let own = Source::Own { path: state_of_ada() };
        match way {
            CopyWay::Overlay => {
                assert_eq!(mounts[0].op, MountOp::Overlay { source: own, access: Access::Rw })
            }
            CopyWay::Reflink | CopyWay::Copy => {
                let source = Source::Run { folder: RunFolder::Copy };
                assert_eq!(mounts[0].op, MountOp::Bind { source, access: Access::Rw });
            }
        }
    }
}

#[test]
fn configuration_and_credentials_are_never_kept() {
    let plan = copied(seen(None, false, false), true);
    let copy = plan.state.copy.unwrap();
    assert!(copy.keep);
    for name in [
        ".credentials.json",
        "settings.json",
        ".claude.json*",
        "backups",
        "settings*.json",
        ".mcp.json",
        "CLAUDE.md",
        "commands",
        "agents",
        "skills",
        "plugins",
        "hooks",
    ] {
        assert!(copy.never_kept.iter().any(|never| never == name), "{name}: {:?}", copy.never_kept);
    }
    assert!(!copy.never_kept.iter().any(|name| name == "projects"));
}
