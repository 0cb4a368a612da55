//! A part of `check-promises`: docs/threat-model.md names, behind each promise, the attacks on it; every attack of the
//! table stands behind some promise, and every name there is one. A row is
//!
//! ```text
//! | 15. Nothing of the home | `reading/` `link-to-secret` |
//! ```
//!
//! with the first words of the promise, so that a number that has moved is noticed, and with names of attacks or, with
//! a slash, of classes.

use crate::error::Error;
use crate::promises::{self, Promise};
use crate::tree::Tree;

const PAGE: &str = "docs/threat-model.md";

/// Rows that fit no promise or no attack, and attacks without a row.
pub(crate) fn check(tree: &Tree) -> Result<Vec<String>, Error> {
    let promises = promises::all(tree)?;
    let attacks: Vec<[&str; 2]> =
        cofferdam::attack_table().iter().map(|[name, class, ..]| [*name, *class]).collect();
    Ok(findings(&tree.read(PAGE)?, &promises, &attacks))
}

fn findings(page: &str, promises: &[Promise], attacks: &[[&str; 2]]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut named: Vec<&str> = Vec::new();
    for (promise, cell) in page.lines().filter_map(row) {
        let Some((number, words)) = promise.split_once(". ") else { continue };
        if !promises.iter().any(|promise| promise.is(number, words)) {
            findings.push(format!("{PAGE}: no promise `{promise}`"));
        }
        for word in cell.split('`').skip(1).step_by(2) {
            if attacks.iter().any(|attack| is_meant(word, attack)) {
                named.push(word);
            } else {
                findings.push(format!("{PAGE}: no attack `{word}`"));
            }
        }
    }
    let lost = attacks.iter().filter(|attack| !named.iter().any(|word| is_meant(word, attack)));
    findings.extend(lost.map(|[name, _]| format!("{PAGE}: the attack `{name}` stands behind no promise")));
    findings
}

fn is_meant(word: &str, [name, class]: &[&str; 2]) -> bool {
    word.strip_suffix('/').map_or(word == *name, |word| word == *class)
}

fn row(line: &str) -> Option<(&str, &str)> {
    let (promise, cell) = line.strip_prefix("| ")?.split_once(" | ")?;
    Some((promise, cell))
}

#[cfg(test)]
mod tests;
