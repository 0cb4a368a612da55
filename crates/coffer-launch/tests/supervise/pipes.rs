//! Standard descriptors that are no terminals, exit codes, signals.

use crate::Test;
use crate::harness::{Reader, Running, host, script};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::process::{Output, Stdio};

pub(crate) const TESTS: &[Test] = &[
    ("pipes::bytes_pass_unchanged", bytes_pass_unchanged),
    ("pipes::five_megabytes_pass_unchanged", five_megabytes_pass_unchanged),
    ("pipes::output_and_errors_stay_apart", output_and_errors_stay_apart),
    ("pipes::exit_codes_are_the_agents", exit_codes_are_the_agents),
    ("pipes::a_program_that_cannot_run_is_126_or_127", a_program_that_cannot_run_is_126_or_127),
    ("pipes::a_failing_backend_is_told_from_the_agent", a_failing_backend_is_told_from_the_agent),
    ("pipes::signals_reach_the_agents_group", signals_reach_the_agents_group),
    ("pipes::a_stop_signal_stops_agent_and_host", a_stop_signal_stops_agent_and_host),
    ("pipes::a_killed_backend_is_lost_not_an_exit_code", a_killed_backend_is_lost_not_an_exit_code),
    ("pipes::a_signal_ends_a_start_that_hangs", a_signal_ends_a_start_that_hangs),
    ("pipes::a_closed_reader_ends_the_writer", a_closed_reader_ends_the_writer),
];

fn output(command: &mut std::process::Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn through_cat(input: Vec<u8>) -> Output {
    let mut child =
        host(&["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output
}

fn bytes_pass_unchanged() {
    let output = through_cat(b"hi\n\x00\xff\r\n\x03\x04".to_vec());
    assert_eq!(output.stdout, b"hi\n\x00\xff\r\n\x03\x04");
    assert_eq!(output.stderr, b"");
    assert!(output.status.success());
}

fn five_megabytes_pass_unchanged() {
    let input: Vec<u8> = (0..5_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let output = through_cat(input.clone());
    assert!(output.stdout == input, "{} bytes of {} came", output.stdout.len(), input.len());
}

fn output_and_errors_stay_apart() {
    let output = output(&mut script("echo out; echo err >&2"));
    assert_eq!((output.stdout, output.stderr), (b"out\n".to_vec(), b"err\n".to_vec()));
}

fn exit_codes_are_the_agents() {
    for (text, code) in
        [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
    {
        assert_eq!(output(&mut script(text)).status.code(), Some(code), "{text}");
    }
}

fn a_program_that_cannot_run_is_126_or_127() {
    for (program, code) in
        [("no-such-program", 127), ("/no/such/program", 127), ("/etc/passwd", 126), ("/", 126)]
    {
        assert_eq!(output(&mut host(&[program])).status.code(), Some(code), "{program}");
    }
    let closed = |program| {
        output(&mut host(&["--bwrap", "--setenv", "--bwrap", "PATH", "--bwrap", "/proc/1/cwd:/etc", program]))
    };
    assert_eq!(closed("no-such-program").status.code(), Some(127));
    assert_eq!(closed("passwd").status.code(), Some(126));
}

fn a_failing_backend_is_told_from_the_agent() {
    let output = output(&mut host(&["--bwrap", "--no-such-option", "true"]));
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(output.stdout, b"");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("bwrap: Unknown option --no-such-option"), "{said}");
}

fn signals_reach_the_agents_group() {
    for (signal, name) in [
        (Signal::INT, "INT"),
        (Signal::TERM, "TERM"),
        (Signal::HUP, "HUP"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
    ] {
        let text = format!("trap 'echo got {name}; exit 3' {name}; echo ready; while :; do :; done");
        let mut child =
            script(&text).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map(Running).unwrap();
        let mut out = Reader::new(child.stdout.take().unwrap());
        out.expect("ready\n");
        kill_process(Pid::from_child(&child), signal).unwrap();
        out.expect(&format!("got {name}\n"));
        assert_eq!(child.wait().unwrap().code(), Some(3), "{name}");
    }
}

fn a_stop_signal_stops_agent_and_host() {
    let text = "echo ready; read line; echo \"line $line\"";
    let mut child = script(text).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map(Running).unwrap();
    let mut out = Reader::new(child.stdout.take().unwrap());
    out.expect("ready\n");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::TSTP).unwrap();
    assert_eq!(crate::harness::waits_for_stop(pid), Signal::TSTP.as_raw());
    kill_process(pid, Signal::CONT).unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    out.expect("line hello\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn a_killed_backend_is_lost_not_an_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let mut child = script("echo ready; sleep 1000")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .env("BACKEND_PID_FILE", &file)
        .spawn()
        .map(Running)
        .unwrap();
    let mut out = Reader::new(child.stdout.take().unwrap());
    out.expect("ready\n");
    let backend: i32 = std::fs::read_to_string(file).unwrap().parse().unwrap();
    kill_process(Pid::from_raw(backend).unwrap(), Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(i32::from(crate::host::LOST)));
    assert_eq!(out.rest(), b"ready\n");
}

fn a_signal_ends_a_start_that_hangs() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("started");
        let text = format!("echo > {}; exec sleep 1000", file.display());
        let mut child = host(&["--backend", "/bin/sh", "-c", &text])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map(Running)
            .unwrap();
        while !file.exists() {
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}

fn a_closed_reader_ends_the_writer() {
    let mut child = host(&["yes"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map(Running).unwrap();
    let mut out = Reader::new(child.stdout.take().unwrap());
    out.expect("y\ny\n");
    drop(out);
    assert_eq!(child.wait().unwrap().code(), Some(128 + Signal::PIPE.as_raw()));
}
