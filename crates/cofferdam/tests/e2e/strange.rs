//! Accounts with something else where a file should be, and accounts of somebody else: said, left as they are,
//! and nothing waits for ever.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::process::Command;

use coffer_testkit::require;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::accounts::{agent, path};
use crate::support::tree::tree;
use crate::support::{Ran, Stage, run, sandboxes};

const CANARY: &str = "FAKE-canary-of-strange";
/// Nobody here.
const SOMEBODY: u32 = 54321;

fn signed_in(stage: &Stage, name: &str) {
    let login = format!(
        r#"{{"claudeAiOauth":{{"accessToken":"{CANARY}-a","refreshToken":"{CANARY}-{name}","expiresAt":9999999999999,
        "scopes":["user:inference"]}}}}"#
    );
    let file = stage.scratch.write_home("login.json", &login).unwrap();
    run(stage.coffer(["account", "import", name, file.to_str().unwrap()])).ends_with(0);
    fs::remove_file(file).unwrap();
}

/// What a person does with an account, ended after a while when it waits.
fn commands(stage: &Stage, name: &str) -> Vec<(String, Command)> {
    let lines = [
        "account list",
        "account show NAME",
        "status --account NAME",
        "doctor",
        "ledger verify",
        "run --account NAME --dry-run",
        "refresh --account NAME --now",
        "backup create --account NAME",
    ];
    let one = |line: &str| {
        let line = line.replace("NAME", name);
        let mut command = stage.command("timeout");
        command.arg("20").arg(stage.program()).args(line.split(' ')).env("PATH", path(stage));
        (line, command)
    };
    lines.into_iter().map(one).collect()
}

/// It ended by itself, said no secret and did not panic.
#[track_caller]
fn is_sane(ran: &Ran, what: &str) {
    assert!(ran.code.is_some_and(|code| code != 124 && code != 101), "{what}: {ran}");
    ran.keeps_secret(&[CANARY, "panicked"]);
}

/// Something that is no plain file of a sane size.
fn puts(kind: &str, place: &Path) {
    match kind {
        "fifo" => mknodat(CWD, place, FileType::Fifo, Mode::RWXU, 0).unwrap(),
        "folder" => fs::create_dir(place).unwrap(),
        "endless" => symlink("/dev/zero", place).unwrap(),
        _ => fs::write(place, vec![b' '; 10 * 1024 * 1024]).unwrap(),
    }
}

#[test]
fn whatever_stands_where_a_file_should_be_nothing_hangs_and_nothing_is_said() {
    let stage = Stage::new();
    agent(&stage);
    signed_in(&stage, "work");
    let data = stage.data();
    for place in [
        "accounts/work/login/store/.credentials.json",
        "accounts/work/account.json",
        "accounts/work/keeper.json",
        "accounts/work/lock",
        "ledger/ledger.jsonl",
        "seal/identity",
    ] {
        for kind in ["fifo", "folder", "endless", "large"] {
            let (place, aside) = (data.join(place), data.join("aside"));
            let there = fs::rename(&place, &aside).is_ok();
            puts(kind, &place);
            for (line, mut command) in commands(&stage, "work") {
                is_sane(&run(&mut command), &format!("{line}, {kind} at {}", place.display()));
            }
            match kind {
                "folder" => fs::remove_dir_all(&place).unwrap(),
                _ => fs::remove_file(&place).unwrap(),
            }
            if there {
                fs::rename(&aside, &place).unwrap();
            }
        }
    }
    // The positive control: with all in its place it works.
    run(stage.coffer(["status", "--account", "work"])).ends_with(0);
    run(stage.coffer(["backup", "create", "--account", "work"])).ends_with(0);
}

#[test]
fn an_account_of_somebody_else_is_not_used_by_root() {
    if !require::root() || !sandboxes() {
        return;
    }
    let stage = Stage::new();
    agent(&stage);
    signed_in(&stage, "work");
    let folder = stage.data().join("accounts/work");
    let own = |id: u32| {
        for path in tree(&folder, &[]).into_keys().chain([folder.clone()]) {
            std::os::unix::fs::lchown(path, Some(id), Some(id)).unwrap();
        }
    };
    let runs = || {
        let mut command = stage.run(["--account", "work", "--", "true"]);
        run(command.env("PATH", path(&stage)))
    };
    runs().ends_with(0);
    own(SOMEBODY);
    let login = fs::read(folder.join("login/store/.credentials.json")).unwrap();
    runs().refuses(125, "login-unusable", "belongs to uid 54321", "coffer doctor").keeps_secret(&[CANARY]);
    let status = run(stage.coffer(["status", "--account", "work", "--json"]));
    assert!(status.ends_with(3).text().contains("security_violation"), "{status}");
    for (line, mut command) in commands(&stage, "work") {
        is_sane(&run(&mut command), &line);
    }
    assert_eq!(fs::read(folder.join("login/store/.credentials.json")).unwrap(), login);
    own(0);
    runs().ends_with(0);
}

#[test]
fn an_account_that_a_user_may_not_read_keeps_them_from_no_other() {
    if !require::root() {
        return;
    }
    let Some(stage) = Stage::of_ordinary_user() else { return };
    agent(&stage);
    signed_in(&stage, "mine");
    signed_in(&stage, "theirs");
    let folder = stage.data().join("accounts/theirs");
    // Made before, because a command makes everything the user's own.
    let (theirs, mine) = (commands(&stage, "theirs"), commands(&stage, "mine"));
    chown(&folder, Some(0), Some(0)).unwrap();
    let before = tree(&folder, &[]);
    for (line, mut command) in theirs {
        let ran = run(&mut command);
        is_sane(&ran, &line);
        let about_it = line.contains("theirs");
        assert!(!about_it || ran.code != Some(0), "{line}: {ran}");
    }
    for (line, mut command) in mine {
        let ran = run(&mut command);
        is_sane(&ran, &line);
        let works =
            ["account list", "account show mine", "status --account mine", "backup create --account mine"];
        assert!(!works.contains(&line.as_str()) || ran.code == Some(0), "{line}: {ran}");
    }
    assert_eq!(tree(&folder, &[]), before);
}
