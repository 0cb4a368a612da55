//! `check-deps`: the layers of docs/design.md hold in the manifests.
//!
//! Cargo lets any crate depend on any other; the rules that make the design readable stand in
//! `xtask/rules/dependencies.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::error::Error;
use crate::tree::{Package, Tree};

const RULES: &str = "xtask/rules/dependencies.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    siblings: BTreeMap<String, BTreeSet<String>>,
    /// Crate → dependency → what it is for.
    pure: BTreeMap<String, BTreeMap<String, String>>,
    names: Names,
    unsafe_code: UnsafeCode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    forbidden: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnsafeCode {
    home: String,
}

/// What is against the rules, one line each.
pub(crate) fn check(tree: &Tree) -> Result<Vec<String>, Error> {
    let rules: Rules = tree.read_toml(RULES)?;
    let packages = tree.packages()?;
    let mut findings = Vec::new();
    for package in packages.values() {
        check_siblings(&rules, &packages, package, &mut findings);
        check_name(tree, &rules, package, &mut findings);
        check_manifest(tree, package, &mut findings)?;
        check_unsafe(tree, &rules, package, &mut findings)?;
    }
    for (name, reasons) in &rules.pure {
        check_pure(name, reasons, packages.get(name), &mut findings);
    }
    check_bans_are_repeated(tree, &mut findings)?;
    Ok(findings)
}

/// Ordinary and build dependencies; tests may reach further.
pub(crate) fn shipped(package: &Package) -> BTreeSet<&str> {
    let ordinary = package.dependencies.iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"));
    ordinary.map(|dependency| dependency.name.as_str()).collect()
}

fn check_siblings(
    rules: &Rules,
    packages: &BTreeMap<String, Package>,
    package: &Package,
    findings: &mut Vec<String>,
) {
    let name = &package.name;
    let Some(allowed) = rules.siblings.get(name) else {
        findings.push(format!("`{name}` has no line under [siblings] in {RULES}"));
        return;
    };
    for sibling in shipped(package) {
        if packages.contains_key(sibling) && !allowed.contains("*") && !allowed.contains(sibling) {
            findings.push(format!("`{name}` must not depend on `{sibling}`: {RULES} does not allow it"));
        }
    }
}

fn check_name(tree: &Tree, rules: &Rules, package: &Package, findings: &mut Vec<String>) {
    let name = &package.name;
    if name.split('-').any(|word| rules.names.forbidden.contains(word)) {
        findings.push(format!("`{name}` says nothing about the crate's work: name it by what it does"));
    }
    let folder = package.manifest_path.parent().map(|folder| tree.relative(folder)).unwrap_or_default();
    if folder != *name && folder != format!("crates/{name}") {
        findings.push(format!("`{name}` lies in `{folder}`: folder and crate have the same name"));
    }
}

/// The one lint table and the one dependency table hold only if every crate takes them.
fn check_manifest(tree: &Tree, package: &Package, findings: &mut Vec<String>) -> Result<(), Error> {
    let path = tree.relative(&package.manifest_path);
    let manifest: toml::Table = tree.read_toml(&path)?;
    let takes_lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if takes_lints.and_then(toml::Value::as_bool) != Some(true) {
        findings.push(format!("{path}: `[lints] workspace = true` is missing"));
    }
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(table) = manifest.get(table).and_then(toml::Value::as_table) else {
            continue;
        };
        for (name, value) in table {
            if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                findings.push(format!(
                    "{path}: `{name}` must be `workspace = true`: versions stand in one table"
                ));
            }
        }
    }
    Ok(())
}

fn check_unsafe(
    tree: &Tree,
    rules: &Rules,
    package: &Package,
    findings: &mut Vec<String>,
) -> Result<(), Error> {
    if package.name == rules.unsafe_code.home {
        return Ok(());
    }
    for target in &package.targets {
        if !target.kind.iter().any(|kind| kind == "lib" || kind == "bin") {
            continue;
        }
        let path = tree.relative(&target.src_path);
        if !tree.read(&path)?.lines().any(|line| line.trim() == "#![forbid(unsafe_code)]") {
            let home = &rules.unsafe_code.home;
            findings
                .push(format!("{path}: `#![forbid(unsafe_code)]` is missing: unsafe code lives in `{home}`"));
        }
    }
    Ok(())
}

fn check_pure(
    name: &str,
    reasons: &BTreeMap<String, String>,
    package: Option<&Package>,
    findings: &mut Vec<String>,
) {
    let Some(package) = package else {
        findings.push(format!("{RULES}: no crate `{name}`"));
        return;
    };
    let has = shipped(package);
    for dependency in &has {
        if !reasons.contains_key(*dependency) {
            findings.push(format!("`{name}` is pure: say in {RULES} what it needs `{dependency}` for"));
        }
    }
    for dependency in reasons.keys() {
        if !has.contains(dependency.as_str()) {
            findings.push(format!("{RULES}: `{name}` no longer depends on `{dependency}`"));
        }
    }
}

/// Clippy reads only the nearest clippy.toml, so coffer-plan's has to repeat the workspace's.
fn check_bans_are_repeated(tree: &Tree, findings: &mut Vec<String>) -> Result<(), Error> {
    let near = "crates/coffer-plan/clippy.toml";
    let everywhere: toml::Table = tree.read_toml("clippy.toml")?;
    let pure: toml::Table = tree.read_toml(near)?;
    for (key, value) in &everywhere {
        let repeated = match (value, pure.get(key)) {
            (toml::Value::Array(all), Some(toml::Value::Array(here))) => {
                all.iter().all(|ban| here.contains(ban))
            }
            (value, here) => here == Some(value),
        };
        if !repeated {
            findings.push(format!("{near}: `{key}` does not repeat all of the workspace's clippy.toml"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
