//! Hosts: whatever somebody writes, there is one normal form of it or none; and whatever the parsers of others take for
//! one host is never taken for another one here.
//!
//! The input is a rule, a zero byte, and a host.
#![no_main]

use coffer_plan::host::{Endpoint, Host, HostPattern, HostRule};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (rule, host) = text.split_once('\0').unwrap_or((text, text));
    let known = one_form(host);
    for other in [as_url(host), as_uri(host)].into_iter().flatten() {
        // Another reader sees a host here: it is this one, or nobody is reached at all.
        if let Some(known) = &known {
            assert_eq!(*known, other, "{host:?}");
        }
    }
    endpoint(host);
    if let Ok(rule) = rule.parse::<HostRule>() {
        assert_eq!(rule.to_string().parse(), Ok(rule.clone()), "{rule:?}");
        if let Some(known) = &known {
            agrees(&rule, known);
        }
    }
});

/// The host's normal form, which is its own normal form.
fn one_form(text: &str) -> Option<Host> {
    let host: Host = text.parse().ok()?;
    let form = host.to_string();
    assert_eq!(form.parse(), Ok(host.clone()), "{text:?}");
    assert!(!form.is_empty() && form.is_ascii() && !form.ends_with('.'), "{form:?}");
    assert!(!form.bytes().any(|byte| byte.is_ascii_uppercase() || byte <= b' ' || byte == b'%'), "{form:?}");
    if let Host::Address(std::net::IpAddr::V6(address)) = &host {
        assert!(address.to_ipv4_mapped().is_none(), "a version 4 address in other clothes: {form:?}");
    }
    Some(host)
}

/// What a browser takes for the host.
fn as_url(text: &str) -> Option<Host> {
    let url = url::Url::parse(&format!("http://{text}/")).ok()?;
    let alone = url.username().is_empty() && url.password().is_none() && url.port().is_none();
    let alone = alone && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    // A form of a URL may have what names have not; then nobody is reached by it.
    if alone { url.host_str()?.parse().ok() } else { None }
}

/// What the gateway's own server takes for the host of a request.
fn as_uri(text: &str) -> Option<Host> {
    let uri: http::Uri = format!("http://{text}/").parse().ok()?;
    let authority = uri.authority()?;
    if authority.as_str() == text && authority.host() == text { authority.host().parse().ok() } else { None }
}

/// An endpoint is its host and its port, however both are written.
fn endpoint(text: &str) {
    let Ok(endpoint) = text.parse::<Endpoint>() else { return };
    assert!(endpoint.port > 0);
    assert_eq!(endpoint.to_string().parse(), Ok(endpoint.clone()), "{text:?}");
    let rule = HostRule { host: HostPattern::Exact(endpoint.host.clone()), port: endpoint.port };
    assert!(rule.matches(&endpoint));
    let uri = format!("http://{endpoint}/");
    let uri: http::Uri = uri.parse().unwrap_or_else(|error| panic!("{uri}: {error}"));
    assert_eq!(uri.port_u16(), Some(endpoint.port));
    assert_eq!(uri.host().map(str::parse), Some(Ok(endpoint.host)));
}

/// A rule means a host exactly when their texts say so.
fn agrees(rule: &HostRule, host: &Host) {
    let text = host.to_string();
    let meant = match &rule.host {
        HostPattern::Exact(exact) => exact.to_string() == text,
        HostPattern::Below(parent) => {
            let below = text.strip_suffix(parent.as_str()).and_then(|rest| rest.strip_suffix('.'));
            matches!(host, Host::Name(_)) && below.is_some_and(|rest| !rest.is_empty())
        }
    };
    assert_eq!(rule.host.matches(host), meant, "{rule} and {host}");
    assert_eq!(rule.matches(&Endpoint { host: host.clone(), port: rule.port }), meant);
    let another = rule.port.checked_add(1).unwrap_or(1);
    assert!(!rule.matches(&Endpoint { host: host.clone(), port: another }));
}
