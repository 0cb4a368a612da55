use coffer_plan::tool::Format;

use super::read;

/// Every pair, as `key=value`.
fn pairs(format: Format, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    read(format, text.as_bytes(), ("key", "(default "), &mut |pair| {
        let origin = pair.origin.map(|origin| format!("{origin}: ")).unwrap_or_default();
        out.push(format!("{origin}{}={}", pair.key, pair.value));
    })
    .unwrap();
    out
}

fn refusal(format: Format, bytes: &[u8]) -> &'static str {
    read(format, bytes, ("", ""), &mut |_| {}).unwrap_err()
}

#[test]
fn npm_configuration() {
    let text = "\u{feff}; comment\n# too\n\nregistry = \"https://a.example.org/\"\n @acme:registry=https://b.example.org\r\n\
        ca[]=one\nca[] = two\n//b.example.org/:_authToken=x=y\nno value\n[section]\nkey='v'\n";
    assert_eq!(
        pairs(Format::Ini, text),
        [
            "registry=https://a.example.org/",
            "@acme:registry=https://b.example.org",
            "ca=one",
            "ca=two",
            "//b.example.org/:_authToken=x=y",
            "section.key=v",
        ]
    );
}

#[test]
fn pip_configuration() {
    let text = "    stray\n[global]\nIndex-Url: https://a.example.org/simple\nextra-index-url =\n    https://b.example.org\n\n    # no\n\
        \thttps://c.example.org\ntimeout = 60\n[install]\n    not = a continuation\n";
    assert_eq!(
        pairs(Format::ContinuedIni, text),
        [
            "global.index-url=https://a.example.org/simple",
            "global.extra-index-url=",
            "global.extra-index-url=https://b.example.org",
            "global.extra-index-url=https://c.example.org",
            "global.timeout=60",
            "install.not=a continuation",
        ]
    );
}

#[test]
fn tables_become_dotted_keys() {
    let text = "[source.\"my mirror\"]\nregistry = 'sparse+https://a.example.org/' # comment\n[registries]\nb = { index = 'c', token = 't' }\n\
        list = ['x', 'y']\n[[index]]\nurl = 'z'\n[net]\nretry = 2\n";
    assert_eq!(
        pairs(Format::Toml, text),
        [
            "index.0.url=z",
            "registries.b.index=c",
            "registries.b.token=t",
            "registries.list.0=x",
            "registries.list.1=y",
            "source.\"my mirror\".registry=sparse+https://a.example.org/",
        ]
    );
    let json = r#"{"GOPROXY": "a,b", "n": 1, "deep": {"list": ["x", null]}}"#;
    assert_eq!(pairs(Format::Json, json), ["GOPROXY=a,b", "deep.list.0=x"]);
}

#[test]
fn tables_that_lie_too_deep_are_left_alone() {
    let deep = format!("{}\"x\"{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(pairs(Format::Json, &deep), Vec::<String>::new());
}

#[test]
fn git_names_the_file_of_each_value() {
    let text = "file:/home/ada/.gitconfig\0url.https://a.example.org/.insteadof\nhttps://b.example.org/\0\
        file:/home/ada/x\0credential.https://c.example.org.helper\0command line:\0remote.x.url\nno\0";
    assert_eq!(
        pairs(Format::Git, text),
        [
            "/home/ada/.gitconfig: url.https://a.example.org/.insteadof=https://b.example.org/",
            "/home/ada/x: credential.https://c.example.org.helper=",
        ]
    );
    let file = "[remote \"origin\"]\n\turl = git@a.example.org:x\n[core]\n\tbare = false\n";
    assert_eq!(pairs(Format::GitConfig, file), ["remote.origin.url=git@a.example.org:x", "core.bare=false"]);
}

#[test]
fn addresses_in_help_and_in_option_lines() {
    let help = "  -i, --index-url <url>\n      Base URL of the Index (default\n      https://a.example.org/simple). This should";
    assert_eq!(pairs(Format::Help, help), ["key=https://a.example.org/simple"]);
    assert_eq!(pairs(Format::Help, "no such words"), Vec::<String>::new());
    let file = "# comment\nrequests==2.0\n--index-url https://a.example.org/simple # why\n--extra-index-url=https://b.example.org\n\
        -i 'https://c.example.org'\n-e .\n--no-binary\n";
    assert_eq!(
        pairs(Format::Options, file),
        [
            "index-url=https://a.example.org/simple",
            "extra-index-url=https://b.example.org",
            "i=https://c.example.org",
            "e=."
        ]
    );
    assert_eq!(pairs(Format::Lines, "\n a \n\nb"), ["key=a", "key=b"]);
}

#[test]
fn what_does_not_read_says_so_and_shows_nothing() {
    assert_eq!(refusal(Format::Toml, b"token = 'sk-FAKE"), "it is not TOML");
    assert_eq!(refusal(Format::Json, b"{"), "it is not JSON");
    assert_eq!(refusal(Format::GitConfig, b"[remote"), "git would refuse it");
    assert_eq!(refusal(Format::Ini, b"\xff"), "it is not UTF-8 text");
}

proptest::proptest! {
    /// No text brings a reader down.
    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]\"'=:#;\\n\\r\\t{},.a-c0 \u{0}-]{0,120}") {
        for format in [
            Format::Lines, Format::Ini, Format::ContinuedIni, Format::Toml, Format::Json, Format::Git,
            Format::GitConfig, Format::Help, Format::Options,
        ] {
            let _ = read(format, text.as_bytes(), ("key", "a"), &mut |pair| {
                assert!(pair.value.len() <= text.len());
            });
        }
    }
}
