use proptest::prelude::*;
use serde_json::{Value, json};

use super::{looks_secret, mcp_servers, settings, settings_variable};

fn claude() -> crate::agent::Agent {
    crate::built_in::agent("claude").unwrap()
}

#[test]
fn settings_cross_without_helpers_and_secrets() {
    let file = br#"{"model":"opus","apiKeyHelper":"/bin/give","hooks":{"Stop":[]},
        "env":{"ANTHROPIC_API_KEY":"sk-ant-api03-FAKE-1","GITHUB_TOKEN":"FAKE-2","EDITOR":"vi","FOO":"sk-FAKE-3"}}"#;
    let out = String::from_utf8(settings(file, &claude()).unwrap()).unwrap();
    assert_eq!(out, r#"{"model":"opus","hooks":{"Stop":[]},"env":{"EDITOR":"vi"}}"#);
    assert_eq!(settings_variable(file, "GITHUB_TOKEN").unwrap().as_deref(), Some("FAKE-2"));
}

#[test]
fn servers_cross_without_their_secrets() {
    let file = br#"{"mcpServers":{
        "plain":{"command":"srv","args":["--port","1"],"env":{"API_KEY":"FAKE","MODE":"x"}},
        "option":{"command":"srv","args":["--api-key","FAKE"]},
        "value":{"command":"srv","args":["--x=sk-FAKE"]},
        "header":{"command":"npx","args":["mcp-remote","https://example.org/","--header","Authorization: Bearer FAKE"]},
        "custom":{"command":"npx","args":["--header","X-Api-Key:FAKE"]},
        "variable":{"command":"docker","args":["run","-e","API_KEY=FAKE","image"]},
        "inline":{"command":"sh -c 'curl -H \"Authorization: Bearer FAKE\"'"},
        "number":{"command":"srv","env":{"API_TOKEN":5}},
        "address":{"type":"http","url":"https://u:p@example.org/"},
        "remote":{"type":"http","url":"https://example.org/mcp","headers":{"Authorization":"Bearer FAKE"}}},
        "history":["private"]}"#;
    let out = String::from_utf8(mcp_servers(file, "mcpServers").unwrap()).unwrap();
    let expected = concat!(
        r#"{"mcpServers":{"plain":{"command":"srv","args":["--port","1"],"env":{"MODE":"x"}},"#,
        r#""number":{"command":"srv","env":{}},"#,
        r#""remote":{"type":"http","url":"https://example.org/mcp"}}}"#
    );
    assert_eq!(out, expected);
}

#[test]
fn what_is_no_object_is_refused() {
    for bytes in [&b""[..], b"[]", b"null", b"{", b"\xff"] {
        assert!(settings(bytes, &claude()).is_err());
        assert!(mcp_servers(bytes, "mcpServers").is_err());
    }
}

#[test]
fn names_values_and_addresses_tell_of_secrets() {
    for (name, value) in [("GITHUB_TOKEN", "x"), ("MYAPIKEY", "x"), ("X", "ghp_x"), ("X", "http://u:p@h/")] {
        assert!(looks_secret(name, value), "{name}={value}");
    }
    for (name, value) in
        [("MODE", "x"), ("TOKEN", ""), ("MONKEY", "x"), ("URL", "http://h/@x"), ("TERM", "sk-")]
    {
        assert!(!looks_secret(name, value), "{name}={value}");
    }
}

/// A file with a canary in every place where a secret may stand.
fn canaries() -> impl Strategy<Value = Value> {
    const CANARY: &str = "sk-FAKE-CANARY";
    let word = prop_oneof![
        Just(CANARY.to_owned()),
        Just(format!("--x={CANARY}")),
        Just(format!("API_KEY={CANARY}")),
        Just(format!("Authorization: Bearer {CANARY}")),
        Just(format!("X: {CANARY}")),
        Just("plain".to_owned()),
    ];
    let name = prop_oneof![Just("MODE"), Just("API_KEY"), Just("ANTHROPIC_AUTH_TOKEN"), Just("TERM_X")];
    let env = prop::collection::btree_map(name, word.clone(), 0..4);
    (prop::collection::vec(word.clone(), 0..4), env, word).prop_map(|(args, env, url)| {
        json!({"apiKeyHelper": CANARY, "env": env, "mcpServers":
            {"s": {"command": "srv", "args": args, "env": env, "url": url, "headers": {"x": CANARY}}}})
    })
}

proptest! {
    #[test]
    fn no_canary_crosses(file in canaries()) {
        let bytes = file.to_string().into_bytes();
        for out in [settings(&bytes, &claude()).unwrap(), mcp_servers(&bytes, "mcpServers").unwrap()] {
            let out: Value = serde_json::from_slice(&out).unwrap();
            // Servers are taken from their own file, settings from theirs.
            let out = if out.get("env").is_some() { out["env"].to_string() } else { out.to_string() };
            prop_assert!(!out.contains("CANARY"), "{}", out);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), name in "\\PC{0,12}", value in "\\PC{0,24}") {
        let _ = settings(&bytes, &claude());
        let _ = mcp_servers(&bytes, "mcpServers");
        let _ = settings_variable(&bytes, &name);
        // What looks secret by its name does so with any value, and nothing is secret about nothing.
        prop_assert!(!looks_secret(&name, ""));
        let some = value.clone() + "x";
        prop_assert!(looks_secret("X_TOKEN", &some));
        prop_assert!(!looks_secret("LC_TOKEN", &value));
    }
}
