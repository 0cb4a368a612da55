use std::collections::{BTreeMap, BTreeSet};

use super::{Names, Rules, UnsafeCode, check_pure, check_siblings};
use crate::tree::{Dependency, Package};

fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
    let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
        name: (*name).to_owned(),
        kind: kind.map(str::to_owned),
    };
    Package {
        name: name.to_owned(),
        manifest_path: format!("/w/crates/{name}/Cargo.toml").into(),
        dependencies: dependencies.iter().map(dependency).collect(),
        targets: Vec::new(),
    }
}

fn rules() -> Rules {
    let siblings = [("plan", vec![]), ("host", vec!["plan"]), ("binary", vec!["*"])];
    Rules {
        siblings: siblings
            .map(|(name, list)| (name.to_owned(), list.into_iter().map(str::to_owned).collect()))
            .into(),
        pure: BTreeMap::new(),
        names: Names { forbidden: BTreeSet::new() },
        unsafe_code: UnsafeCode { home: "sys".to_owned() },
    }
}

fn siblings_of(package: Package) -> Vec<String> {
    let mut packages: BTreeMap<String, Package> =
        ["plan", "host", "binary"].map(|name| (name.to_owned(), self::package(name, &[]))).into();
    let name = package.name.clone();
    packages.insert(name.clone(), package);
    let mut findings = Vec::new();
    check_siblings(&rules(), &packages, &packages[&name], &mut findings);
    findings
}

#[test]
fn a_crate_depends_only_on_the_siblings_of_its_layer() {
    assert!(siblings_of(package("host", &[("plan", None), ("serde", None)])).is_empty());
    assert!(siblings_of(package("binary", &[("plan", None), ("host", None)])).is_empty());
    assert_eq!(siblings_of(package("plan", &[("host", None)])).len(), 1);
    assert_eq!(siblings_of(package("plan", &[("host", Some("build"))])).len(), 1);
}

#[test]
fn tests_may_reach_further() {
    assert!(siblings_of(package("plan", &[("host", Some("dev"))])).is_empty());
}

#[test]
fn a_crate_without_a_rule_is_a_finding() {
    assert_eq!(siblings_of(package("stranger", &[])).len(), 1);
}

#[test]
fn a_pure_crate_has_exactly_the_dependencies_with_a_reason() {
    let reasons =
        BTreeMap::from([("serde".to_owned(), "data".to_owned()), ("old".to_owned(), "?".to_owned())]);
    let crate_ = package("plan", &[("serde", None), ("rand", None), ("proptest", Some("dev"))]);
    let mut findings = Vec::new();
    check_pure("plan", &reasons, Some(&crate_), &mut findings);
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].contains("`rand`") && findings[1].contains("`old`"), "{findings:?}");
}
