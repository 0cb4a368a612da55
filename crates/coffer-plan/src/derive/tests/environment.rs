use crate::facts::EnvFact;
use crate::fixture::{Machine, value, variable};
use crate::plan::{EnvClass, EnvValue, NetworkTier, PlanError};

fn with(names: &[(&str, EnvFact)]) -> Machine {
    Machine::ada().with(|facts| {
        facts.environment.extend(names.iter().map(|(name, fact)| ((*name).to_owned(), fact.clone())));
    })
}

fn public(text: &str) -> EnvFact {
    EnvFact::Value(text.to_owned())
}

#[test]
fn the_hosts_allowlist_passes_what_is_set() {
    let plan = with(&[
        ("LC_ALL", public("C")),
        ("LC_TIME", public("de_DE.UTF-8")),
        ("TZ", public("")),
        ("COLORTERM", EnvFact::Empty),
        ("XDG_SESSION_ID", public("4")),
        ("GITHUB_TOKEN", EnvFact::Redacted("set".to_owned())),
        ("HTTPS_PROXY", EnvFact::Redacted("http://proxy:3128".to_owned())),
    ])
    .flags(|flags| flags.settings.network = Some(NetworkTier::Full))
    .plan();
    for (name, expected) in [("LC_ALL", "C"), ("LC_TIME", "de_DE.UTF-8"), ("TERM", "xterm-256color")] {
        assert_eq!(value(&plan, name), Some(expected), "{name}");
        assert_eq!(variable(&plan, name).unwrap().class, EnvClass::Host, "{name}");
    }
    for name in
        ["TZ", "COLORTERM", "EDITOR", "XDG_SESSION_ID", "GITHUB_TOKEN", "HTTPS_PROXY", "SSH_AUTH_SOCK"]
    {
        assert!(variable(&plan, name).is_none(), "{name} crossed");
    }
}

#[test]
fn the_agents_own_variables_pass() {
    let plan = with(&[
        ("ANTHROPIC_BASE_URL", EnvFact::Redacted("https://gateway:8443".to_owned())),
        ("ANTHROPIC_DEFAULT_OPUS_MODEL", EnvFact::Redacted("set".to_owned())),
        ("DISABLE_TELEMETRY", EnvFact::Redacted("set".to_owned())),
        ("ANTHROPIC_OTHER", EnvFact::Redacted("set".to_owned())),
    ])
    .plan();
    let base = variable(&plan, "ANTHROPIC_BASE_URL").unwrap();
    assert_eq!((base.class, base.origin.to_string().as_str()), (EnvClass::Host, "agent claude: env.pass"));
    assert!(matches!(&base.value, EnvValue::Reference { label, .. } if label == "https://gateway:8443"));
    assert!(variable(&plan, "ANTHROPIC_DEFAULT_OPUS_MODEL").is_some());
    assert!(variable(&plan, "DISABLE_TELEMETRY").is_some());
    assert!(variable(&plan, "ANTHROPIC_OTHER").is_none());
}

#[test]
fn what_is_passed_by_name_is_a_reference_unless_public() {
    let machine =
        with(&[("GITHUB_TOKEN", EnvFact::Redacted("set".to_owned())), ("XDG_SEAT", public("seat0"))]).flags(
            |flags| {
                flags.settings.env.pass = ["GITHUB_TOKEN", "XDG_SEAT", "NOT_SET"].map(str::to_owned).to_vec();
            },
        );
    let plan = machine.plan();
    assert_eq!(value(&plan, "GITHUB_TOKEN"), None);
    assert_eq!(variable(&plan, "GITHUB_TOKEN").unwrap().class, EnvClass::Extra);
    assert_eq!(value(&plan, "XDG_SEAT"), Some("seat0"));
    assert!(variable(&plan, "NOT_SET").is_none());
}

#[test]
fn a_value_that_looks_secret_is_refused_in_the_open() {
    for (name, text, refused) in [
        ("GITHUB_TOKEN", "x", true),
        ("FOO", "ghp_FAKE", true),
        ("URL", "https://u:p@h/", true),
        ("MODE", "fast", false),
        ("GITHUB_TOKEN", "", false),
    ] {
        let machine = Machine::ada().flags(|flags| {
            flags.settings.env.set.insert(name.to_owned(), text.to_owned());
        });
        let refusals = machine.refusals();
        assert_eq!(!refusals.is_empty(), refused, "{name}={text}");
        for error in refusals {
            assert!(matches!(error, PlanError::SecretValue { .. }));
            assert!(!error.to_string().contains(text) || text == "x", "{error}");
        }
    }
}

/// A zero byte would end a word on the backend's command line, and the rest would be an option.
#[test]
fn what_the_system_takes_for_no_variable_is_refused() {
    for (name, text) in [("A=B", "x"), ("", "x"), ("A\0--bind", "x"), ("A", "x\0--bind\0/\0/")] {
        let machine =
            Machine::ada().config(&format!("env.set = {{ {name:?} = {text:?} }}").replace("\\0", "\\u0000"));
        assert_eq!(machine.codes(), ["variable-unusable"], "{name:?}={text:?}");
        let message = machine.refusals()[0].to_string();
        assert!(!message.contains('\0') && message.contains("env.set"), "{message}");
    }
}

#[test]
fn nobody_replaces_what_the_sandbox_makes() {
    for name in ["HOME", "PATH", "TMPDIR", "USER", "CLAUDE_CONFIG_DIR", "CLAUDE_SECURESTORAGE_CONFIG_DIR"] {
        let set = Machine::ada().config(&format!("env.set = {{ {name} = '/elsewhere' }}"));
        let passed = Machine::ada().config(&format!("env.pass = ['{name}']"));
        assert_eq!(
            (set.codes(), passed.codes()),
            (vec!["variable-reserved"], vec!["variable-reserved"]),
            "{name}"
        );
        assert!(set.refusals()[0].to_string().contains("env.set"));
    }
    // A pattern asks for nothing by name.
    let plan = Machine::ada().config("env.pass = ['HOM*', 'PA*']").plan();
    for (name, expected) in [
        ("HOME", "/home/ada"),
        ("TMPDIR", "/tmp"),
        ("USER", "ada"),
        ("LOGNAME", "ada"),
        ("SHELL", "/bin/bash"),
        ("PWD", "/home/ada/src/app"),
        ("CLAUDE_CONFIG_DIR", "/home/ada/.claude"),
    ] {
        assert_eq!(value(&plan, name), Some(expected));
        assert_eq!(variable(&plan, name).unwrap().class, EnvClass::Sandbox);
    }
}

#[test]
fn every_name_is_there_once() {
    let plan = Machine::ada().secret_env("ANTHROPIC_API_KEY").plan();
    let mut names: Vec<&str> = plan.environment.iter().map(|entry| entry.name.as_str()).collect();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn the_path_is_the_hosts_as_far_as_it_is_shown() {
    use crate::facts::PathKind::Folder;
    let machine = Machine::ada()
        .has("/home/ada/.cargo/bin", Folder)
        .has("/home/ada/bin", Folder)
        .has("/home/ada/tools", Folder)
        .has("/usr/sbin", Folder)
        .with(|facts| {
            let path = "/home/ada/bin:relative::/home/ada/.cargo/bin:/usr/bin:/nowhere:/usr/bin:/home/ada/.local/bin";
            facts.environment.insert("PATH".to_owned(), public(path));
        });
    let path = |machine: &Machine| value(&machine.plan(), "PATH").unwrap().to_owned();
    // `~/bin` exists and is not shown; the system's own folders come last.
    let base = "/home/ada/.cargo/bin:/usr/bin:/home/ada/.local/bin:/usr/local/bin:/usr/sbin:/sbin:/bin";
    assert_eq!(path(&machine), base);
    // What a person adds comes after the host's, once it is mounted.
    let added = machine.clone().config("path = ['~/tools', '~/absent']");
    assert_eq!(path(&added), base);
    let mounted = added.mount(&["~/tools"]);
    let expected = base.replace("/home/ada/.local/bin:", "/home/ada/.local/bin:/home/ada/tools:");
    assert_eq!(path(&mounted), expected);
}

#[test]
fn a_folder_with_a_colon_is_not_on_the_path() {
    use crate::facts::PathKind::Folder;
    let machine =
        Machine::ada().has("/home/ada/a:b", Folder).config("path = ['~/a:b']\n[[mount]]\nsource = '~/a:b'\n");
    assert!(!value(&machine.plan(), "PATH").unwrap().contains("a:b"));
}

#[test]
fn without_network_the_hosts_own_names_stay_outside() {
    let plan = Machine::ada().flags(|flags| flags.settings.network = Some(NetworkTier::None)).plan();
    let hosts = crate::fixture::mounts_on(&plan, "/etc/hosts");
    assert!(matches!(hosts[..], [crate::plan::Mount { op: crate::plan::MountOp::File { .. }, .. }]));
}
