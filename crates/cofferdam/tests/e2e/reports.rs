//! What `plan`, `why`, `trust` and `version` print.

use serde_json::{Value, json};

use crate::support::{Ran, Stage, run, sandboxes};

fn why(stage: &Stage, words: &[&str]) -> Ran {
    run(stage.coffer(["why"]).args(words).args(["--", "true"]))
}

#[test]
fn plan_compares_with_the_last_run() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let check = |flags: &[&str]| run(stage.coffer(["plan"]).args(flags).args(["--", "true"]));
    check(&["--check"]).ends_with(1);
    check(&["--diff"]).prints("");
    run(stage.run(["--", "true"])).ends_with(0);
    check(&["--check"]).prints("");
    check(&["--diff"]).prints("");
    let ran = check(&["--check", "--network", "none", "--env", "A=b"]);
    ran.ends_with(1);
    let ran = check(&["--diff", "--network", "none", "--env", "A=b"]);
    ran.ends_with(0);
    let lines: Vec<String> = ran.text().lines().map(str::to_owned).collect();
    assert!(lines.iter().any(|line| line.starts_with("~ network dev -> none")), "{ran}");
    assert!(lines.iter().any(|line| line.starts_with("+ env A")), "{ran}");
    // Looking changes nothing.
    check(&["--check"]).ends_with(0);
    // Another terminal is no difference.
    let mut command = stage.coffer(["plan", "--check", "--", "true"]);
    run(command.env("TERM", "xterm").env("NO_COLOR", "1")).ends_with(0);
}

#[test]
fn plan_needs_no_sandbox_and_changes_nothing() {
    let stage = Stage::new();
    let before = crate::support::tree::tree(&stage.home(), &[stage.home().join(".cache/cofferdam")]);
    for words in [
        &["plan"][..],
        &["plan", "--json"],
        &["run", "--dry-run"],
        &["run", "--dry-run=json"],
        &["run", "--dry-run=command"],
    ] {
        let ran = run(stage.coffer(words).args(["--", "touch", "it-ran"]));
        ran.ends_with(0);
        assert_eq!(ran.stderr, "", "{words:?}");
        assert!(!ran.stdout.is_empty(), "{words:?}");
    }
    assert_eq!(crate::support::tree::tree(&stage.home(), &[stage.home().join(".cache/cofferdam")]), before);
    let text = run(stage.coffer(["run", "--dry-run", "--", "true"])).text();
    let audit = run(stage.coffer(["plan", "--", "true"])).text();
    let command = run(stage.coffer(["run", "--dry-run=command", "--", "true"])).text();
    assert!(text.starts_with(&audit) && text.contains(command.trim_end()), "{text}");
}

#[test]
fn why_names_the_decision_and_who_made_it() {
    let stage = Stage::new();
    std::fs::create_dir(stage.home().join(".ssh")).unwrap();
    stage.config("network = \"none\"\n[[mount]]\nsource = \"/opt\"\ntarget = \"/shown\"\n");
    let home = stage.home().display().to_string();
    let ssh = format!("{home}/.ssh/id");
    for (words, verdict, reason) in [
        (&["path", "~/.ssh/id"][..], "hidden", "ssh keys"),
        (&["path", &ssh], "hidden", "ssh keys"),
        (&["path", "."], "read-write", "built-in project"),
        (&["path", "src/main.rs"], "read-write", "built-in project"),
        (&["path", "/usr/bin"], "read-only", "built-in system"),
        (&["path", "/shown/x"], "read-only", "config.toml"),
        (&["path", "/srv"], "hidden", "nothing"),
        (&["path", "/etc/shadow"], "hidden", ""),
        (&["host", "example.com"], "not reachable", "config.toml"),
        (&["host", "example.com:443", "--network", "full"], "reachable", "flag --network"),
        (&["env", "HOME"], "set", "made by the sandbox"),
        (&["env", "NOPE"], "not set", "not set on the host"),
        (&["env", "MINE"], "not set", "--env MINE"),
        (&["env", "MINE", "--env", "MINE"], "set", "flag --env"),
    ] {
        let ask = |more: &[&str]| {
            let mut command = stage.coffer(["why"]);
            command.args(words).args(more).args(["--", "true"]);
            run(command.env("MINE", "CANARY"))
        };
        let ran = ask(&[]);
        ran.ends_with(0).keeps_secret(&["CANARY"]);
        let first = ran.text().lines().next().unwrap().to_owned();
        assert!(first.ends_with(&format!(": {verdict}")), "{words:?}: {ran}");
        assert!(ran.text().contains(reason), "{words:?}: {ran}");
        let ran = ask(&["--json"]);
        let json = ran.json();
        assert_eq!((&json["schema"], &json["verdict"]), (&json!(1), &json!(verdict)), "{words:?}");
        assert!(json["chain"].as_array().is_some_and(|chain| !chain.is_empty()), "{json}");
        ran.keeps_secret(&["CANARY"]);
    }
    why(&stage, &["moon", "x"]).refuses(2, "usage", "moon", "");
    why(&stage, &["path"]).refuses(2, "usage", "", "");
}

#[test]
fn facts_can_be_saved_and_planned_from_without_a_secret() {
    let stage = Stage::new();
    stage.scratch.write_home(
        ".claude/.credentials.json",
        r#"{"claudeAiOauth":{"accessToken":"CANARY-a","refreshToken":"CANARY-r","expiresAt":4102444800000,"scopes":["user:inference"]}}"#,
    ).unwrap();
    let file = stage.scratch.root().join("facts.json").display().to_string();
    let with = |words: &[&str]| {
        let mut command = stage.coffer(words);
        run(command.args(["--", "true"]).env("ANTHROPIC_API_KEY", "CANARY-k").env("OTHER", "CANARY-o"))
    };
    with(&["plan", "--save-facts", &file]).ends_with(0);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("CANARY"), "{text}");
    let (own, saved) = (with(&["plan", "--json"]).json(), with(&["plan", "--json", "--facts", &file]).json());
    assert_eq!(own, saved);
    std::fs::write(&file, "{}").unwrap();
    with(&["plan", "--facts", &file]).refuses(2, "host", "holds no facts", "save the facts anew");
    std::fs::write(&file, "not json").unwrap();
    with(&["plan", "--facts", &file]).refuses(2, "host", "holds no facts", "save the facts anew");
}

#[test]
fn help_and_version_need_nothing() {
    let stage = Stage::new();
    let bare = |words: &[&str]| {
        let mut command = stage.coffer(words);
        run(command.env_clear().current_dir("/"))
    };
    for words in [
        &["--help"][..],
        &["-h"],
        &["help"],
        &["help", "run"],
        &["run", "--help"],
        &["plan", "--help"],
        &["why", "--help"],
        &["trust", "--help"],
        &["try", "--help"],
        &["version", "--help"],
    ] {
        let ran = bare(words);
        ran.ends_with(0);
        assert!(ran.text().contains("Usage: coffer") && ran.stderr.is_empty(), "{words:?}: {ran}");
        assert!(!ran.text().contains("exec-launch"), "{words:?}: {ran}");
    }
    let version = env!("CARGO_PKG_VERSION");
    bare(&["version"]).prints(&format!("coffer {version}\n"));
    bare(&["--version"]).prints(&format!("coffer {version}\n"));
    let json: Value = bare(&["version", "--json"]).json();
    assert_eq!(json, json!({"schema": 1, "name": "coffer", "version": version}));
    let ran = bare(&[]);
    ran.ends_with(2);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("Usage: coffer"), "{ran}");
}

#[test]
fn errors_are_one_line_and_a_hint() {
    let stage = Stage::new();
    for (words, text) in [
        (
            &["run", "--network", "full", "--allow", "example.org", "--", "true"][..],
            "error[not-in-tier]: `--allow example.org` means nothing in the network tier `full` (flag --network)\n\
             hint: leave it out, everything is in reach; or `--network dev`\n",
        ),
        (
            &["plan", "--profile", "nope", "--", "true"],
            "error[config]: no profile is called `nope` (flag --profile)\n\
             hint: define it as `[profile.NAME]` in your config file\n",
        ),
        (
            &["run", "--env", "TOKEN=x", "--", "true"],
            "error[secret-value]: `TOKEN` looks like a secret, and its value would stand in the open (flag --env)\n\
             hint: pass it from your environment: `--env TOKEN`\n",
        ),
        (
            &["run", "--mount", "/nowhere", "--", "true"],
            "error[source-missing]: `/nowhere` does not exist (flag --mount)\nhint: make it, or take the mount out\n",
        ),
    ] {
        let ran = run(stage.coffer(words));
        assert_eq!((ran.text().as_str(), ran.stderr.as_str()), ("", text));
    }
}

#[test]
fn trust_with_nothing_to_trust() {
    let stage = Stage::new();
    let ran = run(stage.coffer(["trust"]));
    assert_eq!((ran.code, ran.text().as_str()), (Some(0), ""), "{ran}");
    assert_eq!(run(stage.coffer(["trust", "--json", "--quiet"])).json(), json!({"schema": 1, "trusted": []}));
}
