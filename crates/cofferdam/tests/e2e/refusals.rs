//! What is refused: exit code, `error[CODE]`, hint, stderr alone.

use coffer_testkit::LoginSpec;

use crate::support::practice::LOGIN;
use crate::support::{Stage, run, sandboxes};

/// Words after `coffer run`, code, words of the message, words of the hint.
type Case<'a> = (&'a [&'a str], &'a str, &'a str, &'a str);

#[track_caller]
fn all_refused(stage: &Stage, cases: &[Case<'_>]) {
    for (flags, code, words, hint) in cases {
        run(stage.run(*flags).args(["--", "touch", "it-ran"])).refuses(125, code, words, hint);
        assert!(!stage.project().join("it-ran").exists(), "{flags:?}");
    }
}

#[test]
fn what_is_not_there_yet_is_refused_by_name() {
    let stage = Stage::new();
    all_refused(
        &stage,
        &[
            (&["--network", "full", "--allow", "example.org"], "not-in-tier", "`full`", "--network dev"),
            (&["--network", "none", "--allow", "example.org"], "not-in-tier", "`none`", "--network dev"),
            (&["--network", "full", "--forward", "8123"], "not-in-tier", "`full`", "leave it out"),
            (&["--forward", "22"], "port-refused", "below 1024", "another port"),
            (&["--forward", "unix:/nowhere"], "source-missing", "/nowhere", "take the mount out"),
            (&["--auth", "shared"], "shared-refused", "version is unknown", "--auth lease"),
            (&["--backend", "kubernetes"], "backend-unavailable", "`kubernetes`", "--backend bwrap"),
            (&["--account", "work"], "unknown-account", "`work`", "coffer account add work"),
        ],
    );
}

#[test]
fn unknown_names_are_told_with_the_known_ones() {
    let stage = Stage::new();
    stage.config("[profile.careful]\nnetwork = \"none\"\n");
    all_refused(
        &stage,
        &[
            (&["--agent", "clade"], "data", "`clade`", "claude"),
            (&["--profile", "carefull"], "config", "`carefull`", "did you mean `careful`?"),
        ],
    );
}

#[test]
fn a_usage_error_of_run_is_a_failure_before_the_start() {
    let stage = Stage::new();
    for (flags, words) in [
        (&["--netwrok", "none"][..], "--netwrok"),
        (&["--network", "bogus"], "bogus"),
        (&["--state", "bogus"], "bogus"),
        (&["--auth", "bogus"], "bogus"),
        (&["--audit", "bogus"], "bogus"),
        (&["--mount", ":x"], "no empty part"),
        (&["--mount", "a:b:c:d"], "SRC[:DST]"),
        (&["--env", "=x"], "NAME"),
        (&["word-without-dashes"], "word-without-dashes"),
    ] {
        let ran = run(stage.coffer(["run"]).args(flags));
        ran.refuses(125, "usage", words, "");
    }
    run(stage.coffer(["plam"])).refuses(2, "usage", "plam", "");
    run(stage.coffer(["plan", "--netwrok"])).refuses(2, "usage", "--netwrok", "");
}

#[test]
fn secrets_on_the_command_line_are_refused_and_not_repeated() {
    let stage = Stage::new();
    for word in ["TOKEN=CANARY-1", "MY_API_KEY=CANARY-1", "PASSWORD=CANARY-1", "X=sk-ant-api03-FAKE-CANARY-1"]
    {
        let name = word.split('=').next().unwrap();
        run(stage.run(["--env", word, "--", "true"]))
            .refuses(125, "secret-value", &format!("`{name}`"), &format!("--env {name}"))
            .keeps_secret(&["CANARY"]);
    }
}

#[test]
fn a_project_must_be_a_project() {
    let stage = Stage::new();
    let (home, root) = (stage.home(), stage.scratch.root().to_owned());
    for folder in [home.as_path(), &root, "/".as_ref(), "/tmp".as_ref(), "/usr".as_ref(), "/etc".as_ref()] {
        run(stage.run(["--", "true"]).current_dir(folder)).refuses(
            125,
            "project-too-wide",
            &format!("`{}`", folder.display()),
            "cd",
        );
    }
}

#[test]
fn the_agent_and_bubblewrap_must_be_there() {
    let stage = Stage::new();
    let empty = stage.scratch.root().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let mut bare = stage.run(["--", "true"]);
    run(bare.env("PATH", &empty)).refuses(125, "backend-missing", "bwrap", "sudo apt-get install bubblewrap");
    let mut bare = stage.run(["--", "-p", "hi"]);
    run(bare.env("PATH", &empty)).refuses(125, "agent-missing", "`claude`", "npm install -g");
}

#[test]
fn a_bubblewrap_that_may_not_make_namespaces_is_told_apart_from_the_agent() {
    let stage = Stage::new();
    let bin = stage.scratch.root().join("fake");
    std::fs::create_dir(&bin).unwrap();
    let fake = bin.join("bwrap");
    let script = "#!/bin/sh\ncase \"$1\" in --version) echo bubblewrap 0.8.0;; \
                  *) echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1;; esac\n";
    std::fs::write(&fake, script).unwrap();
    run(std::process::Command::new("chmod").arg("755").arg(&fake)).ends_with(0);
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let mut command = stage.run(["--", "true"]);
    run(command.env("PATH", path)).refuses(125, "backend-failed", "setting up uid map", "");
}

#[test]
fn no_home_is_an_error_or_the_user_databases_word() {
    let stage = Stage::new();
    // An id that no user database knows, so that nothing but HOME could tell.
    if !coffer_testkit::require::root() {
        return;
    }
    let place = stage.project();
    run(std::process::Command::new("chown").args(["-R", "54321:54321"]).arg(stage.scratch.root()))
        .ends_with(0);
    let copy = stage.scratch.root().join("coffer");
    std::fs::copy(stage.program(), &copy).unwrap();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid", "54321", "--regid", "54321", "--clear-groups", "--"]).arg(&copy);
    command.args(["run", "--", "true"]).current_dir(&place);
    command.env_clear().env("PATH", crate::support::PATH);
    run(&mut command).refuses(125, "home", "there is no home folder", "HOME");
    command.env("HOME", "/");
    run(&mut command).refuses(125, "home", "`/`", "HOME");
    let mut help = stage.coffer(["--help"]);
    help.env_clear();
    run(&mut help).ends_with(0);
}

#[test]
fn paths_that_a_plan_cannot_hold_are_named() {
    use std::os::unix::ffi::OsStrExt as _;
    let stage = Stage::new();
    for name in [&b"new\nline"[..], b"not-\xff-utf8", b"bell\x07"] {
        let folder = stage.home().join("work").join(std::ffi::OsStr::from_bytes(name));
        std::fs::create_dir(&folder).unwrap();
        let ran = run(stage.run(["--", "true"]).current_dir(&folder));
        ran.refuses(125, "host", "the current folder", "rename");
        assert_eq!(ran.stderr.lines().count(), 2, "{ran}");
        assert!(!ran.stderr.contains('\x07'), "{ran}");
        let ran = run(stage.run(["--", "true"]).env("HOME", &folder));
        ran.refuses(125, "host", "`HOME`", "set `HOME`");
        let mut mount = stage.run(["--mount"]);
        let ran = run(mount.arg(&folder).args(["--", "true"]));
        assert_eq!(ran.code, Some(125), "{ran}");
        assert!(ran.stdout.is_empty() && ran.stderr.starts_with("error["), "{ran}");
        assert!(!ran.stderr.contains('\x07'), "{ran}");
    }
}

#[test]
fn a_path_with_dots_means_where_it_leads() {
    let stage = Stage::new();
    std::fs::create_dir(stage.home().join(".ssh")).unwrap();
    let source = format!("{}/../../.ssh", stage.project().display());
    let ssh = format!("`{}`", stage.home().join(".ssh").display());
    all_refused(&stage, &[(&["--mount", &source], "secret-path", &ssh, "mount less")]);
}

#[test]
fn a_login_that_ends_too_soon_is_refused_with_the_way_to_renew_it() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let api = coffer_testkit::FakeApi::builder().start().unwrap();
    for seconds in [-1, -60] {
        let login = api.issue_login(&LoginSpec { expires_in: seconds, ..LoginSpec::default() });
        stage.scratch.write_home(LOGIN, &login.credentials_json()).unwrap();
        let refresh = login.refresh_token.as_deref().unwrap();
        run(stage.run(["--", "touch", "it-ran"]))
            .refuses(125, "reference", "is not on the PATH", "npm install")
            .keeps_secret(&[&login.access_token, refresh]);
        assert!(!stage.project().join("it-ran").exists());
        run(stage.run(["--auth", "none", "--", "true"])).ends_with(0);
    }
    let login = api.issue_login(&LoginSpec::default());
    stage.scratch.write_home(LOGIN, &login.credentials_json()).unwrap();
    run(stage.run(["--", "true"])).ends_with(0);
}

#[test]
fn a_login_that_nobody_can_renew_is_refused_with_the_way_to_a_new_one() {
    let stage = Stage::new();
    let login = |end: &str| {
        let file = format!(
            r#"{{"claudeAiOauth":{{"accessToken":"sk-ant-oat01-FAKE-1","expiresAt":{end},"scopes":["user:inference"]}}}}"#
        );
        let path = stage.scratch.write_home(LOGIN, &file).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    login("1000");
    run(stage.run(["--", "true"]))
        .refuses(125, "login-ending", "no refresh token", "coffer login")
        .keeps_secret(&["FAKE-1"]);
    login("9999999999999");
    run(stage.run(["--dry-run=json", "--", "true"])).ends_with(0).keeps_secret(&["FAKE-1"]);
}

#[test]
fn a_login_that_is_none_is_refused_and_left_as_it_is() {
    let stage = Stage::new();
    for (content, words) in [
        ("", "cannot be used"),
        ("CANARY not json", "cannot be used"),
        ("[]", "cannot be used"),
        (r#"{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0}}"#, "cannot be used"),
        (r#"{"claudeAiOauth":{"accessToken":"CANARY","scopes":["user:profile"]}}"#, "user:inference"),
    ] {
        let file = stage.scratch.write_home(LOGIN, content).unwrap();
        run(stage.run(["--", "true"]))
            .refuses(125, "login-unusable", words, "--auth none")
            .keeps_secret(&["CANARY"]);
        assert_eq!(std::fs::read_to_string(file).unwrap(), content);
    }
}
