use coffer_plan::facts::McpServerFact;

use super::servers;
use crate::lookup::tests::agent;
use crate::scratch::{CANARY, Scratch, set};

fn found(scratch: &Scratch, content: &str) -> Vec<Told> {
    let file = scratch.file("home/.agent.json", content);
    let told = |fact: McpServerFact| {
        assert_eq!(fact.file, file);
        (fact.name, fact.transport, fact.endpoint)
    };
    servers(&scratch.facts(), &agent()).into_iter().map(told).collect()
}

/// A server's name, transport and endpoint.
type Told = (String, String, Option<String>);

fn server(name: &str, transport: &str, endpoint: Option<&str>) -> Told {
    (name.to_owned(), transport.to_owned(), endpoint.map(str::to_owned))
}

#[test]
fn names_kinds_and_hosts() {
    let scratch = Scratch::new();
    let text = format!(
        r#"{{"history": ["{CANARY}", {{"servers": {{"no": {{}}}}}}], "servers": {{
            "a": {{"command": "x", "args": ["{CANARY}"], "env": {{"T": "{CANARY}"}}}},
            "b": {{"type": "http", "url": "https://u:{CANARY}@mcp.example.org/{CANARY}"}},
            "c": {{"type": "sse", "url": "http://localhost:99/sse"}},
            "d": {{"url": "https://{CANARY}:{CANARY}"}},
            "e": {{"type": "{CANARY}"}}, "f": null, "g": []}}, "after": "{CANARY}"}}"#
    );
    let wanted = [
        server("a", "stdio", None),
        server("b", "http", Some("mcp.example.org:443")),
        server("c", "sse", Some("localhost:99")),
        server("d", "http", None),
        server("e", "stdio", None),
        server("f", "stdio", None),
        server("g", "stdio", None),
    ];
    assert_eq!(found(&scratch, &text), wanted);
}

/// A project's own are told from the user's, and no link of its making is followed.
#[test]
fn a_projects_servers_are_named_as_the_projects() {
    let scratch = Scratch::new();
    let mut agent = agent();
    agent.settings.mcp.as_mut().unwrap().project = Some(".mcp.json".to_owned());
    let text = r#"{"servers": {"near": {"url": "http://127.0.0.1:8123/mcp"}}}"#;
    let facts = scratch.facts();
    let file = facts.project.path.join(".mcp.json");
    std::fs::create_dir_all(&facts.project.path).unwrap();
    std::fs::write(&file, text).unwrap();
    let found = servers(&facts, &agent);
    assert_eq!((found[0].name.as_str(), found[0].of_project), ("near", true));
    assert_eq!(found[0].endpoint.as_deref(), Some("127.0.0.1:8123"));
    let elsewhere = scratch.file("home/elsewhere.json", text);
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(elsewhere, &file).unwrap();
    assert_eq!(servers(&facts, &agent), []);
}

#[test]
fn what_cannot_be_read_names_none() {
    let scratch = Scratch::new();
    assert_eq!(servers(&scratch.facts(), &agent()), []);
    for content in ["", "[]", "null", "{}", r#"{"servers": 1}"#, r#"{"servers": {"a": {}"#, "{\"a\": \u{1}}"]
    {
        assert_eq!(found(&scratch, content), [], "{content}");
    }
    std::fs::remove_file(scratch.path("home/.agent.json")).unwrap();
    scratch.fifo("home/.agent.json");
    assert_eq!(servers(&scratch.facts(), &agent()), []);
}

#[test]
fn a_large_history_does_not_hide_the_servers() {
    let scratch = Scratch::new();
    let history = "\"x\",".repeat(500_000);
    let text = format!(r#"{{"history": [{history} 1], "servers": {{"a": {{}}}}}}"#);
    assert_eq!(found(&scratch, &text), [server("a", "stdio", None)]);
}

#[test]
fn the_first_file_that_is_there_counts() {
    let scratch = Scratch::new();
    scratch.file("home/.agent.json", r#"{"servers": {"home": {}}}"#);
    scratch.folder("config");
    let mut machine = scratch.machine();
    set(&mut machine, "XDG_AGENT", scratch.path("config"));
    let facts = machine.base().unwrap();
    assert_eq!(servers(&facts, &agent())[0].name, "home");
    scratch.file("config/.agent.json", r#"{"servers": {"config": {}}}"#);
    assert_eq!(servers(&facts, &agent())[0].name, "config");
}
