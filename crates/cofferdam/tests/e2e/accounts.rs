//! Named accounts: what of them is inside, by kind and auth mode, with the same probe of another account
//! beside it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use crate::support::{Stage, run, sandboxes};

const TOKEN: &str = "sk-ant-oat01-FAKE-work";
const REFRESH: &str = "sk-ant-ort01-FAKE-work";

/// An account by its record, as `account add` makes it.
fn account(stage: &Stage, name: &str, kind: &str, more: &str) -> PathBuf {
    let folder = stage.data().join("accounts").join(name);
    fs::create_dir_all(folder.join("login/store")).unwrap();
    let record = format!(
        r#"{{"schema":1,"name":"{name}","agent":"claude","kind":"{kind}","created_at_ms":1795000000000{more}}}"#
    );
    fs::write(folder.join("account.json"), record).unwrap();
    folder
}

/// A subscription account that is signed in for years to come.
fn signed_in(stage: &Stage, name: &str) -> PathBuf {
    let folder = account(stage, name, "subscription", "");
    let login = format!(
        r#"{{"claudeAiOauth":{{"accessToken":"{TOKEN}","refreshToken":"{REFRESH}","expiresAt":9999999999999,
            "scopes":["user:inference"],"subscriptionType":"max"}}}}"#
    );
    let file = folder.join("login/store/.credentials.json");
    fs::write(&file, login).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    for private in ["login", "login/store"] {
        fs::set_permissions(folder.join(private), PermissionsExt::from_mode(0o700)).unwrap();
    }
    folder
}

/// A program that stands for an agent of a version that knows a login folder of its own.
pub(crate) fn agent(stage: &Stage) {
    let program = stage.home().join(".local/share/claude/versions/2.1.330");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::write(&program, "#!/bin/sh\nexec true\n").unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let link = stage.home().join(".local/bin/claude");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink(program, link).unwrap();
}

pub(crate) fn path(stage: &Stage) -> String {
    format!("{}:{}", stage.home().join(".local/bin").display(), crate::support::PATH)
}

#[test]
fn a_named_subscription_is_leased_without_its_refresh_token() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let folder = signed_in(&stage, "work");
    let script = r#"cat "$CLAUDE_SECURESTORAGE_CONFIG_DIR/.credentials.json""#;
    let inside = stage.inside(&["--account", "work"], script);
    inside.ends_with(0).keeps_secret(&[REFRESH]);
    assert!(inside.text().contains(TOKEN), "{inside}");
    // Modes that are too wide are tightened before the start; the login itself is left as it is.
    let file = folder.join("login/store/.credentials.json");
    let before = fs::read(&file).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    fs::set_permissions(folder.join("login"), PermissionsExt::from_mode(0o755)).unwrap();
    stage.inside(&["--account", "work"], "true").ends_with(0);
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&file), mode(&folder.join("login"))), (0o600, 0o700));
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_lease_never_follows_a_link_out_of_the_account() {
    let stage = Stage::new();
    let folder = signed_in(&stage, "work");
    let other = signed_in(&stage, "other");
    let file = folder.join("login/store/.credentials.json");
    fs::remove_file(&file).unwrap();
    symlink(other.join("login/store/.credentials.json"), &file).unwrap();
    run(stage.run(["--account", "work", "--", "true"]))
        .refuses(125, "login-unusable", "link leads out of the account", "coffer doctor")
        .keeps_secret(&[TOKEN, REFRESH]);
}

#[test]
fn an_account_that_is_not_there_is_named_with_the_way_to_add_it() {
    let stage = Stage::new();
    run(stage.run(["--account", "work", "--", "true"])).refuses(
        125,
        "unknown-account",
        "no account `work`",
        "coffer account add work",
    );
    let folder = account(&stage, "work", "api_key", "");
    fs::write(folder.join("account.json"), "{\"CANARY\"").unwrap();
    run(stage.run(["--account", "work", "--", "true"]))
        .refuses(125, "account-broken", "account.json", "mend")
        .keeps_secret(&["CANARY"]);
}

#[test]
fn a_shared_login_can_be_written_with_its_locks_and_no_other_account_is_seen() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    agent(&stage);
    let folder = signed_in(&stage, "work");
    signed_in(&stage, "other");
    let script = format!(
        r#"cd "$CLAUDE_SECURESTORAGE_CONFIG_DIR" && mkdir ../store.lock .oauth_refresh.lock &&
        cp .credentials.json .tmp && mv .tmp .credentials.json && cat .credentials.json
        ls {}/accounts {} 2>/dev/null"#,
        stage.data().display(),
        stage.home().join(".local/share/cofferdam").display()
    );
    let shared = |flags: &[&str], script: &str| {
        let mut command = stage.run(flags);
        run(command.env("PATH", path(&stage)).args(["--", "sh", "-c", script]))
    };
    let inside = shared(&["--account", "work", "--auth", "shared"], &format!("{script}; true"));
    inside.ends_with(0);
    assert!(inside.text().contains(REFRESH) && !inside.text().contains("other"), "{inside}");
    assert!(
        folder.join("login/store.lock").is_dir() && folder.join("login/store/.oauth_refresh.lock").is_dir()
    );
    // The account's record and its sealed things lie beside what is shown, and are not.
    shared(&["--account", "work", "--auth", "shared"], "ls -A /run/coffer/login")
        .prints("store\nstore.lock\n");
    // The same words without the mode: nothing of it is there.
    shared(&["--account", "work"], "ls /run/coffer/login").ends_with(2);
}

#[test]
fn the_users_own_login_is_shared_only_on_their_word() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    agent(&stage);
    let login = format!(
        r#"{{"claudeAiOauth":{{"accessToken":"{TOKEN}","refreshToken":"{REFRESH}","expiresAt":9999999999999,"scopes":["user:inference"]}}}}"#
    );
    let file = stage.scratch.write_home(".claude/.credentials.json", &login).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    stage.scratch.write_home(".claude/settings.json", "{}").unwrap();
    let shared = |flags: &[&str], script: &str| {
        let mut command = stage.run(["--auth", "shared"]);
        run(command.args(flags).env("PATH", path(&stage)).args(["--", "sh", "-c", script]))
    };
    shared(&[], "true").refuses(125, "shared-refused", "in the agent's hands", "--allow-host-login");
    stage.project_file(".coffer.toml", "allow_host_login = true\n");
    shared(&[], "true").refuses(125, "config", "allow_host_login", "your own config file");
    fs::remove_file(stage.project().join(".coffer.toml")).unwrap();
    let script = r#"cd "$CLAUDE_SECURESTORAGE_CONFIG_DIR" && mkdir ../store.lock .oauth_refresh.lock && cat .credentials.json
        echo '{"hooks":{}}' > settings.json"#;
    let inside = shared(&["--allow-host-login"], &format!("{script}; true"));
    inside.ends_with(0);
    assert!(inside.text().contains(REFRESH), "{inside}");
    // The lock inside is the host's; the one beside is not; settings stay as they were.
    assert!(stage.home().join(".claude/.oauth_refresh.lock").is_dir());
    assert!(!stage.home().join(".claude.lock").exists());
    assert_eq!(fs::read_to_string(stage.home().join(".claude/settings.json")).unwrap(), "{}");
}

#[test]
fn a_helper_of_an_account_is_run_on_the_host_and_its_key_crosses() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let helper = stage.home().join("bin/give");
    fs::create_dir_all(helper.parent().unwrap()).unwrap();
    fs::write(&helper, "#!/bin/sh\necho \"sk-ant-api03-FAKE-$1\"\n").unwrap();
    fs::set_permissions(&helper, PermissionsExt::from_mode(0o755)).unwrap();
    let more = |program: &str| format!(r#","helper":["{program}","9"],"base_url":"https://llm.example.org""#);
    account(&stage, "work", "helper", &more(&helper.display().to_string()));
    let script = "echo $ANTHROPIC_API_KEY $ANTHROPIC_BASE_URL; true";
    let mut command = stage.run(["--account", "work", "--", "sh", "-c", script]);
    run(command.env("ANTHROPIC_BASE_URL", "https://elsewhere.example.org"))
        .keeps_secret(&["elsewhere"])
        .prints("sk-ant-api03-FAKE-9 https://llm.example.org\n");
    let plan = run(stage.run(["--account", "work", "--dry-run=json", "--", "true"]));
    plan.ends_with(0).keeps_secret(&["FAKE-9"]);
    // What the agent could write is not run on the host.
    let inside = stage.project_file("give", "#!/bin/sh\ntouch it-ran\n");
    fs::set_permissions(&inside, PermissionsExt::from_mode(0o755)).unwrap();
    account(&stage, "work", "helper", &more(&inside.display().to_string()));
    run(stage.run(["--account", "work", "--", "true"])).refuses(125, "host-executable", "give", "");
    assert!(!stage.project().join("it-ran").exists());
}

#[test]
fn a_sealed_key_is_opened_for_the_run_and_stands_nowhere_else() {
    if !sandboxes() {
        return;
    }
    const KEY: &str = "sk-ant-api03-FAKE-sealed";
    let stage = Stage::new();
    let data = camino::Utf8PathBuf::try_from(stage.data()).unwrap();
    let folder = account(&stage, "work", "api_key", "");
    let seal = coffer_account::seal::Seal::open_or_make_with(&data, None).unwrap();
    fs::write(folder.join("secret.age"), seal.seal(format!("{KEY}\n").as_bytes()).unwrap()).unwrap();
    let script = "echo $ANTHROPIC_API_KEY; ls /run/coffer";
    stage.inside(&["--account", "work"], script).prints(&format!("{KEY}\ncoffer-init\n"));
    for form in ["--dry-run=json", "--dry-run=command", "--dry-run=text"] {
        run(stage.run(["--account", "work", form, "--", "true"])).ends_with(0).keeps_secret(&[KEY]);
    }
    // What somebody else sealed is no key, and is not repeated.
    fs::write(folder.join("secret.age"), format!("age-encryption.org/v1 {KEY}")).unwrap();
    run(stage.run(["--account", "work", "--", "true"]))
        .refuses(125, "reference", "secret.age", "")
        .keeps_secret(&[KEY]);
}

#[test]
fn one_project_may_have_an_account_of_its_own_and_why_says_so() {
    let stage = Stage::new();
    account(&stage, "work", "helper", r#","helper":["/bin/true"]"#);
    let project = stage.project().canonicalize().unwrap();
    stage.config(&format!("[project.\"{}\"]\naccount = \"work\"\n", project.display()));
    let why = run(stage.coffer(["why", "env", "ANTHROPIC_API_KEY"]));
    why.ends_with(0);
    assert!(why.text().contains("account `work`"), "{why}");
    assert!(why.text().contains("per-project choice account"), "{why}");
}
