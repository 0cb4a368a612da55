//! Tests of the data of the comparison and of its page.

use cofferdam::comparison::{Line, Outcome, Row, Verdict};

use super::counts::{Came, Column, Counts};
use super::*;

fn data() -> Data {
    Tree::open().unwrap().read_toml(PEERS).unwrap()
}

fn row(name: &str, class: &str, coffer: Verdict, grant: Option<&str>) -> Row {
    Row {
        name: name.to_owned(),
        class: class.to_owned(),
        on_own_parts: class == "gateway",
        proven: name != "kexec",
        coffer,
        grant: grant.map(str::to_owned),
    }
}

fn outcome(name: &str, lines: &[(&str, Verdict)]) -> Outcome {
    let line = |(name, verdict): &(&str, Verdict)| {
        let line = Line { name: (*name).to_owned(), verdict: *verdict, detail: String::new() };
        ((*name).to_owned(), line)
    };
    Outcome { name: name.to_owned(), failed: None, lines: lines.iter().map(line).collect() }
}

fn peer(name: &str, grants: &str) -> Peer {
    let head = format!(
        "name = '{name}'\ntool = 'jail'\nprogram = 'jail'\nwords = ['--bind', '${{project}}', '${{agent}}']"
    );
    toml::from_str(&format!("{head}\nown_processes = true\nline = 'As it comes.'\n{grants}")).unwrap()
}

fn rows() -> Vec<Row> {
    vec![
        row("read-ssh-key", "reading", Verdict::Blocked, None),
        row("write-project", "writing", Verdict::Allowed, Some("the project, read-write")),
        row("kexec", "kernel", Verdict::Blocked, None),
        row("much-memory", "exhaustion", Verdict::Untried, None),
        row("api-other-host", "gateway", Verdict::Private, None),
    ]
}

#[test]
fn each_grant_names_attacks_that_exist_and_each_tool_is_pinned() {
    let versions = Tree::open().unwrap().read("tools/versions").unwrap();
    let attacks = cofferdam::attack_table();
    for peer in data().peer {
        for pattern in peer.grants.iter().flat_map(|grant| &grant.attacks) {
            let known = attacks.iter().any(|[name, class, ..]| {
                pattern == name || pattern.strip_suffix('/').is_some_and(|of| of == *class)
            });
            assert!(known, "{}: {pattern}", peer.name);
        }
        if let Some(tool) = peer.tool {
            assert!(versions.lines().any(|line| line.split_whitespace().nth(1) == Some(&tool)), "{tool}");
        }
        assert!(peer.words.iter().any(|word| word == "${agent}"), "{} starts nothing", peer.name);
    }
}

#[test]
fn no_two_sandboxes_have_one_name() {
    let names: Vec<String> = data().peer.into_iter().map(|peer| peer.name).collect();
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
}

#[test]
fn what_succeeds_is_granted_where_the_sandbox_says_so_and_allowed_elsewhere() {
    let outcome = outcome(
        "jail",
        &[
            ("read-ssh-key", Verdict::Allowed),
            ("write-project", Verdict::Allowed),
            ("kexec", Verdict::Blocked),
            ("much-memory", Verdict::Untried),
            ("api-other-host", Verdict::Private),
        ],
    );
    let peer = peer("jail", "[[grants]]\nwhat = 'the project'\nattacks = ['writing/']");
    let column = Column::of_peer(&peer, &outcome);
    let rows = rows();
    let came: Vec<Came> = rows.iter().map(|row| column.judge(row)).collect();
    let granted = Came::Granted("the project".to_owned());
    assert_eq!(came, [Came::Allowed, granted, Came::Unproven, Came::Untried, Came::Private]);
    let counts = Counts::of(&column, &rows);
    assert_eq!(counts, Counts { blocked: 0, private: 1, granted: 1, allowed: 1, unproven: 1, untried: 1 });
    assert_eq!(counts.row("jail"), "| jail | 0 | 1 | 1 | 1 | 1 | 1 |\n");
}

#[test]
fn what_succeeds_only_in_a_sandbox_is_no_less_a_success() {
    let outcome = outcome("jail", &[("kexec", Verdict::Allowed)]);
    let peer = peer("jail", "");
    assert_eq!(Column::of_peer(&peer, &outcome).judge(&rows()[2]), Came::Allowed);
}

#[test]
fn the_page_names_what_succeeds_and_what_was_not_measured() {
    let peers = [peer("jail", "[[grants]]\nwhat = 'its reads'\nattacks = ['reading/']"), peer("cage", "")];
    let came = outcome("jail", &[("read-ssh-key", Verdict::Allowed), ("write-project", Verdict::Allowed)]);
    let compared = Compared { attacks: rows(), peers: vec![came] };
    let tools = [tool("jail=1.2.3=/opt/jail").unwrap()];
    let page = page::write(&peers, &tools, &compared, &[("kernel", "6.1".to_owned())]);
    for expected in [
        "- kernel: 6.1\n",
        "- **jail** 1.2.3: `jail --bind PROJECT claude`. As it comes.\n",
        "As it comes. **Not measured**: it was not installed.\n",
        "## All 4 attacks\n",
        "- **jail**: granted by its reads: `read-ssh-key`.\n",
        "- **jail**: allowed by its defaults: `write-project`.\n",
        "- **coffer**: granted by the project, read-write: `write-project`.\n",
        "These do not succeed without a sandbox: `kexec`.\n",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let own = page.split("### gateway").nth(1).unwrap();
    assert!(own.contains("| coffer |") && !own.contains("| jail |"), "{own}");
}

#[test]
fn a_sandbox_that_fails_is_named_with_the_reason_and_has_no_column() {
    let failed = Outcome {
        failed: Some("jail: exit status: 1:\r\n \u{1b}[31mno\u{1b}[0m".to_owned()),
        ..outcome("jail", &[])
    };
    let compared = Compared { attacks: rows(), peers: vec![failed] };
    let page = page::write(&[peer("jail", "")], &[], &compared, &[]);
    assert!(page.contains("**Not measured**: jail: exit status: 1: no."), "{page}");
    assert!(!page.contains("| jail |"), "{page}");
}

#[test]
fn a_tool_and_a_user_are_read_from_one_word() {
    let found = Tool { id: "srt".to_owned(), version: "0.0.1".to_owned(), folder: "/a=b".into() };
    assert_eq!(tool("srt=0.0.1=/a=b"), Ok(found));
    assert!(tool("srt=0.0.1").is_err() && tool("srt=0.0.1=").is_err());
    assert_eq!(user("1001:1002"), Ok([1001, 1002]));
    assert!(user("1001").is_err() && user("root:root").is_err());
}
