//! Init without a host: a command line that somebody pasted.

use crate::Test;
use crate::harness::{Reader, Running};
use crate::host::{Options, bubblewrap};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Command, Stdio};

pub(crate) const TESTS: &[Test] = &[
    ("by_hand::exit_codes_are_the_agents", exit_codes_are_the_agents),
    ("by_hand::a_missing_program_is_named", a_missing_program_is_named),
    ("by_hand::a_signal_to_init_is_the_agents", a_signal_to_init_is_the_agents),
    ("by_hand::the_terminal_outside_cannot_be_typed_into", the_terminal_outside_cannot_be_typed_into),
];

fn script(text: &str) -> Command {
    let mut command = bubblewrap(&Options::default(), None, ["sh", "-c", text]);
    command.stdin(Stdio::null());
    command
}

fn exit_codes_are_the_agents() {
    for (text, code) in [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143)] {
        assert_eq!(script(text).status().unwrap().code(), Some(code), "{text}");
    }
    let output = script("echo out; echo err >&2").output().unwrap();
    assert_eq!((output.stdout, output.stderr), (b"out\n".to_vec(), b"err\n".to_vec()));
}

fn a_missing_program_is_named() {
    let output = bubblewrap(&Options::default(), None, ["no-such-program"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("coffer-init: ") && said.contains("`no-such-program`"), "{said}");
}

fn a_signal_to_init_is_the_agents() {
    // From inside init is process 1, and cannot be killed.
    let output =
        script("trap 'echo got it; exit 3' TERM; kill -KILL 1; kill -TERM 1; while :; do :; done").output();
    let output = output.unwrap();
    assert_eq!((output.stdout, output.status.code()), (b"got it\n".to_vec(), Some(3)));
    // Bubblewrap itself takes everything with it.
    let mut child = script("echo ready; sleep 1000").stdout(Stdio::piped()).spawn().map(Running).unwrap();
    let mut out = Reader::new(child.stdout.take().unwrap());
    out.expect("ready\n");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    child.wait().unwrap();
    out.rest();
}

fn the_terminal_outside_cannot_be_typed_into() {
    let command = bubblewrap(&Options::default(), None, ["sh", "-c", "tty < /dev/tty; echo asked"]);
    let mut user = crate::harness::User::start(command, &[]);
    let seen = user.sees("asked");
    assert!(seen.contains("/dev/tty") && !seen.contains("/dev/pts"), "{seen}");
}
