use coffer_plan::facts::GitIdentity;

use super::{Entry, entries as parse, identity, value};
use crate::scratch::Scratch;

fn entry(section: &str, key: &str, value: &str) -> Entry {
    Entry { section: section.into(), subsection: None, key: key.into(), value: Some(value.into()) }
}

fn below(section: &str, subsection: &str, key: &str, value: &str) -> Entry {
    Entry { subsection: Some(subsection.into()), ..entry(section, key, value) }
}

#[test]
fn values_read_as_git_reads_them() {
    let text = "\u{feff}# comment\n; too\n[User]\r\n\tName = Ada \"B \" Lovelace \t # hi\n email=a@b;c\n\
        [core \"x\"] name = no\n[core.y]\nname = no\n[core] worktree = \"../a#b\\\"c\\\\d\"\n empty =\n flag\n \
        long = one \\\n two\n tab = a\\tb";
    let wanted = [
        entry("user", "name", "Ada B  Lovelace"),
        entry("user", "email", "a@b"),
        below("core", "x", "name", "no"),
        below("core", "y", "name", "no"),
        entry("core", "worktree", "../a#b\"c\\d"),
        entry("core", "empty", ""),
        entry("core", "long", "one  two"),
        entry("core", "tab", "a\tb"),
    ];
    assert_eq!(parse(text).unwrap(), wanted);
}

#[test]
fn a_subsection_keeps_its_case_and_its_escapes() {
    let text = "[Remote \"My \\\"Fork\\\\\"] URL = x";
    let found = parse(text).unwrap();
    assert_eq!(found, [below("remote", "My \"Fork\\", "url", "x")]);
    assert_eq!(found[0].dotted(), "remote.My \"Fork\\.url");
}

#[test]
fn what_git_refuses_is_refused() {
    for text in [
        "name = before any section",
        "[user",
        "[user]\nname = \"open",
        "[user]\nname = bad\\escape",
        "[user]\n= x",
        "[user]\nna_me = x",
        "[user]\n1name = x",
        "[user]\nname x",
        "[us er]\nname = x",
        "[user \"a]\n",
        "[user \"a\"",
        "[user]\nname = x\\",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

/// The same files, by git itself.
#[test]
fn git_agrees() {
    let scratch = Scratch::new();
    for text in [
        "[user]\nname = Plain Name\n",
        "[user]\nname = \"  kept  \" cut   # comment\n",
        "[USER]\n\tNAME=a\"b;c\"d;e\n",
        "[user]\nname = one\nname = two\n",
        "[user]\nname = a\\\n   b\n",
        "[user] name = same line\n",
        "[user \"sub\"]\nname = sub\n[user]\nname = top\n",
        "[user]\r\nname = carriage\r\n",
        "[user]\nname = a \\\"quoted\\\" \\\\ b\n",
    ] {
        let file = scratch.file("config", text);
        let told = std::process::Command::new("git")
            .args(["config", "--file", file.as_str(), "user.name"])
            .output()
            .unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        assert_eq!(value(&file, "user", "name").as_deref(), Some(told.trim_end_matches('\n')), "{text:?}");
    }
}

#[test]
fn the_later_file_wins_and_includes_are_not_followed() {
    let scratch = Scratch::new();
    let other = scratch.file("other", "[user]\nname = Included\n");
    let first = scratch.file(
        "first",
        format!("[include]\npath = {other}\n[user]\nname = First\nemail = first@example.org\n"),
    );
    let second = scratch.file("second", "[user]\nname = Second\nemail = \"a\\nb\"\n");
    let wanted = GitIdentity { name: Some("Second".into()), email: Some("first@example.org".into()) };
    assert_eq!(identity(&[first, second]), Some(wanted));
    assert_eq!(identity(&[scratch.path("none"), scratch.fifo("pipe")]), None);
    let broken = scratch.file("broken", b"[user]\nname = \xff\n");
    assert_eq!(identity(&[broken]), None);
}

proptest::proptest! {
    /// What is read is what git reads: the parser neither panics nor makes up entries.
    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]\"\\\\=#;\\n\\r\\ta-zA-Z0-9.\u{e4} -]{0,80}") {
        if let Some(entries) = parse(&text) {
            for entry in entries {
                let keys = text.to_ascii_lowercase();
                proptest::prop_assert!(keys.contains(&entry.section) && keys.contains(&entry.key));
            }
        }
    }

    /// A value that is quoted comes back as it was.
    #[test]
    fn a_quoted_value_survives(value in "[ -~\u{e4}]{0,30}") {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        let text = format!("[user]\n\tname = \"{quoted}\" ; comment\n");
        proptest::prop_assert_eq!(parse(&text), Some(vec![entry("user", "name", &value)]));
    }
}
