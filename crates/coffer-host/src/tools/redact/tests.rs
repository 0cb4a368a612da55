use coffer_plan::built_in;
use coffer_plan::facts::ToolEntry;
use coffer_plan::tool::Tool;

use super::entry;
use crate::scratch::CANARY;

fn tool(name: &str) -> Tool {
    built_in::tools().unwrap().into_iter().find(|tool| tool.name == name).unwrap()
}

fn hosts(entry: &ToolEntry) -> Vec<String> {
    entry.endpoints.iter().map(ToString::to_string).collect()
}

/// What is known of an npm registry.
fn registry(value: &str) -> Option<(Option<String>, bool, Vec<String>)> {
    let entry = entry(&tool("npm"), "registry", value)?;
    Some((entry.value.clone(), entry.withheld, hosts(&entry)))
}

#[test]
fn a_plain_address_stays_as_it_is_written() {
    for (address, host) in [
        ("https://a.example.org", "a.example.org:443"),
        ("http://A.Example.org./npm", "a.example.org:80"),
        ("https://a.example.org:8443/x/", "a.example.org:8443"),
        ("http://127.0.0.1:4873/", "127.0.0.1:4873"),
        ("http://[::1]:4873/", "[::1]:4873"),
        ("http://localhost:4873", "localhost:4873"),
        ("https://b\u{fc}cher.example.org/", "xn--bcher-kva.example.org:443"),
    ] {
        assert_eq!(
            registry(address),
            Some((Some(address.to_owned()), false, vec![host.to_owned()])),
            "{address}"
        );
    }
}

#[test]
fn no_credential_of_an_address_stays() {
    for address in [
        format!("https://user:{CANARY}@a.example.org/npm/"),
        format!("https://{CANARY}@a.example.org/npm/"),
        format!("https://a.example.org/npm/?token={CANARY}"),
        format!("https://a.example.org/npm/#{CANARY}"),
        format!("https://a.example.org/{CANARY}/npm/"),
        "https://a.example.org/1a2b3c4d5e6f7a8b9c0dFAKE/npm/".to_owned(),
    ] {
        let (value, withheld, hosts) = registry(&address).unwrap();
        let value = value.unwrap();
        assert!(value.starts_with("https://a.example.org/") && withheld, "{address}: {value}");
        assert!(
            !value.contains("FAKE") && !value.contains('@') && !value.contains('?'),
            "{address}: {value}"
        );
        assert_eq!(hosts, ["a.example.org:443"], "{address}");
    }
}

#[test]
fn what_is_no_address_names_nobody() {
    for value in
        ["", "   ", "https://", "https://${HOST}/", "file:///srv/npm", "/srv/npm", "registry", "https://a:b/"]
    {
        let hosts = registry(value).map(|(_, _, hosts)| hosts).unwrap_or_default();
        assert_eq!(hosts, Vec::<String>::new(), "{value:?}");
    }
    assert_eq!(registry("https://a.example.org/\u{7}"), None);
    assert_eq!(registry(&format!("https://a.example.org/{}", "x/".repeat(2000))), None);
    // A name that is none stays as it is, without what stands before it.
    let unknown = registry(&format!("https://u:{CANARY}@${{host}}/"));
    assert_eq!(unknown, Some((Some("https://${host}/".to_owned()), true, Vec::new())));
}

#[test]
fn only_keys_that_the_data_file_names_count() {
    let npm = tool("npm");
    let scope = entry(&npm, "@acme:registry", "https://a.example.org/").unwrap();
    assert_eq!((scope.key.as_str(), hosts(&scope)), ("@acme:registry", vec!["a.example.org:443".to_owned()]));
    for key in ["//a.example.org/:_authToken", "_auth", "proxy", "cafile", "@acme:other"] {
        assert_eq!(entry(&npm, key, CANARY), None, "{key}");
        assert_eq!(entry(&npm, key, "https://a.example.org/"), None, "{key}");
    }
    assert_eq!(entry(&tool("cargo"), "registries.acme.token", CANARY), None);
}

#[test]
fn cargo_and_go_write_addresses_in_ways_of_their_own() {
    let cargo = tool("cargo");
    let sparse =
        entry(&cargo, "registries.acme.index", "sparse+https://u:FAKE@a.example.org/index/").unwrap();
    assert_eq!(sparse.value.as_deref(), Some("sparse+https://a.example.org/index/"));
    assert!(sparse.withheld);
    let git = entry(&cargo, "source.x.registry", "ssh://git@a.example.org/index.git").unwrap();
    assert_eq!((hosts(&git), git.withheld), (vec!["a.example.org:22".to_owned()], false));
    let name = entry(&cargo, "source.x.replace-with", "mirror").unwrap();
    assert_eq!((name.value.as_deref(), name.endpoints.len()), (Some("mirror"), 0));
    let templates = entry(&cargo, "dl", "https://a.example.org/{crate}/{version}/download").unwrap();
    assert_eq!(hosts(&templates), ["a.example.org:443"]);

    let go = tool("go");
    let proxy = "https://a.example.org,https://u:FAKE@b.example.org/x|direct";
    let proxy = entry(&go, "GOPROXY", proxy).unwrap();
    assert_eq!(proxy.value.as_deref(), Some("https://a.example.org,https://b.example.org/x|direct"));
    assert_eq!(hosts(&proxy), ["a.example.org:443", "b.example.org:443"]);
    assert_eq!(hosts(&entry(&go, "GOSUMDB", "sum.example.org").unwrap()), ["sum.example.org:443"]);
    let keyed = entry(&go, "GOSUMDB", "sum.example.org+1234+AbC/d= https://c.example.org").unwrap();
    assert_eq!(hosts(&keyed), ["c.example.org:443"]);
    assert_eq!(entry(&go, "GOSUMDB", "off").unwrap().endpoints, []);
    // Patterns of private modules are not asked for over the network as they are.
    assert_eq!(entry(&go, "GOPRIVATE", "*.corp.example.org").unwrap().endpoints, []);
}

#[test]
fn hosts_of_git() {
    let git = tool("git");
    let url = |value| entry(&git, "remote.origin.url", value).map(|entry| hosts(&entry)).unwrap_or_default();
    assert_eq!(url("git@a.example.org:group/project.git"), ["a.example.org:22"]);
    assert_eq!(url("ssh://git@a.example.org:2222/p"), ["a.example.org:2222"]);
    assert_eq!(url("git://a.example.org/p"), ["a.example.org:9418"]);
    assert_eq!(url("https://a.example.org/p"), ["a.example.org:443"]);
    for local in ["/srv/p.git", "../p", "gh:group/project", "file:///srv/p"] {
        assert_eq!(url(local), Vec::<String>::new(), "{local}");
    }
    let mirror =
        entry(&git, "url.https://u:FAKE@a.example.org/.insteadof", "https://b.example.org/").unwrap();
    assert_eq!(mirror.key, "url.https://a.example.org/.insteadof");
    assert_eq!((hosts(&mirror), mirror.withheld), (vec!["a.example.org:443".to_owned()], true));
    let helper = entry(&git, "credential.https://a.example.org.helper", &format!("!echo {CANARY}")).unwrap();
    assert_eq!((helper.value, helper.endpoints.len()), (None, 1));
    assert_eq!(entry(&git, "credential.helper", "store"), None);
}
