//! `hide` and `readonly`: they hold wherever a path is shown, and show nothing themselves.

use crate::facts::PathKind::{File, Folder};
use crate::fixture::Machine;
use crate::plan::{Access, MountOp, Plan};

/// What lies on top at a path inside: the last operation that covers it.
fn on_top(plan: &Plan, path: &str) -> &'static str {
    let covers = |target: &camino::Utf8Path| crate::path::is_within(path.into(), target);
    match plan.mounts.iter().rev().find(|mount| covers(&mount.target)).map(|mount| &mount.op) {
        Some(MountOp::Bind { access: Access::Rw, .. }) => "rw",
        Some(MountOp::Bind { access: Access::Ro, .. }) => "ro",
        Some(MountOp::Mask { .. }) => "hidden",
        _ => "nothing",
    }
}

fn ada() -> Machine {
    Machine::ada()
        .has("/home/ada/src/app/.env", File)
        .has("/home/ada/src/app/keys", Folder)
        .has("/home/ada/src/app/keys/deep", Folder)
        .has("/home/ada/data", Folder)
        .has("/home/ada/data/raw", Folder)
        .has("/home/ada/Documents", Folder)
}

#[test]
fn what_is_hidden_is_hidden_at_every_place() {
    let machine = ada()
        .mount(&["~/data", "~/data:/srv/data:rw", "~/data/raw/:/srv/raw"])
        .has("/home/ada/data/raw/x", Folder)
        .config("hide = ['.env', '~/data/raw']");
    let plan = machine.plan();
    for path in ["/home/ada/src/app/.env", "/home/ada/data/raw", "/srv/data/raw/x", "/srv/raw"] {
        assert_eq!(on_top(&plan, path), "hidden", "{path}");
    }
    assert_eq!((on_top(&plan, "/home/ada/data"), on_top(&plan, "/srv/data")), ("ro", "rw"));
}

#[test]
fn what_is_not_shown_is_not_shown_by_being_denied() {
    let before = ada().plan().mounts.clone();
    for text in ["readonly = ['~/Documents']", "hide = ['~/Documents']", "readonly = ['/home/ada/data/raw']"]
    {
        for machine in [ada().config(text), ada().project(text, false)] {
            assert_eq!(machine.plan().mounts, before, "{text}");
        }
    }
}

#[test]
fn what_is_read_only_is_so_at_every_place() {
    let plan = ada()
        .mount(&["~/data:rw", "~/data:/srv/data:rw", "~/data/raw:/srv/raw:rw"])
        .config("readonly = ['~/data/raw', 'keys', '.env']")
        .plan();
    for path in [
        "/home/ada/data/raw",
        "/srv/data/raw",
        "/srv/raw",
        "/home/ada/src/app/keys",
        "/home/ada/src/app/.env",
    ] {
        assert_eq!(on_top(&plan, path), "ro", "{path}");
    }
    assert_eq!((on_top(&plan, "/home/ada/data"), on_top(&plan, "/home/ada/src/app")), ("rw", "rw"));
}

#[test]
fn a_parent_that_is_read_only_makes_its_mounts_so() {
    let plan = ada().config("readonly = ['/home/ada']").plan();
    assert_eq!(on_top(&plan, "/home/ada/src/app"), "ro");
    // The home itself stays the private one.
    assert!(
        !plan
            .mounts
            .iter()
            .any(|mount| mount.target == "/home/ada" && matches!(mount.op, MountOp::Bind { .. }))
    );
    let plan = ada().project("readonly = ['.']", false).plan();
    assert_eq!(on_top(&plan, "/home/ada/src/app/keys"), "ro");
}

#[test]
fn denials_may_overlap_and_be_said_twice() {
    for text in [
        "hide = ['keys', 'keys', 'keys/deep']",
        "hide = ['keys/deep', 'keys']",
        "readonly = ['keys/deep', 'keys', 'keys']",
        "readonly = ['keys', '.']\nhide = ['keys/deep']",
        "readonly = ['keys']\nhide = ['keys']",
    ] {
        let plan = ada().config(text).project(text, false).plan();
        assert_ne!(on_top(&plan, "/home/ada/src/app/keys/deep"), "rw", "{text}");
    }
}

/// A folder that is a mount point cannot be moved away with what is hidden in it.
#[test]
fn the_folders_around_what_is_denied_are_kept_in_place() {
    let plan = ada().config("hide = ['keys/deep']").plan();
    let targets: Vec<&str> = plan.mounts.iter().map(|mount| mount.target.as_str()).collect();
    assert!(targets.ends_with(&[
        "/home/ada/src/app",
        "/home/ada/src/app/keys",
        "/home/ada/src/app/keys/deep"
    ]));
    assert_eq!(on_top(&plan, "/home/ada/src/app/keys"), "rw");
    assert!(plan.mounts[plan.mounts.len() - 2].origin.name.ends_with("hide: kept in place"));
    // Nothing is kept in what cannot be written, and a mount of a person's stays what it was.
    let plan = ada().config("readonly = ['.']\nhide = ['keys/deep']").plan();
    assert!(!plan.mounts.iter().any(|mount| mount.target == "/home/ada/src/app/keys"));
    let plan = ada().mount(&["~/data:/home/ada/src/app/keys"]).config("hide = ['keys/deep']").plan();
    assert_eq!(on_top(&plan, "/home/ada/src/app/keys"), "ro");
}

#[test]
fn a_link_is_denied_where_it_leads_to() {
    let plan = ada()
        .has_link("/home/ada/src/app/link", "/home/ada/src/app/keys", Folder)
        .config("hide = ['link']")
        .plan();
    assert_eq!(on_top(&plan, "/home/ada/src/app/keys/deep"), "hidden");
}

#[test]
fn what_does_not_exist_is_a_note() {
    let plan = ada().config("hide = ['absent']\nreadonly = ['absent']").plan();
    let notes: Vec<&str> = plan.notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(
        notes,
        [
            "`/home/ada/src/app/absent` cannot be kept read-only: it does not exist",
            "nothing to hide at `/home/ada/src/app/absent`: it does not exist",
        ]
    );
}

/// A project that hides everything gets nothing to run in, and nothing else happens.
#[test]
fn everything_may_be_hidden_but_the_init() {
    let machine = ada().has("/", Folder).has("/usr", Folder);
    assert_eq!(machine.clone().project("hide = ['/']", false).codes(), ["workdir"]);
    let plan = machine.project("hide = ['/usr']", false).plan();
    assert_eq!(on_top(&plan, "/usr/bin/sh"), "hidden");
    assert_eq!(on_top(&plan, crate::derive::INIT), "ro");
}

#[test]
fn a_hidden_secret_may_be_mounted_around() {
    let machine = ada().has("/home/ada/.aws", Folder).has("/home/ada/.aws/sso", Folder);
    let around = machine.clone().mount(&["/home/ada/.aws:/cloud"]);
    assert_eq!(around.codes(), ["secret-path"]);
    assert!(around.config("hide = ['~/.aws']").codes().is_empty());
    // A part of it does not do.
    let part = machine.mount(&["/home/ada/.aws:/cloud"]).config("hide = ['~/.aws/sso']");
    assert_eq!(part.codes(), ["secret-path"]);
}
