//! docs/reference/system-calls.md: which system calls are refused and why, from the rules of which the filters are made.

use std::fmt::Write as _;

use coffer_plan::built_in::{self, CallRule};

use crate::error::Error;
use crate::tree::Tree;

use super::{COMMAND, Page};

pub(super) fn pages(_: &Tree) -> Result<Vec<Page>, Error> {
    let mut text = format!(
        "# System calls\n\nMade by `{COMMAND}` from `crates/coffer-plan/walls/system-calls.toml`, of which the filters \
         are compiled. What stands here is refused to an agent and to whatever it starts; everything else is allowed. \
         Programs for another machine that the kernel would run as well (i386 and x32, 32-bit ARM) get `ENOSYS` for \
         every call.\n\nRules with a star are lifted by `--allow-nesting`.\n\n\
         | rule | calls | answer | why |\n|---|---|---|---|\n"
    );
    for rule in built_in::system_calls()? {
        let star = if rule.nesting { " *" } else { "" };
        let CallRule { name, reason, answer, .. } = &rule;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {name}{star} | {} | `{answer}` | {reason} |", calls(&rule));
    }
    Ok(vec![Page { path: "docs/reference/system-calls.md".to_owned(), contents: text }])
}

fn calls(rule: &CallRule) -> String {
    let whole = rule.calls.iter().map(|call| format!("`{call}`"));
    let by_argument = rule.conditions.iter().map(|condition| {
        let values = condition.has.keys().chain(condition.equals.keys());
        let names: Vec<String> = values.map(|name| format!("`{name}`")).collect();
        format!("`{}` with {}", condition.call, names.join(", "))
    });
    let only = rule.only.iter().map(|machine| format!("({machine} alone)"));
    whole.chain(by_argument).chain(only).collect::<Vec<_>>().join(" ")
}
