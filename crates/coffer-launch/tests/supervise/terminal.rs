//! Terminals among the standard descriptors.

use crate::Test;
use crate::harness::{Reader, User, host, script};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

pub(crate) const TESTS: &[Test] = &[
    ("terminal::it_has_a_name_inside", it_has_a_name_inside),
    ("terminal::its_size_is_the_users_and_follows", its_size_is_the_users_and_follows),
    ("terminal::its_modes_are_the_users", its_modes_are_the_users),
    ("terminal::ctrl_c_interrupts_the_agent_alone", ctrl_c_interrupts_the_agent_alone),
    ("terminal::ctrl_d_is_an_end_of_file", ctrl_d_is_an_end_of_file),
    ("terminal::keys_pass_one_by_one_and_modes_are_restored", keys_pass_one_by_one_and_modes_are_restored),
    ("terminal::only_terminals_are_replaced", only_terminals_are_replaced),
    ("terminal::a_pager_in_a_pipeline_reads_keys", a_pager_in_a_pipeline_reads_keys),
    ("terminal::all_output_is_shown", all_output_is_shown),
    ("terminal::a_long_paste_arrives_whole", a_long_paste_arrives_whole),
    ("terminal::ctrl_c_works_while_the_screen_is_stuck", ctrl_c_works_while_the_screen_is_stuck),
    ("terminal::a_hang_up_ends_the_run", a_hang_up_ends_the_run),
    (
        "terminal::an_agent_may_close_its_terminal_and_open_it_again",
        an_agent_may_close_its_terminal_and_open_it_again,
    ),
    (
        "terminal::modes_are_restored_when_the_backend_is_killed",
        modes_are_restored_when_the_backend_is_killed,
    ),
    ("terminal::ctrl_c_reaches_an_agent_in_a_pipeline", ctrl_c_reaches_an_agent_in_a_pipeline),
    ("terminal::a_hang_up_that_is_ignored_ends_the_run_too", a_hang_up_that_is_ignored_ends_the_run_too),
    (
        "terminal::an_agent_without_a_terminal_to_make_is_told_apart",
        an_agent_without_a_terminal_to_make_is_told_apart,
    ),
    ("terminal::ctrl_c_ends_the_wait_for_a_stuck_screen", ctrl_c_ends_the_wait_for_a_stuck_screen),
];

fn it_has_a_name_inside() {
    let (status, seen) = User::start(host(&["tty"]), &[]).reads_to_the_end();
    assert_eq!(String::from_utf8_lossy(&seen), "/dev/pts/0\r\n");
    assert!(status.success());
}

fn its_size_is_the_users_and_follows() {
    let text = "trap 'stty size; exit' WINCH; stty size; while :; do :; done";
    let mut user = User::start(script(text), &[]);
    user.sees("24 80\r\n");
    user.resizes(50, 132);
    user.sees("50 132\r\n");
    assert_eq!(user.waits().code(), Some(0));
}

fn its_modes_are_the_users() {
    let outer = format!("stty erase ^H intr ^G -ixon; {} stty -a", crate::harness::host_word());
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &outer]);
    let (_, seen) = User::start(command, &[]).reads_to_the_end();
    let seen = String::from_utf8_lossy(&seen).replace(['\r', '\n'], " ");
    for word in [" erase = ^H;", " intr = ^G;", " -ixon ", " echo ", " icanon ", " opost "] {
        assert!(seen.contains(word), "{word} in {seen}");
    }
}

fn ctrl_c_interrupts_the_agent_alone() {
    let text = "trap 'echo caught; exit 5' INT; echo ready; while :; do :; done";
    let mut user = User::start(script(text), &[]);
    user.sees("ready");
    user.types("\x03");
    user.sees("caught");
    assert_eq!(user.waits().code(), Some(5));
}

fn ctrl_d_is_an_end_of_file() {
    let mut user = User::start(host(&["cat"]), &[]);
    user.types("some words\n");
    user.sees("some words\r\nsome words\r\n");
    user.types("\x04");
    assert_eq!(user.waits().code(), Some(0));
}

fn keys_pass_one_by_one_and_modes_are_restored() {
    let text = "stty raw -echo; printf ready; head -c 3 | od -An -tx1; printf done; read x";
    let mut user = User::start(script(text), &[]);
    user.sees("ready");
    // End of line, interrupt and stop keys are bytes like any other for an agent that wants them so.
    user.types("\r\x03\x1a");
    user.sees("0d 03 1a");
    user.sees("done");
    assert_ne!(user.modes(), user.first_modes);
    user.types("\n");
    assert_eq!(user.waits().code(), Some(0));
    assert_eq!(user.modes(), user.first_modes);
}

fn only_terminals_are_replaced() {
    let text = "for n in 0 1 2; do if [ -t $n ]; then echo $n tty; else echo $n other; fi; done";
    let mut command = script(text);
    command.stdout(Stdio::piped());
    let mut user = User::start(command, &[1]);
    let out = Reader::new(user.child().stdout.take().unwrap());
    assert_eq!(out.rest(), b"0 tty\n1 other\n2 tty\n");
    assert!(user.waits().success());

    let mut command = script(text);
    command.stdin(Stdio::null());
    let (_, seen) = User::start(command, &[0]).reads_to_the_end();
    assert_eq!(String::from_utf8_lossy(&seen).replace('\r', ""), "0 other\n1 tty\n2 tty\n");
}

fn a_pager_in_a_pipeline_reads_keys() {
    let mut command = script("cat; printf 'go on? '; read answer < /dev/tty; echo \"answer $answer\"");
    let (read, mut write) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut write, b"piped words\n").unwrap();
    drop(write);
    command.stdin(read);
    let mut user = User::start(command, &[0]);
    user.sees("piped words");
    user.sees("go on? ");
    user.types("yes\n");
    user.sees("answer yes");
    assert!(user.waits().success());
}

fn all_output_is_shown() {
    let (status, seen) = User::start(host(&["seq", "1", "300000"]), &[]).reads_to_the_end();
    let wanted: String = (1..=300_000).map(|n| format!("{n}\r\n")).collect();
    assert!(seen == wanted.as_bytes(), "{} bytes of {}", seen.len(), wanted.len());
    assert!(status.success());
}

fn a_long_paste_arrives_whole() {
    let text = "stty raw -echo; printf ready; head -c 1000000 | cksum";
    let mut user = User::start(script(text), &[]);
    user.sees("ready");
    user.types(&"0123456789".repeat(100_000));
    // As `cksum` computes it outside.
    user.sees("1000000");
    assert_eq!(user.waits().code(), Some(0));
}

fn ctrl_c_works_while_the_screen_is_stuck() {
    let mut user = User::start(host(&["yes"]), &[]);
    user.sees("y\r\n");
    // Nobody reads the screen; every buffer on the way fills up, and the key must get through all the same.
    user.types("\x03");
    let (status, _) = user.reads_to_the_end();
    assert_eq!(status.code(), Some(130));
}

fn a_hang_up_ends_the_run() {
    let mut command = script("trap 'echo hung up >&2; exit 4' HUP; echo ready >&2; while :; do :; done");
    command.stderr(Stdio::piped());
    let mut user = User::start(command, &[2]);
    let mut errors = Reader::new(user.child().stderr.take().unwrap());
    errors.expect("ready\n");
    let mut child = user.hangs_up();
    errors.expect("hung up\n");
    assert_eq!(child.wait().unwrap().code(), Some(4));
    // Nothing inside holds it any more.
    errors.rest();
}

fn an_agent_may_close_its_terminal_and_open_it_again() {
    let text = "exec < /dev/null > /dev/null 2> /dev/null; exec 3<&0; echo back > /dev/tty; exec > /dev/tty; echo again";
    let (status, seen) = User::start(script(text), &[]).reads_to_the_end();
    assert_eq!(String::from_utf8_lossy(&seen), "back\r\nagain\r\n");
    assert!(status.success());
}

fn modes_are_restored_when_the_backend_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let mut command = script("stty raw -echo; printf ready; sleep 1000");
    command.env("BACKEND_PID_FILE", &file);
    let mut user = User::start(command, &[]);
    user.sees("ready");
    assert_ne!(user.modes(), user.first_modes);
    let backend: i32 = std::fs::read_to_string(file).unwrap().parse().unwrap();
    kill_process(Pid::from_raw(backend).unwrap(), Signal::KILL).unwrap();
    assert_eq!(user.waits().code(), Some(i32::from(crate::host::LOST)));
    assert_eq!(user.modes(), user.first_modes);
}

fn ctrl_c_reaches_an_agent_in_a_pipeline() {
    let mut command = script("trap 'echo caught; exit 5' INT; echo ready; while :; do :; done");
    command.stdin(Stdio::null());
    let mut user = User::start(command, &[0]);
    user.sees("ready");
    user.types("\x03");
    user.sees("caught");
    assert_eq!(user.waits().code(), Some(5));
}

fn a_hang_up_that_is_ignored_ends_the_run_too() {
    let mut command = script("trap '' HUP; setsid sleep 1000 & echo ready >&2; while :; do sleep 1000; done");
    command.stderr(Stdio::piped());
    let mut user = User::start(command, &[2]);
    let mut errors = Reader::new(user.child().stderr.take().unwrap());
    errors.expect("ready\n");
    let mut child = user.hangs_up();
    assert_eq!(child.wait().unwrap().code(), Some(128 + Signal::KILL.as_raw()));
    errors.rest();
}

fn an_agent_without_a_terminal_to_make_is_told_apart() {
    let no_devices = ["--bwrap", "--tmpfs", "--bwrap", "/dev"];
    let command = host(&[no_devices.as_slice(), &["true"]].concat());
    let mut user = User::start(command, &[]);
    user.sees("host: setup: OpenTerminal: 2");
    assert_eq!(user.waits().code(), Some(125));
}

fn ctrl_c_ends_the_wait_for_a_stuck_screen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    // More than an unread screen takes, less than all the buffers on the way: the agent ends, its output waits.
    let mut command = host(&["seq", "1", "10000"]);
    command.env("BACKEND_PID_FILE", &file);
    let mut user = User::start(command, &[]);
    user.sees("1\r\n");
    let backend = std::fs::read_to_string(file).unwrap();
    while Path::new("/proc").join(&backend).exists() {
        std::thread::yield_now();
    }
    assert_eq!(user.child().try_wait().unwrap(), None, "all of it fitted on the screen");
    while user.child().try_wait().unwrap().is_none() {
        user.types("\x03");
        std::thread::yield_now();
    }
    // The agent's code, unless one more key came between the end of the supervision and that of the process.
    let status = user.waits();
    assert!(status.code() == Some(0) || status.signal() == Some(Signal::INT.as_raw()), "{status}");
}
