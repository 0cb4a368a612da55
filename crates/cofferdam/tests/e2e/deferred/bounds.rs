//! Projects that are large, linked or closed: each works at a level that is said, or stops with the way out.

use std::os::unix::fs::PermissionsExt as _;

use super::Ground;
use crate::support::run;

#[test]
fn a_link_in_the_place_of_git_or_of_the_agents_settings_stops_the_run() {
    let Some(ground) = Ground::new() else { return };
    ground.on_host("mkdir ../elsewhere; ln -s ../elsewhere .claude");
    ground.inside(&[], "true").refuses(125, "deferred-link", ".claude", "--allow-write");
    ground.on_host("rm .claude; ln -s ../elsewhere .vscode");
    ground.inside(&[], "true").refuses(125, "deferred-link", ".vscode", "--allow-write");
    ground.inside(&["--allow-write", ".vscode"], "true").ends_with(0);
    ground.on_host("rm .vscode; mv .git ../elsewhere/git; ln -s ../elsewhere/git .git");
    ground.inside(&[], "true").refuses(125, "deferred-link", ".git", "--allow-write");
}

#[test]
fn a_project_with_200_000_files_starts_and_says_what_was_not_looked_at() {
    let Some(ground) = Ground::new() else { return };
    for folder in 0..200 {
        let folder = ground.project().join(format!("files/{folder}"));
        std::fs::create_dir_all(&folder).unwrap();
        let first = folder.join("0");
        std::fs::write(&first, "").unwrap();
        // Names are what the scan meets; a file system makes links sooner than files.
        for file in 1..1000 {
            std::fs::hard_link(&first, folder.join(file.to_string())).unwrap();
        }
    }
    let plan =
        run(ground.stage.coffer(["plan", "--json", "--auth", "none", "--network", "none", "--", "true"]))
            .json();
    let notes = plan["notes"].to_string();
    assert!(notes.contains("not everything in the project was looked at"), "{notes}");
    // What lies near the root is found all the same.
    let ran = ground.inside(&[], "echo x > .git/hooks/pre-commit");
    assert_ne!(ran.code, Some(0), "{ran}");
}

#[test]
fn five_hundred_repositories_are_read_only_beyond_the_first_ones() {
    let Some(ground) = Ground::new() else { return };
    ground.on_host(
        "git init -q many/0; for at in $(seq 1 499); do cp -r many/0 many/$at; done; \
         git -C many/0 commit -q --allow-empty -m x",
    );
    let script = "for at in $(seq 0 499); do echo x 2>/dev/null > many/$at/.git/hooks/pre-commit && echo $at; \
                  mv many/$at/.git x 2>/dev/null && echo moved $at; done; true";
    ground.inside(&[], script).prints("");
    let plan =
        run(ground.stage.coffer(["plan", "--json", "--auth", "none", "--network", "none", "--", "true"]))
            .json();
    assert!(plan["notes"].to_string().contains("repositories beyond the first"), "{}", plan["notes"]);
}

#[test]
fn a_project_that_cannot_be_written_is_left_as_it_is() {
    let Some(ground) = Ground::of_ordinary_user() else { return };
    ground.stage.project_file(".vscode/tasks.json", "{}");
    // The stage gives everything to its user before each command; so its user closes it.
    ground.on_host("chmod 0555 .");
    let ran = ground.inside(&[], "cat .vscode/tasks.json; git log --format=%s -1");
    ran.prints("{}first\n");
    std::fs::set_permissions(ground.project(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(ground.names(), [".git", ".vscode"]);
}
