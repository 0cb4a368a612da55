//! docs/reference/layers.md: which crate knows which, from the manifests.

use std::fmt::Write as _;

use crate::deps;
use crate::error::Error;
use crate::tree::Tree;

use super::{COMMAND, Page};

pub(super) fn pages(tree: &Tree) -> Result<Vec<Page>, Error> {
    let packages = tree.packages()?;
    let mut text = format!(
        "# Layers\n\nMade by `{COMMAND}`. `cargo xtask check-deps` holds them against `xtask/rules/dependencies.toml`.\n\n\
         | crate | siblings it depends on | other dependencies |\n|---|---|---|\n"
    );
    for (name, package) in &packages {
        let (siblings, others): (Vec<_>, Vec<_>) =
            deps::shipped(package).into_iter().partition(|dependency| packages.contains_key(*dependency));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {name} | {} | {} |", cell(&siblings), cell(&others));
    }
    Ok(vec![Page { path: "docs/reference/layers.md".to_owned(), contents: text }])
}

fn cell(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
