//! What the agent gets of init and host, and what is left of a run.

use crate::Test;
use crate::harness::{Reader, Running, host, script};
use crate::host::{Options, bubblewrap};
use std::ffi::OsString;
use std::process::{Command, Stdio};

pub(crate) const TESTS: &[Test] = &[
    ("isolation::descriptors_above_2_are_not_inherited", descriptors_above_2_are_not_inherited),
    ("isolation::the_inits_environment_is_closed", the_inits_environment_is_closed),
    ("isolation::signals_are_at_their_defaults", signals_are_at_their_defaults),
    ("isolation::the_hosts_session_keyring_is_out_of_reach", the_hosts_session_keyring_is_out_of_reach),
    ("isolation::orphans_are_reaped", orphans_are_reaped),
    ("isolation::nothing_outlives_a_killed_host", nothing_outlives_a_killed_host),
    ("isolation::nothing_outlives_the_agent", nothing_outlives_the_agent),
];

fn text_of(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn descriptors_above_2_are_not_inherited() {
    let list = "for n in $(seq 3 99); do if [ -e /proc/$$/fd/$n ]; then echo $n; fi; done";
    let with_leaks = |words: &[&str]| {
        let mut command = Command::new("sh");
        command.args(["-c", "exec 7< /etc/passwd 8< /; exec \"$@\"", "sh"]).args(words);
        text_of(&mut command)
    };
    // Whoever runs the tests may leak some more.
    assert!(with_leaks(&["sh", "-c", list]).starts_with("7\n8\n"));
    let own = std::env::current_exe().unwrap();
    assert_eq!(with_leaks(&[own.to_str().unwrap(), "host", "sh", "-c", list]), "");
}

fn the_inits_environment_is_closed() {
    let read =
        |pid: &str| text_of(&mut script(&format!("tr '\\0' '\\n' < /proc/{pid}/environ && echo open")));
    assert!(read("self").contains("PATH=") && read("self").contains("open\n"));
    assert_eq!(read("1"), "");
    for name in ["cwd", "root", "exe", "fd/0"] {
        let read = |pid: &str| {
            text_of(&mut script(&format!("readlink /proc/{pid}/{name} > /dev/null && echo open")))
        };
        assert_eq!((read("self"), read("1")), ("open\n".to_owned(), String::new()), "{name}");
    }
}

fn signals_are_at_their_defaults() {
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    // With everything ignored that a careless parent may ignore.
    command.args(["-c", "trap '' PIPE CHLD USR1; exec \"$@\"", "sh"]).arg(own);
    command.args(["host", "grep", "-E", "^(Sig(Blk|Ign)|NoNewPrivs)", "/proc/self/status"]);
    let none = "0000000000000000";
    assert_eq!(text_of(&mut command), format!("SigBlk:\t{none}\nSigIgn:\t{none}\nNoNewPrivs:\t1\n"));
}

fn the_hosts_session_keyring_is_out_of_reach() {
    let Some([add_key, keyctl]) = keyring_calls() else {
        return;
    };
    // As a login does it: a session keyring with a key in it, for everything that is started from there.
    let with_key = |mut words: Vec<OsString>| {
        let text = format!(
            "syscall({keyctl}, 1, 0) > 0 or die; my ($t, $n, $v) = ('user', 'coffer-test', 'SECRET');
            syscall({add_key}, $t, $n, $v, 6, -3) > 0 or die; exec @ARGV; die"
        );
        let read = format!(
            "my ($t, $n, $v) = ('user', 'coffer-test', ' ' x 6); my $key = syscall({keyctl}, 10, -3, $t, $n, 0);
            exit 3 if $key < 0; syscall({keyctl}, 11, $key, $v, 6); print $v"
        );
        words.extend(["perl", "-e", &read].map(OsString::from));
        let mut command = Command::new("perl");
        command.args(["-e", &text]).args(words).stdin(Stdio::null());
        let output = command.output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    let own = || std::env::current_exe().unwrap().into_os_string();
    let bare = ["bwrap", "--unshare-user", "--ro-bind", "/", "/", "--dev", "/dev", "--"].map(OsString::from);
    assert_eq!(with_key(bare.to_vec()), ("SECRET".to_owned(), Some(0)), "without our init the key is read");
    assert_eq!(with_key(vec![own(), "host".into()]), (String::new(), Some(3)));
    let by_hand = bubblewrap(&Options::default(), None, [""; 0]);
    let by_hand = std::iter::once(by_hand.get_program()).chain(by_hand.get_args()).map(OsString::from);
    assert_eq!(with_key(by_hand.collect()), (String::new(), Some(3)));
}

/// The numbers of `add_key` and `keyctl`, if the kernel has keyrings and there is a perl to call them.
fn keyring_calls() -> Option<[u32; 2]> {
    let numbers = match std::env::consts::ARCH {
        "x86_64" => Some([248, 250]),
        "aarch64" => Some([217, 219]),
        _ => None,
    };
    let has_perl = Command::new("perl").arg("-v").stdout(Stdio::null()).status().is_ok();
    let found = has_perl && std::path::Path::new("/proc/keys").exists();
    numbers.filter(|_| coffer_testkit::require::capability("keyrings", found))
}

fn orphans_are_reaped() {
    // The middle process dies first, so that the last one is init's to reap; a zombie would stay for ever.
    let text = "sh -c 'sh -c \"echo \\$\\$ > /tmp/orphan; exec true\" & exit'
        n=0
        while [ ! -s /tmp/orphan ] || [ -e /proc/$(cat /tmp/orphan) ]; do
            n=$((n + 1)); [ $n -lt 5000 ] || { echo unreaped; exit 1; }
        done
        echo reaped";
    assert_eq!(text_of(&mut script(text)), "reaped\n");
}

fn nothing_outlives_a_killed_host() {
    let mut child = script("setsid sleep 1000 & echo ready; sleep 1000")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map(Running)
        .unwrap();
    let mut out = Reader::new(child.stdout.take().unwrap());
    out.expect("ready\n");
    child.kill().unwrap();
    // Every process inside holds the pipe: its end says that none is left.
    assert_eq!(out.rest(), b"ready\n");
    assert_eq!(child.wait().unwrap().code(), None);
}

fn nothing_outlives_the_agent() {
    let mut child = host(&["sh", "-c", "setsid sleep 1000 & echo ready; exit 2"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map(Running)
        .unwrap();
    let out = Reader::new(child.stdout.take().unwrap());
    assert_eq!(out.rest(), b"ready\n");
    assert_eq!(child.wait().unwrap().code(), Some(2));
}
