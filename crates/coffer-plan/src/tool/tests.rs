use super::{fits, fits_any};
use crate::built_in;

#[test]
fn a_star_stands_for_any_text_but_none() {
    assert_eq!(fits("registry", "registry"), Some(""));
    assert_eq!(fits("registry", "registry2"), None);
    assert_eq!(fits("@*:registry", "@acme:registry"), Some("acme"));
    assert_eq!(fits("@*:registry", "@:registry"), None);
    assert_eq!(
        fits("url.*.insteadof", "url.https://a.example.org/.x.insteadof"),
        Some("https://a.example.org/.x")
    );
    // The two ends may not share a byte.
    assert_eq!(fits("ab*ba", "aba"), None);
    assert!(fits_any(&["x".to_owned(), "@*:registry".to_owned()], "@a:registry"));
}

#[test]
fn shipped_tools_read_and_have_one_name_each() {
    let tools = built_in::tools().unwrap();
    let mut names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["cargo", "git", "go", "npm", "pip", "pyproject"]);
    for tool in &tools {
        let patterns = tool.hosts.iter().chain(&tool.hosts_in_keys).chain(&tool.bare);
        let inside = tool.inside.iter().flat_map(|inside| &inside.keys);
        assert!(patterns.chain(inside).all(|pattern| pattern.matches('*').count() <= 1), "{}", tool.name);
        assert!(tool.hosts_in_keys.iter().all(|pattern| pattern.contains('*')), "{}", tool.name);
        assert!(tool.asks.iter().all(|ask| !ask.command.is_empty()), "{}", tool.name);
    }
}

#[test]
fn no_registry_is_named_in_the_data() {
    for (name, text) in built_in::tool_texts() {
        assert!(!text.contains("://"), "{name}");
    }
}
