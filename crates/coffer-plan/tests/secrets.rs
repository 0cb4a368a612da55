//! A plan holds no secret: whatever is on the machine, only public values stand in it.

mod common;

use coffer_plan::facts::{EnvFact, is_public};
use coffer_plan::show::audit::{Style, audit};
use coffer_plan::show::json;
use serde_json::Value;

#[test]
fn every_value_is_public_made_here_or_typed_by_a_person() {
    for case in common::cases() {
        let plan = case.make().unwrap().plan;
        let json: Value = serde_json::from_str(&json::plan(&plan).unwrap()).unwrap();
        let entries = json["environment"].as_array().unwrap();
        assert!(!entries.is_empty());
        for entry in entries {
            let name = entry["name"].as_str().unwrap();
            let Some(value) = entry.get("value") else {
                assert!(entry["ref"].as_str().unwrap().starts_with("@ref:"), "{}: {entry}", case.name());
                assert!(entry["label"].is_string(), "{}: {entry}", case.name());
                continue;
            };
            let typed = ["flag", "user_file", "per_project", "profile", "account"]
                .contains(&entry["origin"]["layer"].as_str().unwrap());
            let allowed = is_public(name) || entry["class"] == "sandbox" || typed;
            assert!(allowed, "{}: {name}={value}", case.name());
        }
    }
}

/// The facts have no place for a secret, so there is none to leak: what is not public is a label.
#[test]
fn facts_hold_values_of_public_names_only() {
    for case in common::cases() {
        for (name, fact) in &case.facts.environment {
            assert!(!matches!(fact, EnvFact::Value(_)) || is_public(name), "{}: {name}", case.name());
        }
    }
}

/// Names that tell of a secret are on no public list.
#[test]
fn no_credential_is_public() {
    for name in [
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "HTTPS_PROXY",
        "GEMINI_API_KEY",
        "OPENAI_API_KEY",
        "SSH_AUTH_SOCK",
        "LC",
        "TERMX",
        "",
    ] {
        assert!(!is_public(name), "{name}");
    }
}

/// A value that is not public stays outside even when somebody puts it into the facts as one.
#[test]
fn a_secret_in_the_wrong_place_is_in_no_picture() {
    const CANARY: &str = "sk-ant-api03-FAKE-CANARY";
    let mut case = common::case("key-and-login");
    case.facts.environment.insert("ANTHROPIC_API_KEY".to_owned(), EnvFact::Redacted("set".to_owned()));
    case.facts.environment.insert("MY_TOKEN".to_owned(), EnvFact::Value(CANARY.to_owned()));
    let made = case.make().unwrap();
    assert!(!json::plan(&made.plan).unwrap().contains(CANARY));
    assert!(!audit(&made.plan, Style { color: false }).contains(CANARY));
}
