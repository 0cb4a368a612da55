//! Whom a tier lets through, by which doors, and what is signed in by a word of the run.

use crate::agent::CredentialKind;
use crate::facts::{EnvFact, McpServerFact};
use crate::fixture::{Machine, value, variable};
use crate::plan::{AuthMode, CheckedPlan, DoorKind, EnvValue, ForwardSpec, NetworkTier, Ranges, Reference};

fn tier(machine: Machine, tier: NetworkTier) -> CheckedPlan {
    machine.flags(|flags| flags.settings.network = Some(tier)).plan()
}

fn allowed(plan: &CheckedPlan) -> Vec<(String, Ranges)> {
    plan.network.allow.iter().map(|one| (format!("{}:{}", one.host, one.port), one.ranges)).collect()
}

#[test]
fn a_tier_lets_through_what_its_layers_say() {
    let machine = Machine::ada()
        .config("allow = ['pkg.example.org', '*.cdn.example.org', '10.0.0.7:8080']")
        .project("allow = ['evil.example.org']", false);
    let api = [("api.anthropic.com:443", Ranges::Public), ("platform.claude.com:443", Ranges::Public)];
    let own = [
        ("pkg.example.org:443", Ranges::Private),
        ("*.cdn.example.org:443", Ranges::Public),
        ("10.0.0.7:8080", Ranges::Any),
    ];
    for (kind, expected) in [
        (NetworkTier::None, vec![]),
        (NetworkTier::Full, vec![]),
        (NetworkTier::Agent, api.to_vec()),
        (NetworkTier::Dev, [&api[..], &own].concat()),
        (NetworkTier::Learn, [&api[..], &own].concat()),
    ] {
        let plan = tier(machine.clone(), kind);
        let expected: Vec<_> = expected.iter().map(|(host, ranges)| ((*host).to_owned(), *ranges)).collect();
        assert_eq!(allowed(&plan), expected, "{kind}");
        // What the project asks for is shown, and nothing more.
        assert!(plan.proposals.iter().any(|note| note.text.contains("evil.example.org")), "{kind}");
        let apart = plan.hardening.namespaces.contains(&crate::plan::Namespace::Net);
        assert_eq!(apart, kind != NetworkTier::Full, "{kind}");
        let proxied = !matches!(kind, NetworkTier::None | NetworkTier::Full);
        assert_eq!(value(&plan, "HTTPS_PROXY").is_some(), proxied, "{kind}");
        assert_eq!(plan.network.doors.len(), usize::from(proxied), "{kind}");
    }
    // A trusted project's word counts, for names on the open internet.
    let trusted =
        tier(Machine::ada().project("allow = ['pkg.example.org', '10.0.0.9']", true), NetworkTier::Dev);
    let last = allowed(&trusted).split_off(2);
    assert!(last.iter().all(|(_, ranges)| *ranges == Ranges::Public), "{last:?}");
}

#[test]
fn an_api_on_this_machines_loopback_is_there_inside_at_its_port() {
    let with = |url: &str| {
        let url = EnvFact::Redacted(url.to_owned());
        Machine::ada().with(|facts| drop(facts.environment.insert("ANTHROPIC_BASE_URL".to_owned(), url)))
    };
    let ports = |machine: Machine, kind| -> Vec<ForwardSpec> {
        tier(machine, kind).network.forward.iter().map(|service| service.what.clone()).collect()
    };
    for kind in [NetworkTier::Agent, NetworkTier::Dev, NetworkTier::Learn] {
        assert_eq!(ports(with("http://127.0.0.1:4000"), kind), [ForwardSpec::Port(4000)], "{kind}");
        assert_eq!(ports(with("http://localhost:4000"), kind), [ForwardSpec::Port(4000)], "{kind}");
        assert_eq!(ports(with("https://llm.example.org:4000"), kind), [], "{kind}");
        let injected = with("http://127.0.0.1:4000").secret_env("ANTHROPIC_API_KEY").auth(AuthMode::Gateway);
        assert_eq!(ports(injected, kind), [], "the gateway asks it: {kind}");
    }
    assert_eq!(ports(with("http://127.0.0.1:4000"), NetworkTier::None), []);
    assert_eq!(ports(with("http://127.0.0.1:4000"), NetworkTier::Full), []);
}

#[test]
fn a_key_that_the_gateway_has_is_not_inside() {
    let machine = Machine::ada().account(CredentialKind::ApiKey).auth(AuthMode::Gateway);
    for kind in [NetworkTier::None, NetworkTier::Agent, NetworkTier::Dev, NetworkTier::Full] {
        let plan = tier(machine.clone(), kind);
        let shown = &variable(&plan, "ANTHROPIC_AUTH_TOKEN").unwrap().value;
        assert!(matches!(shown, EnvValue::Reference { reference: Reference::Capability, .. }), "{kind}");
        assert!(variable(&plan, "ANTHROPIC_API_KEY").is_none(), "{kind}");
        let url = &variable(&plan, "ANTHROPIC_BASE_URL").unwrap().value;
        match url {
            EnvValue::Value { value } => assert_eq!(value, "http://127.0.0.1:8377", "{kind}"),
            EnvValue::Reference { reference, .. } => {
                assert_eq!((reference, kind), (&Reference::GatewayUrl, NetworkTier::Full));
            }
        }
        let injection = plan.credential.injection.as_ref().unwrap();
        assert_eq!(injection.headers, ["x-api-key"]);
        assert!(plan.network.doors.iter().any(|door| door.kind == DoorKind::Api), "{kind}");
        assert!(plan.sign_in.reason.contains("the gateway has it"), "{}", plan.sign_in.reason);
    }
    // The same account without the mode: the key itself crosses.
    let plan = Machine::ada().account(CredentialKind::ApiKey).plan();
    assert!(variable(&plan, "ANTHROPIC_API_KEY").is_some() && plan.credential.injection.is_none());
}

#[test]
fn servers_on_this_machine_are_named_with_the_flag_that_lets_them_through() {
    let server = |name: &str, endpoint: &str, of_project| McpServerFact {
        name: name.to_owned(),
        file: "/home/ada/.claude.json".into(),
        transport: "http".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        of_project,
    };
    let machine = Machine::ada().with(|facts| {
        facts.mcp_servers = vec![
            server("near", "localhost:8123", false),
            server("near-too", "127.0.0.1:9000", true),
            server("far", "mcp.example.org:443", false),
        ];
    });
    let told = |plan: CheckedPlan| -> Vec<String> {
        let texts = plan.notes.iter().map(|note| note.text.clone());
        texts.filter(|text| text.contains("MCP server")).collect()
    };
    for kind in [NetworkTier::None, NetworkTier::Agent, NetworkTier::Dev, NetworkTier::Learn] {
        let notes = told(tier(machine.clone(), kind));
        assert_eq!(notes.len(), 2, "{kind}: {notes:?}");
        assert!(notes[0].contains("`near`") && notes[0].contains("`--forward 8123`"), "{notes:?}");
        assert!(notes[1].contains("`near-too`") && notes[1].contains("`--forward 9000`"), "{notes:?}");
    }
    assert!(told(tier(machine.clone(), NetworkTier::Full)).is_empty());
    let forwarded = machine.flags(|flags| flags.settings.forward = vec!["8123".parse().unwrap()]);
    assert_eq!(told(tier(forwarded, NetworkTier::Dev)).len(), 1);
}

#[test]
fn a_proxy_of_the_machine_is_named_where_the_gateway_does_not_use_it() {
    let told = |kind, fact| {
        let machine = Machine::ada().with(|facts| {
            facts.environment.insert("HTTPS_PROXY".to_owned(), fact);
        });
        tier(machine, kind).notes.iter().any(|note| note.text.contains("`HTTPS_PROXY` is set"))
    };
    let proxy = || EnvFact::Redacted("http://proxy.example.org:3128".to_owned());
    for kind in [NetworkTier::Agent, NetworkTier::Dev, NetworkTier::Learn] {
        assert!(told(kind, proxy()) && !told(kind, EnvFact::Empty), "{kind}");
    }
    for kind in [NetworkTier::None, NetworkTier::Full] {
        assert!(!told(kind, proxy()), "{kind}");
    }
}
