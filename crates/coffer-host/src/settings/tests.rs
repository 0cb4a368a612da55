use coffer_plan::facts::{EnvFact, SettingsFact, SettingsScope};

use super::settings;
use crate::lookup::tests::agent;
use crate::scratch::{Scratch, mode, set, without_privileges};

fn all(scratch: &Scratch) -> Vec<SettingsFact> {
    settings(&scratch.facts(), &agent(), None)
}

fn user(scratch: &Scratch, content: &str) -> SettingsFact {
    scratch.file("home/.agent/settings.json", content);
    all(scratch).remove(0)
}

fn project(scratch: &Scratch, content: &str) -> SettingsFact {
    scratch.file("project/.agent/settings.json", content);
    all(scratch).pop().unwrap()
}

#[test]
fn no_file_is_no_fact() {
    assert_eq!(all(&Scratch::new()), []);
    let scratch = Scratch::new();
    scratch.file("project/.agent", "a file where a folder should be");
    assert_eq!(all(&scratch), []);
}

#[test]
fn variables_are_labelled_like_the_environment() {
    let scratch = Scratch::new();
    let fact = user(
        &scratch,
        r#"{"env": {"AGENT_API_KEY": "sk-FAKE", "AGENT_BASE_URL": "https://u:p@host:1/x", "TERM": "dumb",
            "EMPTY": "", "NUMBER": 1, "YES": true, "NULL": null, "LIST": ["sk-FAKE"]}, "model": "x"}"#,
    );
    let redacted = |text: &str| EnvFact::Redacted(text.into());
    assert_eq!(fact.env["AGENT_API_KEY"], redacted("set"));
    assert_eq!(fact.env["AGENT_BASE_URL"], redacted("https://host:1"));
    assert_eq!(fact.env["TERM"], EnvFact::Value("dumb".into()));
    assert_eq!(fact.env["EMPTY"], EnvFact::Empty);
    assert_eq!(fact.env["NUMBER"], redacted("set"));
    assert_eq!(fact.env["YES"], redacted("set"));
    assert_eq!(fact.env["NULL"], redacted("not text"));
    assert_eq!(fact.env["LIST"], redacted("not text"));
    assert_eq!((fact.scope, fact.broken), (SettingsScope::User, None));
    assert_eq!(fact.sha256.len(), 64);
}

#[test]
fn redirects_are_found_by_the_patterns() {
    let scratch = Scratch::new();
    let text = r#"{"env": {"AGENT_BASE_URL": "x", "OTHER": "y", "https_proxy": ""}, "helper": "cmd",
        "deep": {"env": {"AGENT_X": 1}}, "env.AGENT_TRICK": 1, "helpers": 1}"#;
    let wanted = ["env.AGENT_BASE_URL", "env.AGENT_TRICK", "env.https_proxy", "helper"];
    assert_eq!(project(&scratch, text).redirects, wanted);
    let own = user(&scratch, text);
    assert_eq!(own.redirects, ["env.AGENT_BASE_URL", "env.AGENT_TRICK", "helper"]);
    assert_eq!(project(&scratch, r#"{"helper": null}"#).redirects, ["helper"]);
    assert_eq!(user(&scratch, r#"{"helper": ""}"#).redirects, [""; 0]);
    assert_eq!(project(&scratch, r#"{"env": {"AGENT_": {}}}"#).redirects, ["env.AGENT_"]);
    assert_eq!(project(&scratch, "\u{feff}{\"helper\": \"x\"}").redirects, ["helper"]);
}

#[test]
fn a_broken_file_is_a_fact_and_says_nothing_of_its_content() {
    let scratch = Scratch::new();
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for content in [
        "",
        "nonsense sk-FAKE",
        "[\"sk-FAKE\"]",
        "null",
        "\"sk-FAKE\"",
        "{\"sk-FAKE\": }",
        "{\"a\": 1} trailing sk-FAKE",
        "{\"a\": \"sk-FAKE",
        "\0",
        &deep,
    ] {
        for fact in [user(&scratch, content), project(&scratch, content)] {
            let reason = fact.broken.unwrap();
            assert!(reason.starts_with("not ") && !reason.contains("FAKE"), "{content:.30}: {reason}");
            assert_eq!(fact.sha256.len(), 64);
        }
    }
    scratch.file("project/.agent/settings.json", b"{\"a\": \"\xff\"}");
    assert!(all(&scratch)[1].broken.is_some());
}

#[test]
fn what_is_no_file_is_broken_and_blocks_nobody() {
    let scratch = Scratch::new();
    let reason = || {
        let fact = all(&scratch).pop().unwrap();
        assert_eq!((fact.sha256.as_str(), fact.redirects.len()), ("", 0));
        fact.broken.unwrap()
    };
    let file = scratch.fifo("project/.agent/settings.json");
    assert_eq!(reason(), "a named pipe");
    std::fs::remove_file(&file).unwrap();
    scratch.folder("project/.agent/settings.json");
    assert_eq!(reason(), "a folder");
    std::fs::remove_dir(&file).unwrap();
    scratch.file("project/.agent/settings.json", vec![b' '; 1024 * 1024 + 1]);
    assert_eq!(reason(), "larger than 1048576 bytes");
    mode(&file, 0);
    assert!(without_privileges(reason).contains("denied"));
    std::fs::remove_file(&file).unwrap();
    scratch.link("project/.agent/settings.json", scratch.file("real.json", "{}"));
    assert_eq!(reason(), "a symbolic link");
    std::fs::remove_dir_all(scratch.path("project/.agent")).unwrap();
    scratch.link("project/.agent", scratch.folder("elsewhere"));
    assert_eq!(reason(), "a symbolic link");
}

#[test]
fn the_users_file_may_be_a_link_and_follows_the_variable() {
    let scratch = Scratch::new();
    let real = scratch.file("dotfiles/settings.json", r#"{"helper": "x"}"#);
    scratch.link("home/.agent/settings.json", &real);
    assert_eq!(all(&scratch)[0].redirects, ["helper"]);
    let mut machine = scratch.machine();
    set(&mut machine, "XDG_AGENT", scratch.folder("other"));
    scratch.file("other/settings.json", "{}");
    let facts = settings(&machine.base().unwrap(), &agent(), None);
    assert_eq!(facts[0].file, scratch.path("other/settings.json"));
}

#[test]
fn every_folder_from_the_working_folder_to_the_top_counts() {
    let scratch = Scratch::new();
    for folder in ["", "a/", "a/b/", "other/"] {
        scratch.file(&format!("project/{folder}.agent/settings.json"), r#"{"helper": "x"}"#);
    }
    let workdir = scratch.facts().project.path.join("a/b");
    let files = |workdir| -> Vec<_> {
        settings(&scratch.facts(), &agent(), workdir).into_iter().map(|settings| settings.file).collect()
    };
    let expected = ["project", "project/a", "project/a/b"]
        .map(|folder| scratch.path(folder).join(".agent/settings.json"));
    assert_eq!(files(Some(&workdir)), expected);
    assert_eq!(files(None), expected[..1]);
}

#[test]
fn files_of_variables_in_the_project_count_as_settings() {
    let scratch = Scratch::new();
    let text = "# AGENT_BASE_URL=x\nexport AGENT_BASE_URL=\"https://u:p@evil.example.org/x\"\nOTHER=sk-FAKE\nno line\n";
    scratch.file("project/.env", text);
    let mut agent = agent();
    agent.settings.project_env = vec![".env".to_owned()];
    agent.settings.redirects = vec!["env.AGENT_*".to_owned()];
    let found = settings(&scratch.facts(), &agent, None).pop().unwrap();
    assert_eq!(found.redirects, ["env.AGENT_BASE_URL"]);
    assert_eq!(found.env["AGENT_BASE_URL"], EnvFact::Redacted("https://evil.example.org".into()));
    assert_eq!(found.env["OTHER"], EnvFact::Redacted("set".into()));
    assert_eq!(found.scope, SettingsScope::Project);
    scratch.file("project/.env", [0xff, 0xfe]);
    assert_eq!(settings(&scratch.facts(), &agent, None).pop().unwrap().broken.as_deref(), Some("not text"));
}
