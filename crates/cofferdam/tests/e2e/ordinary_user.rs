//! The core of it as an ordinary user, when root runs the tests: the same scenarios on a stage whose
//! `coffer` is run by `COFFER_TEST_USER`.

use std::os::unix::fs::MetadataExt as _;

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{LoginSpec, netns, require};

use crate::support::practice::{HOSTS, Practice};
use crate::support::{Stage, run, sandboxes};
use crate::{second_wall, system_calls, walls};

fn stage() -> Option<Stage> {
    if sandboxes() { Stage::of_ordinary_user() } else { None }
}

fn is_answered(test: &str, claude: Option<std::path::PathBuf>) {
    let Some(claude) = claude else { return };
    if !netns::inside(test, &HOSTS) {
        return;
    }
    let Some(stage) = stage() else { return };
    let practice = Practice::new(stage, &claude);
    let login = practice.sign_in(&LoginSpec::default());
    practice.says_hi(&[]).prints("practice answer: hi\n");
    for message in practice.messages() {
        let seen = message.credential("authorization");
        assert_eq!(seen, Some(fingerprint(&login.access_token).as_str()), "{message:?}");
    }
    assert!(practice.token_requests().is_empty());
    let kept = std::fs::read_to_string(practice.stage.home().join(".claude/.credentials.json")).unwrap();
    assert_eq!(kept, login.credentials_json());
}

#[test]
fn is_answered_genuine_native() {
    is_answered("ordinary_user::is_answered_genuine_native", require::claude_native());
}

#[test]
fn is_answered_genuine_js() {
    is_answered("ordinary_user::is_answered_genuine_js", require::claude_js());
}

#[test]
fn keeps_their_id_and_their_files() {
    let Some(stage) = stage() else { return };
    let id = run(stage.command("id").arg("-u")).text();
    assert_ne!(id, "0\n");
    stage.inside(&[], "id -u").prints(&id);
    stage.inside(&["--as-root-inside"], "id -u; touch by-root").prints("0\n");
    let uid: u32 = id.trim().parse().unwrap();
    assert_eq!(stage.project().join("by-root").metadata().unwrap().uid(), uid);
}

#[test]
fn has_both_walls_of_the_kernel() {
    let Some(stage) = stage() else { return };
    system_calls::are_refused_as_programs_expect(&stage);
    second_wall::everyday_work_goes_on(&stage);
}

/// As an ordinary user a sandbox inside has a `/proc` of its own.
#[test]
fn makes_sandboxes_inside_where_that_is_allowed() {
    let Some(stage) = stage() else { return };
    let bwrap = "bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev -- sh -c 'echo $$; set -- /proc/[0-9]*; echo $#'";
    assert_ne!(stage.inside(&[], bwrap).code, Some(0));
    stage.inside(&["--allow-nesting"], bwrap).prints("2\n2\n");
    system_calls::nested(&stage, &["--allow-nesting"]).prints("within\n");
}

#[test]
fn has_the_same_walls() {
    let Some(stage) = stage() else { return };
    walls::nothing_of_the_home_can_be_read(&stage);
    walls::nothing_is_written_but_project_and_state(&stage);
    walls::processes_of_the_host_are_invisible(&stage);
    stage
        .inside(
            &[],
            "grep Cap /proc/self/status | grep -v 0000000000000000; test ! -w /proc/sys/kernel/core_pattern",
        )
        .prints("");
}

#[test]
fn is_refused_the_same() {
    let Some(stage) = stage() else { return };
    stage.scratch.write_home(".ssh/id", "CANARY").unwrap();
    for (flags, code) in [
        (["--mount", "~/.ssh"], "secret-path"),
        (["--mount", "~:/x"], "secret-path"),
        (["--forward", "22"], "port-refused"),
        (["--auth", "shared"], "shared-refused"),
        (["--env", "TOKEN=CANARY"], "secret-value"),
    ] {
        run(stage.run(flags).args(["--", "true"])).refuses(125, code, "", "").keeps_secret(&["CANARY"]);
    }
    // What they may not look at.
    let closed = stage.scratch.root().join("closed");
    std::fs::create_dir(&closed).unwrap();
    let mount = format!("{}/x", closed.display());
    let mut command = stage.run(["--mount", &mount, "--", "true"]);
    std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(&closed, Some(0), Some(0)).unwrap();
    run(&mut command).refuses(125, "source-kind", "not readable", "mount");
}

#[test]
fn has_a_home_that_cannot_be_written() {
    let Some(stage) = stage() else { return };
    let mut command = stage.run(["--", "true"]);
    let closed = stage.home().join(".local/share");
    std::os::unix::fs::chown(&closed, Some(0), Some(0)).unwrap();
    std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ran = run(&mut command);
    assert_eq!(ran.code, Some(125), "{ran}");
    assert!(ran.stdout.is_empty() && ran.stderr.contains("Permission denied"), "{ran}");
    assert!(ran.stderr.contains("cofferdam") && ran.stderr.contains("COFFER_HOME"), "{ran}");
    let mut command = stage.run(["--", "echo", "well"]);
    run(command.env("COFFER_HOME", stage.scratch.root().join("data"))).prints("well\n");
}
