//! `check-promises`: every promise of docs/promises.md names a test that exists, or says `pending`.
//!
//! A promise is a numbered list item at the start of a line. Behind the word `test:` (or `tests:`) it names,
//! in backticks, tests as `crate::module::function` or `path/of/file.rs`, or `path/of/file.rs::function`:
//!
//! ```text
//! 7. A deny is never shadowed by a later mount. Tests: `coffer_plan::check::tests::later_bind_is_refused`,
//!    `crates/cofferdam/tests/genuine_run.rs`.
//! 8. Nothing is lost when the disc is full. Test: pending.
//! ```

use std::collections::BTreeMap;

use crate::error::Error;
use crate::tree::Tree;

const PAGE: &str = "docs/promises.md";

/// A numbered item of the page.
#[derive(Debug, PartialEq)]
pub(crate) struct Promise {
    number: usize,
    text: String,
}

/// Where a named test may be: the Rust files of the tree, by path.
struct Sources(BTreeMap<String, String>);

impl Promise {
    /// Whether it has this number and begins with these words.
    pub(crate) fn is(&self, number: &str, words: &str) -> bool {
        self.number.to_string() == number && self.text.starts_with(words)
    }
}

/// All promises.
pub(crate) fn all(tree: &Tree) -> Result<Vec<Promise>, Error> {
    Ok(parse(&tree.read(PAGE)?))
}

/// Promises without a test, and names of tests that are not there.
pub(crate) fn check(tree: &Tree) -> Result<Vec<String>, Error> {
    let page = tree.read(PAGE)?;
    let mut sources = BTreeMap::new();
    for file in tree.files()? {
        let text = if file.ends_with(".rs") { tree.read(&file)? } else { String::new() };
        sources.insert(file, text);
    }
    Ok(findings(&page, &Sources(sources)))
}

fn findings(page: &str, sources: &Sources) -> Vec<String> {
    let promises = parse(page);
    if promises.is_empty() {
        return vec![format!("{PAGE}: no numbered promise found")];
    }
    let mut findings = Vec::new();
    for (index, promise) in promises.iter().enumerate() {
        let number = promise.number;
        if number != index + 1 {
            findings.push(format!("{PAGE}: promise {number} stands where {} is due", index + 1));
        }
        match named_tests(&promise.text) {
            None => findings.push(format!("{PAGE}: promise {number} has no `Test: …`")),
            Some(tests) if tests.is_empty() && !says_pending(&promise.text) => {
                findings.push(format!("{PAGE}: promise {number} names no test and does not say `pending`"));
            }
            Some(tests) => {
                let gone = tests.into_iter().filter(|test| !sources.has(test));
                findings.extend(gone.map(|test| format!("{PAGE}: promise {number}: no test `{test}`")));
            }
        }
    }
    findings
}

pub(crate) fn parse(page: &str) -> Vec<Promise> {
    let mut promises: Vec<Promise> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        if let Some((number, text)) = numbered(line) {
            promises.push(Promise { number, text: text.to_owned() });
            open = true;
        } else if line.starts_with('#') {
            open = false;
        } else if let Some(promise) = promises.last_mut().filter(|_| open) {
            promise.text.push(' ');
            promise.text.push_str(line.trim());
        }
    }
    promises
}

fn numbered(line: &str) -> Option<(usize, &str)> {
    let (number, text) = line.split_once(". ")?;
    Some((number.parse().ok()?, text))
}

/// The text behind the last `test:` or `tests:`.
fn behind_test(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let at =
        ["test: ", "tests: "].iter().filter_map(|word| lower.rfind(word).map(|at| at + word.len())).max()?;
    text.get(at..)
}

fn named_tests(text: &str) -> Option<Vec<&str>> {
    behind_test(text).map(|names| names.split('`').skip(1).step_by(2).collect())
}

fn says_pending(text: &str) -> bool {
    behind_test(text).is_some_and(|names| names.to_ascii_lowercase().contains("pending"))
}

impl Sources {
    fn has(&self, test: &str) -> bool {
        if test.contains('/') {
            let (path, function) = test.split_once("::").unwrap_or((test, ""));
            return match self.0.get(path) {
                Some(text) => function.is_empty() || defines(text, last_segment(function)),
                None => function.is_empty() && self.0.keys().any(|file| is_below(file, path)),
            };
        }
        let Some((crate_name, rest)) = test.split_once("::") else {
            return false;
        };
        let folders = [format!("crates/{}/", crate_name.replace('_', "-")), format!("{crate_name}/")];
        let name = last_segment(rest);
        self.0.iter().any(|(file, text)| {
            folders.iter().any(|folder| file.starts_with(folder))
                && file.ends_with(".rs")
                && defines(text, name)
        })
    }
}

/// A folder of golden files counts as a test too.
fn is_below(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}

fn last_segment(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

fn defines(text: &str, function: &str) -> bool {
    let head = format!("fn {function}");
    text.match_indices(&head).any(|(at, _)| {
        let behind = text.get(at + head.len()..).and_then(|rest| rest.chars().next());
        behind == Some('(') || behind == Some('<')
    })
}

#[cfg(test)]
mod tests;
