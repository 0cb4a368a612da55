//! `coffer account`: what it writes, and that no secret is in any of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::accounts::{agent, path};
use crate::support::screen::Person;
use crate::support::tree::{files_with, tree};
use crate::support::{Ran, Stage, run, run_with_input, sandboxes};

const KEY: &str = "sk-ant-api03-FAKE-canary-of-named";

/// Adds an account of a kind with a secret.
fn add(stage: &Stage, name: &str, secret: &str, more: &[&str]) -> Ran {
    let mut command = stage.coffer(["account", "add", name, "--kind", "api-key"]);
    run_with_input(command.args(more), secret.as_bytes())
}

#[test]
fn a_key_from_stdin_is_sealed_and_reaches_a_run_and_nothing_else() {
    let stage = Stage::new();
    let added =
        add(&stage, "work", &format!("{KEY}\n"), &["--base-url", "https://gateway.example/v1", "--json"]);
    assert_eq!(added.keeps_secret(&[KEY]).json()["change"], "added");
    let shown = run(stage.coffer(["account", "show", "work", "--json"])).keeps_secret(&[KEY]).json();
    assert_eq!(
        (&shown["kind"], &shown["base_url"]),
        (&"api_key".into(), &"https://gateway.example/v1".into())
    );
    assert_eq!(shown["sealing"]["place"], "key_file");
    assert!(fs::metadata(shown["sealing"]["file"].as_str().unwrap()).is_ok());
    let text = run(stage.coffer(["account", "show", "work"]));
    assert!(text.ends_with(0).text().contains("key file"), "{text}");
    let listed = run(stage.coffer(["account", "list", "--json"])).json();
    let names: Vec<_> =
        listed["accounts"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["host", "work"]);
    assert!(files_with(stage.scratch.root(), KEY).is_empty());
    if sandboxes() {
        // The positive control: the run has it, and it alone.
        let inside = stage.inside(&["--account", "work"], "printenv ANTHROPIC_API_KEY");
        assert_eq!(inside.ends_with(0).text().trim(), KEY);
        assert!(files_with(stage.scratch.root(), KEY).is_empty());
    }
    let entries = run(stage.coffer(["ledger", "show", "--json"]));
    entries.keeps_secret(&[KEY]);
    assert!(entries.text().contains("account_changed"), "{entries}");
}

#[test]
fn a_secret_that_cannot_be_one_is_refused_and_nothing_is_added() {
    let stage = Stage::new();
    for bad in ["", "\n", "two\nlines\n", "carriage\rreturn", " padded", "bell\x07"] {
        add(&stage, "work", bad, &[])
            .refuses(2, "usage", "the secret", "pipe it in")
            .keeps_secret(&["padded"]);
    }
    let url = format!("https://user:{KEY}@gateway.example");
    add(&stage, "work", KEY, &["--base-url", &url])
        .refuses(2, "usage", "base URL", "auth-token")
        .keeps_secret(&[KEY]);
    add(&stage, "Work", KEY, &[]).refuses(2, "usage", "no name of an account", "");
    add(&stage, "host", KEY, &[]).refuses(2, "account-host", "your own login", "another name");
    run(stage.coffer(["account", "add", "x", "--kind", "helper"])).refuses(
        2,
        "usage",
        "needs the program",
        "--helper",
    );
    let listed = run(stage.coffer(["account", "list", "--json"])).json();
    assert_eq!(listed["accounts"].as_array().unwrap().len(), 1);
    // The positive control, and no second one of the name.
    add(&stage, "work", KEY, &[]).ends_with(0);
    add(&stage, "work", KEY, &[]).refuses(2, "account-exists", "already", "coffer account show work");
}

#[test]
fn a_person_types_a_key_unseen_and_the_name_of_what_goes() {
    let stage = Stage::new();
    let mut person = Person::starts(stage.coffer(["account", "add", "work", "--kind", "auth-token"]));
    person.sees(&["it is not shown"]);
    person.types(&format!("{KEY}\n"));
    let (status, seen) = person.waits();
    assert!(status.success() && !seen.contains("FAKE"), "{seen}");
    let mut person = Person::starts(stage.coffer(["account", "remove", "work"]));
    person.sees(&["type its name"]);
    person.types("wrong\n");
    assert_eq!(person.waits().0.code(), Some(3));
    run(stage.coffer(["account", "remove", "work"])).refuses(
        3,
        "needs-person",
        "nothing was removed",
        "--yes",
    );
    let mut person = Person::starts(stage.coffer(["account", "remove", "work"]));
    person.sees(&["type its name"]);
    person.types("work\n");
    let (status, seen) = person.waits();
    assert!(status.success(), "{seen}");
    run(stage.coffer(["account", "show", "work"])).refuses(
        2,
        "unknown-account",
        "no account `work`",
        "account list",
    );
    assert!(files_with(stage.scratch.root(), KEY).is_empty());
}

#[test]
fn a_choice_is_written_with_all_else_in_the_file_kept_and_follows_a_rename() {
    let stage = Stage::new();
    agent(&stage);
    let plan = || run(stage.coffer(["plan", "--json"]).env("PATH", path(&stage))).json();
    let text = "# mine\nstate = \"project\" # so\n\n[env] # later\nset = { EDITOR = \"vi\" }\n";
    stage.config(text);
    run(stage.coffer(["account", "use", "work"])).refuses(2, "unknown-account", "work", "");
    add(&stage, "work", KEY, &[]).ends_with(0);
    run(stage.coffer(["account", "use", "work"])).ends_with(0);
    run(stage.coffer(["account", "use", "work", "--here"])).ends_with(0);
    let file = stage.home().join(".config/cofferdam/config.toml");
    let written = fs::read_to_string(&file).unwrap();
    for line in text.lines() {
        assert!(written.contains(line), "{line:?} is gone: {written}");
    }
    assert_eq!(plan()["credential"]["account"], "work", "{written}");
    run(stage.coffer(["account", "rename", "work", "office"])).ends_with(0);
    assert_eq!(plan()["credential"]["account"], "office");
    assert!(!fs::read_to_string(&file).unwrap().contains("work\""));
    run(stage.coffer(["account", "use", "host"])).ends_with(0);
    // Here it is still the other one.
    assert_eq!(plan()["credential"]["account"], "office");
    // A file that does not read is left as it is.
    stage.config("account = [");
    run(stage.coffer(["account", "use", "host"])).ends_with(2);
    assert_eq!(fs::read_to_string(&file).unwrap(), "account = [");
}

#[test]
fn whatever_the_umask_nobody_else_can_read_an_account() {
    for umask in ["000", "077", "0777"] {
        let stage = Stage::new();
        let script = format!(r#"umask {umask}; printf %s {KEY} | "$0" account add work --kind api-key"#);
        let mut command = stage.command("sh");
        // Where the umask takes everything, the ledger's own folder cannot be made; the account is whole.
        let added = run(command.arg("-c").arg(&script).arg(stage.program()));
        assert!(umask == "0777" || added.code == Some(0), "{added}");
        let root = stage.data().join("accounts/work");
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o7777, 0o700, "{umask}");
        for (path, what) in tree(&root, &[]).into_iter().chain(tree(&stage.data().join("seal"), &[])) {
            let lock = path.file_name().unwrap() == "lock";
            let private = what.starts_with("40700 ") || what.starts_with("100600 ");
            assert!(private || (lock && umask == "0777"), "{}: {what}", path.display());
        }
    }
}

#[test]
fn a_home_that_cannot_be_written_adds_nothing_and_says_why() {
    let Some(stage) = Stage::of_ordinary_user() else { return };
    add(&stage, "first", KEY, &[]).ends_with(0);
    let accounts = stage.data().join("accounts");
    fs::set_permissions(&accounts, PermissionsExt::from_mode(0o500)).unwrap();
    add(&stage, "work", KEY, &[]).refuses(1, "account-store", "cannot", "ls -ld").keeps_secret(&[KEY]);
    fs::set_permissions(&accounts, PermissionsExt::from_mode(0o700)).unwrap();
    assert!(!accounts.join("work").exists());
    add(&stage, "work", KEY, &[]).ends_with(0);
    // Another user sees nothing of it; its owner does.
    let other = run(std::process::Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "ls"])
        .arg(&accounts));
    assert_ne!(other.code, Some(0), "{other}");
    run(stage.command("ls").arg(&accounts)).ends_with(0);
}
