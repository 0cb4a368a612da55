use crate::agent::LeaseRule;
use crate::derive::credential::lease_rule;
use crate::facts::{EnvFact, SettingsFact, SettingsScope};
use crate::fixture::{Machine, mounts_on, value, variable};
use crate::plan::{AuthMode, EnvClass, EnvValue, PlanError, Reference};
use crate::sign_in::shape::{LoginDetails, LoginShape};

const FILE: &str = "/home/ada/.claude/.credentials.json";

fn login(change: impl Fn(&mut LoginDetails)) -> Machine {
    Machine::ada().with(|facts| {
        let login = facts.login.as_mut().unwrap();
        let LoginShape::Login(details) = &mut login.shape else { panic!("no login") };
        change(details);
    })
}

fn shape(shape: LoginShape) -> Machine {
    Machine::ada().with(|facts| facts.login.as_mut().unwrap().shape = shape)
}

fn settings(scope: SettingsScope, file: &str, names: &[&str]) -> SettingsFact {
    let env = names.iter().map(|name| ((*name).to_owned(), EnvFact::Redacted("set".to_owned())));
    SettingsFact {
        file: file.into(),
        scope,
        sha256: "00".to_owned(),
        broken: None,
        env: env.collect(),
        redirects: Vec::new(),
    }
}

fn reference(machine: &Machine, name: &str) -> Option<Reference> {
    match &variable(&machine.plan(), name)?.value {
        EnvValue::Reference { reference, .. } => Some(reference.clone()),
        EnvValue::Value { .. } => None,
    }
}

#[test]
fn a_login_is_leased_without_its_refresh_token() {
    let plan = Machine::ada().plan();
    let credential = &plan.credential;
    assert_eq!(
        credential.reference,
        Some(Reference::Lease { account: "host".to_owned(), file: FILE.into() })
    );
    assert_eq!(credential.mode, AuthMode::Lease);
    assert_eq!(credential.expires_at_ms, Some(1_795_334_400_000 + 6 * 3_600_000));
    assert_eq!(plan.sign_in.winner.as_deref(), Some("login"));
    assert_eq!(mounts_on(&plan, "/run/coffer/lease").len(), 1);
    assert_eq!(value(&plan, "CLAUDE_SECURESTORAGE_CONFIG_DIR"), Some("/run/coffer/lease"));
}

#[test]
fn auth_none_lets_nothing_cross() {
    let machine = Machine::ada()
        .secret_env("ANTHROPIC_API_KEY")
        .secret_env("CLAUDE_CODE_OAUTH_TOKEN")
        .with(|facts| {
            facts.environment.insert("CLAUDE_CODE_USE_BEDROCK".to_owned(), EnvFact::Value("1".to_owned()));
            facts.settings.push(settings(
                SettingsScope::User,
                "/home/ada/.claude/settings.json",
                &["ANTHROPIC_AUTH_TOKEN"],
            ));
        })
        .flags(|flags| flags.settings.auth = Some(AuthMode::None));
    let plan = machine.plan();
    assert_eq!((plan.credential.mode, &plan.credential.reference), (AuthMode::None, &None));
    assert_eq!(plan.sign_in.winner, None);
    assert!(mounts_on(&plan, "/run/coffer/lease").is_empty());
    for name in [
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_SECURESTORAGE_CONFIG_DIR",
    ] {
        assert!(variable(&plan, name).is_none(), "{name} crossed");
    }
    // A person's own word still does.
    let plan = machine.flags(|flags| flags.settings.env.pass.push("ANTHROPIC_API_KEY".to_owned())).plan();
    assert_eq!(variable(&plan, "ANTHROPIC_API_KEY").unwrap().class, EnvClass::Extra);
}

#[test]
fn a_pattern_passes_no_credential() {
    let machine = Machine::ada().secret_env("ANTHROPIC_API_KEY").secret_env("ANTHROPIC_LOG").flags(|flags| {
        flags.settings.auth = Some(AuthMode::None);
        flags.settings.env.pass.push("ANTHROPIC_*".to_owned());
    });
    let plan = machine.plan();
    assert!(variable(&plan, "ANTHROPIC_API_KEY").is_none());
    assert!(variable(&plan, "ANTHROPIC_LOG").is_some());
}

#[test]
fn a_key_and_a_login_both_cross() {
    let machine = Machine::ada().secret_env("ANTHROPIC_API_KEY");
    let plan = machine.plan();
    assert_eq!(plan.sign_in.winner.as_deref(), Some("ANTHROPIC_API_KEY"));
    assert!(plan.sign_in.warning.is_some());
    assert!(plan.credential.reference.is_some());
    let host = Reference::HostEnv("ANTHROPIC_API_KEY".to_owned());
    assert_eq!(reference(&machine, "ANTHROPIC_API_KEY"), Some(host));
}

#[test]
fn an_empty_variable_counts_as_unset() {
    for fact in [EnvFact::Empty, EnvFact::Value(String::new())] {
        let machine = Machine::ada().with(|facts| {
            facts.environment.insert("ANTHROPIC_API_KEY".to_owned(), fact);
        });
        let plan = machine.plan();
        assert_eq!(plan.sign_in.winner.as_deref(), Some("login"));
        assert!(variable(&plan, "ANTHROPIC_API_KEY").is_none());
    }
}

#[test]
fn settings_win_over_the_environment_and_the_project_over_both() {
    let user = "/home/ada/.claude/settings.json";
    let machine = Machine::ada()
        .secret_env("ANTHROPIC_API_KEY")
        .with(|facts| facts.settings.push(settings(SettingsScope::User, user, &["ANTHROPIC_API_KEY"])));
    let from_settings = Reference::SettingsEnv { name: "ANTHROPIC_API_KEY".to_owned(), file: user.into() };
    assert_eq!(reference(&machine, "ANTHROPIC_API_KEY"), Some(from_settings));
    assert!(machine.plan().sign_in.reason.contains("set in your settings"));
    let in_project = machine.with(|facts| {
        let file = "/home/ada/src/app/.claude/settings.json";
        facts.settings.push(settings(SettingsScope::Project, file, &["ANTHROPIC_API_KEY"]));
    });
    // The agent reads it there itself; nothing has to cross.
    assert_eq!(reference(&in_project, "ANTHROPIC_API_KEY"), None);
    assert!(in_project.plan().sign_in.reason.contains("set in the project's settings"));
}

#[test]
fn a_helper_does_not_cross_and_the_user_is_told() {
    let machine = Machine::ada().with(|facts| {
        let mut own = settings(SettingsScope::User, "/home/ada/.claude/settings.json", &[]);
        own.redirects.push("apiKeyHelper".to_owned());
        facts.settings.push(own);
    });
    let plan = machine.plan();
    assert_eq!(plan.sign_in.winner.as_deref(), Some("login"));
    assert!(plan.notes.iter().any(|note| note.text.contains("`apiKeyHelper`")));
}

#[test]
fn a_login_that_would_win_and_cannot_be_used_stops_the_run() {
    let error = |machine: &Machine| {
        let refusals = machine.refusals();
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        refusals.into_iter().next().unwrap()
    };
    for (machine, words) in [
        (shape(LoginShape::Unusable { reason: "the file is empty".to_owned() }), "the file is empty"),
        (shape(LoginShape::Unreadable { error: "permission denied".to_owned() }), "permission denied"),
        (login(|details| details.scopes = vec!["user:profile".to_owned()]), "`user:inference` is missing"),
        (login(|details| details.scopes.clear()), "`user:inference` is missing"),
        (
            Machine::ada().with(|facts| facts.login.as_mut().unwrap().leads_out = true),
            "a symbolic link leads out",
        ),
        (
            Machine::ada().with(|facts| facts.login.as_mut().unwrap().uid_mode = Some((0, 0o600))),
            "belongs to uid 0",
        ),
    ] {
        let found = error(&machine);
        assert!(matches!(found, PlanError::LoginUnusable { .. }), "{found:?}");
        assert!(found.to_string().contains(words) && found.to_string().contains(FILE), "{found}");
        // With another credential that wins anyway, it stays outside.
        let plan = machine.secret_env("ANTHROPIC_API_KEY").plan();
        assert_eq!((plan.credential.reference.clone(), plan.sign_in.warning.clone()), (None, None));
    }
}

/// What nobody can renew is refused in its last five minutes; what the keeper can renew is not.
#[test]
fn a_lease_has_at_least_five_minutes_or_is_renewed_first() {
    const NOW: i64 = 1_795_334_400_000;
    let ending = |end: i64, refresh: bool| {
        login(|details| (details.expires_at_ms, details.refresh_token) = (Some(end), refresh))
    };
    for (end, words) in [
        (NOW + 299_999, "ends in 299 s"),
        (NOW + 1_000, "ends in 1 s"),
        (NOW - 7_000, "ended 7 s ago"),
        (0, "ended"),
        (i64::MIN, "ended"),
    ] {
        let refusals = ending(end, false).refusals();
        assert!(matches!(refusals[..], [PlanError::LoginEnding { .. }]), "{end}: {refusals:?}");
        assert!(refusals[0].to_string().contains(words), "{end}: {}", refusals[0]);
        assert!(
            refusals[0].hint().starts_with("`claude auth login`, or `coffer login --account"),
            "{}",
            refusals[0].hint()
        );
        let plan = ending(end, true).plan();
        assert!(plan.credential.reference.is_some());
        let note = plan.notes.iter().find(|note| note.text.contains("the keeper renews it")).unwrap();
        assert!(note.text.contains(words), "{}", note.text);
        // What will not be used is not renewed: with a key that wins it stays outside.
        let plan = ending(end, true).secret_env("ANTHROPIC_API_KEY").plan();
        assert!(plan.credential.reference.is_none() && plan.notes.is_empty());
    }
    for (end, refresh) in [(NOW + 300_000, false), (i64::MAX, false), (NOW + 300_000, true)] {
        let plan = ending(end, refresh).plan();
        assert!(plan.notes.iter().all(|note| !note.text.contains("keeper")), "{end}");
    }
    // An end that is no number never comes.
    assert!(login(|details| details.expires_at_ms = None).refusals().is_empty());
}

#[test]
fn a_host_file_that_others_can_read_is_asked_about() {
    let wide = Machine::ada().with(|facts| facts.login.as_mut().unwrap().uid_mode = Some((1000, 0o644)));
    let asks = wide.plan().sign_in.asks.clone().unwrap();
    assert!(asks.contains("mode 0644") && asks.contains("coffer doctor --fix"), "{asks}");
    assert_eq!(Machine::ada().plan().sign_in.asks, None);
    // Nothing of it crosses, so nobody is asked.
    assert_eq!(wide.auth(AuthMode::None).plan().sign_in.asks, None);
}

#[test]
fn a_demanded_scope_that_is_missing_stops_the_run() {
    let machine = Machine::ada().config("scopes = ['user:sessions']");
    assert_eq!(machine.codes(), ["login-unusable"]);
    assert!(machine.refusals()[0].to_string().contains("`user:sessions` is missing"));
    assert!(Machine::ada().config("scopes = ['user:profile']").codes().is_empty());
    // A project may demand more, never less.
    assert_eq!(Machine::ada().project("scopes = ['user:sessions']", false).codes(), ["login-unusable"]);
}

#[test]
fn without_a_login_the_agent_may_sign_in_inside() {
    let plan = shape(LoginShape::Missing).plan();
    assert_eq!((plan.sign_in.winner.as_deref(), plan.sign_in.warning.as_deref()), (None, None));
    assert_eq!(plan.credential.reference, None);
    assert!(mounts_on(&plan, "/run/coffer/lease").is_empty());
    assert!(plan.state.seeds.is_empty() && plan.state.links.is_empty());
}

#[test]
fn a_version_finds_its_lease_rule() {
    let rule = |since: &str| LeaseRule { since: since.to_owned(), env: None };
    let rules = [rule("0"), rule("2.1.9"), rule("2.1.144")];
    for (version, since) in [
        (None, "2.1.144"),
        (Some("1.0.128"), "0"),
        (Some("2.1.8"), "0"),
        (Some("2.1.9"), "2.1.9"),
        (Some("2.1.10"), "2.1.9"),
        (Some("2.1.143"), "2.1.9"),
        (Some("2.1.144"), "2.1.144"),
        (Some("2.1.144-beta.1"), "2.1.144"),
        (Some("2.1.330"), "2.1.144"),
        (Some("3"), "2.1.144"),
    ] {
        assert_eq!(lease_rule(&rules, version).unwrap().since, since, "{version:?}");
    }
    assert!(lease_rule(&[], Some("1")).is_none());
    assert!(lease_rule(&rules[1..], Some("1")).is_none());
}

#[test]
fn an_older_cli_gets_a_link_and_an_unknown_one_counts_as_the_newest() {
    let version = |version: Option<&str>| {
        Machine::ada().with(|facts| facts.agent.as_mut().unwrap().version = version.map(str::to_owned)).plan()
    };
    let old = version(Some("2.1.143"));
    assert_eq!(value(&old, "CLAUDE_SECURESTORAGE_CONFIG_DIR"), None);
    assert_eq!(old.state.links.len(), 1);
    assert_eq!(
        (old.state.links[0].name.as_str(), old.state.links[0].to.as_str()),
        (".credentials.json", "/run/coffer/lease/.credentials.json")
    );
    let unknown = version(None);
    assert!(value(&unknown, "CLAUDE_SECURESTORAGE_CONFIG_DIR").is_some() && unknown.state.links.is_empty());
    assert!(unknown.notes.iter().any(|note| note.text.contains("version is unknown")));
}
