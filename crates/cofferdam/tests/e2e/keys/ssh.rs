//! SSH keys.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::{REFUSED, SshStage};
use crate::support::{Stage, run, sandboxes};

/// Asks the agent for a signature by a public key, and prints the kind of the answer.
const ASK: &str = r#"
use IO::Socket::UNIX; use MIME::Base64;
open my $file, '<', $ARGV[0]; my $blob = decode_base64((split ' ', <$file>)[1]);
my $body = pack('C', 13) . pack('N/a*', $blob) . pack('N/a*', 'data') . pack('N', 0);
my $agent = IO::Socket::UNIX->new(Peer => $ENV{SSH_AUTH_SOCK}) or die;
print $agent pack('N/a*', $body); $agent->flush; read $agent, my $head, 5; print unpack('x4 C', $head);
"#;

fn stage() -> Option<SshStage> {
    if sandboxes() { SshStage::new() } else { None }
}

#[test]
fn only_the_granted_key_is_listed() {
    let Some(keys) = stage() else { return };
    let outside = run(keys.outside("ssh-add").arg("-L")).text();
    assert!(outside.contains(" granted\n") && outside.contains(" other\n"), "{outside}");
    for filter in ["--ssh-agent=granted", "--ssh-agent=gran*"] {
        let inside = keys.inside(&[filter], "ssh-add -L");
        let granted: String = outside.lines().filter(|line| line.ends_with(" granted")).collect();
        inside.prints(&format!("{granted}\n"));
    }
    // By its fingerprint, and without a filter all of them.
    let listed = run(keys.outside("ssh-add").arg("-l")).text();
    let line = listed.lines().find(|line| line.contains(" other ")).unwrap();
    let fingerprint = line.split(' ').nth(1).unwrap();
    let inside = keys.inside(&[&format!("--ssh-agent={fingerprint}")], "ssh-add -l");
    inside.prints(&format!("{line}\n"));
    keys.inside(&["--ssh-agent"], "ssh-add -L").prints(&outside);
}

#[test]
fn the_granted_key_signs_and_the_other_does_not() {
    let Some(keys) = stage() else { return };
    keys.stage.project_file("text", "a text\n");
    let sign = |name: &str| format!("rm -f text.sig; ssh-keygen -Y sign -n file -f {name}.pub text");
    // The control: outside both do.
    for name in ["granted", "other"] {
        run(keys.outside("sh").current_dir(keys.stage.project()).args(["-c", &sign(name)])).ends_with(0);
    }
    keys.inside(&["--ssh-agent=granted"], &sign("granted")).ends_with(0);
    let check = "ssh-keygen -Y check-novalidate -n file -s text.sig < text";
    let checked = run(keys.stage.command("sh").current_dir(keys.stage.project()).args(["-c", check]));
    assert!(checked.ends_with(0).text().starts_with("Good \"file\" signature"), "{checked}");
    let refused = keys.inside(&["--ssh-agent=granted"], &sign("other"));
    assert!(refused.code != Some(0) && !keys.stage.project().join("text.sig").exists(), "{refused}");
    // That client looks at the list first. One that does not is refused by the filter: 14 is a signature, 5 a no.
    keys.stage.project_file("ask.pl", ASK);
    let ask = |name: &str| format!("perl ask.pl {name}.pub");
    run(keys.outside("sh").current_dir(keys.stage.project()).args(["-c", &ask("other")])).prints("14");
    keys.inside(&["--ssh-agent=granted"], &ask("granted")).prints("14");
    let refused = keys.inside(&["--ssh-agent=granted"], &ask("other"));
    refused.prints("5");
    assert!(refused.stderr.contains("Not done with your keys"), "{refused}");
    let ledger = keys.ledger();
    let has = |what: &str, verdict: &str| {
        let known = |(of, key, is, times): &&(String, String, String, u64)| {
            of == what && is == verdict && key.starts_with("SHA256:") && *times > 0
        };
        ledger.iter().find(known).is_some()
    };
    assert!(has("sign", "allowed") && has("sign", "denied"), "{ledger:?}");
}

#[test]
fn keys_are_neither_added_nor_removed_nor_locked() {
    let Some(keys) = stage() else { return };
    let before = run(keys.outside("ssh-add").arg("-L")).text();
    // A key of the sandbox's own, and a program that answers a question with a word.
    let own = keys.stage.project().join("own");
    run(keys.stage.command("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&own))
        .ends_with(0);
    super::program(&keys.stage.project().join("word"), "#!/bin/sh\necho word\n");
    let lock = "SSH_ASKPASS=$PWD/word SSH_ASKPASS_REQUIRE=force DISPLAY=:0 ssh-add";
    for command in ["ssh-add own", "ssh-add -D", "ssh-add -d granted.pub", &format!("{lock} -x")] {
        let ran = keys.inside(&["--ssh-agent=granted"], command);
        let said = ran.stderr.to_lowercase();
        assert!(ran.code != Some(0) && (said.contains(REFUSED) || said.contains("fail")), "{command}: {ran}");
        assert_eq!(run(keys.outside("ssh-add").arg("-L")).text(), before, "{command}");
    }
    // The control: outside each of them is done.
    for command in
        ["ssh-add own", &format!("{lock} -x"), &format!("{lock} -X"), "ssh-add -d granted.pub", "ssh-add -D"]
    {
        run(keys.outside("sh").current_dir(keys.stage.project()).args(["-c", command])).ends_with(0);
    }
    run(keys.outside("ssh-add").arg("-L")).ends_with(1);
}

#[test]
fn a_filter_is_its_runs_alone() {
    let Some(keys) = stage() else { return };
    let mut first = keys
        .run(&["--ssh-agent=granted"], "echo up; read end")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(first.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    let sockets = sockets_of_runs(&keys.stage);
    let [socket] = sockets.as_slice() else { panic!("{sockets:?}") };
    let list = format!("SSH_AUTH_SOCK={} ssh-add -L", socket.display());
    // The control: the user reaches it.
    let reached = run(keys.stage.command("sh").args(["-c", &list]));
    assert!(reached.ends_with(0).text().ends_with(" granted\n"), "{reached}");
    for flags in [&["--ssh-agent=other"][..], &[]] {
        keys.inside(flags, &list).ends_with(2);
    }
    drop(first.stdin.take());
    first.wait().unwrap();
    assert!(!socket.exists(), "its socket goes with the run");
    assert!(run(keys.stage.command("sh").args(["-c", &list])).code != Some(0));
}

fn sockets_of_runs(stage: &Stage) -> Vec<std::path::PathBuf> {
    let status = run(&mut stage.coffer(["status", "--json"]));
    assert!(status.code.is_some());
    let found = run(stage.command("find").arg(stage.scratch.root()).args(["-path", "*/key-agents/ssh.sock"]));
    found.text().lines().map(Into::into).collect()
}

#[test]
fn what_cannot_be_granted_is_told_before_anything_runs() {
    let Some(keys) = stage() else { return };
    keys.inside(&["--ssh-agent=nobody"], "true").refuses(125, "no-such-key", "granted", "--ssh-agent=KEY");
    run(keys.stage.run(["--ssh-agent", "--", "true"]).env_remove("SSH_AUTH_SOCK")).refuses(
        125,
        "key-agent",
        "SSH_AUTH_SOCK",
        "ssh-agent",
    );
    run(keys.stage.run(["--ssh-agent", "--", "true"]).env("SSH_AUTH_SOCK", keys.key("nothing"))).refuses(
        125,
        "key-agent",
        "does not answer",
        "ssh-add -l",
    );
    // As it is, by its path: with the advice to use the filter.
    let socket = keys.socket.to_str().unwrap();
    for flag in ["--forward", "--mount"] {
        let word = if flag == "--forward" { format!("unix:{socket}") } else { socket.to_owned() };
        let ran = run(keys
            .outside(keys.stage.program().to_str().unwrap())
            .args(["run", flag, &word, "--", "true"]));
        ran.refuses(125, "host-socket", "all of them", "--ssh-agent=KEY");
    }
}

#[test]
fn what_is_granted_is_shown() {
    let Some(keys) = stage() else { return };
    let coffer = keys.stage.program().to_str().unwrap();
    let plan =
        run(keys.outside(coffer).args(["plan", "--json", "--agent", "shell", "--ssh-agent=granted"])).json();
    let agent = &plan["key_agents"][0];
    assert_eq!(agent["agent"], "ssh");
    assert_eq!(agent["keys"].as_array().unwrap().len(), 1);
    assert!(agent["keys"][0]["label"].as_str().unwrap().starts_with("granted"), "{agent}");
    let audit = run(keys.outside(coffer).args(["plan", "--agent", "shell", "--ssh-agent=granted"])).text();
    assert!(audit.contains("Keys\n") && audit.contains("signs: SHA256:"), "{audit}");
    let why =
        run(keys.outside(coffer).args(["why", "env", "SSH_AUTH_SOCK", "--agent", "shell", "--ssh-agent"]))
            .text();
    assert!(why.contains("--ssh-agent"), "{why}");
}
