use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use coffer_plan::facts::EnvFact;

use super::{address, endpoint, fact, facts};

fn label(name: &str, value: &str) -> String {
    match fact(name, OsStr::new(value)) {
        EnvFact::Redacted(label) => label,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn values_are_for_the_public_list() {
    assert_eq!(fact("TERM", OsStr::new("xterm")), EnvFact::Value("xterm".into()));
    assert_eq!(fact("LC_ALL", OsStr::new("C")), EnvFact::Value("C".into()));
    assert_eq!(label("ANTHROPIC_API_KEY", "sk-ant-FAKE"), "set");
    assert_eq!(label("TERMINFO_SECRET", "x"), "set");
    assert_eq!(fact("TERM", OsStr::new("")), EnvFact::Empty);
    assert_eq!(fact("ANTHROPIC_API_KEY", OsStr::new("")), EnvFact::Empty);
}

#[test]
fn an_address_shows_scheme_host_and_port_only() {
    let shown = [
        ("https://api.example.org", "https://api.example.org"),
        ("https://api.example.org/v1/KEY?key=KEY#KEY", "https://api.example.org"),
        ("http://user:KEY@127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://KEY@host:1/", "http://host:1"),
        ("http://a:KEY@b@host:1/", "http://host:1"),
        ("socks5h://u:KEY@proxy:1080", "socks5h://proxy:1080"),
        ("http://[::1]:3128/KEY", "http://[::1]:3128"),
        (" https://host \n", "https://host"),
    ];
    for (text, wanted) in shown {
        for name in ["ANTHROPIC_BASE_URL", "https_proxy", "OTHER_URL"] {
            let label = label(name, text);
            assert!(!label.contains("KEY"), "{text}: {label}");
            if !text.contains("@b@") {
                assert_eq!(label, wanted, "{text}");
            }
        }
    }
}

#[test]
fn what_is_not_plainly_an_address_shows_nothing() {
    for text in [
        "user:KEY@host:1",
        "KEY",
        "host:3128",
        "https://user:KEY",
        "https://user:KEY/",
        "https://",
        "https:///KEY",
        "https://KEY\\@host",
        "https://KE Y@host",
        "https://%4bEY",
        "https://host:99999",
        "https://host:",
        "/KEY",
        "*",
        "localhost,127.0.0.1",
        "https://h\u{f6}st/",
    ] {
        assert_eq!(label("HTTPS_PROXY", text), "set", "{text}");
    }
}

#[test]
fn an_address_in_any_other_variable_is_a_secret() {
    assert_eq!(label("WEBHOOK", "https://host/KEY"), "set");
    assert_eq!(label("NO_PROXY", "localhost"), "set");
}

#[test]
fn endpoints_have_the_usual_port() {
    assert_eq!(endpoint("https://mcp.example.org/x?y").as_deref(), Some("mcp.example.org:443"));
    assert_eq!(endpoint("http://localhost").as_deref(), Some("localhost:80"));
    assert_eq!(endpoint("http://localhost:99/sse").as_deref(), Some("localhost:99"));
    assert_eq!(endpoint("nonsense"), None);
    assert_eq!(address("nonsense"), None);
}

#[test]
fn bytes_that_are_not_utf8_are_never_shown() {
    let strange = OsString::from_vec(b"x\xff".to_vec());
    assert_eq!(fact("TERM", &strange), EnvFact::Redacted("set".into()));
    let path = OsStr::from_bytes(b"/usr/bin:/caf\xe9:/bin");
    assert_eq!(fact("PATH", path), EnvFact::Value("/usr/bin:/bin".into()));
    assert_eq!(fact("PATH", OsStr::from_bytes(b"/caf\xe9")), EnvFact::Empty);
    let all = facts(&[(strange, "1".into()), ("A".into(), "1".into()), ("A".into(), "".into())]);
    assert_eq!(all.len(), 1);
    assert_eq!(all["A"], EnvFact::Redacted("set".into()));
}

proptest::proptest! {
    /// Whatever a variable holds, its label has nothing but a scheme, a host and a port in it.
    #[test]
    fn a_label_is_an_address_or_a_word(text in "[a-zA-Z]{0,6}(://)?[ -~\u{e4}]{0,40}") {
        let label = match fact("HTTPS_PROXY", OsStr::new(&text)) {
            EnvFact::Redacted(label) => label,
            EnvFact::Empty => return Ok(()),
            EnvFact::Value(value) => panic!("{value}"),
        };
        if label != "set" {
            let (scheme, rest) = label.split_once("://").unwrap();
            proptest::prop_assert!(scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            proptest::prop_assert!(!rest.is_empty() && !rest.contains(['@', '/', '?', '#', '\\', ' ', '%']));
        }
    }

    /// A password never shows, however it is spelt, as long as a host follows it.
    #[test]
    fn a_password_never_shows(user in "[a-z]{0,5}", password in "[A-Z]{8}", host in "[a-z]{1,9}", port in 1_u16..) {
        for text in [
            format!("https://{user}:{password}@{host}:{port}/"),
            format!("https://{password}@{host}?{password}"),
            format!("{host}:{password}"),
            format!("https://{user}:{password}"),
            format!("https://{user}:{password}@"),
        ] {
            if let EnvFact::Redacted(label) = fact("ANTHROPIC_BASE_URL", OsStr::new(&text)) {
                proptest::prop_assert!(!label.contains(&password), "{text}: {label}");
            }
        }
    }
}
