use http::Request;

use super::shown::{Shown, Way};

fn shown(method: &str, uri: &str, headers: &[(&str, &str)]) -> (Way, Vec<String>) {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let Shown { way, words } = Shown::of(&request.body(()).unwrap());
    (way, words.iter().map(|word| String::from_utf8_lossy(word.expose()).into_owned()).collect())
}

#[test]
fn the_form_of_a_request_says_what_it_is_for_and_where_its_token_is() {
    // `any:FAKE-word` and `FAKE-word` alone.
    let (basic, userless) = ("YW55OkZBS0Utd29yZA==", "OkZBS0Utd29yZA==");
    for (method, uri, name, value, expected) in [
        ("POST", "/v1/messages", "authorization", "Bearer FAKE-word".to_owned(), (Way::Api, true)),
        ("POST", "/v1/messages", "Authorization", "bearer  FAKE-word ".to_owned(), (Way::Api, true)),
        ("POST", "/v1/messages", "x-api-key", "FAKE-word".to_owned(), (Way::Api, true)),
        ("POST", "/v1/messages", "authorization", format!("Basic {basic}"), (Way::Api, false)),
        ("POST", "/v1/messages", "authorization", "FAKE-word".to_owned(), (Way::Api, false)),
        ("POST", "/v1/messages", "authorization", "Bearer ".to_owned(), (Way::Api, false)),
        ("POST", "/v1/messages", "proxy-authorization", "Bearer FAKE-word".to_owned(), (Way::Api, false)),
        ("CONNECT", "example.org:443", "proxy-authorization", format!("Basic {basic}"), (Way::Proxy, true)),
        (
            "CONNECT",
            "example.org:443",
            "proxy-authorization",
            format!("BASIC {userless}"),
            (Way::Proxy, true),
        ),
        (
            "CONNECT",
            "example.org:443",
            "proxy-authorization",
            "Bearer FAKE-word".to_owned(),
            (Way::Proxy, true),
        ),
        (
            "CONNECT",
            "example.org:443",
            "proxy-authorization",
            "Basic FAKE-word".to_owned(),
            (Way::Proxy, false),
        ),
        ("CONNECT", "example.org:443", "proxy-authorization", "Basicly".to_owned(), (Way::Proxy, false)),
        ("CONNECT", "example.org:443", "authorization", "Bearer FAKE-word".to_owned(), (Way::Proxy, false)),
        ("GET", "http://example.org/", "proxy-authorization", format!("Basic {basic}"), (Way::Proxy, true)),
        ("GET", "http://example.org/", "x-api-key", "FAKE-word".to_owned(), (Way::Proxy, false)),
    ] {
        let (way, words) = shown(method, uri, &[(name, &value)]);
        let word = if expected.1 { vec!["FAKE-word".to_owned()] } else { Vec::new() };
        assert_eq!((way, words), (expected.0, word), "{method} {uri} {name}: {value}");
    }
    let both = [("authorization", "Bearer FAKE-one"), ("x-api-key", "FAKE-other")];
    assert_eq!(shown("GET", "/", &both), (Way::Api, vec!["FAKE-one".to_owned(), "FAKE-other".to_owned()]));
}
