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
        "address":{"type":"http","url":"https://u:p@example.org/"},
        "remote":{"type":"http","url":"https://example.org/mcp","headers":{"Authorization":"Bearer FAKE"}}},
        "history":["private"]}"#;
    let out = String::from_utf8(mcp_servers(file, "mcpServers").unwrap()).unwrap();
    let expected = concat!(
        r#"{"mcpServers":{"plain":{"command":"srv","args":["--port","1"],"env":{"MODE":"x"}},"#,
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
