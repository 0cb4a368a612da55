use camino::Utf8PathBuf;
use proptest::prelude::*;

use super::{PathTemplate, clean, is_within};
use crate::facts::EnvFact;
use crate::fixture::Machine;

fn expand(template: &str) -> Option<String> {
    let machine = Machine::ada().with(|facts| {
        let value = |text: &str| EnvFact::Value(text.to_owned());
        facts.environment.insert("CARGO_HOME".to_owned(), value("/opt/cargo"));
        facts.environment.insert("GOPATH".to_owned(), value(""));
        facts.environment.insert("GOROOT".to_owned(), EnvFact::Empty);
        facts.environment.insert("NVM_DIR".to_owned(), value("nvm"));
        facts.environment.insert("MY_TOKEN".to_owned(), EnvFact::Redacted("set".to_owned()));
    });
    PathTemplate(template.to_owned()).expand(&machine.facts).map(Utf8PathBuf::into_string)
}

#[test]
fn templates_expand() {
    for (template, path) in [
        ("~", "/home/ada"),
        ("~/", "/home/ada"),
        ("~/.cargo//bin/", "/home/ada/.cargo/bin"),
        ("/etc/../usr/./bin", "/usr/bin"),
        ("/..", "/"),
        ("${CARGO_HOME}", "/opt/cargo"),
        ("${CARGO_HOME}/bin", "/opt/cargo/bin"),
        ("${CARGO_HOME:-~/.cargo}/bin", "/opt/cargo/bin"),
        ("${PYENV_ROOT:-~/.pyenv}/shims", "/home/ada/.pyenv/shims"),
        ("${PYENV_ROOT:-${CARGO_HOME}/py}/x", "/opt/cargo/py/x"),
        ("${PYENV_ROOT:-${RUSTUP_HOME:-~/.r}/py}/x", "/home/ada/.r/py/x"),
        // An empty variable counts as unset.
        ("${GOPATH:-~/go}", "/home/ada/go"),
        ("${GOROOT:-/usr/go}", "/usr/go"),
    ] {
        assert_eq!(expand(template).as_deref(), Some(path), "{template}");
    }
}

#[test]
fn templates_that_lead_nowhere_do_not_expand() {
    for template in [
        "",
        "relative",
        "./x",
        "~other/x",
        "${PYENV_ROOT}/x",
        "${GOPATH}",
        "${PYENV_ROOT:-}",
        "${PYENV_ROOT:-relative}/x",
        "${NVM_DIR}/x",
        "${CARGO_HOME",
        "${PYENV_ROOT:-${CARGO_HOME}/x",
        "${}",
        // What is not on the public list has no value here.
        "${MY_TOKEN}",
    ] {
        assert_eq!(expand(template), None, "{template}");
    }
}

#[test]
fn without_a_home_the_tilde_leads_nowhere() {
    let facts = Machine::ada().with(|facts| facts.user.home = None).facts;
    assert_eq!(PathTemplate("~/x".to_owned()).expand(&facts), None);
    assert_eq!(PathTemplate("${PYENV_ROOT:-~/x}".to_owned()).expand(&facts), None);
}

#[test]
fn within_counts_whole_names() {
    for (path, folder, within) in [
        ("/a/b", "/a", true),
        ("/a", "/a", true),
        ("/ab", "/a", false),
        ("/a", "/a/b", false),
        ("/a/b", "/", true),
    ] {
        assert_eq!(is_within(path.into(), folder.into()), within, "{path} in {folder}");
    }
}

proptest! {
    #[test]
    fn a_clean_path_stays_as_it_is(path in "(/|/[a-z.é ]{1,3}|/\\.\\.){0,8}") {
        let once = clean(path.as_str().into());
        prop_assert_eq!(&clean(&once), &once);
        prop_assert!(!once.as_str().split('/').any(|part| part == ".." || part == "."));
        prop_assert_eq!(once.is_absolute(), path.starts_with('/'));
    }

    #[test]
    fn no_template_panics(template in "[~${}:/a-zA-Z_.\\-]{0,24}") {
        if let Some(path) = expand(&template) {
            prop_assert!(path.starts_with('/'));
        }
    }
}
