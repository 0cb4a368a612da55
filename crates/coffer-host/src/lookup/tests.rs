use camino::Utf8PathBuf;
use coffer_plan::agent::{
    Agent, CredentialRule, LeaseRule, LoginFormat, LoginLayout, McpLayout, SettingsLayout, StateLayout,
};
use coffer_plan::facts::{PathKind, Questions};
use coffer_plan::path::PathTemplate;

use super::look_up;
use crate::scratch::{CANARY, Scratch, set};

/// An agent with a file of each kind.
pub(crate) fn agent() -> Agent {
    let templates = |texts: &[&str]| texts.iter().map(|text| PathTemplate((*text).to_owned())).collect();
    Agent {
        name: "agent".into(),
        title: "Agent".into(),
        command: vec!["agent".into()],
        install_hint: None,
        image: None,
        gateway: None,
        unattended: Default::default(),
        state: Some(StateLayout {
            home: PathTemplate("~/.agent".into()),
            host: templates(&["${XDG_AGENT}", "~/.agent"]),
            env: None,
            never_kept: Vec::new(),
        }),
        login: Some(LoginLayout {
            locks: Vec::new(),
            refreshes: Vec::new(),
            format: LoginFormat::ClaudeOauth,
            file: "login.json".into(),
            folders: templates(&["${XDG_LOGIN}", "${XDG_AGENT:-~/.agent}"]),
            scopes: Vec::new(),
            shared_since: None,
            sign_in: None,
            lease: Vec::<LeaseRule>::new(),
        }),
        credentials: Vec::<CredentialRule>::new(),
        account: Default::default(),
        bare: Default::default(),
        env: Default::default(),
        api_hosts: Vec::new(),
        settings: SettingsLayout {
            project_env: Vec::new(),
            user: Some("settings.json".into()),
            project: vec![".agent/settings.json".into()],
            redirects: ["helper", "env.AGENT_*", "env.https_proxy"].map(str::to_owned).into(),
            mcp: Some(McpLayout {
                project: None,
                files: templates(&["${XDG_AGENT}/.agent.json", "~/.agent.json"]),
                key: "servers".into(),
                state_file: ".agent.json".into(),
            }),
        },
        user_config: Vec::new(),
        seeds: Vec::new(),
        probe: None,
        hazards: Vec::new(),
        deferred: Vec::new(),
    }
}

#[test]
fn every_question_has_its_answer() {
    let scratch = Scratch::new();
    scratch.program("bin/agent", "");
    scratch.file("home/.agent/settings.json", "{}");
    scratch.link("home/.ssh", scratch.folder("keys"));
    let mut facts = scratch.facts();
    let questions = Questions {
        agent: Some(agent()),
        templates: ["~/.ssh", "${XDG_NOWHERE}/x", "~/none"].map(|text| PathTemplate(text.into())).into(),
        paths: vec![Utf8PathBuf::from("/dev/null")],
        workdir: None,
        tools: Vec::new(),
        writable: Vec::new(),
        ..Questions::default()
    };
    look_up(&mut facts, &questions);
    assert_eq!(facts.agent.as_ref().unwrap().path, scratch.path("bin/agent"));
    assert_eq!(facts.settings.len(), 1);
    assert_eq!(facts.login.as_ref().unwrap().folder, scratch.path("home/.agent"));
    assert_eq!(facts.paths[&scratch.path("home/.ssh")].resolved, scratch.path("keys"));
    assert_eq!(facts.paths[&scratch.path("keys")].kind, PathKind::Folder);
    assert_eq!(facts.paths[&scratch.path("home/none")].kind, PathKind::Missing);
    assert_eq!(facts.paths[&Utf8PathBuf::from("/dev/null")].kind, PathKind::Device);
    for path in ["bin/agent", "home/.agent", "home/.agent/settings.json"] {
        assert!(facts.exists(&scratch.path(path)), "{path}");
    }
    assert!(facts.paths.contains_key(&scratch.path("home/.agent/login.json")));
}

#[test]
fn no_questions_add_nothing() {
    let scratch = Scratch::new();
    let mut facts = scratch.facts();
    let before = facts.clone();
    look_up(&mut facts, &Questions::default());
    assert_eq!(facts, before);
}

#[test]
fn no_secret_is_in_any_fact() {
    let scratch = Scratch::new();
    scratch.program("bin/agent", "");
    let settings = format!(
        r#"{{"env": {{"AGENT_API_KEY": "{CANARY}", "AGENT_BASE_URL": "https://{CANARY}@h/{CANARY}?{CANARY}",
            "LIST": ["{CANARY}"], "N": {{"x": "{CANARY}"}}}}, "helper": "echo {CANARY}", "{CANARY}x": 1}}"#
    );
    scratch.file("home/.agent/settings.json", &settings);
    scratch.file("project/.agent/settings.json", format!("{{\"{CANARY}\" \"{CANARY}\""));
    scratch.file(
        "home/.agent/login.json",
        format!(
            r#"{{"claudeAiOauth": {{"accessToken": "{CANARY}", "refreshToken": "{CANARY}", "x": "{CANARY}",
            "scopes": ["user:inference"]}}, "mcpOAuth": {{"x": "{CANARY}"}}}}"#
        ),
    );
    scratch.file(
        "home/.agent.json",
        format!(
            r#"{{"oauthAccount": "{CANARY}", "servers": {{"a": {{"url": "https://h/{CANARY}",
            "headers": {{"Authorization": "Bearer {CANARY}"}}, "type": "{CANARY}"}},
            "b": {{"command": "{CANARY}", "args": ["{CANARY}"]}}}}}}"#
        ),
    );
    scratch.file(
        "home/.gitconfig",
        format!("[user]\nname = Ada\n[http]\nextraHeader = {CANARY}\n[user \"{CANARY}\"]\nname = {CANARY}\n"),
    );
    let mut machine = scratch.machine();
    for name in ["AGENT_API_KEY", "PASSWORD", "TERMCAP", "npm_config_token", "CLAUDE_CODE_OAUTH_TOKEN"] {
        set(&mut machine, name, CANARY);
    }
    for name in ["HTTPS_PROXY", "AGENT_BASE_URL", "DATABASE_URL", "all_proxy"] {
        set(&mut machine, name, format!("https://u:{CANARY}@h:1/{CANARY}?a={CANARY}#{CANARY}"));
    }
    let mut facts = machine.base().unwrap();
    let questions = Questions { agent: Some(agent()), ..Questions::default() };
    look_up(&mut facts, &questions);
    // All of it was read.
    assert_eq!(facts.settings.len(), 2);
    assert_eq!(facts.settings[0].redirects, ["env.AGENT_API_KEY", "env.AGENT_BASE_URL", "helper"]);
    assert_eq!(facts.mcp_servers.len(), 2);
    assert!(facts.login.as_ref().unwrap().uid_mode.is_some());
    assert!(facts.git_identity.is_some() && facts.is_set("PASSWORD"));
    for text in [crate::save(&facts).unwrap(), format!("{facts:?}")] {
        let at = text.find("canary").map(|at| &text[at.saturating_sub(200)..at]);
        assert_eq!(at, None);
    }
}
