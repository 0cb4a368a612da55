//! Every reason for refusing a plan comes up, with its code, who asked, and a way out.

use std::collections::BTreeSet;

use crate::agent::CredentialKind;
use crate::config::{Flags, KeyChoice};
use crate::facts::{AgentFacts, PathKind, SettingsFact, SettingsScope, SocketKind};
use crate::fixture::Machine;
use crate::origin::Origin;
use crate::plan::{AuthMode, BackendKind, Bound, Count, ForwardSpec, NetworkTier, PlanError, StateMode};
use crate::sign_in::shape::LoginShape;

/// The variant's name. A new variant breaks this function, and shall get a case below.
fn variant(error: &PlanError) -> &'static str {
    match error {
        PlanError::NoHome => "NoHome",
        PlanError::HomeIsRoot => "HomeIsRoot",
        PlanError::ProjectTooWide { .. } => "ProjectTooWide",
        PlanError::ProjectOfAnother { .. } => "ProjectOfAnother",
        PlanError::NotInTier { .. } => "NotInTier",
        PlanError::PortRefused { .. } => "PortRefused",
        PlanError::NoAddress { .. } => "NoAddress",
        PlanError::AuthUnavailable { .. } => "AuthUnavailable",
        PlanError::NothingToKeep { .. } => "NothingToKeep",
        PlanError::UnknownAccount { .. } => "UnknownAccount",
        PlanError::AccountUnusable { .. } => "AccountUnusable",
        PlanError::SharedRefused { .. } => "SharedRefused",
        PlanError::BackendUnavailable { .. } => "BackendUnavailable",
        PlanError::NotOnEngine { .. } => "NotOnEngine",
        PlanError::NoFilter { .. } => "NoFilter",
        PlanError::AgentMissing { .. } => "AgentMissing",
        PlanError::SourceMissing { .. } => "SourceMissing",
        PlanError::SourceKind { .. } => "SourceKind",
        PlanError::RootOnlySource { .. } => "RootOnlySource",
        PlanError::DuplicateTarget { .. } => "DuplicateTarget",
        PlanError::Shadow { .. } => "Shadow",
        PlanError::OpensHidden { .. } => "OpensHidden",
        PlanError::ReservedTarget { .. } => "ReservedTarget",
        PlanError::DeferredLink { .. } => "DeferredLink",
        PlanError::Secret { .. } => "Secret",
        PlanError::HostExecutable { .. } => "HostExecutable",
        PlanError::ProjectSettings { .. } => "ProjectSettings",
        PlanError::ProjectSettingsUnreadable { .. } => "ProjectSettingsUnreadable",
        PlanError::LoginUnusable { .. } => "LoginUnusable",
        PlanError::LoginEnding { .. } => "LoginEnding",
        PlanError::SecretValue { .. } => "SecretValue",
        PlanError::VariableUnusable { .. } => "VariableUnusable",
        PlanError::WorkdirHidden { .. } => "WorkdirHidden",
        PlanError::VariableReserved { .. } => "VariableReserved",
        PlanError::HostConfig { .. } => "HostConfig",
        PlanError::ContainerEngine { .. } => "ContainerEngine",
        PlanError::HostSocket { .. } => "HostSocket",
        PlanError::KeyAgent { .. } => "KeyAgent",
        PlanError::NoSuchKey { .. } => "NoSuchKey",
        PlanError::NobodyAsks { .. } => "NobodyAsks",
        PlanError::NoLimit { .. } => "NoLimit",
        PlanError::LimitsInReach { .. } => "LimitsInReach",
    }
}

fn says(say: impl FnOnce(&mut Flags)) -> Machine {
    Machine::ada().flags(say)
}

/// Hosts that are let through, services of the host, ports of the sandbox.
fn services(flags: &mut Flags, tier: NetworkTier, [allow, forward, publish]: [&str; 3]) {
    let settings = &mut flags.settings;
    settings.network = Some(tier);
    settings.allow = allow.split_whitespace().map(|text| text.parse().unwrap()).collect();
    settings.forward = forward.split_whitespace().map(|text| text.parse().unwrap()).collect();
    settings.publish = publish.split_whitespace().map(|text| text.parse().unwrap()).collect();
}

fn project_settings(broken: Option<&str>, redirects: &[&str]) -> Machine {
    Machine::ada().with(|facts| {
        facts.settings.push(SettingsFact {
            file: "/home/ada/src/app/.claude/settings.json".into(),
            scope: SettingsScope::Project,
            sha256: "ab".to_owned(),
            broken: broken.map(str::to_owned),
            env: std::collections::BTreeMap::new(),
            redirects: redirects.iter().map(|key| (*key).to_owned()).collect(),
        });
    })
}

/// The machine on which it happens, its variant and code, and what its message has to say.
type Case = (Machine, &'static str, &'static str, &'static str);

fn cases() -> Vec<Case> {
    [places(), asked(), mounts(), keys(), sign_in()].concat()
}

fn places() -> Vec<Case> {
    let home = |home: Option<&str>| Machine::ada().with(|facts| facts.user.home = home.map(Into::into));
    let project = |path: &str| Machine::ada().with(|facts| facts.project.path = path.into());
    let of_another = Machine::root().with(|facts| facts.project.uid = 1000);
    let absent = says(|f| f.workdir = Some("/home/ada/Documents".into()));
    let workdir = absent.clone().has("/home/ada/Documents", PathKind::Folder);
    vec![
        (home(None), "NoHome", "home", "no home folder"),
        (home(Some("/")), "HomeIsRoot", "home", "`/`"),
        (project("/"), "ProjectTooWide", "project-too-wide", "whole system"),
        (project("/home/ada"), "ProjectTooWide", "project-too-wide", "your home"),
        (project("/home"), "ProjectTooWide", "project-too-wide", "contains your home"),
        (project("/usr"), "ProjectTooWide", "project-too-wide", "folder of the system"),
        (of_another, "ProjectOfAnother", "project-owner", "belongs to uid 1000"),
        (absent, "SourceMissing", "source-missing", "flag --workdir"),
        (workdir, "WorkdirHidden", "workdir", "`/home/ada/Documents` is not shown"),
    ]
}

fn keys() -> Vec<Case> {
    let shown = |kind: SocketKind| {
        let machine = says(|f| f.settings.forward.push(ForwardSpec::Socket("/srv/any".into())));
        let machine = machine.has("/srv/any", PathKind::Socket);
        machine.with(|facts| facts.sockets.named.extend([("/srv/any".into(), kind)]))
    };
    let facts = include_str!("../../../tests/golden/keys/facts.json");
    let facts: crate::facts::HostFacts = serde_json::from_str(facts).unwrap();
    let granted = |key: &str| {
        says(|f| f.settings.ssh_agent = KeyChoice::from_flags(&[key.to_owned()]))
            .with(|own| own.keys = facts.keys.clone())
    };
    let nobody = granted("").with(|facts| facts.keys.askpass = None).config("confirm_keys = true");
    let engine = "whoever talks to it is you on this machine";
    vec![
        (shown(SocketKind::ContainerEngine), "ContainerEngine", "container-engine", engine),
        (shown(SocketKind::Bus), "HostSocket", "host-socket", "`/srv/any` is a bus"),
        (says(|f| f.settings.ssh_agent = Some(KeyChoice::All)), "KeyAgent", "key-agent", "flag --ssh-agent"),
        (granted("none"), "NoSuchKey", "no-such-key", "no SSH key is `none`; there is `SHA256:"),
        (nobody, "NobodyAsks", "nobody-asks", "confirm_keys"),
    ]
}

fn asked() -> Vec<Case> {
    let account = says(|f| f.settings.account = Some("work".to_owned()));
    let keep = says(|f| {
        f.settings.state = Some(StateMode::Shared);
        f.keep = true;
    });
    let limit = says(|f| f.settings.limits.pids = Some(Bound::Of(Count(64))));
    let mut cases = vec![
        (account, "UnknownAccount", "unknown-account", "flag --account"),
        (keep, "NothingToKeep", "nothing-to-keep", "flag --state"),
        (limit, "NoLimit", "no-limit", "flag --pids"),
    ];
    let linked = Machine::deferred().with(|facts| facts.deferred.as_mut().unwrap().found[0].link = true);
    cases.push((linked, "DeferredLink", "deferred-link", "/home/ada/src/app/.claude"));
    for (tier, say) in [
        (NetworkTier::None, ["example.org", "", ""]),
        (NetworkTier::Full, ["example.org", "", ""]),
        (NetworkTier::Full, ["", "8123", ""]),
        (NetworkTier::Full, ["", "", "3000"]),
    ] {
        let machine = says(|f| services(f, tier, say));
        cases.push((machine, "NotInTier", "not-in-tier", "flag --network"));
    }
    for say in [["", "80", ""], ["", "3128", ""], ["", "", "8377"], ["", "", "1:3000 1:3001"]] {
        let machine = says(|f| services(f, NetworkTier::Dev, say));
        cases.push((machine, "PortRefused", "port-refused", "cannot be"));
    }
    let nowhere = Machine::ada().secret_env("ANTHROPIC_BASE_URL").secret_env("ANTHROPIC_API_KEY");
    cases.push((nowhere.auth(AuthMode::Gateway), "NoAddress", "no-address", "ANTHROPIC_BASE_URL"));
    let cloud = Machine::ada().auth(AuthMode::Gateway).with(|facts| {
        let on = crate::facts::EnvFact::Value("1".to_owned());
        facts.environment.insert("CLAUDE_CODE_USE_BEDROCK".to_owned(), on);
    });
    cases.push((cloud, "AuthUnavailable", "auth-unavailable", "flag --auth"));
    let shared = Machine::ada().auth(AuthMode::Shared);
    cases.push((shared, "SharedRefused", "shared-refused", "in the agent's hands"));
    let other = Machine::ada().account(CredentialKind::ApiKey);
    let other = other.of_account(|account| account.agent = "gemini".to_owned());
    cases.push((other, "AccountUnusable", "account-unusable", "flag --account"));
    let on = |kind: BackendKind| says(|f| f.settings.backend = Some(kind));
    let kubernetes = on(BackendKind::Kubernetes);
    cases.push((kubernetes, "BackendUnavailable", "backend-unavailable", "flag --backend"));
    let nesting = on(BackendKind::Podman).flags(|f| f.settings.allow_nesting = Some(true));
    cases.push((nesting, "NotOnEngine", "not-on-engine", "flag --allow-nesting"));
    let root = on(BackendKind::Docker).flags(|f| f.settings.as_root_inside = Some(true));
    cases.push((root, "NotOnEngine", "not-on-engine", "flag --as-root-inside"));
    for (set, variant, code) in [
        ("MY_TOKEN = 'x'", "SecretValue", "secret-value"),
        ("'A=B' = 'x'", "VariableUnusable", "variable-unusable"),
        ("PATH = '/x'", "VariableReserved", "variable-reserved"),
    ] {
        let machine = Machine::ada().config(&format!("env.set = {{ {set} }}"));
        cases.push((machine, variant, code, "config.toml: env.set"));
    }
    cases
}

fn mounts() -> Vec<Case> {
    let srv = || Machine::ada().has("/srv/a", PathKind::Folder).has("/srv/b", PathKind::Folder);
    let root = Machine::root().config("profiles = ['x']\n[[profile.x.mount]]\nsource = '/opt/private'\n");
    let twice = srv().mount(&["/srv/a:/m", "/srv/b:/m"]);
    let around = srv().mount(&["/srv/a:/home/ada/src"]);
    let reserved = srv().mount(&["/srv/a:/proc/self"]);
    let config = Machine::ada().has("/home/ada/.config/cofferdam", PathKind::Folder);
    let config = config.mount(&["~/.config/cofferdam:/c:rw"]);
    let in_reach = Machine::root().has("/sys/fs/cgroup/pids", PathKind::Folder).with(|facts| {
        facts.cgroups.v1_places = [("pids".to_owned(), "/sys/fs/cgroup/pids/x".into())].into();
    });
    let in_reach = in_reach.mount(&["/sys/fs/cgroup/pids:/p:rw"]);
    let program = Machine::ada().mount(&["/usr/local/bin:/b:rw"]);
    let keepers = srv().mount(&["/srv/a:/b:rw"]).with(|facts| {
        let further = facts.agent.clone().map(|first| AgentFacts {
            path: "/srv/a/claude".into(),
            resolved: "/srv/a/claude".into(),
            install_root: "/srv/a/claude".into(),
            ..first
        });
        facts.other_agents.extend(further);
    });
    let mut cases = vec![
        (keepers, "HostExecutable", "host-executable", "`/srv/a/claude`"),
        (Machine::ada().mount(&["/absent"]), "SourceMissing", "source-missing", "flag --mount"),
        (root, "RootOnlySource", "root-only-source", "profile x"),
        (twice, "DuplicateTarget", "duplicate-target", "flag --mount"),
        (around, "Shadow", "shadowed-mount", "`/home/ada/src/app` (built-in project)"),
        (reserved, "ReservedTarget", "reserved-target", "flag --mount"),
        (Machine::ada().mount(&["~/.ssh"]), "Secret", "secret-path", "ssh keys (flag --mount)"),
        (config, "HostConfig", "host-config", "flag --mount"),
        (in_reach, "LimitsInReach", "limits-in-reach", "flag --mount"),
        (program, "HostExecutable", "host-executable", "`/usr/local/bin/coffer`"),
    ];
    for kind in [PathKind::Socket, PathKind::Device, PathKind::Fifo, PathKind::LinkLoop, PathKind::Unreadable]
    {
        let machine = Machine::ada().has("/srv/odd", kind).mount(&["/srv/odd"]);
        cases.push((machine, "SourceKind", "source-kind", "flag --mount"));
    }
    cases
}

fn sign_in() -> Vec<Case> {
    let redirects = project_settings(None, &["apiKeyHelper", "env.ANTHROPIC_BASE_URL"]);
    let broken = project_settings(Some("it is no JSON"), &[]);
    let ending = Machine::ada().with(|facts| {
        facts.now_ms += 6 * 3_600_000;
        let LoginShape::Login(details) = &mut facts.login.as_mut().unwrap().shape else { return };
        details.refresh_token = false;
    });
    let unusable = Machine::ada().with(|facts| {
        let reason = "the file is empty".to_owned();
        facts.login.as_mut().unwrap().shape = LoginShape::Unusable { reason };
    });
    let missing = Machine::ada().with(|facts| facts.agent = None);
    let file = "/home/ada/.claude/.credentials.json";
    let no_filter = Machine::ada().with(|facts| facts.kernel.filters_system_calls = false);
    vec![
        (no_filter, "NoFilter", "no-system-call-filter", "(seccomp)"),
        (missing, "AgentMissing", "agent-missing", "`claude` is not on the PATH"),
        (redirects, "ProjectSettings", "project-settings", "`apiKeyHelper`, `env.ANTHROPIC_BASE_URL`"),
        (broken, "ProjectSettingsUnreadable", "project-settings", "it is no JSON"),
        (unusable, "LoginUnusable", "login-unusable", file),
        (ending, "LoginEnding", "login-ending", file),
    ]
}

#[test]
fn every_refusal_has_its_code_its_origin_and_a_way_out() {
    let mut seen = BTreeSet::new();
    for (machine, name, code, words) in cases() {
        let refusals = machine.refusals();
        let names: Vec<&str> = refusals.iter().map(variant).collect();
        assert!(names.contains(&name), "{name} did not come up: {refusals:?}");
        for error in refusals.iter().filter(|error| variant(error) == name) {
            let message = error.to_string();
            assert_eq!(error.code(), code, "{message}");
            assert!(message.contains(words), "{name}: {message}");
            assert!(!error.hint().is_empty() && !error.hint().contains('\n'), "{name}");
            assert!(!message.ends_with('.') && message.starts_with(|c: char| !c.is_uppercase()), "{message}");
        }
        seen.insert(name);
    }
    // It never comes of layers, since what is taken away comes last; check's own tests make one.
    let opens = PlanError::OpensHidden {
        target: "/a/b".into(),
        origin: Origin::flag("--mount"),
        hidden: "/a".into(),
        hidden_origin: Origin::flag("--hide"),
    };
    seen.insert(variant(&opens));
    assert_eq!(seen.len(), 42, "{seen:?}");
}

#[test]
fn all_refusals_come_at_once() {
    let machine = says(|flags| {
        services(flags, NetworkTier::Dev, ["", "22", ""]);
        flags.keep = true;
        flags.settings.account = Some("work".to_owned());
    })
    .mount(&["/absent"]);
    assert_eq!(machine.codes(), ["nothing-to-keep", "unknown-account", "port-refused", "source-missing"]);
}

#[test]
fn hints_are_commands_that_fit() {
    let hint = |machine: Machine| machine.refusals()[0].hint();
    assert_eq!(hint(Machine::ada().with(|f| f.agent = None)), "`npm install -g @anthropic-ai/claude-code`");
    assert!(hint(Machine::ada().mount(&["~/.ssh"])).contains("expose = [\"/home/ada/.ssh\"]"));
    assert!(hint(Machine::root().with(|f| f.project.uid = 1000)).contains("sudo -u '#1000'"));
    let revoked = Machine::ada().with(|f| f.login.as_mut().unwrap().leads_out = true);
    assert_eq!(hint(revoked), "`coffer doctor` says how to mend it, or go on without: `--auth none`");
    assert_eq!(hint(says(|f| f.settings.account = Some("work".to_owned()))), "`coffer account add work`");
}
