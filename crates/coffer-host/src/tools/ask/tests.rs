use std::time::Duration;

use super::{Heard, MAX_ANSWER, PATIENCE, ask};
use crate::scratch::Scratch;

fn asked(script: &str, patience: Duration) -> Heard {
    let scratch = Scratch::new();
    let program = scratch.program("bin/tool", &format!("#!/bin/sh\n{script}\n"));
    let environment =
        [("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("SAID".to_owned(), "this".to_owned())];
    ask(&program, &["one".to_owned(), "two words".to_owned()], &environment, patience)
}

fn said(script: &str) -> String {
    match asked(script, PATIENCE) {
        Heard::Said(text) => String::from_utf8(text.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn failure(script: &str, patience: Duration) -> String {
    match asked(script, patience) {
        Heard::Failed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_hears_what_a_tool_prints_and_nothing_else() {
    assert_eq!(said("echo \"$1|$2\"; echo secret >&2"), "one|two words\n");
    assert_eq!(said("cat"), "", "nothing is on its stdin");
    assert_eq!(said("pwd"), "/\n");
    // A shell sets these itself.
    let names = said("env | cut -d= -f1 | sort | grep -v -e ^PWD -e ^_ -e ^SHLVL -e ^OLDPWD");
    assert_eq!(names, "PATH\nSAID\n");
}

#[test]
fn how_a_tool_ends_is_told() {
    assert_eq!(asked("echo x; exit 3", PATIENCE), Heard::Ended(3));
    assert_eq!(asked("kill -9 $$", PATIENCE), Heard::Ended(128 + 9));
    let scratch = Scratch::new();
    let no_program = scratch.program("bin/tool", "#!/no/such/interpreter\n");
    let Heard::Failed(reason) = ask(&no_program, &[], &[], PATIENCE) else { panic!("it started") };
    assert!(reason.starts_with("it cannot be started: "), "{reason}");
}

#[test]
fn a_tool_that_does_not_end_is_ended() {
    let moment = Duration::from_millis(50);
    assert_eq!(failure("echo half; exec sleep 1000", moment), "it took longer than 0 s");
    // Also one that says nothing more, and one whose child keeps the pipe.
    assert_eq!(failure("exec >&-; exec sleep 1000", moment), "it took longer than 0 s");
    assert_eq!(said("sleep 1000 >/dev/null & echo done"), "done\n");
}

#[test]
fn a_tool_that_prints_megabytes_is_heard_no_further() {
    let reason = failure("exec yes", PATIENCE);
    assert_eq!(reason, format!("it said more than {MAX_ANSWER} bytes"));
    assert_eq!(said(&format!("head -c {MAX_ANSWER} /dev/zero | tr '\\0' x")).len(), MAX_ANSWER);
}
