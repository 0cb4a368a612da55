//! What happens in each of these runs; the same for both pinned CLIs.

use super::{
    Answer, LOGIN, LoginSpec, Person, Practice, Value, fingerprint, home_of, json, run, transcripts,
};

pub(super) fn an_answer_with_nothing_but_the_access_token(practice: &Practice) {
    let login = practice.sign_in(&LoginSpec::default());
    let refresh = login.refresh_token.clone().unwrap();
    let scratch = &practice.stage.scratch;
    // For root's agent, what others cannot read would need a grant.
    std::fs::write(practice.stage.home().join(".claude/CLAUDE.md"), "be brief\n").unwrap();
    scratch.write_home(".claude/settings.json", r#"{"includeCoAuthoredBy": false}"#).unwrap();
    scratch.write_home(".claude.json", r#"{"numStartups": 3, "mcpServers": {}}"#).unwrap();
    scratch.write_home(".ssh/id_ed25519", "CANARY").unwrap();
    let before = home_of(practice);

    practice.says_hi(&[]).prints("practice answer: hi\n");
    assert_eq!(home_of(practice), before, "the host's home");
    let messages = practice.messages();
    assert!(!messages.is_empty());
    for message in &messages {
        let seen = message.credential("authorization");
        assert_eq!(seen, Some(fingerprint(&login.access_token).as_str()), "{message:?}");
    }
    assert!(practice.token_requests().is_empty(), "{:?}", practice.token_requests());
    assert_eq!(transcripts(practice).len(), 1, "{:?}", transcripts(practice));
    // The user's own configuration is there, the login's refresh token nowhere.
    let ran = run(practice.run(&["--", "sh", "-c", &search(&refresh)]));
    ran.prints("be brief\n0\n");
    // The same search finds what is there: the access token.
    let ran = run(practice.run(&["--", "sh", "-c", &search(&login.access_token)]));
    assert!(ran.text().contains("/.credentials.json"), "{ran}");
    // Nothing of the lease outlives its run.
    for secret in [&refresh, &login.access_token] {
        for place in [practice.stage.data(), scratch.runtime(), scratch.tmp()] {
            assert!(super::files_with(&place, secret).is_empty(), "{}", place.display());
        }
    }
}

pub(super) fn a_key_and_a_login_both_cross(practice: &Practice) {
    let login = practice.sign_in(&LoginSpec::default());
    let key = practice.api.add_api_key();
    let mut command = practice.stage.coffer(["run", "--", "-p", "hi"]);
    practice.equip(&mut command);
    let ran = run(command.env("ANTHROPIC_API_KEY", &key));
    ran.prints("practice answer: hi\n").keeps_secret(&[&key, &login.access_token]);
    let sign_in = ran.stderr.split("Sign-in\n").nth(1).unwrap_or_else(|| panic!("no Sign-in: {ran}"));
    assert!(sign_in.contains("ANTHROPIC_API_KEY"), "{ran}");
    assert!(sign_in.contains("warning: `ANTHROPIC_API_KEY` overrides"), "{ran}");
    let messages = practice.messages();
    assert!(!messages.is_empty());
    for message in &messages {
        assert_eq!(message.credential("x-api-key"), Some(fingerprint(&key).as_str()), "{message:?}");
        assert_eq!(message.credential("authorization"), None, "{message:?}");
    }
    // The plan knew.
    let mut command = practice.stage.coffer(["plan", "--json", "--", "-p", "hi"]);
    practice.equip(&mut command);
    let plan = run(command.env("ANTHROPIC_API_KEY", &key)).json();
    assert_eq!(plan["sign_in"]["winner"], json!("ANTHROPIC_API_KEY"));
    assert_ne!(plan["sign_in"]["warning"], Value::Null);
    assert_ne!(plan["credential"]["ref"], Value::Null, "the login crosses, too");
    // Both are inside.
    let mut command = practice.run(&[
        "--",
        "sh",
        "-c",
        "test -n \"$ANTHROPIC_API_KEY\" && cat /run/coffer/lease/.credentials.json",
    ]);
    let ran = run(command.env("ANTHROPIC_API_KEY", &key));
    ran.ends_with(0);
    assert!(ran.text().contains(&login.access_token), "{ran}");
}

pub(super) fn without_the_login(practice: &Practice) {
    let login = practice.sign_in(&LoginSpec::default());
    let ran = practice.says_hi(&["--auth", "none"]);
    assert_ne!(ran.code, Some(0), "{ran}");
    assert!(said(&ran).contains("Not logged in"), "{ran}");
    assert!(practice.messages().is_empty());
    let ran =
        run(practice.run(&["--auth", "none", "--", "sh", "-c", "ls -a /run/coffer; ls -A ~/.claude; env"]));
    assert!(!ran.text().contains("lease") && !ran.text().contains(".credentials.json"), "{ran}");
    ran.keeps_secret(&[&login.access_token]);
}

pub(super) fn signed_out_it_runs_and_says_so(practice: &Practice) {
    let mut command = practice.stage.coffer(["run", "--", "-p", "hi"]);
    practice.equip(&mut command);
    let ran = run(command);
    assert!(said(&ran).contains("Not logged in"), "{ran}");
    assert!(!ran.stderr.to_lowercase().contains("warning"), "{ran}");
    assert!(!ran.stderr.contains("error["), "{ran}");
    assert!(practice.messages().is_empty());
    // A login that was made inside stays with the state, and the next run finds it.
    let login = practice.api.issue_login(&LoginSpec::refreshless());
    let script = format!("umask 077; echo '{}' > ~/.claude/.credentials.json", login.credentials_json());
    run(practice.run(&["--", "sh", "-c", &script])).ends_with(0);
    practice.says_hi(&[]).prints("practice answer: hi\n");
    assert!(!practice.stage.home().join(LOGIN).exists());
}

pub(super) fn a_tool_works_in_the_project(practice: &Practice) {
    practice.sign_in(&LoginSpec::default());
    let mark = practice.stage.project().join("made-by-the-agent");
    let command = format!("id -u > {}", mark.display());
    let input = json!({"command": command, "description": "make a file"});
    practice.api.queue_answer(Answer::ToolUse { name: "Bash".to_owned(), input });
    let ran = run(practice.run(&["--", "-p", "hi", "--allowedTools", "Bash"]));
    ran.ends_with(0);
    let uid = rustix::process::geteuid().as_raw();
    let inside = if uid == 0 { 1000 } else { uid };
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), format!("{inside}\n"), "{ran}");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&mark.metadata().unwrap()), uid);
}

pub(super) fn unattended_by_the_host_users_word(practice: &Practice) {
    practice.sign_in(&LoginSpec::default());
    let mark = practice.stage.project().join("unasked");
    let input = json!({"command": format!("touch {}", mark.display()), "description": "make a file"});
    practice.api.queue_answer(Answer::ToolUse { name: "Bash".to_owned(), input: input.clone() });
    // Not so: the tool is refused where nobody can be asked.
    practice.says_hi(&[]).ends_with(0);
    assert!(!mark.exists());
    practice.api.queue_answer(Answer::ToolUse { name: "Bash".to_owned(), input });
    practice.says_hi(&["--unattended"]).ends_with(0);
    assert!(mark.exists());
    run(practice.run(&["--unattended", "--", "sh", "-c", "echo ${IS_SANDBOX-unset}"])).prints("unset\n");
}

pub(super) fn root_inside_unattended(practice: &Practice) {
    practice.sign_in(&LoginSpec::default());
    let flags = ["--as-root-inside", "--unattended"];
    practice.says_hi(&flags).prints("practice answer: hi\n");
    let mut command = practice.run(&flags);
    run(command.args(["--", "sh", "-c", "id -u; echo $IS_SANDBOX"])).prints("0\n1\n");
    // Without the flag the CLI is root and attended.
    practice.says_hi(&["--as-root-inside"]).prints("practice answer: hi\n");
    let mut command = practice.run(&["--as-root-inside"]);
    run(command.args(["--", "sh", "-c", "id -u; echo ${IS_SANDBOX-unset}"])).prints("0\nunset\n");
}

pub(super) fn an_expired_login_is_not_spent(practice: &Practice) {
    // Nobody answers as the token server here: the login stays as it is, and what is left of it is used.
    for seconds in [-60, 200] {
        practice.sign_in(&LoginSpec { expires_in: seconds, ..LoginSpec::default() });
        let before = home_of(practice);
        let ran = practice.says_hi(&[]);
        match seconds {
            200 => drop(ran.prints("practice answer: hi\n")),
            _ => drop(ran.refuses(125, "reference", "`host`", "")),
        }
        assert_eq!(home_of(practice), before);
    }
    // A key that wins makes the login's end unimportant.
    let key = practice.api.add_api_key();
    let mut command = practice.run(&["--", "-p", "hi"]);
    run(command.env("ANTHROPIC_API_KEY", &key)).prints("practice answer: hi\n");
    assert!(practice.token_requests().is_empty());
}

pub(super) fn the_first_start_meets_no_wizard(practice: &Practice) {
    const WIZARD: [&str; 4] =
        ["Choose the text style", "Select login method", "Paste code here", "Syntax theme"];
    const TRUST: [&str; 3] = ["Do you trust", "trust this folder", "Is this a project you"];
    const PROMPT: [&str; 3] = ["? for shortcuts", "/effort", "Try \""];
    practice.sign_in(&LoginSpec::default());
    let before = home_of(practice);
    let start = || {
        let mut command = practice.run(&[]);
        Person::starts(std::mem::replace(
            command.env("TERM", "xterm-256color"),
            practice.stage.command("true"),
        ))
    };
    // The question whether to trust the folder is the person's to answer.
    let mut person = start();
    let seen = person.sees(&[&WIZARD[..], &TRUST, &PROMPT].concat());
    assert!(TRUST.contains(&seen), "{}", person.squeezed());
    person.leaves();
    // Unless they said so.
    practice.stage.config("trust_folder = true\n");
    let before_trust = home_of(practice);
    let mut person = start();
    let seen = person.sees(&[&WIZARD[..], &TRUST, &PROMPT].concat());
    assert!(PROMPT.contains(&seen), "{seen}: {}", person.squeezed());
    person.leaves();
    assert_eq!(home_of(practice), before_trust);
    assert!(before.len() < before_trust.len());
}

/// A script that prints the user's CLAUDE.md, all files with the word, and how often it stands in the
/// environments and command lines of processes. The word is never whole in the script's own command line.
fn search(word: &str) -> String {
    let (head, tail) = word.split_at(word.len() / 2);
    format!(
        r#"cat ~/.claude/CLAUDE.md; word='{head}''{tail}'; say() {{ printf %s "$word"; }}
        say | grep -rlF -f - / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr --exclude-dir=opt 2>/dev/null
        cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' > /tmp/processes
        say | grep -cF -f - /tmp/processes || true"#
    )
}

fn said(ran: &crate::support::Ran) -> String {
    format!("{}\n{}", ran.text(), ran.stderr)
}
