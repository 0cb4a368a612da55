//! `coffer backup`: what comes back, what is refused, and that no secret is in the open.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use serde_json::Value;

use crate::support::screen::Person;
use crate::support::tree::files_with;
use crate::support::{Stage, run, run_with_input};

const FILE: &str = ".credentials.json";

fn login(word: &str) -> String {
    format!(
        r#"{{"claudeAiOauth":{{"accessToken":"sk-ant-oat01-FAKE-{word}","refreshToken":"sk-ant-ort01-FAKE-{word}",
        "expiresAt":9999999999999,"scopes":["user:inference"],"subscriptionType":"max"}},"unknown":[1.50]}}"#
    )
}

/// An account `work` that is signed in; its login file.
fn signed_in(stage: &Stage, word: &str) -> PathBuf {
    run(stage.coffer(["account", "add", "work"])).ends_with(0);
    let file = stage.data().join("accounts/work/login/store").join(FILE);
    put(&file, word);
    file
}

fn put(file: &PathBuf, word: &str) {
    fs::write(file, login(word)).unwrap();
    fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
}

fn sealed(stage: &Stage) -> Value {
    run(stage.coffer(["backup", "create", "--account", "work", "--json"])).keeps_secret(&["FAKE"]).json()
}

#[test]
fn a_lost_login_comes_back_byte_for_byte_and_is_in_the_open_only_in_its_place() {
    let stage = Stage::new();
    let file = signed_in(&stage, "one");
    let copy = sealed(&stage);
    assert_eq!(files_with(stage.scratch.root(), "FAKE-one"), std::slice::from_ref(&file));
    fs::remove_file(&file).unwrap();
    assert!(files_with(stage.scratch.root(), "FAKE-one").is_empty());
    let id = copy["copy"].as_str().unwrap();
    run(stage.coffer(["backup", "restore", id, "--account", "work", "--yes"]))
        .ends_with(0)
        .keeps_secret(&["FAKE"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), login("one"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    let listed = run(stage.coffer(["backup", "list", "--account", "work", "--json"])).json();
    assert_eq!(listed["copies"][0]["fingerprint"], copy["fingerprint"]);
    let verified = run(stage.coffer(["backup", "verify", "--account", "work", "--json"])).json();
    assert_eq!(verified["copies"][0]["good"], true);
    // A copy that is damaged is told from one that is whole.
    let sealed = stage.data().join("accounts/work/sealed").join(format!("{id}.age"));
    let bytes = fs::read(&sealed).unwrap();
    fs::write(&sealed, &bytes[..bytes.len() - 1]).unwrap();
    run(stage.coffer(["backup", "verify", "--account", "work"])).ends_with(1);
    fs::remove_file(&file).unwrap();
    run(stage.coffer(["backup", "restore", id, "--account", "work", "--yes"]))
        .refuses(1, "copies", "damaged", "verify");
    assert!(!file.exists());
}

#[test]
fn a_login_that_works_gives_way_only_to_a_typed_name_and_is_sealed_first() {
    let stage = Stage::new();
    let file = signed_in(&stage, "one");
    let id = sealed(&stage)["copy"].as_str().unwrap().to_owned();
    put(&file, "two");
    let words = ["backup", "restore", &id, "--account", "work"];
    run(stage.coffer(words).arg("--yes")).refuses(3, "restore-unconfirmed", "type the name `work`", "--yes");
    assert_eq!(fs::read_to_string(&file).unwrap(), login("two"));
    let mut person = Person::starts(stage.coffer(words));
    person.sees(&["gives way to it"]);
    person.types("work\n");
    let (status, seen) = person.waits();
    assert!(status.success() && !seen.contains("FAKE"), "{seen}");
    assert_eq!(fs::read_to_string(&file).unwrap(), login("one"));
    let listed = run(stage.coffer(["backup", "list", "--account", "work", "--json"])).json();
    let why: Vec<_> = listed["copies"].as_array().unwrap().iter().map(|copy| copy["why"].clone()).collect();
    assert_eq!(why, ["by_hand", "before_adoption", "adopted"]);
    let entries = run(stage.coffer(["ledger", "show", "--json"]));
    entries.ends_with(0).keeps_secret(&["FAKE"]);
    assert!(entries.text().contains("restored") && entries.text().contains("login_adopted"), "{entries}");
}

#[test]
fn a_spent_token_is_refused_while_its_successor_works() {
    let stage = Stage::new();
    let file = signed_in(&stage, "one");
    let one = sealed(&stage);
    put(&file, "two");
    let two = sealed(&stage);
    let id = one["copy"].as_str().unwrap();
    // What the keeper writes down when it has refreshed.
    let copies = stage.data().join("accounts/work/sealed");
    let token = |copy: &Value| copy["fingerprint"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    let digest = two["copy"].as_str().unwrap().rsplit('-').next().unwrap().to_owned();
    let name = two["copy"].as_str().unwrap();
    let at = name.split('-').next().unwrap();
    let grown = format!("{at}-after_refresh-{}-{}-{}-{digest}.age", token(&two), token(&one), token(&one));
    fs::rename(copies.join(format!("{name}.age")), copies.join(grown)).unwrap();
    for yes in [&[][..], &["--yes"]] {
        run(stage.coffer(["backup", "restore", id, "--account", "work"]).args(yes)).refuses(
            1,
            "restore-refused",
            "was spent",
            "goes on working",
        );
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), login("two"));
    // Once the successor is gone, a person may try; `--yes` may not.
    fs::remove_file(&file).unwrap();
    run(stage.coffer(["backup", "restore", id, "--account", "work", "--yes"])).ends_with(3);
    assert!(!file.exists());
}

#[test]
fn a_whole_account_moves_to_another_machine_with_a_passphrase() {
    let (stage, other) = (Stage::new(), Stage::new());
    signed_in(&stage, "one");
    let account = stage.data().join("accounts/work");
    fs::create_dir_all(account.join("state/projects/x")).unwrap();
    fs::write(account.join("state/projects/x/history.jsonl"), "said\n").unwrap();
    fs::write(stage.home().join("outside"), "FAKE-outside").unwrap();
    symlink(stage.home().join("outside"), account.join("state/link")).unwrap();
    let file = other.home().join("moved.coffer.age");
    let words = ["backup", "create", "--account", "work", "--state", "--passphrase", "--to"];
    let made = run_with_input(stage.coffer(words).arg(&file), b"made up words\n");
    made.ends_with(0).keeps_secret(&["FAKE", "made up"]);
    assert!(made.stderr.contains("left out: state/link"), "{made}");
    assert!(files_with(&other.home(), "FAKE").is_empty());
    // Nothing is written over.
    run_with_input(stage.coffer(words).arg(&file), b"made up words\n").ends_with(1);
    let verify = |passphrase: &str| {
        run_with_input(other.coffer(["backup", "verify", "--passphrase"]).arg(&file), passphrase.as_bytes())
    };
    assert!(verify("made up words").ends_with(0).text().contains("`work` (subscription)"));
    verify("other words").ends_with(1);
    let mut restore = other.coffer(["backup", "restore", "--state", "--yes", "--passphrase", "--from"]);
    run_with_input(restore.arg(&file), b"made up words").ends_with(0).keeps_secret(&["FAKE"]);
    let moved = other.data().join("accounts/work");
    assert_eq!(fs::read_to_string(moved.join("login/store").join(FILE)).unwrap(), login("one"));
    assert_eq!(fs::read_to_string(moved.join("state/projects/x/history.jsonl")).unwrap(), "said\n");
    assert!(!moved.join("state/link").exists());
    assert_eq!(files_with(other.scratch.root(), "FAKE-one").len(), 1);
    let left: Vec<_> = fs::read_dir(other.data()).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".restore-")), "{left:?}");
}

#[test]
fn a_removed_account_is_had_again_from_what_was_kept() {
    let stage = Stage::new();
    signed_in(&stage, "one");
    let removed = run(stage.coffer(["account", "remove", "work", "--yes", "--json"])).json();
    assert!(files_with(stage.scratch.root(), "FAKE-one").is_empty());
    let kept = PathBuf::from(removed["to"].as_str().unwrap()).join("sealed");
    let copy = fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
    run(stage.coffer(["account", "add", "again"])).ends_with(0);
    let mut restore = stage.coffer(["backup", "restore", "--account", "again", "--yes", "--from"]);
    run(restore.arg(&copy)).ends_with(0);
    let back = stage.data().join("accounts/again/login/store").join(FILE);
    assert_eq!(fs::read_to_string(back).unwrap(), login("one"));
}
