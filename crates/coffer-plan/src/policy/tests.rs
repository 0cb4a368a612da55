use camino::Utf8Path;

use super::{PolicyError, Secret};
use crate::facts::PathKind::Folder;
use crate::fixture::Machine;

fn secret(path: &str, except: &[&str]) -> Secret {
    let except = except.iter().map(|name| Utf8Path::new(path).join(name)).collect();
    Secret { path: path.into(), reason: "keys".to_owned(), except, socket: None }
}

#[test]
fn a_secret_is_exposed_from_inside_and_from_around() {
    let ssh = secret("/h/.ssh", &["known_hosts", "pub"]);
    for (source, exposed) in [
        ("/h/.ssh", true),
        ("/h/.ssh/id", true),
        ("/h", true),
        ("/", true),
        ("/h/.ssh/known_hosts", false),
        ("/h/.ssh/pub/a", false),
        ("/h/.ssh/known_hosts.old", true),
        ("/h/.sshx", false),
        ("/h/work", false),
    ] {
        assert_eq!(ssh.is_exposed_by(source.into()), exposed, "{source}");
    }
}

/// Logins, the account store and whatever the data file names.
#[test]
fn what_is_secret_is_known() {
    let policy = Machine::ada()
        .with(|facts| {
            let elsewhere = crate::facts::EnvFact::Value("/home/ada/.config/claude".to_owned());
            facts.environment.insert("CLAUDE_CONFIG_DIR".to_owned(), elsewhere);
        })
        .policy();
    let is_secret =
        |path: &str| policy.secrets.iter().any(|secret| crate::path::is_within(path.into(), &secret.path));
    for path in [
        "/home/ada/.ssh/id",
        "/home/ada/.aws",
        "/home/ada/.config/gcloud",
        "/home/ada/.gnupg",
        "/home/ada/.local/share/keyrings",
        "/home/ada/.docker/config.json",
        "/home/ada/.kube",
        "/home/ada/.netrc",
        "/home/ada/.git-credentials",
        "/home/ada/.claude",
        "/home/ada/.config/claude",
        "/home/ada/.mozilla",
        "/home/ada/.config/google-chrome",
        "/home/ada/.local/share/cofferdam/accounts/x",
        "/etc/shadow",
    ] {
        assert!(is_secret(path), "{path}");
    }
    assert!(!is_secret("/home/ada/src/app") && !is_secret("/usr/bin"));
}

#[test]
fn a_path_that_leads_nowhere_is_an_error_with_its_origin() {
    let machine = Machine::ada()
        .with(|facts| facts.user.home = None)
        .config("profiles = []\nhide = ['~/x']\npath = ['~/bin']\n[[mount]]\nsource = '${GOPATH}/y'\n");
    let errors = machine.resolved().unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 2, "{texts:?}");
    assert!(
        texts.iter().all(|text| text.contains("leads nowhere") && text.contains("user file")),
        "{texts:?}"
    );
    assert!(errors.iter().all(|error| !error.hint().is_empty()));
}

#[test]
fn a_path_with_control_characters_is_an_error() {
    for path in ["a\\nb", "~/a\\u001b", "/a\\u0000b", "a\\u0085"] {
        for text in [
            format!("hide = [\"{path}\"]"),
            format!("readonly = [\"{path}\"]"),
            format!("[[mount]]\nsource = \"{path}\""),
            format!("[[mount]]\nsource = '/srv'\ntarget = \"{path}\""),
        ] {
            let errors = Machine::ada().config(&text).resolved().unwrap_err();
            assert!(matches!(errors[..], [PolicyError::ControlCharacters { .. }]), "{text}: {errors:?}");
            let message = errors[0].to_string();
            assert!(!message.chars().any(char::is_control), "{message:?}");
        }
    }
}

/// What the plan looks up has been asked for: the facts are as complete as the questions.
#[test]
fn the_machine_is_asked_about_every_path_of_the_layers() {
    let machine = Machine::ada()
        .config("hide = ['a']\nreadonly = ['~/b']\npath = ['/opt/c']\n[[mount]]\nsource = '~/d'\n")
        .project("hide = ['p']", false)
        .mount(&["e"])
        .has("/home/ada/src/app/e", Folder);
    let questions = machine.inputs().questions(&machine.merged(), &machine.flags, &machine.facts);
    for path in [
        "/home/ada/src/app/a",
        "/home/ada/b",
        "/opt/c",
        "/home/ada/d",
        "/home/ada/src/app/p",
        "/home/ada/src/app/e",
        "/home/ada/src/app",
        "/usr/local/bin/coffer",
        "/home/ada/.claude/CLAUDE.md",
    ] {
        assert!(questions.paths.iter().any(|asked| asked == path), "{path}");
    }
    for template in ["/etc/resolv.conf", "~/.ssh", "/usr", "/bin/bash"] {
        assert!(questions.templates.iter().any(|asked| asked.0 == template), "{template}");
    }
}
