use super::{Endpoint, Host, HostPattern, HostRule};

#[test]
fn one_host_has_one_form() {
    for (text, form) in [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("ｅｘａｍｐｌｅ.org", "example.org"),
        ("ex\u{3002}ample.org", "ex.ample.org"),
        ("a_b.example.org", "a_b.example.org"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[::ffff:169.254.169.254]", "169.254.169.254"),
        ("::ffff:7f00:1", "127.0.0.1"),
        ("FE80::A", "[fe80::a]"),
    ] {
        assert_eq!(text.parse::<Host>().unwrap().to_string(), form, "{text}");
        assert_eq!(form.parse::<Host>().unwrap().to_string(), form, "{text}");
    }
}

#[test]
fn what_is_no_host_is_refused() {
    let long = format!("{}.example", "a".repeat(64));
    for text in [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "a b",
        "a/b",
        "a@b",
        "user:pass@a",
        "a%2eb",
        "%00",
        "a\0b",
        "a\nb",
        "1.2.3.4.5",
        "256.1.1.1",
        "[::1",
        "::1]",
        "[fe80::1%eth0]",
        "fe80::1%eth0",
        "*",
        "a*.b",
        "http://a",
        "a:80",
        "é\u{0}",
        &long,
        "xn--a.example\u{200b}\u{0}",
    ] {
        assert!(text.parse::<Host>().is_err(), "{text:?} {:?}", text.parse::<Host>());
    }
}

#[test]
fn ports_are_read_from_the_end() {
    for (text, form) in [
        ("example.org", "example.org:443"),
        ("example.org:80", "example.org:80"),
        ("[::1]", "[::1]:443"),
        ("[::1]:8080", "[::1]:8080"),
        ("::1", "[::1]:443"),
        ("127.1:22", "127.0.0.1:22"),
    ] {
        assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), form, "{text}");
    }
    for text in
        ["a:", "a:0", "a:65536", "a:+1", "a:-1", "a: 1", "a:8o", ":80", "[::1]:x", "a:1:2", "a:99999999999"]
    {
        assert!(text.parse::<Endpoint>().is_err(), "{text:?}");
    }
}

#[test]
fn a_star_means_what_is_below_and_nothing_else() {
    let pattern: HostPattern = "*.Example.org.".parse().unwrap();
    let means = |host: &str| pattern.matches(&host.parse().unwrap());
    assert!(means("a.example.org"));
    assert!(means("B.a.EXAMPLE.org."));
    for host in ["example.org", "aexample.org", "example.org.evil.example", "org", "127.0.0.1", "[::1]"] {
        assert!(!means(host), "{host}");
    }
    let exact: HostPattern = "example.org".parse().unwrap();
    assert!(exact.matches(&"EXAMPLE.org.".parse().unwrap()));
    assert!(!exact.matches(&"a.example.org".parse().unwrap()));
    for text in ["*", "*.", "*.*.a", "a.*.b", "*.127.0.0.1", "**.a", "*a.b", "*.[::1]"] {
        assert!(text.parse::<HostPattern>().is_err(), "{text}");
    }
    assert_eq!("*.a.example:8443".parse::<HostRule>().unwrap().port, 8443);
}
