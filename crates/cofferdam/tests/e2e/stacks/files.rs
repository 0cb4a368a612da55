//! What `coffer init` writes, and what it does not write over.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use coffer_testkit::require;

use crate::support::{Stage, run};

fn all_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                out.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    out.sort();
    out
}

#[test]
fn files_are_written_once_and_the_same_files_may_be_written_again() {
    let stage = Stage::new();
    let init = |words: &[&str]| run(stage.coffer(["init", "compose", "--out", "stack"].iter().chain(words)));
    let written = init(&[]);
    written.ends_with(0);
    assert_eq!(written.text(), "", "data alone goes to stdout");
    let stack = stage.project().join("stack");
    for file in [
        "compose.yaml",
        "README.md",
        "keeper/config.toml",
        "images/agent.Containerfile",
        "images/keeper.Containerfile",
    ] {
        assert!(written.stderr.contains(file) && stack.join(file).is_file(), "{file}: {written}");
    }
    assert!(stack.join("projects/one").is_dir() && stack.join("projects/two").is_dir());
    let program = stack.join("images/coffer");
    assert_eq!(std::fs::read(&program).unwrap(), std::fs::read(stage.program()).unwrap());
    assert_eq!(program.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    let before = all_of(&stack);
    init(&[]).ends_with(0);
    assert_eq!(all_of(&stack), before);
}

#[test]
fn what_is_there_is_never_overwritten_and_the_difference_is_shown() {
    let stage = Stage::new();
    let init = |words: &[&str]| run(stage.coffer(["init", "compose", "--out", "stack"].iter().chain(words)));
    init(&["--service", "one"]).ends_with(0);
    let stack = stage.project().join("stack");
    let before = all_of(&stack);
    let refused = init(&["--service", "one", "--service", "two", "--account", "work"]);
    refused.refuses(2, "file-exists", "compose.yaml` is there already", "--out DIR");
    for line in
        ["(as it is)", "(as it would be)", "-      - --service=one=main", "+      - --service=two=work", "@@"]
    {
        assert!(refused.stderr.contains(line), "{line}: {refused}");
    }
    assert_eq!(all_of(&stack), before, "nothing was written, also not what was missing");
    assert!(!stack.join("projects/two").exists());
    // A file of a person's own, which says nothing to us; and nothing of it moves their terminal.
    std::fs::write(stack.join("compose.yaml"), "services: {}\n\x1b[2J\n").unwrap();
    let refused = init(&["--service", "one"]);
    refused.refuses(2, "file-exists", "is there already", "rm ");
    assert!(!refused.stderr.contains('\x1b') && refused.stderr.contains("-services: {}"), "{refused}");
    assert_eq!(std::fs::read(stack.join("compose.yaml")).unwrap(), b"services: {}\n\x1b[2J\n");
    // A link that leads nowhere is not followed.
    std::fs::remove_file(stack.join("compose.yaml")).unwrap();
    symlink(stage.project().join("elsewhere"), stack.join("compose.yaml")).unwrap();
    init(&["--service", "one"]).refuses(1, "store", "compose.yaml", "");
    assert!(!stage.project().join("elsewhere").exists());
    // Another program is none of ours to write over, either.
    std::fs::remove_file(stack.join("compose.yaml")).unwrap();
    std::fs::write(stack.join("images/coffer"), "another\n").unwrap();
    init(&["--service", "one"]).refuses(2, "file-exists", "another `coffer`", "rm ");
}

#[test]
fn what_cannot_be_a_service_is_refused_and_no_engine_is_needed() {
    let stage = Stage::new();
    let init = |words: &[&str]| {
        let mut command = stage.coffer(["init", "compose", "--out", "stack"].iter().chain(words));
        run(command.env("PATH", stage.scratch.root()))
    };
    std::fs::create_dir_all(stage.project().join("a/site")).unwrap();
    std::fs::create_dir_all(stage.project().join("b/site")).unwrap();
    init(&["--project", "nowhere"]).refuses(2, "project", "is no folder", "mkdir");
    init(&["--project", "a/site", "--project", "b/site"]).refuses(2, "service-name", "called `site`", "link");
    init(&["--project", "a/site:ro"]).refuses(2, "no-service", "no service", "--project PATH");
    init(&["--project", "stack"]).refuses(2, "project", "is no folder", "mkdir");
    std::fs::create_dir(stage.project().join("stack")).unwrap();
    init(&["--project", "stack"]).refuses(2, "project", "at the top of the project", "--out DIR");
    std::fs::remove_dir(stage.project().join("stack")).unwrap();
    init(&["--variant", "projects"]).refuses(2, "no-service", "no service", "--project PATH");
    init(&["--service", "keeper"]).refuses(2, "usage", "names no service", "");
    init(&["--service", "one", "--service", "one"]).refuses(2, "service-name", "called `one`", "");
    init(&["--account", "host"]).refuses(2, "host-account", "your own login", "coffer login");
    init(&["--variant", "isolated", "--service", "host"]).refuses(2, "host-account", "your own login", "");
    init(&["--tool", "cobol"]).refuses(2, "image", "called `cobol`", "python");
    init(&["--base", "x\nRUN y"]).refuses(2, "image", "is no reference", "--base");
    init(&["--agent", "nobody"]).refuses(2, "data", "nobody", "claude");
    assert!(!stage.project().join("stack").exists());
    let written = init(&["--project", "a/site"]);
    assert!(written.ends_with(0).stderr.contains("No engine's compose is on the PATH"), "{written}");
    // In the project itself they are only read.
    let mut within = stage.coffer(["init", "compose", "--project", "a/site", "--out", "a/site/ops"]);
    run(&mut within).ends_with(0);
    let compose = std::fs::read_to_string(stage.project().join("a/site/ops/compose.yaml")).unwrap();
    assert!(compose.contains("target: \"/projects/site/ops\"\n        read_only: true"), "{compose}");
    let nowhere = run(stage.coffer(["init", "devcontainer", "--out", "nowhere"]));
    nowhere.refuses(2, "project", "is no folder", "mkdir");
}

#[test]
fn compose_takes_every_variant() {
    let Some(compose) = require::program("docker-compose") else { return };
    let stage = Stage::new();
    std::fs::create_dir_all(stage.project().join("a project, \"odd\" $HOME: x")).unwrap();
    let odd = "a project, \"odd\" $HOME: x";
    for (folder, words) in [
        ("shared", vec!["compose", "--out", "shared"]),
        ("isolated", vec!["compose", "--out", "isolated", "--variant", "isolated", "--network", "agent"]),
        ("projects", vec!["compose", "--out", "projects", "--project", odd]),
        (".devcontainer", vec!["devcontainer"]),
    ] {
        run(stage.coffer(["init"].iter().chain(&words))).ends_with(0);
        let mut config = stage.command(&compose);
        config.current_dir(stage.project().join(folder)).args(["-f", "compose.yaml", "config"]);
        let config = run(&mut config);
        let text = config.ends_with(0).text();
        assert_eq!(config.stderr, "", "without a word about it");
        assert!(text.contains("network_mode: none") && text.contains("read_only: true"), "{text}");
        if folder == "projects" {
            // Long lines are folded, and a dollar sign is written twice, once more.
            let folded = text.split_whitespace().collect::<String>().replace("\\\\", "\\");
            assert!(
                folded.contains("aproject,\"odd\"$$HOME:x")
                    || folded.contains("aproject,\\\"odd\\\"$$HOME:x"),
                "{text}"
            );
        }
    }
    let devcontainer =
        std::fs::read_to_string(stage.project().join(".devcontainer/devcontainer.json")).unwrap();
    // With comments, as editors read it.
    let plain: String = devcontainer.lines().filter(|line| !line.trim().starts_with("//")).collect();
    let read: serde_json::Value = serde_json::from_str(&plain).unwrap();
    assert_eq!(read["dockerComposeFile"], "compose.yaml", "{read}");
}
