//! Exit codes, pipes, colours, terminals.

use crate::support::screen::Person;
use crate::support::{Stage, run, run_with_input, sandboxes};

#[test]
fn the_agents_exit_code_is_runs() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    for (script, code) in [
        ("exit 0", 0),
        ("exit 3", 3),
        ("exit 125", 125),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
    ] {
        stage.inside(&[], script).ends_with(code);
    }
    stage.project_file("not-executable", "x");
    run(stage.run(["--", "./not-executable"])).ends_with(126);
    run(stage.run(["--", "/usr"])).ends_with(126);
    run(stage.run(["--", "no-such-program"])).ends_with(127);
    run(stage.run(["--", "./no-such-program"])).ends_with(127);
}

#[test]
fn pipes_are_byte_exact_both_ways() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    // Every byte value, no line structure, larger than any pipe.
    let input: Vec<u8> =
        (0..1024 * 1024_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let ran = run_with_input(&mut stage.run(["--", "cat"]), &input);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout == input, "{} bytes came of {}", ran.stdout.len(), input.len());
    assert_eq!(ran.stderr, "");
    let ran = run_with_input(&mut stage.run(["--", "sh", "-c", "cat >&2"]), b"to stderr\n");
    assert_eq!((ran.text().as_str(), ran.stderr.as_str()), ("", "to stderr\n"));
    let ran = stage.inside(&[], "echo out; echo err >&2");
    assert_eq!((ran.text().as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
    // Who reads our output may leave early.
    let words = format!("'{}' run --audit never -- yes | head -1", stage.program().display());
    run(stage.command("sh").args(["-c", &words])).prints("y\n");
}

#[test]
fn the_audit_is_on_stderr_alone() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let run_it = |flags: &[&str]| run(stage.coffer(["run"]).args(flags).args(["--", "echo", "data"]));
    let ran = run_it(&[]);
    ran.prints("data\n");
    let order: Vec<usize> = ["Environment\n", "Mounts\n", "Network\n", "Sign-in\n"]
        .iter()
        .map(|title| ran.stderr.find(title).unwrap_or_else(|| panic!("{title}: {ran}")))
        .collect();
    assert!(order.is_sorted(), "{ran}");
    for prefix in ["[~] HOME=", "[>] LANG=C.UTF-8"] {
        assert!(ran.stderr.contains(prefix), "{ran}");
    }
    assert!(!ran.stderr.contains('\x1b'), "{ran}");
    for silent in [&["--audit", "never"][..], &["--quiet"], &["-q"], &["--audit", "changed"]] {
        let ran = run_it(silent);
        assert_eq!((ran.text().as_str(), ran.stderr.as_str()), ("data\n", ""), "{silent:?}");
    }
    // It has changed now.
    assert!(run_it(&["--audit", "changed", "--network", "none"]).stderr.contains("Network\n"));
    assert_eq!(run_it(&["--audit", "changed", "--network", "none"]).stderr, "");
    // Errors are told in any case.
    run(stage.coffer(["run", "--quiet", "--network", "full", "--allow", "example.org"]).args(["--", "true"]))
        .refuses(125, "not-in-tier", "`full`", "");
}

#[test]
fn colours_are_as_the_user_wants_them() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let colored = |flags: &[&str], no_color: bool| {
        let mut command = stage.coffer(["run"]);
        command.args(flags).args(["--", "true"]);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        run(&mut command).stderr.contains("\x1b[")
    };
    assert!(colored(&["--color", "always"], false));
    assert!(colored(&["--color", "always"], true), "what is typed beats the environment");
    assert!(!colored(&[], false), "stderr is a pipe");
    assert!(!colored(&["--color", "never"], false));
    let on_terminal = |no_color: bool| {
        let mut command = stage.coffer(["run", "--", "true"]);
        command.env("TERM", "xterm-256color");
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let (status, seen) = Person::starts(command).waits_raw();
        assert!(status.success(), "{seen}");
        seen.contains("\x1b[1m")
    };
    assert!(on_terminal(false));
    assert!(!on_terminal(true));
}

#[test]
fn variables_of_the_host_cross_by_their_names_alone() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let mut command = stage.run(["--env", "WANTED", "--env", "SET=here", "--", "env"]);
    command.env("WANTED", "CANARY wanted").env("UNWANTED", "x").env("SSH_AUTH_SOCK", "/x").env("LC_ALL", "C");
    let text = run(&mut command).text();
    for line in ["WANTED=CANARY wanted", "SET=here", "LC_ALL=C"] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    assert!(!text.contains("UNWANTED") && !text.contains("SSH_AUTH_SOCK"), "{text}");
    // What crosses by its name is masked in the audit.
    let mut command = stage.coffer(["run", "--env", "WANTED", "--", "true"]);
    let ran = run(command.env("WANTED", "CANARY"));
    ran.keeps_secret(&["CANARY"]);
    assert!(ran.stderr.contains("[+] WANTED=****"), "{ran}");
}

#[test]
fn a_plan_that_has_grown_is_asked_about_on_a_terminal() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let shown = stage.scratch.root().join("shown");
    std::fs::create_dir(&shown).unwrap();
    let mount =
        |target: &str| format!("[[mount]]\nsource = \"{}\"\ntarget = \"{target}\"\n", shown.display());
    let coffer = |flags: &[&str]| {
        let mut command = stage.coffer(["run"]);
        command.args(flags).args(["--", "sh", "-c", "echo it-$((1+1))-ran"]);
        command
    };
    let unasked = |flags: &[&str]| {
        let (status, seen) = Person::starts(coffer(flags)).waits();
        assert!(status.success() && !seen.contains("[y/N]") && seen.contains("it-2-ran"), "{seen}");
    };
    unasked(&[]);
    stage.config(&mount("/shown"));
    // Where nobody can be asked it stops.
    run(coffer(&["--audit", "never"])).refuses(125, "needs-person", "nobody is here to be asked", "--yes");
    let mut person = Person::starts(coffer(&[]));
    person.sees(&["[y/N]"]);
    person.types("n\n");
    let (status, seen) = person.waits();
    assert_eq!(status.code(), Some(125), "{seen}");
    assert!(seen.contains("error[needs-person]") && !seen.contains("it-2-ran"), "{seen}");
    let mut person = Person::starts(coffer(&[]));
    person.sees(&["[y/N]"]);
    person.types("y\n");
    person.sees(&["it-2-ran"]);
    assert!(person.waits().0.success());
    // Agreed to: not asked again, by nobody.
    unasked(&[]);
    run(coffer(&["--audit", "never"])).prints("it-2-ran\n");
    // `--yes` is not asked at all, nor is what is typed.
    stage.config(&format!("{}{}", mount("/shown"), mount("/more")));
    unasked(&["--yes"]);
    unasked(&["--mount", &format!("{}:/typed", shown.display())]);
}

#[test]
fn without_any_terminal_it_runs() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let mut command = stage.command("setsid");
    command.arg("--wait").arg(stage.program()).args(["run", "--audit", "never", "--", "sh", "-c"]);
    command.arg("tty; test -t 0 || test -t 1 || test -t 2 || echo none; : < /dev/tty && echo got it");
    let ran = run(&mut command);
    assert_eq!(ran.text(), "not a tty\nnone\n", "{ran}");
}

#[test]
fn a_shell_inside_is_like_a_shell() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let mut command = stage.run(["--", "sh", "-i"]);
    command.env("PS1", "$ ");
    let mut person = Person::starts(command);
    person.types("tty; stty size; echo $((20+22))\n");
    person.sees(&["/dev/pts/"]);
    person.sees(&["40 120"]);
    person.sees(&["42"]);
    person.types("sh -c 'echo rea''dy; exec sleep 1000'\n");
    person.sees(&["ready"]);
    person.types("\x03");
    person.types("echo back-$((1+1)); exit 7\n");
    person.sees(&["back-2"]);
    assert_eq!(person.waits().0.code(), Some(7));
}

#[test]
fn quiet_still_says_what_it_stops_for() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    stage.inside(&["--network", "none"], "true").ends_with(0);
    // Not a flag's word: the tier falls back to the wider default, and nobody is here to be asked.
    let mut command = stage.coffer(["--quiet", "run", "--", "true"]);
    command.stdin(std::process::Stdio::null());
    let ran = run(command);
    ran.refuses(125, "needs-person", "nobody is here", "--yes");
    assert!(ran.stderr.contains("network none -> dev"), "{}", ran.stderr);
}
