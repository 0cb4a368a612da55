use coffer_plan::agent::Agent;
use coffer_plan::facts::AgentFacts;

use super::is_version;
use crate::lookup::tests::agent;
use crate::scratch::Scratch;

fn program(scratch: &Scratch, agent: &Agent) -> Option<AgentFacts> {
    super::program(&scratch.facts(), agent)
}

#[test]
fn an_npm_package_is_its_outermost_modules() {
    let scratch = Scratch::new();
    let modules = "lib/versions/node/20.11.1/lib/node_modules";
    let package = format!("{modules}/@vendor/agent/node_modules/inner");
    let file = scratch.program(&format!("{package}/bin/agent.exe"), "");
    scratch.file(&format!("{package}/package.json"), r#"{"name": "inner"}"#);
    scratch.file(
        &format!("{modules}/@vendor/agent/package.json"),
        r#"{"version": "2.1.330", "x": {"version": "9.9.9"}}"#,
    );
    let link = scratch.link("bin/agent", &file);
    let found = program(&scratch, &agent()).unwrap();
    let wanted = AgentFacts {
        name: "agent".into(),
        path: link,
        resolved: file,
        install_root: scratch.path(modules),
        version: Some("2.1.330".into()),
    };
    assert_eq!(found, wanted);
}

#[test]
fn nothing_above_the_modules_tells_the_version() {
    let scratch = Scratch::new();
    scratch.file("package.json", r#"{"version": "1.1.1"}"#);
    let file = scratch.program("9.9.9/node_modules/agent/cli.js", "");
    scratch.file("9.9.9/node_modules/agent/package.json", "not JSON");
    scratch.link("bin/agent", &file);
    assert_eq!(program(&scratch, &agent()).unwrap().version, None);
}

#[test]
fn a_native_installation_has_its_version_in_the_path() {
    let scratch = Scratch::new();
    let file = scratch.program("home/.local/share/agent/versions/2.1.330", "");
    scratch.file("home/package.json", r#"{"version": "1.1.1"}"#);
    scratch.link("bin/agent", &file);
    let found = program(&scratch, &agent()).unwrap();
    assert_eq!(found.version.as_deref(), Some("2.1.330"));
    assert_eq!(found.install_root, file);
}

#[test]
fn a_manifest_counts_only_close_by_and_not_at_home() {
    let scratch = Scratch::new();
    scratch.file("opt/agent/package.json", r#"{"version": "3.2.1"}"#);
    let file = scratch.program("opt/agent/bin/agent", "");
    let link = scratch.link("bin/agent", &file);
    assert_eq!(program(&scratch, &agent()).unwrap().version.as_deref(), Some("3.2.1"));
    std::fs::remove_file(&link).unwrap();
    scratch.file("home/package.json", r#"{"version": "1.1.1"}"#);
    scratch.link("bin/agent", scratch.program("home/bin/agent", ""));
    assert_eq!(program(&scratch, &agent()).unwrap().version, None);
}

#[test]
fn a_hostile_manifest_tells_nothing() {
    let scratch = Scratch::new();
    let file = scratch.program("node_modules/agent/cli.js", "");
    scratch.link("bin/agent", &file);
    for manifest in [
        r#"{"version": "1.2.3\u001b[31m"}"#,
        r#"{"version": {"a": 1}}"#,
        r#"{"version": 3}"#,
        "[]",
        &"x".repeat(2_000_000),
        &format!("{{\"version\": \"1.2.3\", \"x\": {}", "[".repeat(100_000)),
    ] {
        scratch.file("node_modules/agent/package.json", manifest);
        let version = program(&scratch, &agent()).unwrap().version;
        assert_eq!(version, None, "{}", &manifest[..manifest.len().min(50)]);
    }
}

#[test]
fn a_path_in_the_command_is_a_template() {
    let scratch = Scratch::new();
    let mut agent = agent();
    agent.command = vec!["~/tools/agent".into()];
    assert_eq!(program(&scratch, &agent), None);
    let file = scratch.program("home/tools/agent", "");
    assert_eq!(program(&scratch, &agent).unwrap().path, file);
    agent.command = vec!["tools/agent".into()];
    assert_eq!(program(&scratch, &agent), None);
    agent.command.clear();
    assert_eq!(program(&scratch, &agent), None);
}

#[test]
fn versions_are_numbers_with_dots() {
    for good in ["2.1.330", "1.0.0-beta.2", "10.20.30.40", "1.2.3+build"] {
        assert!(is_version(good), "{good}");
    }
    for bad in ["", "2", "2.1", "a.b.c", "1..2", "1.2.3 x", "1.2.3\n", "v1.2.3", &"1.".repeat(60)] {
        assert!(!is_version(bad), "{bad}");
    }
}
