use coffer_plan::agent::CredentialKind;
use coffer_plan::built_in;
use coffer_plan::facts::EnvFact;
use coffer_plan::sign_in::shape::read;
use coffer_plan::sign_in::verify::{Trigger, Verdict};

use super::*;

/// An ordinary user's machine, signed in.
fn ada() -> HostFacts {
    let facts = include_str!("../../../../../coffer-plan/tests/golden/plain/facts.json");
    let mut facts = coffer_host::load(facts, "plain").unwrap();
    // Nothing of this machine is looked at.
    facts.folders.data = "/nonexistent/cofferdam".into();
    facts
}

fn seen(facts: &HostFacts) -> AccountSeen {
    host(facts, &built_in::agent("claude").unwrap(), &["user:inference".to_owned()])
}

#[test]
fn the_hosts_login_is_judged_by_the_one_function() {
    let account = seen(&ada());
    assert_eq!((account.kind, account.verified.trigger), (CredentialKind::Subscription, None));
    let mut facts = ada();
    facts.login.as_mut().unwrap().shape = read(b"");
    let account = seen(&facts);
    assert_eq!(account.verified.verdict, Verdict::LoginNeeded);
    assert_eq!(account.verified.trigger, Some(Trigger::TokenCorrupted));
    facts.login.as_mut().unwrap().shape = LoginShape::Missing;
    assert_eq!(seen(&facts).verified.trigger, Some(Trigger::MissingCredentials));
}

#[test]
fn with_a_key_and_no_login_nothing_is_missing() {
    let mut facts = ada();
    facts.login.as_mut().unwrap().shape = LoginShape::Missing;
    facts.environment.insert("ANTHROPIC_API_KEY".to_owned(), EnvFact::Redacted("set".to_owned()));
    let account = seen(&facts);
    assert_eq!((account.kind, account.verified.trigger), (CredentialKind::ApiKey, None));
    assert_eq!(account.verified.verdict, Verdict::Ready);
    // Beside a login it is the login that is judged; the winner is told apart.
    assert_eq!(seen(&ada()).kind, CredentialKind::Subscription);
}

#[test]
fn a_refusal_on_record_counts_for_the_token_that_was_refused_and_for_no_other() {
    let refused = |fingerprint: &str| {
        let mut facts = ada();
        let shape = &mut facts.login.as_mut().unwrap().shape;
        if let LoginShape::Login(details) = shape {
            details.fingerprint = Some("sha256:111111111111".to_owned());
        }
        let record = serde_json::json!({
            "name": "host", "agent": "claude", "kind": "subscription",
            "refused": {"fingerprint": fingerprint, "because": "revoked"}
        });
        facts.account = Some(serde_json::from_value(record).unwrap());
        seen(&facts).verified.trigger
    };
    assert_eq!(refused("sha256:000000000000"), None);
    assert_eq!(refused("sha256:111111111111"), Some(Trigger::SecurityViolation));
}

#[test]
fn times_are_rfc_3339_and_numbers_that_are_none_are_left_out() {
    assert_eq!(time(1_700_000_000_000).as_deref(), Some("2023-11-14T22:13:20Z"));
    assert_eq!(time(i64::MAX), None);
}
