//! Disks that are full or cannot be written: a clear error, and nothing is lost.

use std::path::Path;
use std::process::Command;

use coffer_testkit::require;

use crate::support::tree::tree;
use crate::support::{PATH, Ran, Stage, run, sandboxes};

/// Runs a script as root of a private mount namespace; `$COFFER` is the program, `$1` the folder.
fn with_mounts(stage: &Stage, folder: &Path, script: &str) -> Ran {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-euc", script, "sh"]).arg(folder);
    command.env_clear().envs(stage.scratch.env()).env("PATH", format!("{PATH}:/usr/sbin:/sbin"));
    command.env("COFFER", stage.program()).current_dir(stage.project());
    run(&mut command)
}

#[test]
fn a_read_only_home_is_named_and_left_as_it_is() {
    if !require::root() || !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let home = stage.home();
    stage.scratch.write_home(".claude/settings.json", "{}").unwrap();
    let before = tree(&home, &[]);
    let script = "mount --bind \"$1\" \"$1\"; mount -o remount,ro,bind \"$1\"; \
                  \"$COFFER\" run --audit never --yes -- true";
    let ran = with_mounts(&stage, &home, script);
    let data = stage.data().display().to_string();
    assert_eq!(ran.code, Some(125), "{ran}");
    assert!(ran.stdout.is_empty() && ran.stderr.starts_with("error["), "{ran}");
    assert!(ran.stderr.contains(&data) && ran.stderr.contains("Read-only file system"), "{ran}");
    assert!(ran.stderr.contains("hint: ") && ran.stderr.contains("COFFER_HOME"), "{ran}");
    assert_eq!(tree(&home, &[]), before);
    // Data elsewhere: then nothing of the home need be written, and it runs.
    let elsewhere = stage.scratch.root().join("elsewhere");
    let script = format!(
        "mount --bind \"$1\" \"$1\"; mount -o remount,ro,bind \"$1\"; export COFFER_HOME={}; \
         \"$COFFER\" run --audit never --yes -- echo well",
        elsewhere.display()
    );
    with_mounts(&stage, &home, &script).prints("well\n");
    assert_eq!(tree(&home, &[]), before);
}

#[test]
fn accounts_in_a_home_that_cannot_be_written_are_told_of_and_left_as_they_are() {
    if !require::root() || !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let home = stage.home();
    let login = r#"{"claudeAiOauth":{"accessToken":"FAKE-canary","refreshToken":"FAKE-canary-r",
        "expiresAt":9999999999999,"scopes":["user:inference"]}}"#;
    let file = stage.scratch.write_home("login.json", login).unwrap();
    run(stage.coffer(["account", "import", "work", file.to_str().unwrap()])).ends_with(0);
    let before = tree(&home, &[]);
    // What only reads goes on; what writes says why it cannot.
    for (words, codes) in [
        ("account list", &[0][..]),
        ("account show work", &[0]),
        ("status --account work", &[0]),
        ("ledger verify", &[0]),
        ("doctor", &[1]),
        ("backup list --account work", &[0]),
        ("account add more", &[1]),
        ("account import more ~/login.json", &[1]),
        ("account rename work other", &[1]),
        ("account remove work --yes", &[1]),
        ("account use work", &[1]),
        ("refresh --account work --now", &[1, 4]),
        ("backup create --account work", &[1]),
    ] {
        let script =
            format!("mount --bind \"$1\" \"$1\"; mount -o remount,ro,bind \"$1\"; \"$COFFER\" {words}");
        let ran = with_mounts(&stage, &home, &script);
        assert!(ran.code.is_some_and(|code| codes.contains(&code)), "{words}: {ran}");
        let said = ran.stderr.contains("Read-only file system") && ran.stderr.contains("error[");
        assert!(codes.contains(&0) || words == "doctor" || said, "{words}: {ran}");
        ran.keeps_secret(&["FAKE-canary", "panicked"]);
        assert_eq!(tree(&home, &[]), before, "{words}");
    }
}

#[test]
fn a_full_disk_is_named_and_the_state_stays_as_it_was() {
    if !require::root() || !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let disk = stage.scratch.root().join("disk");
    std::fs::create_dir(&disk).unwrap();
    // A first run with room; then the state has a file, and the disk is filled to its last byte.
    let script = r#"
        mount -t tmpfs -o size=256k,nr_inodes=200 none "$1"
        export COFFER_HOME="$1/home" COFFER_RUNTIME_DIR="$1/run"
        "$COFFER" run --audit never --yes -- sh -c 'echo "{\"mine\": 1}" > ~/.claude/.claude.json'
        state() { cd "$1/home" && find . -type f ! -path './plans/*' -exec sha256sum {} + | sort; }
        before=$(state "$1")
        dd if=/dev/zero of="$1/fill" bs=1k 2>/dev/null || true
        n=0; while touch "$1/inode.$n" 2>/dev/null; do n=$((n+1)); done
        code=0
        "$COFFER" run --audit never --yes --unattended -- true 2> /tmp/said.$$ || code=$?
        cat /tmp/said.$$ >&2; rm /tmp/said.$$
        [ "$before" = "$(state "$1")" ] || { echo "the state changed"; exit 99; }
        rm -f "$1/fill" "$1"/inode.*
        "$COFFER" run --audit never --yes -- true
        exit $code"#;
    let ran = with_mounts(&stage, &disk, script);
    assert_eq!(ran.code, Some(125), "{ran}");
    assert!(ran.stderr.starts_with("error["), "{ran}");
    assert!(ran.stderr.contains(&disk.display().to_string()), "{ran}");
    assert!(ran.stderr.contains("No space left on device"), "{ran}");
    assert!(ran.stderr.contains("hint: make room"), "{ran}");
}

#[test]
fn a_data_folder_that_somebody_else_owns_is_refused() {
    if !require::root() || !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let theirs = stage.scratch.root().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    let mut command = stage.run(["--", "true"]);
    run(command.env("COFFER_RUNTIME_DIR", &theirs)).ends_with(0);
    std::os::unix::fs::chown(theirs.join("runs"), Some(54321), Some(54321)).unwrap();
    run(&mut command).refuses(125, "run-folder", "theirs/runs", "COFFER_RUNTIME_DIR");
}

#[test]
fn a_state_with_a_link_in_it_is_not_followed() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let target = stage.scratch.write_home("precious", "mine").unwrap();
    // The agent replaces its own file by a link to one of the host.
    let script = format!("ln -sf {} ~/.claude/.claude.json", target.display());
    stage.inside(&[], &script).ends_with(0);
    run(stage.run(["--unattended", "--", "true"])).refuses(125, "tampered", ".claude.json", "--state fresh");
    assert_eq!(std::fs::read_to_string(target).unwrap(), "mine");
}

#[test]
fn a_state_file_that_is_no_json_is_kept() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    stage.inside(&[], "echo 'half a fi' > ~/.claude/.claude.json").ends_with(0);
    run(stage.run(["--unattended", "--", "true"])).refuses(
        125,
        "state",
        "is no JSON object",
        "--state fresh",
    );
    stage.inside(&[], "cat ~/.claude/.claude.json").prints("half a fi\n");
}
