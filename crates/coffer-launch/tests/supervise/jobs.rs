//! Job control: the user's shell outside, and a shell as the agent.

use crate::Test;
use crate::harness::{User, host, host_word};
use std::process::Command;

pub(crate) const TESTS: &[Test] = &[
    ("jobs::ctrl_z_stops_the_job_and_fg_resumes_it", ctrl_z_stops_the_job_and_fg_resumes_it),
    ("jobs::a_background_job_stops_when_it_reads", a_background_job_stops_when_it_reads),
    ("jobs::a_shell_inside_has_jobs_of_its_own", a_shell_inside_has_jobs_of_its_own),
    ("jobs::ctrl_z_without_a_shell_above_goes_on", ctrl_z_without_a_shell_above_goes_on),
    (
        "jobs::what_was_printed_before_a_stop_is_seen_before_it",
        what_was_printed_before_a_stop_is_seen_before_it,
    ),
    ("jobs::a_pipeline_stops_as_one", a_pipeline_stops_as_one),
];

/// The user's own shell, at its first prompt.
fn shell() -> User {
    let mut command = Command::new("bash");
    command.args(["--norc", "--noprofile", "-i"]).env("PS1", "outer> ");
    let mut user = User::start(command, &[]);
    user.sees("outer> ");
    user
}

fn ctrl_z_stops_the_job_and_fg_resumes_it() {
    let mut user = shell();
    let agent = "sh -c 'echo rea''dy; read line; stty size; echo \"line $line\"; exit 6'";
    user.types(&format!("{} {agent}\n", host_word()));
    user.sees("ready");
    user.types("\x1a");
    user.sees("Stopped");
    user.sees("outer> ");
    user.types("stty -a | grep -ow -e -icanon -e icanon; echo modes\n");
    user.sees("\nicanon");
    user.sees("outer> ");
    user.resizes(33, 99);
    user.types("fg\n");
    user.sees("sh -c");
    user.types("hello\n");
    user.sees("33 99");
    user.sees("line hello");
    user.sees("outer> ");
    user.types("echo code $?\n");
    user.sees("code 6");
    user.sees("outer> ");
    user.types("exit\n");
    assert!(user.waits().success());
}

fn a_background_job_stops_when_it_reads() {
    let mut user = shell();
    let agent = "sh -c 'read line; echo \"line $line\"'";
    user.types(&format!("{} {agent} &\n", host_word()));
    user.sees("\n[1] ");
    user.sees("outer> ");
    // The shell tells of it at a prompt: ask until it does.
    loop {
        user.types("jobs; echo as''ked\n");
        let answer = user.sees("\nasked\r\n");
        if answer.contains("Stopped") {
            break;
        }
        assert!(answer.contains("Running"), "{answer}");
    }
    user.types("fg\n");
    user.sees("sh -c");
    user.types("hello\n");
    user.sees("line hello");
    user.sees("outer> ");
    user.types("exit\n");
    assert!(user.waits().success());
}

fn a_shell_inside_has_jobs_of_its_own() {
    let mut user = User::start(host(&["bash", "--norc", "--noprofile", "-i"]), &[]);
    user.types("PS1='in''ner> '\n");
    user.sees("inner> ");
    // Typed ahead of the job, words would be lost in bash's own line editor, without us as well.
    user.types("sh -c 'echo rea\"\"dy; exec cat'\n");
    user.sees("ready");
    user.types("one\n");
    user.sees("one\r\none\r\n");
    user.types("\x1a");
    user.sees("Stopped");
    user.sees("inner> ");
    user.types("fg\n");
    user.sees("exec cat'\r\n");
    user.types("two\n");
    user.sees("two\r\ntwo\r\n");
    user.types("\x03");
    user.sees("inner> ");
    user.types("exit 3\n");
    assert_eq!(user.waits().code(), Some(3));
}

fn ctrl_z_without_a_shell_above_goes_on() {
    // The host leads its session: nobody could continue it, so the kernel does not stop it.
    let mut user = User::start(host(&["sh", "-c", "echo rea''dy; read line; echo \"line $line\""]), &[]);
    user.sees("ready");
    user.types("\x1a");
    user.types("hello\n");
    user.sees("line hello");
    assert!(user.waits().success());
}

fn what_was_printed_before_a_stop_is_seen_before_it() {
    let mut user = shell();
    user.types(&format!("{} sh -c 'seq 1 2000; echo la''st; kill -STOP $$; echo on'\n", host_word()));
    assert!(!user.sees("last\r\n").contains("Stopped"));
    user.sees("Stopped");
    user.sees("outer> ");
    user.types("fg\n");
    user.sees("\non\r\n");
    user.sees("outer> ");
    user.types("exit\n");
    assert!(user.waits().success());
}

fn a_pipeline_stops_as_one() {
    let mut user = shell();
    user.types(&format!("{} sh -c 'echo rea''dy; read line; echo \"line $line\"' | cat\n", host_word()));
    user.sees("ready");
    user.types("\x1a");
    user.sees("Stopped");
    user.sees("outer> ");
    user.types("fg\n");
    user.sees("| cat");
    user.types("hello\n");
    user.sees("line hello");
    user.sees("outer> ");
    user.types("exit\n");
    assert!(user.waits().success());
}
