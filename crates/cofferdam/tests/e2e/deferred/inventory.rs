//! What appears all the same is listed, moved aside where the host would run it, and comes back by a command.

use rustix::process::{Pid, Signal, kill_process};

use super::{Ground, host_was_run, status};
use crate::support::run;

#[test]
fn what_the_host_would_run_is_moved_aside_and_comes_back() {
    let Some(ground) = Ground::new() else { return };
    let script = "mkdir -p sub/.vscode new; echo x > sub/.vscode/tasks.json; echo x > sub/.envrc; \
                  mkdir -p .github/workflows; echo x > .github/workflows/ci.yml; echo x > sub/plain";
    let ran = ground.inside(&[], script);
    ran.ends_with(0);
    let sub = ground.project().join("sub");
    assert!(!sub.join(".vscode").exists() && !sub.join(".envrc").exists(), "{ran}");
    assert!(sub.join("plain").exists() && ground.project().join(".github/workflows/ci.yml").exists());
    for words in [
        "sub/.vscode -> .vscode.quarantined-",
        "sub/.envrc -> .envrc.quarantined-",
        ".github/workflows/ci.yml",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran}");
    }
    let listed = run(ground.stage.coffer(["quarantine", "list", "--json"])).json();
    let items = listed["runs"][0]["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), 2, "{listed}");
    for item in &items {
        run(ground.stage.coffer(["quarantine", "restore", item["id"].as_str().unwrap()])).ends_with(0);
    }
    assert!(sub.join(".vscode/tasks.json").exists() && sub.join(".envrc").exists());
    assert_eq!(run(ground.stage.coffer(["quarantine", "list"])).text(), "");
    // What was there before is nothing new.
    let again = ground.inside(&[], "true");
    assert!(!again.stderr.contains("moved aside"), "{again}");
    run(ground.stage.coffer(["quarantine", "restore", "nothing"])).refuses(
        2,
        "usage",
        "`nothing`",
        "quarantine list",
    );
}

#[test]
fn a_new_repository_is_kept_and_what_it_would_run_is_not() {
    let Some(ground) = Ground::new() else { return };
    let mark = ground.stage.home().join("mark");
    let plant = format!(
        "git init -q new; git -C new config core.fsmonitor 'touch {mark} #'; \
         printf '#!/bin/sh\\ntouch {mark}\\n' > new/.git/hooks/post-checkout; chmod +x new/.git/hooks/post-checkout; \
         git init -q fine; git -C fine config user.name Fine",
        mark = mark.display()
    );
    let control = ground.stage.scratch.root().join("control");
    std::fs::create_dir(&control).unwrap();
    run(ground.stage.command("sh").args(["-ec", &plant]).current_dir(&control)).ends_with(0);
    status(&ground, &control.join("new"));
    assert!(host_was_run(&mark), "no positive control");
    std::fs::remove_file(&mark).unwrap();
    let ran = ground.inside(&[], &plant);
    ran.ends_with(0);
    status(&ground, &ground.project().join("new"));
    ground.on_host("cd new && git commit -q --allow-empty -m x && git checkout -q -b y");
    assert!(!host_was_run(&mark), "{ran}");
    ground.on_host("git -C fine config --get user.name").prints("Fine\n");
}

/// A folder can be moved away with what lies in it, and another one can take its place: that is seen at the end.
#[test]
fn what_takes_the_place_of_a_folder_around_is_seen() {
    let Some(ground) = Ground::new() else { return };
    ground.stage.project_file("deep/.envrc", "mine");
    let ran = ground.inside(&[], "mv deep away; mkdir deep; echo x > deep/.envrc");
    ran.ends_with(0);
    let deep = ground.project().join("deep/.envrc");
    assert!(!deep.exists(), "{ran}");
    assert!(ran.stderr.contains("deep/.envrc -> .envrc.quarantined-"), "{ran}");
}

#[test]
fn a_git_file_that_leads_to_a_folder_of_the_agents_is_moved_aside() {
    let Some(ground) = Ground::new() else { return };
    let ran = ground
        .inside(&[], "git init -q --bare target/evil; mkdir sub; echo 'gitdir: ../target/evil' > sub/.git");
    ran.ends_with(0);
    assert!(!ground.project().join("sub/.git").exists(), "{ran}");
}

#[test]
fn links_in_a_new_repository_are_moved_aside() {
    let Some(ground) = Ground::new() else { return };
    let script = "git init -q n; cd n; mv .git/config c; ln -s ../c .git/config; rm -rf .git/hooks; mkdir h; \
                  ln -s ../h .git/hooks";
    let ran = ground.inside(&[], script);
    ran.ends_with(0);
    for name in ["config", "hooks"] {
        assert!(!ground.project().join("n/.git").join(name).exists(), "{name}: {ran}");
    }
}

/// What the user puts into a held place meanwhile is theirs; what the run left is not restored once it was changed.
#[test]
fn what_the_host_puts_into_a_held_place_stays() {
    let Some(ground) = Ground::new() else { return };
    ground.on_host("rm -rf .git/hooks");
    let mut waiting = ground.waiting();
    ground.stage.project_file(".vscode/settings.json", "mine");
    ground.stage.project_file(".git/hooks/pre-push", "mine");
    drop(waiting.stdin.take());
    assert!(waiting.wait().unwrap().success());
    for file in [".vscode/settings.json", ".git/hooks/pre-push"] {
        assert_eq!(super::text(ground.project().join(file)).as_deref(), Some("mine"), "{file}");
    }
    assert_eq!(run(ground.stage.coffer(["quarantine", "list"])).text(), "");
}

#[test]
fn what_was_changed_after_it_was_moved_aside_does_not_come_back() {
    let Some(ground) = Ground::new() else { return };
    ground.inside(&[], "mkdir sub; echo good > sub/.envrc; chmod 0555 sub").ends_with(0);
    assert!(!ground.project().join("sub/.envrc").exists());
    ground
        .inside(&[], "chmod 0755 sub; for at in sub/.envrc.quarantined-*; do echo evil > $at; done")
        .ends_with(0);
    let listed = run(ground.stage.coffer(["quarantine", "list", "--json"])).json();
    let id = listed["runs"][0]["items"][0]["id"].as_str().unwrap().to_owned();
    run(ground.stage.coffer(["quarantine", "restore", &id])).refuses(
        2,
        "usage",
        "not what was moved aside",
        "mv ",
    );
    assert!(!ground.project().join("sub/.envrc").exists());
}

#[test]
fn a_run_that_was_killed_is_told_at_the_next_start() {
    let Some(ground) = Ground::new() else { return };
    let mut killed = ground.waiting();
    kill_process(Pid::from_child(&killed), Signal::KILL).unwrap();
    killed.wait().unwrap();
    ground.stage.project_file("sub/.envrc", "x");
    let next = ground.inside(&[], "true");
    assert!(next.stderr.contains("was killed, and nobody has looked"), "{next}");
    assert!(next.stderr.contains("/sub/.envrc\n"), "{next}");
    let last = ground.inside(&[], "true");
    assert!(!last.stderr.contains("was killed"), "{last}");
}
