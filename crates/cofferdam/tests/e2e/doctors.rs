//! `coffer doctor`: each failure brought about for real, and found; the same without it, and not found.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use coffer_testkit::require;
use serde_json::{Value, json};

use crate::support::practice::LOGIN;
use crate::support::{PATH, Ran, Stage, run, sandboxes};

const SCHEMA: &str = include_str!("../../../../docs/reference/doctor.schema.json");
/// What these machines have or lack, whatever the test does.
const SURROUNDINGS: &[&str] = &["bwrap-old", "bwrap-missing", "userns-apparmor", "userns-off"];

/// A home in which all is well: signed in, onboarded, and an agent on the PATH.
fn well() -> Stage {
    let stage = Stage::new();
    stage.scratch.write_home(LOGIN, &login(3_600_000, REFRESH)).unwrap();
    stage.scratch.write_home(".claude.json", r#"{"hasCompletedOnboarding": true}"#).unwrap();
    let agent = stage.scratch.write_home("bin/versions/2.1.330/claude", "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&agent, PermissionsExt::from_mode(0o755)).unwrap();
    stage
}

const REFRESH: &str = r#","refreshToken":"sk-ant-ort01-FAKE-CANARY""#;

fn login(expires_in_ms: i64, more: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let end = i64::try_from(now).unwrap() + expires_in_ms;
    format!(
        r#"{{"claudeAiOauth":{{"accessToken":"sk-ant-oat01-FAKE-CANARY","expiresAt":{end},
        "scopes":["user:inference"],"subscriptionType":"max"{more}}}}}"#
    )
}

fn doctor(stage: &Stage, words: &[&str]) -> Command {
    let mut command = stage.coffer(["doctor"]);
    command.args(words).env("PATH", path(stage));
    command
}

fn path(stage: &Stage) -> String {
    format!("{}:{PATH}", stage.home().join("bin/versions/2.1.330").display())
}

/// The ids of what was found, besides what the machine brings; the JSON fits the schema.
#[track_caller]
fn ids(ran: &Ran) -> Vec<String> {
    ran.keeps_secret(&["CANARY"]);
    let document: Value =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    let validator = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}: {ran}");
    let findings = document["findings"].as_array().unwrap();
    let ids = findings.iter().map(|finding| finding["id"].as_str().unwrap().to_owned());
    ids.filter(|id| !SURROUNDINGS.contains(&id.as_str())).collect()
}

#[track_caller]
fn found(stage: &Stage) -> Vec<String> {
    ids(&run(doctor(stage, &["--json"])))
}

/// How much is found that the machine brings.
fn surroundings(stage: &Stage) -> usize {
    let ran = run(doctor(stage, &["--json"]));
    let document: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let ids = document["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap());
    ids.filter(|id| SURROUNDINGS.contains(id)).count()
}

fn age(path: &Path, change: impl FnOnce(SystemTime) -> SystemTime) {
    let file = std::fs::File::open(path).unwrap();
    file.set_modified(change(SystemTime::now())).unwrap();
}

#[test]
fn a_home_in_which_all_is_well_has_no_finding() {
    let stage = well();
    assert_eq!(found(&stage), Vec::<String>::new());
    let ran = run(doctor(&stage, &[]));
    assert!(ran.text().contains(" checks"), "{ran}");
}

#[test]
fn the_four_classic_failures_are_told_apart() {
    let stage = Stage::new();
    assert!(found(&stage).contains(&"login-missing".to_owned()));
    let stage = well();
    stage.scratch.write_home(LOGIN, "").unwrap();
    assert_eq!(found(&stage), ["login-corrupted"]);
    stage.scratch.write_home(LOGIN, &login(-1000, "")).unwrap();
    assert_eq!(found(&stage), ["login-expired"]);
    stage.scratch.write_home(LOGIN, &login(3_600_000, REFRESH)).unwrap();
    assert_eq!(found(&stage), Vec::<String>::new());
    // The wrong path: a variable leads to a folder without login.
    let other = stage.home().join("other");
    std::fs::create_dir(&other).unwrap();
    let ran = run(doctor(&stage, &["--json"]).env("CLAUDE_SECURESTORAGE_CONFIG_DIR", &other));
    let found = ids(&ran);
    for id in ["login-missing", "login-elsewhere", "config-folder-moved"] {
        assert!(found.contains(&id.to_owned()), "{id}: {found:?}");
    }
    // A copy of the login there: the token is at two places.
    let copy = login(7_200_000, REFRESH);
    stage.scratch.write_home("other/.credentials.json", &copy).unwrap();
    let twice = |stage: &Stage| {
        let mut command = doctor(stage, &["--json"]);
        let ran = run(command.env("CLAUDE_SECURESTORAGE_CONFIG_DIR", stage.home().join("other")));
        ids(&ran).contains(&"login-twice".to_owned())
    };
    assert!(twice(&stage));
    stage.scratch.write_home("other/.credentials.json", &copy.replace("ort01-FAKE", "ort01-FAKE-2")).unwrap();
    assert!(!twice(&stage));
    // Permissions: another user's file.
    if require::root() {
        let stage = well();
        std::os::unix::fs::chown(stage.home().join(LOGIN), Some(54321), Some(54321)).unwrap();
        assert_eq!(self::found(&stage), ["login-owner"]);
    }
}

#[test]
fn wide_modes_are_mended_when_asked_and_not_before() {
    let stage = well();
    let file = stage.home().join(LOGIN);
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o7777;
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    stage
        .scratch
        .write_home(
            ".local/share/cofferdam/accounts/dev/account.json",
            r#"{"schema":1,"name":"dev","agent":"claude","kind":"api_key","created_at_ms":0}"#,
        )
        .unwrap();
    stage.scratch.write_home(".local/share/cofferdam/accounts/dev/secret.age", "sealed").unwrap();
    std::fs::set_permissions(stage.data(), PermissionsExt::from_mode(0o755)).unwrap();
    let mut seen = found(&stage);
    seen.sort();
    assert_eq!(seen, ["login-mode", "own-mode"]);
    // Nobody is there to say yes.
    let ran = run(doctor(&stage, &["--fix"]));
    ran.ends_with(1);
    assert!(ran.stderr.contains("chmod 0600"), "{ran}");
    assert_eq!((mode(&file), mode(&stage.data())), (0o644, 0o755));
    let ran = run(doctor(&stage, &["--fix", "--yes"]));
    assert!(ran.text().contains("fixed [login-mode]"), "{ran}");
    assert_eq!((mode(&file), mode(&stage.data())), (0o600, 0o700));
    assert_eq!(found(&stage), Vec::<String>::new());
}

#[test]
fn odd_places_of_the_login_are_found() {
    let stage = well();
    let file = stage.home().join(LOGIN);
    let moved = stage.home().join("moved.json");
    std::fs::rename(&file, &moved).unwrap();
    symlink(&moved, &file).unwrap();
    assert!(found(&stage).contains(&"login-link".to_owned()));
    std::fs::remove_file(&file).unwrap();
    // As an engine makes it of a source that is missing.
    std::fs::create_dir(&file).unwrap();
    assert_eq!(found(&stage), ["login-is-folder"]);
}

#[test]
fn mounts_of_the_login_file_are_found_and_a_replaced_source_with_them() {
    if !require::root() {
        return;
    }
    let stage = well();
    let file = stage.home().join(LOGIN);
    let source = stage.scratch.write_home("source/.credentials.json", &login(3_600_000, REFRESH)).unwrap();
    let in_mounts = |script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private", "sh", "-euc", script, "sh"])
            .arg(&source)
            .arg(&file);
        command
            .env_clear()
            .envs(stage.scratch.env())
            .env("PATH", format!("{}:/usr/sbin:/sbin", path(&stage)));
        command.env("COFFER", stage.program()).current_dir(stage.project());
        ids(&run(&mut command))
    };
    let examine = "\"$COFFER\" doctor --json || true";
    assert_eq!(in_mounts(examine), Vec::<String>::new());
    assert_eq!(in_mounts(&format!("mount --bind \"$1\" \"$2\"; {examine}")), ["login-file-mount"]);
    let mut seen =
        in_mounts(&format!("mount --bind \"$1\" \"$2\"; mount -o remount,ro,bind \"$2\"; {examine}"));
    seen.sort();
    assert_eq!(seen, ["login-file-mount", "login-read-only"]);
    // The host refreshes: a new file is renamed over the old one.
    let mut seen = in_mounts(&format!(
        "mount --bind \"$1\" \"$2\"; cp -p \"$1\" \"$1.new\"; mv \"$1.new\" \"$1\"; {examine}"
    ));
    seen.sort();
    assert_eq!(seen, ["login-detached", "login-file-mount"]);
    let folder = "d=$(dirname \"$2\"); mount --bind \"$d\" \"$d\"; mount -o remount,ro,bind \"$d\"";
    assert_eq!(in_mounts(&format!("{folder}; {examine}")), ["login-read-only"]);
}

#[test]
fn settings_and_keys_that_mislead_are_found() {
    let stage = well();
    stage
        .scratch
        .write_home(
            ".claude/settings.json",
            r#"{"ANTHROPIC_MODEL": "x", "env": {"ANTHROPIC_SMALL_FAST_MODEL": "y"}}"#,
        )
        .unwrap();
    assert_eq!(found(&stage), ["settings-outside-env"]);
    stage.scratch.write_home(".claude/settings.json", r#"{"env": {"ANTHROPIC_MODEL": "x"}}"#).unwrap();
    assert_eq!(found(&stage), Vec::<String>::new());
    stage.scratch.write_home(".claude/settings.json", "{").unwrap();
    assert_eq!(found(&stage), ["settings-broken"]);
    std::fs::remove_file(stage.home().join(".claude/settings.json")).unwrap();
    let mut command = doctor(&stage, &["--json"]);
    let ran = run(command.env("ANTHROPIC_API_KEY", "sk-ant-api03-FAKE-CANARY"));
    assert_eq!(ids(&ran), ["key-overrides-login"]);
    stage.project_file(".claude/settings.json", r#"{"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}}"#);
    let seen = found(&stage);
    assert!(seen.contains(&"project-redirects".to_owned()), "{seen:?}");
}

#[test]
fn files_of_a_first_start_are_looked_at() {
    let stage = well();
    stage.scratch.write_home(".claude.json", "{}").unwrap();
    assert_eq!(found(&stage), ["onboarding"]);
    std::fs::remove_file(stage.home().join(".claude.json")).unwrap();
    assert_eq!(found(&stage), ["onboarding"]);
    stage.scratch.write_home(".claude/backups/.claude.json.backup.1", "{}").unwrap();
    assert_eq!(found(&stage), ["client-json-missing"]);
}

#[test]
fn locks_that_nobody_holds_and_locks_from_the_future_are_found() {
    let stage = well();
    let lock = stage.home().join(".claude/.oauth_refresh.lock");
    std::fs::create_dir(&lock).unwrap();
    assert_eq!(found(&stage), Vec::<String>::new(), "a refresh may be under way");
    age(&lock, |now| now - Duration::from_secs(600));
    assert_eq!(found(&stage), ["client-lock-old"]);
    age(&lock, |now| now + Duration::from_secs(600));
    assert_eq!(found(&stage), ["client-lock-future"]);
    // Both kinds are removed as the keeper would do it, and that is written down.
    let fix = || run(doctor(&stage, &["--fix", "--yes", "--json"]));
    assert_eq!(fix().json()["findings"].as_array().unwrap().len(), 1 + surroundings(&stage));
    assert!(!lock.exists());
    std::fs::create_dir(&lock).unwrap();
    age(&lock, |now| now - Duration::from_secs(600));
    fix().ends_with(0);
    assert!(!lock.exists() && found(&stage).is_empty());
    let shown = run(stage.coffer(["ledger", "show", "--event", "lock_swept"]));
    assert_eq!(shown.text().lines().count(), 2, "{shown}");
    // A login from the future: the clock went back.
    age(&stage.home().join(LOGIN), |now| now + Duration::from_secs(86_400));
    assert_eq!(found(&stage), ["clock"]);
}

#[test]
fn what_is_cofferdams_own_is_looked_at() {
    let stage = well();
    stage.scratch.write_home(".local/share/cofferdam/ledger/ledger.jsonl", "nonsense\n").unwrap();
    assert!(found(&stage).contains(&"ledger-broken".to_owned()));
    std::fs::remove_file(stage.data().join("ledger/ledger.jsonl")).unwrap();
    stage.scratch.write_home(".local/share/cofferdam/accounts/host/journal.json", "{}").unwrap();
    assert_eq!(found(&stage), ["journal-unfinished"]);
    // Whoever holds the lock is at it.
    let lock = stage.scratch.write_home(".local/share/cofferdam/accounts/host/lock", "").unwrap();
    let lock = std::fs::File::open(lock).unwrap();
    lock.lock().unwrap();
    assert_eq!(found(&stage), Vec::<String>::new());
    drop(lock);
    assert_eq!(found(&stage), ["journal-unfinished"]);
    std::fs::remove_dir_all(stage.data().join("accounts/host")).unwrap();
    stage.scratch.write_home(".local/share/cofferdam/accounts/bad/account.json", "{").unwrap();
    assert_eq!(found(&stage), ["own-unread"]);
    let elsewhere = stage.scratch.root().join("elsewhere");
    let ran = run(doctor(&stage, &["--json"]).env("COFFER_HOME", &elsewhere));
    assert_eq!(ids(&ran), ["two-data-folders"]);
}

#[test]
fn an_identity_that_is_gone_is_found() {
    let stage = well();
    let data = camino::Utf8PathBuf::from_path_buf(stage.data()).unwrap();
    let seal = coffer_account::seal::Seal::open_or_make_with(&data, None).unwrap();
    seal.seal(b"nothing").unwrap();
    assert_eq!(found(&stage), Vec::<String>::new());
    let key = coffer_account::seal::key_file(&data);
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let seen = found(&stage);
    assert!(seen.contains(&"own-mode".to_owned()), "{seen:?}");
    std::fs::remove_file(&key).unwrap();
    assert_eq!(found(&stage), ["identity-unreachable"]);
}

#[test]
fn what_a_killed_run_left_is_found_and_swept() {
    if !sandboxes() {
        return;
    }
    let stage = well();
    let mut command = stage.run(["--", "sh", "-c", "echo in; read end"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(found(&stage), Vec::<String>::new(), "it lives");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(found(&stage), ["run-leftovers"]);
    let ran = run(doctor(&stage, &["--fix", "--yes", "--json"]));
    assert_eq!(
        serde_json::from_slice::<Value>(&ran.stdout).unwrap()["findings"][0]["fixed"],
        json!(true),
        "{ran}"
    );
    assert_eq!(found(&stage), Vec::<String>::new());
}

#[test]
fn a_live_run_is_reported_from_inside_without_a_secret() {
    if !sandboxes() {
        return;
    }
    let stage = well();
    let script = "printf '{\"userID\":\"practice-user\",\"projects\":{\"%s\":{\"lastSessionId\":\"session-7\"}}}' \"$PWD\" \
                  > ~/.claude/.claude.json; echo in; read end; cat /run/coffer/lease/.credentials.json | wc -l";
    let mut command = stage.run(["--env", "ANTHROPIC_MARK", "--", "sh", "-c", script]);
    command.env("ANTHROPIC_MARK", "CANARY-value");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let runs = stage.scratch.runtime().join("cofferdam/runs");
    let id =
        std::fs::read_dir(&runs).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap().file_name();
    let id = id.to_str().unwrap();
    let ran = run(doctor(&stage, &["--json", "--run", id]));
    ran.keeps_secret(&["CANARY"]);
    let report = ran.json();
    assert_eq!(
        (&report["account"], &report["auth"], &report["run"]),
        (&json!("host"), &json!("lease"), &json!(id))
    );
    assert_eq!(
        (&report["user_id"], &report["last_session_id"]),
        (&json!("practice-user"), &json!("session-7"))
    );
    let lease = &report["credentials"][0];
    assert_eq!((&lease["holds"], &lease["mode"]), (&json!("login"), &json!("0600")));
    assert_eq!((&lease["refresh_token"], &lease["same"]), (&json!(false), &json!(true)));
    let names: Vec<&str> = report["variables"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(names.contains(&"ANTHROPIC_MARK") && names.iter().all(|name| !name.contains('=')), "{names:?}");
    assert!(report["uid"].is_u64() && report["gid"].is_u64());
    let ran = run(doctor(&stage, &["--run", &id[..4]]));
    ran.ends_with(0).keeps_secret(&["CANARY"]);
    assert!(ran.text().contains("the file that the host publishes to"), "{ran}");
    run(doctor(&stage, &["--run", "zz"])).refuses(2, "usage", "no live run", "--run ID");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    child.wait().unwrap();
    run(doctor(&stage, &["--run", id])).refuses(2, "usage", "no live run", "--run ID");
}

#[test]
fn a_sandbox_that_swaps_its_files_for_links_and_pipes_misleads_nobody() {
    if !sandboxes() {
        return;
    }
    let stage = well();
    // Links lead nowhere outside, and a pipe without a writer holds nobody up.
    let script =
        "ln -sf /etc/passwd ~/.claude/.claude.json; mkfifo ~/.claude/.credentials.json; echo in; read end";
    let mut command = stage.run(["--", "sh", "-c", script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let runs = stage.scratch.runtime().join("cofferdam/runs");
    let id =
        std::fs::read_dir(&runs).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap().file_name();
    let report = run(doctor(&stage, &["--json", "--run", id.to_str().unwrap()])).json();
    assert_eq!(report["user_id"], json!(null));
    assert_eq!(report["credentials"][1]["holds"], "no file that can be read");
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn what_a_run_wrote_and_the_host_would_run_is_found_until_somebody_else_writes_it() {
    if !sandboxes() {
        return;
    }
    let stage = well();
    let hooks = stage.project_file(".git/hooks/pre-commit.sample", "#!/bin/sh\n");
    stage.project_file(".git/config", "[core]\n\tbare = false\n");
    run(stage.coffer(["run", "--yes", "--auth", "none", "--", "true"])).ends_with(0);
    let control = found(&stage);
    assert!(!control.contains(&"project-executes".to_owned()), "{control:?}");
    let hook = hooks.with_file_name("pre-commit");
    // The agent dates it back; the kernel does not.
    let script = "mkdir -p .vscode; echo '{}' > .vscode/tasks.json; touch -d 2001-01-01 .vscode/tasks.json; \
                  printf '#!/bin/sh\\n' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit";
    let open = ["--allow-write", ".vscode", "--allow-write", ".git/hooks"];
    let words = ["run", "--yes", "--auth", "none"].into_iter().chain(open).chain(["--", "sh", "-c", script]);
    run(stage.coffer(words)).ends_with(0);
    let written: Vec<_> =
        [stage.project().join(".vscode/tasks.json"), hook].into_iter().filter(|file| file.exists()).collect();
    assert!(!written.is_empty(), "nothing could be written inside");
    let ran = run(doctor(&stage, &[]));
    for file in &written {
        let words = format!("`{}` was written while the run", file.display());
        assert!(ran.text().contains(&words), "{words}: {ran}");
    }
    for file in &written {
        let content = std::fs::read(file).unwrap();
        std::fs::remove_file(file).unwrap();
        std::fs::write(file, content).unwrap();
    }
    let after = found(&stage);
    assert!(!after.contains(&"project-executes".to_owned()), "{after:?}");
}

#[test]
fn a_placeholder_of_a_proxy_is_found_where_no_proxy_is() {
    let stage = well();
    let with = |variables: &[(&str, &str)]| {
        let mut command = doctor(&stage, &["--json"]);
        ids(&run(command.envs(variables.iter().copied()))).contains(&"key-placeholder".to_owned())
    };
    assert!(with(&[("ANTHROPIC_API_KEY", "proxy-managed-CANARY")]));
    assert!(!with(&[("ANTHROPIC_API_KEY", "sk-ant-api03-FAKE-CANARY")]));
    assert!(!with(&[("ANTHROPIC_API_KEY", "proxy-managed"), ("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")]));
    assert!(!with(&[("ANTHROPIC_API_KEY", "proxy-managed"), ("HTTPS_PROXY", "http://127.0.0.1:1")]));
    let settings = r#"{"env":{"CLAUDE_CODE_OAUTH_TOKEN":"dummy-CANARY"}}"#;
    stage.scratch.write_home(".claude/settings.json", settings).unwrap();
    assert!(with(&[]));
}
