//! `check-size`: no Rust file outside of tests has grown beyond the limit.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Error;
use crate::tree::Tree;

const RULES: &str = "xtask/rules/sizes.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    limit: usize,
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    path: String,
    lines: usize,
    reason: String,
}

/// Files over their limit, and exceptions that are no longer needed.
pub(crate) fn check(tree: &Tree) -> Result<Vec<String>, Error> {
    let rules: Rules = tree.read_toml(RULES)?;
    let mut lines = BTreeMap::new();
    for file in tree.files()? {
        if file.ends_with(".rs") && !is_test(&file) {
            let count = tree.read(&file)?.lines().count();
            lines.insert(file, count);
        }
    }
    Ok(findings(&rules, &lines))
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|folder| folder == "tests")
}

fn findings(rules: &Rules, lines: &BTreeMap<String, usize>) -> Vec<String> {
    let mut findings = Vec::new();
    let limit_of = |path: &str| rules.exception.iter().find(|exception| exception.path == path);
    for (path, &count) in lines {
        let limit = limit_of(path).map_or(rules.limit, |exception| exception.lines);
        if count > limit {
            findings
                .push(format!("{path}: {count} lines, {limit} are allowed: split it by what its parts do"));
        }
    }
    for exception in &rules.exception {
        let Exception { path, reason, .. } = exception;
        if lines.get(path).is_none_or(|&count| count <= rules.limit) {
            findings.push(format!("{RULES}: `{path}` needs no exception any more"));
        }
        if reason.trim().is_empty() {
            findings.push(format!("{RULES}: `{path}` gives no reason"));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
