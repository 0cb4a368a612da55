//! `generate`: pages that are made from the code, so that they cannot lag behind it.
//!
//! A generator is one line in [`GENERATORS`]: a function of the tree that gives pages. `--check` compares.

mod attacks;
mod command_line;
mod doctor;
mod error_codes;
mod layers;
mod schemas;
mod system_calls;

use crate::error::Error;
use crate::tree::Tree;

/// One generated file.
struct Page {
    /// Relative to the root of the tree.
    path: String,
    contents: String,
}

type Generator = fn(&Tree) -> Result<Vec<Page>, Error>;

const GENERATORS: &[Generator] = &[
    attacks::pages,
    command_line::pages,
    doctor::pages,
    error_codes::pages,
    layers::pages,
    schemas::pages,
    system_calls::pages,
];

/// The command that the pages name at their top.
const COMMAND: &str = "cargo xtask generate";

/// Writes all pages.
pub(crate) fn write(tree: &Tree) -> Result<Vec<String>, Error> {
    for page in pages(tree)? {
        tree.write(&page.path, &page.contents)?;
    }
    Ok(Vec::new())
}

/// Pages that are not what the code says.
pub(crate) fn check(tree: &Tree) -> Result<Vec<String>, Error> {
    let mut findings = Vec::new();
    for page in pages(tree)? {
        match std::fs::read_to_string(tree.path(&page.path)) {
            Ok(now) if now == page.contents => {}
            Ok(_) => findings.push(format!("{}: out of date: `{COMMAND}` writes it anew", page.path)),
            Err(_) => findings.push(format!("{}: missing: `{COMMAND}` writes it", page.path)),
        }
    }
    Ok(findings)
}

fn pages(tree: &Tree) -> Result<Vec<Page>, Error> {
    let mut pages = Vec::new();
    for generator in GENERATORS {
        pages.extend(generator(tree)?);
    }
    Ok(pages)
}
