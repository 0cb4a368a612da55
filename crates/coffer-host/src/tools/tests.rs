use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use coffer_plan::built_in;
use coffer_plan::facts::{Questions, ToolAnswer};

use super::answers;
use crate::machine::Machine;
use crate::scratch::{CANARY, Scratch, mode, set};

/// What the shipped tools say on this machine, where a sandbox can write in the project.
fn told(scratch: &Scratch, machine: &Machine) -> Vec<ToolAnswer> {
    with(scratch, machine, &[])
}

fn with(scratch: &Scratch, machine: &Machine, writable: &[Utf8PathBuf]) -> Vec<ToolAnswer> {
    let facts = machine.base().unwrap();
    let writable = [&[scratch.path("project")][..], writable].concat();
    let questions = Questions { tools: built_in::tools().unwrap(), writable, ..Questions::default() };
    let answers = answers(&facts, &questions, Some(&scratch.path("home/.cache/cofferdam")));
    assert!(!serde_json::to_string(&answers).unwrap().contains("FAKE"), "{answers:?}");
    answers
}

/// `tool: key -> hosts`, in order.
fn hosts(answers: &[ToolAnswer]) -> Vec<String> {
    let entries = answers.iter().flat_map(|answer| answer.entries.iter().map(move |entry| (answer, entry)));
    let line = entries.map(|(answer, entry)| {
        let hosts: Vec<String> = entry.endpoints.iter().map(ToString::to_string).collect();
        let whose = if answer.of_project.is_some() { "project's " } else { "" };
        format!("{whose}{}: {} -> {}", answer.tool, entry.key, hosts.join(" "))
    });
    line.collect()
}

fn failures(answers: &[ToolAnswer]) -> BTreeMap<&str, &str> {
    answers.iter().filter_map(|answer| Some((answer.source.as_str(), answer.failed.as_deref()?))).collect()
}

/// An npm that writes down each start.
fn npm(scratch: &Scratch, answer: &str) {
    let starts = scratch.path("starts");
    let script = format!("#!/bin/sh\necho \"$HOME $PATH $*\" >> {starts}\n{answer}\n");
    scratch.program("bin/npm", &script);
}

fn starts(scratch: &Scratch) -> usize {
    std::fs::read_to_string(scratch.path("starts")).map_or(0, |text| text.lines().count())
}

#[test]
fn tools_and_files_tell_hosts_and_no_credential() {
    let scratch = Scratch::new();
    npm(&scratch, &format!("echo https://u:{CANARY}@a.example.org/npm/"));
    let npmrc = format!("@x:registry=https://b.example.org/\n//b.example.org/:_authToken={CANARY}\n");
    scratch.file("home/.npmrc", npmrc);
    scratch.file(
        "home/.config/pip/pip.conf",
        "[global]\nextra-index-url =\n  https://c.example.org\n  http://d.example.org:81\n",
    );
    scratch.file(
        "home/.cargo/config.toml",
        format!("[registries.acme]\nindex = 'sparse+https://e.example.org/'\ntoken = '{CANARY}'\n"),
    );
    let index = "home/.cargo/registry/index";
    scratch.file(
        &format!("{index}/f.example.org-0123456789abcdef/config.json"),
        r#"{"dl": "https://g.example.org/crates", "api": null}"#,
    );
    scratch.file(&format!("{index}/h.example.org-0123456789abcdef/other"), "");
    let answers = told(&scratch, &scratch.machine());
    assert_eq!(
        hosts(&answers),
        [
            "cargo: registries.acme.index -> e.example.org:443",
            "cargo: dl -> g.example.org:443",
            "cargo: index -> f.example.org:443",
            "npm: registry -> a.example.org:443",
            "npm: @x:registry -> b.example.org:443",
            "pip: global.extra-index-url -> c.example.org:443",
            "pip: global.extra-index-url -> d.example.org:81",
        ]
    );
    assert_eq!(failures(&answers), BTreeMap::new());
    let told = std::fs::read_to_string(scratch.path("starts")).unwrap();
    let (home, bin) = (scratch.path("home"), scratch.path("bin"));
    assert_eq!(told, format!("{home} {bin} config get registry\n"));
}

#[test]
fn it_is_asked_again_only_when_something_changed() {
    let scratch = Scratch::new();
    npm(&scratch, "echo https://a.example.org/");
    let machine = scratch.machine();
    let first = told(&scratch, &machine);
    for _ in 0..3 {
        assert_eq!(told(&scratch, &machine), first);
    }
    assert_eq!(starts(&scratch), 1);
    scratch.file("home/.npmrc", "fund=false\n");
    told(&scratch, &machine);
    assert_eq!(starts(&scratch), 2, "a file that it reads is new");
    npm(&scratch, "echo https://another.example.org/");
    assert_eq!(hosts(&told(&scratch, &machine)), ["npm: registry -> another.example.org:443"]);
    assert_eq!(starts(&scratch), 3, "the program is another one");
    let cache = scratch.path("home/.cache/cofferdam/tool-npm-0.json");
    assert!(!std::fs::read_to_string(&cache).unwrap().contains("FAKE"));
    std::fs::write(&cache, "{").unwrap();
    told(&scratch, &machine);
    assert_eq!(starts(&scratch), 4, "a broken memory is none");
    // What a sandbox can write is no memory.
    with(&scratch, &machine, &[scratch.path("home/.cache")]);
    assert_eq!(starts(&scratch), 5);
}

#[test]
fn a_failure_is_remembered_as_well_as_an_answer() {
    let scratch = Scratch::new();
    npm(&scratch, "echo https://a.example.org/; exit 7");
    for _ in 0..2 {
        let answers = told(&scratch, &scratch.machine());
        assert_eq!(failures(&answers), BTreeMap::from([("npm config get", "it ended with exit status 7")]));
        assert_eq!(hosts(&answers), Vec::<String>::new());
    }
    assert_eq!(starts(&scratch), 1);
}

#[test]
fn no_program_of_the_projects_is_started() {
    let scratch = Scratch::new();
    let evil = scratch.path("started");
    let script = format!("#!/bin/sh\n: > {evil}\necho https://evil.example.org/\n");
    scratch.program("project/node_modules/.bin/npm", &script);
    let mut machine = scratch.machine();
    set(
        &mut machine,
        "PATH",
        format!("{}:{}", scratch.path("project/node_modules/.bin"), scratch.path("bin")),
    );
    assert_eq!(told(&scratch, &machine), []);
    // A link on the user's own path leads there as well.
    scratch.link("bin/npm", scratch.path("project/node_modules/.bin/npm"));
    let answers = told(&scratch, &machine);
    let failed = failures(&answers);
    assert!(failed["npm config get"].ends_with("it lies where a sandbox can write"), "{failed:?}");
    assert!(!evil.exists());
    // A positive control: the same program elsewhere is started.
    std::fs::remove_file(scratch.path("bin/npm")).unwrap();
    scratch.program("bin/npm", &script);
    assert_eq!(hosts(&told(&scratch, &machine)), ["npm: registry -> evil.example.org:443"]);
    assert!(evil.exists());
}

#[test]
fn a_file_that_a_sandbox_can_write_is_nobodys_word() {
    let scratch = Scratch::new();
    npm(&scratch, "echo https://a.example.org/");
    scratch.file("project/npmrc", "registry=https://evil.example.org/\n");
    scratch.link("home/.npmrc", scratch.path("project/npmrc"));
    let answers = told(&scratch, &scratch.machine());
    assert_eq!(hosts(&answers), Vec::<String>::new());
    assert_eq!(failures(&answers).len(), 2, "neither asked nor read: {answers:?}");
    assert_eq!(starts(&scratch), 0);
    scratch.file("home/.cargo/config.toml", "[registries.x]\nindex = 'sparse+https://evil.example.org/'\n");
    let answers = with(&scratch, &scratch.machine(), &[scratch.path("home/.cargo")]);
    assert_eq!(hosts(&answers), Vec::<String>::new());
}

#[test]
fn what_git_includes_from_a_writable_folder_is_left_out() {
    let scratch = Scratch::new();
    let git = std::process::Command::new("sh").args(["-c", "command -v git"]).output().unwrap();
    let git = String::from_utf8(git.stdout).unwrap();
    scratch.link("bin/git", git.trim());
    scratch.file("project/evil", "[remote \"x\"]\nurl = https://evil.example.org/\n");
    scratch.file("home/more", "[url \"https://b.example.org/\"]\ninsteadOf = https://a.example.org/\n");
    let include = format!("[include]\npath = more\npath = {}\n", scratch.path("project/evil"));
    scratch.file("home/.gitconfig", include + "[credential \"https://c.example.org\"]\nhelper = store\n");
    let machine = scratch.machine();
    let wanted = [
        "git: url.https://b.example.org/.insteadof -> b.example.org:443",
        "git: credential.https://c.example.org.helper -> c.example.org:443",
    ];
    assert_eq!(hosts(&told(&scratch, &machine)), wanted);
    // An included file counts for the memory, too.
    scratch.file("home/more", "[url \"https://longer.example.org/\"]\ninsteadOf = https://a.example.org/\n");
    assert!(hosts(&told(&scratch, &machine))[0].contains("longer.example.org"));
}

#[test]
fn files_of_a_project_are_read_as_its_own() {
    let scratch = Scratch::new();
    scratch.file(
        "project/.npmrc",
        format!("registry=https://a.example.org/\n//a.example.org/:_authToken={CANARY}\n"),
    );
    scratch.file("project/.cargo/config.toml", "[registries.x]\nindex = 'sparse+https://b.example.org/'\n");
    scratch.file("project/requirements.txt", "--index-url https://c.example.org/simple\nx==1\n");
    scratch.file("project/pyproject.toml", "[[tool.uv.index]]\nname = 'x'\nurl = 'https://d.example.org/'\n[[tool.poetry.source]]\nurl = 'https://e.example.org/'\n");
    scratch.file("home/.npmrc-of-another", "registry=https://evil.example.org/\n");
    let project = scratch.path("project");
    scratch.git(&project, &["init", "-q"]);
    scratch.git(&project, &["remote", "add", "origin", "git@f.example.org:p"]);
    assert_eq!(
        hosts(&told(&scratch, &scratch.machine())),
        [
            "project's cargo: registries.x.index -> b.example.org:443",
            "project's git: remote.origin.url -> f.example.org:22",
            "project's npm: registry -> a.example.org:443",
            "project's pip: index-url -> c.example.org:443",
            "project's pyproject: tool.poetry.source.0.url -> e.example.org:443",
            "project's pyproject: tool.uv.index.0.url -> d.example.org:443",
        ]
    );
    // No link leads out.
    std::fs::remove_file(scratch.path("project/.npmrc")).unwrap();
    scratch.link("project/.npmrc", scratch.path("home/.npmrc-of-another"));
    let lines = hosts(&told(&scratch, &scratch.machine()));
    assert!(!lines.iter().any(|line| line.contains("npm")), "{lines:?}");
}

#[test]
fn a_project_can_name_so_many_hosts_and_no_more() {
    let scratch = Scratch::new();
    let many: String = (0..1000).map(|at| format!("@s{at}:registry=https://h{at}.example.org/\n")).collect();
    scratch.file("project/.npmrc", many);
    assert_eq!(hosts(&told(&scratch, &scratch.machine())).len(), super::MAX_NAMED);
}

#[test]
fn what_cannot_be_read_is_told() {
    let scratch = Scratch::new();
    scratch.file("home/.cargo/config.toml", format!("[registries.x]\ntoken = '{CANARY}\n"));
    scratch.folder("home/.npmrc");
    scratch.fifo("home/.pip/pip.conf");
    let answers = told(&scratch, &scratch.machine());
    let reasons: Vec<&str> = failures(&answers).into_values().collect();
    assert_eq!(reasons, ["it is not TOML", "a folder", "a named pipe"]);
    if !rustix::process::geteuid().is_root() {
        mode(&scratch.file("home/.pip/pip.conf", ""), 0o000);
        assert!(
            failures(&told(&scratch, &scratch.machine())).values().any(|reason| reason.contains("denied"))
        );
    }
}

#[test]
fn variables_that_lead_into_the_project_are_not_passed_on() {
    let scratch = Scratch::new();
    npm(&scratch, "env >> \"$HOME/env\"; echo https://a.example.org/");
    let mut machine = scratch.machine();
    set(&mut machine, "XDG_CONFIG_HOME", scratch.path("project/config"));
    set(&mut machine, "GOPATH", scratch.path("home/go"));
    set(&mut machine, "NPM_CONFIG_REGISTRY", "https://evil.example.org/");
    scratch.file("project/config/pip/pip.conf", "[global]\nindex-url = https://evil.example.org/\n");
    set(&mut machine, "PATH", format!("{}:/usr/bin:/bin", scratch.path("bin")));
    let lines = hosts(&told(&scratch, &machine));
    assert!(lines.contains(&"npm: registry -> a.example.org:443".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("evil")), "{lines:?}");
    let passed = std::fs::read_to_string(scratch.path("home/env")).unwrap();
    assert!(passed.contains("GOPATH=") && passed.contains("LC_ALL=C"), "{passed}");
    assert!(!passed.contains("XDG_CONFIG_HOME") && !passed.contains("NPM_CONFIG_REGISTRY"), "{passed}");
}
