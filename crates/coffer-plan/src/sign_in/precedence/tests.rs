//! The order was measured with the genuine CLI for all pairs; the audit has to say the same.

use super::{Around, OF_ACCOUNT, Present, SignIn, bare, says_no, winner};
use crate::agent::{Agent, CredentialKind};

/// From the strongest to the weakest.
const ORDER: [(&str, CredentialKind); 8] = [
    ("CLAUDE_CODE_USE_BEDROCK", CredentialKind::Cloud),
    ("CLAUDE_CODE_USE_VERTEX", CredentialKind::Cloud),
    ("CLAUDE_CODE_USE_FOUNDRY", CredentialKind::Cloud),
    ("ANTHROPIC_AUTH_TOKEN", CredentialKind::AuthToken),
    ("ANTHROPIC_API_KEY", CredentialKind::ApiKey),
    ("apiKeyHelper", CredentialKind::Helper),
    ("CLAUDE_CODE_OAUTH_TOKEN", CredentialKind::SetupToken),
    ("login", CredentialKind::Subscription),
];

fn claude() -> Agent {
    crate::built_in::agent("claude").unwrap()
}

fn decided(agent: &Agent, names: &[&str]) -> SignIn {
    let rules = agent.credentials.iter().filter(|rule| names.contains(&rule.source.as_str()));
    let present: Vec<Present<'_>> = rules.map(|rule| Present { rule, found: "there" }).collect();
    assert_eq!(present.len(), names.len());
    winner(&present, Around::default())
}

#[test]
fn the_data_file_has_the_measured_order() {
    let agent = claude();
    let order: Vec<_> = agent.credentials.iter().map(|rule| (rule.source.as_str(), rule.kind)).collect();
    assert_eq!(order, ORDER);
}

#[test]
fn of_every_pair_the_earlier_wins() {
    let agent = claude();
    for (at, (stronger, kind)) in ORDER.iter().enumerate() {
        let alone = decided(&agent, &[stronger]);
        assert_eq!((alone.winner.as_deref(), alone.kind), (Some(*stronger), Some(*kind)));
        assert_eq!(alone.reason, "the only credential; there");
        assert_eq!(alone.warning, None);
        for (weaker, _) in &ORDER[at + 1..] {
            let pair = decided(&agent, &[stronger, weaker]);
            assert_eq!(pair.winner.as_deref(), Some(*stronger), "{stronger} and {weaker}");
            assert_eq!(pair.reason, format!("there; it comes before {weaker} in the agent's order"));
        }
    }
}

/// Whoever has a login and a key is told that the key is billed; two headers are named.
#[test]
fn pairs_that_surprise_have_a_warning() {
    let agent = claude();
    let overrides =
        |name: &str| Some(format!("`{name}` overrides the subscription login; usage is billed to it"));
    let two =
        |one: &str, other: &str| Some(format!("two credential headers will be sent: `{one}` and `{other}`"));
    let (token, key, helper, setup) =
        ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "apiKeyHelper", "CLAUDE_CODE_OAUTH_TOKEN");
    for (names, warning) in [
        (vec![token, "login"], overrides(token)),
        (vec![key, "login"], overrides(key)),
        (vec![helper, "login"], overrides(helper)),
        (vec![setup, "login"], overrides(setup)),
        (vec!["CLAUDE_CODE_USE_BEDROCK", "login"], overrides("CLAUDE_CODE_USE_BEDROCK")),
        (vec![token, key], two(token, key)),
        (vec![token, helper], two(token, helper)),
        (vec!["CLAUDE_CODE_USE_VERTEX", key], None),
        (vec![token, setup], None),
        (vec![key, setup], None),
        (vec![token, key, "login"], two(token, key)),
    ] {
        assert_eq!(decided(&agent, &names).warning, warning, "{names:?}");
    }
}

#[test]
fn without_a_credential_nobody_wins() {
    let nobody = winner(&[], Around::default());
    assert_eq!((nobody.winner, nobody.kind, nobody.warning), (None, None, None));
    assert_eq!(nobody.reason, "no credential crosses; the agent may sign in inside");
}

#[test]
fn all_losers_are_named() {
    let names: Vec<&str> = ORDER.iter().map(|(name, _)| *name).collect();
    let all = decided(&claude(), &names);
    assert!(ORDER[1..].iter().all(|(name, _)| all.reason.contains(name)), "{}", all.reason);
}

fn around<'a>(agent: &'a Agent, names: &[&str], own: &str, words: &'a [String]) -> SignIn {
    let rules = agent.credentials.iter().filter(|rule| names.contains(&rule.source.as_str()));
    let found = |source: &str| if source == own { OF_ACCOUNT } else { "passed by name" };
    let present: Vec<Present<'_>> = rules.map(|rule| Present { rule, found: found(&rule.source) }).collect();
    let says_yes = |name: &str| words.iter().any(|word| word == name);
    winner(&present, Around { account: Some("work"), bare: bare(&agent.bare, words, says_yes) })
}

#[test]
fn what_overrides_a_named_account_is_told() {
    let agent = claude();
    let (token, key, setup) = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN");
    for (names, own, warning) in [
        (vec![key], key, None),
        (vec![key, setup], key, None),
        (
            vec![key, setup],
            setup,
            Some("`ANTHROPIC_API_KEY` overrides the account `work`; usage is billed to it"),
        ),
        (
            vec![setup, "login"],
            "login",
            Some("`CLAUDE_CODE_OAUTH_TOKEN` overrides the account `work`; usage is billed to it"),
        ),
        (
            vec![token, key],
            key,
            Some(
                "`ANTHROPIC_AUTH_TOKEN` overrides the account `work`; two credential headers will be sent: \
                 `ANTHROPIC_AUTH_TOKEN` and `ANTHROPIC_API_KEY`",
            ),
        ),
        (
            vec![token, key],
            token,
            Some("two credential headers will be sent: `ANTHROPIC_AUTH_TOKEN` and `ANTHROPIC_API_KEY`"),
        ),
    ] {
        assert_eq!(around(&agent, &names, own, &[]).warning.as_deref(), warning, "{names:?} of {own}");
    }
}

/// Measured: `--bare` and `CLAUDE_CODE_SIMPLE=1` ignore OAuth.
#[test]
fn what_the_agent_ignores_does_not_win() {
    let agent = claude();
    let (key, setup) = ("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN");
    for cause in ["--bare", "CLAUDE_CODE_SIMPLE"] {
        let words = [cause.to_owned()];
        let seen = around(&agent, &[setup, "login"], "login", &words);
        assert_eq!(seen.winner, None);
        let text = format!("`{cause}` makes the agent ignore `{setup}`, `login`");
        assert_eq!(seen.warning, Some(text));
        let seen = around(&agent, &[key, "login"], "login", &words);
        assert_eq!(seen.winner.as_deref(), Some(key));
        assert!(seen.warning.unwrap().contains("ignore `login`"));
        // A key alone is what it is for.
        assert_eq!(around(&agent, &[key], key, &words).warning, None);
    }
    assert_eq!(around(&agent, &["login"], "login", &["-p".to_owned()]).winner.as_deref(), Some("login"));
}

#[test]
fn words_that_say_no_are_no_yes() {
    assert!(["", "0", "false", "No", "OFF"].into_iter().all(says_no));
    assert!(!["1", "true", "yes", "us-east-1"].into_iter().any(says_no));
}
