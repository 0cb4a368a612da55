//! Named accounts: what crosses for each kind, what stays outside, and the mode `shared`.

use crate::agent::CredentialKind::{self, ApiKey, AuthToken, Cloud, Helper, SetupToken, Subscription};
use crate::facts::{EnvFact, RefusedFact, SettingsFact, SettingsScope};
use crate::fixture::{Machine, mounts_on, value, variable};
use crate::plan::{Access, AuthMode, EnvClass, EnvValue, MountOp, PlanError, Reference, Source};
use crate::sign_in::shape::LoginShape;
use crate::sign_in::verify::RefusedBecause;

const PARENT: &str = "/home/ada/.local/share/cofferdam/accounts/work/login";

fn work(kind: CredentialKind) -> Machine {
    Machine::ada().account(kind)
}

fn reference(machine: &Machine, name: &str) -> Option<Reference> {
    match &variable(&machine.plan(), name)?.value {
        EnvValue::Reference { reference, .. } => Some(reference.clone()),
        EnvValue::Value { .. } => None,
    }
}

fn user_settings(machine: Machine, name: &str, fact: EnvFact) -> Machine {
    machine.with(|facts| {
        facts.settings.push(SettingsFact {
            file: "/home/ada/.claude/settings.json".into(),
            scope: SettingsScope::User,
            sha256: "00".to_owned(),
            broken: None,
            env: [(name.to_owned(), fact)].into(),
            redirects: Vec::new(),
        });
    })
}

#[test]
fn a_subscription_is_leased_from_its_own_folder() {
    let plan = work(Subscription).plan();
    let file = format!("{PARENT}/store/.credentials.json");
    let lease = Reference::Lease { account: "work".to_owned(), file: file.into() };
    assert_eq!(plan.credential.reference, Some(lease));
    assert_eq!((plan.credential.account.as_str(), plan.credential.mode), ("work", AuthMode::Lease));
    assert_eq!(plan.credential.account_origin.to_string(), "flag --account");
    assert_eq!(plan.sign_in.winner.as_deref(), Some("login"));
    assert_eq!(plan.sign_in.reason, "the only credential; of the account");
    assert_eq!(mounts_on(&plan, "/run/coffer/lease").len(), 1);
    // The account's folder itself is not shown.
    assert!(plan.mounts.iter().all(|mount| !format!("{:?}", mount.op).contains("accounts/work")));
}

#[test]
fn a_sealed_secret_crosses_by_reference_in_the_variable_of_its_kind() {
    for (kind, name) in [
        (SetupToken, "CLAUDE_CODE_OAUTH_TOKEN"),
        (ApiKey, "ANTHROPIC_API_KEY"),
        (AuthToken, "ANTHROPIC_AUTH_TOKEN"),
    ] {
        let machine = work(kind);
        let secret = Reference::AccountSecret { account: "work".to_owned() };
        assert_eq!(reference(&machine, name), Some(secret.clone()));
        let plan = machine.plan();
        assert_eq!(plan.credential.reference, Some(secret));
        assert_eq!(plan.credential.file, None);
        assert_eq!((plan.sign_in.winner.as_deref(), plan.sign_in.kind), (Some(name), Some(kind)));
        assert_eq!(variable(&plan, name).unwrap().origin.to_string(), "account work");
        assert!(mounts_on(&plan, "/run/coffer/lease").is_empty());
        // Without its secret the agent may sign in inside, and the user is told.
        let without = machine.of_account(|account| account.has_secret = false).plan();
        assert_eq!((without.sign_in.winner.clone(), variable(&without, name)), (None, None));
        assert!(
            without.notes.iter().any(|note| note.text.contains("no key or token")),
            "{:?}",
            without.notes
        );
    }
}

#[test]
fn a_helper_is_run_by_its_real_path_and_nobody_may_write_it() {
    let helper = || work(Helper).of_account(|account| account.helper = Some("/opt/bin/give".into()));
    let program = Reference::AccountHelper { account: "work".to_owned(), program: "/opt/bin/give".into() };
    assert_eq!(reference(&helper(), "ANTHROPIC_API_KEY"), Some(program));
    let missing = work(Helper);
    assert!(matches!(&missing.refusals()[..], [PlanError::AccountUnusable { reason, .. }]
        if reason.contains("not found")));
    let inside = helper().of_account(|account| account.helper = Some("/home/ada/src/app/give".into()));
    assert_eq!(inside.codes(), ["host-executable"]);
}

#[test]
fn a_cloud_provider_is_passed_through_with_what_it_needs() {
    let aws = |value: &str| {
        let switch = EnvFact::Value(value.to_owned());
        let machine = work(Cloud).secret_env("AWS_SECRET_ACCESS_KEY").secret_env("ANTHROPIC_API_KEY");
        machine.with(|facts| drop(facts.environment.insert("CLAUDE_CODE_USE_BEDROCK".to_owned(), switch)))
    };
    let plan = aws("1").plan();
    assert_eq!(plan.sign_in.winner.as_deref(), Some("CLAUDE_CODE_USE_BEDROCK"));
    assert_eq!(variable(&plan, "AWS_SECRET_ACCESS_KEY").unwrap().origin.to_string(), "account work");
    assert!(variable(&plan, "ANTHROPIC_API_KEY").is_none());
    for machine in [aws("0"), work(Cloud)] {
        let refusals = machine.refusals();
        assert!(
            matches!(&refusals[..], [PlanError::AccountUnusable { reason, .. }]
            if reason.contains("`CLAUDE_CODE_USE_BEDROCK`")),
            "{refusals:?}"
        );
    }
    // Nobody else gets what the provider needs.
    let host = Machine::ada().secret_env("AWS_SECRET_ACCESS_KEY").plan();
    assert!(variable(&host, "AWS_SECRET_ACCESS_KEY").is_none());
}

#[test]
fn what_the_account_says_becomes_variables_of_its_own() {
    let machine = work(ApiKey)
        .of_account(|account| {
            account.base_url = Some(EnvFact::Value("https://llm.example.org/v1".to_owned()));
            account.model = Some("opus".to_owned());
            account.timeout_ms = Some(90_000);
        })
        .with(|facts| {
            let other = EnvFact::Value("sonnet".to_owned());
            facts.environment.insert("ANTHROPIC_MODEL".to_owned(), other);
        });
    let plan = machine.plan();
    for (name, expected) in [
        ("ANTHROPIC_BASE_URL", "https://llm.example.org/v1"),
        ("ANTHROPIC_MODEL", "opus"),
        ("API_TIMEOUT_MS", "90000"),
    ] {
        assert_eq!(value(&plan, name), Some(expected));
        let entry = variable(&plan, name).unwrap();
        assert_eq!((entry.origin.to_string().as_str(), entry.class), ("account work", EnvClass::Extra));
    }
    let secret = machine.of_account(|account| account.base_url = Some(EnvFact::Redacted("x".to_owned())));
    assert_eq!(secret.codes(), ["secret-value"]);
}

#[test]
fn an_address_of_the_host_does_not_lead_an_accounts_credential_away() {
    let name = "ANTHROPIC_BASE_URL";
    let in_env = work(ApiKey).secret_env(name);
    let in_settings = user_settings(work(ApiKey), name, EnvFact::Redacted("http://h:1".to_owned()));
    for machine in [&in_env, &in_settings] {
        assert!(variable(&machine.plan(), name).is_none());
    }
    // A person's own word does pass it.
    let passed = in_env.flags(|flags| flags.settings.env.pass.push(name.to_owned())).plan();
    assert_eq!(variable(&passed, name).unwrap().class, EnvClass::Extra);
    // The user's own login goes where the user's settings say, as without a sandbox.
    let host =
        user_settings(Machine::ada().secret_env(name), name, EnvFact::Redacted("http://h:1".to_owned()));
    let file = "/home/ada/.claude/settings.json".into();
    assert_eq!(reference(&host, name), Some(Reference::SettingsEnv { name: name.to_owned(), file }));
}

#[test]
fn credentials_of_the_host_stay_outside_unless_named() {
    let machine = work(Subscription).secret_env("ANTHROPIC_AUTH_TOKEN").with(|facts| {
        drop(facts.environment.insert("CLAUDE_CODE_USE_VERTEX".to_owned(), EnvFact::Value("1".to_owned())))
    });
    let machine = user_settings(machine, "ANTHROPIC_API_KEY", EnvFact::Redacted("set".to_owned()));
    let plan = machine.plan();
    assert_eq!(plan.sign_in.winner.as_deref(), Some("login"));
    for name in ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_USE_VERTEX"] {
        assert!(variable(&plan, name).is_none(), "{name} crossed");
        let note = plan.notes.iter().find(|note| note.text.starts_with(&format!("`{name}`"))).unwrap();
        assert!(note.text.contains(&format!("`--env {name}` passes it")), "{}", note.text);
    }
    let named = machine.flags(|flags| flags.settings.env.pass.push("ANTHROPIC_AUTH_TOKEN".to_owned())).plan();
    assert_eq!(named.sign_in.winner.as_deref(), Some("ANTHROPIC_AUTH_TOKEN"));
    let warning = named.sign_in.warning.clone().unwrap();
    assert!(warning.contains("overrides the account `work`"), "{warning}");
}

#[test]
fn an_account_may_be_chosen_for_one_project() {
    let mut machine = work(ApiKey).config("[project.'/home/ada/src/app']\naccount = 'work'");
    machine.flags.settings.account = None;
    let plan = machine.plan();
    assert_eq!(plan.credential.account_origin.to_string(), "per-project choice account");
    assert_eq!(plan.sign_in.winner.as_deref(), Some("ANTHROPIC_API_KEY"));
    // What a project's own file asks for is a proposal.
    let mut proposed = work(ApiKey).project("account = 'work'", false);
    proposed.flags.settings.account = None;
    let plan = proposed.plan();
    assert_eq!(plan.credential.account, "host");
    assert!(plan.proposals.iter().any(|proposal| proposal.text.contains("account `work`")));
}

#[test]
fn what_is_on_record_decides_too() {
    let print = |machine: &Machine| match &machine.facts.login.as_ref().unwrap().shape {
        LoginShape::Login(details) => details.fingerprint.clone().unwrap_or_default(),
        _ => String::new(),
    };
    let known = work(Subscription).with(|facts| {
        let LoginShape::Login(details) = &mut facts.login.as_mut().unwrap().shape else { return };
        details.fingerprint = Some("sha256:000000000000".to_owned());
    });
    for (because, code) in
        [(RefusedBecause::Reused, "login-unusable"), (RefusedBecause::Revoked, "login-unusable")]
    {
        let fingerprint = print(&known);
        let refused =
            known.clone().of_account(|account| account.refused = Some(RefusedFact { fingerprint, because }));
        assert_eq!(refused.codes(), [code]);
        assert!(refused.refusals()[0].hint().contains("coffer login --account work"));
    }
    let moved = work(Subscription).of_account(|account| account.marker_matches = Some(false)).plan();
    assert!(moved.notes.iter().any(|note| note.text.contains("not the one on record")));
    let wide = work(Subscription)
        .with(|facts| facts.login.as_mut().unwrap().folder_uid_mode = Some((1000, 0o755)))
        .plan();
    assert!(wide.notes.iter().any(|note| note.text.contains("0755") && note.text.contains("tightened")));
    assert_eq!(wide.sign_in.asks, None);
}

#[test]
fn a_shared_login_is_its_private_parent_and_nothing_else() {
    let plan = work(Subscription).auth(AuthMode::Shared).plan();
    let bound = mounts_on(&plan, "/run/coffer/login");
    assert_eq!(bound.len(), 1);
    let source = Source::Own { path: PARENT.into() };
    assert_eq!(bound[0].op, MountOp::Bind { source, access: Access::Rw });
    assert_eq!(bound[0].origin.to_string(), "flag --auth: auth shared");
    assert_eq!(value(&plan, "CLAUDE_SECURESTORAGE_CONFIG_DIR"), Some("/run/coffer/login/store"));
    assert_eq!((plan.credential.mode, &plan.credential.reference), (AuthMode::Shared, &None));
    assert!(plan.credential.file.is_some() && mounts_on(&plan, "/run/coffer/lease").is_empty());
    assert!(plan.notes.iter().any(|note| note.text.contains("can read the refresh token")));
    // The client renews for itself, and signs in there when nobody did.
    for shape in [LoginShape::Missing, LoginShape::SignedOut] {
        let out = work(Subscription).auth(AuthMode::Shared);
        let plan = out.with(|facts| facts.login.as_mut().unwrap().shape = shape).plan();
        assert_eq!((mounts_on(&plan, "/run/coffer/login").len(), &plan.sign_in.winner), (1, &None));
    }
    let ended = work(Subscription).auth(AuthMode::Shared).with(|facts| facts.now_ms += 24 * 3_600_000);
    assert!(ended.plan().notes.iter().all(|note| !note.text.contains("keeper")));
}

#[test]
fn the_users_own_login_is_shared_only_on_their_word() {
    let allowed = |machine: Machine| machine.flags(|flags| flags.settings.allow_host_login = Some(true));
    let shared = || {
        Machine::ada()
            .auth(AuthMode::Shared)
            .has("/home/ada/.claude/settings.json", crate::facts::PathKind::File)
    };
    let plan = allowed(shared()).plan();
    assert!(matches!(mounts_on(&plan, "/run/coffer/login")[0].op, MountOp::Tmpfs { mode: 0o700 }));
    let store = mounts_on(&plan, "/run/coffer/login/store");
    let [mount] = store[..] else { panic!("{store:?}") };
    assert!(matches!(&mount.op, MountOp::Bind { source: Source::Host { path, .. }, access: Access::Rw }
        if path == "/home/ada/.claude"));
    // What the host's next session would run or obey is read-only on top.
    let settings = mounts_on(&plan, "/run/coffer/login/store/settings.json");
    assert!(matches!(settings[0].op, MountOp::Bind { access: Access::Ro, .. }));
    assert!(plan.notes.iter().any(|note| note.text.contains("is run on the host by your next session")));
    let from_file = shared().config("allow_host_login = true");
    assert!(from_file.codes().is_empty());
    assert_eq!(shared().codes(), ["shared-refused"]);
    assert!(shared().refusals()[0].hint().contains("--allow-host-login"));
}

#[test]
fn what_cannot_be_shared_is_refused_with_the_reason() {
    let version = |machine: Machine, version: Option<&str>| {
        machine.with(|facts| facts.agent.as_mut().unwrap().version = version.map(str::to_owned))
    };
    let named = || work(Subscription).auth(AuthMode::Shared);
    let host = || Machine::ada().config("allow_host_login = true").auth(AuthMode::Shared);
    for (machine, words) in [
        (version(named(), Some("2.1.143")), "knows no login folder of its own"),
        (version(named(), None), "version is unknown"),
        (version(host(), Some("2.1.329")), "not measured to be safe"),
        (version(host(), None), "version is unknown"),
        (work(ApiKey).auth(AuthMode::Shared), "(api_key) is no login"),
        (
            work(Cloud).auth(AuthMode::Shared).with(|facts| {
                facts.environment.insert("CLAUDE_CODE_USE_VERTEX".to_owned(), EnvFact::Value("1".to_owned()));
            }),
            "(cloud) is no login",
        ),
    ] {
        let refusals = machine.refusals();
        assert!(matches!(refusals[..], [PlanError::SharedRefused { .. }]), "{words}: {refusals:?}");
        assert!(refusals[0].to_string().contains(words), "{}", refusals[0]);
    }
    assert!(version(named(), Some("2.1.144")).codes().is_empty());
    assert!(version(host(), Some("2.1.330")).codes().is_empty());
    // A login that the table stops is not shared either.
    let corrupted = named().with(|facts| {
        facts.login.as_mut().unwrap().shape = LoginShape::Unusable { reason: "not JSON".to_owned() };
    });
    assert_eq!(corrupted.secret_env("ANTHROPIC_API_KEY").codes(), ["login-unusable"]);
}

#[test]
fn auth_none_lets_nothing_of_an_account_cross() {
    for kind in [Subscription, SetupToken, ApiKey, AuthToken] {
        let plan = work(kind).auth(AuthMode::None).plan();
        assert_eq!((plan.credential.reference.clone(), plan.sign_in.winner.clone()), (None, None));
        let text = serde_json::to_string(&plan.environment).unwrap();
        assert!(!text.contains("account-secret"), "{text}");
    }
}
