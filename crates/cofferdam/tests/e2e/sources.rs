//! Mounts: what must not be shown, what cannot be shown, and what changes between plan and run.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use coffer_testkit::require;

use crate::support::{Stage, run, sandboxes};

fn refused_mount(stage: &Stage, mount: &str, code: &str, words: &str, hint: &str) {
    run(stage.run(["--mount", mount, "--", "true"])).refuses(125, code, words, hint);
}

#[test]
fn no_mount_shows_a_secret_or_a_parent_of_one() {
    let stage = Stage::new();
    let home = stage.home();
    let home = home.to_str().unwrap();
    for (path, reason) in [
        (".ssh", "ssh keys"),
        (".aws", "cloud credentials"),
        (".config/gcloud", "cloud credentials"),
        (".gnupg", "gpg keys"),
        (".local/share/keyrings", "the keyring"),
        (".kube", "cluster credentials"),
        (".mozilla", "a browser profile"),
        (".claude", "the login of Claude Code"),
        (".local/share/cofferdam", "Cofferdam's own store"),
    ] {
        let place = format!("{home}/{path}");
        std::fs::create_dir_all(&place).unwrap();
        for mount in [place.clone(), format!("{place}:/elsewhere"), format!("~/{path}:/elsewhere:ro")] {
            refused_mount(&stage, &mount, "secret-path", reason, "expose");
        }
        std::fs::write(format!("{place}/inside"), "x").unwrap();
        refused_mount(&stage, &format!("{place}/inside:/elsewhere"), "secret-path", reason, "expose");
        std::fs::create_dir_all(stage.scratch.root().join("links")).unwrap();
        let link = stage.scratch.root().join("links").join(path.replace('/', "-"));
        std::os::unix::fs::symlink(&place, &link).unwrap();
        refused_mount(&stage, &format!("{}:/x", link.display()), "secret-path", reason, "expose");
    }
    for file in [".netrc", ".git-credentials", ".docker/config.json", ".npmrc", ".pypirc"] {
        stage.scratch.write_home(file, "CANARY").unwrap();
        let ran = run(stage.run(["--mount", &format!("~/{file}:/x"), "--", "true"]));
        ran.refuses(125, "secret-path", file, "expose").keeps_secret(&["CANARY"]);
    }
    for whole in ["~", "~/.config", "~/.local/share", "/"] {
        refused_mount(&stage, &format!("{whole}:/elsewhere"), "secret-path", "would show", "mount less");
    }
}

#[test]
fn a_secret_is_shown_by_the_users_own_word() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    stage.scratch.write_home(".aws/config", "region").unwrap();
    refused_mount(&stage, "~/.aws", "secret-path", ".aws", "expose");
    stage.config("expose = [\"~/.aws\"]\n");
    stage.inside(&["--mount", "~/.aws"], "cat ~/.aws/config").prints("region");
}

#[test]
fn only_files_and_folders_are_mounted() {
    let stage = Stage::new();
    let root = stage.scratch.root();
    run(Command::new("mkfifo").arg(root.join("pipe"))).ends_with(0);
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("dangling")).unwrap();
    for (name, code, words) in [
        ("pipe", "source-kind", "a named pipe"),
        ("socket", "source-kind", "a socket"),
        ("loop", "source-kind", "a loop of links"),
        ("dangling", "source-missing", "does not exist"),
        ("missing", "source-missing", "does not exist"),
    ] {
        let source = root.join(name).display().to_string();
        refused_mount(&stage, &format!("{source}:/x"), code, words, "mount");
        assert!(run(stage.run(["--mount", &source, "--", "true"])).stderr.contains(&source));
    }
    refused_mount(&stage, "/dev/null:/x", "source-kind", "a device", "mount");
}

#[test]
fn targets_are_taken_once_and_never_from_the_sandbox() {
    let stage = Stage::new();
    let shown = stage.scratch.root().join("shown");
    std::fs::create_dir_all(shown.join("b")).unwrap();
    let at = |target: &str| format!("{}:{target}", shown.display());
    for (target, code) in [
        ("/proc", "reserved-target"),
        ("/proc/sys", "reserved-target"),
        ("/dev", "reserved-target"),
        ("/dev/x", "reserved-target"),
        ("/run/coffer", "reserved-target"),
        ("/run/coffer/lease", "reserved-target"),
        ("/usr", "duplicate-target"),
        ("/etc/passwd", "duplicate-target"),
        ("/etc", "shadowed-mount"),
        ("/", "shadowed-mount"),
    ] {
        refused_mount(&stage, &at(target), code, target, "");
    }
    let home = stage.home();
    refused_mount(&stage, &at(home.to_str().unwrap()), "duplicate-target", "private home", "");
    let both = [at("/twice"), format!("{}:/twice", shown.join("b").display())];
    run(stage.run(["--mount", &both[0], "--mount", &both[1], "--", "true"])).refuses(
        125,
        "duplicate-target",
        "`/twice`",
        "another target",
    );
    let covering = [at("/deep/below"), at("/deep")];
    run(stage.run(["--mount", &covering[0], "--mount", &covering[1], "--", "true"])).refuses(
        125,
        "shadowed-mount",
        "`/deep/below`",
        "",
    );
}

#[test]
fn what_the_host_runs_is_not_writable_inside() {
    let stage = Stage::new();
    let folder = stage.program().parent().unwrap().display().to_string();
    refused_mount(&stage, &format!("{folder}:/x:rw"), "host-executable", "coffer", "outside");
    refused_mount(&stage, "/usr/bin:/x:rw", "host-executable", "/bwrap`", "outside");
    // The project itself counts, too.
    let own = stage.project().join("bin/coffer");
    std::fs::create_dir(own.parent().unwrap()).unwrap();
    std::fs::copy(stage.program(), &own).unwrap();
    let mut command = stage.command(&own);
    run(command.args(["run", "--", "true"])).refuses(125, "host-executable", "bin/coffer", "");
}

#[test]
fn root_shows_no_project_of_another_user() {
    if !require::root() {
        return;
    }
    let stage = Stage::new();
    std::os::unix::fs::chown(stage.project(), Some(54321), Some(54321)).unwrap();
    run(stage.run(["--", "true"])).refuses(125, "project-owner", "uid 54321", "sudo -u '#54321'");
}

/// The line that `--dry-run=command` prints for a mount of `source`.
fn printed(stage: &Stage, source: &Path, command: &str) -> String {
    let mount = format!("{}:/shown", source.display());
    let ran = run(stage
        .coffer(["run", "--dry-run=command", "--mount", &mount, "--", "sh", "-c", command])
        .env("X", "1"));
    ran.ends_with(0);
    ran.text()
}

fn pasted(stage: &Stage, line: &str) -> crate::support::Ran {
    run(stage.command("sh").args(["-c", line]))
}

#[test]
fn a_source_that_changes_between_plan_and_run_stops_it() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let source = stage.scratch.root().join("source");
    let named = format!("`{}`", source.display());
    std::fs::write(&source, "first").unwrap();
    let line = printed(&stage, &source, "cat /shown; touch it-ran");
    // As it is.
    pasted(&stage, &line).prints("first");
    std::fs::remove_file(stage.project().join("it-ran")).unwrap();
    // Replaced by another file.
    std::fs::write(stage.scratch.root().join("other"), "second").unwrap();
    std::fs::rename(stage.scratch.root().join("other"), &source).unwrap();
    pasted(&stage, &line).refuses(125, "source-changed", &named, "run it again");
    // Replaced by a link to the very file.
    let line = printed(&stage, &source, "cat /shown; touch it-ran");
    std::fs::rename(&source, stage.scratch.root().join("moved")).unwrap();
    std::os::unix::fs::symlink("moved", &source).unwrap();
    pasted(&stage, &line).refuses(125, "source-changed", &named, "run it again");
    // Gone.
    std::fs::remove_file(&source).unwrap();
    pasted(&stage, &line).refuses(125, "source-changed", &named, "run it again");
    assert!(!stage.project().join("it-ran").exists());
    // Nothing of the runs is left; the lock of the places that are held is no run's.
    let runs = stage.scratch.runtime().join("cofferdam/runs");
    let left = std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.filter(|name| name != ".holds").collect::<Vec<_>>(), Vec::<std::ffi::OsString>::new());
}

#[test]
fn a_login_that_vanishes_between_plan_and_run_stops_it() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let api = coffer_testkit::FakeApi::builder().start().unwrap();
    let login = api.issue_login(&coffer_testkit::LoginSpec::default());
    let file = stage.scratch.write_home(".claude/.credentials.json", &login.credentials_json()).unwrap();
    let ran = run(stage.coffer(["run", "--dry-run=command", "--", "true"]));
    let line = ran.ends_with(0).text();
    pasted(&stage, &line).ends_with(0);
    std::fs::remove_file(&file).unwrap();
    pasted(&stage, &line).refuses(125, "reference", "is not there any more", "run it again");
}

#[test]
fn a_link_in_the_project_leads_no_mount_astray() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let (shown, victim) = (stage.scratch.root().join("shown"), stage.home().join("victim"));
    std::fs::create_dir(&shown).unwrap();
    std::fs::write(shown.join("file"), "shown").unwrap();
    std::fs::create_dir(&victim).unwrap();
    let mount = |below: &str| format!("{}:{}/{below}", shown.display(), stage.project().display());
    // As it should be: the mount point is made below the project.
    run(stage.run(["--mount", &mount("made/here"), "--", "cat", "made/here/file"])).prints("shown");
    std::os::unix::fs::symlink(&victim, stage.project().join("vendor")).unwrap();
    for below in ["vendor", "vendor/deep/er"] {
        run(stage.run(["--mount", &mount(below), "--", "true"]))
            .refuses(125, "tampered", "vendor", "look at");
    }
    assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 0);
    // What is hidden is hidden by whatever name.
    stage.project_file("secret", "CANARY");
    std::os::unix::fs::symlink("secret", stage.project().join("link")).unwrap();
    std::fs::hard_link(stage.project().join("secret"), stage.project().join("other")).unwrap();
    stage.config(&format!("[project.\"{}\"]\nhide = [\"link\"]\n", stage.project().display()));
    stage.inside(&[], "cat secret link").ends_with(1).keeps_secret(&["CANARY"]);
}
